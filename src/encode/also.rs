//! The stamp of profiles that are data, with the facts of addresses that found no place in
//! `ipstamp.also`.

use super::beside::write_facts;
use super::encoder::{Draft, Event};
use super::path::append_path;
use super::profile::{Layout, Placing};
use super::{Existing, stamp};
use crate::record::Facts;

/// Plans the `ipstamp` object; whether it says that something is stale.
pub(super) fn stamp(
    draft: &mut Draft,
    layout: &Layout,
    event: Event<'_>,
    facts: &mut dyn Facts,
    also: &[usize],
    existing: Existing,
) -> bool {
    let Some(seat) = layout.stamp.seat(event, existing) else { return false };
    // The sources stand before the list that they may contribute to.
    for nth in also {
        for (_, source) in draft.fragments.of(&event.answers[*nth], facts, 0).iter() {
            draft.contributed.add(*source);
        }
    }
    let is_stale = stamp::begin(draft, event, facts, &layout.stamp, seat);
    for (item, nth) in also.iter().enumerate() {
        draft.splice.text(if item == 0 { b",\"also\":[{\"path\":" } else { b",{\"path\":" });
        let sighting = &event.outline.sightings[*nth];
        let found = draft.fragments.of(&event.answers[*nth], facts, 0);
        let Draft { splice, hiding, paths, .. } = &mut *draft;
        splice.write(|out| append_path(paths, event.outline, sighting, out));
        if !hiding.drops() {
            splice.write(|out| {
                out.extend_from_slice(b",\"ip\":");
                hiding.append(out, sighting.address.ip());
            });
        }
        match layout.place {
            Placing::Beside => write_facts(draft, layout, &found, None),
            Placing::Flat => {
                for (fragment, _) in found.iter() {
                    for member in &layout.members {
                        draft.splice.kept(fragment.slice(member.slice));
                    }
                }
            }
        }
        draft.splice.text(b"}");
    }
    draft.splice.text(if also.is_empty() { b"}" } else { b"]}" });
    stamp::end(draft, event, seat);
    is_stale
}
