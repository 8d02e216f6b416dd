//! Reads a data record where it stands in its file into a [`Value`]: any type is taken, and what a
//! file claims of its own size and depth is not believed.
//!
//! The library decodes only at the end of a walk through the tree, and that walk waits for main
//! memory at every step; the way to the record is known here already. It also visits every name in
//! every language. Measured on a city file, a record is read in a third of the time.

use super::value::{Value, rank};

/// Maps and lists further down are passed over. Records are five levels deep, the format allows
/// 512, and a level costs a piece of the stack that a file must not decide about.
pub(super) const MOST_LEVELS: u8 = 12;
/// More values than this has no record: a file whose pointers lead in circles would have no end.
const MOST_VALUES: u32 = 4096;
/// Nothing is where the library's metadata says that it should be.
const SEPARATOR_BYTES: usize = 16;

/// The record, or a part of it, is not what the format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BrokenRecord;

/// Where the records of a file begin: behind the tree and a gap.
pub(super) fn data_start(node_count: u32, record_bits: u16) -> usize {
    node_count as usize * usize::from(record_bits) / 4 + SEPARATOR_BYTES
}

/// How much of a record is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What known layouts need: of names in many languages the best one, and no place but that of
    /// the address.
    Needed,
    /// All of it.
    Whole,
}

/// The record at `offset` of the data section.
pub(super) fn record(
    section: &[u8],
    offset: u32,
    extent: Extent,
) -> Result<Value<'_>, BrokenRecord> {
    Cursor { extent, ..Cursor::new(section, offset) }.value(MOST_LEVELS)
}

/// What stands before each value: its type and its size.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Of a pointer, where it points to.
    pub(super) size: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pointer,
    Text,
    Double,
    Unsigned,
    Signed,
    Map,
    List,
    Bool,
    Float,
    /// Bytes, and integers of 128 bits.
    Opaque,
}

/// A place in the data section.
pub(super) struct Cursor<'a> {
    section: &'a [u8],
    at: usize,
    /// Read so far.
    values: u32,
    extent: Extent,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a record.
    pub(super) fn new(section: &'a [u8], offset: u32) -> Self {
        Self { section, at: offset as usize, values: 0, extent: Extent::Needed }
    }

    /// Goes on at another place; returns where it was.
    pub(super) fn go(&mut self, at: usize) -> usize {
        std::mem::replace(&mut self.at, at)
    }

    /// How many values were read.
    pub(super) fn values(&self) -> u32 {
        self.values
    }

    /// So many more values were read.
    pub(super) fn count(&mut self, values: u32) -> Result<(), BrokenRecord> {
        self.values += values;
        if self.values > MOST_VALUES { Err(BrokenRecord) } else { Ok(()) }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], BrokenRecord> {
        let end = self.at.checked_add(size).ok_or(BrokenRecord)?;
        let bytes = self.section.get(self.at..end).ok_or(BrokenRecord)?;
        self.at = end;
        Ok(bytes)
    }

    /// The next bytes as a big-endian number.
    fn number(&mut self, size: usize) -> Result<u64, BrokenRecord> {
        if size > 8 {
            return Err(BrokenRecord);
        }
        Ok(self.take(size)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The head of the value here. A pointer's size is where it points to.
    pub(super) fn head(&mut self) -> Result<Head, BrokenRecord> {
        self.count(1)?;
        let control = self.number(1)?;
        let kind = match control >> 5 {
            0 => self.number(1)? + 7,
            kind => kind,
        };
        let low = control & 0x1f;
        let (kind, size) = match kind {
            1 => return Ok(Head { kind: Kind::Pointer, size: self.pointer(low)? }),
            2 => (Kind::Text, low),
            3 => (Kind::Double, low),
            4 | 10 => (Kind::Opaque, low),
            5 | 6 | 9 => (Kind::Unsigned, low),
            7 => (Kind::Map, low),
            8 => (Kind::Signed, low),
            11 => (Kind::List, low),
            14 => (Kind::Bool, low),
            15 => (Kind::Float, low),
            _ => return Err(BrokenRecord),
        };
        let size = match size {
            29 => 29 + self.number(1)?,
            30 => 285 + self.number(2)?,
            31 => 65_821 + self.number(3)?,
            size => size,
        };
        Ok(Head { kind, size: size as usize })
    }

    fn pointer(&mut self, low: u64) -> Result<usize, BrokenRecord> {
        let upper = low & 7;
        let target = match low >> 3 {
            0 => upper << 8 | self.number(1)?,
            1 => 2048 + (upper << 16 | self.number(2)?),
            2 => 526_336 + (upper << 24 | self.number(3)?),
            _ => self.number(4)?,
        };
        Ok(target as usize)
    }

    /// The head of the value here, or of the one that is pointed to. With it, where to go on
    /// afterwards when that is not behind the value.
    fn follow(&mut self) -> Result<(Head, Option<usize>), BrokenRecord> {
        let head = self.head()?;
        if head.kind != Kind::Pointer {
            return Ok((head, None));
        }
        let back = self.go(head.size);
        let head = self.head()?;
        // The format has no pointers to pointers.
        if head.kind == Kind::Pointer { Err(BrokenRecord) } else { Ok((head, Some(back))) }
    }

    pub(super) fn value(&mut self, levels: u8) -> Result<Value<'a>, BrokenRecord> {
        let (head, back) = self.follow()?;
        let value = self.content(head, levels)?;
        self.at = back.unwrap_or(self.at);
        Ok(value)
    }

    pub(super) fn content(&mut self, head: Head, levels: u8) -> Result<Value<'a>, BrokenRecord> {
        let Head { kind, size } = head;
        Ok(match kind {
            Kind::Text => Value::Text(text(self.take(size)?)?),
            Kind::Double => match size {
                8 => Value::Number(f64::from_bits(self.number(8)?)),
                _ => return Err(BrokenRecord),
            },
            Kind::Float => match size {
                4 => Value::Number(widen(f32::from_bits(self.number(4)? as u32))),
                _ => return Err(BrokenRecord),
            },
            Kind::Unsigned => {
                i64::try_from(self.number(size)?).map_or(Value::Other, Value::Integer)
            }
            // Fewer than four bytes are never negative: leading zeros are left out.
            Kind::Signed => match size {
                0..=4 => Value::Integer(i64::from(self.number(size)? as u32 as i32)),
                _ => return Err(BrokenRecord),
            },
            Kind::Bool => Value::Bool(size != 0),
            Kind::Opaque => {
                self.take(size)?;
                Value::Other
            }
            Kind::Map | Kind::List if levels == 0 => {
                self.pass_over(if kind == Kind::Map { 2 * size } else { size })?;
                Value::Other
            }
            Kind::Map => self.map(size, levels - 1)?,
            Kind::List => self.list(size, levels - 1)?,
            Kind::Pointer => return Err(BrokenRecord),
        })
    }

    fn list(&mut self, size: usize, levels: u8) -> Result<Value<'a>, BrokenRecord> {
        let mut elements = Vec::with_capacity(room(size));
        for _ in 0..size {
            elements.push(self.value(levels)?);
        }
        Ok(Value::List(elements))
    }

    fn map(&mut self, size: usize, levels: u8) -> Result<Value<'a>, BrokenRecord> {
        let mut members = Vec::with_capacity(room(size));
        for _ in 0..size {
            let key = self.key()?;
            let value = match key {
                _ if self.extent == Extent::Whole => self.value(levels)?,
                "names" => self.names()?,
                // Whole places, with their names, which are not where the address is.
                "registered_country" | "represented_country" => {
                    self.pass_over(1)?;
                    Value::Other
                }
                _ => self.value(levels)?,
            };
            members.push((key, value));
        }
        Ok(Value::Map(members))
    }

    fn key(&mut self) -> Result<&'a str, BrokenRecord> {
        let (head, back) = self.follow()?;
        if head.kind != Kind::Text {
            return Err(BrokenRecord);
        }
        let key = text(self.take(head.size)?)?;
        self.at = back.unwrap_or(self.at);
        Ok(key)
    }

    /// Reads a map of languages and keeps the best name only: names in eight languages are most of
    /// a city record, and of all of them one is used.
    fn names(&mut self) -> Result<Value<'a>, BrokenRecord> {
        let (head, back) = self.follow()?;
        let value = if head.kind == Kind::Map {
            let mut best: Option<(usize, &'a str)> = None;
            for _ in 0..head.size {
                let rank = rank(self.key()?);
                if best.is_some_and(|(kept, _)| kept <= rank) {
                    self.pass_over(1)?;
                } else if let Some(name) = self.value(0)?.text() {
                    best = Some((rank, name));
                }
            }
            best.map_or(Value::Other, |(_, name)| Value::Text(name))
        } else {
            match self.content(head, 1)? {
                Value::Text(name) => Value::Text(name),
                _ => Value::Other,
            }
        };
        self.at = back.unwrap_or(self.at);
        Ok(value)
    }

    /// Goes on behind so many values without reading them; what they point to is not visited.
    fn pass_over(&mut self, values: usize) -> Result<(), BrokenRecord> {
        let mut left = values;
        while left > 0 {
            left -= 1;
            let Head { kind, size } = self.head()?;
            match kind {
                Kind::Map => left = left.saturating_add(size.saturating_mul(2)),
                Kind::List => left = left.saturating_add(size),
                Kind::Pointer | Kind::Bool => {}
                _ => {
                    self.take(size)?;
                }
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, BrokenRecord> {
    std::str::from_utf8(bytes).map_err(|_| BrokenRecord)
}

/// By way of the shortest text, so that 35.7 does not become 35.70000076293945.
fn widen(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// Room for what a record of any layout has; for what a file claims beyond that, when it comes.
fn room(claimed: usize) -> usize {
    claimed.min(32)
}

#[cfg(test)]
mod tests {
    use maxminddb::{MaxMindDbError, Reader, WithinOptions};
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resolve::fixtures;

    /// Whether a value says what the library reads, but for what is left out here.
    fn same(ours: &Value<'_>, theirs: &Json) -> bool {
        match (ours, theirs) {
            (Value::Text(text), Json::String(theirs)) => text == theirs,
            (Value::Integer(number), theirs) => theirs.as_i64() == Some(*number),
            // Of half the width, by way of the shortest text.
            (Value::Number(number), theirs) => theirs.as_f64().is_some_and(|theirs| {
                theirs.to_bits() == number.to_bits()
                    || (theirs as f32).to_bits() == (*number as f32).to_bits()
            }),
            (Value::Bool(flag), Json::Bool(theirs)) => flag == theirs,
            (Value::List(ours), Json::Array(theirs)) => {
                ours.len() == theirs.len()
                    && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
            }
            (Value::Map(members), Json::Object(theirs)) => members.iter().all(|(key, ours)| {
                let theirs = &theirs[*key];
                match (*key, ours) {
                    ("names", Value::Text(best)) => {
                        theirs == *best
                            || theirs.as_object().is_some_and(|names| {
                                names
                                    .values()
                                    .any(|name| name.as_str().map(str::trim) == Some(best))
                            })
                    }
                    ("names" | "registered_country" | "represented_country", _) => {
                        *ours == Value::Other
                    }
                    _ => same(ours, theirs),
                }
            }),
            // Further down than is read, or larger than is asked for.
            (Value::Other, _) => true,
            _ => false,
        }
    }

    /// Reads every record of a file both ways; how many there were.
    fn agrees(bytes: &[u8], name: &str) -> usize {
        let Ok(reader) = Reader::from_source(bytes) else { return 0 };
        let metadata = reader.metadata();
        let start = data_start(metadata.node_count, metadata.record_size);
        let section = bytes.get(start..).unwrap_or_default();
        let Ok(networks) = reader.networks(WithinOptions::default()) else { return 0 };
        let mut records = 0;
        for place in networks.filter_map(Result::ok) {
            let Some(offset) = place.offset() else { continue };
            let ours = record(section, offset as u32, Extent::Needed);
            match place.decode::<Json>() {
                Ok(Some(theirs)) => {
                    assert!(
                        ours.as_ref().is_ok_and(|ours| same(ours, &theirs)),
                        "{name}: {ours:?} {theirs}"
                    );
                    records += 1;
                }
                // JSON has no bytes and no such large numbers: then there is nothing to compare.
                Err(MaxMindDbError::Decoding { .. }) => {}
                other => assert!(ours.is_err() || other.is_ok(), "{name}: {ours:?}"),
            }
        }
        records
    }

    #[test]
    fn every_record_reads_as_the_library_reads_it() {
        for (name, bytes) in fixtures::of_each_record_size() {
            assert!(agrees(&bytes, name) > 200, "{name}");
        }
        let odd = json!({
            "text": "ä", "empty": "", "flag": true, "off": false, "list": [1, [2, {"x": 3}]],
            "half": 0.5, "large": u64::MAX, "negative": -7.25, "none": {}, "no list": [],
            "long": "x".repeat(70_000), "names": {"de": "Wien", "en": " Vienna "}
        });
        assert_eq!(agrees(&fixtures::bytes("Test", &[("1.0.0.0/24", odd)]), "odd"), 1);
    }

    #[test]
    fn every_record_of_the_makers_own_files_reads_as_the_library_reads_it() {
        let Some(folder) = fixtures::sample_data() else { return };
        let mut records = 0;
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "mmdb") {
                    records += agrees(&std::fs::read(&path).unwrap(), &path.to_string_lossy());
                }
            }
        }
        assert!(records > 5_000, "{records}");
    }

    #[test]
    fn a_file_whose_pointers_lead_in_circles_comes_to_an_end() {
        // A map of two members that are both the map itself.
        let circle = [0xe2, 0x41, b'a', 0x20, 0x00, 0x41, b'b', 0x20, 0x00];
        assert_eq!(record(&circle, 0, Extent::Needed), Err(BrokenRecord));
        assert_eq!(
            record(&[0x20, 0x00], 0, Extent::Needed),
            Err(BrokenRecord),
            "a pointer to itself"
        );
        assert_eq!(record(&[], 7, Extent::Needed), Err(BrokenRecord));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0u32..310) {
            let _ = record(&bytes, at, Extent::Needed);
            let _ = record(&bytes, at, Extent::Whole);
        }
    }
}
