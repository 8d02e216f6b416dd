//! The rows of a CSV table of networks: which networks a row is about, and the data record that it
//! makes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use csv::StringRecord;
use mmdb_writer::ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};
use serde_json::{Map, Value as Json, json};

use super::fields::fields;
use super::layout::own;
use super::lenient;
use super::networks::NetworksError;
use super::wants;
use super::wants::{field_by_name, nearest_of};
use crate::record::{DidYouMean, Enrichment, FactGroup, GroupSet};

/// The column with networks in CIDR notation, or single addresses.
pub(super) const NETWORK: &str = "network";
/// Columns with the first and the last address of a range, as vendors call them.
pub(super) const FIRST: [&str; 3] = ["start_ip", "ip_from", "range_start"];
pub(super) const LAST: [&str; 3] = ["end_ip", "ip_to", "range_end"];

/// How the rows of a table are read.
pub struct Table(Vec<Column>);

/// What stands in a column.
enum Column {
    Network,
    First,
    Last,
    /// A field of ours, in its own kind.
    Field(FactGroup, &'static str),
    /// Text, at this path of the record.
    Text(Vec<String>),
}

/// What a row says.
pub struct Row {
    /// Of these networks: one, or those that a range is made of.
    pub networks: Vec<IpNet>,
    /// The data record.
    pub record: Json,
}

impl Table {
    /// A table of ipstamp's own layout: columns are fields as `want` names them, records group by
    /// group.
    pub fn own(head: &StringRecord) -> Result<Self, NetworksError> {
        let mut seen = BTreeSet::new();
        if let Some(name) = head.iter().find(|name| *name != NETWORK && !seen.insert(*name)) {
            return Err(NetworksError::ColumnTwice(name.to_owned()));
        }
        Self::of(head, |name| {
            let field = field_by_name(name).map(|(group, field)| Column::Field(group, field));
            field.ok_or_else(|| NetworksError::Column {
                name: name.to_owned(),
                nearest: nearest_column(name),
            })
        })
    }

    /// A table of any other layout: columns are members of the record, a dot leads into a member,
    /// and every value is text.
    pub fn plain(head: &StringRecord) -> Result<Self, NetworksError> {
        Self::of(head, |name| Ok(Column::Text(name.split('.').map(str::to_owned).collect())))
    }

    fn of(
        head: &StringRecord,
        other: impl Fn(&str) -> Result<Column, NetworksError>,
    ) -> Result<Self, NetworksError> {
        let column = |name: &str| match name {
            NETWORK => Ok(Column::Network),
            name if FIRST.contains(&name) => Ok(Column::First),
            name if LAST.contains(&name) => Ok(Column::Last),
            name => other(name),
        };
        let columns: Vec<Column> = head.iter().map(column).collect::<Result<_, _>>()?;
        let count = |is: fn(&Column) -> bool| columns.iter().filter(|column| is(column)).count();
        let networks = [
            count(|column| matches!(column, Column::Network)),
            count(|column| matches!(column, Column::First)),
            count(|column| matches!(column, Column::Last)),
        ];
        let has_more = columns.len() > networks.iter().sum();
        if has_more && matches!(networks, [1, 0, 0] | [0, 1, 1]) {
            Ok(Self(columns))
        } else {
            Err(NetworksError::Head)
        }
    }

    /// The groups of which there are fields.
    pub fn covers(&self) -> GroupSet {
        let groups = self.0.iter().filter_map(|column| match column {
            Column::Field(group, _) => Some(*group),
            _ => None,
        });
        groups.collect()
    }

    /// The networks of a row and its record: `{"company": {"name": "…"}}`. An empty cell says
    /// nothing.
    pub fn row(&self, cells: &StringRecord, line: u64) -> Result<Row, NetworksError> {
        let refused = |what: String| NetworksError::Row { line, what };
        // A quote that is not closed takes the rows behind it along.
        if cells.iter().any(|cell| cell.contains(['\n', '\r'])) {
            let what = "a cell goes on over the end of the line; close its quote, or write a quote that is \
                        meant as such twice";
            return Err(refused(what.into()));
        }
        let (mut network, mut first, mut last) = (None, None, None);
        let mut record = Map::new();
        for (column, text) in self.0.iter().zip(cells) {
            match column {
                Column::Network => network = Some(text),
                Column::First => first = Some(text),
                Column::Last => last = Some(text),
                _ if text.is_empty() => {}
                Column::Field(group, field) => {
                    let value = cell(*group, field, text).ok_or_else(|| {
                        refused(format!(
                            "column {group}.{field}: {text:?} is not of the field's kind"
                        ))
                    })?;
                    let fields = record.entry(group.name()).or_insert_with(|| json!({}));
                    fields[*field] = value;
                }
                Column::Text(path) => put(&mut record, path, text),
            }
        }
        let networks = networks_of(network, first, last).map_err(refused)?;
        Ok(Row { networks, record: Json::Object(record) })
    }
}

/// The networks that a row is about: one, or those that a range is made of.
pub(super) fn networks_of(
    network: Option<&str>,
    first: Option<&str>,
    last: Option<&str>,
) -> Result<Vec<IpNet>, String> {
    match (network, first, last) {
        (Some(network), None, None) => Ok(vec![network_of(network)?]),
        (None, Some(first), Some(last)) => range(address_of(first)?, address_of(last)?),
        _ => Err(format!("expected {NETWORK:?}, or {:?} and {:?}", FIRST[0], LAST[0])),
    }
}

fn nearest_column(name: &str) -> Option<String> {
    let known = wants::all_names().into_iter().filter(|known| known.contains('.'));
    nearest_of(name, [NETWORK.to_owned()].into_iter().chain(known))
}

/// That a member is no field.
pub(super) fn column_error(name: &str) -> String {
    format!("{name:?} is no field{}", DidYouMean(nearest_column(name).as_deref()))
}

/// Puts text at a path. A path that leads through another column's text is left out.
fn put(record: &mut Map<String, Json>, path: &[String], text: &str) {
    match path {
        [] => {}
        [name] => drop(record.insert(name.clone(), json!(text))),
        [name, rest @ ..] => {
            let inner = record.entry(name.clone()).or_insert_with(|| json!({}));
            if let Json::Object(inner) = inner {
                put(inner, rest, text);
            }
        }
    }
}

fn address_of(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address; expected one such as 10.1.0.0"))
}

/// The networks that a range is made of.
fn range(first: IpAddr, last: IpAddr) -> Result<Vec<IpNet>, String> {
    let networks = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            IpSubnets::from(Ipv4Subnets::new(first, last, 0))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            if let (Some(first), Some(last)) = (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                // Such addresses are looked up as the IPv4 addresses that they are.
                return Err(format!("{first} to {last} is of IPv4; write it so"));
            }
            IpSubnets::from(Ipv6Subnets::new(first, last, 0))
        }
        _ => return Err(format!("{first} to {last} is no range")),
    };
    Ok(networks.collect())
}

fn network_of(text: &str) -> Result<IpNet, String> {
    let network: IpNet = match text.parse::<std::net::IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().map_err(|_| {
            format!("{text:?} is no network; expected one such as 10.1.0.0/16, 2001:db8::/32")
        })?,
    };
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped().filter(|_| v6.prefix_len() >= 96)
    {
        // An address of such a form is looked up as the IPv4 address that it is.
        return Err(format!("{text} is of IPv4; write {v4}/{}", v6.prefix_len() - 96));
    }
    let whole = network.trunc();
    if whole == network {
        Ok(network)
    } else {
        Err(format!("{text} begins at {whole}; write that"))
    }
}

/// A cell as the field's kind wants it: text, `true`, a number, `latitude;longitude`, or a list
/// with `;` between its elements. The kinds are asked of the field itself.
pub(super) fn cell(group: FactGroup, field: &str, text: &str) -> Option<Json> {
    let flag = text.to_ascii_lowercase().parse::<bool>().ok().map(Json::Bool);
    let number = |text: &str| match text.parse::<i64>() {
        Ok(number) => Some(json!(number)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|n| json!(n)),
    };
    let parts = || text.split(';').map(str::trim);
    let numbers = parts().map(number).collect::<Option<Vec<Json>>>().map(Json::Array);
    let list = Json::Array(parts().map(|part| json!(part)).collect());
    let kinds = [Some(json!(text)), flag, number(text), numbers, Some(list)];
    kinds.into_iter().flatten().find(|value| is_of_kind(group, field, value))
}

/// Whether the field can have this value.
pub(super) fn is_of_kind(group: FactGroup, field: &str, value: &Json) -> bool {
    let mut facts = Enrichment::default();
    own::put(&mut facts, group, json!({ field: value }));
    let place = facts.geo.as_ref().and_then(|geo| geo.location);
    if place.is_some_and(|(latitude, longitude)| {
        lenient::location(Some(latitude), Some(longitude)).is_none()
    }) {
        return false;
    }
    fields(group, &facts).contains(&(static_name(group, field), true))
}

fn static_name(group: FactGroup, field: &str) -> &'static str {
    field_by_name(&format!("{group}.{field}")).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_but_those_with_parts_can_be_given() {
        for group in FactGroup::ALL {
            for (field, _) in fields(group, &Enrichment::default()) {
                let has_parts = matches!(field, "raw_scores" | "signals");
                let given = ["x", "true", "7", "1.5;2"]
                    .iter()
                    .any(|text| cell(group, field, text).is_some());
                assert_ne!(given, has_parts, "{group}.{field}");
            }
        }
    }

    #[test]
    fn a_range_is_the_networks_that_it_is_made_of() {
        let head = StringRecord::from(vec!["start_ip", "end_ip", "country", "names.en"]);
        let table = Table::plain(&head).unwrap();
        let row = |cells: [&str; 4]| table.row(&StringRecord::from(cells.to_vec()), 2);
        let found = row(["1.0.0.0", "1.0.2.255", "LV", "Latvia"]).unwrap();
        let networks: Vec<_> = found.networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["1.0.0.0/23", "1.0.2.0/24"]);
        assert_eq!(found.record, json!({"country": "LV", "names": {"en": "Latvia"}}));
        for (first, last) in [("1.0.0.1", "1.0.0.0"), ("1.0.0.0", "::1"), ("x", "1.0.0.0")] {
            assert!(row([first, last, "", ""]).is_err(), "{first} {last}");
        }
        for head in [vec!["network"], vec!["start_ip", "a"], vec!["network", "end_ip", "a"]] {
            assert!(Table::plain(&StringRecord::from(head.clone())).is_err(), "{head:?}");
        }
    }
}
