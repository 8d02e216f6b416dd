//! Any bytes: the scanner neither panics nor notes a place outside them, takes for JSON what
//! another reader takes for it, and what it says can be written is still JSON afterwards.
#![no_main]

use ipstamp::extract::{AddressPath, Config, Extractor, Shape, Unreadable};
use ipstamp::record::{Outline, Role, WritingNeeds};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const PATHS: [&str; 6] = ["source.ip", "source.nat.ip", "host.ip", "id.orig_h", "source", "a.b.c"];

fuzz_target!(|event: &[u8]| {
    let paths = PATHS.map(|path| AddressPath::new(path, Role::Unknown));
    let config = Config { paths: paths.into(), limit: 8, ..Config::default() };
    let needs = WritingNeeds {
        members: ["geo", "as"].map(str::to_owned).to_vec(),
        landmarks: vec!["related.ip".to_owned()],
    };
    let mut extractor = Extractor::new(&config, &needs).expect("the paths are good");
    let mut outline = Outline::default();
    let shape = extractor.scan(event, &mut outline);
    // What was learnt of its halves, and of itself, changes nothing.
    let (first, second) = event.split_at(event.len() / 2);
    let mut again = Outline::default();
    for part in [first, second, event, first, second, event] {
        let mut expected = Outline::default();
        let fresh = Extractor::new(&config, &needs).expect("the paths are good");
        let fresh = { fresh }.scan(part, &mut expected);
        assert_eq!(extractor.scan(part, &mut again), fresh);
        assert_eq!(again, expected);
    }

    let text = std::str::from_utf8(event).ok();
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    match shape {
        Err(Unreadable::TooDeep { .. }) => {}
        Err(_) => assert!(!text.is_some_and(is_json)),
        Ok(_) => assert!(text.is_some_and(is_json)),
    }
    for sighting in &outline.sightings {
        assert!(event.get(sighting.text.start as usize..sighting.text.end as usize).is_some());
        assert!(usize::from(sighting.home) < outline.homes.len());
    }
    if shape == Ok(Shape::Object) {
        let comma = if outline.root.empty { "" } else { "," };
        let mut places = vec![(outline.root.close, format!("{comma}\"x\":1"))];
        for home in outline.homes.iter().filter(|home| home.close != outline.root.close) {
            places.push((home.close, ",\"x\":1".to_owned()));
            for taken in home.taken.iter().flatten() {
                assert!(is_json(&text.unwrap_or("")[taken.start as usize..taken.end as usize]));
            }
        }
        places.sort();
        let mut stamped = text.unwrap_or("").to_owned();
        for (at, addition) in places.iter().rev() {
            stamped.insert_str(*at as usize, addition);
        }
        assert!(is_json(&stamped), "{stamped}");
    }
});
