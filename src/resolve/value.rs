//! One data record as it stands in an MMDB file, read leniently: what a field may be used as is
//! asked of the value, not of the file.
//!
//! Files write the same field as f32, f64, u16, u32, text or a bool-like text. A strict reader loses
//! a whole record to one such field; here the wrong type costs that field.

use serde_json::Value as Json;

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
    /// A value of a reply, which is read like one of a file.
    pub(crate) fn of_json(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Other,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Integer(number),
                None => number.as_f64().map_or(Self::Other, Self::Number),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(elements) => Self::List(elements.iter().map(Self::of_json).collect()),
            Json::Object(members) => Self::Map(
                members.iter().map(|(key, value)| (key.as_str(), Self::of_json(value))).collect(),
            ),
        }
    }

    /// The member `key`, when this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Self::Map(members) => {
                members.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
            }
            _ => None,
        }
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
                Some(names) => names.name(),
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

/// The place of a language in the order of preference.
pub(super) fn rank(language: &str) -> usize {
    LANGUAGES.iter().position(|known| *known == language).unwrap_or(LANGUAGES.len())
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
