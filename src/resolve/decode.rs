//! How a data record is read into a [`Value`]: any type is taken, and what a file claims of its own
//! size and depth is not believed.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::value::{Value, rank};

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any { levels: MOST_LEVELS }.deserialize(deserializer)
    }
}

/// Maps and lists further down are passed over. Records are five levels deep, the format allows
/// 512, and a level costs a piece of the stack that a file must not decide about.
const MOST_LEVELS: u8 = 12;

/// Reads any value, down to so many levels.
struct Any {
    levels: u8,
}

impl Any {
    fn below(&self) -> Self {
        Self { levels: self.levels - 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.levels == 0 {
            return IgnoredAny::deserialize(deserializer).map(|_| Value::Other);
        }
        deserializer.deserialize_any(self)
    }
}

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
        let mut elements = Vec::with_capacity(room(list.size_hint()));
        while let Some(element) = list.next_element_seed(self.below())? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(room(map.size_hint()));
        while let Some(key) = map.next_key::<&'de str>()? {
            let value = match key {
                "names" => map.next_value_seed(Names)?,
                // Whole places, with their names, which are not where the address is.
                "registered_country" | "represented_country" => {
                    map.next_value::<IgnoredAny>()?;
                    Value::Other
                }
                _ => map.next_value_seed(self.below())?,
            };
            members.push((key, value));
        }
        Ok(Value::Map(members))
    }
}

/// Room for what a record of any layout has; for what a file claims beyond that, when it comes.
fn room(claimed: Option<usize>) -> usize {
    claimed.unwrap_or(0).min(32)
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
            } else if let Some(name) = map.next_value_seed(Any { levels: 1 })?.text() {
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
