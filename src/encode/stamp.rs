//! The `ipstamp` object: its place, and its beginning, which says how the record ended, which sources
//! contributed, and of when their facts are.

use std::io::Write as _;

use super::encoder::{Draft, Event};
use super::json::{Members, quoted};
use super::time::{append_day, append_minute};
use super::{Existing, members};
use crate::record::{Answer, Facts, Home, Moment, Outcome, Retrieval, Span};

/// The sources that contributed to an event, by their place in the configured order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contributed([u64; 4]);

impl Contributed {
    pub(super) fn add(&mut self, source: u8) {
        self.0[usize::from(source / 64)] |= 1 << (source % 64);
    }

    fn has(self, source: usize) -> bool {
        self.0[source / 64] >> (source % 64) & 1 == 1
    }

    /// The sources that are in both.
    fn and(self, other: Self) -> Self {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(one, other)| *one &= other);
        both
    }

    fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(nth, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < 64).then_some(nth * 64 + bit)
            })
        })
    }
}

/// Where a profile has the stamp: in the outermost object, or in an object in it.
#[derive(Debug)]
pub(super) struct StampPlace {
    /// The landmark of the object that it stands in, and that object's name in quotes.
    outer: Option<(usize, Vec<u8>)>,
    /// Its own landmark.
    landmark: usize,
    /// Its name in quotes.
    name: Vec<u8>,
}

impl StampPlace {
    /// `outer`: the landmark and the name of the object that it stands in.
    pub(super) fn new(outer: Option<(usize, &str)>, landmark: usize, name: &str) -> Self {
        let outer = outer.map(|(landmark, name)| (landmark, quoted(name)));
        Self { outer, landmark, name: quoted(name) }
    }

    /// Where the stamp goes in an event; none when what is there is to be kept: it is neither `null`
    /// nor a stamp from an earlier time.
    pub(super) fn seat(&self, event: Event<'_>, existing: Existing) -> Option<Seat> {
        let outer = self.outer.as_ref().map(|(landmark, _)| event.landmark(*landmark));
        let taken = event.landmark(self.landmark);
        let taken = match outer {
            None => taken,
            Some(None) => return Some(Seat::NewOuter),
            Some(Some(outer)) if event.is_null(outer) => return Some(Seat::NullOuter(outer)),
            Some(Some(outer)) if event.bytes.get(outer.start as usize) != Some(&b'{') => {
                return None;
            }
            // Of two members of the outer one's name the last counts.
            Some(Some(outer)) => match taken.filter(|taken| taken.start > outer.start) {
                None => return Some(Seat::In(outer)),
                taken => taken,
            },
        };
        let Some(value) = taken else { return Some(Seat::New) };
        let makes_way =
            existing == Existing::Replace || event.is_null(value) || is_stamp(event.bytes, value);
        makes_way.then_some(Seat::Of(value))
    }

    /// Appends what stands before the stamp.
    fn open(&self, seat: Seat, out: &mut Vec<u8>) {
        let outer: &[u8] = self.outer.as_ref().map_or(b"", |(_, name)| name);
        let pieces: &[&[u8]] = match seat {
            Seat::New | Seat::In(_) => &[b",", &self.name, b":"],
            Seat::NewOuter => &[b",", outer, b":{", &self.name, b":"],
            Seat::NullOuter(_) => &[b"{", &self.name, b":"],
            Seat::Of(_) | Seat::Alone => &[],
        };
        for piece in pieces {
            out.extend_from_slice(piece);
        }
    }
}

/// Where the stamp goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seat {
    /// Behind the last member of the event.
    New,
    /// The same, in an object that is new, too.
    NewOuter,
    /// Behind the last member of this object.
    In(Span),
    /// In an object that stands for this null.
    NullOuter(Span),
    /// In the place of this value.
    Of(Span),
    /// A value of its own.
    Alone,
}

/// Whether a value is what [`begin`] writes, or wrote in another version: there `sources` may be
/// another kind of list.
fn is_stamp(event: &[u8], value: Span) -> bool {
    if event[value.start as usize] != b'{' {
        return false;
    }
    let object = Home { open: value.start, close: value.end - 1, ..Home::default() };
    let member = |name| {
        let span = members::find(event, &object, name)?;
        event.get(span.start as usize..span.end as usize)
    };
    matches!(member(b"\"outcome\""), Some(b"\"enriched\"" | b"\"partial\""))
        && member(b"\"sources\"").is_some_and(|sources| matches!(sources, [b'[' | b'{', ..]))
}

/// How the sources of an epoch are named: a database as a whole member, `"city":"2026-11-18"`, of
/// any other the name and a colon, for the time differs from answer to answer.
#[derive(Debug, Default)]
pub(super) struct Sources {
    epoch: Option<u64>,
    names: Vec<Name>,
    /// How many of them are databases.
    databases: usize,
    /// Those of these that are stale.
    stale: Contributed,
    /// When the next one becomes so.
    next_stale: Moment,
    /// What is to be said of each, as it is written; nothing of most.
    attributions: Vec<Vec<u8>>,
    /// Of which something is.
    attributed: Contributed,
    minute: Minute,
    last: Option<Last>,
}

/// What was written last of databases alone: the next event's stamp is mostly the same.
#[derive(Debug)]
struct Last {
    outcome: Outcome,
    contributed: Contributed,
    is_stale: bool,
    text: Vec<u8>,
}

/// A source as it is written.
#[derive(Debug)]
struct Name {
    /// `"city":"2026-11-18"` of a database, `"ipinfo":` of a provider.
    text: Vec<u8>,
    /// So many bytes of it are the name itself.
    len: usize,
}

/// The minute that was written last, as text: answers are mostly of the same few.
#[derive(Debug, Default)]
struct Minute {
    moment: Moment,
    text: Vec<u8>,
}

impl Minute {
    fn append(&mut self, out: &mut Vec<u8>, moment: Moment) {
        if self.moment != moment || self.text.is_empty() {
            self.moment = moment;
            self.text.clear();
            append_minute(&mut self.text, moment);
        }
        out.extend_from_slice(&self.text);
    }
}

impl Sources {
    /// To be called before each event: names them anew when the numbers have a new meaning.
    #[inline]
    pub(super) fn begin(&mut self, epoch: u64, facts: &dyn Facts) {
        if self.epoch != Some(epoch) || facts.now() > self.next_stale {
            self.epoch = Some(epoch);
            self.rename(facts);
        }
    }

    #[cold]
    fn rename(&mut self, facts: &dyn Facts) {
        let sources = facts.sources();
        self.last = None;
        self.databases = sources.iter().filter(|source| source.built.is_some()).count();
        (self.stale, self.next_stale) = (Contributed::default(), Moment::LAST);
        self.attributed = Contributed::default();
        self.attributions.clear();
        for (number, source) in (0..).zip(&sources) {
            let text = source.attribution.as_deref().map(quoted);
            if text.is_some() {
                self.attributed.add(number);
            }
            self.attributions.push(text.unwrap_or_default());
            if facts.now() > source.fresh_until {
                self.stale.add(number);
            } else {
                self.next_stale = self.next_stale.min(source.fresh_until);
            }
        }
        let named = sources.iter().map(|source| {
            let mut text = quoted(&source.name);
            let len = text.len();
            text.push(b':');
            if let Some(built) = source.built {
                append_day(&mut text, built);
            }
            Name { text, len }
        });
        self.names = named.collect();
    }
}

/// Writes the stamp's beginning: `{"outcome":…,"reason":…,"sources":{…}`, of answers that were kept
/// how old the oldest is, which sources are stale, what makers want to be said, and `left_out`. Names
/// of outcomes and reasons need no escapes.
///
/// Whether there is a stale one.
pub(super) fn begin(
    draft: &mut Draft,
    event: Event<'_>,
    facts: &dyn Facts,
    place: &StampPlace,
    seat: Seat,
) -> bool {
    let Draft { contributed, sources, splice, .. } = draft;
    let mut is_stale = false;
    splice.write(|out| {
        place.open(seat, out);
        match &sources.last {
            Some(last) if last.outcome == event.outcome && last.contributed == *contributed => {
                out.extend_from_slice(&last.text);
                is_stale = last.is_stale;
            }
            _ => is_stale = begin_anew(*contributed, sources, event, facts, out),
        }
        if event.outline.left_out > 0 {
            // A Vec takes whatever is written to it.
            let _ = write!(out, ",\"left_out\":{}", event.outline.left_out);
        }
    });
    is_stale
}

/// The same up to `left_out`, and keeps it for the next event.
fn begin_anew(
    contributed: Contributed,
    sources: &mut Sources,
    event: Event<'_>,
    facts: &dyn Facts,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    out.extend_from_slice(b"{\"outcome\":\"");
    out.extend_from_slice(event.outcome.name().as_bytes());
    if let Some(reason) = event.outcome.reason() {
        out.extend_from_slice(b"\",\"reason\":\"");
        out.extend_from_slice(reason.name().as_bytes());
    }
    out.extend_from_slice(b"\",\"sources\":{");
    let (mut comma, mut oldest): (&[u8], _) = (b"", None);
    let mut stale = contributed.and(sources.stale);
    for source in contributed.iter() {
        let Some(name) = sources.names.get(source) else { continue };
        out.extend_from_slice(comma);
        out.extend_from_slice(&name.text);
        if source >= sources.databases {
            let retrieval = retrieval(source, event.answers, facts);
            sources.minute.append(out, retrieval.at);
            oldest = Some(oldest.map_or(retrieval.at, |oldest| retrieval.at.min(oldest)));
            if retrieval.stale {
                stale.add(source as u8);
            }
        }
        comma = b",";
    }
    out.push(b'}');
    if let Some(oldest) = oldest {
        // As the times are: to the minute.
        let now = Moment(facts.now().0 / 60 * 60);
        Members::new(out).whole("age", Some(now.since(oldest).as_secs() as u32));
    }
    let is_stale = !stale.is_empty();
    if is_stale {
        append_stale(stale, sources, out);
    }
    if !contributed.and(sources.attributed).is_empty() {
        attribution(contributed, sources, out);
    }
    // With a provider's answer in it the times and the age differ from event to event.
    if oldest.is_none() {
        let mut text = sources.last.take().map(|last| last.text).unwrap_or_default();
        text.clear();
        text.extend_from_slice(&out[start..]);
        sources.last = Some(Last { outcome: event.outcome, contributed, is_stale, text });
    }
    is_stale
}

/// Puts what was written since [`begin`] in its place.
pub(super) fn end(draft: &mut Draft, event: Event<'_>, seat: Seat) {
    let (splice, root) = (&mut draft.splice, event.outline.root.close);
    match seat {
        Seat::New => splice.insert_before(event.bytes, root),
        Seat::NewOuter => {
            splice.text(b"}");
            splice.insert_before(event.bytes, root);
        }
        Seat::In(outer) => splice.insert_before(event.bytes, outer.end - 1),
        Seat::NullOuter(value) => {
            splice.text(b"}");
            splice.replace(value);
        }
        Seat::Of(value) => splice.replace(value),
        Seat::Alone => splice.replace(Span::default()),
    }
}

/// `,"stale":["city","ipinfo"]`: whose facts ought to be newer.
#[cold]
fn append_stale(stale: Contributed, sources: &Sources, out: &mut Vec<u8>) {
    let mut before: &[u8] = b",\"stale\":[";
    for source in stale.iter() {
        let Some(name) = sources.names.get(source) else { continue };
        out.extend_from_slice(before);
        out.extend_from_slice(&name.text[..name.len]);
        before = b",";
    }
    if before == b"," {
        out.push(b']');
    }
}

/// `,"attribution":["…"]`: what the makers want to be said, each once.
fn attribution(contributed: Contributed, sources: &Sources, out: &mut Vec<u8>) {
    let texts = || {
        let attributed = contributed.iter().filter(|source| sources.attributed.has(*source));
        attributed.filter_map(|source| sources.attributions.get(source))
    };
    let mut before: &[u8] = b",\"attribution\":[";
    for (at, text) in texts().enumerate() {
        if texts().take(at).all(|said| said != text) {
            out.extend_from_slice(before);
            out.extend_from_slice(text);
            before = b",";
        }
    }
    out.push(b']');
}

/// Of when the facts of a source in this event are: the oldest of them, and stale if any of them is.
pub(super) fn retrieval(source: usize, answers: &[Answer], facts: &dyn Facts) -> Retrieval {
    let parts = answers.iter().flat_map(Answer::parts);
    let of_it = parts.filter(|part| usize::from(part.source) == source);
    let all = of_it.filter_map(|part| facts.retrieval(part.facts));
    let start = Retrieval { at: Moment::LAST, stale: false };
    all.fold(start, |one, other| Retrieval {
        at: one.at.min(other.at),
        stale: one.stale | other.stale,
    })
}
