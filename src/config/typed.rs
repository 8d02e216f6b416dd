//! The tree to typed values: a serde deserialiser whose errors know place and key, name what was
//! expected, and never repeat a value.

use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::error::{Problem, shown_key, shown_unknown_key};
use super::tree::{Kind, Node, Place, Scalar};
use crate::record::DidYouMean;

/// Reads a `T` from the tree.
pub(super) fn read<'de, T: serde::Deserialize<'de>>(root: &'de Node) -> Result<T, Problem> {
    T::deserialize(Reader(root)).map_err(|error| {
        let key = error.key.into_iter().rev().collect();
        Problem { place: error.place.or(Some(root.place)), key, message: error.message }
    })
}

/// The nearest of `known` to a mistyped name, if one is near.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let limit = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The known names as a sentence's end.
pub(super) fn one_of(known: &[&str]) -> String {
    known.join(", ")
}

/// An error on its way up to the root.
#[derive(Debug)]
pub(super) struct ReadError {
    place: Option<Place>,
    /// From the inside outwards.
    key: Vec<String>,
    message: String,
}

impl ReadError {
    fn at(place: Place, message: String) -> Self {
        Self { place: Some(place), key: Vec::new(), message }
    }

    fn inside(mut self, key: &str, place: Place) -> Self {
        self.place.get_or_insert(place);
        self.key.push(shown_key(key));
        self
    }

    /// Of a key that is none here. One that is near to one of ours is shown, as it cannot be a secret.
    fn of_key(mut self, key: &str, place: Place) -> Self {
        self.place.get_or_insert(place);
        let is_near = DidYouMean::is_said_in(&self.message);
        self.key.push(if is_near { shown_key(key) } else { shown_unknown_key(key) });
        self
    }

    /// Of a key that may be left out and stands there without a value: whoever wrote it meant something.
    fn of_nothing(mut self) -> Self {
        let advice = if self.message.starts_with("expected a map") {
            "; write {} for its defaults, or remove the key"
        } else {
            "; write it, or remove the key"
        };
        self.message.push_str(advice);
        self
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    /// Only our own types say something of their own, and they do not repeat values.
    fn custom<T: Display>(message: T) -> Self {
        Self { place: None, key: Vec::new(), message: message.to_string() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {}", in_words(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {}", in_words(expected)))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        match nearest(field, known.iter().copied()) {
            near @ Some(_) => Self::custom(format_args!("unknown key{}", DidYouMean(near))),
            // It may be one of a version to come.
            None => Self::custom(format_args!(
                "unknown key; known here: {} (this is ipstamp {})",
                one_of(known),
                env!("CARGO_PKG_VERSION")
            )),
        }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let known_names = one_of(known);
        let near = DidYouMean(nearest(variant, known.iter().copied()));
        Self::custom(format_args!("expected one of {known_names}{near}"))
    }

    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::custom("is missing");
        error.key.push(field.into());
        error
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key `{field}` stands twice"))
    }
}

/// What libraries call a value, as a person would write it.
fn in_words(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a nonzero u16" | "a nonzero usize" => "a whole number, at least 1".into(),
        "a duration" => "a time such as 500ms, 2s or 1m".into(),
        "parsable string" | "an integer or string" => "a size such as 512 KiB or 8 MiB".into(),
        _ => words,
    }
}

#[derive(Clone, Copy)]
struct Reader<'de>(&'de Node);

impl<'de> Reader<'de> {
    fn expected(self, what: &str) -> ReadError {
        let found = self.0.kind_in_words();
        ReadError::at(self.0.place, format!("expected {what}, found {found}"))
    }

    fn scalar(self, what: &str) -> Result<&'de Scalar, ReadError> {
        match &self.0.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => Ok(scalar),
            _ => Err(self.expected(what)),
        }
    }

    fn number<T: std::str::FromStr>(self, what: &str) -> Result<T, ReadError> {
        let scalar = self.scalar(what)?;
        let number = scalar.plain.then(|| scalar.text.replace('_', "").parse().ok()).flatten();
        number.ok_or_else(|| {
            let quoted = if scalar.plain { "" } else { ", found text in quotes" };
            ReadError::at(self.0.place, format!("expected {what}{quoted}"))
        })
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            let what = format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX);
            visitor.$visit(self.number::<$type>(&what)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let place = self.0.place;
        let read = match &self.0.kind {
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Scalar(scalar) if scalar.is_null() => visitor.visit_unit(),
            Kind::Scalar(scalar) if !scalar.plain => visitor.visit_borrowed_str(&scalar.text),
            Kind::Scalar(scalar) => match scalar.text.as_str() {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                text => {
                    if let Ok(number) = text.parse::<u64>() {
                        visitor.visit_u64(number)
                    } else if let Ok(number) = text.parse::<i64>() {
                        visitor.visit_i64(number)
                    } else {
                        visitor.visit_borrowed_str(text)
                    }
                }
            },
        };
        read.map_err(|mut error: ReadError| {
            error.place.get_or_insert(place);
            error
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let what = "true or false";
        let scalar = self.scalar(what)?;
        match scalar.text.as_str() {
            "true" | "True" | "TRUE" if scalar.plain => visitor.visit_bool(true),
            "false" | "False" | "FALSE" if scalar.plain => visitor.visit_bool(false),
            _ => Err(ReadError::at(self.0.place, format!("expected {what}"))),
        }
    }

    whole_numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_f32(self.number("a number")?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_f64(self.number("a number")?)
    }

    /// A number or a word like `true` is taken as it is written: `group: 0123` keeps its zero.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_borrowed_str(&self.scalar("text")?.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            Kind::Scalar(scalar) if scalar.is_left_out() => {
                visitor.visit_some(self).map_err(ReadError::of_nothing)
            }
            Kind::Scalar(scalar) if scalar.is_null() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            Kind::List(items) => visitor.visit_seq(Items { items, at: 0 }),
            _ => Err(self.expected("a list, such as [a, b]")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            Kind::Map(entries) => visitor.visit_map(Entries { entries, at: 0 }),
            _ => Err(self.expected("a map of keys")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            Kind::Map(_) => self.deserialize_map(visitor),
            _ => Err(self.expected(&format!("a map of keys ({})", one_of(known)))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        // A choice that goes with a value is a map of one key.
        if let Kind::Map(entries) = &self.0.kind
            && let [entry] = entries.as_slice()
        {
            let chosen = Variant { name: &entry.key, value: Some(&entry.value) };
            return visitor
                .visit_enum(chosen)
                .map_err(|error| error.inside(&entry.key, entry.value.place));
        }
        let scalar = self.scalar(&format!("one of {}", one_of(known)))?;
        visitor.visit_enum(Variant { name: &scalar.text, value: None })
    }

    serde::forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct ignored_any
    }
}

struct Items<'de> {
    items: &'de [Node],
    at: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(item) = self.items.get(self.at) else { return Ok(None) };
        let at = self.at.to_string();
        self.at += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|error| error.inside(&at, item.place))
    }
}

struct Entries<'de> {
    entries: &'de [super::tree::Entry],
    at: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.entries.get(self.at) else { return Ok(None) };
        let key: StrDeserializer<'de, ReadError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.of_key(&entry.key, entry.key_place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(entry) = self.entries.get(self.at) else {
            return Err(ReadError::custom("a value without a key"));
        };
        self.at += 1;
        let place = entry.value.place;
        seed.deserialize(Reader(&entry.value)).map_err(|error| error.inside(&entry.key, place))
    }
}

/// One of several choices: its name, and what goes with it.
struct Variant<'de> {
    name: &'de str,
    value: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name: StrDeserializer<'de, ReadError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(ReadError::custom("expected a single word")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        match self.value {
            Some(value) => seed.deserialize(Reader(value)),
            None => Err(ReadError::custom(format_args!(
                "`{0}` goes with a value: write {{{0}: …}}",
                self.name
            ))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::custom("expected a single word"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ReadError> {
        Err(ReadError::custom("expected a single word"))
    }
}
