//! The `ipstamp` object's beginning: how the record ended and which sources contributed.

use super::splice::Splice;
use crate::record::Outcome;

/// The sources that contributed to an event, by their place in the configured order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contributed([u64; 4]);

impl Contributed {
    pub(super) fn add(&mut self, source: u8) {
        self.0[usize::from(source / 64)] |= 1 << (source % 64);
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(nth, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < 64).then_some(nth * 64 + bit)
            })
        })
    }
}

/// Writes `{"outcome":…,"reason":…,"sources":[…]`, without the closing brace. `sources` has the
/// names as JSON strings. Names of outcomes and reasons need no escapes.
pub(super) fn begin(
    splice: &mut Splice,
    outcome: Outcome,
    contributed: Contributed,
    sources: &[Vec<u8>],
) {
    splice.write(|out| {
        out.extend_from_slice(b"{\"outcome\":\"");
        out.extend_from_slice(outcome.name().as_bytes());
        if let Some(reason) = outcome.reason() {
            out.extend_from_slice(b"\",\"reason\":\"");
            out.extend_from_slice(reason.name().as_bytes());
        }
        out.extend_from_slice(b"\",\"sources\":[");
        let mut names = contributed.iter().filter_map(|source| sources.get(source));
        if let Some(name) = names.next() {
            out.extend_from_slice(name);
        }
        for name in names {
            out.push(b',');
            out.extend_from_slice(name);
        }
        out.push(b']');
    });
}
