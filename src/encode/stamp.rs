//! The `ipstamp` object: its place, and its beginning, which says how the record ended and which
//! sources contributed.

use std::io::Write as _;

use super::encoder::{Desk, Event};
use super::{Existing, members};
use crate::record::{Home, Span};

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

/// Where the stamp goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seat {
    /// Behind the last member of the event.
    New,
    /// In the place of this value.
    Of(Span),
}

/// Where the stamp goes in an event that has `taken` in that place; none when that is to be kept:
/// it is neither `null` nor a stamp from an earlier time.
pub(super) fn seat(event: Event<'_>, taken: Option<Span>, existing: Existing) -> Option<Seat> {
    let Some(value) = taken else { return Some(Seat::New) };
    let makes_way =
        existing == Existing::Replace || event.is_null(value) || is_stamp(event.bytes, value);
    makes_way.then_some(Seat::Of(value))
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

/// Writes the stamp's beginning: `{"outcome":…,"reason":…,"sources":[…],"left_out":…`. Names of
/// outcomes and reasons need no escapes.
pub(super) fn begin(desk: &mut Desk, event: Event<'_>, seat: Seat) {
    let Desk { splice, contributed, sources, .. } = desk;
    let outcome = event.outcome;
    splice.write(|out| {
        if let Seat::New = seat {
            out.extend_from_slice(b",\"ipstamp\":");
        }
        out.extend_from_slice(b"{\"outcome\":\"");
        out.extend_from_slice(outcome.name().as_bytes());
        if let Some(reason) = outcome.reason() {
            out.extend_from_slice(b"\",\"reason\":\"");
            out.extend_from_slice(reason.name().as_bytes());
        }
        out.extend_from_slice(b"\",\"sources\":[");
        let mut names = contributed.iter().filter_map(|source| sources.get(source));
        if let Some(name) = names.next() {
            out.extend_from_slice(name);
        }
        for name in names {
            out.push(b',');
            out.extend_from_slice(name);
        }
        out.push(b']');
        if event.outline.left_out > 0 {
            // A Vec takes whatever is written to it.
            let _ = write!(out, ",\"left_out\":{}", event.outline.left_out);
        }
    });
}

/// Puts what was written since [`begin`] in its place.
pub(super) fn end(desk: &mut Desk, event: Event<'_>, seat: Seat) {
    match seat {
        Seat::New => desk.splice.insert_before(event.bytes, event.outline.root.close),
        Seat::Of(value) => desk.splice.replace(value),
    }
}
