//! What was found in events, what is missing of it, and how they end.

use super::Stamper;
use crate::record::{Answer, Outcome, Outline, Reason, Role, Sighting};

/// What was found in events, counted since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Addresses, by role in the order of [`Role::ALL`].
    pub sightings: [u64; Role::ALL.len()],
    /// Values at configured paths that are no address.
    pub unreadable: u64,
    /// Addresses beyond the limit per record.
    pub left_out: u64,
}

impl Found {
    pub(super) fn count(&mut self, outline: &Outline) {
        for sighting in &outline.sightings {
            self.sightings[sighting.role as usize] += 1;
        }
        self.unreadable += u64::from(outline.unreadable);
        self.left_out += u64::from(outline.left_out);
    }
}

impl Stamper {
    /// Notes what is missing of an event. False when none of its addresses is to be looked up.
    pub(super) fn judge(&mut self, nth: usize) -> bool {
        self.missing.clear();
        let mut touched = false;
        for (outline, answers) in self.read[nth].answered() {
            touched |= is_touched(outline, answers, self.hides);
            for (sighting, answer) in outline.sightings.iter().zip(answers) {
                if !answer.missing.is_empty() && sighting.address.is_global() {
                    self.missing.push((sighting.address.ip(), answer.missing));
                }
            }
        }
        touched
    }

    /// What was found since the last call.
    pub fn take_found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }
}

/// Whether any of its addresses is looked up, or was to be.
pub(super) fn is_touched(outline: &Outline, answers: &[Answer], hides: bool) -> bool {
    let looked_up = |(sighting, answer): (&Sighting, &Answer)| {
        sighting.address.is_global() || !answer.is_empty()
    };
    outline.left_out > 0
        || (hides && !outline.sightings.is_empty())
        || outline.sightings.iter().zip(answers).any(looked_up)
}

/// How an event ends whose addresses were looked up; `failed`: why something is missing.
pub(super) fn outcome(outline: &Outline, answers: &[Answer], failed: Option<Reason>) -> Outcome {
    let cut = (outline.left_out > 0).then_some(Reason::AddressLimit);
    let lacking = || answers.iter().any(|answer| answer.lacking).then_some(Reason::NotFound);
    failed.or(cut).or_else(lacking).map_or(Outcome::Enriched, Outcome::Partial)
}
