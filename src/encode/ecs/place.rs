//! Where the facts of an address belong, as far as its path decides it.

use super::MEMBERS;
use crate::encode::json::quoted;
use crate::record::{Role, Sighting};

/// The prefix of the members beside an address like `{"source": {"ip": …}}`: none.
pub(super) const PLAIN: usize = 0;

/// What is known beforehand of one configured path.
#[derive(Debug)]
struct PathPlace {
    /// The last step is `ip`, and there is an object's name before it.
    ip_of_object: bool,
    /// The role that the step before the last is named like.
    parent: Option<Role>,
    /// By [`Sighting::name_steps`], from 1: which prefix the members beside the address have.
    prefixes: Vec<usize>,
    /// The number of the object's whole name, the same for all paths into it.
    object: usize,
    /// The steps of the members' whole names, in the order of [`MEMBERS`]: `source`, `geo`.
    steps: [Vec<String>; MEMBERS.len()],
}

/// The places of all configured paths.
#[derive(Debug)]
pub(super) struct Places {
    paths: Vec<PathPlace>,
    /// What stands before the names of members that are written beside an address. The first is
    /// empty; the others, such as `source.`, are for addresses like `{"source.ip": …}`.
    prefixes: Vec<String>,
    /// By prefix: the names of the members, as JSON strings.
    names: Vec<[Vec<u8>; 3]>,
    /// By role: its name as a JSON string, without the closing quote.
    roles: [Vec<u8>; Role::ALL.len()],
}

impl Places {
    pub(super) fn new(paths: &[String]) -> Self {
        let mut places = Self {
            paths: Vec::new(),
            prefixes: Vec::new(),
            names: Vec::new(),
            roles: Role::ALL.map(|role| ["\"", role.name()].concat().into_bytes()),
        };
        places.prefix(String::new());
        let mut objects: Vec<String> = Vec::new();
        for path in paths {
            let steps: Vec<&str> = path.split('.').collect();
            let before_last = &steps[..steps.len() - 1];
            let parent = before_last.last().copied();
            let prefixes = (0..steps.len()).map(|named| {
                let prefix: String = before_last[before_last.len() - named..]
                    .iter()
                    .flat_map(|step| [*step, "."])
                    .collect();
                places.prefix(prefix)
            });
            let prefixes = prefixes.collect();
            let object = before_last.join(".");
            let known = objects.iter().position(|other| *other == object);
            let object = known.unwrap_or_else(|| {
                objects.push(object);
                objects.len() - 1
            });
            places.paths.push(PathPlace {
                object,
                ip_of_object: parent.is_some() && steps.last() == Some(&"ip"),
                parent: Role::ALL.into_iter().find(|role| Some(role.name()) == parent),
                prefixes,
                steps: MEMBERS.map(|member| {
                    before_last.iter().chain([&member]).map(ToString::to_string).collect()
                }),
            });
        }
        places
    }

    fn prefix(&mut self, prefix: String) -> usize {
        let known = self.prefixes.iter().position(|other| *other == prefix);
        known.unwrap_or_else(|| {
            self.names.push(MEMBERS.map(|member| quoted(&[&prefix, member].concat())));
            self.prefixes.push(prefix);
            self.prefixes.len() - 1
        })
    }

    /// Which prefix the members beside the address have; none when its facts do not belong there.
    pub(super) fn beside(&self, sighting: &Sighting) -> Option<usize> {
        let path = self.paths.get(usize::from(sighting.path))?;
        let belongs = path.ip_of_object || path.parent == Some(sighting.role);
        let named = usize::from(sighting.name_steps).saturating_sub(1);
        path.prefixes.get(named).copied().filter(|_| belongs)
    }

    /// The names of the members with this prefix, as JSON strings, in the order of [`MEMBERS`].
    pub(super) fn names(&self, prefix: usize) -> &[Vec<u8>; 3] {
        &self.names[prefix]
    }

    /// The number of the whole name of the object that the address belongs to; less than there are
    /// paths.
    pub(super) fn object(&self, sighting: &Sighting) -> usize {
        self.paths[usize::from(sighting.path)].object
    }

    /// The steps of the whole name of a member beside the address, and how many of them the member's
    /// own name has.
    pub(super) fn steps(&self, sighting: &Sighting, member: usize) -> (&[String], usize) {
        let steps = &self.paths[usize::from(sighting.path)].steps[member];
        (steps, usize::from(sighting.name_steps))
    }

    /// The name of a role as a JSON string, without the closing quote.
    pub(super) fn opened_role(&self, role: Role) -> &[u8] {
        &self.roles[role as usize]
    }

    /// How many paths there are.
    pub(super) fn path_count(&self) -> usize {
        self.paths.len()
    }

    /// How many prefixes there are.
    pub(super) fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }
}
