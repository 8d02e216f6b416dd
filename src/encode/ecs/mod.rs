//! The profile `ecs`: facts beside each address, as the Elastic Common Schema has it. The rules are
//! in [`crate::encode`].

mod place;
mod related;
mod render;
mod write;

use place::{PLAIN, Places};
pub(super) use render::render;
use write::Which;

use super::encoder::{Desk, Event};
use super::fragments::{Found, Slice};
use super::{Existing, members, stamp};
use crate::record::{Facts, Home, Role, Span, WritingNeeds};

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
    /// By role: whether its object in the root can be written, as far as that was asked.
    role_free: [Option<bool>; Role::ALL.len()],
    /// The sightings whose facts found no place.
    also: Vec<usize>,
}

impl Ecs {
    pub(super) fn new(existing: Existing, paths: &[String]) -> Self {
        let places = Places::new(paths);
        Self { existing, places, spoken: Vec::new(), role_free: [None; 7], also: Vec::new() }
    }

    /// Plans the facts beside each address, then `related.ip`, then `ipstamp`.
    pub(super) fn plan(&mut self, desk: &mut Desk, event: Event<'_>, facts: &mut dyn Facts) {
        self.spoken.clear();
        self.spoken.resize(event.outline.homes.len() * self.places.prefix_count(), false);
        self.role_free = [None; Role::ALL.len()];
        self.also.clear();
        let mut dotted = false;
        for (nth, sighting) in event.outline.sightings.iter().enumerate() {
            dotted |= sighting.name_steps > 1;
            let Some(answer) = event.answers.get(nth) else { continue };
            let found = desk.fragments.of(answer, facts);
            if !found.is_empty() {
                self.put(desk, event, nth, &found);
            }
        }
        if event.has_root() {
            related::plan(desk, event, dotted);
            self.stamp(desk, event, facts);
        }
    }

    /// Finds the place for the facts of one sighting.
    fn put(&mut self, desk: &mut Desk, event: Event<'_>, nth: usize, found: &Found) {
        let sighting = &event.outline.sightings[nth];
        let home = sighting.home.map(usize::from).filter(|nth| *nth < event.outline.homes.len());
        if let (Some(home), Some(prefix)) = (home, self.places.beside(sighting)) {
            let spoken = &mut self.spoken[home * self.places.prefix_count() + prefix];
            if !std::mem::replace(spoken, true) {
                self.beside(desk, event, home, prefix, sighting.role, found);
                return;
            }
        } else if desk.distinct.is_first_at_path(nth) && self.take_role(event, sighting.role) {
            desk.splice.text(b",\"");
            desk.splice.text(sighting.role.name().as_bytes());
            desk.splice.text(b"\":{");
            write::address_and_facts(desk, sighting, found, allows_as(sighting.role));
            desk.splice.insert_before(event.bytes, event.outline.root.close);
            return;
        }
        if desk.distinct.is_first_at_path(nth) {
            self.also.push(nth);
        }
    }

    /// Whether the root has room for an object named like the role. It has but once.
    fn take_role(&mut self, event: Event<'_>, role: Role) -> bool {
        if role == Role::Unknown || !event.has_root() {
            return false;
        }
        let free = self.role_free[role as usize].unwrap_or_else(|| {
            let name = self.places.role_name(role);
            members::find(event.bytes, &event.outline.root, name).is_none()
        });
        self.role_free[role as usize] = Some(false);
        free
    }

    fn beside(
        &self,
        desk: &mut Desk,
        event: Event<'_>,
        home: usize,
        prefix: usize,
        role: Role,
        found: &Found,
    ) {
        let home = &event.outline.homes[home];
        let [geo, mut system, traits] =
            [GEO, AS, TRAITS].map(|member| self.room(event, home, prefix, member));
        let whole_as = !allows_as(role);
        if whole_as {
            // What stands there is none of ours and says nothing about `ip_traits`.
            system = Room::Free;
        }
        let which =
            Which { geo_rest: geo != Room::Occupied, as_rest: system != Room::Occupied, whole_as };
        if let Room::Replaced(value) = geo
            && write::value(desk, found, Slice::Geo)
        {
            desk.splice.replace(value);
        }
        if let Room::Replaced(value) = system
            && write::value(desk, found, Slice::As)
        {
            desk.splice.replace(value);
        }
        if let Room::Replaced(value) = traits
            && write::traits(desk, found, which, None)
        {
            desk.splice.replace(value);
        }
        let names = self.places.names(prefix);
        if geo == Room::Free {
            write::member(desk, found, Slice::Geo, &names[GEO]);
        }
        if system == Room::Free && !whole_as {
            write::member(desk, found, Slice::As, &names[AS]);
        }
        if traits == Room::Free {
            write::traits(desk, found, which, Some(&names[TRAITS]));
        }
        desk.splice.insert_before(event.bytes, home.close);
    }

    /// What `home` has under the name of a member.
    fn room(&self, event: Event<'_>, home: &Home, prefix: usize, member: usize) -> Room {
        let taken = if prefix == PLAIN {
            home.taken[member]
        } else {
            members::find(event.bytes, home, &self.places.names(prefix)[member])
        };
        match taken {
            None => Room::Free,
            Some(value) if self.existing == Existing::Replace || event.is_null(value) => {
                Room::Replaced(value)
            }
            Some(_) => Room::Occupied,
        }
    }

    /// Plans the `ipstamp` object, with the facts that found no place beside an address.
    fn stamp(&self, desk: &mut Desk, event: Event<'_>, facts: &mut dyn Facts) {
        // The sources stand before the list that they may contribute to.
        for nth in &self.also {
            for (_, source) in desk.fragments.of(&event.answers[*nth], facts).iter() {
                desk.contributed.add(*source);
            }
        }
        let taken = event.outline.landmarks.get(IPSTAMP).copied().flatten();
        if taken.is_none() {
            desk.splice.text(b",\"ipstamp\":");
        }
        stamp::begin(desk, event, facts);
        for (item, nth) in self.also.iter().enumerate() {
            desk.splice.text(if item == 0 { b",\"also\":[{\"path\":" } else { b",{\"path\":" });
            let sighting = &event.outline.sightings[*nth];
            let found = desk.fragments.of(&event.answers[*nth], facts);
            desk.splice
                .text(desk.paths.get(usize::from(sighting.path)).map_or(b"\"\"", |path| path));
            desk.splice.text(b",");
            write::address_and_facts(desk, sighting, &found, true);
        }
        desk.splice.text(if self.also.is_empty() { b"}" } else { b"]}" });
        match taken {
            Some(value) => desk.splice.replace(value),
            None => desk.splice.insert_before(event.bytes, event.outline.root.close),
        }
    }
}

/// Whether ECS has `as` in the object of this role. A role of one's own may have anything.
fn allows_as(role: Role) -> bool {
    !matches!(role, Role::Host | Role::Observer)
}
