//! What is wanted: `want` compiled into groups, and the fields that make a group count as answered.

use super::Want;
use super::fields::{fields, groups_of};
use crate::record::{AutonomousSystem, DidYouMean, Enrichment, FactGroup, GroupSet};

/// What is wanted of each address. It decides what is taken from a source, and when a group needs
/// no further one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    groups: GroupSet,
    /// The wanted single fields, by group. A group without any is answered by any of its facts.
    fields: Vec<(FactGroup, &'static str)>,
}

impl Wants {
    /// Understands the `want` list. A name that is not known is refused with the nearest one that
    /// is.
    pub fn new(want: &[Want]) -> Result<Self, ResolveConfigError> {
        let mut wants = Self { groups: GroupSet::EMPTY, fields: Vec::new() };
        for Want(name) in want {
            if let Some(group) = FactGroup::by_name(name) {
                wants.groups = wants.groups.with(group);
            } else if let Some((group, field)) = field_by_name(name) {
                wants.groups = wants.groups.with(group);
                if !wants.fields.contains(&(group, field)) {
                    wants.fields.push((group, field));
                }
            } else {
                return Err(ResolveConfigError::UnknownWant {
                    name: name.clone(),
                    nearest: nearest(name),
                });
            }
        }
        if wants.groups.is_empty() {
            return Err(ResolveConfigError::NothingWanted);
        }
        Ok(wants)
    }

    /// The wanted groups.
    pub fn groups(&self) -> GroupSet {
        self.groups
    }

    /// Of the wanted groups those that `facts` have something of, and of these the ones that count
    /// as answered.
    pub(super) fn judge(&self, facts: &Enrichment) -> Judgement {
        let has = groups_of(facts).and(self.groups);
        let answers = has.iter().filter(|group| self.is_answered(*group, facts)).collect();
        Judgement { has, answers }
    }

    /// The single fields that are wanted of a group and that `facts` do not have.
    pub(super) fn lacks(
        &self,
        group: FactGroup,
        facts: &Enrichment,
    ) -> impl Iterator<Item = &'static str> {
        let known = fields(group, facts);
        let wanted = self.fields.iter().filter(move |(of, _)| *of == group);
        wanted.map(|(_, field)| *field).filter(move |field| !known.contains(&(*field, true)))
    }

    /// Whether all that is wanted of a system whose number is known, and something is, is among these
    /// fields: then nobody needs to be asked for the address.
    pub(crate) fn are_of_systems(&self, fields: &[&str]) -> bool {
        let number = AutonomousSystem { number: Some(0), ..AutonomousSystem::default() };
        let number = Enrichment { autonomous_system: Some(number), ..Enrichment::default() };
        let mut lacks = self.lacks(FactGroup::As, &number).peekable();
        lacks.peek().is_some() && lacks.all(|field| fields.contains(&field))
    }

    /// Whether a field of a system is wanted that is among these.
    pub(crate) fn any_of_systems(&self, fields: &[&str]) -> bool {
        self.fields.iter().any(|(group, field)| *group == FactGroup::As && fields.contains(field))
    }

    fn is_answered(&self, group: FactGroup, facts: &Enrichment) -> bool {
        let mut wanted = self.fields.iter().filter(|(of, _)| *of == group).peekable();
        if wanted.peek().is_none() {
            return true;
        }
        let known = fields(group, facts);
        wanted.all(|(_, field)| known.contains(&(*field, true)))
    }
}

/// How facts stand to what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Wanted groups of which something is known.
    pub(super) has: GroupSet,
    /// Wanted groups of which all wanted fields are known.
    pub(super) answers: GroupSet,
}

/// All that `want` may name.
pub(super) fn all_names() -> Vec<String> {
    let of = |group: FactGroup| {
        let fields = fields(group, &Enrichment::default());
        fields.into_iter().map(move |(field, _)| format!("{group}.{field}"))
    };
    let groups = FactGroup::ALL.map(|group| group.name().to_owned());
    groups.into_iter().chain(FactGroup::ALL.into_iter().flat_map(of)).collect()
}

/// The field of this name: `geo.city_name`.
pub(super) fn field_by_name(name: &str) -> Option<(FactGroup, &'static str)> {
    let (group, wanted) = name.split_once('.')?;
    let group = FactGroup::by_name(group)?;
    let known = fields(group, &Enrichment::default());
    known.into_iter().find(|(field, _)| *field == wanted).map(|(field, _)| (group, field))
}

fn nearest(name: &str) -> Option<String> {
    nearest_of(name, all_names())
}

/// The known name that is at most a third of the letters away. One that goes on where this one
/// ends (`geo.city` for `geo.city_name`) is as near as a slip of the pen.
pub(super) fn nearest_of(name: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let distance = |known: &str| {
        let goes_on = name.len() >= 2 && known.starts_with(name);
        if goes_on { 1 } else { strsim::damerau_levenshtein(name, known) }
    };
    names
        .into_iter()
        .map(|known| (distance(&known), known))
        .filter(|(distance, _)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Why the `want` section cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveConfigError {
    /// A name that is no fact group and no field of one.
    #[error(
        "want: {name:?} is no fact group or field{}",
        DidYouMean(nearest.as_deref())
    )]
    UnknownWant {
        /// What was written.
        name: String,
        /// The name that it is most like, when one is like it at all.
        nearest: Option<String>,
    },
    /// An empty list: every record would be published as it came.
    #[error("want: nothing is wanted; name at least one fact group, such as \"geo\"")]
    NothingWanted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Geo;

    fn wants(names: &[&str]) -> Result<Wants, ResolveConfigError> {
        Wants::new(&names.iter().map(|name| Want((*name).to_owned())).collect::<Vec<_>>())
    }

    fn city(name: Option<&str>) -> Enrichment {
        let geo = Geo {
            country_name: Some("Latvia".to_owned()),
            city_name: name.map(str::to_owned),
            ..Geo::default()
        };
        Enrichment { geo: Some(geo), ..Enrichment::default() }
    }

    #[test]
    fn a_group_is_answered_when_the_wanted_fields_are_there() {
        let geo = GroupSet::EMPTY.with(FactGroup::Geo);
        for (want, name, answers) in [
            (&["geo", "as"][..], None, geo),
            (&["geo.city_name"], Some("Riga"), geo),
            (&["geo.city_name"], None, GroupSet::EMPTY),
            (&["geo", "geo.city_name"], None, GroupSet::EMPTY),
            (&["geo.city_name", "geo.country_name"], Some("Riga"), geo),
            (&["geo.city_name", "geo.metro_code"], Some("Riga"), GroupSet::EMPTY),
        ] {
            let judgement = wants(want).unwrap().judge(&city(name));
            assert_eq!(judgement, Judgement { has: geo, answers }, "{want:?} {name:?}");
        }
    }

    #[test]
    fn groups_that_are_not_wanted_are_not_taken() {
        let judgement = wants(&["as"]).unwrap().judge(&city(None));
        assert_eq!(judgement, Judgement { has: GroupSet::EMPTY, answers: GroupSet::EMPTY });
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_known() {
        for (name, nearest) in [
            ("goe", Some("geo")),
            ("geo.city", Some("geo.city_name")),
            ("privcay", Some("privacy")),
            ("as.numbr", Some("as.number")),
            ("zzz", None),
        ] {
            let nearest = nearest.map(str::to_owned);
            let error = ResolveConfigError::UnknownWant { name: name.to_owned(), nearest };
            assert_eq!(wants(&[name]), Err(error), "{name}");
        }
        assert_eq!(
            wants(&["goe"]).unwrap_err().to_string(),
            "want: \"goe\" is no fact group or field; did you mean `geo`?"
        );
    }

    #[test]
    fn wanting_nothing_is_refused() {
        assert_eq!(wants(&[]), Err(ResolveConfigError::NothingWanted));
    }
}
