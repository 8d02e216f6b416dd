//! One pass over an event's bytes: the addresses at the paths of one kind of log, and where
//! something may be written.
//!
//! Only objects and arrays that a path goes through are followed, on a stack of [`Frame`]s;
//! everything else is checked and passed over by `tokens`. Neither recurses, so that a nesting bomb
//! meets the limit and not the end of the stack, and neither allocates once its memory has grown.

#![expect(clippy::inline_always, reason = "asked for each address of an event")]

use super::config::{Config, ReadAs};
use super::parse::{Decode, Reading, read_json};
use super::paths::{End, Paths, PlaceId, Signs};
use super::several::Chains;
use super::stops::Stops;
use super::tokens::{LONGEST, Stop, Text, Tokens, Trouble, unescape};
use super::unreadable::Flaw;
use crate::record::{Address, Home, Outline, Sighting, Span};

/// What an event is. Only an object can be written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object: the outline tells what was found in it.
    Object,
    /// An object that holds events, each of which is one by itself.
    Envelope,
    /// An array, even of objects, a string, a number …: valid, but nothing is looked for in it and
    /// nothing can be added. It goes out as it came; the outline is empty.
    Other,
}

/// What a pass works with, kept from event to event.
#[derive(Debug, Default)]
pub(super) struct Workshop {
    pub(super) stops: Stops,
    frames: Vec<Frame>,
    /// Brackets of what is being passed over.
    pub(super) open: Vec<u8>,
    pub(super) chains: Chains,
}

/// What holds for all events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) addresses: usize,
    pub(super) depth: u16,
    pub(super) decode: Decode,
    /// Equal addresses of a text are all noted.
    pub(super) every_place: bool,
}

impl Limits {
    /// As configured.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            addresses: usize::from(config.limit),
            depth: config.max_depth,
            decode: Decode::of(&config.decode),
            every_place: config.every_place,
        }
    }
}

impl Workshop {
    /// Marks the event's stops, and checks that it is text.
    pub(super) fn begin(&mut self, event: &[u8]) -> Result<(), Stop> {
        let is_ascii = self.stops.mark(event);
        if !is_ascii && simdutf8::basic::from_utf8(event).is_err() {
            // Only now it is asked where.
            let at = std::str::from_utf8(event).map_or_else(|error| error.valid_up_to(), str::len);
            return Err((at, Trouble::Flaw(Flaw::Utf8)));
        }
        if event.starts_with(b"\xef\xbb\xbf") {
            return Err((0, Trouble::Flaw(Flaw::ByteOrderMark)));
        }
        Ok(())
    }

    /// Reads the event whole, by these paths. Returns also which signs it has.
    pub(super) fn pass(
        &mut self,
        event: &[u8],
        paths: &Paths,
        limits: Limits,
        outline: &mut Outline,
    ) -> Result<(Shape, Signs), Stop> {
        let mut tokens = Tokens::new(event, &self.stops);
        let start = tokens.skip_white(0);
        let mut signs = 0;
        let (shape, end) = if tokens.byte(start) == b'{' {
            self.frames.clear();
            self.chains.clear();
            let mut pass = Pass {
                tokens,
                paths,
                limits,
                frames: &mut self.frames,
                open: &mut self.open,
                chains: &mut self.chains,
                outline,
                spelt_member: false,
                plain_member: false,
                signs: 0,
            };
            let end = pass.event(start)?;
            pass.outline.scattered =
                pass.spelt_member || (pass.outline.dotted && pass.plain_member);
            tokens = pass.tokens;
            signs = pass.signs;
            (Shape::Object, end)
        } else {
            let end = tokens.skip(start, usize::from(limits.depth), &mut self.open)?;
            (Shape::Other, end)
        };
        let end = tokens.skip_white(end);
        if end < event.len() {
            return Err((end, Trouble::Flaw(Flaw::Trailing)));
        }
        Ok((shape, signs))
    }
}

/// An object or array that a path goes through, while it is being read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    place: PlaceId,
    is_object: bool,
    /// Whether only single steps and no array led here, as a landmark wants it.
    is_plain: bool,
    /// How many steps of a path the name of the nearest member around it spells.
    name_steps: u8,
    /// The frame of the nearest object, which is the home of what is found here; of an object, it
    /// is its own.
    owner: u32,
    /// Where the bracket stands.
    start: u32,
    /// What to note once the end is known, in the frame around this one.
    note: Note,
    /// Of an object: its place in the outline, once an address was found in it.
    home: Option<u16>,
    /// Of an object: its members that matter.
    taken: [Option<Span>; Home::MOST_MEMBERS],
}

/// What a value is to be noted as.
#[derive(Clone, Copy, Debug, Default)]
struct Note {
    member: Option<u8>,
    landmark: Option<u8>,
}

/// One event being read.
struct Pass<'a> {
    tokens: Tokens<'a>,
    paths: &'a Paths,
    limits: Limits,
    frames: &'a mut Vec<Frame>,
    open: &'a mut Vec<u8>,
    chains: &'a mut Chains,
    outline: &'a mut Outline,
    /// A noted member is spelt with dots, or something in it is.
    spelt_member: bool,
    /// There is one that is not.
    plain_member: bool,
    signs: Signs,
}

impl Pass<'_> {
    /// Reads the outermost object, whose brace stands at `start`; returns the place behind it.
    fn event(&mut self, start: usize) -> Result<usize, Stop> {
        self.outline.root.open = start as u32;
        self.push(Paths::ROOT, true, true, 0, start, Note::default())?;
        let mut at = self.tokens.skip_white(start + 1);
        self.outline.root.empty = self.tokens.byte(at) == b'}';
        let mut first = true;
        while let Some(frame) = self.frames.last() {
            let is_object = frame.is_object;
            let close = if is_object { b'}' } else { b']' };
            let byte = self.tokens.byte(at);
            if byte == close {
                self.close(at);
                at = self.tokens.skip_white(at + 1);
                first = false;
                continue;
            }
            if !first {
                if byte != b',' {
                    return self.tokens.unexpected(at);
                }
                at = self.tokens.skip_white(at + 1);
            }
            let before = self.frames.len();
            at = if is_object { self.members(at)? } else { self.elements(at)? };
            // A container was opened, or the present one is at its end.
            first = self.frames.len() > before;
            at = self.tokens.skip_white(at);
        }
        Ok(at)
    }

    /// Reads members of the innermost object, from a name on: up to its closing brace, or into a
    /// container that is to be followed.
    #[inline]
    fn members(&mut self, mut at: usize) -> Result<usize, Stop> {
        let frame = self.frames.len() - 1;
        let Frame { place, is_plain, .. } = self.frames[frame];
        let paths = self.paths;
        let place = paths.place(place);
        loop {
            let (name, value) = self.tokens.name(at)?;
            let text = &self.tokens.event[at + 1..name.end];
            let (edge, scatters) = if name.escaped {
                let mut buffer = [0; LONGEST];
                unescape(text, &mut buffer).map_or((None, false), |name| place.meaning(name))
            } else {
                place.meaning(text)
            };
            self.spelt_member |= scatters;
            let end = match edge {
                None => {
                    let room = self.room();
                    self.tokens.skip(value, room, self.open)?
                }
                Some(edge) => {
                    self.signs |= edge.signs;
                    self.outline.dotted |= edge.steps > 1;
                    let mut note = Note { member: edge.member, landmark: None };
                    let mut to = None;
                    if let Some(id) = edge.to {
                        let place = paths.place(id);
                        if is_plain && edge.steps == 1 {
                            note.landmark = place.landmark;
                            self.forget_landmarks(place.landmarks_within);
                        }
                        to = Some(id);
                    }
                    let is_plain = is_plain && edge.steps == 1;
                    match self.value(value, to, is_plain, edge.steps, note)? {
                        Next::Inside(at) => return Ok(at),
                        Next::Behind(end) => end,
                    }
                }
            };
            if self.tokens.goes_on(end) {
                at = end + 1;
                continue;
            }
            at = self.tokens.skip_white(end);
            if self.tokens.byte(at) != b',' {
                return Ok(at);
            }
            at = self.tokens.skip_white(at + 1);
        }
    }

    /// Reads elements of the innermost array, likewise.
    fn elements(&mut self, mut at: usize) -> Result<usize, Stop> {
        let Frame { place, name_steps, .. } = self.frames[self.frames.len() - 1];
        loop {
            at = match self.value(at, Some(place), false, name_steps, Note::default())? {
                Next::Inside(at) => return Ok(at),
                Next::Behind(end) => self.tokens.skip_white(end),
            };
            if self.tokens.byte(at) != b',' {
                return Ok(at);
            }
            at = self.tokens.skip_white(at + 1);
        }
    }

    /// Reads a value that a path may end at or go through.
    fn value(
        &mut self,
        at: usize,
        to: Option<PlaceId>,
        is_plain: bool,
        name_steps: u8,
        note: Note,
    ) -> Result<Next, Stop> {
        let byte = self.tokens.byte(at);
        let place = to.map(|id| (id, self.paths.place(id)));
        let end_of_path = place.and_then(|(_, place)| place.end);
        let end = match byte {
            b'"' => {
                let text = self.tokens.string(at)?;
                if let Some(end) = end_of_path {
                    self.sight(end, at + 1, text, name_steps);
                }
                text.end + 1
            }
            b'{' | b'[' => {
                let is_object = byte == b'{';
                match place {
                    Some((id, place)) if place.leads_on || (!is_object && place.end.is_some()) => {
                        self.push(id, is_object, is_plain && is_object, name_steps, at, note)?;
                        return Ok(Next::Inside(at + 1));
                    }
                    _ => {
                        self.outline.unreadable +=
                            u32::from(end_of_path.is_some_and(|end| !end.optional));
                        let room = self.room();
                        self.tokens.skip(at, room, self.open)?
                    }
                }
            }
            _ => {
                let end = self.tokens.scalar(at)?;
                if let Some(path) = end_of_path
                    && byte != b'n'
                {
                    self.scalar(path, at, end, name_steps);
                }
                end
            }
        };
        self.note(note, at, end);
        Ok(Next::Behind(end))
    }

    /// Notes the address in a string, if it is one.
    #[inline(always)]
    fn sight(&mut self, end: End, start: usize, text: Text, name_steps: u8) {
        if end.read == ReadAs::Address || end.read == ReadAs::Last {
            match read_json(self.tokens.event, start, text, self.limits.decode) {
                Reading::Address(address) => {
                    let span = Span { start: start as u32, end: text.end as u32 };
                    self.add(end, address, span, name_steps);
                    return;
                }
                Reading::Absent => return,
                Reading::Unreadable => {}
            }
        }
        self.sight_otherwise(end, start, text, name_steps);
    }

    /// Notes the addresses in a string that is no address by itself.
    #[inline(never)]
    fn sight_otherwise(&mut self, end: End, start: usize, text: Text, name_steps: u8) {
        let span = Span { start: start as u32, end: text.end as u32 };
        let before = self.outline.sightings.len() + self.outline.left_out as usize;
        let mut chains = std::mem::take(self.chains);
        let event = self.tokens.event;
        let found = chains.read(
            event,
            span,
            end,
            self.limits,
            self.outline.sightings.len(),
            |address, span| {
                self.add(end, address, span, name_steps);
            },
        );
        *self.chains = chains;
        let after = self.outline.sightings.len() + self.outline.left_out as usize;
        if !found && before == after && !end.optional && end.read != ReadAs::Text {
            self.outline.unreadable += 1;
        }
    }

    /// A number, true or false where an address belongs.
    #[inline(never)]
    fn scalar(&mut self, path: End, start: usize, end: usize, name_steps: u8) {
        let written = &self.tokens.event[start..end];
        match super::several::integer(written).filter(|_| path.read == ReadAs::Integer) {
            Some(address) => {
                let span = Span { start: start as u32, end: end as u32 };
                self.add(path, address, span, name_steps);
            }
            None => self.outline.unreadable += u32::from(!path.optional),
        }
    }

    fn add(&mut self, end: End, address: Address, text: Span, name_steps: u8) {
        if self.outline.sightings.len() >= self.limits.addresses {
            self.outline.left_out += 1;
            return;
        }
        let Some(owner) = self.frames.last().map(|frame| frame.owner as usize) else { return };
        let homes = &mut self.outline.homes;
        let home = *self.frames[owner].home.get_or_insert_with(|| {
            homes.push(Home::default());
            (homes.len() - 1) as u16
        });
        let End { path, role, .. } = end;
        self.outline.sightings.push(Sighting { role, path, address, text, name_steps, home });
    }

    /// Notes a value that the profile asked for, in the innermost object.
    #[inline]
    fn note(&mut self, note: Note, start: usize, end: usize) {
        let span = Some(Span { start: start as u32, end: end as u32 });
        if let Some(member) = note.member
            && let Some(frame) = self.frames.last_mut()
        {
            frame.taken[usize::from(member)] = span;
            self.plain_member = true;
        }
        if let Some(landmark) = note.landmark {
            self.outline.landmarks[usize::from(landmark)] = span;
        }
    }

    /// Of members with equal names the last counts: with it, what an earlier one held is gone.
    #[inline]
    fn forget_landmarks(&mut self, mut within: u64) {
        while within != 0 {
            self.outline.landmarks[within.trailing_zeros() as usize] = None;
            within &= within - 1;
        }
    }

    /// How many more brackets may be opened.
    #[inline]
    fn room(&self) -> usize {
        usize::from(self.limits.depth) - self.frames.len()
    }

    fn push(
        &mut self,
        place: PlaceId,
        is_object: bool,
        is_plain: bool,
        name_steps: u8,
        start: usize,
        note: Note,
    ) -> Result<(), Stop> {
        if self.room() == 0 {
            return Err((start, Trouble::Depth));
        }
        let own = self.frames.len() as u32;
        let owner = match self.frames.last() {
            Some(frame) if !is_object => frame.owner,
            _ => own,
        };
        let taken = [None; Home::MOST_MEMBERS];
        let start = start as u32;
        self.frames.push(Frame {
            place,
            is_object,
            is_plain,
            name_steps,
            owner,
            start,
            note,
            home: None,
            taken,
        });
        Ok(())
    }

    /// Ends the innermost container, whose closing bracket stands at `at`.
    fn close(&mut self, at: usize) {
        let Some(frame) = self.frames.pop() else { return };
        if let Some(home) = frame.home {
            self.outline.homes[usize::from(home)] =
                Home { open: frame.start, close: at as u32, empty: false, taken: frame.taken };
        }
        if self.frames.is_empty() {
            self.outline.root.close = at as u32;
        }
        self.note(frame.note, frame.start as usize, at + 1);
    }
}

/// Where reading goes on after a value.
enum Next {
    /// Behind it.
    Behind(usize),
    /// In it: a frame was pushed.
    Inside(usize),
}
