//! The tiers, tried with small files and a cache.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::OnMiss;
use super::super::cache::{CacheConfig, Learned, Life, Lifetimes, SourceId, Ttl};
use super::super::fixtures::{address, bytes_v4, database, groups, resolver, set, wants};
use super::*;
use crate::record::{FactGroup, Geo, Privacy};

const HOUR: Duration = Duration::from_secs(3600);

fn place(city: &str) -> Json {
    json!({"country": {"iso_code": "LV"}, "city": {"names": {"en": city}}})
}

fn country() -> Json {
    json!({"country": {"iso_code": "EE"}})
}

fn city_file(name: &str, records: &[(&str, Json)]) -> Database {
    database(name, "GeoLite2-City", records)
}

fn asn_file(name: &str) -> Database {
    let record = json!({"autonomous_system_number": 64_500});
    database(name, "GeoLite2-ASN", &[("1.0.0.0/8", record)])
}

fn privacy_file(name: &str, network: &str) -> Database {
    database(name, "GeoIP2-Anonymous-IP", &[(network, json!({"is_tor_exit_node": true}))])
}

fn city_of(resolver: &mut Resolver, answer: &Answer) -> Option<String> {
    let id = answer.facts_for(FactGroup::Geo)?;
    resolver.enrichment(id).geo?.city_name
}

fn source_of(answer: &Answer, group: FactGroup) -> Option<u8> {
    answer.parts().iter().find(|part| part.groups.contains(group)).map(|part| part.source)
}

fn resolver_of(want: &[&str], set: &Arc<DatabaseSet>, memory_limit_bytes: usize) -> Resolver {
    let cache = (Arc::new(cache(None)), CacheScope::SHARED);
    Resolver::new(wants(want), Arc::clone(set), cache, memory_limit_bytes)
}

/// A cache for the answers of two, where a place lives for some hours.
fn cache(serve_stale: Option<Duration>) -> Cache {
    let ttl = Ttl::Each([(FactGroup::Geo, Life(HOUR * 10))].into());
    let config = CacheConfig { ttl, serve_stale, ..CacheConfig::default() };
    Cache::new(&config, &["first".into(), "second".into()])
}

/// The first of the two answers, and the resolver hears of it.
fn learn(resolver: &mut Resolver, address: &Address, asked: GroupSet, facts: Option<&Enrichment>) {
    put(resolver, address, &Learned { source: SourceId(0), asked, closes: asked, facts });
    resolver.heard_of(address.ip());
}

/// Somebody puts an answer into the cache.
fn put(resolver: &Resolver, address: &Address, learned: &Learned<'_>) {
    let (cache, scope) = (&resolver.cache, resolver.scope);
    cache.put(scope, address.ip(), learned, cache.lifetimes(), resolver.now);
}

fn learned_city(name: &str) -> Enrichment {
    let geo = Geo { city_name: Some(name.to_owned()), ..Geo::default() };
    Enrichment { geo: Some(geo), ..Enrichment::default() }
}

#[test]
fn a_group_is_asked_of_the_files_that_the_order_names_and_others_as_they_are_listed() {
    let files = || {
        let named = |name: &str, city| city_file(name, &[("1.0.0.0/24", place(city))]);
        let all = [named("first", "Riga"), named("second", "Tartu"), asn_file("asn")];
        all.into_iter().map(Arc::new).collect::<Vec<_>>()
    };
    let asked = |order: &[&str]| {
        let names = order.iter().map(|name| (*name).to_owned()).collect();
        let set = DatabaseSet::ordered(files(), [(FactGroup::Geo, names)].into()).unwrap();
        let set = Arc::new(set);
        let mut resolver = resolver_of(&["geo", "as"], &set, 1 << 20);
        let answer = resolver.resolve(&address("1.0.0.1"));
        assert_eq!(source_of(&answer, FactGroup::As), Some(2), "the order is of places only");
        let city = city_of(&mut resolver, &answer);
        // Newer files are asked in the same order.
        set.replace(files()).unwrap();
        resolver.refresh(Moment::now());
        let answer = resolver.resolve(&address("1.0.0.1"));
        assert_eq!(city_of(&mut resolver, &answer), city);
        (city, answer.missing)
    };
    let (none, geo) = (GroupSet::EMPTY, groups(&["geo"]));
    assert_eq!(asked(&["first", "second"]), (Some("Riga".into()), none));
    assert_eq!(asked(&["second", "first"]), (Some("Tartu".into()), none));
    assert_eq!(asked(&["second"]), (Some("Tartu".into()), none));
    assert_eq!(asked(&["asn"]), (None, geo), "those that know it are not asked");
    assert_eq!(asked(&["some-provider"]), (Some("Riga".into()), none), "no file is named");
}

#[test]
fn two_files_answer_what_each_of_them_knows() {
    let mut resolver = resolver(
        &["geo", "as"],
        [city_file("city", &[("1.0.0.0/24", place("Riga"))]), asn_file("asn")],
    );
    let answer = resolver.resolve(&address("1.0.0.1"));
    assert_eq!(answer.groups(), groups(&["geo", "as"]));
    assert!(answer.missing.is_empty());
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
    let id = answer.facts_for(FactGroup::As).unwrap();
    let system = resolver.enrichment(id).autonomous_system.unwrap();
    assert_eq!(system.number, Some(64_500));

    let answer = resolver.resolve(&address("1.1.0.1"));
    assert_eq!((answer.groups(), answer.missing), (groups(&["as"]), groups(&["geo"])));
    let answer = resolver.resolve(&address("9.9.9.9"));
    assert!(answer.is_empty());
    assert_eq!(answer.missing, groups(&["geo", "as"]));
    let names: Vec<_> = resolver.sources().into_iter().map(|source| source.name).collect();
    assert_eq!(names, ["city", "asn", "first", "second"].map(Arc::from));
}

#[test]
fn the_first_file_wins_and_the_memo_says_the_same_again() {
    let mut resolver = resolver(
        &["geo"],
        [
            city_file("first", &[("1.0.0.0/24", place("Riga"))]),
            city_file("second", &[("1.0.0.0/16", place("Tartu"))]),
        ],
    );
    for _ in 0..2 {
        let answer = resolver.resolve(&address("1.0.0.1"));
        assert_eq!(source_of(&answer, FactGroup::Geo), Some(0));
        assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
        let answer = resolver.resolve(&address("1.0.1.1"));
        assert_eq!(source_of(&answer, FactGroup::Geo), Some(1));
        assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Tartu"));
    }
}

#[test]
fn a_group_comes_whole_from_the_first_file_that_has_the_wanted_fields() {
    let mut resolver = resolver(
        &["geo.city_name"],
        [
            city_file("first", &[("1.0.0.0/16", country())]),
            city_file("second", &[("1.0.0.0/24", place("Riga"))]),
        ],
    );
    let answer = resolver.resolve(&address("1.0.0.1"));
    assert_eq!(answer.parts().len(), 1);
    assert!(answer.missing.is_empty());
    let geo = resolver.enrichment(answer.parts()[0].facts).geo.unwrap();
    assert_eq!(geo.country_iso_code.as_deref(), Some("LV"), "not mixed");

    let answer = resolver.resolve(&address("1.0.1.1"));
    assert_eq!(source_of(&answer, FactGroup::Geo), Some(0), "who has something of it");
    assert_eq!(answer.missing, groups(&["geo"]), "and it stays missing");
}

#[test]
fn a_record_gives_only_what_is_wanted() {
    let both = json!({
        "country_code": "LV", "latitude": 1.0, "longitude": 1.0, "asn": "AS64500"
    });
    let file = database("lite", "ipinfo bundle_location_lite.mmdb", &[("1.0.0.0/24", both)]);
    let mut resolver = resolver(&["as"], [file]);
    let answer = resolver.resolve(&address("1.0.0.1"));
    assert_eq!(answer.groups(), groups(&["as"]));
}

#[test]
fn thousands_of_addresses_of_one_record_share_one_number() {
    let mut resolver = resolver(&["geo"], [city_file("city", &[("1.0.0.0/16", place("Riga"))])]);
    let first = resolver.resolve(&address("1.0.0.1"));
    for last in 0..=255 {
        let answer = resolver.resolve(&address(&format!("1.0.7.{last}")));
        assert_eq!(answer, first);
    }
}

#[test]
fn a_miss_closes_what_lists_positives_only_and_passes_on_the_rest() {
    let answer = |first: Option<OnMiss>| {
        let privacy = privacy_file("privacy", "2.0.0.0/8").on_miss(first);
        let city = city_file("city", &[("2.0.0.0/8", place("Riga"))]).on_miss(first);
        resolver(&["geo", "privacy"], [privacy, city]).resolve(&address("1.0.0.1")).missing
    };
    assert_eq!(answer(None), groups(&["geo"]));
    assert_eq!(answer(Some(OnMiss::Close)), GroupSet::EMPTY);
    assert_eq!(answer(Some(OnMiss::Next)), groups(&["geo", "privacy"]));
}

#[test]
fn what_a_file_closes_no_later_file_answers() {
    let asked = |on_miss| {
        let first = privacy_file("first", "2.0.0.0/8").on_miss(on_miss);
        let second = privacy_file("second", "1.0.0.0/8");
        resolver(&["privacy"], [first, second]).resolve(&address("1.0.0.1")).groups()
    };
    assert_eq!(asked(None), GroupSet::EMPTY);
    assert_eq!(asked(Some(OnMiss::Next)), groups(&["privacy"]));
}

#[test]
fn a_record_without_the_group_is_a_miss_of_that_group() {
    let record = json!({"country_code": "LV", "is_anycast": true});
    let core = "ipinfo bundle_location_core.mmdb";
    let mut resolver =
        resolver(&["geo", "as", "privacy"], [database("core", core, &[("1.0.0.0/8", record)])]);
    let answer = resolver.resolve(&address("1.0.0.1"));
    assert_eq!((answer.groups(), answer.missing), (groups(&["geo"]), groups(&["as"])));
}

#[test]
fn a_non_global_address_is_asked_only_of_files_that_say_so() {
    let records = [("10.0.0.0/8", place("Riga")), ("192.168.0.0/16", country())];
    let mut closed = resolver(&["geo", "as"], [city_file("city", &records)]);
    assert_eq!(closed.resolve(&address("10.0.0.1")), Answer::default());

    let ours = city_file("ours", &records).non_global(true);
    let mut open = resolver(
        &["geo.city_name", "as"],
        [city_file("city", &[("10.0.0.0/8", place("Tartu"))]), ours],
    );
    let answer = open.resolve(&address("10.0.0.1"));
    assert_eq!(city_of(&mut open, &answer).as_deref(), Some("Riga"));
    assert!(answer.missing.is_empty(), "nobody else is asked for it");
    let answer = open.resolve(&address("192.168.0.1"));
    assert_eq!(answer.groups(), groups(&["geo"]));
    assert!(answer.missing.is_empty(), "not even for what its record lacks");

    learn(&mut open, &address("10.1.0.1"), groups(&["as"]), Some(&learned_city("Narva")));
    assert_eq!(open.cache.version(), 0, "nothing is learned of it");
}

#[test]
fn an_ipv6_address_is_unknown_to_a_file_without_ipv6() {
    let bytes = bytes_v4("GeoLite2-City", &[("1.0.0.0/8", place("Riga"))]);
    let file = Database::new("v4", bytes).unwrap();
    let mut resolver = resolver(&["geo"], [file]);
    let answer = resolver.resolve(&address("2a00:1450::1"));
    assert_eq!((answer.is_empty(), answer.missing), (true, groups(&["geo"])));
    assert_eq!(resolver.databases()[0].broken(), 0);
    assert!(!resolver.resolve(&address("::ffff:1.0.0.1")).is_empty(), "it is an IPv4 address");
}

#[test]
fn a_swap_is_noticed_at_the_next_batch_and_begins_an_epoch() {
    let set = set([city_file("city", &[("1.0.0.0/8", place("Riga"))])]);
    let mut resolver = resolver_of(&["geo"], &set, 1 << 20);
    let before = resolver.resolve(&address("1.0.0.1"));
    let epoch = resolver.epoch();
    resolver.refresh(resolver.now);
    assert_eq!(resolver.epoch(), epoch, "the same set");

    let newer = Arc::new(city_file("city", &[("1.0.0.0/8", place("Tartu"))]));
    set.replace(vec![newer]).unwrap();
    assert_eq!(resolver.resolve(&address("1.0.0.1")), before);
    assert_eq!(city_of(&mut resolver, &before).as_deref(), Some("Riga"), "within the batch");
    resolver.refresh(resolver.now);
    assert_ne!(resolver.epoch(), epoch);
    let after = resolver.resolve(&address("1.0.0.1"));
    assert_eq!(city_of(&mut resolver, &after).as_deref(), Some("Tartu"));
}

#[test]
fn an_old_set_is_freed_when_the_worker_lets_go_of_it() {
    let set = set([city_file("city", &[("1.0.0.0/8", place("Riga"))])]);
    let old = Arc::downgrade(&set.in_force()[0]);
    let mut resolver = resolver_of(&["geo"], &set, 1 << 20);
    set.replace(vec![Arc::new(asn_file("asn"))]).unwrap();
    assert!(old.upgrade().is_some());
    resolver.refresh(resolver.now);
    assert!(old.upgrade().is_none());
}

#[test]
fn a_full_memory_begins_an_epoch_at_the_next_batch() {
    let records: Vec<(String, Json)> = (0..2000)
        .map(|n| (format!("1.{}.{}.0/24", n / 250, n % 250), place(&format!("City {n}"))))
        .collect();
    let records: Vec<(&str, Json)> =
        records.iter().map(|(network, record)| (network.as_str(), record.clone())).collect();
    let set = set([city_file("city", &records)]);
    let limit = 150_000;
    let mut resolver = resolver_of(&["geo"], &set, limit);
    let (mut epochs, mut most) = (0, 0);
    for round in 0..20 {
        for n in 0..100 {
            let n = (round * 100 + n) % 2000;
            let answer = resolver.resolve(&address(&format!("1.{}.{}.9", n / 250, n % 250)));
            let city = city_of(&mut resolver, &answer);
            assert_eq!(city.as_deref(), Some(&*format!("City {n}")));
        }
        let epoch = resolver.epoch();
        resolver.refresh(resolver.now);
        epochs += resolver.epoch() - epoch;
        most = most.max(resolver.memory_bytes());
    }
    assert!(epochs > 0, "2,000 records do not fit");
    assert!(most <= limit, "{most} bytes");
}

#[test]
fn what_was_learned_answers_until_more_is_wanted() {
    let mut resolver = resolver(&["geo", "privacy"], [asn_file("asn")]);
    let ip = address("1.0.0.1");
    assert_eq!(resolver.resolve(&ip).missing, groups(&["geo", "privacy"]));
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    let answer = resolver.resolve(&ip);
    assert_eq!((answer.groups(), answer.missing), (groups(&["geo"]), groups(&["privacy"])));
    assert_eq!(source_of(&answer, FactGroup::Geo), Some(1));
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));

    let privacy = Privacy { vpn: Some(true), ..Privacy::default() };
    let more = Enrichment { privacy: Some(privacy), ..Enrichment::default() };
    learn(&mut resolver, &ip, groups(&["privacy"]), Some(&more));
    let answer = resolver.resolve(&ip);
    assert_eq!(answer.groups(), groups(&["geo", "privacy"]), "what was known before stays");
    assert!(answer.missing.is_empty());
}

#[test]
fn what_was_told_of_the_groups_that_are_taken_is_one_whatever_else_was_told() {
    let mut resolver =
        resolver(&["geo", "privacy"], [city_file("city", &[("1.0.0.0/8", place("Riga"))])]);
    let mut parts = Vec::new();
    for (ip, city, vpn) in
        [("1.0.0.1", "Narva", true), ("1.0.0.2", "Tartu", true), ("1.0.0.3", "Narva", false)]
    {
        let ip = address(ip);
        let privacy = Privacy { vpn: Some(vpn), ..Privacy::default() };
        let facts = Enrichment { privacy: Some(privacy), ..learned_city(city) };
        learn(&mut resolver, &ip, groups(&["privacy"]), Some(&facts));
        let answer = resolver.resolve(&ip);
        assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
        let told = answer.parts().iter().find(|part| part.source == 1).unwrap();
        assert_eq!(resolver.enrichment(told.facts).privacy.unwrap().vpn, Some(vpn));
        parts.push(told.facts);
    }
    assert_eq!(parts[0], parts[1], "the city is the file's");
    assert_ne!(parts[0], parts[2]);
}

#[test]
fn an_address_of_which_a_provider_knows_nothing_is_not_asked_again() {
    let mut resolver =
        resolver(&["geo", "as"], [city_file("city", &[("9.0.0.0/8", place("Riga"))])]);
    let ip = address("1.0.0.1");
    learn(&mut resolver, &ip, groups(&["geo"]), None);
    let answer = resolver.resolve(&ip);
    assert_eq!((answer.is_empty(), answer.missing), (true, groups(&["as"])));
    learn(&mut resolver, &ip, groups(&["as"]), Some(&learned_city("Narva")));
    assert!(resolver.resolve(&ip).missing.is_empty());
}

#[test]
fn nothing_known_is_a_gap_of_what_each_address_has_and_an_answer_of_the_rest() {
    let lacking = |want: &[&str], facts: Option<&Enrichment>| {
        let mut resolver = resolver(want, []);
        let ip = address("1.0.0.1");
        learn(&mut resolver, &ip, groups(want), facts);
        let answer = resolver.resolve(&ip);
        assert!(answer.missing.is_empty(), "nobody is asked again");
        answer.lacking
    };
    assert!(lacking(&["geo"], None));
    assert!(lacking(&["as", "geo"], Some(&learned_city("Narva"))));
    assert!(!lacking(&["geo"], Some(&learned_city("Narva"))));
    assert!(!lacking(&["privacy", "threat", "carrier", "hostname"], None));
}

#[test]
fn what_was_learned_outlives_a_swap_and_files_come_first() {
    let set = set([asn_file("asn")]);
    let mut resolver = resolver_of(&["geo"], &set, 1 << 20);
    let ip = address("1.0.0.1");
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    resolver.resolve(&ip);
    let city = city_file("city", &[("2.0.0.0/8", place("Tartu"))]);
    set.replace(vec![Arc::new(asn_file("asn")), Arc::new(city)]).unwrap();
    resolver.refresh(resolver.now);
    let answer = resolver.resolve(&ip);
    assert_eq!(source_of(&answer, FactGroup::Geo), Some(2));
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
    let city = city_file("city", &[("1.0.0.0/8", place("Tartu"))]);
    set.replace(vec![Arc::new(city)]).unwrap();
    resolver.refresh(resolver.now);
    let answer = resolver.resolve(&ip);
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Tartu"));
}

#[test]
fn told_facts_that_are_in_use_count_until_the_epoch_ends() {
    let limit = 400_000;
    let mut resolver = resolver_of(&["geo"], &set([asn_file("asn")]), limit);
    let epoch = resolver.epoch();
    for n in 0..10_000u32 {
        let ip = Address::new(IpAddr::from((0x0200_0000 + n).to_be_bytes()));
        let city = format!("City {n}");
        learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city(&city)));
        let answer = resolver.resolve(&ip);
        assert_eq!(city_of(&mut resolver, &answer), Some(city));
    }
    assert!(resolver.memory_bytes() > limit, "within one batch nothing is taken away");
    resolver.refresh(resolver.now);
    assert_ne!(resolver.epoch(), epoch);
    assert!(resolver.memory_bytes() <= limit, "{} bytes", resolver.memory_bytes());
    let answer = resolver.resolve(&address("2.0.0.7"));
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("City 7"));
}

#[test]
fn thousands_of_whom_the_same_was_told_share_one_number() {
    let mut resolver = resolver_of(&["geo"], &set([asn_file("asn")]), 1 << 20);
    let mut numbers = HashSet::new();
    for last in 0..=255 {
        let ip = address(&format!("8.0.0.{last}"));
        learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
        numbers.insert(resolver.resolve(&ip).facts_for(FactGroup::Geo));
    }
    assert_eq!(numbers.len(), 1);
}

#[test]
fn what_another_worker_heard_is_known_at_the_next_batch() {
    let shared = (Arc::new(cache(None)), CacheScope(7));
    let worker = |cache| Resolver::new(wants(&["geo"]), set([asn_file("asn")]), cache, 1 << 20);
    let mut asking = worker(shared.clone());
    let mut other = worker(shared.clone());
    let mut stranger = worker((Arc::clone(&shared.0), CacheScope(8)));
    for number in 0..3 {
        let ip = address(&format!("8.0.0.{number}"));
        for worker in [&mut asking, &mut other, &mut stranger] {
            assert_eq!(worker.resolve(&ip).missing, groups(&["geo"]));
        }
        learn(&mut asking, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
        assert!(asking.resolve(&ip).missing.is_empty(), "at once for whoever asked");
        for worker in [&mut other, &mut stranger] {
            worker.refresh(worker.now);
        }
        let answer = other.resolve(&ip);
        assert_eq!(city_of(&mut other, &answer).as_deref(), Some("Riga"));
        assert_eq!(stranger.resolve(&ip).missing, groups(&["geo"]), "not in another scope");
    }
    shared.0.clear(CacheScope(7));
    other.refresh(other.now);
    assert_eq!(other.resolve(&address("8.0.0.1")).missing, groups(&["geo"]), "cleared");
}

#[test]
fn an_answer_is_used_until_its_end_and_then_asked_for_again() {
    let mut resolver = resolver_of(&["geo"], &set([asn_file("asn")]), 1 << 20);
    let (ip, start) = (address("8.0.0.1"), resolver.now);
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    for (hours, missing) in [(0, &[][..]), (8, &[]), (12, &["geo"])] {
        resolver.refresh(start.after(HOUR * hours));
        for _ in 0..2 {
            let answer = resolver.resolve(&ip);
            assert_eq!(answer.missing, groups(missing), "{hours} h");
            assert_eq!(answer.is_empty(), hours == 12);
        }
    }
}

#[test]
fn a_stale_answer_is_given_and_still_asked_for_until_it_is_too_old() {
    let shared = (Arc::new(cache(Some(HOUR * 5))), CacheScope::SHARED);
    let mut resolver = Resolver::new(wants(&["geo"]), set([asn_file("asn")]), shared, 1 << 20);
    let (ip, start) = (address("8.0.0.1"), resolver.now);
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    let mut at = |hours, stale| {
        resolver.refresh(start.after(HOUR * hours));
        for _ in 0..2 {
            let answer = resolver.resolve(&ip);
            let id = answer.facts_for(FactGroup::Geo);
            let retrieval = id.and_then(|id| resolver.retrieval(id));
            assert_eq!(retrieval.map(|retrieval| retrieval.stale), stale, "{hours} h");
            assert_eq!(answer.missing.is_empty(), stale == Some(false), "{hours} h");
        }
    };
    at(8, Some(false));
    at(12, Some(true));
    at(17, None);

    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Tartu")));
    let answer = resolver.resolve(&ip);
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Tartu"));
    assert!(answer.missing.is_empty());
}

#[test]
fn an_open_answer_of_one_provider_leaves_the_group_to_the_next() {
    let mut resolver = resolver_of(&["geo.city_name"], &set([asn_file("asn")]), 1 << 20);
    let ip = address("8.0.0.1");
    let country = Geo { country_iso_code: Some("LV".into()), ..Geo::default() };
    let country = Enrichment { geo: Some(country), ..Enrichment::default() };
    let asked = groups(&["geo"]);
    let first =
        Learned { source: SourceId(0), asked, closes: GroupSet::EMPTY, facts: Some(&country) };
    put(&resolver, &ip, &first);
    resolver.heard_of(ip.ip());
    let answer = resolver.resolve(&ip);
    assert_eq!((source_of(&answer, FactGroup::Geo), answer.missing), (Some(1), asked));
    let second = Learned { source: SourceId(1), closes: asked, facts: None, ..first };
    put(&resolver, &ip, &second);
    resolver.heard_of(ip.ip());
    let answer = resolver.resolve(&ip);
    assert_eq!(source_of(&answer, FactGroup::Geo), Some(1), "better than nothing");
    assert!(answer.missing.is_empty(), "nobody is left to be asked");
    let riga = learned_city("Riga");
    put(&resolver, &ip, &Learned { facts: Some(&riga), ..second });
    resolver.heard_of(ip.ip());
    let answer = resolver.resolve(&ip);
    assert_eq!(source_of(&answer, FactGroup::Geo), Some(2), "who has what is wanted");
}

#[test]
fn a_source_that_comes_later_is_heard_from_the_next_batch_on_and_has_its_name() {
    let mut resolver = resolver_of(&["geo"], &set([asn_file("asn")]), 1 << 20);
    let ip = address("8.0.0.1");
    learn(&mut resolver, &address("8.0.0.2"), groups(&["geo"]), None);
    let third = resolver.cache.add_source("third").unwrap();
    let (asked, riga) = (groups(&["geo"]), learned_city("Riga"));
    put(&resolver, &ip, &Learned { source: third, asked, closes: asked, facts: Some(&riga) });
    resolver.heard_of(ip.ip());
    assert!(resolver.resolve(&ip).is_empty(), "it has no name in this epoch");
    resolver.refresh(resolver.now);
    let answer = resolver.resolve(&ip);
    let source = source_of(&answer, FactGroup::Geo).unwrap();
    assert_eq!(&*resolver.sources()[usize::from(source)].name, "third");
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
}

#[test]
fn what_is_cleared_is_asked_anew_from_the_next_batch_on() {
    let mut resolver = resolver_of(&["geo"], &set([asn_file("asn")]), 1 << 20);
    let ip = address("8.0.0.1");
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    assert!(!resolver.resolve(&ip).is_empty());
    assert!(resolver.cache.clear_before(resolver.scope, resolver.now));
    resolver.refresh(resolver.now);
    assert_eq!(resolver.resolve(&ip).missing, groups(&["geo"]));
}

#[test]
fn an_error_answers_nothing_and_takes_nothing_away() {
    let mut resolver = resolver_of(&["geo", "privacy"], &set([asn_file("asn")]), 1 << 20);
    let ip = address("8.0.0.1");
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    let (now, lifetimes) = (resolver.now, Lifetimes::default());
    let all = groups(&["geo", "privacy"]);
    resolver.cache.put_error(resolver.scope, ip.ip(), SourceId(0), all, &lifetimes, now);
    resolver.heard_of(ip.ip());
    let answer = resolver.resolve(&ip);
    assert_eq!((answer.groups(), answer.missing), (groups(&["geo"]), groups(&["privacy"])));
}

#[test]
fn questions_to_the_cache_are_counted_by_what_came_of_them() {
    let mut resolver = resolver_of(&["geo"], &set([asn_file("asn")]), 1 << 20);
    resolver.resolve(&address("8.0.0.1"));
    assert_eq!(resolver.take_cache_lookups(), CacheLookups::default(), "nothing was asked");
    let facts = learned_city("Riga");
    learn(&mut resolver, &address("8.0.0.1"), groups(&["geo"]), Some(&facts));
    learn(&mut resolver, &address("8.0.0.2"), groups(&["geo"]), None);
    for number in 1..=3 {
        for _ in 0..3 {
            resolver.resolve(&address(&format!("8.0.0.{number}")));
        }
    }
    let lookups = CacheLookups { hits: 1, unknown: 1, stale: 0, misses: 1 };
    assert_eq!(resolver.take_cache_lookups(), lookups, "the memo has answered the others");
    assert_eq!(resolver.take_cache_lookups(), CacheLookups::default());
}

#[test]
fn seven_sources_for_one_address_leave_out_the_last_and_ask_nobody_for_it() {
    let record = |value: Json| [("1.0.0.0/8", value)];
    let mut resolver = resolver(
        &["geo", "as", "network", "company", "privacy", "abuse", "carrier"],
        [
            city_file("1", &record(place("Riga"))),
            asn_file("2"),
            database("3", "GeoIP2-Domain", &record(json!({"domain": "example.net"}))),
            database("4", "ipinfo standard_company", &record(json!({"name": "Example"}))),
            privacy_file("5", "1.0.0.0/8"),
            database("6", "ipinfo standard_carrier", &record(json!({"name": "Example"}))),
            database("7", "ipinfo standard_abuse", &record(json!({"name": "Example"}))),
        ],
    );
    let answer = resolver.resolve(&address("1.0.0.1"));
    assert_eq!(answer.parts().len(), Answer::MOST_PARTS);
    assert!(answer.missing.is_empty());
    assert_eq!(answer.facts_for(FactGroup::Abuse), None);
}

#[test]
fn what_one_provider_said_at_two_times_is_all_in_the_answer() {
    let mut resolver = resolver_of(&["geo", "privacy"], &set([asn_file("asn")]), 1 << 20);
    let ip = address("8.0.0.1");
    let start = resolver.now;
    learn(&mut resolver, &ip, groups(&["geo"]), Some(&learned_city("Riga")));
    resolver.refresh(start.after(HOUR));
    let privacy = Privacy { tor: Some(true), ..Privacy::default() };
    let privacy = Enrichment { privacy: Some(privacy), ..Enrichment::default() };
    learn(&mut resolver, &ip, groups(&["privacy"]), Some(&privacy));
    let answer = resolver.resolve(&ip);
    assert!(answer.missing.is_empty());
    assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
    let id = answer.facts_for(FactGroup::Privacy).unwrap();
    assert_eq!(resolver.enrichment(id).privacy.unwrap().tor, Some(true));
}
