//! What an answer costs: from the memo, from the files, and of a record that is met the first time.
//!
//! The databases are written here: a city file in MaxMind's layout with names in eight languages
//! and one of autonomous systems. `IPSTAMP_BENCH_CITY` and `IPSTAMP_BENCH_ASN` name real files to
//! measure with instead.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use ipstamp::record::{Address, FactGroup, Facts, FactsId};
use ipstamp::resolve::{Database, DatabaseSet, Resolver, Want, Wants};
use mmdb_writer::ipnet::{IpNet, Ipv4Net};
use mmdb_writer::{Value, Writer};

const LANGUAGES: [&str; 8] = ["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"];
/// Networks in the city file, /17s in the first half of IPv4, and how many places they are in.
const NETWORKS: u32 = 16_384;
const PLACES: u32 = 6_000;
const MEMORY: usize = 32 << 20;

fn names(what: &str, number: u32) -> Value {
    let names = LANGUAGES.map(|language| (language, format!("{what} {number} ({language})")));
    Value::map([("names", Value::map(names)), ("geoname_id", Value::from(number))])
}

fn place(number: u32) -> Value {
    let with = |value: Value, key: &str, more: Value| match value {
        Value::Map(mut members) => {
            members.insert(key.to_owned(), more);
            Value::Map(members)
        }
        other => other,
    };
    let country = with(names("Country", number % 200), "iso_code", Value::from("LV"));
    let region = with(names("Region", number % 2_000), "iso_code", Value::from("001"));
    let location = Value::map([
        ("latitude", Value::from(f64::from(number % 180) - 90.0)),
        ("longitude", Value::from(f64::from(number % 360) - 180.0)),
        ("accuracy_radius", Value::U16(20)),
        ("time_zone", Value::from("Europe/Riga")),
    ]);
    Value::Map(BTreeMap::from([
        ("city".to_owned(), names("City", number)),
        ("continent".to_owned(), with(names("Continent", 1), "code", Value::from("EU"))),
        ("registered_country".to_owned(), country.clone()),
        ("country".to_owned(), country),
        ("location".to_owned(), location),
        ("postal".to_owned(), Value::map([("code", Value::from(format!("LV-{number}")))])),
        ("subdivisions".to_owned(), Value::array([region])),
    ]))
}

fn network(number: u32, of: u32) -> IpNet {
    let size = u32::MAX / 2 / of + 1;
    let first = Ipv4Addr::from(number * size);
    Ipv4Net::new(first, size.leading_zeros() as u8 + 1).unwrap().into()
}

fn file(name: &str, path: &str, write: impl FnOnce() -> Writer) -> Arc<Database> {
    let bytes = match std::env::var_os(path) {
        Some(path) => std::fs::read(path).unwrap(),
        None => write().to_bytes().unwrap(),
    };
    Arc::new(Database::new(name, bytes).unwrap())
}

fn databases() -> Arc<DatabaseSet> {
    let city = file("city", "IPSTAMP_BENCH_CITY", || {
        let mut writer = Writer::new("GeoLite2-City");
        let places: Vec<Value> = (0..PLACES).map(place).collect();
        for number in 0..NETWORKS {
            let place = &places[(number.wrapping_mul(2_654_435_761) % PLACES) as usize];
            writer.insert_value(network(number, NETWORKS), place.clone()).unwrap();
        }
        writer
    });
    let asn = file("asn", "IPSTAMP_BENCH_ASN", || {
        let mut writer = Writer::new("GeoLite2-ASN");
        for number in 0..NETWORKS / 2 {
            let system = Value::map([
                ("autonomous_system_number", Value::from(number % 3_000 + 1)),
                ("autonomous_system_organization", Value::from(format!("AS {}", number % 3_000))),
            ]);
            writer.insert_value(network(number, NETWORKS / 2), system).unwrap();
        }
        writer
    });
    Arc::new(DatabaseSet::new(vec![city, asn]).unwrap())
}

/// Numbers without a pattern, the same in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn global_address(&mut self) -> Address {
        loop {
            // The first half of IPv4, which the files cover.
            let address = Address::new(Ipv4Addr::from((self.next() >> 33) as u32).into());
            if address.is_global() {
                return address;
            }
        }
    }
}

fn lookup(criterion: &mut Criterion) {
    let set = databases();
    let wants = Arc::new(Wants::new(&[Want("geo".into()), Want("as".into())]).unwrap());
    let resolver =
        || Resolver::new(Arc::clone(&wants), Arc::clone(&set), Default::default(), MEMORY);
    let mut dice = Dice(1);
    let flat: Vec<Address> = (0..1 << 20).map(|_| dice.global_address()).collect();

    // Pareto with a tail of a million: some addresses are most of the stream.
    let skewed: Vec<Address> = (0..1 << 20)
        .map(|_| {
            let part = (dice.next() >> 11) as f64 / (1u64 << 53) as f64;
            flat[(2f64.powf(part * 20.0) as usize - 1).min(flat.len() - 1)]
        })
        .collect();

    let mut group = criterion.benchmark_group("lookup");
    for (name, addresses) in [
        ("memo_hit_of_1000", &flat[..1000]),
        ("memo_hit_of_20000", &flat[..20_000]),
        ("two_files_flat", &flat[..]),
        ("two_files_skewed", &skewed[..]),
    ] {
        let mut resolver = resolver();
        for address in addresses {
            black_box(resolver.resolve(address));
        }
        let mut turn = addresses.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| turn.next().map(|address| resolver.resolve(address)));
        });
    }

    let mut known = resolver();
    let ids: Vec<FactsId> = flat
        .iter()
        .filter_map(|address| known.resolve(address).facts_for(FactGroup::Geo))
        .take(20_000)
        .collect();
    let mut turn = ids.iter().cycle();
    group.bench_function("decode_city", |bencher| {
        bencher.iter(|| turn.next().map(|id| known.enrichment(*id)));
    });
    group.finish();
}

criterion_group!(benches, lookup);
criterion_main!(benches);
