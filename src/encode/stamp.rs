//! The `ipstamp` object's beginning: how the record ended, which sources contributed, and of when
//! their facts are.

use super::encoder::{Desk, Event};
use super::json::{Members, quoted};
use super::time::{append_day, append_minute};
use crate::record::{Answer, Facts, Moment, Retrieval};

/// The sources that contributed to an event, by their place in the configured order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contributed([u64; 4]);

impl Contributed {
    pub(super) fn add(&mut self, source: u8) {
        self.0[usize::from(source / 64)] |= 1 << (source % 64);
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(nth, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < 64).then_some(nth * 64 + bit)
            })
        })
    }
}

/// How the sources of an epoch are named: a database as a whole member, `"city":"2026-11-18"`, of
/// any other the name and a colon, for the time differs from answer to answer.
#[derive(Debug, Default)]
pub(super) struct Sources {
    epoch: Option<u64>,
    names: Vec<Vec<u8>>,
    /// How many of them are databases.
    databases: usize,
}

impl Sources {
    /// To be called before each event: names them anew when the numbers have a new meaning.
    #[inline]
    pub(super) fn begin(&mut self, epoch: u64, facts: &dyn Facts) {
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.rename(facts);
        }
    }

    #[cold]
    fn rename(&mut self, facts: &dyn Facts) {
        let sources = facts.sources();
        self.databases = sources.iter().filter(|source| source.built.is_some()).count();
        let named = sources.iter().map(|source| {
            let mut name = quoted(&source.name);
            name.push(b':');
            if let Some(built) = source.built {
                append_day(&mut name, built);
            }
            name
        });
        self.names = named.collect();
    }
}

/// Writes `{"outcome":…,"reason":…,"sources":{…}`, without the closing brace, and of answers that
/// were kept how old the oldest is and which are stale. Names of outcomes and reasons need no
/// escapes.
pub(super) fn begin(desk: &mut Desk, event: Event<'_>, facts: &dyn Facts) {
    let (contributed, sources) = (desk.contributed, &desk.sources);
    desk.splice.write(|out| {
        out.extend_from_slice(b"{\"outcome\":\"");
        out.extend_from_slice(event.outcome.name().as_bytes());
        if let Some(reason) = event.outcome.reason() {
            out.extend_from_slice(b"\",\"reason\":\"");
            out.extend_from_slice(reason.name().as_bytes());
        }
        out.extend_from_slice(b"\",\"sources\":{");
        let (mut comma, mut any_kept): (&[u8], _) = (b"", false);
        for source in contributed.iter() {
            let Some(name) = sources.names.get(source) else { continue };
            out.extend_from_slice(comma);
            out.extend_from_slice(name);
            if source >= sources.databases {
                any_kept = true;
                append_minute(out, retrieval(source, event.answers, facts).at);
            }
            comma = b",";
        }
        out.push(b'}');
        if any_kept {
            age(contributed, sources, event.answers, facts, out);
        }
    });
}

/// `,"age":120,"stale":["ipinfo"]`: seconds since the oldest of the kept answers was retrieved, and
/// which sources ought to have been asked anew.
#[cold]
fn age(
    contributed: Contributed,
    sources: &Sources,
    answers: &[Answer],
    facts: &dyn Facts,
    out: &mut Vec<u8>,
) {
    let kept = || {
        let kept = contributed.iter().filter(|source| *source >= sources.databases);
        kept.map(|source| (source, retrieval(source, answers, facts)))
    };
    let oldest = kept().map(|(_, retrieval)| retrieval.at).min().unwrap_or_default();
    let age = facts.now().since(oldest).as_secs();
    Members::new(out).whole("age", Some(age as u32));
    let mut before: &[u8] = b",\"stale\":[";
    for (source, _) in kept().filter(|(_, retrieval)| retrieval.stale) {
        let Some(name) = sources.names.get(source) else { continue };
        out.extend_from_slice(before);
        out.extend_from_slice(&name[..name.len() - 1]);
        before = b",";
    }
    if before == b"," {
        out.push(b']');
    }
}

/// Of when the facts of a source in this event are: the oldest of them, and stale if any of them is.
fn retrieval(source: usize, answers: &[Answer], facts: &dyn Facts) -> Retrieval {
    let parts = answers.iter().flat_map(Answer::parts);
    let of_it = parts.filter(|part| usize::from(part.source) == source);
    let all = of_it.filter_map(|part| facts.retrieval(part.facts));
    let start = Retrieval { at: Moment::LAST, stale: false };
    all.fold(start, |one, other| Retrieval {
        at: one.at.min(other.at),
        stale: one.stale | other.stale,
    })
}
