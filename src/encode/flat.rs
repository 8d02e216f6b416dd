//! Profiles that write facts into the outermost object, under names that begin with the role's:
//! `src_Country`, `source.geo.country.iso_code`. The rules are in [`crate::encode`].

use rustc_hash::FxHashMap;

use super::beside::Scattered;
use super::encoder::{Draft, Event};
use super::fragments::Found;
use super::json::escaped;
use super::profile::Layout;
use super::writing::Tags;
use super::{Existing, also, lists, members};
use crate::record::{Facts, Home};

/// Plans events in such a profile; keeps its memory from event to event.
#[derive(Debug)]
pub(super) struct Flat {
    existing: Existing,
    /// By name as it is written, with its quotes: whose prefix and which member's it is.
    names: FxHashMap<Box<[u8]>, (usize, usize)>,
    /// By prefix and member: the steps that all its names begin with, where they have dots. Then they
    /// may be nested, too.
    stems: Vec<Vec<Option<Vec<String>>>>,
    /// By prefix: whether an address has spoken for it.
    spoken: Vec<bool>,
    /// The sightings whose facts found no place.
    also: Vec<usize>,
    scattered: Scattered,
    /// How many members of the outermost object stay.
    staying: usize,
}

impl Flat {
    pub(super) fn new(layout: &Layout, existing: Existing) -> Self {
        let prefixes = &layout.rendering.prefixes;
        let mut names = FxHashMap::default();
        for (variant, prefix) in prefixes.iter().enumerate() {
            for (nth, member) in layout.members.iter().enumerate() {
                for name in &member.names {
                    let name = [b"\"", &**prefix, &escaped(name), b"\""].concat();
                    names.insert(name.into(), (variant, nth));
                }
            }
        }
        let stem = |prefix: &[u8], names: &[String]| {
            let first = names.first()?.split_once('.')?.0;
            let begins =
                |name: &String| name.strip_prefix(first).is_some_and(|r| r.starts_with('.'));
            let prefix = std::str::from_utf8(prefix).ok()?;
            let whole = format!("{prefix}{first}");
            names.iter().all(begins).then(|| whole.split('.').map(str::to_owned).collect())
        };
        let of_prefix = |prefix: &[u8]| {
            layout.members.iter().map(|member| stem(prefix, &member.names)).collect()
        };
        Self {
            existing,
            names,
            stems: prefixes.iter().map(|prefix| of_prefix(prefix)).collect(),
            spoken: Vec::new(),
            also: Vec::new(),
            scattered: Scattered::default(),
            staying: 0,
        }
    }

    /// Plans the facts of each address, then the lists, then the stamp.
    pub(super) fn plan(
        &mut self,
        draft: &mut Draft,
        layout: &Layout,
        event: Event<'_>,
        facts: &mut dyn Facts,
        tags: &Tags,
    ) {
        self.spoken.clear();
        self.spoken.resize(layout.rendering.prefixes.len(), false);
        self.also.clear();
        self.scattered.clear();
        self.staying = members::each(event.bytes, &event.outline.root).count();
        let mut dotted = false;
        for (nth, sighting) in event.outline.sightings.iter().enumerate() {
            dotted |= sighting.name_steps > 1;
            let Some(answer) = event.answers.get(nth) else { continue };
            let variant = layout.variants[sighting.role as usize];
            let found = draft.fragments.of(answer, facts, variant.unwrap_or(0));
            if found.is_empty() {
                continue;
            }
            match variant {
                Some(variant) if !std::mem::replace(&mut self.spoken[variant], true) => {
                    self.put(draft, layout, event, variant, &found);
                }
                _ if draft.distinct.is_first_at_path(nth) => self.also.push(nth),
                _ => {}
            }
        }
        self.scattered.take_out(draft, event.bytes);
        lists::plan(draft, layout, event, facts, &[], dotted);
        let is_stale = also::stamp(draft, layout, event, facts, &self.also, self.existing);
        lists::tags(draft, layout, event, tags, is_stale, dotted);
    }

    /// Writes the facts of the address that speaks for a prefix.
    fn put(
        &mut self,
        draft: &mut Draft,
        layout: &Layout,
        event: Event<'_>,
        variant: usize,
        found: &Found,
    ) {
        self.look(event, variant, layout.members.len());
        let root = &event.outline.root;
        for (nth, member) in layout.members.iter().enumerate() {
            if found.filled() >> member.slice & 1 == 0 {
                continue;
            }
            let (is_there, here) = self.scattered.noted(event, nth, root);
            // An object that nothing is left of would begin with a comma.
            let is_kept = is_there && self.existing == Existing::Keep || here >= self.staying;
            if is_kept {
                continue;
            }
            self.staying -= here;
            self.scattered.leave(nth);
            for (part, source) in found.iter() {
                if part.filled() >> member.slice & 1 == 1 {
                    draft.splice.kept(part.slice(member.slice));
                    draft.contributed.add(*source);
                }
            }
        }
        draft.splice.insert_before(event.bytes, root.close);
    }

    /// Notes what the event has of each member's names with this prefix.
    fn look(&mut self, event: Event<'_>, variant: usize, members: usize) {
        let root: &Home = &event.outline.root;
        for nth in 0..members {
            self.scattered.forget(nth);
            if let Some(steps) = &self.stems[variant][nth] {
                self.scattered.note_all(event, nth, steps);
            }
        }
        for member in members::each(event.bytes, root) {
            let name = &event.bytes[member.name.start as usize..member.name.end as usize];
            match self.names.get(name) {
                Some((of, nth)) if *of == variant && self.stems[variant][*nth].is_none() => {
                    self.scattered.note(*nth, root, member);
                }
                _ => {}
            }
        }
    }
}
