//! The part of OCSF 1.8 that events of the tests have, and whether an event keeps to it.

use serde_json::Value;

/// What an attribute may be.
#[derive(Clone, Copy)]
enum Is {
    Text,
    Ip,
    /// Two capital letters.
    Country,
    Integer,
    Number,
    Flag,
    /// Anything: a JSON value of one's own.
    Json,
    Object(&'static str),
    ListOf(&'static str),
    Ips,
    Texts,
}

use Is::{Country, Flag, Integer, Ip, Ips, Json, ListOf, Number, Object, Text, Texts};

/// The attributes of an object, those that it must have, and those of which it must have one.
struct Class {
    attributes: &'static [(&'static str, Is)],
    required: &'static [&'static str],
    one_of: &'static [&'static str],
}

fn class(name: &str) -> Class {
    match name {
        // `base_event` with what the class `network_activity` adds.
        "event" => Class {
            attributes: &[
                ("activity_id", Integer),
                ("activity_name", Text),
                ("category_uid", Integer),
                ("class_name", Text),
                ("class_uid", Integer),
                ("connection_info", Object("json")),
                ("count", Integer),
                ("device", Object("device")),
                ("dst_endpoint", Object("network_endpoint")),
                ("enrichments", ListOf("enrichment")),
                ("message", Text),
                ("metadata", Object("metadata")),
                ("observables", ListOf("observable")),
                ("proxy_endpoint", Object("network_endpoint")),
                ("raw_data", Text),
                ("severity_id", Integer),
                ("src_endpoint", Object("network_endpoint")),
                ("status_id", Integer),
                ("time", Integer),
                ("traffic", Object("json")),
                ("type_uid", Integer),
                ("unmapped", Json),
            ],
            required: &[
                "activity_id",
                "category_uid",
                "class_uid",
                "metadata",
                "severity_id",
                "time",
                "type_uid",
            ],
            one_of: &["dst_endpoint", "src_endpoint"],
        },
        "metadata" => Class {
            attributes: &[
                ("labels", Texts),
                ("log_name", Text),
                ("product", Object("json")),
                ("profiles", Texts),
                ("uid", Text),
                ("version", Text),
            ],
            required: &["product", "version"],
            one_of: &[],
        },
        "network_endpoint" => Class {
            attributes: &[
                ("autonomous_system", Object("autonomous_system")),
                ("domain", Text),
                ("hostname", Text),
                ("instance_uid", Text),
                ("interface_name", Text),
                ("intermediate_ips", Ips),
                ("ip", Ip),
                ("isp", Text),
                ("isp_org", Text),
                ("location", Object("location")),
                ("mac", Text),
                ("name", Text),
                ("port", Integer),
                ("proxy_endpoint", Object("network_endpoint")),
                ("subnet_uid", Text),
                ("svc_name", Text),
                ("type", Text),
                ("type_id", Integer),
                ("uid", Text),
                ("vpc_uid", Text),
                ("zone", Text),
            ],
            required: &[],
            one_of: &["ip", "uid", "name", "hostname", "svc_name", "instance_uid", "domain"],
        },
        "device" => Class {
            attributes: &[
                ("domain", Text),
                ("hostname", Text),
                ("ip", Ip),
                ("location", Object("location")),
                ("mac", Text),
                ("name", Text),
                ("os", Object("json")),
                ("type_id", Integer),
                ("uid", Text),
            ],
            required: &["type_id"],
            one_of: &["ip", "uid", "name", "hostname"],
        },
        "location" => Class {
            attributes: &[
                ("city", Text),
                ("continent", Text),
                ("country", Country),
                ("desc", Text),
                ("geohash", Text),
                ("horizontal_accuracy", Text),
                ("is_on_premises", Flag),
                ("lat", Number),
                ("long", Number),
                ("postal_code", Text),
                ("provider", Text),
                ("region", Text),
            ],
            required: &[],
            one_of: &["city", "country", "postal_code", "region"],
        },
        "autonomous_system" => Class {
            attributes: &[("name", Text), ("number", Integer)],
            required: &[],
            one_of: &["name", "number"],
        },
        "enrichment" => Class {
            attributes: &[
                ("created_time", Integer),
                ("data", Json),
                ("desc", Text),
                ("name", Text),
                ("provider", Text),
                ("reputation", Object("reputation")),
                ("short_desc", Text),
                ("src_url", Text),
                ("type", Text),
                ("value", Text),
            ],
            required: &["data", "name", "value"],
            one_of: &[],
        },
        "reputation" => Class {
            attributes: &[
                ("base_score", Number),
                ("provider", Text),
                ("score", Text),
                ("score_id", Integer),
            ],
            required: &["base_score", "score_id"],
            one_of: &[],
        },
        "observable" => Class {
            attributes: &[
                ("name", Text),
                ("reputation", Object("reputation")),
                ("type", Text),
                ("type_id", Integer),
                ("value", Text),
            ],
            required: &["type_id"],
            one_of: &[],
        },
        other => panic!("{other} is not in the table"),
    }
}

/// What in an event of the class `network_activity` OCSF 1.8 does not have so.
pub(crate) fn faults(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    object(event, "event", "event", &mut faults);
    faults
}

/// What in an event of another schema, to which things have been added, OCSF 1.8 does not have so: each
/// added member is one of the event's, or of an endpoint's where it stands in an object of the event.
pub(crate) fn faults_of_added(event: &Value, stamped: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    added(Some(event), stamped, "event", "event", &mut faults);
    faults
}

fn added(before: Option<&Value>, after: &Value, name: &str, at: &str, faults: &mut Vec<String>) {
    let Some(members) = after.as_object() else { return };
    let class = class(name);
    for (member, value) in members {
        let before = before.and_then(|before| before.get(member));
        let at = format!("{at}.{member}");
        let known = class.attributes.iter().find(|(attribute, _)| attribute == member);
        match (before, known) {
            (None, Some((_, is))) if member == "metadata" => drop((is, value["labels"].as_array())),
            (None, Some((_, is))) => attribute(value, *is, &at, faults),
            (None, None) => faults.push(format!("{at} is not in the schema")),
            // An object of the event, of whichever kind.
            (Some(before), _) if before.is_object() => {
                added(Some(before), value, "network_endpoint", &at, faults);
            }
            (Some(Value::Array(before)), _) => {
                let items = value.as_array().into_iter().flatten();
                for (before, item) in before.iter().zip(items) {
                    added(Some(before), item, "network_endpoint", &at, faults);
                }
            }
            (Some(before), _) if before != value => {
                faults.push(format!("{at} was changed"));
            }
            _ => {}
        }
    }
}

fn object(value: &Value, name: &str, at: &str, faults: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        faults.push(format!("{at} is no object"));
        return;
    };
    if name == "json" {
        return;
    }
    let class = class(name);
    for (member, value) in members {
        let at = format!("{at}.{member}");
        match class.attributes.iter().find(|(attribute, _)| attribute == member) {
            None => faults.push(format!("{at} is not in the schema")),
            Some((_, is)) => attribute(value, *is, &at, faults),
        }
    }
    for required in class.required {
        if !members.contains_key(*required) {
            faults.push(format!("{at}.{required} is missing"));
        }
    }
    if !class.one_of.is_empty() && !class.one_of.iter().any(|one| members.contains_key(*one)) {
        faults.push(format!("{at} has none of {:?}", class.one_of));
    }
}

fn attribute(value: &Value, is: Is, at: &str, faults: &mut Vec<String>) {
    let is_ip =
        |value: &Value| value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
    let all = |is: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|all| all.iter().all(is));
    let sound = match is {
        Text => value.is_string(),
        Ip => is_ip(value),
        Country => value.as_str().is_some_and(|text| {
            text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
        }),
        Integer => value.is_i64(),
        Number => value.is_number(),
        Flag => value.is_boolean(),
        Json => true,
        Ips => all(&is_ip),
        Texts => all(&Value::is_string),
        Object(name) => {
            object(value, name, at, faults);
            true
        }
        ListOf(name) => match value.as_array() {
            None => false,
            Some(items) => {
                for (nth, item) in items.iter().enumerate() {
                    object(item, name, &format!("{at}[{nth}]"), faults);
                }
                true
            }
        },
    };
    if !sound {
        faults.push(format!("{at} is of another type: {value}"));
    }
}

#[test]
fn the_table_finds_what_is_not_in_the_schema() {
    let sound = serde_json::json!({
        "class_uid": 4001, "category_uid": 4, "activity_id": 6, "type_uid": 400_106,
        "severity_id": 1, "time": 1, "metadata": {"version": "1.8.0", "product": {}},
        "src_endpoint": {"ip": "192.0.2.1"},
    });
    assert_eq!(faults(&sound), Vec::<String>::new());
    for (path, value, said) in [
        ("/ipstamp", serde_json::json!({}), "event.ipstamp is not in the schema"),
        ("/src_endpoint/geo", serde_json::json!({}), "event.src_endpoint.geo is not"),
        ("/src_endpoint/location", serde_json::json!({"lat": 1.5}), "has none of"),
        ("/src_endpoint/ip", serde_json::json!("nowhere"), "event.src_endpoint.ip is of another"),
        ("/enrichments", serde_json::json!([{"name": "x"}]), "enrichments[0].data is missing"),
    ] {
        let mut event = sound.clone();
        let (object, name) = path.rsplit_once('/').unwrap();
        event.pointer_mut(object).unwrap()[name] = value;
        let found = faults(&event).join("; ");
        assert!(found.contains(said), "{path}: {found}");
    }
}
