//! Joins a tree whose leaves are numbers with the data section that has the records of these numbers.

use maxminddb::{MaxMindDbError, Metadata, Reader};
use serde_json::json;

use super::section::{Section, TooLarge};

/// Between the tree and the records.
const SEPARATOR: usize = 16;
/// Before the metadata.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Why they cannot be joined.
#[derive(Debug, thiserror::Error)]
pub(super) enum JoinError {
    /// The whole would be too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The tree is none; a fault of ours.
    #[error("the tree that was made is broken ({0})")]
    Tree(#[from] MaxMindDbError),
}

/// The file. `numbered`: one whose records are the numbers of those of the section.
pub(super) fn joined(numbered: &[u8], section: &Section) -> Result<Vec<u8>, JoinError> {
    let reader = Reader::from_source(numbered)?;
    let metadata = reader.metadata();
    let nodes = metadata.node_count;
    let old_bits = metadata.record_size;
    let data_start = nodes as usize * usize::from(old_bits) / 4 + SEPARATOR;
    let largest = u64::from(nodes) + SEPARATOR as u64 + section.bytes().len() as u64;
    let bits = [24, 28, 32].into_iter().find(|bits| largest < 1 << bits).ok_or(TooLarge)?;
    let metadata = described(metadata, bits)?;
    let size = nodes as usize * usize::from(bits) / 4 + SEPARATOR + section.bytes().len();
    let mut file = Vec::with_capacity(size + MARK.len() + metadata.len());
    let broken = || MaxMindDbError::invalid_database("a leaf has no record");
    for node in numbered[..data_start - SEPARATOR].chunks_exact(usize::from(old_bits) / 4) {
        let mut places = [0; 2];
        for (new, old) in places.iter_mut().zip(records_of(node)) {
            *new = match old.checked_sub(nodes + SEPARATOR as u32) {
                None => old,
                Some(at) => {
                    let number = number_at(&numbered[data_start..], at as usize);
                    let offset = number.and_then(|number| section.offset(number));
                    nodes + SEPARATOR as u32 + offset.ok_or_else(broken)?
                }
            };
        }
        put_node(&mut file, places, bits);
    }
    file.extend_from_slice(&[0; SEPARATOR]);
    file.extend_from_slice(section.bytes());
    file.extend_from_slice(MARK);
    file.extend_from_slice(&metadata);
    Ok(file)
}

/// The two records of a node.
fn records_of(node: &[u8]) -> [u32; 2] {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    match node {
        [left @ .., both, r1, r2, r3] if left.len() == 3 => [
            u32::from(both >> 4) << 24 | number(left),
            u32::from(both & 0xf) << 24 | number(&[*r1, *r2, *r3]),
        ],
        node => {
            let (left, right) = node.split_at(node.len() / 2);
            [number(left), number(right)]
        }
    }
}

fn put_node(out: &mut Vec<u8>, places: [u32; 2], bits: u16) {
    let [left, right] = places.map(u32::to_be_bytes);
    match bits {
        24 => {
            out.extend_from_slice(&left[1..]);
            out.extend_from_slice(&right[1..]);
        }
        28 => {
            out.extend_from_slice(&left[1..]);
            out.push(left[0] << 4 | right[0]);
            out.extend_from_slice(&right[1..]);
        }
        _ => {
            out.extend_from_slice(&left);
            out.extend_from_slice(&right);
        }
    }
}

/// The number that stands as a record: the kind in three bits, the size in five, then the bytes.
fn number_at(records: &[u8], at: usize) -> Option<u32> {
    let (head, rest) = records.get(at..)?.split_first()?;
    let bytes = rest.get(..usize::from(head & 0x1f))?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// What the file says of itself.
fn described(metadata: &Metadata, bits: u16) -> Result<Vec<u8>, TooLarge> {
    let mut section = Section::default();
    let put = |section: &mut Section, name: &str| section.put(&json!(name));
    section.begin_map(9)?;
    put(&mut section, "binary_format_major_version")?;
    section.put_short(2)?;
    put(&mut section, "binary_format_minor_version")?;
    section.put_short(0)?;
    put(&mut section, "build_epoch")?;
    section.put_long(metadata.build_epoch)?;
    put(&mut section, "database_type")?;
    put(&mut section, &metadata.database_type)?;
    put(&mut section, "description")?;
    section.put(&json!(metadata.description))?;
    put(&mut section, "ip_version")?;
    section.put_short(metadata.ip_version)?;
    put(&mut section, "languages")?;
    section.put(&json!(metadata.languages))?;
    put(&mut section, "node_count")?;
    section.put(&json!(metadata.node_count))?;
    put(&mut section, "record_size")?;
    section.put_short(bits)?;
    Ok(section.bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use maxminddb::WithinOptions;
    use mmdb_writer::Writer;
    use mmdb_writer::ipnet::IpNet;
    use serde_json::Value as Json;

    use super::*;

    /// All networks of a file with their records, as the library reads them.
    fn all(file: &[u8]) -> Vec<(String, Json)> {
        let reader = Reader::from_source(file).unwrap();
        let places = reader.networks(WithinOptions::default()).unwrap();
        let read = places.map(|place| {
            let place = place.unwrap();
            (place.network().unwrap().to_string(), place.decode().unwrap().unwrap())
        });
        read.collect()
    }

    #[test]
    fn what_is_joined_says_what_was_put_in_whatever_the_size_of_its_records() {
        // So much text that offsets need 24 bits, and 28.
        for (filler, bits) in [(0, 24), (60_000, 28)] {
            let rows = 300u32;
            let mut writer = Writer::builder("Towns").build();
            let mut section = Section::default();
            let mut expected = Vec::new();
            for row in 0..rows {
                let record = json!({
                    "name": format!("Town {row}"), "country": {"iso_code": "LV", "eu": row % 2 == 0},
                    "numbers": [row, u64::MAX - u64::from(row), -5, -3_000_000_000_i64, 1.5, 0],
                    "filler": format!("{row}{}", "x".repeat(filler)), "same": "the same text",
                    "many": (0..40).collect::<Vec<_>>(), "none": ""
                });
                let network = format!("{}.{}.0.0/16", 1 + row / 100, row % 100);
                let number = section.number(&record).unwrap();
                assert_eq!(
                    section.number(&record).unwrap(),
                    number,
                    "the same record is there once"
                );
                writer
                    .insert_value(
                        network.parse::<IpNet>().unwrap(),
                        mmdb_writer::Value::U32(number),
                    )
                    .unwrap();
                expected.push((network, record));
            }
            let file = joined(&writer.to_bytes().unwrap(), &section).unwrap();
            assert_eq!(Reader::from_source(&file).unwrap().metadata().record_size, bits);
            let mut read = all(&file);
            for (_, record) in &mut read {
                // Larger than the format's negative numbers.
                record["numbers"][3] = json!(-3_000_000_000_i64);
            }
            assert!(read == expected, "{rows} rows with {filler} bytes each");
        }
    }

    #[test]
    fn a_node_of_any_size_is_read_as_it_was_written() {
        for (bits, places) in [
            (24, [0x00ab_cdef, 0x0012_3456]),
            (28, [0x0fed_cba9, 0x0123_4567]),
            (32, [0xfedc_ba98, 0x0123_4567]),
        ] {
            let mut node = Vec::new();
            put_node(&mut node, places, bits);
            assert_eq!(node.len() * 4, usize::from(bits));
            assert_eq!(records_of(&node), places);
        }
    }

    #[test]
    fn a_text_that_the_format_cannot_say_is_refused() {
        let record = json!({"text": "x".repeat(17 << 20)});
        assert_eq!(Section::default().number(&record), Err(TooLarge));
    }
}
