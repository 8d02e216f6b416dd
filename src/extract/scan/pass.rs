//! One pass over an event, which notes what stands at the paths.
//!
//! Only objects and arrays that a path goes through are followed, on a stack of [`Frame`]s;
//! everything else is checked and passed over by `tokens`. Neither recurses, so that a nesting bomb
//! meets the limit and not the end of the stack.

#![expect(clippy::inline_always, reason = "asked for each address of an event")]

use super::super::config::ReadAs;
use super::super::parse::{Reading, read_json};
use super::super::paths::{End, Paths, PlaceId, Signs};
use super::super::several::{Chains, integer};
use super::super::tokens::{LONGEST, Stop, Text, Tokens, Trouble, unescape};
use super::Limits;
use super::form::{Deeds, Noted};
use crate::record::{Address, Home, Outline, Sighting, Span};

/// An object or array that a path goes through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    place: PlaceId,
    is_object: bool,
    /// Whether only single steps and no array led here, as a landmark wants it.
    is_plain: bool,
    /// How many steps of a path the name of the nearest member around it spells.
    name_steps: u8,
    /// What to note once the end is known, in the frame around this one.
    note: Note,
}

/// The same, while it is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    opened: Opened,
    /// The frame of the nearest object, which is the home of what is found here; of an object, it
    /// is its own.
    owner: u32,
    /// Where the bracket stands.
    start: u32,
    /// Of an object: its place in the outline, once an address was found in it.
    home: Option<u16>,
    /// Of an object: its members that matter.
    taken: [Option<Span>; Home::MOST_MEMBERS],
}

/// What a value is to be noted as.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Note {
    member: Option<u8>,
    landmark: Option<u8>,
}

impl Note {
    pub(super) fn is_empty(self) -> bool {
        self.member.is_none() && self.landmark.is_none()
    }
}

/// One event being read.
pub(super) struct Pass<'a> {
    pub(super) tokens: Tokens<'a>,
    pub(super) paths: &'a Paths,
    pub(super) limits: Limits,
    pub(super) frames: &'a mut Vec<Frame>,
    pub(super) open: &'a mut Vec<u8>,
    pub(super) chains: &'a mut Chains,
    pub(super) outline: &'a mut Outline,
    /// Of an event that is to be learnt: what was done where.
    pub(super) deeds: Option<&'a mut Deeds>,
    /// A noted member is spelt with dots, or something in it is.
    pub(super) spelt_member: bool,
    /// There is one that is not.
    pub(super) plain_member: bool,
    pub(super) signs: Signs,
}

impl Pass<'_> {
    /// Reads the outermost object, whose brace stands at `start`; returns the place behind it.
    pub(super) fn event(&mut self, start: usize) -> Result<usize, Stop> {
        self.outline.root.open = start as u32;
        let (place, note) = (Paths::ROOT, Note::default());
        self.open(start, Opened { place, is_object: true, is_plain: true, name_steps: 0, note })?;
        let mut at = self.tokens.skip_white(start + 1);
        self.outline.root.empty = self.tokens.byte(at) == b'}';
        let mut first = true;
        while let Some(frame) = self.frames.last() {
            let is_object = frame.opened.is_object;
            let close = if is_object { b'}' } else { b']' };
            let byte = self.tokens.byte(at);
            if byte == close {
                if let Some(deeds) = &mut self.deeds {
                    deeds.close(at);
                }
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
        let Opened { place, is_plain, .. } = self.frames[frame].opened;
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
                            if let Some(deeds) = &mut self.deeds {
                                deeds.forget(value, place.landmarks_within);
                            }
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
        let Opened { place, name_steps, .. } = self.frames[self.frames.len() - 1].opened;
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
        let noted = Noted { end: place.and_then(|(_, place)| place.end), name_steps, note };
        if byte == b'{' || byte == b'[' {
            let is_object = byte == b'{';
            match place {
                Some((place, goes)) if goes.leads_on || (!is_object && goes.end.is_some()) => {
                    let is_plain = is_plain && is_object;
                    self.open(at, Opened { place, is_object, is_plain, name_steps, note })?;
                    return Ok(Next::Inside(at + 1));
                }
                _ => {}
            }
            self.outline.unreadable += u32::from(noted.end.is_some_and(|end| !end.optional));
            let room = self.room();
            let end = self.tokens.skip(at, room, self.open)?;
            if let Some(deeds) = &mut self.deeds {
                deeds.container(at, end, noted);
            }
            self.note(note, at, end);
            return Ok(Next::Behind(end));
        }
        if let Some(deeds) = &mut self.deeds {
            deeds.value(at, noted);
        }
        if byte == b'"' {
            let text = self.tokens.string(at)?;
            self.text_value(at + 1, text, &noted);
            return Ok(Next::Behind(text.end + 1));
        }
        let end = self.tokens.scalar(at)?;
        self.scalar_value(at, end, &noted);
        Ok(Next::Behind(end))
    }

    /// Notes what there is to be noted of a string whose text begins at `start`.
    #[inline(always)]
    pub(super) fn text_value(&mut self, start: usize, text: Text, noted: &Noted) {
        if let Some(end) = noted.end {
            self.sight(end, start, text, noted.name_steps);
        }
        self.note(noted.note, start - 1, text.end + 1);
    }

    /// Of a number, true, false or null.
    #[inline(always)]
    pub(super) fn scalar_value(&mut self, start: usize, end: usize, noted: &Noted) {
        if let Some(path) = noted.end
            && self.tokens.byte(start) != b'n'
        {
            self.scalar(path, start, end, noted.name_steps);
        }
        self.note(noted.note, start, end);
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
        match integer(written).filter(|_| path.read == ReadAs::Integer) {
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
    pub(super) fn note(&mut self, note: Note, start: usize, end: usize) {
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
    pub(super) fn forget_landmarks(&mut self, mut within: u64) {
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

    /// Begins with a container whose bracket stands at `start`.
    fn open(&mut self, start: usize, opened: Opened) -> Result<(), Stop> {
        if let Some(deeds) = &mut self.deeds {
            deeds.open(start, opened);
        }
        self.push(start, opened)
    }

    pub(super) fn push(&mut self, start: usize, opened: Opened) -> Result<(), Stop> {
        if self.room() == 0 {
            return Err((start, Trouble::Depth));
        }
        let own = self.frames.len() as u32;
        let owner = match self.frames.last() {
            Some(frame) if !opened.is_object => frame.owner,
            _ => own,
        };
        let taken = [None; Home::MOST_MEMBERS];
        let start = start as u32;
        self.frames.push(Frame { opened, owner, start, home: None, taken });
        Ok(())
    }

    /// Forgets what was noted so far.
    pub(super) fn forget(&mut self) {
        let landmarks = self.outline.landmarks.len();
        self.outline.clear();
        self.outline.landmarks.resize(landmarks, None);
        self.frames.clear();
        self.chains.clear();
        (self.spelt_member, self.plain_member, self.signs) = (false, false, 0);
    }

    /// Ends the innermost container, whose closing bracket stands at `at`.
    pub(super) fn close(&mut self, at: usize) {
        let Some(frame) = self.frames.pop() else { return };
        if let Some(home) = frame.home {
            self.outline.homes[usize::from(home)] =
                Home { open: frame.start, close: at as u32, empty: false, taken: frame.taken };
        }
        if self.frames.is_empty() {
            self.outline.root.close = at as u32;
        }
        self.note(frame.opened.note, frame.start as usize, at + 1);
    }
}

/// Where reading goes on after a value.
enum Next {
    /// Behind it.
    Behind(usize),
    /// In it: a frame was pushed.
    Inside(usize),
}
