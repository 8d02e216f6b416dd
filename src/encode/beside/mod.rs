//! Profiles that write facts beside each address, in the object that it stands in. The rules are in
//! [`crate::encode`]; the names are the profile's.

mod place;
mod scattered;
mod write;

use place::{PLAIN, Places};
pub(super) use scattered::{Scattered, Taken};

use super::encoder::{Draft, Event};
use super::fragments::{Found, bits};
use super::lists::{self, Remaining};
use super::profile::Layout;
use super::writing::Tags;
use super::{Existing, also, members};
use crate::record::{Facts, Home, Role, Sighting, Span};

/// What there is of a member that is to be written.
enum Room {
    /// Nothing.
    Free,
    /// A value that makes way.
    Replaced(Span),
    /// A value that stays.
    Occupied,
}

/// Plans events in such a profile; keeps its memory from event to event.
#[derive(Debug)]
pub(super) struct Beside {
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
    /// What of each sighting's rest goes into lists.
    remaining: Vec<Remaining>,
    scattered: Scattered,
}

impl Beside {
    pub(super) fn new(layout: &Layout, existing: Existing, paths: &[String]) -> Self {
        Self {
            existing,
            places: Places::new(layout, paths),
            spoken: Vec::new(),
            speakers: Vec::new(),
            role_free: [None; Role::ALL.len()],
            also: Vec::new(),
            remaining: Vec::new(),
            scattered: Scattered::default(),
        }
    }

    /// Plans the facts beside each address, then the lists, then the stamp.
    pub(super) fn plan(
        &mut self,
        draft: &mut Draft,
        layout: &Layout,
        event: Event<'_>,
        facts: &mut dyn Facts,
        tags: &Tags,
    ) {
        self.spoken.clear();
        self.spoken.resize(event.outline.homes.len() * self.places.prefix_count(), false);
        self.role_free = [None; Role::ALL.len()];
        self.also.clear();
        self.remaining.clear();
        self.scattered.clear();
        if event.outline.dotted {
            self.speakers.clear();
            self.speakers.resize(self.places.path_count(), None);
        }
        let mut dotted = false;
        for (nth, sighting) in event.outline.sightings.iter().enumerate() {
            dotted |= sighting.name_steps > 1;
            let Some(answer) = event.answers.get(nth) else { continue };
            let found = draft.fragments.of(answer, facts, 0);
            if !found.is_empty() {
                self.put(draft, layout, event, nth, &found);
            }
        }
        if event.outline.scattered {
            self.scattered.take_out(draft, event.bytes);
        }
        lists::plan(draft, layout, event, facts, &self.remaining, dotted);
        let is_stale = also::stamp(draft, layout, event, facts, &self.also, self.existing);
        lists::tags(draft, layout, event, tags, is_stale, dotted);
    }

    /// Finds the place for the facts of one sighting.
    fn put(
        &mut self,
        draft: &mut Draft,
        layout: &Layout,
        event: Event<'_>,
        nth: usize,
        found: &Found,
    ) {
        let sighting = &event.outline.sightings[nth];
        let mut remaining = Remaining { nth, closed: 0, role: None };
        if let Some(prefix) = self.places.beside(sighting) {
            let place = usize::from(sighting.home) * self.places.prefix_count() + prefix;
            let is_first = !std::mem::replace(&mut self.spoken[place], true);
            if is_first && !(event.outline.dotted && self.is_spoken_for(event, sighting)) {
                remaining.closed = self.beside(draft, layout, event, sighting, prefix, found);
                remaining.role = Some(sighting.role);
                self.remaining.push(remaining);
                return;
            }
        } else if draft.distinct.is_first_at_path(nth)
            && let Some(name) = self.take_role(layout, event, sighting.role)
        {
            draft.splice.text(b",");
            draft.splice.text(name);
            draft.splice.text(b"\":{");
            write::address(draft, layout, event, sighting);
            write::facts(draft, layout, found, Some(sighting.role));
            draft.splice.text(b"}");
            draft.splice.insert_before(event.bytes, event.outline.root.close);
            remaining.role = Some(sighting.role);
            self.remaining.push(remaining);
            return;
        }
        if draft.distinct.is_first_at_path(nth) {
            self.also.push(nth);
            self.remaining.push(remaining);
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
        let (steps, _) = self.places.steps(sighting, 0);
        self.scattered.are_one(event, homes, steps)
    }

    /// The name of the role's object, where the root has room for it: it has no such member, and none
    /// that is spelt as one inside. It has room but once, whatever the number of roles that share it.
    fn take_role(&mut self, layout: &Layout, event: Event<'_>, role: Role) -> Option<&[u8]> {
        let name = self.places.opened_role(role)?;
        let roles = &layout.roles;
        let first = roles.iter().position(|other| *other == roles[role as usize])?;
        let is_free = self.role_free[first]
            .unwrap_or_else(|| !members::has(event.bytes, &event.outline.root, name));
        self.role_free[first] = Some(false);
        is_free.then_some(name)
    }

    /// Writes the facts into the address's own object; a bit for each member that the event has and
    /// keeps.
    fn beside(
        &mut self,
        draft: &mut Draft,
        layout: &Layout,
        event: Event<'_>,
        sighting: &Sighting,
        prefix: usize,
        found: &Found,
    ) -> u8 {
        let role = Some(sighting.role);
        let home = &event.outline.homes[usize::from(sighting.home)];
        // What stands where the schema has no such member is none of ours and says nothing about the
        // rest.
        let allowed = layout.allowed[sighting.role as usize];
        let mut values = [Span::default(); Home::MOST_MEMBERS];
        let (mut closed, mut replaced) = (0, 0);
        if event.outline.scattered || home.taken.iter().any(Option::is_some) {
            for nth in bits(allowed) {
                match self.room(event, sighting, prefix, nth) {
                    Room::Free => {}
                    Room::Replaced(value) => (values[nth], replaced) = (value, replaced | 1 << nth),
                    Room::Occupied => closed |= 1 << nth,
                }
            }
        }
        let write = |draft: &mut Draft, nth: usize, opening: Option<&[u8]>| {
            if layout.rest_member == Some(nth) {
                write::rest(draft, layout, found, closed, role, opening)
            } else {
                write::member(draft, &layout.members[nth], found, opening)
            }
        };
        let mut written: u8 = 0;
        for nth in bits(replaced) {
            if write(draft, nth, None) {
                draft.splice.replace(values[nth]);
                written |= 1 << nth;
            }
        }
        // A schema that has the address as it is spelt wants it as it is, too.
        let is_plain = prefix == PLAIN && !event.outline.dotted && !event.outline.scattered;
        if layout.raw.is_some()
            && is_plain
            && self.places.is_misnamed(sighting)
            && !members::has(event.bytes, home, write::IP)
        {
            write::ip(draft, sighting);
        }
        let openings = self.places.openings(prefix);
        for nth in bits(allowed & !replaced & !closed) {
            written |= u8::from(write(draft, nth, Some(&openings[nth]))) << nth;
        }
        draft.splice.insert_before(event.bytes, home.close);
        if event.outline.scattered {
            bits(written).for_each(|nth| self.scattered.leave(nth));
        }
        closed
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
}

pub(super) use write::{facts as write_facts, rest as write_rest};
