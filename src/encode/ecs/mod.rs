//! The profile `ecs`: facts beside each address, as the Elastic Common Schema has it. The rules are
//! in [`crate::encode`].

mod place;
mod related;
mod render;
mod scattered;
mod write;

use place::{PLAIN, Places};
pub(super) use render::render;
use scattered::{Scattered, Taken};
use write::Which;

use super::encoder::{Draft, Event};
use super::fragments::{Found, Slice};
use super::{Existing, members, stamp};
use crate::record::{Facts, Role, Sighting, Span, WritingNeeds};

/// The members that are written beside an address, in the order of [`WritingNeeds::members`].
const MEMBERS: [&str; 3] = ["geo", "as", "ip_traits"];
const GEO: usize = 0;
const AS: usize = 1;
const TRAITS: usize = 2;

/// The places of the landmarks in [`WritingNeeds::landmarks`].
const RELATED: usize = 0;
const RELATED_IP: usize = 1;
const IPSTAMP: usize = 2;

/// What the scanner is to note.
pub(super) fn needs() -> WritingNeeds {
    WritingNeeds { members: MEMBERS.to_vec(), landmarks: vec!["related", "related.ip", "ipstamp"] }
}

/// What there is of a member that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Nothing.
    Free,
    /// A value that makes way.
    Replaced(Span),
    /// A value that stays.
    Occupied,
}

/// Plans events in this profile; keeps its memory from event to event.
#[derive(Debug)]
pub(super) struct Ecs {
    existing: Existing,
    places: Places,
    /// By home and prefix: whether an address has spoken for it.
    spoken: Vec<bool>,
    /// By object, whatever its spelling: the home of the first address that has spoken for it. Only
    /// where names have dots.
    speakers: Vec<Option<u16>>,
    /// By role: whether its object in the root can be written, as far as that was asked.
    role_free: [Option<bool>; Role::ALL.len()],
    /// The sightings whose facts found no place.
    also: Vec<usize>,
    scattered: Scattered,
}

impl Ecs {
    pub(super) fn new(existing: Existing, paths: &[String]) -> Self {
        let places = Places::new(paths);
        Self {
            existing,
            places,
            spoken: Vec::new(),
            speakers: Vec::new(),
            role_free: [None; Role::ALL.len()],
            also: Vec::new(),
            scattered: Scattered::default(),
        }
    }

    /// Plans the facts beside each address, then `related.ip`, then `ipstamp`.
    pub(super) fn plan(&mut self, draft: &mut Draft, event: Event<'_>, facts: &mut dyn Facts) {
        self.spoken.clear();
        self.spoken.resize(event.outline.homes.len() * self.places.prefix_count(), false);
        self.role_free = [None; Role::ALL.len()];
        self.also.clear();
        self.scattered.clear();
        if event.outline.dotted {
            self.speakers.clear();
            self.speakers.resize(self.places.path_count(), None);
        }
        let mut dotted = false;
        for (nth, sighting) in event.outline.sightings.iter().enumerate() {
            dotted |= sighting.name_steps > 1;
            let Some(answer) = event.answers.get(nth) else { continue };
            let found = draft.fragments.of(answer, facts);
            if !found.is_empty() {
                self.put(draft, event, nth, &found);
            }
        }
        if event.outline.scattered {
            self.scattered.take_out(draft, event.bytes);
        }
        related::plan(draft, event, dotted);
        self.stamp(draft, event, facts);
    }

    /// Finds the place for the facts of one sighting.
    fn put(&mut self, draft: &mut Draft, event: Event<'_>, nth: usize, found: &Found) {
        let sighting = &event.outline.sightings[nth];
        if let Some(prefix) = self.places.beside(sighting) {
            let place = usize::from(sighting.home) * self.places.prefix_count() + prefix;
            let is_first = !std::mem::replace(&mut self.spoken[place], true);
            if is_first && !(event.outline.dotted && self.is_spoken_for(event, sighting)) {
                self.beside(draft, event, sighting, prefix, found);
                return;
            }
        } else if draft.distinct.is_first_at_path(nth) && self.take_role(event, sighting.role) {
            draft.splice.text(b",\"");
            draft.splice.text(sighting.role.name().as_bytes());
            draft.splice.text(b"\":{");
            write::address_and_facts(draft, sighting, found, allows_as(sighting.role));
            draft.splice.insert_before(event.bytes, event.outline.root.close);
            return;
        }
        if draft.distinct.is_first_at_path(nth) {
            self.also.push(nth);
        }
    }

    /// Whether another address has spoken for the same object in another spelling.
    fn is_spoken_for(&mut self, event: Event<'_>, sighting: &Sighting) -> bool {
        let speaker = &mut self.speakers[self.places.object(sighting)];
        let first = *speaker.get_or_insert(sighting.home);
        if first == sighting.home {
            return false;
        }
        let homes = [first, sighting.home].map(|home| &event.outline.homes[usize::from(home)]);
        let (steps, _) = self.places.steps(sighting, GEO);
        self.scattered.are_one(event, homes, steps)
    }

    /// Whether the root has room for an object named like the role: it has no such member, and none
    /// that is spelt as one inside. It has room but once.
    fn take_role(&mut self, event: Event<'_>, role: Role) -> bool {
        if matches!(role, Role::Unknown | Role::Proxy) {
            return false;
        }
        let free = self.role_free[role as usize].unwrap_or_else(|| {
            !members::has(event.bytes, &event.outline.root, self.places.opened_role(role))
        });
        self.role_free[role as usize] = Some(false);
        free
    }

    /// Writes the facts into the address's own object.
    fn beside(
        &mut self,
        draft: &mut Draft,
        event: Event<'_>,
        sighting: &Sighting,
        prefix: usize,
        found: &Found,
    ) {
        let mut rooms = [GEO, AS, TRAITS].map(|member| self.room(event, sighting, prefix, member));
        let whole_as = !allows_as(sighting.role);
        if whole_as {
            // What stands there is none of ours and says nothing about `ip_traits`.
            rooms[AS] = Room::Occupied;
        }
        let which = Which {
            geo_rest: rooms[GEO] != Room::Occupied,
            as_rest: whole_as || rooms[AS] != Room::Occupied,
            whole_as,
        };
        let write = |draft: &mut Draft, member: usize, name: Option<&[u8]>| match member {
            GEO => write::member(draft, found, Slice::Geo, name),
            AS => write::member(draft, found, Slice::As, name),
            _ => write::traits(draft, found, which, name),
        };
        let mut written = [false; MEMBERS.len()];
        for member in [GEO, AS, TRAITS] {
            if let Room::Replaced(value) = rooms[member] {
                written[member] = write(draft, member, None);
                if written[member] {
                    draft.splice.replace(value);
                }
            }
        }
        let names = self.places.names(prefix);
        for member in [GEO, AS, TRAITS] {
            if rooms[member] == Room::Free {
                written[member] = write(draft, member, Some(&names[member]));
            }
        }
        let home = &event.outline.homes[usize::from(sighting.home)];
        draft.splice.insert_before(event.bytes, home.close);
        if event.outline.scattered {
            let anew = [GEO, AS, TRAITS].into_iter().filter(|member| written[*member]);
            anew.for_each(|member| self.scattered.leave(member));
        }
    }

    /// What the event has of a member beside this address.
    fn room(
        &mut self,
        event: Event<'_>,
        sighting: &Sighting,
        prefix: usize,
        member: usize,
    ) -> Room {
        let home = &event.outline.homes[usize::from(sighting.home)];
        let taken = if event.outline.scattered {
            let (steps, own) = self.places.steps(sighting, member);
            self.scattered.look(event, home, member, steps, own)
        } else if prefix == PLAIN {
            let beside = home.taken[member];
            Taken { beside, is_there: beside.is_some_and(|value| !event.is_null(value)) }
        } else {
            // The scanner would have seen it.
            Taken::default()
        };
        match taken {
            Taken { is_there: true, .. } if self.existing == Existing::Keep => Room::Occupied,
            Taken { beside: Some(value), .. } => Room::Replaced(value),
            Taken { beside: None, .. } => Room::Free,
        }
    }

    /// Plans the `ipstamp` object, with the facts that found no place beside an address.
    fn stamp(&self, draft: &mut Draft, event: Event<'_>, facts: &mut dyn Facts) {
        let taken = event.outline.landmarks.get(IPSTAMP).copied().flatten();
        let Some(seat) = stamp::seat(event, taken, self.existing) else { return };
        // The sources stand before the list that they may contribute to.
        for nth in &self.also {
            for (_, source) in draft.fragments.of(&event.answers[*nth], facts).iter() {
                draft.contributed.add(*source);
            }
        }
        stamp::begin(draft, event, facts, seat);
        for (item, nth) in self.also.iter().enumerate() {
            draft.splice.text(if item == 0 { b",\"also\":[{\"path\":" } else { b",{\"path\":" });
            let sighting = &event.outline.sightings[*nth];
            let found = draft.fragments.of(&event.answers[*nth], facts);
            draft
                .splice
                .text(draft.paths.get(usize::from(sighting.path)).map_or(b"\"\"", |path| path));
            draft.splice.text(b",");
            write::address_and_facts(draft, sighting, &found, true);
        }
        draft.splice.text(if self.also.is_empty() { b"}" } else { b"]}" });
        stamp::end(draft, event, seat);
    }
}

/// Whether ECS has `as` in the object of this role. A role of one's own may have anything.
fn allows_as(role: Role) -> bool {
    !matches!(role, Role::Host | Role::Observer)
}
