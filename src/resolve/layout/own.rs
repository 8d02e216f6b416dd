//! Records that ipstamp writes itself: each fact group under its name, and in it the fields as
//! [`Enrichment`] has them. A wrong group costs itself.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value as Json};

use super::ALL;
use crate::record::{Enrichment, FactGroup};
use crate::resolve::value::Value;

/// How the type of a database of such records begins.
pub(crate) const TYPE: &str = "ipstamp";

pub(super) fn read(record: &Value<'_>) -> Enrichment {
    let mut facts = Enrichment::default();
    for group in ALL.iter() {
        if let Some(fields) = record.get(group.name()) {
            put(&mut facts, group, json(fields));
        }
    }
    facts
}

/// The facts of one group; nothing when one of its fields is of the wrong kind.
pub(crate) fn put(facts: &mut Enrichment, group: FactGroup, fields: Json) {
    match group {
        FactGroup::Geo => facts.geo = typed(fields),
        FactGroup::As => facts.autonomous_system = typed(fields),
        FactGroup::Network => facts.network = typed(fields),
        FactGroup::Company => facts.company = typed(fields),
        FactGroup::Privacy => facts.privacy = typed(fields),
        FactGroup::Threat => facts.threat = typed(fields),
        FactGroup::Crawler => facts.crawler = typed(fields),
        FactGroup::Abuse => facts.abuse = typed(fields),
        FactGroup::Carrier => facts.carrier = typed(fields),
        FactGroup::Hostname => facts.hostname = typed(fields),
    }
}

fn typed<T: DeserializeOwned>(fields: Json) -> Option<T> {
    serde_json::from_value(fields).ok()
}

fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Text(text) => Json::String((*text).to_owned()),
        Value::Integer(number) => Json::Number((*number).into()),
        Value::Number(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Map(members) => {
            let members = members.iter().map(|(name, value)| ((*name).to_owned(), json(value)));
            Json::Object(members.collect::<Map<_, _>>())
        }
        Value::List(elements) => Json::Array(elements.iter().map(json).collect()),
        Value::Other => Json::Null,
    }
}
