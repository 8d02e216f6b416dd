//! Adds the slices of an answer to the plan as members and values.

use crate::encode::encoder::{Draft, Event};
use crate::encode::fragments::{Found, Slices, bits};
use crate::encode::profile::{Layout, Member};
use crate::record::{Role, Sighting, Span};

/// Adds a member behind `opening`, or its value alone; whether the answer has one.
pub(super) fn member(
    draft: &mut Draft,
    member: &Member,
    found: &Found,
    opening: Option<&[u8]>,
) -> bool {
    let slices = 1 << member.slice;
    if member.is_joined {
        return object(draft, found, slices, opening);
    }
    if found.filled() & slices == 0 {
        return false;
    }
    // The one part that has it.
    let mut all = found.iter().filter(|(fragment, _)| fragment.filled() & slices != 0);
    let Some((fragment, source)) = all.next() else { return false };
    draft.contributed.add(*source);
    let span = fragment.slice(member.slice);
    let own = member.opening.len();
    match opening {
        Some(opening) if opening.len() == own => draft.splice.kept(span),
        opening => {
            draft.splice.text(opening.unwrap_or_default());
            draft.splice.kept(Span { start: span.start + own as u32, end: span.end });
        }
    }
    true
}

/// Adds the rest as an object behind `opening`, or its value alone; whether there was anything to add.
pub(in crate::encode) fn rest(
    draft: &mut Draft,
    layout: &Layout,
    found: &Found,
    closed: u8,
    role: Option<Role>,
    opening: Option<&[u8]>,
) -> bool {
    object(draft, found, layout.rest_slices(closed, role), opening)
}

/// Adds an object of what is in these slices of all parts.
fn object(draft: &mut Draft, found: &Found, slices: Slices, opening: Option<&[u8]>) -> bool {
    if found.filled() & slices == 0 {
        return false;
    }
    let Draft { splice, contributed, .. } = draft;
    splice.write(|out| {
        out.extend_from_slice(opening.unwrap_or_default());
        out.push(b'{');
    });
    // The first member has no comma before it.
    let mut comma = 1;
    for (fragment, source) in found.iter() {
        for nth in bits(fragment.filled() & slices) {
            let Span { start, end } = fragment.slice(nth);
            splice.kept(Span { start: start + std::mem::take(&mut comma), end });
            contributed.add(*source);
        }
    }
    splice.text(b"}");
    true
}

/// The member that the address stands in, as a JSON string without the closing quote.
pub(super) const IP: &[u8] = b"\"ip";

/// Adds the address as it is, for an object that has it under another name.
pub(super) fn ip(draft: &mut Draft, sighting: &Sighting) {
    let Draft { splice, hiding, .. } = draft;
    splice.write(|out| {
        out.push(b',');
        out.extend_from_slice(IP);
        out.extend_from_slice(b"\":");
        hiding.append(out, sighting.address.ip());
    });
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
        out.extend_from_slice(IP);
        out.extend_from_slice(b"\":");
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
        let opening = Some(&*one.opening);
        if layout.rest_member == Some(nth) {
            rest(draft, layout, found, 0, role, opening);
        } else if one.is_allowed(role) {
            member(draft, one, found, opening);
        }
    }
}
