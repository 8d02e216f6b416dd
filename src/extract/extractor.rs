//! Finds addresses in events of many kinds: decides the kind by the event's shape, remembers that, and
//! reads the event by the paths of its kind.
//!
//! What an event is depends on the event alone. From how it begins the kind is guessed that such an event
//! was of the last time; while it is read, the names in its outermost object say whether that was right.
//! If not, it is read once more.

use std::sync::Arc;

use super::catalog::{Catalog, KindId, Route};
use super::chain::Trust;
use super::config::{AddressPath, Config, Discover, Format};
use super::line::{self, note_anywhere};
use super::paths::{ExtractConfigError, Signs};
use super::place::PlaceWalk;
use super::scan::{Limits, Shape, Workshop};
use super::text;
use super::tokens::{Stop, Tokens, Trouble};
use super::unreadable::Unreadable;
use crate::record::{Address, Outline, Role, Sighting, Span, WritingNeeds};

/// The names of all paths of a configuration, in the order that [`Sighting::path`] counts.
pub fn path_names(config: &Config) -> Result<Vec<String>, ExtractConfigError> {
    Ok(Catalog::of(config, &WritingNeeds::default())?.names.clone())
}

/// So many beginnings of events are remembered.
const BEGINNINGS: usize = 256;
/// So many sets of names.
const DECISIONS: usize = 64;

/// Finds addresses in events. One per worker: it keeps its memory from event to event.
#[derive(Debug)]
pub struct Extractor {
    catalog: Arc<Catalog>,
    limits: Limits,
    discover: Discover,
    format: Format,
    trust: Trust,
    route: Route,
    /// The topic that `route` is for, where topics say it.
    topic: String,
    /// By how an event begins: its kind, the last time.
    guesses: [KindId; BEGINNINGS],
    /// By signs: the kind, where it was decided.
    decisions: [(Signs, KindId); DECISIONS],
    /// The kind of the event that was read last.
    kind: KindId,
    workshop: Workshop,
    elements: Vec<Span>,
    place: PlaceWalk,
}

/// What was found in an event. Made once per worker; it keeps its memory.
#[derive(Debug, Default)]
pub struct Findings {
    /// The event that is stamped in the place of a line of text.
    wrapped: Vec<u8>,
    is_line: bool,
    parts: Vec<FoundPart>,
    used: usize,
}

/// An event, or one of an envelope.
#[derive(Debug, Default)]
pub struct FoundPart {
    /// Where it stands in [`Findings::bytes`].
    pub span: Span,
    /// What was found in it; places count from its own first byte.
    pub outline: Outline,
    /// The kind that it was taken for.
    kind: KindId,
}

impl Findings {
    /// The bytes that are stamped: the event's own, or the JSON object of a line.
    pub fn bytes<'e>(&'e self, event: &'e [u8]) -> &'e [u8] {
        if self.is_line { &self.wrapped } else { event }
    }

    /// Whether the event was a line of text.
    pub fn is_line(&self) -> bool {
        self.is_line
    }

    /// The events that were found: one, or those of an envelope.
    pub fn parts(&self) -> &[FoundPart] {
        &self.parts[..self.used]
    }

    /// Begins an event that has been read otherwise, of so many bytes.
    pub fn begin(&mut self, len: usize) -> &mut Outline {
        self.clear();
        let part = self.next();
        part.span = Span { start: 0, end: len as u32 };
        part.outline.clear();
        &mut part.outline
    }

    fn clear(&mut self) {
        self.used = 0;
        self.is_line = false;
    }

    fn next(&mut self) -> &mut FoundPart {
        if self.used == self.parts.len() {
            self.parts.push(FoundPart::default());
        }
        self.used += 1;
        &mut self.parts[self.used - 1]
    }
}

impl Extractor {
    /// Compiles the configured paths and presets, and what the profile wants noted.
    pub fn new(config: &Config, needs: &WritingNeeds) -> Result<Self, ExtractConfigError> {
        for (key, value) in [("limit", config.limit), ("max_depth", config.max_depth)] {
            if value == 0 {
                return Err(ExtractConfigError::Zero { key });
            }
        }
        if config.trusted_hops.is_some() && !config.trusted_proxies.is_empty() {
            return Err(ExtractConfigError::TwoTrusts);
        }
        let catalog = Catalog::of(config, needs)?;
        Ok(Self {
            route: catalog.main,
            limits: Limits::of(config),
            discover: config.discover(),
            format: config.format,
            trust: Trust::of(config),
            topic: String::new(),
            guesses: [catalog.discover; BEGINNINGS],
            // No event has all signs, and none has no names that anybody remembers.
            decisions: [(Signs::MAX, 0); DECISIONS],
            kind: catalog.discover,
            workshop: Workshop::default(),
            elements: Vec::new(),
            place: PlaceWalk::default(),
            catalog,
        })
    }

    /// The names of all paths, in the order that [`Sighting::path`] counts.
    pub fn path_names(&self) -> Vec<String> {
        self.catalog.names.clone()
    }

    /// From here on events are of this topic.
    #[inline]
    pub fn set_topic(&mut self, topic: &str) {
        if !self.catalog.topics.is_empty() && self.topic != topic {
            self.change_topic(topic);
        }
    }

    #[inline(never)]
    fn change_topic(&mut self, topic: &str) {
        topic.clone_into(&mut self.topic);
        let of_topic = self.catalog.topics.iter().find(|(pattern, _)| pattern.reads(topic));
        self.route = of_topic.map_or(self.catalog.main, |(_, route)| *route);
    }

    /// Which topics' events are read as now: changes when those before are to be read anew.
    pub(crate) fn way(&self) -> u32 {
        self.route.way()
    }

    /// The name of the preset by which a part was read.
    pub fn preset(&self, part: &FoundPart) -> &str {
        &self.catalog.kinds[usize::from(part.kind)].name
    }

    /// The paths at which addresses were looked for in a part.
    pub fn paths(&self, part: &FoundPart) -> impl Iterator<Item = &AddressPath> {
        self.catalog.kinds[usize::from(part.kind)].paths.iter().map(|(_, path)| path)
    }

    /// Reads an event, be it JSON or text, and notes in `findings` what was found in it, or in each event
    /// of an envelope.
    pub fn read(&mut self, event: &[u8], findings: &mut Findings) -> Result<Shape, Unreadable> {
        findings.clear();
        if self.is_line(event) {
            return self.read_line(event, findings);
        }
        let part = findings.next();
        let shape = self.scan(event, &mut part.outline);
        part.span = Span { start: 0, end: event.len() as u32 };
        part.kind = self.kind;
        if shape != Ok(Shape::Envelope) {
            return shape;
        }
        findings.clear();
        for nth in 0..self.elements.len() {
            let span = self.elements[nth];
            let part = findings.next();
            let element = &event[span.start as usize..span.end as usize];
            part.span = span;
            self.scan_event(element, true, &mut part.outline)?;
            part.kind = self.kind;
        }
        shape
    }

    fn is_line(&self, event: &[u8]) -> bool {
        match self.format {
            Format::Json | Format::Avro | Format::JsonSchema | Format::Protobuf => false,
            Format::Text => true,
            Format::Auto => match event.trim_ascii_start() {
                [b'{', ..] => false,
                [b'[', rest @ ..] => !begins_array(rest),
                _ => true,
            },
        }
    }

    fn read_line(&mut self, event: &[u8], findings: &mut Findings) -> Result<Shape, Unreadable> {
        // Spans are 32 bits wide, and an escape may take six bytes.
        if event.len() > u32::MAX as usize / 8 {
            return Err(Unreadable::TooLarge { size: event.len() });
        }
        findings.is_line = true;
        let mut wrapped = std::mem::take(&mut findings.wrapped);
        line::wrap(event, &mut wrapped);
        let part = findings.next();
        part.span = Span { start: 0, end: wrapped.len() as u32 };
        part.outline.clear();
        part.kind = match self.route {
            Route::Kind(kind) => kind,
            Route::Auto => line::recognise(&wrapped, &self.catalog),
        };
        let kind = &self.catalog.kinds[usize::from(part.kind)];
        line::scan(&wrapped, &self.catalog, kind, self.limits, &mut part.outline);
        self.kind = part.kind;
        findings.wrapped = wrapped;
        Ok(Shape::Object)
    }

    /// Reads an event that is JSON whole and notes in `outline`, which is cleared first, what it found.
    /// After an error the outline is empty: nothing is to be written into such an event. Of an envelope,
    /// too: [`Extractor::read`] reads the events in it.
    pub fn scan(&mut self, event: &[u8], outline: &mut Outline) -> Result<Shape, Unreadable> {
        self.scan_event(event, false, outline)
    }

    fn scan_event(
        &mut self,
        event: &[u8],
        inner: bool,
        outline: &mut Outline,
    ) -> Result<Shape, Unreadable> {
        // Spans are 32 bits wide.
        if u32::try_from(event.len()).is_err() {
            outline.clear();
            return Err(Unreadable::TooLarge { size: event.len() });
        }
        let shape = self.scan_text(event, inner, outline);
        if !matches!(shape, Ok(Shape::Object | Shape::Other)) {
            outline.clear();
        }
        let depth = self.limits.depth;
        shape.map_err(|(at, trouble)| match trouble {
            Trouble::Flaw(flaw) => Unreadable::Unparsable { at, flaw },
            Trouble::Depth => Unreadable::TooDeep { at, limit: depth },
        })
    }

    fn scan_text(
        &mut self,
        event: &[u8],
        inner: bool,
        outline: &mut Outline,
    ) -> Result<Shape, Stop> {
        self.workshop.begin(event)?;
        let beginning = beginning(event);
        let route = if inner { self.catalog.within(self.route) } else { self.route };
        let mut kind = match route {
            Route::Auto => self.guesses[beginning],
            Route::Kind(kind) => kind,
        };
        loop {
            outline.clear();
            outline.landmarks.resize(self.catalog.landmarks(), None);
            let (shape, signs) = self.pass(event, kind, outline)?;
            if shape == Shape::Other {
                return Ok(shape);
            }
            let decided = match route {
                Route::Auto => self.decide(signs),
                Route::Kind(kind) => kind,
            };
            if decided == kind {
                break;
            }
            kind = decided;
            self.guesses[beginning] = kind;
        }
        if self.catalog.kinds[usize::from(kind)].elements.is_some() {
            if !inner && self.find_elements(event, kind) {
                self.kind = kind;
                return Ok(Shape::Envelope);
            }
            // An envelope within another, or around nothing: what is in it is found all the same.
            kind = self.catalog.discover;
            outline.clear();
            outline.landmarks.resize(self.catalog.landmarks(), None);
            self.pass(event, kind, outline)?;
        }
        self.kind = kind;
        let kind = &self.catalog.kinds[usize::from(kind)];
        if kind.settles {
            let how = (&self.trust, self.limits.every_place);
            kind.settle(&self.workshop.chains, how, event, 0, outline);
        }
        let discovers = match self.discover {
            Discover::Never => false,
            Discover::Fallback => kind.discover && outline.sightings.is_empty(),
            Discover::Always => true,
        };
        if discovers {
            self.discover(event, outline);
        }
        Ok(Shape::Object)
    }

    #[inline]
    fn pass(
        &mut self,
        event: &[u8],
        kind: KindId,
        outline: &mut Outline,
    ) -> Result<(Shape, Signs), Stop> {
        match self.catalog.paths(kind) {
            Ok(paths) => self.workshop.pass(event, kind, paths, self.limits, outline),
            // Those of presets that are compiled in are good, as a test says, and the configured ones
            // were compiled when the catalog was made.
            Err(_) => Ok((Shape::Other, 0)),
        }
    }

    /// The kind of an event with these signs.
    #[inline]
    fn decide(&mut self, signs: Signs) -> KindId {
        let mixed = (signs as u64 ^ (signs >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let decision = &mut self.decisions[(mixed >> 58) as usize];
        if decision.0 != signs {
            *decision = (signs, self.catalog.decide(signs));
        }
        decision.1
    }

    /// Finds the events of an envelope. False when the member holds none.
    fn find_elements(&mut self, event: &[u8], kind: KindId) -> bool {
        let Some(name) = &self.catalog.kinds[usize::from(kind)].elements else { return false };
        self.elements.clear();
        let mut tokens = Tokens::new(event, &self.workshop.stops);
        let depth = usize::from(self.limits.depth);
        // The event was read whole before, so nothing is wrong in it.
        let walk = find_elements(
            &mut tokens,
            name.as_bytes(),
            depth,
            &mut self.workshop.open,
            &mut self.elements,
        );
        walk.is_ok_and(|found| found)
    }

    /// Notes the addresses in all texts of an event.
    #[inline(never)]
    fn discover(&mut self, event: &[u8], outline: &mut Outline) {
        let place = &mut self.place;
        place.begin();
        let words = &self.catalog.kinds[usize::from(self.catalog.any_line)];
        let root = outline.root.open;
        let known = outline.homes.iter().position(|home| home.open == root);
        let home = known.unwrap_or(outline.homes.len()) as u16;
        text::find(event, |found| {
            // A whole value says nothing of its role.
            let is_value =
                event[..found.start].ends_with(b"\"") && !event[..found.start].ends_with(b"\\\"");
            let keyed =
                if is_value { None } else { words.keyed(text::key_before(event, found.start)) };
            let role = keyed.map_or(Role::Unknown, |(_, role)| role);
            place.advance(event, found.start);
            let path = self.catalog.anywhere();
            let text = Span { start: found.start as u32, end: found.end as u32 };
            let address = Address::new(self.limits.decode.meant(found.ip));
            let sighting = Sighting { role, path, address, text, name_steps: 1, home };
            note_anywhere(outline, sighting, self.limits, |out| place.append(event, out));
        });
        if known.is_none() && outline.sightings.iter().any(|sighting| sighting.home == home) {
            outline.homes.push(outline.root);
        }
    }
}

/// Whether an array of JSON goes on like this; a line of text may begin with a time or a word in brackets.
fn begins_array(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    if matches!(rest.first(), None | Some(b'{' | b'[' | b'"' | b']')) {
        return true;
    }
    let Some(end) = rest.iter().position(|byte| matches!(byte, b',' | b']')) else { return false };
    let value = rest[..end].trim_ascii_end();
    // A number begins with a digit or a minus; what else Rust calls a number does not.
    let is_number = matches!(value.first(), Some(b'0'..=b'9' | b'-'))
        && std::str::from_utf8(value).is_ok_and(|value| value.parse::<f64>().is_ok());
    let is_value = is_number || matches!(value, b"true" | b"false" | b"null");
    is_value && (rest[end] == b',' || rest[end + 1..].trim_ascii().is_empty())
}

/// A number for how an event begins, below [`BEGINNINGS`].
#[inline]
fn beginning(event: &[u8]) -> usize {
    let mixed = event.first_chunk::<16>().map_or(event.len() as u64, |first| {
        let bytes = u128::from_le_bytes(*first);
        bytes as u64 ^ ((bytes >> 64) as u64).rotate_left(29)
    });
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

/// Notes where the objects in the member `name` of the outermost object stand: one, or those of an array.
/// Of members with equal names the last counts. False when it holds anything else.
fn find_elements(
    tokens: &mut Tokens<'_>,
    name: &[u8],
    depth: usize,
    open: &mut Vec<u8>,
    elements: &mut Vec<Span>,
) -> Result<bool, Stop> {
    let start = tokens.skip_white(0);
    let mut at = tokens.skip_white(start + 1);
    let mut found = false;
    while tokens.byte(at) == b'"' {
        let name_at = at + 1;
        let (text, value) = tokens.name(at)?;
        let is_it = &tokens.event[name_at..text.end] == name;
        at = if !is_it {
            tokens.skip(value, depth, open)?
        } else if tokens.byte(value) == b'[' {
            elements.clear();
            found = true;
            let mut at = tokens.skip_white(value + 1);
            while tokens.byte(at) != b']' {
                let end = tokens.skip(at, depth, open)?;
                if tokens.byte(at) == b'{' {
                    elements.push(Span { start: at as u32, end: end as u32 });
                } else {
                    found = false;
                }
                at = tokens.skip_white(end);
                if tokens.byte(at) == b',' {
                    at = tokens.skip_white(at + 1);
                }
            }
            at + 1
        } else {
            elements.clear();
            let end = tokens.skip(value, depth, open)?;
            found = tokens.byte(value) == b'{';
            elements.push(Span { start: value as u32, end: end as u32 });
            end
        };
        at = tokens.skip_white(at);
        if tokens.byte(at) == b',' {
            at = tokens.skip_white(at + 1);
        }
    }
    Ok(found)
}
