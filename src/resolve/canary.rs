//! Canaries: addresses of which something is known for certain, so that a file which is sound and
//! nevertheless wrong is noticed before it is used.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::database::Database;
use super::database_error::DatabaseError;
use super::fields::known_of;
use super::wants::field_by_name;

/// What a field of a canary should be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Expected {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Text, and what else can be written as text: `1.5`.
    Text(String),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Whether `want` may name this as a field.
pub fn is_field(name: &str) -> bool {
    field_by_name(name).is_some()
}

impl Database {
    /// Whether the file says of each of these addresses what it should.
    pub fn agrees(
        &self,
        canaries: &BTreeMap<IpAddr, BTreeMap<String, Expected>>,
    ) -> Result<(), DatabaseError> {
        for (address, fields) in canaries {
            let facts = self.facts(*address).unwrap_or_default();
            for (field, expected) in fields {
                let known = field_by_name(field)
                    .and_then(|(group, name)| known_of(group, &facts).remove(name));
                let found = match known {
                    None => "not known".to_owned(),
                    Some(Json::String(text)) => text,
                    Some(other) => other.to_string(),
                };
                if found != expected.to_string() {
                    return Err(DatabaseError::Canary {
                        name: Arc::clone(self.name()),
                        address: *address,
                        field: field.clone(),
                        expected: expected.to_string(),
                        found,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::database;
    use super::*;

    #[test]
    fn a_canary_holds_by_the_value_whatever_its_kind() {
        let record = json!({
            "country": {"iso_code": "NO", "is_in_european_union": false},
            "location": {"latitude": 59.5, "longitude": 10.25, "accuracy_radius": 20}
        });
        let file = database("city", "GeoLite2-City", &[("1.0.0.0/24", record)]);
        let agrees = |address: &str, field: &str, expected: Expected| {
            let fields = BTreeMap::from([(field.to_owned(), expected)]);
            file.agrees(&BTreeMap::from([(address.parse().unwrap(), fields)]))
        };
        let text = |text: &str| Expected::Text(text.into());
        agrees("1.0.0.1", "geo.country_iso_code", text("NO")).unwrap();
        agrees("1.0.0.1", "geo.accuracy_radius_km", Expected::Number(20)).unwrap();
        for (address, field, expected, found) in [
            (
                "1.0.0.1",
                "geo.country_iso_code",
                text("SE"),
                "geo.country_iso_code is NO, expected SE",
            ),
            ("1.0.1.1", "geo.country_iso_code", text("NO"), "is not known, expected NO"),
            ("1.0.0.1", "as.number", Expected::Number(1), "as.number is not known"),
        ] {
            let error = agrees(address, field, expected).unwrap_err();
            assert!(error.to_string().contains(found), "{error}");
            assert!(error.to_string().contains(address), "it is of the configuration: {error}");
        }
    }
}
