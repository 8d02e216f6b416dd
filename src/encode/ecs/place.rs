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
    /// By role: its name as a JSON string.
    roles: [Vec<u8>; Role::ALL.len()],
}

impl Places {
    pub(super) fn new(paths: &[String]) -> Self {
        let mut places = Self {
            paths: Vec::new(),
            prefixes: Vec::new(),
            names: Vec::new(),
            roles: Role::ALL.map(|role| quoted(role.name())),
        };
        places.prefix(String::new());
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
            places.paths.push(PathPlace {
                ip_of_object: parent.is_some() && steps.last() == Some(&"ip"),
                parent: Role::ALL.into_iter().find(|role| Some(role.name()) == parent),
                prefixes,
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

    /// The name of a role as a JSON string.
    pub(super) fn role_name(&self, role: Role) -> &[u8] {
        &self.roles[role as usize]
    }

    /// How many prefixes there are.
    pub(super) fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }
}
