//! The configured paths, compiled: which member names matter in which object.
//!
//! A [`Place`] is where one or more paths have got to after some steps. Each place knows every
//! name that leads on from it: a single step (`ip`), and any number of steps written as one name
//! with dots in it (`nat.ip`), for events come nested and flattened. Almost every name in an event
//! leads nowhere, so the first thing that a place does with a name is to look into a small table
//! by the name's length and its first and last byte.

#![expect(clippy::inline_always, reason = "asked for each member of an event")]

use std::path::PathBuf;

use crate::record::{Home, Role, WritingNeeds};

use super::config::{AddressPath, ReadAs};
use super::tokens::LONGEST;

/// A configuration that no event can be read by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractConfigError {
    /// A path with nothing between two dots, or nothing at all.
    #[error(
        "input.addresses.paths: {path:?} has an empty step; write member names joined by single dots: source.ip"
    )]
    EmptyStep {
        /// As configured.
        path: String,
    },
    /// A path in another tool's notation.
    #[error(
        "input.addresses.paths: {path:?}: {sign:?} is no part of a path; write source.ip; arrays are looked through without a sign for them"
    )]
    ForeignNotation {
        /// As configured.
        path: String,
        /// What another notation means by something else.
        sign: char,
    },
    /// A path with too many steps or bytes.
    #[error(
        "input.addresses.paths: {path:?} is too long; a path has at most {} steps and {} bytes",
        Paths::MOST_STEPS,
        Paths::LONGEST
    )]
    TooLong {
        /// As configured.
        path: String,
    },
    /// The same path twice.
    #[error("input.addresses.paths: {path:?} stands there twice; keep the one with the right role")]
    Twice {
        /// As configured.
        path: String,
    },
    /// Too many paths.
    #[error("input.addresses.paths: {count} paths are too many; at most {}", Paths::MOST)]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A limit of zero, with which nothing can be found.
    #[error("input.addresses.{key} is 0, so that nothing would be found; set it to 1 or more")]
    Zero {
        /// The key.
        key: &'static str,
    },
    /// A preset that there is not.
    #[error(
        "input.addresses: there is no preset {name:?}; `ipstamp presets ls` lists them, beside auto and none"
    )]
    UnknownPreset {
        /// As configured.
        name: String,
    },
    /// A pattern of topics that cannot be understood.
    #[error("input.addresses.topics: {topic:?}: {message}")]
    Topic {
        /// As configured.
        topic: String,
        /// What is wrong.
        message: String,
    },
    /// A preset that cannot be used.
    #[error("input.addresses.presets.{name}: {message}")]
    Preset {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A file of presets that cannot be used.
    #[error("input.addresses.preset_files: {}: {message}", path.display())]
    PresetFile {
        /// The file, or the folder.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Two ways to say who is trusted.
    #[error(
        "input.addresses: trusted_hops counts the proxies that trusted_proxies names; keep one of the two"
    )]
    TwoTrusts,
    /// A profile that wants more than an outline can hold.
    #[error(
        "the profile names too much to note: {members} members (at most {}), {landmarks} landmarks (at most 64, of one or two steps)",
        Home::MOST_MEMBERS
    )]
    Needs {
        /// Member names.
        members: usize,
        /// Landmarks.
        landmarks: usize,
    },
}

/// A place's number: its index in [`Paths`].
pub(super) type PlaceId = u16;

/// What a name in an object at some place means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    name: Box<[u8]>,
    /// The next edge whose name falls into the same slot.
    next: u16,
    /// What stands in the member's value: the rest of one or more paths.
    pub(super) to: Option<PlaceId>,
    /// How many steps of a path the name spells. Only behind single ones there may be a landmark.
    pub(super) steps: u8,
    /// The member's number in [`WritingNeeds::members`].
    pub(super) member: Option<u8>,
    /// Whether the name spells one of those members with dots, or something in it: it leads to an
    /// address all the same.
    pub(super) scatters: bool,
    /// In the outermost object: the signs that the name is, one bit each.
    pub(super) signs: Signs,
}

/// Names of members of the outermost object by which kinds of logs are told, one bit each.
pub(super) type Signs = u128;

/// What is read where a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The path's number.
    pub(super) path: u16,
    pub(super) role: Role,
    pub(super) read: ReadAs,
    /// Something else may stand there.
    pub(super) optional: bool,
}

/// Where paths have got to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The path that ends here, and its role.
    pub(super) end: Option<End>,
    /// The landmark that ends here.
    pub(super) landmark: Option<u8>,
    /// The landmarks that end here or further on, one bit each.
    pub(super) landmarks_within: u64,
    /// Whether any name leads on.
    pub(super) leads_on: bool,
    edges: Vec<Edge>,
    /// The first edge of each slot; as many as a power of two.
    slots: Vec<u16>,
    /// How names begin that spell a noted member with dots, or something in it: `geo` of `geo.name`,
    /// `source.geo`.
    stems: Vec<Box<[u8]>>,
    /// One bit for each byte that a stem begins with, by its lowest five bits: most names end here.
    stem_firsts: u32,
    /// By these five bits: where the stems begin that begin so. In the order of the bits.
    stem_starts: [u16; 32],
}

/// No edge.
const NONE: u16 = u16::MAX;

#[inline(always)]
fn slot(name: &[u8]) -> usize {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return 0 };
    usize::from(*first) + 4 * usize::from(*last) + 32 * name.len()
}

impl Place {
    /// What `name` means here.
    #[inline(always)]
    fn edge(&self, name: &[u8]) -> Option<&Edge> {
        let mut at = *self.slots.get(slot(name) & self.slots.len().wrapping_sub(1))?;
        while let Some(edge) = self.edges.get(usize::from(at)) {
            if *edge.name == *name {
                return Some(edge);
            }
            at = edge.next;
        }
        None
    }

    /// What `name` means here, and whether it spells a noted member with dots, or something in it.
    #[inline(always)]
    pub(super) fn meaning(&self, name: &[u8]) -> (Option<&Edge>, bool) {
        let edge = self.edge(name);
        let scatters = edge.map_or_else(|| self.scatters(name), |edge| edge.scatters);
        (edge, scatters)
    }

    #[inline(always)]
    fn scatters(&self, name: &[u8]) -> bool {
        let Some(first) = name.first() else { return false };
        self.stem_firsts >> (first & 31) & 1 != 0 && self.begins_with_stem(name)
    }

    #[inline(never)]
    fn begins_with_stem(&self, name: &[u8]) -> bool {
        let rest = |stem: &[u8]| name.strip_prefix(stem).map(<[u8]>::first);
        let first = name.first().map_or(0, |first| usize::from(first & 31));
        let bound = |at| self.stem_starts.get(at).map_or(self.stems.len(), |at| usize::from(*at));
        let (start, end) = (bound(first), bound(first + 1));
        let stems = self.stems.get(start..end).unwrap_or_default();
        stems.iter().any(|stem| matches!(rest(stem), Some(None | Some(b'.'))))
    }

    /// Puts the stems into the order in which they are looked for.
    fn order_stems(&mut self) {
        let first = |stem: &[u8]| stem.first().map_or(0, |first| first & 31);
        self.stems.sort_by_key(|stem| first(stem));
        self.stems.dedup();
        for bits in 0..32 {
            let start = self.stems.partition_point(|stem| first(stem) < bits);
            self.stem_starts[usize::from(bits)] = start as u16;
        }
    }

    fn add_stem(&mut self, stem: &str) {
        if let Some(first) = stem.bytes().next() {
            self.stem_firsts |= 1 << (first & 31);
            self.stems.push(stem.as_bytes().into());
        }
    }

    fn edge_of(&self, name: &str) -> Option<usize> {
        self.edges.iter().position(|edge| *edge.name == *name.as_bytes())
    }

    fn add(&mut self, name: &str) -> &mut Edge {
        let known = self.edge_of(name);
        let at = known.unwrap_or(self.edges.len());
        if known.is_none() {
            let name = name.as_bytes().into();
            let (next, to, steps, member, scatters) = (NONE, None, 0, None, false);
            self.edges.push(Edge { name, next, to, steps, member, scatters, signs: 0 });
        }
        &mut self.edges[at]
    }

    fn fill_slots(&mut self) {
        self.slots = vec![NONE; (8 * self.edges.len()).next_power_of_two().max(64)];
        for at in 0..self.edges.len() {
            let slot = slot(&self.edges[at].name) & (self.slots.len() - 1);
            self.edges[at].next = self.slots[slot];
            self.slots[slot] = at as u16;
        }
    }
}

/// All places; the first is the outermost object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    places: Vec<Place>,
}

/// A place while the paths are being put together: its single steps only.
#[derive(Default)]
struct Step {
    next: Vec<(String, usize)>,
    end: Option<End>,
    landmark: Option<u8>,
}

impl Paths {
    /// The outermost object.
    pub(super) const ROOT: PlaceId = 0;
    const MOST: usize = 1024;
    const MOST_STEPS: usize = 16;
    const LONGEST: usize = LONGEST;

    /// Compiles paths, each with its number, what the profile wants noted, and the names by which kinds
    /// of logs are told.
    pub(super) fn compile(
        paths: &[(u16, AddressPath)],
        needs: &WritingNeeds,
        signs: &[String],
    ) -> Result<Self, ExtractConfigError> {
        let mut steps = vec![Step::default()];
        if paths.len() > Self::MOST {
            return Err(ExtractConfigError::TooMany { count: paths.len() });
        }
        for (number, path) in paths {
            Self::check(path)?;
            let end = Self::walk(&mut steps, &path.path);
            let AddressPath { role, read, optional, .. } = *path;
            if steps[end].end.replace(End { path: *number, role, read, optional }).is_some() {
                return Err(ExtractConfigError::Twice { path: path.path.clone() });
            }
        }
        let too_far = |landmark: &String| landmark.split('.').count() > 2;
        if needs.members.len() > Home::MOST_MEMBERS
            || needs.landmarks.len() > 64
            || needs.landmarks.iter().any(too_far)
        {
            let (members, landmarks) = (needs.members.len(), needs.landmarks.len());
            return Err(ExtractConfigError::Needs { members, landmarks });
        }
        for (index, landmark) in needs.landmarks.iter().enumerate() {
            let end = Self::walk(&mut steps, landmark);
            steps[end].landmark = Some(index as u8);
        }
        let mut places: Vec<_> =
            (0..steps.len()).map(|at| Self::build(&steps, at, needs)).collect();
        let root = &mut places[usize::from(Self::ROOT)];
        for (bit, sign) in signs.iter().enumerate() {
            let is_new = root.edge_of(sign).is_none();
            let scatters = is_new && root.scatters(sign.as_bytes());
            let edge = root.add(sign);
            edge.signs |= 1 << bit;
            edge.scatters |= scatters;
        }
        places.iter_mut().for_each(Place::fill_slots);
        Ok(Self { places })
    }

    #[inline(always)]
    pub(super) fn place(&self, id: PlaceId) -> &Place {
        &self.places[usize::from(id)]
    }

    pub(super) fn check(path: &AddressPath) -> Result<(), ExtractConfigError> {
        let path = path.path.clone();
        if let Some(sign) = path.chars().find(|c| matches!(c, '[' | ']' | '*' | '$' | '/')) {
            return Err(ExtractConfigError::ForeignNotation { path, sign });
        }
        if path.split('.').any(str::is_empty) {
            return Err(ExtractConfigError::EmptyStep { path });
        }
        if path.len() > Self::LONGEST || path.split('.').count() > Self::MOST_STEPS {
            return Err(ExtractConfigError::TooLong { path });
        }
        Ok(())
    }

    /// Follows `path` from the root and makes the steps that are not yet there.
    fn walk(steps: &mut Vec<Step>, path: &str) -> usize {
        path.split('.').fold(0, |at, name| {
            let known = steps[at].next.iter().find(|(known, _)| known == name);
            if let Some((_, to)) = known {
                return *to;
            }
            let to = steps.len();
            steps[at].next.push((name.to_owned(), to));
            steps.push(Step::default());
            to
        })
    }

    fn build(steps: &[Step], at: usize, needs: &WritingNeeds) -> Place {
        let mut place = Place {
            end: steps[at].end,
            landmark: steps[at].landmark,
            landmarks_within: Self::landmarks_within(steps, at),
            ..Place::default()
        };
        let mut may_be_home = false;
        if Self::holds_address(steps, at) {
            needs.members.iter().for_each(|member| place.add_stem(member));
        }
        // Names still to be followed: the steps behind each, joined, and where they lead.
        let mut open: Vec<(String, usize, usize)> =
            steps[at].next.iter().map(|(name, to)| (name.clone(), *to, 1)).collect();
        while let Some((name, to, count)) = open.pop() {
            let is_path = Self::has_path(steps, to);
            may_be_home |= is_path;
            if Self::holds_address(steps, to) {
                needs.members.iter().for_each(|member| place.add_stem(&format!("{name}.{member}")));
            }
            if is_path || count == 1 {
                let edge = place.add(&name);
                edge.to = Some(to as PlaceId);
                edge.steps = count as u8;
            }
            open.extend(
                steps[to].next.iter().map(|(step, to)| (format!("{name}.{step}"), *to, count + 1)),
            );
        }
        if may_be_home {
            for (index, name) in needs.members.iter().enumerate() {
                place.add(name).member = Some(index as u8);
            }
        }
        place.order_stems();
        for at in 0..place.edges.len() {
            let edge = &place.edges[at];
            place.edges[at].scatters = edge.member.is_none() && place.scatters(&edge.name);
        }
        place.leads_on = !place.edges.is_empty();
        place
    }

    fn landmarks_within(steps: &[Step], at: usize) -> u64 {
        let own = steps[at].landmark.map_or(0, |index| 1 << index);
        steps[at].next.iter().fold(own, |all, (_, to)| all | Self::landmarks_within(steps, *to))
    }

    /// Whether a path ends one step further on.
    fn holds_address(steps: &[Step], at: usize) -> bool {
        steps[at].next.iter().any(|(_, to)| steps[*to].end.is_some())
    }

    fn has_path(steps: &[Step], at: usize) -> bool {
        steps[at].end.is_some() || steps[at].next.iter().any(|(_, to)| Self::has_path(steps, *to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(paths: &[&str]) -> Vec<(u16, AddressPath)> {
        (0..).zip(paths).map(|(nth, path)| (nth, AddressPath::new(path, Role::Source))).collect()
    }

    fn compile(paths: &[&str]) -> Result<Paths, ExtractConfigError> {
        Paths::compile(&numbered(paths), &WritingNeeds::default(), &[])
    }

    fn six() -> Vec<(u16, AddressPath)> {
        numbered(&[
            "source.ip",
            "destination.ip",
            "client.ip",
            "server.ip",
            "host.ip",
            "observer.ip",
        ])
    }

    #[test]
    fn a_name_leads_on_nested_and_with_dots() {
        let paths = compile(&["a.b.c", "a.d"]).unwrap();
        let root = paths.place(Paths::ROOT);
        for name in ["a", "a.b", "a.b.c", "a.d"] {
            assert!(root.edge(name.as_bytes()).is_some(), "{name}");
        }
        for name in ["", "b", "a.", "a.b.d", "a.b.c.d", "A"] {
            assert!(root.edge(name.as_bytes()).is_none(), "{name}");
        }
        let to = root.edge(b"a.b.c").unwrap().to.unwrap();
        assert_eq!(paths.place(to).end.map(|end| (end.path, end.role)), Some((0, Role::Source)));
        let a = paths.place(root.edge(b"a").unwrap().to.unwrap());
        assert_eq!(a.edge(b"b.c").unwrap().to, Some(to));
    }

    #[test]
    fn a_landmark_is_no_name_with_dots() {
        let needs =
            WritingNeeds { members: vec!["geo".into()], landmarks: vec!["related.ip".into()] };
        let paths = Paths::compile(&six(), &needs, &[]).unwrap();
        let root = paths.place(Paths::ROOT);
        assert!(root.edge(b"related.ip").is_none());
        let related = paths.place(root.edge(b"related").unwrap().to.unwrap());
        assert!(related.edge(b"ip").is_some());
        assert!(related.edge(b"geo").is_none(), "no address is ever in it");
        assert_eq!(root.edge(b"geo").unwrap().member, Some(0));
    }

    #[test]
    fn a_noted_member_is_recognised_however_it_is_spelt() {
        let needs = WritingNeeds { members: vec!["geo".into(), "as".into()], landmarks: vec![] };
        let paths = Paths::compile(&six(), &needs, &[]).unwrap();
        let root = paths.place(Paths::ROOT);
        for name in ["source.geo", "source.geo.name", "host.as.number", "observer.as."] {
            assert!(root.scatters(name.as_bytes()), "{name}");
        }
        for name in ["", "source", "source.", "source.geode", "geo", "geo.name", "x.geo", "s"] {
            assert!(!root.scatters(name.as_bytes()), "{name}");
        }
        let source = paths.place(root.edge(b"source").unwrap().to.unwrap());
        for name in ["geo.name", "as.organization.name"] {
            assert!(source.scatters(name.as_bytes()), "{name}");
        }
        for name in ["geode", "source.geo", "address", "g"] {
            assert!(!source.scatters(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_followed_is_refused_by_name() {
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert!(matches!(compile(&[bad]), Err(ExtractConfigError::EmptyStep { .. })), "{bad}");
        }
        for bad in ["a[]", "a.*", "$.a", "/a/b"] {
            let refused = compile(&[bad]);
            assert!(matches!(refused, Err(ExtractConfigError::ForeignNotation { .. })), "{bad}");
        }
        for bad in ["a.".repeat(16) + "a", "a".repeat(257)] {
            let refused = compile(&[&bad]);
            assert!(matches!(refused, Err(ExtractConfigError::TooLong { .. })), "{bad}");
        }
        assert!(matches!(compile(&["a.b", "c", "a.b"]), Err(ExtractConfigError::Twice { .. })));
        let many: Vec<String> = (0..1025).map(|n| format!("p{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(compile(&many), Err(ExtractConfigError::TooMany { count: 1025 })));
        assert!(compile(&many[1..]).is_ok());
    }

    #[test]
    fn a_profile_that_wants_too_much_is_refused() {
        let members = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(str::to_owned).to_vec();
        for needs in [
            WritingNeeds { members, landmarks: vec![] },
            WritingNeeds { members: vec![], landmarks: vec!["a.b.c".into()] },
        ] {
            let refused = Paths::compile(&six(), &needs, &[]);
            assert!(matches!(refused, Err(ExtractConfigError::Needs { .. })));
        }
    }
}
