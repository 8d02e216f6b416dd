//! Adds the slices of an answer to the plan as members and values.

use crate::encode::encoder::{Draft, Event};
use crate::encode::fragments::Found;
use crate::encode::profile::{Layout, Member};
use crate::record::{Role, Sighting, Span};

/// Adds a member under `name`, a JSON string, or its value alone; whether the answer has one.
pub(super) fn member(
    draft: &mut Draft,
    member: &Member,
    found: &Found,
    name: Option<&[u8]>,
) -> bool {
    if member.is_joined {
        let slices = [(member.slice, true)];
        return object(draft, found, &slices, name);
    }
    let Some(span) = one(draft, found, member.slice) else { return false };
    let plain = member.quoted.len() as u32;
    match name {
        Some(name) if name.len() == member.quoted.len() => draft.splice.kept(span),
        Some(name) => {
            draft.splice.text(b",");
            draft.splice.text(name);
            draft.splice.kept(Span { start: span.start + 1 + plain, end: span.end });
        }
        None => {
            let before = ",:".len() as u32 + plain;
            draft.splice.kept(Span { start: span.start + before, end: span.end });
        }
    }
    true
}

/// Adds the rest as an object under `name`, or its value alone; whether there was anything to add.
pub(in crate::encode) fn rest(
    draft: &mut Draft,
    layout: &Layout,
    found: &Found,
    closed: u8,
    role: Option<Role>,
    name: Option<&[u8]>,
) -> bool {
    let mut slices = [(0, false); MOST_RESTS];
    for (slice, (nth, gate)) in slices.iter_mut().zip(&layout.rest) {
        *slice = (*nth, gate.is_open(&layout.members, closed, role));
    }
    object(draft, found, &slices[..layout.rest.len().min(MOST_RESTS)], name)
}

/// The rest has as many parts as there are slices and members at most.
const MOST_RESTS: usize = 16;

/// Adds an object of what is in these slices of all parts, as far as each of them is wanted.
fn object(draft: &mut Draft, found: &Found, slices: &[(usize, bool)], name: Option<&[u8]>) -> bool {
    let mut any = false;
    for (fragment, source) in found.iter() {
        for (slice, _) in slices.iter().filter(|(_, goes)| *goes) {
            let mut span = fragment.slice(*slice);
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

/// Adds the address as the event spells it and as it is, for an object of our own.
pub(super) fn address(draft: &mut Draft, layout: &Layout, event: Event<'_>, sighting: &Sighting) {
    let Draft { splice, hiding, .. } = draft;
    splice.write(|out| {
        let start = out.len();
        let raw = event.bytes.get(sighting.text.start as usize..sighting.text.end as usize);
        if let (Some(name), Some(raw)) = (&layout.raw, raw.filter(|_| hiding.keeps())) {
            out.extend_from_slice(&name[1..]);
            out.extend_from_slice(raw);
            out.push(b'"');
        }
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(b"\"ip\":");
        hiding.append(out, sighting.address.ip());
    });
}

/// Adds all facts as further members of an object of our own, those that the schema has in the object
/// of a role.
pub(in crate::encode) fn facts(
    draft: &mut Draft,
    layout: &Layout,
    found: &Found,
    role: Option<Role>,
) {
    for (nth, one) in layout.members.iter().enumerate() {
        let name = &one.quoted;
        if layout.rest_member == Some(nth) {
            rest(draft, layout, found, 0, role, Some(name));
        } else if one.is_allowed(role) {
            member(draft, one, found, Some(name));
        }
    }
}

/// The slice from the one part that has it; its source has contributed.
fn one(draft: &mut Draft, found: &Found, slice: usize) -> Option<Span> {
    let mut all = found.iter().map(|(fragment, source)| (fragment.slice(slice), *source));
    let (span, source) = all.find(|(span, _)| span.start < span.end)?;
    draft.contributed.add(source);
    Some(span)
}
