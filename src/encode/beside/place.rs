//! Where the facts of an address belong, as far as its path decides it.

use crate::encode::json::quoted;
use crate::encode::profile::{Layout, opening};
use crate::record::{Role, Sighting};

/// The prefix of the members beside an address like `{"source": {"ip": …}}`: none.
pub(super) const PLAIN: usize = 0;

/// What is known beforehand of one configured path.
#[derive(Debug)]
struct PathPlace {
    /// The last step is `ip`, and there is an object's name before it.
    ip_of_object: bool,
    /// By role, whether the step before the last is named like its object.
    in_object_of: [bool; Role::ALL.len()],
    /// By [`Sighting::name_steps`], from 1: which prefix the members beside the address have.
    prefixes: Vec<usize>,
    /// The number of the object's whole name, the same for all paths into it.
    object: usize,
    /// By member, the steps of its whole name: `source`, `geo`.
    steps: Vec<Vec<String>>,
}

/// The places of all configured paths.
#[derive(Debug)]
pub(super) struct Places {
    paths: Vec<PathPlace>,
    members: Vec<String>,
    /// What stands before the names of members that are written beside an address. The first is
    /// empty; the others, such as `source.`, are for addresses like `{"source.ip": …}`.
    prefixes: Vec<String>,
    /// By prefix: what stands before the value of each member.
    openings: Vec<Vec<Vec<u8>>>,
    /// By role: the name of its object as a JSON string, without the closing quote.
    roles: [Option<Vec<u8>>; Role::ALL.len()],
}

impl Places {
    pub(super) fn new(layout: &Layout, paths: &[String]) -> Self {
        let mut places = Self {
            paths: Vec::new(),
            members: layout.members.iter().map(|member| member.name.clone()).collect(),
            prefixes: Vec::new(),
            openings: Vec::new(),
            roles: Role::ALL.map(|role| {
                let mut name = quoted(layout.roles[role as usize].as_ref()?);
                name.pop();
                Some(name)
            }),
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
                in_object_of: Role::ALL.map(|role| {
                    parent.is_some() && layout.roles[role as usize].as_deref() == parent
                }),
                prefixes,
                steps: places
                    .members
                    .iter()
                    .map(|member| {
                        let all = before_last.iter().copied().chain([member.as_str()]);
                        all.map(str::to_owned).collect()
                    })
                    .collect(),
            });
        }
        places
    }

    fn prefix(&mut self, prefix: String) -> usize {
        let known = self.prefixes.iter().position(|other| *other == prefix);
        known.unwrap_or_else(|| {
            let named =
                self.members.iter().map(|member| opening(&[&prefix, member.as_str()].concat()));
            self.openings.push(named.collect());
            self.prefixes.push(prefix);
            self.prefixes.len() - 1
        })
    }

    /// Which prefix the members beside the address have; none when its facts do not belong there.
    pub(super) fn beside(&self, sighting: &Sighting) -> Option<usize> {
        let path = self.paths.get(usize::from(sighting.path))?;
        let belongs = path.ip_of_object || path.in_object_of[sighting.role as usize];
        let named = usize::from(sighting.name_steps).saturating_sub(1);
        path.prefixes.get(named).copied().filter(|_| belongs)
    }

    /// Whether an address stands in the object of its role under a name that the profile does not know,
    /// as Okta's `client.ipAddress` does.
    pub(super) fn is_misnamed(&self, sighting: &Sighting) -> bool {
        let path = self.paths.get(usize::from(sighting.path));
        path.is_some_and(|path| !path.ip_of_object && path.in_object_of[sighting.role as usize])
    }

    /// What stands before the value of each member with this prefix: `,"source.geo":`.
    pub(super) fn openings(&self, prefix: usize) -> &[Vec<u8>] {
        &self.openings[prefix]
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

    /// The name of a role's object as a JSON string, without the closing quote; none where the
    /// profile has no object for it.
    pub(super) fn opened_role(&self, role: Role) -> Option<&[u8]> {
        self.roles[role as usize].as_deref()
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
