//! The fields of ECS 9 that ipstamp writes, by their types, and whether what was added to an event keeps
//! to them.

use std::collections::BTreeMap;

use serde_json::Value;

/// Whether a value may stand in an ECS field, by the type that ECS gives the field.
fn is_of(field: &str, value: &Value) -> bool {
    let is_ip =
        |value: &Value| value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
    let each = |is: &dyn Fn(&Value) -> bool| match value.as_array() {
        Some(all) => all.iter().all(is),
        None => is(value),
    };
    match field {
        "geo.location" => {
            let coordinate = |name: &str, most: f64| {
                value[name].as_f64().is_some_and(|degrees| degrees.abs() <= most)
            };
            coordinate("lat", 90.0) && coordinate("lon", 180.0)
        }
        "geo.continent_code" | "geo.country_iso_code" => {
            value.as_str().is_some_and(|text| text.len() == 2)
        }
        "geo.continent_name"
        | "geo.country_name"
        | "geo.region_iso_code"
        | "geo.region_name"
        | "geo.city_name"
        | "geo.postal_code"
        | "geo.timezone"
        | "as.organization.name"
        | "address" => value.is_string(),
        "as.number" => value.is_u64(),
        "ip" | "related.ip" | "forwarded_ip" | "network.forwarded_ip" => each(&is_ip),
        "tags" => each(&Value::is_string),
        _ => false,
    }
}

/// The leaves of a value by path; a place is one.
fn leaves(value: &Value, at: &str, to: &mut BTreeMap<String, Value>) {
    match value.as_object() {
        Some(members) if !at.ends_with("geo.location") => {
            for (name, value) in members {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                leaves(value, &at, to);
            }
        }
        _ => match value.as_array().filter(|items| items.iter().all(Value::is_object)) {
            Some(items) => {
                for (nth, item) in items.iter().enumerate() {
                    leaves(item, &format!("{at}.{nth}"), to);
                }
            }
            None => drop(to.insert(at.to_owned(), value.clone())),
        },
    }
}

/// Whether each field that was added to an event is one of ECS, stands where ECS has it and is of its
/// type; what ECS has no field for is in `ip_traits` or `ipstamp`. How many fields were looked at.
#[track_caller]
pub(crate) fn check_added(event: &Value, stamped: &Value) -> usize {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    leaves(event, "", &mut before);
    leaves(stamped, "", &mut after);
    let mut seen = 0;
    for (path, value) in after {
        if before.get(&path) == Some(&value)
            || path.starts_with("ipstamp.")
            || path.split('.').any(|step| step == "ip_traits")
        {
            continue;
        }
        let field = match path.split_once('.') {
            Some(("source" | "destination" | "client" | "server", field)) => {
                field.strip_prefix("nat.").unwrap_or(field)
            }
            // No `as` in these.
            Some(("host" | "observer", field)) if !field.starts_with("as.") => field,
            // Beside an address in an object that ECS does not have.
            Some((theirs, field)) if event[theirs].is_object() => {
                let steps = field.match_indices('.').map(|(at, _)| at + 1).chain([0]);
                let is_group = |at: &usize| {
                    field[*at..].starts_with("geo.") || field[*at..].starts_with("as.")
                };
                &field[steps.filter(is_group).min().unwrap_or(0)..]
            }
            _ => path.as_str(),
        };
        assert!(is_of(field, &value), "{path}: {value}\n{stamped:#}");
        seen += 1;
    }
    seen
}
