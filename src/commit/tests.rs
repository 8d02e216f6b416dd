//! P2: the watermark never passes a record that has not ended, whatever the order of events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Admit the offset that is so far beyond the last.
    Admit(u8),
    /// End one of all sequence numbers ever given, old ones and doubles too.
    End(prop::sample::Index),
    /// End one that is surely under way.
    EndPending(prop::sample::Index),
    Begin,
    Rewind(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (1u8..4).prop_map(Step::Admit),
        10 => any::<prop::sample::Index>().prop_map(Step::End),
        40 => any::<prop::sample::Index>().prop_map(Step::EndPending),
        1 => Just(Step::Begin),
        2 => any::<u8>().prop_map(Step::Rewind),
    ]
}

/// The model says the same in the plainest way: a set of what is pending.
#[derive(Default)]
struct Model {
    pending: BTreeMap<i64, Sequence>,
    received: BTreeSet<i64>,
}

impl Model {
    fn watermark(&self) -> Option<i64> {
        let last = *self.received.last()?;
        Some(self.pending.keys().next().copied().unwrap_or(last + 1))
    }
}

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut tracker = Tracker { front: Sequence::from_bits(u64::MAX - 700), ..Tracker::new() };
    let mut model = Model::default();
    let mut given = Vec::new();
    let mut stored: Option<NextOffset> = None;
    for step in steps {
        match step {
            Step::Admit(gap) => {
                let offset = model.received.last().map_or(0, |last| last + i64::from(*gap));
                let sequence = tracker.admit(Offset(offset)).unwrap();
                model.pending.insert(offset, sequence);
                model.received.insert(offset);
                given.push(sequence);
            }
            Step::End(index) if !given.is_empty() => {
                let sequence = given[index.index(given.len())];
                let offset =
                    model.pending.iter().find(|(_, given)| **given == sequence).map(|(o, _)| *o);
                prop_assert_eq!(tracker.end(sequence), offset.is_some());
                offset.map(|offset| model.pending.remove(&offset));
            }
            Step::EndPending(index) if !model.pending.is_empty() => {
                let nth = index.index(model.pending.len());
                let (offset, sequence) =
                    model.pending.iter().nth(nth).map(|(o, s)| (*o, *s)).unwrap();
                prop_assert_eq!(tracker.offset(sequence), Some(Offset(offset)));
                prop_assert!(tracker.end(sequence));
                prop_assert!(!tracker.end(sequence), "a record ended twice");
                model.pending.remove(&offset);
            }
            Step::Begin => {
                tracker.begin();
                model = Model::default();
                stored = None;
            }
            Step::Rewind(back) => {
                if let Some(last) = model.received.last() {
                    let offset = Offset((last - i64::from(*back)).max(0));
                    prop_assert!(tracker.admit(offset).is_err());
                }
            }
            Step::End(_) | Step::EndPending(_) => {}
        }
        prop_assert_eq!(tracker.watermark().map(|next| next.0), model.watermark());
        prop_assert_eq!(tracker.pending(), model.pending.len());
        prop_assert!(tracker.span() >= tracker.pending());
        if let Some(taken) = tracker.take_watermark() {
            prop_assert!(stored.is_none_or(|stored| stored < taken), "the watermark went back");
            prop_assert!(model.pending.keys().next().is_none_or(|lowest| taken.0 <= *lowest));
            stored = Some(taken);
            prop_assert_eq!(tracker.take_watermark(), None);
        }
    }
    Ok(())
}

proptest! {
    // 500 runs of up to 4,000 steps: about a million.
    #![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_set_of_pending_offsets(steps in prop::collection::vec(step(), 1..4000)) {
        run(&steps)?;
    }
}

#[test]
fn a_late_word_of_an_earlier_ownership_changes_nothing() {
    let mut tracker = Tracker::new();
    let early = tracker.admit(Offset(7)).unwrap();
    tracker.begin();
    let present = tracker.admit(Offset(3)).unwrap();
    assert!(!tracker.end(early));
    assert_eq!(tracker.watermark(), Some(NextOffset(3)));
    assert!(tracker.end(present));
    assert_eq!(tracker.watermark(), Some(NextOffset(4)));
}

#[test]
fn gaps_are_not_waited_for() {
    let mut tracker = Tracker::new();
    let (a, b) = (tracker.admit(Offset(10)).unwrap(), tracker.admit(Offset(500)).unwrap());
    assert!(tracker.end(a));
    assert_eq!(tracker.watermark(), Some(NextOffset(500)));
    assert!(tracker.end(b));
    assert_eq!(tracker.watermark(), Some(NextOffset(501)));
}

#[test]
fn nothing_is_said_before_the_first_record() {
    let mut tracker = Tracker::new();
    assert_eq!(tracker.watermark(), None);
    assert_eq!(tracker.take_watermark(), None);
}
