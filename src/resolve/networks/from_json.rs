//! Networks in JSON: a list of objects, or one behind the other, each with `network` (or a range's
//! first and last address); or one object whose members are named by networks. Fields are named as
//! `want` does, whole (`"company.name"`) or group by group (`"company": {"name": …}`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::NetworksError;
use super::rows::Rows;
use crate::record::FactGroup;
use crate::resolve::table::{FIRST, LAST, NETWORK, cell, column_error, is_of_kind, networks_of};
use crate::resolve::wants::field_by_name;

/// Reads all rows.
pub(super) fn rows(text: &[u8]) -> Result<Rows, NetworksError> {
    let values = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    let values = values.collect::<Result<Vec<_>, _>>().map_err(NetworksError::Json)?;
    let mut rows = Rows::default();
    let lines = Lines { text, last: Cell::new((0, 1)) };
    let put = |rows: &mut Rows, place: &RawValue, named: Option<&str>| {
        let line = lines.of(place);
        if let Err(error) = row(rows, line, place, named) {
            rows.refuse(error);
        }
    };
    match values.as_slice() {
        [list] if list.get().starts_with('[') => {
            let list: Vec<&RawValue> = parsed(list, lines.of(list))?;
            for place in list {
                put(&mut rows, place, None);
            }
        }
        [object] if object.get().starts_with('{') => {
            let Members(members) = parsed(object, lines.of(object))?;
            if members.iter().any(|(name, _)| [NETWORK, FIRST[0]].contains(&name.as_str())) {
                put(&mut rows, object, None);
            } else {
                for (name, place) in members {
                    put(&mut rows, place, Some(&name));
                }
            }
        }
        values => {
            for place in values {
                put(&mut rows, place, None);
            }
        }
    }
    rows.whole()
}

/// The text, in which a value's place is its line.
struct Lines<'t> {
    text: &'t [u8],
    /// A place, and its line: the next one is counted from there.
    last: Cell<(usize, u64)>,
}

impl Lines<'_> {
    fn of(&self, value: &RawValue) -> u64 {
        let at = value.get().as_ptr().addr() - self.text.as_ptr().addr();
        let (from, line) = Some(self.last.get()).filter(|(last, _)| *last <= at).unwrap_or((0, 1));
        let between = self.text.get(from..at).unwrap_or_default();
        let line = line + memchr::memchr_iter(b'\n', between).count() as u64;
        self.last.set((at, line));
        line
    }
}

/// The members of an object as they stand in it, also those that stand there twice.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'t> de::Visitor<'t> for Visitor {
            type Value = Members<'t>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'t>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// What was sound as a part of the whole is sound alone; only its shape may be another one.
fn parsed<'t, T: Deserialize<'t>>(value: &'t RawValue, line: u64) -> Result<T, NetworksError> {
    serde_json::from_str(value.get()).map_err(|_| NetworksError::Shape { line })
}

fn row(
    rows: &mut Rows,
    line: u64,
    place: &RawValue,
    named: Option<&str>,
) -> Result<(), NetworksError> {
    let members: Members<'_> = parsed(place, line)?;
    let refused = |what: String| NetworksError::Row { line, what };
    let (mut record, mut ends) = (Map::new(), BTreeMap::new());
    ends.extend(named.map(|network| (NETWORK, network.to_owned())));
    for (name, value) in members.0 {
        let value: Json = parsed(value, line)?;
        let end = [NETWORK, FIRST[0], LAST[0]].into_iter().find(|end| {
            *end == name
                || FIRST.contains(&name.as_str()) && *end == FIRST[0]
                || LAST.contains(&name.as_str()) && *end == LAST[0]
        });
        match (end, FactGroup::by_name(&name), value) {
            (Some(end), _, value) => {
                let text = value.as_str().map(str::to_owned).ok_or_else(|| {
                    refused(format!("{name}: {value} is no text such as \"10.1.0.0/16\""))
                })?;
                if ends.insert(end, text).is_some() {
                    return Err(refused(format!("{name} stands there twice")));
                }
            }
            (None, Some(group), Json::Object(fields)) => {
                for (field, value) in fields {
                    put(&mut record, &format!("{group}.{field}"), value).map_err(refused)?;
                }
            }
            (None, _, value) => put(&mut record, &name, value).map_err(refused)?,
        }
    }
    let end = |name: &str| ends.get(name).map(String::as_str);
    let networks = networks_of(end(NETWORK), end(FIRST[0]), end(LAST[0])).map_err(refused)?;
    rows.cover(record.keys().filter_map(|group| FactGroup::by_name(group)).collect());
    rows.add(line, networks, &Json::Object(record));
    Ok(())
}

/// Puts a field where records of one's own have it. What is null says nothing.
fn put(record: &mut Map<String, Json>, name: &str, value: Json) -> Result<(), String> {
    let Some((group, field)) = field_by_name(name) else {
        return Err(column_error(name));
    };
    let value = match value {
        Json::Null => return Ok(()),
        value if is_of_kind(group, field, &value) => value,
        Json::String(text) => cell(group, field, &text)
            .ok_or_else(|| format!("{name}: {text:?} is not of the field's kind"))?,
        value => return Err(format!("{name}: {value} is not of the field's kind")),
    };
    let fields = record.entry(group.name()).or_insert_with(|| json!({}));
    if fields.get(field).is_some() {
        return Err(format!("{name} stands there twice"));
    }
    fields[field] = value;
    Ok(())
}
