//! What a profile writes of an enrichment, as slices of bytes: the names come from its data, the
//! values from the fields. Done once for each of the facts, and kept.

use super::facts::Field;
use super::fragments::Slice;
use super::json::Members;
use crate::record::{Enrichment, GroupSet};

/// A member that is written of facts.
#[derive(Debug)]
pub(super) enum Rule {
    /// A single field.
    Field {
        /// Its name as JSON has it, without the quotes.
        name: Box<[u8]>,
        /// What is written.
        field: &'static Field,
    },
    /// An object of further members.
    Object {
        /// Its name, likewise.
        name: Box<[u8]>,
        /// What is in it.
        inner: Vec<Rule>,
        /// It is written only where one of these is known; where there are none, in any case.
        one_of: Vec<&'static Field>,
    },
}

/// All that a profile renders.
#[derive(Debug)]
pub(super) struct Rendering {
    /// The members of each slice.
    pub(super) slices: [Vec<Rule>; Slice::COUNT],
    /// What stands before the names of the outermost members. The first is empty.
    pub(super) prefixes: Vec<Box<[u8]>>,
}

impl Rendering {
    /// Appends all slices of some groups with the names of a variant; says where each one ends.
    pub(super) fn render(
        &self,
        known: &Enrichment,
        groups: GroupSet,
        variant: usize,
        out: &mut Vec<u8>,
    ) -> [usize; Slice::COUNT] {
        let prefix = &*self.prefixes[variant];
        let mut ends = [out.len(); Slice::COUNT];
        let start = out.len();
        for (nth, rules) in self.slices.iter().enumerate() {
            let before = out.len();
            for rule in rules {
                rule.write(known, groups, prefix, &mut Members::new(out));
            }
            // Only of the last one the end may be that far; what is longer than any name or place
            // is none.
            if nth < Slice::LAST && out.len() - start > usize::from(u16::MAX) {
                out.truncate(before);
            }
            ends[nth] = out.len();
        }
        ends
    }
}

impl Rule {
    /// All fields in it.
    pub(super) fn fields(&self) -> Vec<&'static Field> {
        match self {
            Self::Field { field, .. } => vec![*field],
            Self::Object { inner, .. } => inner.iter().flat_map(Self::fields).collect(),
        }
    }

    /// Its name, without quotes and as JSON has it.
    pub(super) fn name(&self) -> String {
        let (Self::Field { name, .. } | Self::Object { name, .. }) = self;
        String::from_utf8_lossy(name).into_owned()
    }

    fn write(&self, known: &Enrichment, groups: GroupSet, prefix: &[u8], to: &mut Members<'_>) {
        let whole;
        let named = |name: &'_ [u8]| [prefix, name].concat();
        match self {
            Self::Field { name, field } if groups.contains(field.group) => {
                if prefix.is_empty() {
                    field.write(known, name, to);
                } else {
                    field.write(known, &named(name), to);
                }
            }
            Self::Field { .. } => {}
            Self::Object { name, inner, one_of } => {
                let is_known =
                    |field: &&Field| groups.contains(field.group) && field.is_known(known);
                if !one_of.is_empty() && !one_of.iter().any(is_known) {
                    return;
                }
                let name = if prefix.is_empty() {
                    name
                } else {
                    whole = named(name);
                    &*whole
                };
                to.object(name, |to| {
                    for rule in inner {
                        rule.write(known, groups, b"", to);
                    }
                });
            }
        }
    }
}
