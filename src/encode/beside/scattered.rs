//! Groups that an event has elsewhere than in one plain member beside the address: under names with
//! dots in them (`geo.city_name`, `source.geo`), or nested while the address is named with dots.
//!
//! To whoever reads an event all spellings of a name are the same, so a group is there when it is
//! there in any of them, and is replaced in all of them. That is rare: the scanner says when it has to
//! be looked for.

use std::borrow::Cow;

use crate::encode::encoder::{Draft, Event};
use crate::encode::members::{self, Member};
use crate::record::{Home, Span};

/// What an event has of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::encode) struct Taken {
    /// The value of the plain member beside the address; of several the last.
    pub(in crate::encode) beside: Option<Span>,
    /// Whether there is anything but `null`, in whatever spelling.
    pub(in crate::encode) is_there: bool,
}

/// A member that is a group, or a part of one.
#[derive(Clone, Copy, Debug)]
struct Spot {
    /// The brackets of its object.
    object: (u32, u32),
    member: Member,
    /// It is the group itself.
    whole: bool,
}

/// How a member's name spells a name of several steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelt {
    /// Not at all.
    Not,
    /// Its first so many steps.
    Begins(usize),
    /// The name itself.
    Exactly,
    /// The name, and more behind it.
    Inside,
}

/// Finds scattered groups, and takes them out where they make way. Keeps its memory from event to
/// event.
#[derive(Debug, Default)]
pub(in crate::encode) struct Scattered {
    /// What was found of each group of the address at hand, but for the plain member beside it.
    groups: [Vec<Spot>; Home::MOST_MEMBERS],
    /// What makes way in the event.
    leaving: Vec<Spot>,
    /// The members of the objects that are being walked through.
    walked: Vec<Member>,
}

impl Scattered {
    /// Forgets the last event.
    pub(in crate::encode) fn clear(&mut self) {
        self.leaving.clear();
    }

    /// Looks for a group of the address whose home is given. `steps` are those of its whole name,
    /// such as `source`, `geo`; a plain member's name has the last `own_steps` of them.
    pub(in crate::encode) fn look(
        &mut self,
        event: Event<'_>,
        home: &Home,
        group: usize,
        steps: &[String],
        own_steps: usize,
    ) -> Taken {
        self.groups[group].clear();
        // A home in an array is not to be found from the outermost object, and what stands outside
        // of the array is not about it.
        if !self.search(event.bytes, &event.outline.root, home, group, steps) {
            self.groups[group].clear();
            let own = &steps[steps.len().saturating_sub(own_steps)..];
            self.search(event.bytes, home, home, group, own);
        }
        let spots = &mut self.groups[group];
        let is_there = spots.iter().any(|spot| !event.is_null(spot.member.value));
        let plain = spots.iter().rposition(|spot| spot.whole && spot.object.0 == home.open);
        let beside = plain.map(|nth| spots.remove(nth).member.value);
        Taken { beside, is_there }
    }

    /// Notes a member of an object as a part of a group.
    pub(in crate::encode) fn note(&mut self, group: usize, object: &Home, member: Member) {
        let object = (object.open, object.close);
        self.groups[group].push(Spot { object, member, whole: false });
    }

    /// Forgets what was noted of a group.
    pub(in crate::encode) fn forget(&mut self, group: usize) {
        self.groups[group].clear();
    }

    /// Whether there is anything but `null` of a group, and how many of its members stand in this
    /// object.
    pub(in crate::encode) fn noted(
        &self,
        event: Event<'_>,
        group: usize,
        object: &Home,
    ) -> (bool, usize) {
        let spots = &self.groups[group];
        let here = spots.iter().filter(|spot| spot.object.0 == object.open).count();
        (spots.iter().any(|spot| !event.is_null(spot.member.value)), here)
    }

    /// Notes everything in the outermost object whose name goes on with `steps`.
    pub(in crate::encode) fn note_all(&mut self, event: Event<'_>, group: usize, steps: &[String]) {
        let root = &event.outline.root;
        self.search(event.bytes, root, root, group, steps);
    }

    /// Whether two homes are one and the same object in different spellings. `steps` are those of a
    /// member's whole name in it.
    pub(super) fn are_one(
        &mut self,
        event: Event<'_>,
        homes: [&Home; 2],
        steps: &[String],
    ) -> bool {
        let root = &event.outline.root;
        homes.into_iter().all(|home| self.search(event.bytes, root, home, 0, steps))
    }

    /// Notes everything in `object` whose name goes on with `steps`; whether `home` was met.
    fn search(
        &mut self,
        event: &[u8],
        object: &Home,
        home: &Home,
        group: usize,
        steps: &[String],
    ) -> bool {
        let mut met = object.open == home.open;
        let begin = self.walked.len();
        self.walked.extend(members::each(event, object));
        for nth in begin..self.walked.len() {
            let member = self.walked[nth];
            let spelt = spelt(event, member.name, steps);
            match spelt {
                Spelt::Begins(count) if event[member.value.start as usize] == b'{' => {
                    let Span { start, end } = member.value;
                    let inner = Home { open: start, close: end - 1, ..Home::default() };
                    met |= self.search(event, &inner, home, group, &steps[count..]);
                }
                Spelt::Not | Spelt::Begins(_) => {}
                Spelt::Exactly | Spelt::Inside => self.groups[group].push(Spot {
                    object: (object.open, object.close),
                    member,
                    whole: spelt == Spelt::Exactly,
                }),
            }
        }
        self.walked.truncate(begin);
        met
    }

    /// What was found last of a group makes way, for it is written anew.
    pub(in crate::encode) fn leave(&mut self, group: usize) {
        self.leaving.append(&mut self.groups[group]);
    }

    /// Plans to take out what makes way.
    pub(in crate::encode) fn take_out(&mut self, draft: &mut Draft, event: &[u8]) {
        let Self { leaving, walked, .. } = self;
        leaving.sort_unstable_by_key(|spot| (spot.object.0, spot.member.name.start));
        for spots in leaving.chunk_by(|one, next| one.object == next.object) {
            let (open, close) = spots[0].object;
            walked.clear();
            walked.extend(members::each(event, &Home { open, close, ..Home::default() }));
            let leaves = |member: &Member| {
                spots.iter().any(|spot| spot.member.name.start == member.name.start)
            };
            let mut kept_before = false;
            let mut gap: Option<Span> = None;
            for (nth, member) in walked.iter().enumerate() {
                if !leaves(member) {
                    kept_before = true;
                    continue;
                }
                // With the comma before it, or with the one behind it where it comes first.
                let span = if kept_before {
                    Span { start: walked[nth - 1].value.end, end: member.value.end }
                } else {
                    let next = walked.get(nth + 1).map_or(member.value.end, |m| m.name.start);
                    Span { start: member.name.start, end: next }
                };
                match &mut gap {
                    Some(gap) if gap.end == span.start => gap.end = span.end,
                    _ => blank(draft, gap.replace(span)),
                }
            }
            blank(draft, gap);
        }
        walked.clear();
    }
}

/// White space stands for what is taken out.
fn blank(draft: &mut Draft, gap: Option<Span>) {
    if let Some(gap) = gap {
        draft.splice.text(b" ");
        draft.splice.replace(gap);
    }
}

/// How the name at `name`, with its quotes, spells `steps`.
fn spelt(event: &[u8], name: Span, steps: &[String]) -> Spelt {
    let raw = &event[name.start as usize..name.end as usize];
    let text = if raw.contains(&b'\\') {
        // Half of a surrogate pair is no name of ours.
        serde_json::from_slice::<String>(raw).map(String::into_bytes).unwrap_or_default().into()
    } else {
        Cow::Borrowed(&raw[1..raw.len() - 1])
    };
    let mut rest = &*text;
    for (nth, step) in steps.iter().enumerate() {
        let is_last = nth + 1 == steps.len();
        let Some(behind) = rest.strip_prefix(step.as_bytes()) else { return Spelt::Not };
        match behind.split_first() {
            None if is_last => return Spelt::Exactly,
            None => return Spelt::Begins(nth + 1),
            Some((b'.', _)) if is_last => return Spelt::Inside,
            Some((b'.', behind)) => rest = behind,
            Some(_) => return Spelt::Not,
        }
    }
    Spelt::Not
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_recognised_in_every_spelling() {
        let steps = ["a", "b", "geo"].map(str::to_owned);
        for (name, as_what) in [
            ("a", Spelt::Begins(1)),
            ("a.b", Spelt::Begins(2)),
            ("a.b.geo", Spelt::Exactly),
            (r"a\u002eb.g\u0065o", Spelt::Exactly),
            ("a.b.geo.x.y", Spelt::Inside),
            ("a.b.geo.", Spelt::Inside),
            ("a.b.geode", Spelt::Not),
            ("a.", Spelt::Not),
            ("b.geo", Spelt::Not),
            ("", Spelt::Not),
            (r"\ud800", Spelt::Not),
        ] {
            let event = format!("\"{name}\"");
            let span = Span { start: 0, end: event.len() as u32 };
            assert_eq!(spelt(event.as_bytes(), span, &steps), as_what, "{name}");
        }
    }
}
