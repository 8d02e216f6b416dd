//! The data section of a database file that is being made: each record is in it once, and each text
//! of some length.

use std::collections::HashMap;

use openssl::sha::sha256;
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

/// A shorter text takes no more room than a pointer to it.
const WORTH_A_POINTER: usize = 4;
/// What is written as a size has at most so many bits.
const MOST_SIZE: usize = 65_821 + (1 << 24);

/// The kinds of values, as the format numbers them.
mod kind {
    pub(super) const TEXT: u8 = 2;
    pub(super) const DOUBLE: u8 = 3;
    pub(super) const U16: u8 = 5;
    pub(super) const U32: u8 = 6;
    pub(super) const MAP: u8 = 7;
    pub(super) const I32: u8 = 8;
    pub(super) const U64: u8 = 9;
    pub(super) const LIST: u8 = 11;
    pub(super) const BOOL: u8 = 14;
}

/// Something is larger than the format can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("larger than the MMDB format can say; make it smaller")]
pub(super) struct TooLarge;

/// The records, by their numbers.
#[derive(Default)]
pub(super) struct Section {
    bytes: Vec<u8>,
    /// Where each record begins.
    offsets: Vec<u32>,
    /// The number of each record, by half of the hash of what it says.
    numbers: FxHashMap<u128, u32>,
    /// Where each text begins.
    texts: HashMap<Box<str>, u32>,
}

impl Section {
    /// The number of a record. One that says the same has the same number.
    pub(super) fn number(&mut self, record: &Json) -> Result<u32, TooLarge> {
        let hash = sha256(record.to_string().as_bytes());
        let hash = hash.first_chunk().copied().map_or(0, u128::from_be_bytes);
        if let Some(number) = self.numbers.get(&hash) {
            return Ok(*number);
        }
        let offset = self.here()?;
        self.put(record)?;
        let number = u32::try_from(self.offsets.len()).map_err(|_| TooLarge)?;
        self.offsets.push(offset);
        self.numbers.insert(hash, number);
        Ok(number)
    }

    /// Where the record of this number begins.
    pub(super) fn offset(&self, number: u32) -> Option<u32> {
        self.offsets.get(number as usize).copied()
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn here(&self) -> Result<u32, TooLarge> {
        u32::try_from(self.bytes.len()).map_err(|_| TooLarge)
    }

    /// Writes a value behind all others.
    pub(super) fn put(&mut self, value: &Json) -> Result<(), TooLarge> {
        match value {
            Json::Null => self.text(""),
            Json::Bool(flag) => self.head(kind::BOOL, usize::from(*flag)),
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => match u32::try_from(number) {
                    Ok(number) => self.unsigned(kind::U32, number.into()),
                    Err(_) => self.unsigned(kind::U64, number),
                },
                // The format has no larger negative numbers than these.
                (None, Some(number)) => match i32::try_from(number) {
                    Ok(number) => self.sized(kind::I32, &number.to_be_bytes()),
                    Err(_) => self.double(number as f64),
                },
                (None, None) => self.double(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => self.text(text),
            Json::Array(elements) => {
                self.head(kind::LIST, elements.len())?;
                elements.iter().try_for_each(|element| self.put(element))
            }
            Json::Object(members) => {
                self.head(kind::MAP, members.len())?;
                members.iter().try_for_each(|(name, member)| {
                    self.text(name)?;
                    self.put(member)
                })
            }
        }
    }

    /// Writes a number of two bytes, which only metadata have.
    pub(super) fn put_short(&mut self, number: u16) -> Result<(), TooLarge> {
        self.unsigned(kind::U16, number.into())
    }

    /// Writes the beginning of a map of so many members.
    pub(super) fn begin_map(&mut self, members: usize) -> Result<(), TooLarge> {
        self.head(kind::MAP, members)
    }

    /// Writes a number of eight bytes, however small it is.
    pub(super) fn put_long(&mut self, number: u64) -> Result<(), TooLarge> {
        self.unsigned(kind::U64, number)
    }

    fn text(&mut self, text: &str) -> Result<(), TooLarge> {
        if let Some(offset) = self.texts.get(text) {
            pointer(&mut self.bytes, *offset);
            return Ok(());
        }
        if text.len() >= WORTH_A_POINTER {
            let here = self.here()?;
            self.texts.insert(text.into(), here);
        }
        self.sized(kind::TEXT, text.as_bytes())
    }

    fn double(&mut self, number: f64) -> Result<(), TooLarge> {
        self.sized(kind::DOUBLE, &number.to_be_bytes())
    }

    /// Leading zeros are left out.
    fn unsigned(&mut self, kind: u8, number: u64) -> Result<(), TooLarge> {
        let bytes = number.to_be_bytes();
        self.sized(kind, &bytes[number.leading_zeros() as usize / 8..])
    }

    fn sized(&mut self, kind: u8, bytes: &[u8]) -> Result<(), TooLarge> {
        self.head(kind, bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// What stands before each value: its kind and its size.
    fn head(&mut self, kind: u8, size: usize) -> Result<(), TooLarge> {
        let (low, more, behind) = match size {
            0..29 => (size, 0, 0),
            29..285 => (29, size - 29, 1),
            285..65_821 => (30, size - 285, 2),
            65_821..MOST_SIZE => (31, size - 65_821, 3),
            _ => return Err(TooLarge),
        };
        if kind <= kind::MAP {
            self.bytes.push(kind << 5 | low as u8);
        } else {
            self.bytes.extend([low as u8, kind - 7]);
        }
        let more = (more as u32).to_be_bytes();
        self.bytes.extend_from_slice(&more[4 - behind..]);
        Ok(())
    }
}

fn pointer(out: &mut Vec<u8>, to: u32) {
    let ((size, rest), bytes) = match to {
        0..2048 => ((0, to), 1),
        2048..526_336 => ((1, to - 2048), 2),
        526_336..134_744_064 => ((2, to - 526_336), 3),
        _ => ((3, to), 4),
    };
    let rest = rest.to_be_bytes();
    // Of the longest ones all is behind the head.
    let high = if bytes == 4 { 0 } else { rest[3 - bytes] };
    out.push(1 << 5 | size << 3 | high);
    out.extend_from_slice(&rest[4 - bytes..]);
}
