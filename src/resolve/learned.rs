//! What providers answered, by address: bounded, and the addresses not used for longest go first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::known::Said;
use super::wants::Wants;
use crate::record::{Enrichment, FactsId, GroupSet};

/// What one kept answer is reckoned to use: the fixed part, some hundred bytes of text, its places
/// in the map.
const BYTES_EACH: usize = size_of::<Enrichment>() + size_of::<Learned>() + 256;

/// What is known of one address from providers.
#[derive(Clone, Debug, Default)]
struct Learned {
    asked: GroupSet,
    facts: Option<Arc<Enrichment>>,
    /// The number of the facts, and the epoch in which it was given.
    id: Option<(u64, FactsId)>,
}

/// Answers by address, in two halves: what is learned or used goes to the young half; when that is
/// full it becomes the old one, and what was in the old one is forgotten. Strangers choose the
/// addresses, so the hash is the standard one, which they cannot foresee.
#[derive(Debug)]
pub(super) struct LearnedAnswers {
    young: HashMap<IpAddr, Learned>,
    old: HashMap<IpAddr, Learned>,
    most_in_a_half: usize,
}

impl LearnedAnswers {
    /// Keeps so many bytes of answers, at least a few.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            most_in_a_half: (bytes / BYTES_EACH / 2).max(8),
        }
    }

    /// Keeps what a provider answered when it was asked for these groups; of other groups what was
    /// known before stays.
    pub(super) fn learn(&mut self, ip: IpAddr, asked: GroupSet, facts: Option<Enrichment>) {
        let before = self.old.remove(&ip).or_else(|| self.young.remove(&ip)).unwrap_or_default();
        let facts = match (before.facts, facts) {
            (Some(before), Some(mut facts)) => {
                keep_others(&mut facts, &before, asked);
                Some(Arc::new(facts))
            }
            (before, facts) => facts.map(Arc::new).or(before),
        };
        self.put(ip, Learned { asked: asked.or(before.asked), facts, id: None });
    }

    /// What providers said of the address. `number` gives the facts a number the first time that
    /// they are used in the epoch.
    pub(super) fn said(
        &mut self,
        ip: IpAddr,
        wants: &Wants,
        epoch: u64,
        number: impl FnOnce(&Arc<Enrichment>) -> FactsId,
    ) -> Said {
        if let Some(learned) = self.old.remove(&ip) {
            self.put(ip, learned);
        }
        let Some(learned) = self.young.get_mut(&ip) else {
            return Said::default();
        };
        let Some(facts) = &learned.facts else {
            return Said { closes: learned.asked, ..Said::default() };
        };
        let judgement = wants.judge(facts);
        let id = match learned.id {
            Some((given_in, id)) if given_in == epoch => id,
            _ => number(facts),
        };
        learned.id = Some((epoch, id));
        // What was asked is closed, whatever came: asking again would cost again.
        Said { facts: id, has: judgement.has, answers: judgement.answers, closes: learned.asked }
    }

    /// The memory that it is reckoned to use.
    pub(super) fn bytes(&self) -> usize {
        (self.young.len() + self.old.len()) * BYTES_EACH
    }

    /// Whether nothing was learned, which spares the question.
    pub(super) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    fn put(&mut self, ip: IpAddr, learned: Learned) {
        if self.young.len() >= self.most_in_a_half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(ip, learned);
    }
}

/// Takes from `before` the groups that were not asked now and that `facts` say nothing of.
fn keep_others(facts: &mut Enrichment, before: &Enrichment, asked: GroupSet) {
    use crate::record::FactGroup as Group;
    fn keep<T: Clone>(now: &mut Option<T>, before: Option<&T>, asked: bool) {
        if !asked && now.is_none() {
            *now = before.cloned();
        }
    }
    let asked = |group| asked.contains(group);
    keep(&mut facts.geo, before.geo.as_ref(), asked(Group::Geo));
    keep(&mut facts.autonomous_system, before.autonomous_system.as_ref(), asked(Group::As));
    keep(&mut facts.network, before.network.as_ref(), asked(Group::Network));
    keep(&mut facts.company, before.company.as_ref(), asked(Group::Company));
    keep(&mut facts.privacy, before.privacy.as_ref(), asked(Group::Privacy));
    keep(&mut facts.threat, before.threat.as_ref(), asked(Group::Threat));
    keep(&mut facts.crawler, before.crawler.as_ref(), asked(Group::Crawler));
    keep(&mut facts.abuse, before.abuse.as_ref(), asked(Group::Abuse));
    keep(&mut facts.carrier, before.carrier.as_ref(), asked(Group::Carrier));
    keep(&mut facts.hostname, before.hostname.as_ref(), asked(Group::Hostname));
}
