//! Joins a tree with the data section that has the records of its numbers: the file.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::section::{Section, TooLarge};
use super::tree::{LaidOut, Way};

/// Between the tree and the records.
const SEPARATOR: u32 = 16;
/// Before the metadata.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// The file, of this type and built at this moment.
pub(super) fn joined(
    tree: &LaidOut,
    section: &Section,
    database_type: &str,
    built: SystemTime,
) -> Result<Vec<u8>, TooLarge> {
    let count = tree.count();
    let largest = u64::from(count) + u64::from(SEPARATOR) + section.bytes().len() as u64;
    let bits = [24, 28, 32].into_iter().find(|bits| largest < 1 << bits).ok_or(TooLarge)?;
    let metadata = metadata(database_type, built, count, bits)?;
    let size = count as usize * usize::from(bits) / 4 + SEPARATOR as usize + section.bytes().len();
    let mut file = Vec::with_capacity(size + MARK.len() + metadata.len());
    for node in tree.nodes() {
        let mut places = [count; 2];
        for (place, way) in places.iter_mut().zip(node) {
            *place = match way {
                Way::Nowhere => count,
                Way::Node(node) => node,
                Way::Record(number) => {
                    count + SEPARATOR + section.offset(number).ok_or(TooLarge)?
                }
            };
        }
        put_node(&mut file, places, bits);
    }
    file.extend_from_slice(&[0; SEPARATOR as usize]);
    file.extend_from_slice(section.bytes());
    file.extend_from_slice(MARK);
    file.extend_from_slice(&metadata);
    Ok(file)
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

/// What the file says of itself.
fn metadata(
    database_type: &str,
    built: SystemTime,
    count: u32,
    bits: u16,
) -> Result<Vec<u8>, TooLarge> {
    let mut section = Section::default();
    let put = |section: &mut Section, name: &str| section.put(&json!(name));
    section.begin_map(9)?;
    put(&mut section, "binary_format_major_version")?;
    section.put_short(2)?;
    put(&mut section, "binary_format_minor_version")?;
    section.put_short(0)?;
    put(&mut section, "build_epoch")?;
    section.put_long(built.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())?;
    put(&mut section, "database_type")?;
    put(&mut section, database_type)?;
    put(&mut section, "description")?;
    section.put(&json!(BTreeMap::from([("en", database_type)])))?;
    put(&mut section, "ip_version")?;
    section.put_short(6)?;
    put(&mut section, "languages")?;
    section.put(&json!(["en"]))?;
    put(&mut section, "node_count")?;
    section.put(&json!(count))?;
    put(&mut section, "record_size")?;
    section.put_short(bits)?;
    Ok(section.bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use maxminddb::{Reader, WithinOptions};
    use serde_json::Value as Json;

    use super::*;
    use crate::database::tree::Tree;

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
            let mut tree = Tree::default();
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
                tree.insert(network.parse().unwrap(), number).unwrap();
                expected.push((network, record));
            }
            let built = UNIX_EPOCH + std::time::Duration::from_secs(86_400);
            let tree = tree.laid_out(true).unwrap();
            let file = joined(&tree, &section, "Towns", built).unwrap();
            let metadata = Reader::from_source(&file).unwrap().metadata().clone();
            assert_eq!((metadata.record_size, metadata.build_epoch), (bits, 86_400));
            assert_eq!((metadata.database_type.as_str(), metadata.ip_version), ("Towns", 6));
            let mut read = all(&file);
            for (_, record) in &mut read {
                // Larger than the format's negative numbers.
                record["numbers"][3] = json!(-3_000_000_000_i64);
            }
            assert!(read == expected, "{rows} rows with {filler} bytes each");
        }
    }

    #[test]
    fn a_node_of_any_size_is_written_as_the_format_wants_it() {
        for (bits, places, bytes) in [
            (24, [0x00ab_cdef, 0x0012_3456], 0xabcd_ef12_3456),
            (28, [0x0fed_cba9, 0x0123_4567], 0x00ed_cba9_f123_4567),
            (32, [0xfedc_ba98, 0x0123_4567], 0xfedc_ba98_0123_4567),
        ] {
            let mut node = Vec::new();
            put_node(&mut node, places, bits);
            let found = node.iter().fold(0, |found: u64, byte| found << 8 | u64::from(*byte));
            assert_eq!((node.len() * 4, found), (usize::from(bits), bytes));
        }
    }

    #[test]
    fn a_text_that_the_format_cannot_say_is_refused() {
        let record = json!({"text": "x".repeat(17 << 20)});
        assert_eq!(Section::default().number(&record), Err(TooLarge));
    }
}
