//! The tiers: one resolver per worker, without a lock or a hand-off on the way to an answer.

use std::net::IpAddr;
use std::sync::Arc;

use super::database::Database;
use super::known::{Known, Said};
use super::learned::LearnedAnswers;
use super::memo::Memo;
use super::set::DatabaseSet;
use super::wants::Wants;
use crate::record::{Address, Answer, Enrichment, FactGroup, Facts, FactsId, GroupSet, Part};

/// What the source of learned answers is called.
const PROVIDER: &str = "provider";

/// Answers addresses from memory. One per worker: nothing in it is shared but the databases.
#[derive(Debug)]
pub struct Resolver {
    wants: Arc<Wants>,
    set: Arc<DatabaseSet>,
    /// The databases of this epoch.
    databases: Arc<Vec<Arc<Database>>>,
    /// Whether any of them is asked for addresses that are not global.
    any_non_global: bool,
    epoch: u64,
    memo: Memo,
    known: Known,
    learned: LearnedAnswers,
    most_known_bytes: usize,
}

impl Resolver {
    /// A resolver that uses about `memory_limit_bytes` beside the databases: a quarter for the
    /// memo of answers, a quarter for learned answers, the rest for what is known of data records.
    /// The last is looked at once per batch, so it can be passed by what one batch adds.
    pub fn new(wants: Arc<Wants>, databases: Arc<DatabaseSet>, memory_limit_bytes: usize) -> Self {
        let in_force = databases.in_force();
        Self {
            wants,
            set: databases,
            any_non_global: any_non_global(&in_force),
            known: Known::new(in_force.len()),
            databases: in_force,
            epoch: 1,
            memo: Memo::new(memory_limit_bytes / 4),
            learned: LearnedAnswers::new(memory_limit_bytes / 4),
            most_known_bytes: memory_limit_bytes / 2,
        }
    }

    /// Once per batch, when no answer is in use: takes the set of databases in force. A new set
    /// begins a new epoch, and so does a full memory: the numbers of facts are in answers, in the
    /// memo and in what was rendered of them, so that one of them cannot be freed alone, and
    /// starting anew costs one decoding of each record that still matters. Learned answers stay.
    pub fn refresh(&mut self) {
        let in_force = self.set.in_force();
        let swapped = !Arc::ptr_eq(&in_force, &self.databases);
        if swapped || self.known.bytes() > self.most_known_bytes {
            self.any_non_global = any_non_global(&in_force);
            self.known = Known::new(in_force.len());
            self.databases = in_force;
            self.memo.clear();
            self.epoch += 1;
        }
    }

    /// What is known of the address, and which wanted groups are missing. The numbers in the
    /// answer are good until the epoch changes, which only [`Resolver::refresh`] does.
    #[inline]
    pub fn resolve(&mut self, address: &Address) -> Answer {
        if !address.is_global() && !self.any_non_global {
            return Answer::default();
        }
        if let Some(answer) = self.memo.get(address.ip()) {
            return answer;
        }
        let answer = self.ask(address);
        self.memo.put(address.ip(), answer);
        answer
    }

    /// Keeps what a provider answered when it was asked for these groups; none when it knows
    /// nothing. Either way they are no longer missing, whatever of them came. A non-global address
    /// is never asked of a provider, so nothing is learned of it.
    pub fn learn(&mut self, address: IpAddr, asked: GroupSet, facts: Option<Enrichment>) {
        let address = Address::new(address);
        if address.is_global() {
            self.learned.learn(address.ip(), asked, facts);
            self.memo.forget(address.ip());
        }
    }

    /// The names of the sources by their number in [`Part::source`]: the databases of this epoch,
    /// then what providers answered.
    pub fn sources(&self) -> Vec<Arc<str>> {
        let names = self.databases.iter().map(|database| Arc::clone(database.name()));
        names.chain([PROVIDER.into()]).collect()
    }

    /// The databases of this epoch.
    pub fn databases(&self) -> &[Arc<Database>] {
        &self.databases
    }

    /// The memory in use beside the databases, in bytes; that of learned answers is reckoned.
    pub fn memory_bytes(&self) -> usize {
        self.memo.bytes() + self.known.bytes() + self.learned.bytes()
    }

    /// The tiers.
    fn ask(&mut self, address: &Address) -> Answer {
        let mut tally = Tally::new(self.wants.groups());
        // A non-global address means something only to whoever wrote the file himself.
        let files = self.databases.iter().zip(0u8..);
        for (database, number) in files {
            let may = address.is_global() || database.answers_non_global();
            if may && tally.needs(database.covers()) {
                tally.take(number, self.known.said(number, database, address.ip(), &self.wants));
            }
        }
        if !address.is_global() {
            // Nobody else is ever asked for it, so nothing of it is missing.
            let mut answer = tally.answer();
            answer.missing = GroupSet::EMPTY;
            return answer;
        }
        if tally.needs(self.wants.groups()) && !self.learned.is_empty() {
            let known = &mut self.known;
            let said = self
                .learned
                .said(address.ip(), &self.wants, self.epoch, |facts| known.learned(facts));
            tally.take(self.databases.len() as u8, said);
        }
        tally.answer()
    }
}

impl Facts for Resolver {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn enrichment(&mut self, id: FactsId) -> Enrichment {
        self.known.enrichment(id, &self.databases)
    }
}

fn any_non_global(databases: &[Arc<Database>]) -> bool {
    databases.iter().any(|database| database.answers_non_global())
}

/// Who gives which group. The first source that has all that is wanted of a group gives it; until
/// one has, the first that has something of it. So a group is never mixed from two sources.
struct Tally {
    wanted: GroupSet,
    /// Neither answered nor closed.
    missing: GroupSet,
    /// By group: the source that gives it.
    givers: [Option<(u8, FactsId)>; FactGroup::ALL.len()],
}

impl Tally {
    fn new(wanted: GroupSet) -> Self {
        Self { wanted, missing: wanted, givers: [None; FactGroup::ALL.len()] }
    }

    /// Whether one of the groups is still missing.
    fn needs(&self, groups: GroupSet) -> bool {
        !self.missing.and(groups).is_empty()
    }

    fn take(&mut self, source: u8, said: Said) {
        for group in said.has.and(self.missing).iter() {
            let giver = &mut self.givers[group as usize];
            if giver.is_none() || said.answers.contains(group) {
                *giver = Some((source, said.facts));
            }
        }
        self.missing = self.missing.without(said.answers).without(said.closes);
    }

    fn answer(self) -> Answer {
        let mut parts = [Part::default(); FactGroup::ALL.len()];
        let mut len = 0;
        for group in self.wanted.iter() {
            let Some((source, facts)) = self.givers[group as usize] else { continue };
            let begun = parts[..len].iter().position(|part| part.source == source);
            let part = &mut parts[begun.unwrap_or(len)];
            *part = Part { facts, source, groups: part.groups.with(group) };
            len += usize::from(begun.is_none());
        }
        parts[..len].sort_unstable_by_key(|part| part.source);
        let mut answer = Answer::default();
        answer.missing = self.missing;
        for part in &parts[..len] {
            answer.push(*part);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::OnMiss;
    use super::super::fixtures::{address, bytes_v4, database, groups, resolver, set, wants};
    use super::*;
    use crate::record::{Geo, Privacy};

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

    fn learned_city(name: &str) -> Enrichment {
        let geo = Geo { city_name: Some(name.to_owned()), ..Geo::default() };
        Enrichment { geo: Some(geo), ..Enrichment::default() }
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
        let names = resolver.sources();
        assert_eq!(names, ["city", "asn", "provider"].map(Arc::from));
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
        let mut resolver =
            resolver(&["geo"], [city_file("city", &[("1.0.0.0/16", place("Riga"))])]);
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

        open.learn(address("10.1.0.1").ip(), groups(&["as"]), Some(learned_city("Narva")));
        assert_eq!(open.learned.bytes(), 0, "nothing is learned of it");
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
        let mut resolver = Resolver::new(wants(&["geo"]), Arc::clone(&set), 1 << 20);
        let before = resolver.resolve(&address("1.0.0.1"));
        let epoch = resolver.epoch();
        resolver.refresh();
        assert_eq!(resolver.epoch(), epoch, "the same set");

        let newer = Arc::new(city_file("city", &[("1.0.0.0/8", place("Tartu"))]));
        set.replace(vec![newer]).unwrap();
        assert_eq!(resolver.resolve(&address("1.0.0.1")), before);
        assert_eq!(city_of(&mut resolver, &before).as_deref(), Some("Riga"), "within the batch");
        resolver.refresh();
        assert_ne!(resolver.epoch(), epoch);
        let after = resolver.resolve(&address("1.0.0.1"));
        assert_eq!(city_of(&mut resolver, &after).as_deref(), Some("Tartu"));
    }

    #[test]
    fn an_old_set_is_freed_when_the_worker_lets_go_of_it() {
        let set = set([city_file("city", &[("1.0.0.0/8", place("Riga"))])]);
        let old = Arc::downgrade(&set.in_force()[0]);
        let mut resolver = Resolver::new(wants(&["geo"]), Arc::clone(&set), 1 << 20);
        set.replace(vec![Arc::new(asn_file("asn"))]).unwrap();
        assert!(old.upgrade().is_some());
        resolver.refresh();
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
        let limit = 200_000;
        let mut resolver = Resolver::new(wants(&["geo"]), set, limit);
        let (mut epochs, mut most) = (0, 0);
        for round in 0..20 {
            for n in 0..100 {
                let n = (round * 100 + n) % 2000;
                let answer = resolver.resolve(&address(&format!("1.{}.{}.9", n / 250, n % 250)));
                let city = city_of(&mut resolver, &answer);
                assert_eq!(city.as_deref(), Some(&*format!("City {n}")));
            }
            let epoch = resolver.epoch();
            resolver.refresh();
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
        resolver.learn(ip.ip(), groups(&["geo"]), Some(learned_city("Riga")));
        let answer = resolver.resolve(&ip);
        assert_eq!((answer.groups(), answer.missing), (groups(&["geo"]), groups(&["privacy"])));
        assert_eq!(source_of(&answer, FactGroup::Geo), Some(1));
        assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));

        let privacy = Privacy { vpn: Some(true), ..Privacy::default() };
        let more = Enrichment { privacy: Some(privacy), ..Enrichment::default() };
        resolver.learn(ip.ip(), groups(&["privacy"]), Some(more));
        let answer = resolver.resolve(&ip);
        assert_eq!(answer.groups(), groups(&["geo", "privacy"]), "what was known before stays");
        assert!(answer.missing.is_empty());
    }

    #[test]
    fn an_address_of_which_a_provider_knows_nothing_is_not_asked_again() {
        let mut resolver =
            resolver(&["geo", "as"], [city_file("city", &[("9.0.0.0/8", place("Riga"))])]);
        let ip = address("1.0.0.1");
        resolver.learn(ip.ip(), groups(&["geo"]), None);
        let answer = resolver.resolve(&ip);
        assert_eq!((answer.is_empty(), answer.missing), (true, groups(&["as"])));
        resolver.learn(ip.ip(), groups(&["as"]), Some(learned_city("Narva")));
        assert!(resolver.resolve(&ip).missing.is_empty());
    }

    #[test]
    fn what_was_learned_outlives_a_swap_and_files_come_first() {
        let set = set([asn_file("asn")]);
        let mut resolver = Resolver::new(wants(&["geo"]), Arc::clone(&set), 1 << 20);
        let ip = address("1.0.0.1");
        resolver.learn(ip.ip(), groups(&["geo"]), Some(learned_city("Riga")));
        resolver.resolve(&ip);
        let city = city_file("city", &[("2.0.0.0/8", place("Tartu"))]);
        set.replace(vec![Arc::new(asn_file("asn")), Arc::new(city)]).unwrap();
        resolver.refresh();
        let answer = resolver.resolve(&ip);
        assert_eq!(source_of(&answer, FactGroup::Geo), Some(2));
        assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Riga"));
        let city = city_file("city", &[("1.0.0.0/8", place("Tartu"))]);
        set.replace(vec![Arc::new(city)]).unwrap();
        resolver.refresh();
        let answer = resolver.resolve(&ip);
        assert_eq!(city_of(&mut resolver, &answer).as_deref(), Some("Tartu"));
    }

    #[test]
    fn learned_answers_keep_to_their_memory_and_the_used_ones_stay() {
        let limit = 400_000;
        let set = set([asn_file("asn")]);
        let mut resolver = Resolver::new(wants(&["geo"]), set, limit);
        let hot = address("1.0.0.1");
        resolver.learn(hot.ip(), groups(&["geo"]), Some(learned_city("Riga")));
        for n in 0..1000u32 {
            let ip = IpAddr::from((0x0200_0000 + n).to_be_bytes());
            resolver.learn(ip, groups(&["geo"]), Some(learned_city("Tartu")));
            // A memo hit is no use: only a walk through the tiers is.
            resolver.memo.clear();
            assert!(!resolver.resolve(&hot).is_empty(), "{n}");
            assert!(resolver.learned.bytes() <= limit / 4, "{n}");
        }
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
}
