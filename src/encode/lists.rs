//! Lists of the whole event: all addresses in one array, where searches look for them, an item for the
//! facts of each, and the tags.

use memchr::memmem;

use super::beside::write_rest;
use super::encoder::{Draft, Event};
use super::path::append_path;
use super::privacy::Hiding;
use super::profile::{Each, Layout, List, Piece, Spot};
use super::writing::Tags;
use crate::record::{Address, Answer, Facts, Outcome, Outline, Reason, Role, Sighting};

/// A sighting whose facts may have something for a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remaining {
    /// Which one.
    pub(super) nth: usize,
    /// A bit for each member that the event has and keeps.
    pub(super) closed: u8,
    /// The role in whose object the other facts are; none where they are listed in the stamp.
    pub(super) role: Option<Role>,
}

/// Plans the profile's lists. `dotted`: the event spells names with dots in them, so that it may have
/// a literal `related.ip`.
pub(super) fn plan(
    draft: &mut Draft,
    layout: &Layout,
    event: Event<'_>,
    facts: &mut dyn Facts,
    remaining: &[Remaining],
    dotted: bool,
) {
    for list in &layout.lists {
        let Some(spot) = list.target.spot(event, dotted) else { continue };
        let any = match list.each {
            Each::Address => addresses(draft, event, list, spot),
            Each::Rest => rests(draft, layout, event, facts, list, spot, remaining),
        };
        if any {
            insert(draft, event, spot);
        }
    }
    if let Some(client) = event.outline.forwarded {
        forwarded(draft, layout, event, client, dotted);
    }
}

/// Writes the client of a chain where the profile has a place for it, and the event nothing.
#[cold]
fn forwarded(draft: &mut Draft, layout: &Layout, event: Event<'_>, client: Address, dotted: bool) {
    let Draft { splice, hiding, .. } = draft;
    let target = layout.forwarded.as_ref().filter(|_| !hiding.drops());
    let Some((target, spot)) = target.and_then(|it| Some((it, it.spot(event, dotted)?))) else {
        return;
    };
    splice.write(|out| {
        target.open(spot, out);
        hiding.append(out, client.ip());
        out.extend_from_slice(target.close(spot));
    });
    insert(draft, event, spot);
}

/// Writes what an item says of its address alone: neither facts nor where they come from.
fn name_address(
    pieces: &[Piece],
    outline: &Outline,
    sighting: &Sighting,
    paths: &[Vec<u8>],
    hiding: &Hiding,
    out: &mut Vec<u8>,
) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Ip => hiding.append(out, sighting.address.ip()),
            Piece::Path => append_path(paths, outline, sighting, out),
            // Of facts; not every address has some.
            Piece::Rest(_) | Piece::Slice(_) => {}
        }
    }
}

/// An item for each address that is not there yet.
fn addresses(draft: &mut Draft, event: Event<'_>, list: &List, spot: Spot) -> bool {
    let Draft { distinct, splice, hiding, paths, .. } = draft;
    if hiding.drops() {
        return false;
    }
    let present = present(event, spot);
    let mut any = false;
    splice.write(|out| {
        let start = out.len();
        list.target.open(spot, out);
        for (nth, sighting) in event.outline.sightings.iter().enumerate() {
            let is_first = if list.by_path {
                distinct.is_first_at_path(nth)
            } else {
                distinct.is_first_in_event(nth)
            };
            if !is_first {
                continue;
            }
            let before_this = out.len();
            if any {
                out.push(b',');
            }
            let text = out.len();
            name_address(&list.item, event.outline, sighting, paths, hiding, out);
            if !present.is_empty() && memmem::find(present, &out[text..]).is_some() {
                out.truncate(before_this);
            } else {
                any = true;
            }
        }
        if any {
            out.extend_from_slice(list.target.close(spot));
        } else {
            out.truncate(start);
        }
    });
    any
}

/// An item for the facts of each address of which there is a rest, unless it is there.
fn rests(
    draft: &mut Draft,
    layout: &Layout,
    event: Event<'_>,
    facts: &mut dyn Facts,
    list: &List,
    spot: Spot,
    remaining: &[Remaining],
) -> bool {
    let present = present(event, spot);
    let mut any = false;
    for one in remaining {
        if !draft.distinct.is_first_at_path(one.nth) {
            continue;
        }
        let sighting = &event.outline.sightings[one.nth];
        let found = draft.fragments.of(&event.answers[one.nth], facts, 0);
        if found.filled() & layout.rest_slices(one.closed, one.role) == 0 {
            continue;
        }
        // Up to what differs from one time to the next.
        let mut is_there = false;
        let Draft { splice, hiding, paths, .. } = &mut *draft;
        let (head, tail) = split(&list.item);
        splice.write(|out| {
            let start = out.len();
            if any {
                out.push(b',');
            } else {
                list.target.open(spot, out);
            }
            let item = out.len();
            name_address(head, event.outline, sighting, paths, hiding, out);
            if !present.is_empty() && memmem::find(present, &out[item..]).is_some() {
                out.truncate(start);
                is_there = true;
            }
        });
        if is_there {
            continue;
        }
        any = true;
        for piece in tail {
            match piece {
                Piece::Rest(opening) => {
                    write_rest(draft, layout, &found, one.closed, one.role, Some(opening));
                }
                Piece::Slice(nth) => {
                    let mut all = found.iter().map(|(fragment, _)| fragment.slice(*nth));
                    if let Some(span) = all.find(|span| span.start < span.end) {
                        draft.splice.kept(span);
                    }
                }
                Piece::Text(text) => draft.splice.text(text),
                Piece::Ip | Piece::Path => {}
            }
        }
    }
    if any {
        draft.splice.text(list.target.close(spot));
    }
    any
}

/// An item up to the facts, and from there on.
fn split(item: &[Piece]) -> (&[Piece], &[Piece]) {
    let is_of_facts = |piece: &Piece| matches!(piece, Piece::Rest(_) | Piece::Slice(_));
    item.split_at(item.iter().position(is_of_facts).unwrap_or(item.len()))
}

/// Plans the tags that are not there yet.
pub(super) fn tags(
    draft: &mut Draft,
    layout: &Layout,
    event: Event<'_>,
    texts: &Tags,
    is_stale: bool,
    dotted: bool,
) {
    let is_unknown = event.answers.iter().any(|answer: &Answer| answer.lacking);
    let reason = match event.outcome {
        Outcome::Partial(reason) => Some(reason),
        _ => None,
    };
    let is_unreadable = event.outline.unreadable > 0;
    if !is_unknown && reason.is_none() && !is_stale && !is_unreadable {
        return;
    }
    let failed = reason.is_some_and(is_failure);
    let all = [
        (is_unknown || reason == Some(Reason::NotFound), &texts.not_found),
        (failed, &texts.lookup_failure),
        (is_unreadable, &texts.invalid_ip),
        (is_stale, &texts.stale),
    ];
    let Some(target) = &layout.tags else { return };
    let Some(spot) = target.spot(event, dotted) else { return };
    let present = present(event, spot);
    let mut any = false;
    draft.splice.write(|out| {
        for (_, tag) in all.iter().filter(|(wanted, _)| *wanted) {
            if tag.text().is_empty() || tag.is_in(present) {
                continue;
            }
            if any {
                out.push(b',');
            } else {
                target.open(spot, out);
            }
            out.extend_from_slice(tag.text());
            any = true;
        }
        if any {
            out.extend_from_slice(target.close(spot));
        }
    });
    if any {
        insert(draft, event, spot);
    }
}

/// Whether an answer that there may be could not be had.
fn is_failure(reason: Reason) -> bool {
    match reason {
        Reason::Deadline
        | Reason::Pace
        | Reason::Budget
        | Reason::Ledger
        | Reason::Breaker
        | Reason::ProviderError
        | Reason::Disabled
        | Reason::Handover => true,
        Reason::NotFound
        | Reason::Unparsable
        | Reason::Schema
        | Reason::Opaque
        | Reason::TooDeep
        | Reason::TooLarge
        | Reason::OutputLimit
        | Reason::Rejected
        | Reason::AddressLimit
        | Reason::UnknownTenant
        | Reason::Internal => false,
    }
}

/// What a list that the event has holds.
fn present(event: Event<'_>, spot: Spot) -> &[u8] {
    match spot {
        Spot::Array(array) => &event.bytes[array.start as usize..array.end as usize],
        _ => b"",
    }
}

/// Puts what was written in its place.
fn insert(draft: &mut Draft, event: Event<'_>, spot: Spot) {
    match spot {
        Spot::Array(value) | Spot::Object(value) => {
            draft.splice.insert_before(event.bytes, value.end - 1);
        }
        Spot::Null(value) | Spot::NullObject(value) => draft.splice.replace(value),
        Spot::Root => draft.splice.insert_before(event.bytes, event.outline.root.close),
    }
}
