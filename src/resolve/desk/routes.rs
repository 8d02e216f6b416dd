//! Whom to ask for which fact group, in which order.

use super::LicenceId;
use crate::record::{FactGroup, GroupSet};

/// For each group the licences that may be asked for it, the first one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    by_group: [Vec<LicenceId>; FactGroup::ALL.len()],
}

impl Routes {
    /// `all`: the licences in the order that holds where `order` does not name a group.
    pub fn new(all: &[LicenceId], order: &[(FactGroup, Vec<LicenceId>)]) -> Self {
        let by_group = FactGroup::ALL.map(|group| {
            let named = order.iter().find(|(of, _)| *of == group);
            named.map_or_else(|| all.to_vec(), |(_, licences)| licences.clone())
        });
        Self { by_group }
    }

    /// Those that may be asked for the group.
    pub(super) fn of(&self, group: FactGroup) -> &[LicenceId] {
        &self.by_group[group as usize]
    }

    /// All that are asked for anything.
    pub(super) fn all(&self) -> impl Iterator<Item = LicenceId> + '_ {
        let mut seen = Vec::new();
        let each = self.by_group.iter().flatten().copied();
        each.filter(move |licence| {
            let new = !seen.contains(licence);
            seen.push(*licence);
            new
        })
    }

    /// The groups for which this licence may be asked.
    pub(super) fn groups_of(&self, licence: LicenceId) -> GroupSet {
        FactGroup::ALL.into_iter().filter(|group| self.of(*group).contains(&licence)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_the_order_names_is_asked_as_it_says_and_of_nobody_else() {
        let [a, b, c] = [LicenceId(0), LicenceId(1), LicenceId(2)];
        let routes = Routes::new(&[a, b, c], &[(FactGroup::Privacy, vec![c, a])]);
        assert_eq!(routes.of(FactGroup::Geo), [a, b, c]);
        assert_eq!(routes.of(FactGroup::Privacy), [c, a]);
        assert_eq!(routes.all().collect::<Vec<_>>(), [a, b, c]);
        assert!(!routes.groups_of(b).contains(FactGroup::Privacy));
        assert!(routes.groups_of(b).contains(FactGroup::Geo));
    }
}
