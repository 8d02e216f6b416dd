//! Extract, resolve and encode in a row: an event's bytes to what is to be written of it. The same
//! for a worker and for files without Kafka.

mod ahead;
mod envelope;
mod leaving;

use std::net::IpAddr;
use std::sync::Arc;

use ahead::Read;
pub(super) use leaving::AddressPlaces;

use super::formats::{EventFormat, Formats, Opened, Origin};
use super::schemas::{Known, Written};
use crate::encode::{AvroEncoder, Encoder, Writing};
use crate::extract::{self, AvroReader, Extractor, Shape};
use crate::record::{
    Answer, GroupSet, IdPlace, Moment, Outcome, Outline, Reason, Role, SchemaId, Sighting,
};
use crate::resolve::{
    Cache, CacheLookups, CacheScope, DatabaseLookups, DatabaseSet, Resolver, Wants,
};

/// What stamping needs to know, for each worker to make a [`Stamper`] of its own.
#[derive(Clone)]
pub struct StampSettings {
    /// What events are.
    pub format: EventFormat,
    /// Where addresses stand.
    pub addresses: extract::Config,
    /// What is wanted of them.
    pub wants: Arc<Wants>,
    /// The files in force.
    pub databases: Arc<DatabaseSet>,
    /// What providers answered, and which of it may be used here.
    pub cache: (Arc<Cache>, CacheScope),
    /// How facts are written.
    pub writing: Writing,
    /// For everything that is remembered to be fast, of one worker.
    pub memory_limit_bytes: usize,
}

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// It goes out as it came.
    Unchanged(Option<Reason>),
    /// [`Stamper::write`] writes so many bytes.
    Written {
        /// The length of the output.
        len: usize,
        /// How the record ends.
        outcome: Outcome,
    },
    /// Something wanted is missing, and somebody was asked for it: the record waits.
    Missing,
    /// The schema that it is written by is not known: [`Stamper::learn`] takes it in.
    Unread(SchemaId),
}

/// Addresses, and what is missing of each.
pub type Missing = Vec<(IpAddr, GroupSet)>;

/// What becomes of a record of which something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It waits: somebody was asked.
    Wait,
    /// It goes out as it is.
    GoOn {
        /// Why nobody is waited for.
        reason: Reason,
        /// An answer has come meanwhile: memory knows more than it did.
        look_again: bool,
    },
}

impl Ask {
    /// Nobody is asked.
    pub fn nobody(reason: Reason) -> Self {
        Self::GoOn { reason, look_again: false }
    }
}

/// What was found in events, counted since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Addresses, by role in the order of [`Role::ALL`].
    pub sightings: [u64; Role::ALL.len()],
    /// Values at configured paths that are no address.
    pub unreadable: u64,
    /// Addresses beyond the limit per record.
    pub left_out: u64,
}

/// Stamps one event after the other. Belongs to one thread; allocates nothing in steady state.
pub struct Stamper {
    extractor: Extractor,
    resolver: Resolver,
    encoder: Encoder,
    formats: Formats,
    avro: AvroEncoder,
    avro_reader: AvroReader,
    /// Writes what goes into a header, of what has no place for it.
    beside: Encoder,
    /// What the events that come are taken to be of: where the last one went, and by no header.
    origin_ahead: Origin,
    /// The event whose turn it is, those that were read before their turn, and last a place for
    /// one that was not.
    read: [Read; Stamper::STEPS_AHEAD + 2],
    /// Which of these makes way for the next one that is read before its turn.
    next: usize,
    /// Which of these was stamped last.
    last: usize,
    missing: Missing,
    found: Found,
    cache: (Arc<Cache>, CacheScope),
    /// How many paths there are.
    paths: usize,
    /// Whether no event with an address goes out as it came.
    hides: bool,
    is_beside: bool,
    /// Where what was stamped last is to be copied from.
    copy: Copied,
    /// An envelope with its events stamped.
    envelope: Vec<u8>,
    /// All that was found in an envelope, as if it were one event.
    joined: (Outline, Vec<Answer>),
}

/// From where the output of an event is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    /// As the encoder has planned it.
    Planned,
    /// As the line of text was put into JSON.
    Line,
    /// From the stamped envelope.
    Envelope,
    /// As Avro, with a field behind it.
    Field,
    /// The same, with nothing in the field.
    NoField,
    /// From what goes beside an event that has no place for it.
    Beside,
}

impl Stamper {
    /// Fails when a path makes no sense.
    pub fn new(settings: &StampSettings) -> Result<Self, extract::ExtractConfigError> {
        // Rendered bytes are what is most of, and what is dearest to make again.
        let for_resolver = settings.memory_limit_bytes / 5 * 2;
        let for_encoder = settings.memory_limit_bytes - for_resolver;
        let resolver = Resolver::new(
            Arc::clone(&settings.wants),
            Arc::clone(&settings.databases),
            settings.cache.clone(),
            for_resolver,
        );
        let needs = settings.writing.needs();
        let hides = settings.writing.hides_addresses();
        let addresses = extract::Config { every_place: hides, ..settings.addresses.clone() };
        let extractor = Extractor::new(&addresses, &needs)?;
        let paths = extractor.path_names();
        // Of the encoders one is mostly at work, and the others keep nothing then.
        let encoder = Encoder::new(&settings.writing, &paths, for_encoder);
        let beside = Encoder::new(&settings.writing.beside(), &paths, for_encoder / 8);
        Ok(Self {
            extractor,
            resolver,
            encoder,
            formats: Formats::new(settings.format.clone()),
            avro: AvroEncoder::new(&settings.writing, &paths, for_encoder),
            avro_reader: AvroReader::default(),
            beside,
            origin_ahead: Origin::default(),
            read: Default::default(),
            next: 0,
            last: 0,
            missing: Vec::new(),
            found: Found::default(),
            cache: settings.cache.clone(),
            paths: paths.len(),
            hides,
            is_beside: settings.writing.is_beside_the_event(),
            copy: Copied::Planned,
            envelope: Vec::new(),
            joined: Default::default(),
        })
    }

    /// Whether what is written goes out beside the event, as a header, and the event as it came.
    pub fn writes_beside_the_event(&self) -> bool {
        self.is_beside || self.copy == Copied::Beside
    }

    /// From here on events are of this topic.
    #[inline]
    pub fn set_topic(&mut self, topic: &str) {
        self.extractor.set_topic(topic);
    }

    /// Takes newer databases into use, and notices what others heard of providers. Called between
    /// batches, with the time of day: a record is stamped from one set.
    pub fn refresh(&mut self, now: Moment) {
        self.resolver.refresh(now);
    }

    /// Reads and resolves an event. `ask` is called when something wanted is missing, with what is
    /// missing of which address; an address may stand there twice.
    pub fn stamp(&mut self, event: &[u8], ask: &mut dyn FnMut(&mut Missing) -> Ask) -> Stamp {
        self.stamp_of(event, Origin::default(), ask)
    }

    /// The same with what is known of the record beside its value.
    pub fn stamp_of(
        &mut self,
        event: &[u8],
        origin: Origin,
        ask: &mut dyn FnMut(&mut Missing) -> Ask,
    ) -> Stamp {
        let nth = self.was_read(event, origin).unwrap_or_else(|| {
            let last = Self::STEPS_AHEAD + 1;
            self.read(last, event, origin);
            last
        });
        self.origin_ahead = Origin { header: None, ..origin };
        self.last = nth;
        self.copy = Copied::Planned;
        // Its turn is now, and what will lie in its place is another event.
        self.read[nth].event = (0, 0);
        if let Opened::Unread(id) = self.read[nth].opened {
            return Stamp::Unread(id);
        }
        match self.read[nth].shape {
            Some(Ok(Shape::Object | Shape::Envelope)) => {}
            Some(Err(reason)) => return Stamp::Unchanged(Some(reason)),
            _ => return Stamp::Unchanged(None),
        }
        if self.hides && self.keeps_addresses(nth) {
            return Stamp::Unchanged(Some(Reason::Schema));
        }
        self.resolve(nth);
        self.read[nth].outlines().for_each(|outline| self.found.count(outline));
        if !self.judge(nth) {
            return self.untouched(nth, event);
        }
        let mut failed = None;
        if !self.missing.is_empty() {
            match ask(&mut self.missing) {
                Ask::Wait => return Stamp::Missing,
                Ask::GoOn { reason, look_again } => {
                    if look_again {
                        let asked = std::mem::take(&mut self.missing);
                        for (address, _) in asked {
                            self.resolver.heard_of(address);
                        }
                        self.read[nth].is_resolved = false;
                        self.resolve(nth);
                        self.judge(nth);
                    }
                    failed = Some(reason).filter(|_| !self.missing.is_empty());
                }
            }
        }
        if self.read[nth].shape == Some(Ok(Shape::Envelope)) {
            return self.stamp_envelope(nth, event, failed);
        }
        let read = &self.read[nth];
        let Some((outline, answers)) = read.answered().next() else {
            return Stamp::Unchanged(None);
        };
        let outcome = outcome(outline, answers, failed);
        let facts = &mut self.resolver;
        let len = match read.opened {
            Opened::Avro { nth, from, place } => {
                let written = self.formats.avro(nth).map(|schema| &schema.written);
                if let Some(Written::Field { replaces, .. }) = written {
                    self.copy = Copied::Field;
                    let end = if *replaces { from + read.last_field } else { event.len() };
                    self.avro.hide(&event[from..end], outline);
                    let field = self.avro.write(outline, answers, facts, outcome).len();
                    self.around_field(event, from, place) + field
                } else {
                    self.copy = Copied::Beside;
                    self.beside.plan(event, outline, answers, facts, outcome)
                }
            }
            opened => {
                let from = opened.json_from();
                let bytes = read.findings.bytes(&event[from..]);
                let len = self.encoder.plan(bytes, outline, answers, facts, outcome);
                if self.is_beside { len } else { from + len }
            }
        };
        Stamp::Written { len, outcome }
    }

    /// An event of whose addresses none is to be looked up. A line of text becomes JSON all the same: a
    /// topic's records are all of a kind. In Avro it has the field, with nothing in it: what is read by
    /// one schema is written by one.
    fn untouched(&mut self, nth: usize, event: &[u8]) -> Stamp {
        if let Opened::Avro { nth, from, place } = self.read[nth].opened
            && let Some(Written::Field { .. }) = self.formats.avro(nth).map(|it| &it.written)
        {
            self.copy = Copied::NoField;
            let len = self.around_field(event, from, place) + AvroEncoder::NOTHING.len();
            return Stamp::Written { len, outcome: Outcome::Unchanged(None) };
        }
        let findings = &self.read[nth].findings;
        if !findings.is_line() || self.is_beside {
            return Stamp::Unchanged(None);
        }
        self.copy = Copied::Line;
        Stamp::Written { len: findings.bytes(&[]).len(), outcome: Outcome::Unchanged(None) }
    }

    /// How long an event of Avro is without its field, and with the id of its new schema.
    fn around_field(&self, event: &[u8], from: usize, place: IdPlace) -> usize {
        let (id, kept) = self.kept_of(event, from, place);
        id.len() + kept.len()
    }

    /// The id of its new schema, where it stands before the value, and what is kept of the event.
    fn kept_of<'a>(&'a self, event: &'a [u8], from: usize, place: IdPlace) -> (&'a [u8], &'a [u8]) {
        let read = &self.read[self.last];
        let Opened::Avro { nth, .. } = read.opened else { return (&[], event) };
        match self.formats.avro(nth).map(|schema| &schema.written) {
            Some(Written::Field { replaces, number, .. }) => {
                let end = if *replaces { from + read.last_field } else { event.len() };
                let id = if place == IdPlace::Prefix { &number[..] } else { &[] };
                let kept = &event[from..end];
                // Where nothing is written nothing was found either.
                let is_shown = self.copy == Copied::Field;
                (id, if is_shown { self.avro.shown(kept) } else { kept })
            }
            _ => (&[], event),
        }
    }

    /// Whether an event's addresses would stay, although they are to be hidden: its schema has no
    /// place for facts, so that it would go out as it came.
    fn keeps_addresses(&self, nth: usize) -> bool {
        let Opened::Avro { nth: schema, .. } = self.read[nth].opened else { return false };
        let has_any = self.read[nth].outlines().any(|outline| !outline.sightings.is_empty());
        let written = self.formats.avro(schema).map(|schema| &schema.written);
        has_any && !matches!(written, Some(Written::Field { .. }))
    }

    /// Takes in a schema that was asked for.
    pub fn learn(&mut self, id: SchemaId, origin: Origin, known: Arc<Known>) {
        self.formats.learn(id, origin.output, known);
        self.forget_ahead();
    }

    /// Something that was known of schemas is known better: they are asked for anew.
    pub fn forget_schemas(&mut self) {
        self.formats.forget();
        self.forget_ahead();
    }

    /// The id of its schema for the header [`crate::record::VALUE_SCHEMA_HEADER`], where that is another
    /// one than came there.
    pub fn schema_header(&self) -> Option<&[u8]> {
        match (self.copy, self.read[self.last].opened) {
            (Copied::Field | Copied::NoField, Opened::Avro { nth, place: IdPlace::Header, .. }) => {
                match self.formats.avro(nth).map(|schema| &schema.written) {
                    Some(Written::Field { header, .. }) => Some(header),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Notes what is missing of an event. False when none of its addresses is to be looked up.
    fn judge(&mut self, nth: usize) -> bool {
        self.missing.clear();
        let mut touched = false;
        for (outline, answers) in self.read[nth].answered() {
            touched |= is_touched(outline, answers, self.hides);
            for (sighting, answer) in outline.sightings.iter().zip(answers) {
                if !answer.missing.is_empty() && sighting.address.is_global() {
                    self.missing.push((sighting.address.ip(), answer.missing));
                }
            }
        }
        touched
    }

    /// Writes what the last call of [`Stamper::stamp`] planned; `out` is exactly as long as it said.
    pub fn write(&self, event: &[u8], out: &mut [u8]) {
        let Read { findings, opened, .. } = &self.read[self.last];
        match self.copy {
            Copied::Planned if self.is_beside => {
                self.encoder.write(findings.bytes(&event[opened.json_from()..]), out);
            }
            Copied::Planned => {
                let (before, event) = event.split_at(opened.json_from());
                let (head, rest) = out.split_at_mut(before.len());
                head.copy_from_slice(before);
                self.encoder.write(findings.bytes(event), rest);
            }
            Copied::Line => out.copy_from_slice(findings.bytes(event)),
            Copied::Envelope => out.copy_from_slice(&self.envelope),
            Copied::Beside => self.beside.write(event, out),
            Copied::Field | Copied::NoField => {
                let Opened::Avro { from, place, .. } = *opened else { return };
                let (id, kept) = self.kept_of(event, from, place);
                let nothing = self.copy == Copied::NoField;
                let field = if nothing { &AvroEncoder::NOTHING[..] } else { self.avro.field() };
                let mut rest = out;
                for piece in [id, kept, field] {
                    let (head, tail) = rest.split_at_mut(piece.len());
                    head.copy_from_slice(piece);
                    rest = tail;
                }
            }
        }
    }

    /// A provider has answered for the address, or said that it cannot: what the cache has of it
    /// now is used from here on.
    pub fn heard_of(&mut self, address: IpAddr) {
        self.resolver.heard_of(address);
    }

    /// What providers answered, of all scopes.
    pub fn cache(&self) -> &Cache {
        &self.cache.0
    }

    /// The questions to the cache since the last call.
    pub fn take_cache_lookups(&mut self) -> CacheLookups {
        self.resolver.take_cache_lookups()
    }

    /// The questions to each database since the last call.
    pub fn take_database_lookups(&mut self, each: impl FnMut(&str, DatabaseLookups)) {
        self.resolver.take_database_lookups(each);
    }

    /// What was found since the last call.
    pub fn take_found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }
}

impl Found {
    fn count(&mut self, outline: &Outline) {
        for sighting in &outline.sightings {
            self.sightings[sighting.role as usize] += 1;
        }
        self.unreadable += u64::from(outline.unreadable);
        self.left_out += u64::from(outline.left_out);
    }
}

/// Whether any of its addresses is looked up, or was to be.
fn is_touched(outline: &Outline, answers: &[Answer], hides: bool) -> bool {
    let looked_up = |(sighting, answer): (&Sighting, &Answer)| {
        sighting.address.is_global() || !answer.is_empty()
    };
    outline.left_out > 0
        || (hides && !outline.sightings.is_empty())
        || outline.sightings.iter().zip(answers).any(looked_up)
}

/// How an event ends whose addresses were looked up; `failed`: why something is missing.
fn outcome(outline: &Outline, answers: &[Answer], failed: Option<Reason>) -> Outcome {
    let cut = (outline.left_out > 0).then_some(Reason::AddressLimit);
    let lacking = || answers.iter().any(|answer| answer.lacking).then_some(Reason::NotFound);
    failed.or(cut).or_else(lacking).map_or(Outcome::Enriched, Outcome::Partial)
}

#[cfg(test)]
mod tests {
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
        let stamp = r#""ipstamp":{"outcome":"partial","reason":"address_limit","sources":{},"left_out":3}}"#;
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
        assert!(
            matches!(stamp, Stamp::Written { outcome, .. } if outcome == not_found),
            "{stamp:?}"
        );
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
}
