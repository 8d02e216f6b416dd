//! Adds the slices of an answer to the plan as members and values.

use crate::encode::encoder::Draft;
use crate::encode::fragments::{Found, Slice};
use crate::encode::json::append_address;
use crate::record::{Sighting, Span};

/// Which facts go into `ip_traits`, beside those of other groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which {
    /// What ECS has no field for of the group `geo`.
    pub(super) geo_rest: bool,
    /// The same of `as`.
    pub(super) as_rest: bool,
    /// The member `as` itself, where ECS does not allow it beside the address.
    pub(super) whole_as: bool,
}

/// Adds a slice that is one member, under `name`, a JSON string, or its value alone; whether the
/// answer has one.
pub(super) fn member(draft: &mut Draft, found: &Found, slice: Slice, name: Option<&[u8]>) -> bool {
    let Some(span) = one(draft, found, slice) else { return false };
    let plain = plain_name_len(slice);
    match name {
        Some(name) if name.len() == plain => draft.splice.kept(span),
        Some(name) => {
            draft.splice.text(b",");
            draft.splice.text(name);
            draft.splice.kept(Span { start: span.start + 1 + plain as u32, end: span.end });
        }
        None => {
            let before = ",:".len() + plain;
            draft.splice.kept(Span { start: span.start + before as u32, end: span.end });
        }
    }
    true
}

/// Adds `ip_traits` under `name`, or its value alone; whether there was anything to add.
pub(super) fn traits(draft: &mut Draft, found: &Found, which: Which, name: Option<&[u8]>) -> bool {
    let slices = [
        (Slice::As, which.whole_as),
        (Slice::GeoRest, which.geo_rest),
        (Slice::AsRest, which.as_rest),
        (Slice::Rest, true),
    ];
    let mut any = false;
    for (fragment, source) in found.iter() {
        for (slice, _) in slices.into_iter().filter(|(_, goes)| *goes) {
            let mut span = fragment.slice(slice);
            if span.start == span.end {
                continue;
            }
            if !any {
                if let Some(name) = name {
                    draft.splice.text(b",");
                    draft.splice.text(name);
                    draft.splice.text(b":{");
                } else {
                    draft.splice.text(b"{");
                }
                span.start += 1;
                any = true;
            }
            draft.splice.kept(span);
            draft.contributed.add(*source);
        }
    }
    if any {
        draft.splice.text(b"}");
    }
    any
}

/// Adds `"ip":…`, all facts and the closing brace, for an object of our own.
pub(super) fn address_and_facts(
    draft: &mut Draft,
    sighting: &Sighting,
    found: &Found,
    beside: bool,
) {
    draft.splice.write(|out| {
        out.extend_from_slice(b"\"ip\":\"");
        append_address(out, sighting.address.ip());
        out.push(b'"');
    });
    member(draft, found, Slice::Geo, Some(b"\"geo\""));
    if beside {
        member(draft, found, Slice::As, Some(b"\"as\""));
    }
    let which = Which { geo_rest: true, as_rest: true, whole_as: !beside };
    traits(draft, found, which, Some(b"\"ip_traits\""));
    draft.splice.text(b"}");
}

/// The slice from the one part that has it; its source has contributed.
fn one(draft: &mut Draft, found: &Found, slice: Slice) -> Option<Span> {
    let mut all = found.iter().map(|(fragment, source)| (fragment.slice(slice), *source));
    let (span, source) = all.find(|(span, _)| span.start < span.end)?;
    draft.contributed.add(source);
    Some(span)
}

/// The length of the name, with quotes, that a slice was rendered with.
fn plain_name_len(slice: Slice) -> usize {
    match slice {
        Slice::Geo => "\"geo\"".len(),
        _ => "\"as\"".len(),
    }
}
