//! An event's bytes: the addresses at the paths of one kind of log, and where something may be
//! written.
//!
//! An event is read whole in one `pass`. Of one that looks like an event before it (`form`) only the
//! values are read. Neither allocates once its memory has grown.

mod form;
mod pass;

use super::catalog::KindId;
use super::config::Config;
use super::parse::Decode;
use super::paths::{Paths, Signs};
use super::several::Chains;
use super::stops::Stops;
use super::tokens::{Stop, Tokens, Trouble};
use super::unreadable::Flaw;
use crate::record::Outline;

use form::Forms;
use pass::{Frame, Pass};

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
    forms: Forms,
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

    /// Reads the event by the paths of a kind. Returns also which signs it has.
    pub(super) fn pass(
        &mut self,
        event: &[u8],
        kind: KindId,
        paths: &Paths,
        limits: Limits,
        outline: &mut Outline,
    ) -> Result<(Shape, Signs), Stop> {
        let mut tokens = Tokens::new(event, &self.stops);
        let start = tokens.skip_white(0);
        let mut signs = 0;
        let mut forms_are_tried = false;
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
                deeds: None,
                spelt_member: false,
                plain_member: false,
                signs: 0,
            };
            forms_are_tried = self.forms.begin();
            if forms_are_tried {
                if let Some(signs) = self.forms.read(kind, &self.stops, &mut pass) {
                    return Ok((Shape::Object, signs));
                }
                pass.deeds = Some(&mut self.forms.deeds);
            }
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
        if forms_are_tried {
            self.forms.learn(kind, (event, &self.stops), outline, signs);
        }
        Ok((shape, signs))
    }
}
