//! The cache against a plain model of it: what was put is got until its end, in its scope and no
//! other, in whatever order and from however many threads it came.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::thread;

use bytesize::ByteSize;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::record::{FactGroup, Geo, Privacy, Threat};

const GROUPS: [FactGroup; 3] = [FactGroup::Geo, FactGroup::Privacy, FactGroup::Threat];
const HOUR: Duration = Duration::from_secs(3600);

fn sources() -> Vec<Arc<str>> {
    ["first", "second"].map(Arc::from).to_vec()
}

fn cache(config: &CacheConfig) -> Cache {
    Cache::new(config, &sources())
}

/// Without jitter there is an end that a test can name: a life of nothing or of for ever.
fn lifetimes(facts: Duration) -> Lifetimes {
    Lifetimes { facts: [facts; FactGroup::ALL.len()], unknown: facts, error: facts }
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0800_0000 + number).into()
}

/// Facts of the groups that nobody else would be given.
fn facts(groups: GroupSet, mark: u32) -> Enrichment {
    let has = |group| groups.contains(group);
    Enrichment {
        geo: has(FactGroup::Geo).then(|| Geo { geoname_id: Some(mark), ..Geo::default() }),
        privacy: has(FactGroup::Privacy)
            .then(|| Privacy { service: Some(mark.to_string()), ..Privacy::default() }),
        threat: has(FactGroup::Threat)
            .then(|| Threat { score: Some(f64::from(mark)), ..Threat::default() }),
        ..Enrichment::default()
    }
}

fn mark_of(facts: &Enrichment, group: FactGroup) -> Option<u32> {
    match group {
        FactGroup::Geo => facts.geo.as_ref()?.geoname_id,
        FactGroup::Privacy => facts.privacy.as_ref()?.service.as_ref()?.parse().ok(),
        FactGroup::Threat => Some(facts.threat.as_ref()?.score? as u32),
        _ => None,
    }
}

#[derive(Clone, Debug)]
struct Put {
    scope: CacheScope,
    address: IpAddr,
    source: SourceId,
    asked: GroupSet,
    known: GroupSet,
    failed: bool,
    life: Duration,
    at: u32,
    mark: u32,
}

fn any_groups() -> impl Strategy<Value = GroupSet> {
    (1u8..8).prop_map(|bits| {
        let chosen = GROUPS.into_iter().enumerate().filter(move |(nth, _)| bits >> nth & 1 == 1);
        chosen.map(|(_, group)| group).collect()
    })
}

/// Puts at different times to a few addresses, in a few scopes.
fn any_puts() -> impl Strategy<Value = Vec<Put>> {
    let put = (0u32..2, 0u32..3, 0u8..2, any_groups(), any_groups(), 0u8..4, 0u8..3);
    vec(put, 1..40).prop_map(|puts| {
        let puts = puts.into_iter().zip(1u32..);
        puts.map(|((scope, number, source, asked, known, failed, life), at)| Put {
            scope: CacheScope(scope),
            address: address(number),
            source: SourceId(source),
            asked,
            known: known.and(asked),
            failed: failed == 0,
            life: if life == 0 { Duration::ZERO } else { HOUR },
            at,
            mark: at,
        })
        .collect()
    })
}

fn put(cache: &Cache, put: &Put) {
    let Put { scope, address, source, asked, .. } = *put;
    let (lifetimes, now) = (lifetimes(put.life), Moment(put.at));
    if put.failed {
        return cache.put_error(scope, address, source, asked, &lifetimes, now);
    }
    let facts = facts(put.known, put.mark);
    let facts = (!put.known.is_empty()).then_some(&facts);
    let learned = Learned { source, asked, closes: asked, facts };
    cache.put(scope, address, &learned, &lifetimes, now);
}

/// What holds at a time of (scope, address, source, group): the mark of the facts, None for "nothing
/// known"; and whether an error holds.
type Model = BTreeMap<(CacheScope, IpAddr, SourceId, FactGroup), (Option<Option<u32>>, bool)>;

/// The newest answer counts, and an error that is newer than it.
fn model(puts: &[Put], now: u32) -> Model {
    let mut model = Model::new();
    let mut in_order = puts.to_vec();
    in_order.sort_by_key(|put| put.at);
    for put in &in_order {
        for group in put.asked.iter() {
            let holds = put.life > Duration::ZERO && now <= put.at + 3000;
            let known = put.known.contains(group).then_some(put.mark);
            let kept = model.entry((put.scope, put.address, put.source, group)).or_default();
            if put.failed {
                kept.1 = holds;
            } else {
                *kept = (holds.then_some(known), false);
            }
        }
    }
    model.retain(|_, kept| *kept != (None, false));
    model
}

fn seen(cache: &Cache, now: u32) -> Model {
    let now = Moment(now);
    let mut seen = Model::new();
    for scope in [CacheScope(0), CacheScope(1)] {
        for address in (0..3).map(address) {
            let Some(entry) = cache.get(scope, address) else { continue };
            for told in entry.iter() {
                let facts = told.enrichment();
                for group in told.holding(now).iter() {
                    let kept = seen.entry((scope, address, told.source, group)).or_default();
                    if told.failed {
                        assert!(!kept.1, "two errors");
                        kept.1 = true;
                    } else {
                        assert_eq!(kept.0, None, "two answers of one source");
                        let known = told.has.contains(group);
                        kept.0 = Some(known.then(|| mark_of(&facts, group).unwrap()));
                    }
                }
            }
        }
    }
    seen
}

proptest! {
    #[test]
    fn what_was_put_is_got_until_its_end_in_its_scope_and_no_other(puts in any_puts()) {
        let cache = cache(&CacheConfig::default());
        for nth in 0..puts.len() {
            put(&cache, &puts[nth]);
            let now = puts[nth].at;
            prop_assert_eq!(seen(&cache, now), model(&puts[..=nth], now));
        }
        prop_assert_eq!(seen(&cache, 10_000), Model::new(), "everything has ended");
    }

    #[test]
    fn answers_that_come_in_another_order_come_to_the_same(
        (puts, mixed) in any_puts().prop_flat_map(|puts| (Just(puts.clone()), Just(puts).prop_shuffle()))
    ) {
        // What has ended is left out at the next put, so all of these are to hold.
        let lasting = |puts: Vec<Put>| puts.into_iter().map(|put| Put { life: HOUR, ..put });
        let (puts, mixed): (Vec<Put>, Vec<Put>) = (lasting(puts).collect(), lasting(mixed).collect());
        let cache = cache(&CacheConfig::default());
        for one in &mixed {
            put(&cache, one);
        }
        prop_assert_eq!(seen(&cache, 100), model(&puts, 100));
    }

    #[test]
    fn packed_facts_come_out_as_they_went_in(groups in any_groups(), mark: u32) {
        let facts = facts(groups, mark);
        prop_assert_eq!(unpack(&pack(&facts)), facts);
    }
}

fn plain(source: u8, facts: Option<&Enrichment>) -> Learned<'_> {
    let asked = GROUPS.into_iter().collect();
    Learned { source: SourceId(source), asked, closes: asked, facts }
}

#[test]
fn each_group_has_its_own_end() {
    let cache = cache(&CacheConfig::default());
    let known = facts(GROUPS.into_iter().collect(), 7);
    let start = Moment(1_000_000);
    cache.put(
        CacheScope::SHARED,
        address(1),
        &plain(0, Some(&known)),
        &Lifetimes::default(),
        start,
    );
    let answered = |hours: u32| {
        let entry = cache.get(CacheScope::SHARED, address(1)).unwrap();
        entry.answered_by(SourceId(0), start.after(HOUR * hours))
    };
    let geo = GroupSet::EMPTY.with(FactGroup::Geo);
    assert_eq!(answered(1), GROUPS.into_iter().collect());
    assert_eq!(answered(3), geo, "a VPN's exit is believed for two hours");
    assert_eq!(answered(30), GroupSet::EMPTY);
}

#[test]
fn a_clearing_takes_what_was_told_before_it_in_its_scope_also_when_that_comes_later() {
    let cache = cache(&CacheConfig::default());
    let (scope, other) = (cache.scope("tenant/acme"), cache.scope("tenant/globex"));
    let known = facts(GROUPS.into_iter().collect(), 7);
    let at = |hours: u32| Moment(1_000_000).after(HOUR * hours);
    let tell = |scope, source, hours| {
        let learned = plain(source, Some(&known));
        cache.put(scope, address(1), &learned, &lifetimes(HOUR * 100), at(hours));
    };
    let told = |scope| cache.get(scope, address(1)).map_or(0, |entry| entry.iter().count());
    tell(scope, 0, 0);
    tell(scope, 1, 3);
    tell(other, 0, 0);
    assert!(cache.clear_before(scope, at(2)));
    assert_eq!((told(scope), told(other)), (1, 1), "the later one, and another scope's");
    assert!(!cache.clear_before(scope, at(1)), "it was cleared up to a later moment");
    let mut adopted = Adopted {
        source: SourceId(0),
        retrieved: at(2),
        end: at(200),
        group: FactGroup::Geo,
        closes: true,
        facts: Some(known.clone()),
    };
    assert!(!cache.adopt(scope, address(1), &adopted, at(4)), "another process was told before");
    assert!(cache.adopt(other, address(2), &adopted, at(4)));
    adopted.retrieved = at(3);
    assert!(cache.adopt(scope, address(1), &adopted, at(4)));
    assert!(cache.clear_before(scope, at(3)));
    assert_eq!(cache.get(scope, address(1)), None);
}

#[test]
fn nothing_is_kept_of_an_address_that_is_not_global() {
    let cache = cache(&CacheConfig::default());
    for text in ["10.0.0.1", "192.0.2.1", "fe80::1", "::ffff:10.0.0.1"] {
        let address = text.parse().unwrap();
        cache.put(CacheScope::SHARED, address, &plain(0, None), &lifetimes(HOUR), Moment(1));
        assert_eq!(cache.get(CacheScope::SHARED, address), None, "{text}");
    }
    assert_eq!(cache.version(), 0);
}

#[test]
fn clearing_a_scope_leaves_the_others() {
    let cache = cache(&CacheConfig::default());
    for (scope, number) in [(1, 1), (1, 2), (2, 1)] {
        cache.put(CacheScope(scope), address(number), &plain(0, None), &lifetimes(HOUR), Moment(1));
    }
    let before = cache.cleared();
    cache.clear(CacheScope(1));
    assert_ne!(cache.cleared(), before);
    assert_eq!(cache.get(CacheScope(1), address(1)), None);
    assert_eq!(cache.get(CacheScope(1), address(2)), None);
    assert!(cache.get(CacheScope(2), address(1)).is_some());
}

#[test]
fn what_ended_stays_as_long_as_it_may_have_to_do() {
    let config = CacheConfig { serve_stale: Some(HOUR * 10), ..CacheConfig::default() };
    let cache = cache(&config);
    let known = facts(GroupSet::EMPTY.with(FactGroup::Geo), 7);
    let learned = Learned { asked: GroupSet::EMPTY, ..plain(0, Some(&known)) };
    let (scope, ip, start) = (CacheScope::SHARED, address(1), Moment(1_000_000));
    cache.put(scope, ip, &learned, &lifetimes(HOUR), start);
    let groups = GroupSet::EMPTY.with(FactGroup::Geo);
    let geo_of = |hours| {
        let now = start.after(HOUR * hours);
        cache.put_error(scope, ip, SourceId(0), groups, &lifetimes(HOUR), now);
        let entry = cache.get(scope, ip).unwrap();
        assert_eq!(entry.failed_by(SourceId(0), now), groups);
        entry
            .iter()
            .find(|told| !told.failed)
            .and_then(|told| mark_of(&told.enrichment(), FactGroup::Geo))
    };
    assert_eq!(geo_of(5), Some(7));
    assert_eq!(geo_of(12), None);
}

#[test]
fn ten_thousand_that_put_and_get_one_address_at_the_same_time_lose_no_group() {
    let cache = cache(&CacheConfig::default());
    let start = Barrier::new(4);
    thread::scope(|threads| {
        for worker in 0..4u32 {
            let (cache, start) = (&cache, &start);
            threads.spawn(move || {
                start.wait();
                for round in 0..2_500u32 {
                    // Each worker puts groups and sources of its own.
                    let group = GROUPS[worker as usize % 2];
                    let known = facts(GroupSet::EMPTY.with(group), round);
                    let learned = Learned {
                        source: SourceId((worker / 2) as u8),
                        asked: GroupSet::EMPTY.with(group),
                        closes: GroupSet::EMPTY,
                        facts: Some(&known),
                    };
                    let now = Moment(round + 1);
                    cache.put(CacheScope::SHARED, address(1), &learned, &lifetimes(HOUR), now);
                    let entry = cache.get(CacheScope::SHARED, address(1)).unwrap();
                    let told = entry
                        .iter()
                        .find(|told| told.source == learned.source && told.has.contains(group))
                        .unwrap();
                    assert_eq!(mark_of(&told.enrichment(), group), Some(round));
                }
            });
        }
    });
    assert_eq!(cache.version(), 10_000);
    let entry = cache.get(CacheScope::SHARED, address(1)).unwrap();
    let both = GROUPS[..2].iter().copied().collect();
    for source in [0, 1] {
        assert_eq!(entry.answered_by(SourceId(source), Moment(2_500)), both);
    }
}

#[test]
fn it_keeps_to_its_memory_however_often_the_same_addresses_come_again() {
    let size = ByteSize::kib(512);
    let cache = cache(&CacheConfig { size, ..CacheConfig::default() });
    let start = Barrier::new(3);
    thread::scope(|threads| {
        for worker in 0..3u32 {
            let (cache, start) = (&cache, &start);
            threads.spawn(move || {
                start.wait();
                for round in 0..40_000u32 {
                    // A few come again and again, with more facts and fewer; most come once.
                    let number =
                        if round % 2 == 0 { round % 64 } else { worker * 1_000_000 + round };
                    let groups = GROUPS.into_iter().take(round as usize % 3 + 1).collect();
                    let known = facts(groups, round);
                    let learned = Learned { asked: groups, ..plain(0, Some(&known)) };
                    cache.put(
                        CacheScope::SHARED,
                        address(number),
                        &learned,
                        &lifetimes(HOUR),
                        Moment(round),
                    );
                }
            });
        }
    });
    cache.entries.run_pending_tasks();
    let kept: u64 =
        cache.entries.iter().map(|(_, entry)| (BYTES_BESIDE + entry.len_bytes()) as u64).sum();
    assert!(kept <= size.as_u64(), "{kept} bytes are kept");
    assert!(kept > size.as_u64() / 2, "{kept} bytes are kept");
    // Where two put the same address at once, moka may reckon with the length before the one before.
    let off = cache.bytes().abs_diff(kept);
    assert!(off <= size.as_u64() / 1000, "{off} bytes more or less are reckoned than are there");
    assert_eq!(cache.entries(), cache.entries.iter().count() as u64);
}

#[test]
fn what_another_process_was_told_is_adopted_once_and_only_while_it_is_newer() {
    let cache = cache(&CacheConfig::default());
    let (scope, ip, now) = (CacheScope::SHARED, address(1), Moment(1000));
    let geo = GroupSet::EMPTY.with(FactGroup::Geo);
    let adopted = |retrieved: u32, mark| Adopted {
        source: SourceId(0),
        retrieved: Moment(retrieved),
        end: Moment(5000),
        group: FactGroup::Geo,
        closes: true,
        facts: Some(facts(geo, mark)),
    };
    let mark = || {
        let entry = cache.get(scope, ip).unwrap();
        entry.answers().find_map(|told| mark_of(&told.enrichment(), FactGroup::Geo))
    };
    assert!(cache.adopt(scope, ip, &adopted(900, 7), now));
    assert!(!cache.adopt(scope, ip, &adopted(900, 7), now), "it is here");
    assert!(!cache.adopt(scope, ip, &adopted(800, 6), now), "it is older");
    assert_eq!((mark(), cache.version()), (Some(7), 1));
    assert!(cache.adopt(scope, ip, &adopted(950, 8), now));
    assert_eq!(mark(), Some(8));
    assert!(!cache.adopt(scope, address(2), &adopted(900, 7), Moment(5000)), "it has ended");
    assert_eq!(cache.get(scope, address(2)), None);
}

#[test]
fn groups_of_one_reply_that_come_one_by_one_are_one_reply_again() {
    let cache = cache(&CacheConfig::default());
    let whole = facts(GROUPS.into_iter().collect(), 7);
    for group in GROUPS {
        let adopted = Adopted {
            source: SourceId(1),
            retrieved: Moment(100),
            end: Moment(5000),
            group,
            closes: false,
            facts: Some(facts(GroupSet::EMPTY.with(group), 7)),
        };
        assert!(cache.adopt(CacheScope(1), address(1), &adopted, Moment(200)));
    }
    let entry = cache.get(CacheScope(1), address(1)).unwrap();
    let told: Vec<_> = entry.iter().collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].enrichment(), whole);
    assert_eq!(told[0].holding(Moment(200)), GROUPS.into_iter().collect());
}

#[test]
fn who_watches_is_told_of_answers_and_of_what_was_adopted_if_he_wants_and_is_not_waited_for() {
    let cache = cache(&CacheConfig::default());
    let (changes, others, all_changes) = (cache.watch(2), cache.watch(9), cache.watch_all(9));
    let asked = GROUPS.into_iter().collect();
    let adopted = Adopted {
        source: SourceId(0),
        retrieved: Moment(1),
        end: Moment(9),
        group: FactGroup::Geo,
        closes: true,
        facts: None,
    };
    assert!(cache.adopt(CacheScope::SHARED, address(1), &adopted, Moment(1)));
    for number in 0..3 {
        let learned = plain(0, None);
        cache.put(CacheScope(5), address(number), &learned, &lifetimes(HOUR), Moment(1));
    }
    let change = |number| Change { scope: CacheScope(5), address: address(number), groups: asked };
    let all = |changes: &Changes| -> Vec<_> {
        std::iter::from_fn(|| changes.next(Duration::ZERO)).collect()
    };
    assert_eq!(all(&changes), [change(0), change(1)]);
    assert_eq!((changes.take_untold(), changes.take_untold()), (1, 0));
    assert_eq!(all(&others), [change(0), change(1), change(2)], "each has a queue of his own");
    assert_eq!(others.take_untold(), 0);
    let geo = GroupSet::EMPTY.with(FactGroup::Geo);
    let from_others = Change { scope: CacheScope::SHARED, address: address(1), groups: geo };
    assert_eq!(all(&all_changes), [from_others, change(0), change(1), change(2)]);
    assert!(!cache.adopt(CacheScope::SHARED, address(1), &adopted, Moment(1)), "it is known");
    assert_eq!(all(&all_changes), []);
}
