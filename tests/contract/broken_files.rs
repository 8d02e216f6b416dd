//! Files that are broken in every way that the format allows, made here: each is refused, or it is
//! harmless. They are also what the fuzz target `reader` begins with.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use ipstamp::database::diff;
use ipstamp::resolve::Database;
use mmdb_writer::Writer;
use mmdb_writer::ipnet::IpNet;
use serde_json::json;

/// Stands before the metadata.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// A sound file with two places in it.
fn sound() -> Vec<u8> {
    let mut writer = Writer::builder("GeoLite2-City")
        .build_epoch(UNIX_EPOCH + Duration::from_secs(1_767_225_600))
        .build();
    for (network, city) in [("1.0.0.0/24", "Riga"), ("2a00::/16", "Daugavpils")] {
        let record = json!({
            "country": {"iso_code": "LV", "names": {"en": "Latvia"}},
            "city": {"names": {"en": city}},
            "location": {"latitude": 56.9, "longitude": 24.1}
        });
        writer.insert(network.parse::<IpNet>().unwrap(), &record).unwrap();
    }
    writer.to_bytes().unwrap()
}

fn place(bytes: &[u8], of: &[u8]) -> usize {
    bytes.windows(of.len()).rposition(|window| window == of).unwrap()
}

/// The sound file, with these bytes at a place.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = sound();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// Each with what is wrong with it.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let whole = sound();
    let mark = place(&whole, MARK);
    let nodes = place(&whole, b"node_count") + b"node_count".len();
    let riga = place(&whole, b"Riga");
    let latitude = place(&whole, b"latitude") + b"latitude".len();
    let names = place(&whole, b"names") - 1;
    vec![
        ("nothing", Vec::new()),
        ("cut_in_the_tree", whole[..64].to_vec()),
        ("cut_in_the_records", whole[..riga].to_vec()),
        ("cut_in_the_metadata", whole[..mark + MARK.len() + 8].to_vec()),
        ("metadata_alone", whole[mark..].to_vec()),
        ("mark_alone", MARK.to_vec()),
        ("text_that_is_no_text", with(riga, b"\xff")),
        // The first node leads to itself.
        ("tree_in_a_circle", with(0, &[0; 6])),
        ("tree_beyond_its_end", with(0, &[0xff; 6])),
        ("more_nodes_than_bytes", with(nodes + 1, b"\xff\xff")),
        ("no_nodes", with(nodes + 1, b"\0\0")),
        // A text of sixteen million bytes, a map of as many members, a pointer beyond the end.
        ("text_beyond_the_end", with(riga - 1, b"\x5f\xff\xff\xff")),
        ("map_beyond_the_end", with(names, b"\xff\xff\xff\xff")),
        ("pointer_beyond_the_end", with(names, b"\x38\xff\xff\xff\xff")),
        ("double_of_no_size", with(latitude, b"\x63")),
        ("type_that_there_is_not", with(latitude, b"\x08\xf0")),
    ]
}

/// `IPSTAMP_UPDATE=1` writes them anew.
#[test]
fn the_seeds_of_the_fuzz_target_are_these_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/reader");
    let table = b"network,company.name\n10.0.0.0/8,Example\n".to_vec();
    let files = broken().into_iter().chain([("sound", sound()), ("table", table)]);
    for (name, bytes) in files {
        let path = folder.join(name);
        if std::env::var("IPSTAMP_UPDATE").is_ok_and(|value| value == "1") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap_or_default();
        assert!(kept == bytes, "{} is stale; run with IPSTAMP_UPDATE=1", path.display());
    }
}

#[test]
fn a_file_that_is_broken_in_any_way_is_refused_or_harmless() {
    let whole = Database::new("sound", sound()).unwrap();
    whole.verify(|| {}).unwrap();
    for (name, bytes) in broken() {
        let Ok(file) = Database::new(name, bytes) else { continue };
        for step in 0..1024u32 {
            let v4 = IpAddr::from((step << 22 | 1).to_be_bytes());
            let v6 = IpAddr::from((u128::from(step) << 118 | 1).to_be_bytes());
            for ip in [v4, v6] {
                let _ = (file.facts(ip), file.network(ip), file.raw(ip));
            }
        }
        let _ = file.survey();
        let _ = diff(&whole, &file, 10);
        assert!(file.verify(|| {}).is_err(), "{name} is taken for whole");
    }
}
