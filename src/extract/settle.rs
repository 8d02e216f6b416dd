//! What of an event depends on several of its addresses: whose chain it is, which path says more.

use super::catalog::Kind;
use super::chain::Trust;
use super::config::ReadAs;
use super::several::Chains;
use crate::record::{Outline, Role, Span};

impl Kind {
    /// Puts right what was found in an event, now that all of it is known.
    #[inline(never)]
    pub(super) fn settle(
        &self,
        chains: &Chains,
        trust: &Trust,
        event: &[u8],
        outline: &mut Outline,
    ) {
        let peer_of = |path| self.path(path)?.peer.as_deref().and_then(|peer| self.number(peer));
        chains.settle(trust, outline, peer_of);
        for (number, path) in &self.paths {
            if path.read == ReadAs::Last {
                let mut all = outline.sightings.iter_mut().rev().filter(|s| s.path == *number);
                all.next();
                all.for_each(|sighting| sighting.role = Role::Proxy);
            }
            if path.zero_is_none {
                outline.sightings.retain(|sighting| {
                    let Span { start, end } = sighting.text;
                    sighting.path != *number || &event[start as usize..end as usize] != b"0.0.0.0"
                });
            }
            if let Some(other) = path.instead_of.as_deref().and_then(|other| self.number(other))
                && outline.sightings.iter().any(|sighting| sighting.path == *number)
            {
                outline.sightings.retain(|sighting| sighting.path != other);
            }
        }
    }
}
