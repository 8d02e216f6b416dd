//! What of an event depends on several of its addresses: whose chain it is, which path says more.

use super::catalog::Kind;
use super::chain::Trust;
use super::config::ReadAs;
use super::several::Chains;
use crate::record::{Outline, Role, Sighting, Span};

impl Kind {
    /// Puts right what was found in an event, now that all of it is known: the sightings from `first`
    /// on. `keeps`: what does not count is noted as such, for something is to stand for it.
    #[inline(never)]
    pub(super) fn settle(
        &self,
        chains: &Chains,
        (trust, keeps): (&Trust, bool),
        event: &[u8],
        first: usize,
        outline: &mut Outline,
    ) {
        let peer_of = |path| self.path(path)?.peer.as_deref().and_then(|peer| self.number(peer));
        chains.settle(trust, first, outline, peer_of);
        let Outline { sightings, passed_over, .. } = outline;
        for (number, path) in &self.paths {
            if path.read == ReadAs::Last {
                let mut all = sightings[first..].iter_mut().rev().filter(|s| s.path == *number);
                all.next();
                all.for_each(|sighting| sighting.role = Role::Proxy);
            }
            if path.zero_is_none {
                let is_none = |sighting: &mut Sighting| {
                    let Span { start, end } = sighting.text;
                    sighting.path == *number && &event[start as usize..end as usize] == b"0.0.0.0"
                };
                sightings.extract_if(first.., is_none).for_each(drop);
            }
            if let Some(other) = path.instead_of.as_deref().and_then(|other| self.number(other))
                && sightings[first..].iter().any(|sighting| sighting.path == *number)
            {
                let others = sightings.extract_if(first.., |sighting| sighting.path == other);
                passed_over.extend(others.filter(|_| keeps));
            }
        }
    }
}
