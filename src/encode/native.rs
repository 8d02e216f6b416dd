//! The profile `native`: everything in one list under `ipstamp`, in ipstamp's own names.

use super::encoder::{Draft, Event};
use super::fragments::Slice;
use super::json::append_address;
use super::path::append_path;
use super::stamp::{Seat, StampPlace};
use super::{Existing, stamp};
use crate::record::{Answer, Facts, WritingNeeds};

/// What the scanner is to note.
pub(super) fn needs() -> WritingNeeds {
    WritingNeeds { members: Vec::new(), landmarks: vec!["ipstamp".to_owned()] }
}

/// Where the stamp stands.
pub(super) fn place() -> StampPlace {
    StampPlace::new(None, 0, "ipstamp")
}

/// Plans the `ipstamp` object; nothing where the event has one of its own that is kept.
pub(super) fn plan(
    draft: &mut Draft,
    event: Event<'_>,
    facts: &mut dyn Facts,
    place: &StampPlace,
    existing: Existing,
) {
    if let Some(seat) = place.seat(event, existing) {
        write(draft, event, facts, place, seat);
    }
}

/// Plans it as a value of its own.
pub(super) fn plan_alone(
    draft: &mut Draft,
    event: Event<'_>,
    facts: &mut dyn Facts,
    place: &StampPlace,
) {
    write(draft, event, facts, place, Seat::Alone);
}

fn write(
    draft: &mut Draft,
    event: Event<'_>,
    facts: &mut dyn Facts,
    place: &StampPlace,
    seat: Seat,
) {
    // The sources stand before the items, so there is a first round for them.
    for answer in event.answers {
        for (_, source) in draft.fragments.of(answer, facts, 0).iter() {
            draft.contributed.add(*source);
        }
    }
    stamp::begin(draft, event, facts, place, seat);
    draft.splice.text(b",\"addresses\":[");
    items(draft, event, facts);
    draft.splice.text(b"]}");
    stamp::end(draft, event, seat);
}

fn items(draft: &mut Draft, event: Event<'_>, facts: &mut dyn Facts) {
    let mut comma: &[u8] = b"";
    for (nth, sighting) in event.outline.sightings.iter().enumerate() {
        if !draft.distinct.is_first_at_path(nth) {
            continue;
        }
        let answer = event.answers.get(nth).copied().unwrap_or(Answer::default());
        let found = draft.fragments.of(&answer, facts, 0);
        if found.is_empty() && !sighting.address.is_global() {
            continue;
        }
        let Draft { splice, hiding, paths, .. } = &mut *draft;
        let shown = hiding.shown(sighting.address.ip());
        splice.write(|out| {
            out.extend_from_slice(comma);
            out.extend_from_slice(b"{\"path\":");
            append_path(paths, event.outline, sighting, out);
            out.extend_from_slice(b",\"role\":\"");
            out.extend_from_slice(sighting.role.name().as_bytes());
            if let Some(ip) = shown {
                out.extend_from_slice(b"\",\"ip\":\"");
                append_address(out, ip);
            }
            out.extend_from_slice(b"\",\"scope\":\"");
            out.extend_from_slice(sighting.address.scope().name().as_bytes());
            out.push(b'"');
        });
        for (fragment, _) in found.iter() {
            draft.splice.kept(fragment.slice(Slice::LAST));
        }
        draft.splice.text(b"}");
        comma = b",";
    }
}
