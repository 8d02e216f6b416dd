//! One data record as it stands in an MMDB file, read leniently: what a field may be used as is
//! asked of the value, not of the file.
//!
//! Files write the same field as f32, f64, u16, u32, text or a bool-like text. A strict reader loses
//! a whole record to one such field; here the wrong type costs that field.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The languages of a `names` map, the preferred one first. Any other comes after these, in the
/// order of the file.
const LANGUAGES: [&str; 8] = ["en", "de", "fr", "es", "pt-BR", "ja", "ru", "zh-CN"];

/// A value that borrows its text from the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// Text, perhaps empty.
    Text(&'a str),
    /// Any of the integers that fits.
    Integer(i64),
    /// Either of the floating point numbers.
    Number(f64),
    /// A bool.
    Bool(bool),
    /// A map in the order of the file. A `names` map in it has become the text of its best
    /// language.
    Map(Vec<(&'a str, Value<'a>)>),
    /// An array.
    List(Vec<Value<'a>>),
    /// Bytes, and integers beyond 64 bits: nothing that a fact is made of.
    Other,
}

impl<'a> Value<'a> {
    /// The member `key`, when this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Self::Map(members) => {
                members.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The keys, when this is a map.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        let members: &[(&'a str, Value<'a>)] = match self {
            Self::Map(members) => members,
            _ => &[],
        };
        members.iter().map(|(name, _)| *name)
    }

    /// The elements, when this is a list.
    pub(crate) fn elements(&self) -> &[Value<'a>] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// Text that is not empty.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A code that some files write as a number: `2000`.
    pub(crate) fn code(&self) -> Option<String> {
        match self {
            Self::Integer(number) if *number >= 0 => Some(number.to_string()),
            _ => self.text().map(str::to_owned),
        }
    }

    /// A name: text, `{names: …}`, or a map of languages.
    pub(crate) fn name(&self) -> Option<&'a str> {
        match self {
            Self::Map(members) => match self.get("names") {
                Some(names) => names.text(),
                None => best_name(members.iter().map(|(language, name)| (*language, name.text()))),
            },
            _ => self.text(),
        }
    }

    /// A bool, `true`/`false`/`1`/`0` as text, or 1 and 0. Empty text is absent: it is not false.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Integer(1) => Some(true),
            Self::Integer(0) => Some(false),
            Self::Text(text) => match text.trim() {
                "1" => Some(true),
                "0" => Some(false),
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A finite number, also from text.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
        .filter(|number| number.is_finite())
    }

    /// A whole number from 0 to 2³²−1, also from text.
    pub(crate) fn whole(&self) -> Option<u32> {
        match self {
            Self::Integer(number) => u32::try_from(*number).ok(),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(number) if number.fract() == 0.0 && (0.0..4.3e9).contains(number) => {
                Some(*number as u32)
            }
            _ => None,
        }
    }

    /// The number of an autonomous system: `13335`, `"13335"` or `"AS13335"`. 0 is the registries'
    /// word for "none".
    pub(crate) fn as_number(&self) -> Option<u32> {
        match self {
            Self::Text(text) => {
                let text = text.trim();
                let digits = match text.get(..2) {
                    Some(prefix) if prefix.eq_ignore_ascii_case("as") => &text[2..],
                    _ => text,
                };
                digits.parse().ok()
            }
            _ => self.whole(),
        }
        .filter(|number| *number != 0)
    }
}

/// The name in the best language, of those that have one.
fn best_name<'a>(names: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Option<&'a str> {
    names
        .filter_map(|(language, name)| Some((rank(language), name?)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name)
}

fn rank(language: &str) -> usize {
    LANGUAGES.iter().position(|known| *known == language).unwrap_or(LANGUAGES.len())
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a data record")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Self::Value, E> {
        // By way of the shortest text, so that 35.7 does not become 35.70000076293945.
        Ok(Value::Number(number.to_string().parse().unwrap_or(f64::from(number))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other, Value::Integer))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other, Value::Integer))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        // No capacity by what the file claims: it grows with what is there.
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<&'de str>()? {
            let value =
                if key == "names" { map.next_value_seed(Names)? } else { map.next_value()? };
            members.push((key, value));
        }
        Ok(Value::Map(members))
    }
}

/// Reads a map of languages and keeps the best name only: names in eight languages are most of a
/// city record, and of all of them one is used.
struct Names;

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names by language")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut best: Option<(usize, &'de str)> = None;
        while let Some(language) = map.next_key::<&'de str>()? {
            let rank = rank(language);
            if best.is_some_and(|(kept, _)| kept <= rank) {
                map.next_value::<IgnoredAny>()?;
            } else if let Some(name) = map.next_value::<Value<'de>>()?.text() {
                best = Some((rank, name));
            }
        }
        Ok(best.map_or(Value::Other, |(_, name)| Value::Text(name)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_as_number_is_read_however_it_is_written() {
        for (value, number) in [
            (Value::Integer(13335), Some(13335)),
            (Value::Text("13335"), Some(13335)),
            (Value::Text("AS13335"), Some(13335)),
            (Value::Text("as4200000000"), Some(4_200_000_000)),
            (Value::Text("AS4294967296"), None),
            (Value::Text("ASN"), None),
            (Value::Text("é1"), None),
            (Value::Text(""), None),
            (Value::Integer(0), None),
            (Value::Integer(-1), None),
            (Value::Bool(true), None),
        ] {
            assert_eq!(value.as_number(), number, "{value:?}");
        }
    }

    #[test]
    fn a_flag_is_never_made_from_what_is_absent() {
        for (value, flag) in [
            (Value::Bool(false), Some(false)),
            (Value::Text("true"), Some(true)),
            (Value::Text("TRUE"), Some(true)),
            (Value::Text("1"), Some(true)),
            (Value::Text("0"), Some(false)),
            (Value::Integer(1), Some(true)),
            (Value::Integer(2), None),
            (Value::Text(""), None),
            (Value::Text("yes"), None),
            (Value::Other, None),
        ] {
            assert_eq!(value.flag(), flag, "{value:?}");
        }
    }

    #[test]
    fn a_number_is_finite_or_absent() {
        for (value, number) in [
            (Value::Text("-33.86785"), Some(-33.86785)),
            (Value::Text("NaN"), None),
            (Value::Text("inf"), None),
            (Value::Number(f64::INFINITY), None),
            (Value::Integer(5), Some(5.0)),
        ] {
            assert_eq!(value.number(), number, "{value:?}");
        }
    }

    #[test]
    fn a_name_is_english_or_the_first_of_a_fixed_order() {
        let names = |names: &[(&'static str, &'static str)]| {
            Value::Map(names.iter().map(|(l, n)| (*l, Value::Text(n))).collect()).name()
        };
        assert_eq!(names(&[("de", "Wien"), ("en", "Vienna")]), Some("Vienna"));
        assert_eq!(names(&[("ru", "Вена"), ("de", "Wien")]), Some("Wien"));
        assert_eq!(names(&[("xx", "Bécs"), ("en", "")]), Some("Bécs"));
        assert_eq!(names(&[]), None);
    }
}
