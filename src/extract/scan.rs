//! One pass over an event's bytes: the addresses at the configured paths, and where
//! something may be written.
//!
//! Only objects and arrays that a path goes through are followed, on a stack of [`Frame`]s;
//! everything else is checked and passed over by `tokens`. Neither recurses, so that a nesting bomb
//! meets the limit and not the end of the stack, and neither allocates once its memory has grown.

use crate::record::{Home, Outline, Role, Sighting, Span, WritingNeeds};

use super::config::Config;
use super::parse::{Reading, read_json};
use super::paths::{ExtractConfigError, Paths, PlaceId};
use super::stops::Stops;
use super::tokens::{LONGEST, Stop, Text, Tokens, Trouble, unescape};
use super::unreadable::{Flaw, Unreadable};

/// What an event is. Only an object can be written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object: the outline tells what was found in it.
    Object,
    /// An array, even of objects, a string, a number …: valid, but nothing is looked for in it and
    /// nothing can be added. It goes out as it came; the outline is empty.
    Other,
}

/// Finds addresses in events. One per worker: it keeps its memory from event to event.
#[derive(Debug)]
pub struct Extractor {
    paths: Paths,
    landmarks: usize,
    limit: usize,
    max_depth: u16,
    stops: Stops,
    frames: Vec<Frame>,
    /// Brackets of what is being passed over.
    open: Vec<u8>,
}

impl Extractor {
    /// Compiles the configured paths and what the profile wants noted.
    pub fn new(config: &Config, needs: &WritingNeeds) -> Result<Self, ExtractConfigError> {
        for (key, value) in [("limit", config.limit), ("max_depth", config.max_depth)] {
            if value == 0 {
                return Err(ExtractConfigError::Zero { key });
            }
        }
        Ok(Self {
            paths: Paths::compile(config, needs)?,
            landmarks: needs.landmarks.len(),
            limit: usize::from(config.limit),
            max_depth: config.max_depth,
            stops: Stops::default(),
            frames: Vec::new(),
            open: Vec::new(),
        })
    }

    /// Reads `event` whole and notes in `outline`, which is cleared first, what it found. After an
    /// error the outline is empty: nothing is to be written into such an event.
    pub fn scan(&mut self, event: &[u8], outline: &mut Outline) -> Result<Shape, Unreadable> {
        outline.clear();
        // Spans are 32 bits wide.
        if u32::try_from(event.len()).is_err() {
            return Err(Unreadable::TooLarge { size: event.len() });
        }
        outline.landmarks.resize(self.landmarks, None);
        let shape = self.scan_text(event, outline).map_err(|(at, trouble)| match trouble {
            Trouble::Flaw(flaw) => Unreadable::Unparsable { at, flaw },
            Trouble::Depth => Unreadable::TooDeep { at, limit: self.max_depth },
        });
        if shape.is_err() {
            outline.clear();
        }
        shape
    }

    fn scan_text(&mut self, event: &[u8], outline: &mut Outline) -> Result<Shape, Stop> {
        let is_ascii = self.stops.mark(event);
        if !is_ascii && simdutf8::basic::from_utf8(event).is_err() {
            // Only now it is asked where.
            let at = std::str::from_utf8(event).map_or_else(|error| error.valid_up_to(), str::len);
            return Err((at, Trouble::Flaw(Flaw::Utf8)));
        }
        if event.starts_with(b"\xef\xbb\xbf") {
            return Err((0, Trouble::Flaw(Flaw::ByteOrderMark)));
        }
        let mut tokens = Tokens::new(event, &self.stops);
        let start = tokens.skip_white(0);
        let (shape, end) = if tokens.byte(start) == b'{' {
            self.frames.clear();
            let mut pass = Pass {
                tokens,
                paths: &self.paths,
                limit: self.limit,
                max_depth: usize::from(self.max_depth),
                frames: &mut self.frames,
                open: &mut self.open,
                outline,
                spelt_member: false,
                plain_member: false,
            };
            let end = pass.event(start)?;
            pass.outline.scattered =
                pass.spelt_member || (pass.outline.dotted && pass.plain_member);
            tokens = pass.tokens;
            (Shape::Object, end)
        } else {
            let end = tokens.skip(start, usize::from(self.max_depth), &mut self.open)?;
            (Shape::Other, end)
        };
        let end = tokens.skip_white(end);
        if end < event.len() {
            return Err((end, Trouble::Flaw(Flaw::Trailing)));
        }
        Ok(shape)
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
    limit: usize,
    max_depth: usize,
    frames: &'a mut Vec<Frame>,
    open: &'a mut Vec<u8>,
    outline: &'a mut Outline,
    /// A noted member is spelt with dots, or something in it is.
    spelt_member: bool,
    /// There is one that is not.
    plain_member: bool,
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
                if let Some((path, role)) = end_of_path {
                    self.sight(path, role, at + 1, text, name_steps);
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
                        self.outline.unreadable += u32::from(end_of_path.is_some());
                        let room = self.room();
                        self.tokens.skip(at, room, self.open)?
                    }
                }
            }
            _ => {
                let end = self.tokens.scalar(at)?;
                self.outline.unreadable += u32::from(end_of_path.is_some() && byte != b'n');
                end
            }
        };
        self.note(note, at, end);
        Ok(Next::Behind(end))
    }

    /// Notes the address in a string, if it is one.
    fn sight(&mut self, path: u16, role: Role, start: usize, text: Text, name_steps: u8) {
        let address = match read_json(self.tokens.event, start, text) {
            Reading::Address(address) => address,
            Reading::Absent => return,
            Reading::Unreadable => {
                self.outline.unreadable += 1;
                return;
            }
        };
        if self.outline.sightings.len() >= self.limit {
            self.outline.left_out += 1;
            return;
        }
        let Some(owner) = self.frames.last().map(|frame| frame.owner as usize) else { return };
        let homes = &mut self.outline.homes;
        let home = *self.frames[owner].home.get_or_insert_with(|| {
            homes.push(Home::default());
            (homes.len() - 1) as u16
        });
        let text = Span { start: start as u32, end: text.end as u32 };
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
        self.max_depth - self.frames.len()
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
