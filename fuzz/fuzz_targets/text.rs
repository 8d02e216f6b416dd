//! Any bytes as a text or an event of any kind: what is found stands in it, can be read again, and does
//! not depend on what came before.
#![no_main]

use ipstamp::extract::{Config, Discover, Extractor, Findings, Format, find};
use ipstamp::record::WritingNeeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|event: &[u8]| {
    let mut end = 0;
    find(event, |found| {
        assert!(end <= found.start && found.start < found.end && found.end <= event.len());
        end = found.end;
    });

    let config = Config {
        format: Format::Auto,
        discover: Some(Discover::Always),
        ..Config::default()
    };
    let mut extractor = Extractor::new(&config, &WritingNeeds::default()).expect("it is good");
    let (mut first, mut second) = (Findings::default(), Findings::default());
    let shape = extractor.read(event, &mut first);
    let before = br#"{"source":{"ip":"192.0.2.1"}}"#;
    extractor.read(before, &mut second).expect("it is an event");
    assert_eq!(shape, extractor.read(event, &mut second));
    if shape.is_err() {
        return;
    }
    assert_eq!(first.parts().len(), second.parts().len());
    for (one, other) in first.parts().iter().zip(second.parts()) {
        assert_eq!(one.outline, other.outline);
        let bytes = first.bytes(event);
        let part = &bytes[one.span.start as usize..one.span.end as usize];
        for sighting in &one.outline.sightings {
            let text = sighting.text.start as usize..sighting.text.end as usize;
            assert!(part.get(text).is_some_and(|text| !text.is_empty()));
            assert!(usize::from(sighting.home) < one.outline.homes.len());
        }
    }
});
