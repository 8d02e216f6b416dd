//! Extract, resolve and encode in a row: an event's bytes to what is to be written of it. The same
//! for a worker and for files without Kafka.

mod ahead;
mod avro;
mod envelope;
mod found;
mod leaving;

use std::net::IpAddr;
use std::sync::Arc;

use ahead::Read;
pub use found::Found;
use found::{is_touched, outcome};
pub(super) use leaving::AddressPlaces;

use super::formats::{EventFormat, Formats, Opened, Origin};
use super::schemas::Written;
use crate::encode::{AvroEncoder, Encoder, Writing};
use crate::extract::{self, AvroReader, Extractor, Shape};
use crate::record::{Answer, GroupSet, Moment, Outcome, Outline, Reason, SchemaId};
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
}

#[cfg(test)]
mod tests;
