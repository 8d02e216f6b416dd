//! A profile compiled: which member stands where, and which slice of what is rendered it takes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::ProfileError;
use super::fields::field;
use super::file::{MemberRule, Placing, ProfileFile, Switch};
use super::list::List;
use super::target::{Landmarks, Target};
use crate::encode::facts::{FIELDS, Field};
use crate::encode::fragments::{Slice, Slices};
use crate::encode::json::{escaped, quoted};
use crate::encode::render::{Rendering, Rule};
use crate::encode::stamp::StampPlace;
use crate::record::{FactGroup, Home, Role, WritingNeeds};

/// What of a profile is decided by the configuration.
#[derive(Clone, Debug, Default)]
pub(in crate::encode) struct Choice<'a> {
    /// The fields and groups that may be written; all where none is named.
    pub(in crate::encode) fields: &'a [String],
    /// Whether [`Switch::Observables`] is on.
    pub(in crate::encode) observables: bool,
}

/// A profile, ready to be used.
#[derive(Debug)]
pub(in crate::encode) struct Layout {
    /// Where the facts of an address stand.
    pub(in crate::encode) place: Placing,
    /// What is written there, in order.
    pub(in crate::encode) members: Vec<Member>,
    /// Which of them takes the rest.
    pub(in crate::encode) rest_member: Option<usize>,
    /// By role: a bit for each member that the schema has in its object.
    pub(in crate::encode) allowed: [u8; Role::ALL.len()],
    /// What the rest is made of, in the order of the slices.
    pub(in crate::encode) rest: Vec<(usize, Gate)>,
    /// By role, and last of none: what of it is written where the event has no member.
    open_rest: [Slices; Role::ALL.len() + 1],
    /// By role: the name of its object, or what stands before the names.
    pub(in crate::encode) roles: [Option<String>; Role::ALL.len()],
    /// By role: which of [`Rendering::prefixes`] that is.
    pub(in crate::encode) variants: [Option<usize>; Role::ALL.len()],
    /// `,"address":"`, for the address as the event spells it.
    pub(in crate::encode) raw: Option<Vec<u8>>,
    /// The lists.
    pub(in crate::encode) lists: Vec<List>,
    /// Where the client of a chain goes.
    pub(in crate::encode) forwarded: Option<Target>,
    /// Where tags go.
    pub(in crate::encode) tags: Option<Target>,
    /// What is rendered.
    pub(in crate::encode) rendering: Arc<Rendering>,
    /// What the scanner notes of the outermost object.
    pub(in crate::encode) landmarks: Vec<String>,
    /// Where the stamp stands.
    pub(in crate::encode) stamp: StampPlace,
}

/// A member.
#[derive(Debug)]
pub(in crate::encode) struct Member {
    /// Its name; with [`Placing::Flat`] that of several.
    pub(in crate::encode) name: String,
    /// `,"geo":`, what stands before its value.
    pub(in crate::encode) opening: Vec<u8>,
    /// What it is made of; none of the member that takes the rest.
    pub(in crate::encode) slice: usize,
    /// It is of several groups, so that it may be of several parts: its slice has what is in it.
    pub(in crate::encode) is_joined: bool,
    /// By role, whether it is not allowed there.
    pub(in crate::encode) not_in: [bool; Role::ALL.len()],
    /// With [`Placing::Flat`]: its names without prefixes.
    pub(in crate::encode) names: Vec<String>,
}

/// When a part of the rest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Gate {
    /// Always.
    Always,
    /// Unless the event has this member: it belongs to the same group.
    UnlessTaken(usize),
    /// It is this member itself, where it is not allowed.
    WhereNotAllowed(usize),
}

/// What is being put together.
struct Draft<'a> {
    choice: &'a Choice<'a>,
    slices: [Vec<Rule>; Slice::COUNT],
    taken: usize,
    /// The fields that members have.
    used: Vec<&'static Field>,
}

impl Gate {
    /// Whether this part of the rest is written for an address of this role. `closed`: a bit for each
    /// member that the event has, and keeps.
    pub(in crate::encode) fn is_open(
        self,
        members: &[Member],
        closed: u8,
        role: Option<Role>,
    ) -> bool {
        match self {
            Self::Always => true,
            Self::UnlessTaken(nth) => closed >> nth & 1 == 0 || !members[nth].is_allowed(role),
            Self::WhereNotAllowed(nth) => !members[nth].is_allowed(role),
        }
    }
}

impl Layout {
    /// What the scanner is to note.
    pub(in crate::encode) fn needs(&self) -> WritingNeeds {
        let members = match self.place {
            Placing::Beside => self.members.iter().map(|member| member.name.clone()).collect(),
            // They are looked for in the outermost object alone.
            Placing::Flat => Vec::new(),
        };
        WritingNeeds { members, landmarks: self.landmarks.clone() }
    }

    /// What of the rest is written for an address of this role. `closed`: a bit for each member that
    /// the event has, and keeps.
    pub(in crate::encode) fn rest_slices(&self, closed: u8, role: Option<Role>) -> Slices {
        let open = self.open_rest[role.map_or(Role::ALL.len(), |role| role as usize)];
        if closed == 0 { open } else { open & slices(&self.rest, &self.members, closed, role) }
    }

    /// Compiles a profile.
    pub(in crate::encode) fn new(
        file: &ProfileFile,
        choice: &Choice<'_>,
    ) -> Result<Self, ProfileError> {
        let mut draft = Draft { choice, slices: Default::default(), taken: 0, used: Vec::new() };
        let mut members = Vec::new();
        let mut in_list = Vec::new();
        let mut groups = Vec::new();
        for (name, rule) in file.members()? {
            let Some(slice) = draft.member(name, &rule, file.place)? else { continue };
            if rule.in_list {
                in_list.push((name.to_owned(), slice));
                continue;
            }
            groups.push(rule.group);
            let rules = &draft.slices[slice];
            let is_wrapped = matches!(&rules[..], [rule] if rule.name() == name);
            let names = rules.iter().map(Rule::name).collect();
            members.push(Member {
                is_joined: !is_wrapped,
                names,
                ..Member::new(name, slice, &rule.not_in)
            });
        }
        let mut rest = Vec::new();
        for (nth, member) in members.iter().enumerate() {
            if member.not_in.contains(&true) {
                rest.push((member.slice, Gate::WhereNotAllowed(nth)));
            }
        }
        let mut rest_member = None;
        if let Some(rule) = &file.rest {
            let rules = match &rule.fields {
                Some(fields) => draft.tree(fields)?,
                None => draft.native(),
            };
            draft.split(rules, &groups, &mut rest)?;
            if let Some(name) = &rule.member {
                rest_member = Some(members.len());
                members.push(Member::new(name, Slice::LAST, &[]));
            }
        }
        if members.len() > Home::MOST_MEMBERS {
            return Err(ProfileError::TooMany { count: members.len(), most: Home::MOST_MEMBERS });
        }
        let allowed = Role::ALL.map(|role| {
            let bit =
                |(nth, member): (usize, &Member)| u8::from(member.is_allowed(Some(role))) << nth;
            members.iter().enumerate().map(bit).sum()
        });
        let mut open_rest = [slices(&rest, &members, 0, None); Role::ALL.len() + 1];
        for role in Role::ALL {
            open_rest[role as usize] = slices(&rest, &members, 0, Some(role));
        }
        let mut landmarks = Landmarks::default();
        let mut lists = Vec::new();
        for (path, rule) in &file.lists {
            let is_on = rule.when.is_none_or(|Switch::Observables| choice.observables);
            if is_on {
                let target = landmarks.target(path)?;
                lists.push(List::new(target, rule, &in_list, file)?);
            }
        }
        let forwarded = file.forwarded.as_ref().map(|path| landmarks.single(path)).transpose()?;
        let tags = file.tags.as_ref().map(|path| landmarks.target(path)).transpose()?;
        let stamp = landmarks.stamp(file.stamp.as_deref().unwrap_or("ipstamp"))?;
        let roles = Role::ALL.map(|role| file.roles.get(&role).cloned());
        let mut prefixes = vec![Box::default()];
        let variants = std::array::from_fn(|nth| {
            let prefix = roles[nth].as_ref().filter(|_| file.place == Placing::Flat)?;
            let prefix = escaped(prefix);
            let known = prefixes.iter().position(|other| *other == prefix);
            Some(known.unwrap_or_else(|| {
                prefixes.push(prefix);
                prefixes.len() - 1
            }))
        });
        Ok(Self {
            place: file.place,
            members,
            rest_member,
            allowed,
            rest,
            open_rest,
            roles,
            variants,
            raw: file.raw.as_ref().map(|name| [b",", &*quoted(name), b":\""].concat()),
            lists,
            forwarded,
            tags,
            rendering: Arc::new(Rendering { slices: draft.slices, prefixes }),
            landmarks: landmarks.names,
            stamp,
        })
    }
}

/// The slices of the rest whose gates are open.
fn slices(rest: &[(usize, Gate)], members: &[Member], closed: u8, role: Option<Role>) -> Slices {
    let open = rest.iter().filter(|(_, gate)| gate.is_open(members, closed, role));
    open.fold(0, |slices, (nth, _)| slices | 1 << nth)
}

/// `,"name":`, what stands before the value of a further member.
pub(in crate::encode) fn opening(name: &str) -> Vec<u8> {
    [b",", &*quoted(name), b":"].concat()
}

/// All that `native` writes of an address, as one slice.
pub(in crate::encode) fn native(choice: &Choice<'_>) -> Rendering {
    let draft = Draft { choice, slices: Default::default(), taken: 0, used: Vec::new() };
    let mut slices: [Vec<Rule>; Slice::COUNT] = Default::default();
    slices[Slice::LAST] = draft.native();
    Rendering { slices, prefixes: vec![Box::default()] }
}

impl Draft<'_> {
    fn allows(&self, field: &Field) -> bool {
        let fields = self.choice.fields;
        fields.is_empty() || fields.iter().any(|entry| field.is_named_by(entry))
    }

    fn slice(&mut self, rules: Vec<Rule>) -> Result<usize, ProfileError> {
        let nth = self.taken;
        self.taken += 1;
        if nth >= Slice::LAST {
            return Err(ProfileError::TooMany { count: nth + 1, most: Slice::LAST });
        }
        self.slices[nth] = rules;
        Ok(nth)
    }

    /// The slice of a member; none when nothing of it may be written.
    fn member(
        &mut self,
        name: &str,
        rule: &MemberRule,
        place: Placing,
    ) -> Result<Option<usize>, ProfileError> {
        let rules = match (&rule.fields, &rule.field) {
            (Some(fields), None) => self.tree(fields)?,
            (None, Some(field)) => self.leaf(name, field)?.into_iter().collect(),
            _ => {
                let message = format!("members.{name} wants either `fields` or `field`");
                return Err(ProfileError::Shape { message });
            }
        };
        if rules.is_empty() {
            return Ok(None);
        }
        self.used.extend(rules.iter().flat_map(Rule::fields));
        let one_of = rule.one_of.iter().map(|path| field(path)).collect::<Result<_, _>>()?;
        let mut of = rules.iter().flat_map(Rule::fields).map(|field| field.group);
        let first = of.next();
        let is_of_one = of.all(|group| Some(group) == first);
        let is_object = rule.fields.is_some() && place == Placing::Beside && is_of_one;
        let rules = if is_object {
            vec![Rule::Object { name: escaped(name), inner: rules, one_of }]
        } else {
            rules
        };
        self.slice(rules).map(Some)
    }

    fn leaf(&self, name: &str, path: &str) -> Result<Option<Rule>, ProfileError> {
        let field = field(path)?;
        Ok(self.allows(field).then(|| Rule::Field { name: escaped(name), field }))
    }

    fn tree(&self, fields: &Map<String, Value>) -> Result<Vec<Rule>, ProfileError> {
        let mut rules = Vec::new();
        for (name, value) in fields {
            match value {
                Value::String(path) => rules.extend(self.leaf(name, path)?),
                Value::Object(inner) => {
                    let inner = self.tree(inner)?;
                    if !inner.is_empty() {
                        let name = escaped(name);
                        rules.push(Rule::Object { name, inner, one_of: Vec::new() });
                    }
                }
                _ => {
                    let message = format!("`{name}` wants the name of a field, or fields in it");
                    return Err(ProfileError::Shape { message });
                }
            }
        }
        Ok(rules)
    }

    /// What no member has, by group and under its own name.
    fn native(&self) -> Vec<Rule> {
        let is_left = |field: &&Field| {
            let used = self.used.iter().any(|used| std::ptr::eq(*used, *field));
            !used && !field.is_derived() && self.allows(field)
        };
        let mut groups = Vec::new();
        for group in FactGroup::ALL {
            let mut inner: Vec<Rule> = Vec::new();
            for field in FIELDS.iter().filter(|field| field.group == group).filter(is_left) {
                let Some((outer, name)) = field.native.split_once('.') else {
                    inner.push(Rule::Field { name: escaped(field.native), field });
                    continue;
                };
                let leaf = Rule::Field { name: escaped(name), field };
                match inner.last_mut() {
                    Some(Rule::Object { name, inner, .. }) if **name == *outer.as_bytes() => {
                        inner.push(leaf);
                    }
                    _ => inner.push(Rule::Object {
                        name: escaped(outer),
                        inner: vec![leaf],
                        one_of: Vec::new(),
                    }),
                }
            }
            if !inner.is_empty() {
                let name = escaped(group.name());
                groups.push(Rule::Object { name, inner, one_of: Vec::new() });
            }
        }
        groups
    }

    /// Puts the rest into slices: what belongs to a group that is kept whole with a member into one
    /// of its own.
    fn split(
        &mut self,
        rules: Vec<Rule>,
        groups: &[Option<FactGroup>],
        rest: &mut Vec<(usize, Gate)>,
    ) -> Result<(), ProfileError> {
        let of_group = |rule: &Rule, group| rule.fields().iter().all(|field| field.group == group);
        let mut left = rules;
        for (nth, group) in groups.iter().enumerate() {
            let Some(group) = *group else { continue };
            let (own, others): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|rule| of_group(rule, group));
            left = others;
            if !own.is_empty() {
                rest.push((self.slice(own)?, Gate::UnlessTaken(nth)));
            }
        }
        self.slices[Slice::LAST] = left;
        rest.push((Slice::LAST, Gate::Always));
        Ok(())
    }
}

impl Member {
    /// Whether the schema has it in the object of this role; of none, it has.
    pub(in crate::encode) fn is_allowed(&self, role: Option<Role>) -> bool {
        role.is_none_or(|role| !self.not_in[role as usize])
    }

    fn new(name: &str, slice: usize, not_in: &[Role]) -> Self {
        Self {
            name: name.to_owned(),
            opening: opening(name),
            slice,
            is_joined: false,
            not_in: Role::ALL.map(|role| not_in.contains(&role)),
            names: Vec::new(),
        }
    }
}
