//! What a stamp says of the sources: of when they are, which ought to be newer, who wants to be named.

use super::try_out::{Book, encode, encoder};
use super::{Existing, Profile};
use crate::record::{Enrichment, Facts, FactsId, Moment, Outcome, Retrieval, Source};

#[test]
fn kept_answers_say_of_when_they_are_how_old_and_which_ought_to_be_newer() {
    let stamp = |addresses: &str| {
        let event = format!(r#"{{"host":{{"ip":[{addresses}]}}}}"#);
        let written = encode(Profile::Native, Existing::Keep, &event);
        let start = written.find(r#""sources""#).unwrap();
        written[start..written.find(r#","addresses""#).unwrap()].to_owned()
    };
    assert_eq!(stamp(r#""11.0.0.1""#), r#""sources":{"ask":"2025-11-18T00:03:00Z"},"age":7020"#);
    assert_eq!(
        stamp(r#""12.0.0.1","192.0.2.1","11.0.0.1""#),
        r#""sources":{"city":"2025-11-18","asn":"2025-11-18","ask":"2025-11-18T00:03:00Z"},"age":7020,"stale":["ask"]"#
    );
    assert_eq!(
        stamp(r#""12.0.0.1","13.0.0.1""#),
        r#""sources":{"ask":"2025-11-18T00:04:00Z","inquire":"2025-11-18T00:05:00Z"},"age":6960,"stale":["ask"]"#
    );
}

/// The same book at another time, with a city file that is stale from a moment on.
struct Aged {
    book: Book,
    now: Moment,
    fresh_until: Moment,
    /// So many sources have something to be said.
    attributed: usize,
}

impl Facts for Aged {
    fn epoch(&self) -> u64 {
        self.book.epoch()
    }

    fn enrichment(&mut self, id: FactsId) -> Enrichment {
        self.book.enrichment(id)
    }

    fn sources(&self) -> Vec<Source> {
        let mut sources = self.book.sources();
        sources[0].fresh_until = self.fresh_until;
        for source in sources.iter_mut().take(self.attributed) {
            source.attribution = Some("by \"them\"".into());
        }
        sources
    }

    fn retrieval(&self, id: FactsId) -> Option<Retrieval> {
        self.book.retrieval(id)
    }

    fn now(&self) -> Moment {
        self.now
    }
}

#[test]
fn what_the_makers_want_to_be_said_is_said_once_in_events_that_they_answered() {
    let stamp = |attributed: usize, addresses: &str| {
        let mut encoder = encoder(Profile::Native, Existing::Keep);
        let book = Book { epoch: 1, asked: 0 };
        let now = book.now();
        let mut aged = Aged { book, now, fresh_until: now, attributed };
        let event = format!(r#"{{"host":{{"ip":[{addresses}]}}}}"#);
        let written = encoder.encode(&mut aged, &event, Outcome::Enriched);
        serde_json::from_str::<serde_json::Value>(&written).unwrap()["ipstamp"]["attribution"]
            .take()
    };
    let said = serde_json::json!(["by \"them\""]);
    assert_eq!(stamp(2, r#""192.0.2.1""#), said);
    assert_eq!(stamp(1, r#""192.0.2.1""#), said);
    assert_eq!(stamp(1, r#""198.51.100.1""#), serde_json::Value::Null);
    assert_eq!(stamp(0, r#""192.0.2.1""#), serde_json::Value::Null);
}

#[test]
fn an_event_that_a_stale_database_answered_says_so_from_the_moment_on() {
    let mut encoder = encoder(Profile::Native, Existing::Keep);
    let now = Book { epoch: 1, asked: 0 }.now();
    let mut aged = Aged { book: Book { epoch: 1, asked: 0 }, now, fresh_until: now, attributed: 0 };
    let mut stamp = |aged: &mut Aged, addresses: &str| {
        let event = format!(r#"{{"host":{{"ip":[{addresses}]}}}}"#);
        let written = encoder.encode(aged, &event, Outcome::Enriched);
        let start = written.find(r#""sources""#).unwrap();
        written[start..written.find(r#","addresses""#).unwrap()].to_owned()
    };
    let fresh = r#""sources":{"city":"2025-11-18","asn":"2025-11-18"}"#;
    assert_eq!(stamp(&mut aged, r#""192.0.2.1""#), fresh);
    // The same epoch, and the same encoder.
    aged.now = Moment(now.0 + 1);
    assert_eq!(stamp(&mut aged, r#""192.0.2.1""#), format!(r#"{fresh},"stale":["city"]"#));
    assert_eq!(stamp(&mut aged, r#""198.51.100.1""#), r#""sources":{"asn":"2025-11-18"}"#);
    assert_eq!(
        stamp(&mut aged, r#""192.0.2.1","12.0.0.1""#),
        r#""sources":{"city":"2025-11-18","asn":"2025-11-18","ask":"2025-11-18T00:04:00Z"},"age":6960,"stale":["city","ask"]"#
    );
}
