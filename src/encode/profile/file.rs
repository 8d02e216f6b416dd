//! A profile as a person writes it: a YAML file that says which members facts become and where they
//! stand. Those that ipstamp knows by name are such files, too.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ProfileError;
use crate::record::{Role, yaml_value};

/// A profile, read and not yet compiled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::encode) struct ProfileFile {
    /// What schema it follows, in words.
    pub(in crate::encode) title: String,
    /// Where the facts of an address stand.
    pub(in crate::encode) place: Placing,
    /// By role: the object that an address gets which stands at no place of the profile; with
    /// [`Placing::Flat`], what stands before the names.
    #[serde(default)]
    pub(in crate::encode) roles: HashMap<Role, String>,
    /// In such an object, the member for the address as the event spells it.
    #[serde(default)]
    pub(in crate::encode) raw: Option<String>,
    /// What is written of facts: by name, in the order of writing.
    pub(in crate::encode) members: Map<String, Value>,
    /// All fields that no member has.
    #[serde(default)]
    pub(in crate::encode) rest: Option<Rest>,
    /// Lists of the whole event, by their place in it.
    #[serde(default)]
    pub(in crate::encode) lists: BTreeMap<String, ListRule>,
    /// Where the address stands of who came through proxies: the client of a chain that they wrote.
    #[serde(default)]
    pub(in crate::encode) forwarded: Option<String>,
    /// Where the stamp stands. Default: `ipstamp`.
    #[serde(default)]
    pub(in crate::encode) stamp: Option<String>,
    /// The list that tags go to.
    #[serde(default)]
    pub(in crate::encode) tags: Option<String>,
}

/// Where the facts of an address stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::encode) enum Placing {
    /// Beside the address, in its object.
    Beside,
    /// In the outermost object, under names that begin with the role's.
    Flat,
}

/// A member.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::encode) struct MemberRule {
    /// The group that is kept whole with it: where the event has the member, nothing of the group is
    /// written.
    #[serde(default)]
    pub(in crate::encode) group: Option<crate::record::FactGroup>,
    /// An object of these members; with [`Placing::Flat`], members that are kept or replaced together.
    #[serde(default)]
    pub(in crate::encode) fields: Option<Map<String, Value>>,
    /// A single field.
    #[serde(default)]
    pub(in crate::encode) field: Option<String>,
    /// Roles that the schema does not allow it in: there it is one of the rest.
    #[serde(default)]
    pub(in crate::encode) not_in: Vec<Role>,
    /// Without one of these it is not valid, and not written.
    #[serde(default)]
    pub(in crate::encode) one_of: Vec<String>,
    /// It is not written beside the address, only where a list names it.
    #[serde(default)]
    pub(in crate::encode) in_list: bool,
}

/// All fields that no member has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::encode) struct Rest {
    /// The member beside the address that takes them; without one, a list does.
    #[serde(default)]
    pub(in crate::encode) member: Option<String>,
    /// Their names. Without it they are written as `native` names them.
    #[serde(default)]
    pub(in crate::encode) fields: Option<Map<String, Value>>,
}

/// A list of the whole event.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::encode) struct ListRule {
    /// What gets an item.
    pub(in crate::encode) each: Each,
    /// Only where this is switched on.
    #[serde(default)]
    pub(in crate::encode) when: Option<Switch>,
    /// The item: an object, or `$ip`. In it `$path`, `$ip`, `$rest` and the names of members stand
    /// for what they say.
    pub(in crate::encode) item: Value,
}

/// What gets an item in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::encode) enum Each {
    /// Each address.
    Address,
    /// Each address of whose rest something is known.
    Rest,
}

/// What is written only where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::encode) enum Switch {
    /// `output.observables`.
    Observables,
}

impl ProfileFile {
    /// Reads a file's text.
    pub(in crate::encode) fn parse(text: &str) -> Result<Self, ProfileError> {
        let shape = |message: String| ProfileError::Shape { message };
        let value = yaml_value(text).map_err(shape)?;
        serde_json::from_value(value).map_err(|error| shape(error.to_string()))
    }

    /// The members in the order of writing.
    pub(in crate::encode) fn members(&self) -> Result<Vec<(&str, MemberRule)>, ProfileError> {
        let read = |(name, value): (&'_ String, &Value)| match value {
            Value::String(field) => Ok(MemberRule {
                field: Some(field.clone()),
                group: None,
                fields: None,
                not_in: Vec::new(),
                one_of: Vec::new(),
                in_list: false,
            }),
            _ => MemberRule::deserialize(value).map_err(|error| ProfileError::Shape {
                message: format!("members.{name}: {error}"),
            }),
        };
        self.members.iter().map(|member| Ok((member.0.as_str(), read(member)?))).collect()
    }
}
