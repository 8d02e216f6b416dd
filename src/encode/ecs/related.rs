//! `related.ip`: all addresses of an event in one array, where searches look for them.

use memchr::memmem;

use crate::encode::encoder::{Draft, Event};
use crate::encode::json::append_address;
use crate::encode::members;
use crate::record::Span;

/// Where the addresses go.
#[derive(Clone, Copy)]
enum Target {
    /// Behind the items of an array that the event has.
    Array(Span),
    /// A new array for a value that is null.
    Null(Span),
    /// A new member `ip` of an object that the event has.
    Object(Span),
    /// A new object for a value that is null.
    NullObject(Span),
    /// A new object in the root.
    Root,
}

/// Plans the addresses that are not there yet. `dotted`: the event spells names with dots in them,
/// so that it may have a literal `related.ip`.
pub(super) fn plan(draft: &mut Draft, event: Event<'_>, dotted: bool) {
    let Some(target) = target(event, dotted) else { return };
    let (before, after): (&[u8], &[u8]) = match target {
        Target::Array(_) => (b",", b""),
        Target::Null(_) => (b"[", b"]"),
        Target::Object(_) => (b",\"ip\":[", b"]"),
        Target::NullObject(_) => (b"{\"ip\":[", b"]}"),
        Target::Root => (b",\"related\":{\"ip\":[", b"]}"),
    };
    let present = match target {
        Target::Array(array) => &event.bytes[array.start as usize..array.end as usize],
        _ => b"",
    };
    let distinct = &draft.distinct;
    let mut any = false;
    draft.splice.write(|out| {
        let start = out.len();
        out.extend_from_slice(before);
        for (nth, sighting) in event.outline.sightings.iter().enumerate() {
            if !distinct.is_first_in_event(nth) {
                continue;
            }
            let before_this = out.len();
            if any {
                out.push(b',');
            }
            let text = out.len();
            out.push(b'"');
            append_address(out, sighting.address.ip());
            out.push(b'"');
            if !present.is_empty() && memmem::find(present, &out[text..]).is_some() {
                out.truncate(before_this);
            } else {
                any = true;
            }
        }
        if any {
            out.extend_from_slice(after);
        } else {
            out.truncate(start);
        }
    });
    match target {
        Target::Array(value) | Target::Object(value) => {
            draft.splice.insert_before(event.bytes, value.end - 1);
        }
        Target::Null(value) | Target::NullObject(value) => draft.splice.replace(value),
        Target::Root => draft.splice.insert_before(event.bytes, event.outline.root.close),
    }
}

/// None when the event has something else there, which is left alone.
fn target(event: Event<'_>, dotted: bool) -> Option<Target> {
    let landmark = |nth: usize| event.outline.landmarks.get(nth).copied().flatten();
    let first_byte = |value: Span| event.bytes.get(value.start as usize).copied();
    let array = |value: Span| match first_byte(value) {
        Some(b'[') => Some(Target::Array(value)),
        Some(b'n') => Some(Target::Null(value)),
        _ => None,
    };
    if dotted
        && let Some(value) = members::find(event.bytes, &event.outline.root, b"\"related.ip\"")
    {
        return array(value);
    }
    let Some(related) = landmark(super::RELATED) else { return Some(Target::Root) };
    match first_byte(related) {
        // Of two members `related` the last counts, so its `ip` must be inside of it.
        Some(b'{') => match landmark(super::RELATED_IP).filter(|ip| ip.start > related.start) {
            Some(value) => array(value),
            None => Some(Target::Object(related)),
        },
        Some(b'n') => Some(Target::NullObject(related)),
        _ => None,
    }
}
