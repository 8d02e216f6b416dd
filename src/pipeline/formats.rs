//! What an event is, record by record: by the configured format and by what stands before it or in its
//! header.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::schemas::{AvroSchema, Known};
use crate::extract::Format;
use crate::publish::OutputId;
use crate::record::{Framed, IdPlace, Reason, SchemaId};

/// A worker remembers so many schemas.
const MOST_KNOWN: usize = 1 << 12;

/// What the events are.
#[derive(Clone, Debug, Default)]
pub struct EventFormat {
    /// As configured.
    pub format: Format,
    /// Of Avro without an id: its schema.
    pub plain: Option<Arc<Known>>,
}

/// What is known of a record beside its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The schema that its header names.
    pub header: Option<SchemaId>,
    /// Where it goes.
    pub output: Option<OutputId>,
}

/// What an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Opened {
    /// JSON from here on.
    Json { from: usize },
    /// Avro of the schema with this number, from here on.
    Avro { nth: u32, from: usize, place: IdPlace },
    /// It goes out as it came.
    #[default]
    Other,
    /// Its schema is not known here.
    Unread(SchemaId),
    /// It cannot be read.
    Refused(Reason),
}

impl Opened {
    /// Where JSON begins; what is none begins at once.
    pub(super) const fn json_from(self) -> usize {
        match self {
            Self::Json { from } => from,
            Self::Avro { .. } | Self::Other | Self::Unread(_) | Self::Refused(_) => 0,
        }
    }
}

/// Tells what events are. One per stamper.
#[derive(Debug)]
pub(super) struct Formats {
    format: EventFormat,
    numbers: FxHashMap<(SchemaId, Option<OutputId>), u32>,
    known: Vec<Arc<Known>>,
    /// The one before is mostly the next one.
    last: Option<((SchemaId, Option<OutputId>), u32)>,
}

impl Formats {
    pub(super) fn new(format: EventFormat) -> Self {
        // The first place is that of the schema of all.
        let known = format.plain.iter().cloned().collect();
        Self { format, numbers: FxHashMap::default(), known, last: None }
    }

    #[inline]
    pub(super) fn open(&mut self, event: &[u8], origin: Origin) -> Opened {
        if matches!(self.format.format, Format::Json | Format::Text) {
            return Opened::Json { from: 0 };
        }
        self.open_framed(event, origin)
    }

    fn open_framed(&mut self, event: &[u8], origin: Origin) -> Opened {
        if self.format.plain.is_some() {
            return Opened::Avro { nth: 0, from: 0, place: IdPlace::Prefix };
        }
        let in_header = |id| Framed { id, place: IdPlace::Header, body: 0 };
        let framed = origin.header.map(in_header).or_else(|| Framed::read(None, event));
        let Some(Framed { id, place, body }) = framed else {
            return match self.format.format {
                Format::Json | Format::Text | Format::Auto => Opened::Json { from: 0 },
                Format::Protobuf => Opened::Other,
                Format::Avro | Format::JsonSchema => Opened::Refused(Reason::Unparsable),
            };
        };
        match self.format.format {
            Format::JsonSchema => return Opened::Json { from: body },
            Format::Protobuf => return Opened::Other,
            Format::Json | Format::Text | Format::Avro | Format::Auto => {}
        }
        let key = (id, origin.output);
        let nth = match self.last {
            Some((last, nth)) if last == key => nth,
            _ => match self.numbers.get(&key) {
                Some(nth) => {
                    self.last = Some((key, *nth));
                    *nth
                }
                None => return Opened::Unread(id),
            },
        };
        match &*self.known[nth as usize] {
            Known::Avro(_) => Opened::Avro { nth, from: body, place },
            Known::Json if self.format.format == Format::Auto => Opened::Json { from: body },
            Known::Other if self.format.format == Format::Auto => Opened::Other,
            Known::Json | Known::Other => Opened::Refused(Reason::Unparsable),
            Known::Unusable => Opened::Refused(Reason::Schema),
        }
    }

    /// Takes in what was asked for.
    pub(super) fn learn(&mut self, id: SchemaId, output: Option<OutputId>, known: Arc<Known>) {
        if self.known.len() >= MOST_KNOWN {
            self.forget();
        }
        self.last = None;
        let nth = *self.numbers.entry((id, output)).or_insert(self.known.len() as u32);
        match self.known.get_mut(nth as usize) {
            Some(place) => *place = known,
            None => self.known.push(known),
        }
    }

    /// Forgets what was learned: it is asked for anew.
    pub(super) fn forget(&mut self) {
        if self.format.plain.is_none() {
            self.known.clear();
            self.numbers.clear();
            self.last = None;
        }
    }

    pub(super) fn avro(&self, nth: u32) -> Option<&AvroSchema> {
        match &**self.known.get(nth as usize)? {
            Known::Avro(schema) => Some(schema),
            Known::Json | Known::Other | Known::Unusable => None,
        }
    }
}
