//! Records of any layout, read as the configuration says: which of their members is which field.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::record::{DidYouMean, Enrichment, GroupSet};
use crate::resolve::filled;
use crate::resolve::value::Value;

/// What the members of a record mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping(Arc<[Member]>);

/// A member of a record, and the field that it is.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    /// Names of members, joined by dots: `location.lat`.
    path: String,
    field: &'static str,
}

/// How a member was met in the records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Where it is looked for.
    pub path: String,
    /// The field that it is.
    pub field: &'static str,
    /// So many records have it.
    pub found: u64,
    /// In so many of these it is of the field's kind.
    pub read: u64,
}

impl Mapping {
    /// Understands `mapping`: paths in a record, and fields by their names in `want`. All that is
    /// wrong is said.
    pub fn new(config: &BTreeMap<String, String>) -> Result<Self, Vec<MappingError>> {
        let (mut members, mut errors) = (Vec::new(), Vec::new());
        let mut paths: BTreeMap<&str, &str> = BTreeMap::new();
        for (path, field) in config {
            let path = path.as_str();
            let error = |why| MappingError { path: path.to_owned(), why };
            match filled::known(field) {
                _ if path.split('.').any(str::is_empty) => errors.push(error(Why::NoPath)),
                Err(nearest) => {
                    errors.push(error(Why::NoField { name: field.clone(), nearest }));
                }
                Ok(field) => match paths.insert(field, path) {
                    Some(first) => {
                        errors.push(error(Why::Twice { field, first: first.to_owned() }));
                    }
                    None => members.push(Member { path: path.to_owned(), field }),
                },
            }
        }
        let has = |name: &str| config.values().any(|field| field == name);
        if let Some(missing) = filled::missing_coordinate(has)
            && let Some((path, _)) = config.iter().find(|(_, f)| f.starts_with("geo.location."))
        {
            errors.push(MappingError { path: path.clone(), why: Why::HalfAPlace { missing } });
        }
        if errors.is_empty() { Ok(Self(members.into())) } else { Err(errors) }
    }

    /// The groups of which it names fields.
    pub(crate) fn covers(&self) -> GroupSet {
        filled::groups(self.0.iter().map(|member| member.field))
    }

    /// The facts of a record, of which nothing was left out when it was decoded.
    pub(super) fn read(&self, record: &Value<'_>) -> Enrichment {
        let values: Vec<_> = self
            .0
            .iter()
            .filter_map(|member| Some((member.field, at(record, &member.path)?.clone())))
            .collect();
        filled::facts(&values)
    }

    /// Before a record is counted.
    pub(crate) fn uncounted(&self) -> Vec<Mapped> {
        let members = self.0.iter();
        let mapped = |Member { path, field }: &Member| Mapped {
            path: path.clone(),
            field,
            found: 0,
            read: 0,
        };
        members.map(mapped).collect()
    }
}

impl Mapped {
    /// Counts a record.
    pub(crate) fn count(&mut self, record: &Value<'_>) {
        let Some(value) = at(record, &self.path) else { return };
        self.found += 1;
        self.read += u64::from(filled::is_read(self.field, value));
    }
}

/// The member at a path. In a list a number counts from its beginning, a negative one from its end.
fn at<'v, 'a>(record: &'v Value<'a>, path: &str) -> Option<&'v Value<'a>> {
    // A name with a dot in it is met before a way by that name.
    if let Some(member) = record.get(path) {
        return Some(member);
    }
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let member = match record {
        Value::List(elements) => {
            let number: isize = step.parse().ok()?;
            let from_end = || elements.len().checked_sub(number.unsigned_abs());
            elements.get(if number < 0 { from_end()? } else { number.unsigned_abs() })?
        }
        record => record.get(step)?,
    };
    match rest {
        Some(rest) => at(member, rest),
        None => Some(member),
    }
}

/// A line of a mapping that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct MappingError {
    /// The path in a record.
    pub path: String,
    /// What is wrong, and the remedy.
    pub why: Why,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The path has a step without a name.
    #[error("this is no path; write names of members joined by dots, such as location.lat")]
    NoPath,
    /// It leads to no field.
    #[error(
        "{name:?} is no field{}",
        DidYouMean(nearest.as_deref())
    )]
    NoField {
        /// What stands there.
        name: String,
        /// The nearest name that is one.
        nearest: Option<String>,
    },
    /// Another path leads to the field.
    #[error("{field} is taken from {first:?} already; one member speaks for a field")]
    Twice {
        /// The field.
        field: &'static str,
        /// The other path.
        first: String,
    },
    /// One coordinate is no place.
    #[error("{missing} is not there; both coordinates or neither")]
    HalfAPlace {
        /// The other coordinate.
        missing: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::FactGroup;
    use crate::resolve::fixtures::{address, bytes};
    use crate::resolve::{Database, DatabaseError};

    fn mapping(pairs: &[(&str, &str)]) -> Result<Mapping, Vec<MappingError>> {
        let pairs = pairs.iter().map(|(path, field)| ((*path).to_owned(), (*field).to_owned()));
        Mapping::new(&pairs.collect())
    }

    fn file(pairs: &[(&str, &str)], record: &serde_json::Value) -> Result<Database, DatabaseError> {
        let bytes = bytes("Towns of ours", &[("1.0.0.0/24", record)]);
        Database::mapped("own", bytes, Some(mapping(pairs).unwrap()))
    }

    #[test]
    fn a_record_of_any_layout_is_read_as_the_mapping_says() {
        let record = json!({
            "cc": "lv", "where": {"town": {"names": {"en": "Riga", "lv": "Rīga"}}, "state": "RIX",
            "at": ["56.95", 24.11]}, "org.asn": "AS64500", "flags": [{"v": 0}, {"v": 1}],
            "registered_country": {"iso_code": "EE"}, "names": {"lv": "Tīkls"}
        });
        let file = file(
            &[
                ("cc", "geo.country_iso_code"),
                ("where.town", "geo.city_name"),
                ("where.state", "geo.region_iso_code"),
                ("where.at.0", "geo.location.lat"),
                ("where.at.-1", "geo.location.lon"),
                ("org.asn", "as.number"),
                ("flags.-1.v", "privacy.vpn"),
                ("registered_country.iso_code", "network.registered_country_iso_code"),
                ("names.lv", "company.name"),
            ],
            &record,
        )
        .unwrap();
        let facts = file.facts(address("1.0.0.1").ip()).unwrap();
        let geo = facts.geo.unwrap();
        assert_eq!(geo.country_iso_code.as_deref(), Some("LV"));
        assert_eq!(geo.city_name.as_deref(), Some("Riga"));
        assert_eq!(geo.region_iso_code.as_deref(), Some("LV-RIX"));
        assert_eq!(geo.location, Some((56.95, 24.11)));
        assert_eq!(facts.autonomous_system.unwrap().number, Some(64500));
        assert_eq!(facts.privacy.unwrap().vpn, Some(true));
        let registered = facts.network.unwrap().registered_country_iso_code;
        assert_eq!(registered.as_deref(), Some("EE"));
        assert_eq!(facts.company.unwrap().name.as_deref(), Some("Tīkls"));
        assert!(file.covers().contains(FactGroup::Privacy));
        assert!(!file.covers().contains(FactGroup::Carrier));
    }

    #[test]
    fn the_mapping_alone_decides_also_for_a_type_that_is_known() {
        let record = json!({"country": {"iso_code": "LV"}, "city": {"names": {"en": "Riga"}}});
        let bytes = bytes("GeoLite2-City", &[("1.0.0.0/24", record)]);
        let mapping = mapping(&[("city.names.en", "company.name")]).unwrap();
        let file = Database::mapped("own", bytes, Some(mapping)).unwrap();
        let facts = file.facts(address("1.0.0.1").ip()).unwrap();
        assert_eq!(facts.geo, None);
        assert_eq!(facts.company.unwrap().name.as_deref(), Some("Riga"));
    }

    #[test]
    fn it_is_counted_how_many_records_have_a_path_and_in_how_many_it_is_read() {
        let records = [
            ("1.0.0.0/24", json!({"cc": "LV", "score": "high"})),
            ("1.0.1.0/24", json!({"cc": "Latvia", "score": 7})),
        ];
        let bytes = bytes("Towns of ours", &records);
        let pairs =
            [("cc", "geo.country_iso_code"), ("score", "threat.score"), ("no.such", "as.number")];
        let file = Database::mapped("own", bytes, Some(mapping(&pairs).unwrap())).unwrap();
        let counted = file.survey().unwrap().mapped.into_iter();
        let counted: Vec<_> = counted.map(|line| (line.path, line.found, line.read)).collect();
        let expected = [("cc", 2, 1), ("no.such", 0, 0), ("score", 2, 1)];
        assert_eq!(counted, expected.map(|(path, found, read)| (path.to_owned(), found, read)));
    }

    #[test]
    fn a_mapping_by_which_nothing_is_read_refuses_the_file_and_names_what_is_in_it() {
        let record = json!({"word": "hello", "where": {"cc": "LV"}});
        let error = file(&[("word", "as.number")], &record).unwrap().verify(|| {}).unwrap_err();
        assert_eq!(error.reason(), "no_facts");
        let unread = Database::new("own", bytes("Words", &[("1.0.0.0/24", record)])).unwrap_err();
        for error in [error, unread] {
            let text = error.to_string();
            assert!(text.contains("where.cc, word") && text.contains("`mapping`"), "{text}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_mapping_is_said() {
        let wrong = [
            ("a..b", "geo.city_name"),
            ("c", "geo.contry_iso_code"),
            ("d", "as.number"),
            ("e", "as.number"),
            ("f", "geo.location.lat"),
        ];
        let errors = mapping(&wrong).unwrap_err();
        let text: Vec<String> =
            errors.iter().map(|error| format!("{}: {error}", error.path)).collect();
        assert!(text[0].starts_with("a..b: this is no path"), "{text:?}");
        assert!(text[1].ends_with("did you mean `geo.country_iso_code`?"), "{text:?}");
        assert!(text[2].starts_with("e: as.number is taken from \"d\""), "{text:?}");
        assert!(text[3].starts_with("f: geo.location.lon is not there"), "{text:?}");
        assert_eq!(text.len(), 4);
    }
}
