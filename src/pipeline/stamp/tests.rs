//! Events as they are stamped, one after the other.

use super::*;
use crate::record::FactGroup;
use crate::resolve::{Learned, SourceId, Want};

#[test]
fn addresses_beyond_the_limit_make_a_record_partial_and_its_stamp_says_how_many() {
    let addresses = extract::Config { limit: 2, ..extract::Config::default() };
    let settings = StampSettings { addresses, ..settings() };
    let mut stamper = Stamper::new(&settings).unwrap();
    let mut stamped = |ips: &str| {
        let event = format!(r#"{{"host":{{"ip":[{ips}]}}}}"#);
        match stamper.stamp(event.as_bytes(), &mut |_| Ask::nobody(Reason::NotFound)) {
            Stamp::Written { len, outcome } => {
                let mut out = vec![0; len];
                stamper.write(event.as_bytes(), &mut out);
                (Some(outcome), String::from_utf8(out).unwrap())
            }
            Stamp::Unchanged(_) | Stamp::Missing | Stamp::Unread(_) => (None, event),
        }
    };
    // Nothing is to be looked up of private addresses, so what is missing is the others.
    assert_eq!(stamped(r#""10.0.0.1","10.0.0.2""#).0, None);
    let (outcome, event) = stamped(r#""10.0.0.1","10.0.0.2","9.9.9.9","9.9.9.9","10.0.0.3""#);
    assert_eq!(outcome, Some(Outcome::Partial(Reason::AddressLimit)));
    let stamp =
        r#""ipstamp":{"outcome":"partial","reason":"address_limit","sources":{},"left_out":3}}"#;
    assert!(event.ends_with(stamp), "{event}");
    // Another reason is worth more, and the number stands there all the same.
    let (outcome, event) = stamped(r#""9.9.9.9","10.0.0.2","10.0.0.3""#);
    assert_eq!(outcome, Some(Outcome::Partial(Reason::NotFound)));
    let stamp = r#""left_out":1},"tags":["_ipstamp_not_found"]}"#;
    assert!(event.ends_with(stamp), "{event}");
    assert_eq!(stamper.take_found().left_out, 4);
}

fn settings() -> StampSettings {
    StampSettings {
        format: EventFormat::default(),
        addresses: extract::Config::default(),
        wants: Arc::new(Wants::new(&[Want("geo".into())]).unwrap()),
        databases: Arc::new(DatabaseSet::new(Vec::new()).unwrap()),
        cache: Default::default(),
        writing: Writing::new(&crate::encode::Config::default()).unwrap(),
        memory_limit_bytes: 1 << 20,
    }
}

#[test]
fn a_record_of_whose_address_nobody_knows_the_place_is_not_called_enriched() {
    let settings = settings();
    let (cache, scope) = &settings.cache;
    let geo = GroupSet::EMPTY.with(FactGroup::Geo);
    let nothing = Learned { source: SourceId(0), asked: geo, closes: geo, facts: None };
    let address = "9.9.9.9".parse().unwrap();
    cache.put(*scope, address, &nothing, cache.lifetimes(), Moment::now());
    let mut stamper = Stamper::new(&settings).unwrap();
    let (stamp, event) = stamped(&mut stamper, br#"{"source":{"ip":"9.9.9.9"}}"#);
    let not_found = Outcome::Partial(Reason::NotFound);
    assert!(matches!(stamp, Stamp::Written { outcome, .. } if outcome == not_found), "{stamp:?}");
    let stamp = r#""reason":"not_found","sources":{}},"tags":["_ipstamp_not_found"]}"#;
    assert!(event.ends_with(stamp.as_bytes()), "{}", String::from_utf8_lossy(&event));
}

fn stamped(stamper: &mut Stamper, event: &[u8]) -> (Stamp, Vec<u8>) {
    let stamp = stamper.stamp(event, &mut |_| Ask::nobody(Reason::NotFound));
    let mut out = Vec::new();
    if let Stamp::Written { len, .. } = stamp {
        out.resize(len, 0);
        stamper.write(event, &mut out);
    }
    (stamp, out)
}

#[test]
fn looking_ahead_changes_nothing_whoever_is_left_out_and_whatever_lies_in_his_place_next() {
    let mut ahead = Stamper::new(&settings()).unwrap();
    let mut plain = Stamper::new(&settings()).unwrap();
    let mut dice = 7u32;
    let mut roll = |sides: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 16) % sides
    };
    // The same memory for the events of each batch: other events in the same places.
    let mut batch: Vec<Vec<u8>> = (0..20).map(|_| Vec::with_capacity(64)).collect();
    for _ in 0..200 {
        for event in &mut batch {
            let text = match roll(4) {
                0 => r#"{"source":{"ip":"8.8.8.8"}} "#.to_owned(),
                1 => r#"{"source":{"ip":"10.0.0.1"}}"#.to_owned(),
                2 => r#"{"source":{"ip":"8.8.8.8"}"#.to_owned(),
                _ => format!(r#"{{"source":{{"ip":"9.9.9.{}"}}}}"#, roll(3)),
            };
            event.clear();
            event.extend_from_slice(text.as_bytes());
        }
        for nth in 0..batch.len() {
            if roll(5) > 0 {
                ahead.look_ahead(|step| batch.get(nth + step).map(Vec::as_slice));
            }
            if roll(5) > 0 {
                let event = &batch[nth];
                assert_eq!(stamped(&mut ahead, event), stamped(&mut plain, event));
            }
        }
        ahead.forget_ahead();
    }
    assert_eq!(ahead.take_found(), plain.take_found());
}
