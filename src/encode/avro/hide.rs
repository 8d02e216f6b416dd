//! Something else in the place of each address of an event, and the lengths around it as they are then.

use std::net::IpAddr;

use super::write::append_count;
use crate::encode::json::append_address;
use crate::encode::privacy::Hiding;
use crate::record::{Address, Length, Outline, Sighting, Span};

/// Writes such events. Keeps its memory from event to event.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    edits: Vec<Edit>,
    lengths: Vec<Length>,
    texts: Vec<u8>,
    event: Vec<u8>,
}

/// Bytes of the event that make way for others.
#[derive(Clone, Copy, Debug)]
struct Edit {
    span: Span,
    text: (usize, usize),
}

impl Edit {
    /// By how much the event grows.
    fn growth(&self) -> i64 {
        (self.text.1 - self.text.0) as i64 - i64::from(self.span.end - self.span.start)
    }
}

impl Hidden {
    /// The event that was written last.
    pub(super) fn event(&self) -> &[u8] {
        &self.event
    }

    /// Writes `event`, which may be the beginning of what the outline is of.
    pub(super) fn write(&mut self, event: &[u8], outline: &Outline, hiding: &Hiding) {
        self.edits.clear();
        self.lengths.clear();
        self.texts.clear();
        self.event.clear();
        let is_in = |end: u32| end as usize <= event.len();
        self.lengths.extend(outline.lengths.iter().filter(|length| is_in(length.end)));
        // The inner ones first, for an outer one counts the bytes of their numbers.
        self.lengths.sort_unstable_by_key(|it| (it.end - it.number.start, it.number.start));
        self.lengths.dedup_by_key(|length| length.number.start);
        for sighting in outline.all_to_hide().filter(|sighting| is_in(sighting.text.end)) {
            self.stand_in(event, sighting, hiding);
        }
        self.edits.sort_unstable_by_key(|edit| edit.span.start);
        // What two paths have found is one.
        self.edits.dedup_by(|later, earlier| later.span.start < earlier.span.end);
        for nth in 0..self.lengths.len() {
            self.count(event, self.lengths[nth]);
        }
        self.edits.sort_unstable_by_key(|edit| edit.span.start);
        let mut copied = 0;
        for Edit { span, text: (from, to) } in &self.edits {
            self.event.extend_from_slice(&event[copied..span.start as usize]);
            self.event.extend_from_slice(&self.texts[*from..*to]);
            copied = span.end as usize;
        }
        self.event.extend_from_slice(&event[copied..]);
    }

    /// What stands for an address: as a text, or as the bytes of which it consists.
    fn stand_in(&mut self, event: &[u8], sighting: &Sighting, hiding: &Hiding) {
        let Sighting { text: span, address, .. } = *sighting;
        let bytes = &event[span.start as usize..span.end as usize];
        let is_whole = |it: &Length| it.number.end == span.start && it.end == span.end;
        let is_whole = self.lengths.iter().any(is_whole);
        let (start, shown) = (self.texts.len(), hiding.shown(address.ip()));
        if self.lengths.iter().any(|it| it.number == span) {
            // A number: nothing but IPv4 can be written as one.
            let number = match shown {
                Some(IpAddr::V4(ip)) => u32::from(ip),
                _ => 0,
            };
            append_number(&mut self.texts, number, bytes);
        } else if octets(bytes).is_some_and(|ip| Address::new(ip) == address) {
            match shown {
                Some(IpAddr::V4(ip)) if bytes.len() == 4 => self.texts.extend(ip.octets()),
                Some(IpAddr::V6(ip)) if bytes.len() == 16 || is_whole => {
                    self.texts.extend(ip.octets());
                }
                Some(IpAddr::V4(ip)) => self.texts.extend(ip.to_ipv6_mapped().octets()),
                // Of a type of four bytes there is no room for more.
                _ => self.texts.resize(start + bytes.len(), 0),
            }
        } else {
            match shown {
                Some(ip) => append_address(&mut self.texts, ip),
                None if is_whole => {}
                None => self.texts.push(b'-'),
            }
        }
        self.edits.push(Edit { span, text: (start, self.texts.len()) });
    }

    /// Writes a length anew where what it counts has grown or shrunk.
    fn count(&mut self, event: &[u8], length: Length) {
        let within =
            |edit: &&Edit| edit.span.start >= length.number.end && edit.span.end <= length.end;
        let growth: i64 = self.edits.iter().filter(within).map(Edit::growth).sum();
        if growth == 0 {
            return;
        }
        let number = &event[length.number.start as usize..length.number.end as usize];
        let bits = number.iter().rev().fold(0_u64, |bits, byte| bits << 7 | u64::from(byte & 0x7f));
        let count = (bits >> 1).saturating_add_signed(growth);
        let start = self.texts.len();
        append_count(&mut self.texts, count);
        self.edits.push(Edit { span: length.number, text: (start, self.texts.len()) });
    }
}

/// A number in the place of another one, which fits wherever that did.
fn append_number(out: &mut Vec<u8>, number: u32, instead_of: &[u8]) {
    let (signed, unsigned) = (i64::from(number.cast_signed()), i64::from(number));
    // Odd is below zero, which only a type of 32 bits has to be.
    let is_negative = instead_of.first().is_some_and(|low| low & 1 == 1);
    let number = if is_negative { signed } else { unsigned };
    let mut bits = (number << 1 ^ number >> 63).cast_unsigned();
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// The address that these bytes are, where they are as many as one has.
fn octets(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}
