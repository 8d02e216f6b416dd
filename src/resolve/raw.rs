//! A record as it stands in a file, whatever is read of it: also what JSON has no word for. Bytes become
//! hexadecimal digits behind `0x`, and whole numbers beyond 64 bits the text of their digits.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess};
use serde_json::{Map, Value as Json};

/// See the head of the file.
pub(super) struct Raw(pub(super) Json);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor).map(Self)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of an MMDB file")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_u128<E>(self, number: u128) -> Result<Json, E> {
        Ok(u64::try_from(number).map_or_else(|_| number.to_string().into(), Json::from))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        // JSON has no word for what is no number.
        let shown = serde_json::Number::from_f64(number).map(Json::Number);
        Ok(shown.unwrap_or_else(|| number.to_string().into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Json, E> {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Ok(["0x".to_owned()].into_iter().chain(digits).collect::<String>().into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(Raw(value)) = list.next_element()? {
            all.push(value);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut all = Map::new();
        while let Some((name, Raw(value))) = map.next_entry::<String, Raw>()? {
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use mmdb_writer::{Value, Writer};
    use serde_json::json;

    use crate::resolve::Database;

    #[test]
    fn a_record_is_shown_with_what_json_has_no_word_for() {
        let record = Value::map([
            ("country", Value::map([("iso_code", Value::from("LV"))])),
            ("key", Value::Bytes(vec![0, 0xab, 0xff])),
            ("large", Value::U128(u128::MAX)),
            ("small", Value::U128(7)),
        ]);
        let mut writer = Writer::builder("GeoLite2-City").build();
        let first: IpAddr = [1, 0, 0, 0].into();
        writer.insert_range(first, [1, 0, 0, 255].into(), &record).unwrap();
        let file = Database::new("city", writer.to_bytes().unwrap()).unwrap();
        let expected = json!({
            "country": {"iso_code": "LV"}, "key": "0x00abff",
            "large": "340282366920938463463374607431768211455", "small": 7
        });
        assert_eq!(file.raw([1, 0, 0, 1].into()), Some(expected));
    }
}
