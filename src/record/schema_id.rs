//! How a value says by which schema it is written: the wire format that schema registries and their
//! clients share.
//!
//! The id stands in the header `__value_schema_id` or, as is older, before the value. Whoever reads
//! looks at the header first.

use std::fmt;

/// The header of a record whose value has its id there.
pub const VALUE_SCHEMA_HEADER: &std::ffi::CStr = c"__value_schema_id";

const BY_NUMBER: u8 = 0;
const BY_GUID: u8 = 1;

/// Which schema of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaId {
    /// By its number in one registry.
    Number(u32),
    /// By a number that it has everywhere.
    Guid([u8; 16]),
}

/// Where a value's id stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IdPlace {
    /// Before the value.
    #[default]
    Prefix,
    /// In the header.
    Header,
}

/// A value and its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed {
    /// The schema.
    pub id: SchemaId,
    /// Where that stood.
    pub place: IdPlace,
    /// Where the value itself begins.
    pub body: usize,
}

impl SchemaId {
    /// The longest form in bytes.
    pub const MOST_BYTES: usize = 17;

    /// The id at the start of `bytes`, and how long it is.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        match bytes.split_first()? {
            (&BY_NUMBER, rest) => Some((Self::Number(u32::from_be_bytes(*rest.first_chunk()?)), 5)),
            (&BY_GUID, rest) => Some((Self::Guid(*rest.first_chunk()?), Self::MOST_BYTES)),
            _ => None,
        }
    }

    /// The id as it is sent.
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Number(number) => [&[BY_NUMBER][..], &number.to_be_bytes()].concat(),
            Self::Guid(guid) => [&[BY_GUID][..], &guid].concat(),
        }
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Guid(guid) => uuid::Uuid::from_bytes(*guid).fmt(f),
        }
    }
}

impl Framed {
    /// What a value and its header say; none where neither says anything. `header` is the last of its
    /// name.
    #[inline]
    pub fn read(header: Option<&[u8]>, value: &[u8]) -> Option<Self> {
        if let Some(header) = header
            && let Some((id, len)) = SchemaId::read(header)
            && len == header.len()
        {
            return Some(Self { id, place: IdPlace::Header, body: 0 });
        }
        let (id, body) = SchemaId::read(value)?;
        Some(Self { id, place: IdPlace::Prefix, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_the_header_first_and_from_before_the_value_otherwise() {
        let number = SchemaId::Number(0x0102_0304);
        let guid = SchemaId::Guid([7; 16]);
        for id in [number, guid] {
            let bytes = id.to_bytes();
            let value = [&bytes[..], b"value"].concat();
            let prefixed = Framed { id, place: IdPlace::Prefix, body: bytes.len() };
            assert_eq!(Framed::read(None, &value), Some(prefixed));
            let header = Framed { id, place: IdPlace::Header, body: 0 };
            assert_eq!(Framed::read(Some(&bytes), b"\0\0\0\0\x09value"), Some(header));
            // What is no id there says nothing.
            assert_eq!(Framed::read(Some(b"\0\0"), &value), Some(prefixed));
        }
        assert_eq!(number.to_bytes(), [0, 1, 2, 3, 4]);
        assert_eq!(guid.to_string(), "07070707-0707-0707-0707-070707070707");
        for none in [&b""[..], b"{}", b"\0\0\0\0", b"\x01short"] {
            assert_eq!(Framed::read(None, none), None);
        }
    }
}
