//! Adds the slices of an answer to the plan as members and values.

use crate::encode::encoder::Desk;
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
pub(super) fn member(desk: &mut Desk, found: &Found, slice: Slice, name: Option<&[u8]>) -> bool {
    let Some(span) = one(desk, found, slice) else { return false };
    let plain = plain_name_len(slice);
    match name {
        Some(name) if name.len() == plain => desk.splice.kept(span),
        Some(name) => {
            desk.splice.text(b",");
            desk.splice.text(name);
            desk.splice.kept(Span { start: span.start + 1 + plain as u32, end: span.end });
        }
        None => {
            let before = ",:".len() + plain;
            desk.splice.kept(Span { start: span.start + before as u32, end: span.end });
        }
    }
    true
}

/// Adds `ip_traits` under `name`, or its value alone; whether there was anything to add.
pub(super) fn traits(desk: &mut Desk, found: &Found, which: Which, name: Option<&[u8]>) -> bool {
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
                    desk.splice.text(b",");
                    desk.splice.text(name);
                    desk.splice.text(b":{");
                } else {
                    desk.splice.text(b"{");
                }
                span.start += 1;
                any = true;
            }
            desk.splice.kept(span);
            desk.contributed.add(*source);
        }
    }
    if any {
        desk.splice.text(b"}");
    }
    any
}

/// Adds `"ip":…`, all facts and the closing brace, for an object of our own.
pub(super) fn address_and_facts(desk: &mut Desk, sighting: &Sighting, found: &Found, beside: bool) {
    desk.splice.write(|out| {
        out.extend_from_slice(b"\"ip\":\"");
        append_address(out, sighting.address.ip());
        out.push(b'"');
    });
    member(desk, found, Slice::Geo, Some(b"\"geo\""));
    if beside {
        member(desk, found, Slice::As, Some(b"\"as\""));
    }
    let which = Which { geo_rest: true, as_rest: true, whole_as: !beside };
    traits(desk, found, which, Some(b"\"ip_traits\""));
    desk.splice.text(b"}");
}

/// The slice from the one part that has it; its source has contributed.
fn one(desk: &mut Desk, found: &Found, slice: Slice) -> Option<Span> {
    let mut all = found.iter().map(|(fragment, source)| (fragment.slice(slice), *source));
    let (span, source) = all.find(|(span, _)| span.start < span.end)?;
    desk.contributed.add(source);
    Some(span)
}

/// The length of the name, with quotes, that a slice was rendered with.
fn plain_name_len(slice: Slice) -> usize {
    match slice {
        Slice::Geo => "\"geo\"".len(),
        _ => "\"as\"".len(),
    }
}
