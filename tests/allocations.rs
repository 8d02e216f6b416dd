//! The hot path allocates nothing of ours per record: counted by an allocator, thread by thread.
//! What librdkafka allocates in C is its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use ipstamp::commit::Tracker;
use ipstamp::encode::{self, Profile, Writing};
use ipstamp::kafka::{Buffer, Headers, Outgoing, Pool, Producer, Wake};
use ipstamp::pipeline::{Ask, AvroSchema, EventFormat, Known, Stamp, StampSettings, Stamper};
use ipstamp::publish::{
    Compression, Config, Limits, OnUndeliverable, Outlet, Partitioning, TopicState, UnderWay,
    producer_settings,
};
use ipstamp::record::{Moment, Offset, Partition, Reason, Topic};
use ipstamp::resolve::{DatabaseConfig, DatabaseSet, Want, Wants};
use ipstamp::{database, extract};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;

#[expect(dead_code, reason = "the harness also serves tests with a worker process")]
#[path = "support/mod.rs"]
mod support;

use support::small_databases::Databases;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends allocates without it.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: everything is the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as for the caller.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as for the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for the caller.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocates while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// So many events are one run.
const EVENTS: u64 = 10_000;
/// So many are under way at a time.
const UNDER_WAY: usize = 500;

fn events(from: u64) -> Vec<Vec<u8>> {
    (from..from + EVENTS).map(|n| support::events::padded(n, 500).into_bytes()).collect()
}

fn settings(folder: &Path) -> StampSettings {
    let files = Databases::write(folder);
    let configs = [DatabaseConfig::of(&files.city), DatabaseConfig::of(&files.asn)];
    let databases = database::open_all(None, &configs, None).unwrap();
    let wants = [Want("geo".into()), Want("as".into())];
    StampSettings {
        format: EventFormat::default(),
        addresses: extract::Config::default(),
        wants: Arc::new(Wants::new(&wants).unwrap()),
        databases: Arc::new(DatabaseSet::new(databases).unwrap()),
        cache: Default::default(),
        writing: Writing::new(&encode::Config::default()).unwrap(),
        memory_limit_bytes: 16 << 20,
    }
}

fn stamper(profile: Profile, folder: &Path) -> Stamper {
    let writing = encode::Config { profile, ..encode::Config::default() };
    let writing = Writing::new(&writing).unwrap();
    Stamper::new(&StampSettings { writing, ..settings(folder) }).unwrap()
}

/// An event's way into a pooled buffer, as a worker takes it.
fn stamped(stamper: &mut Stamper, pool: &mut Pool, event: &[u8]) -> Buffer {
    match stamper.stamp(event, &mut |_| Ask::nobody(Reason::NotFound)) {
        Stamp::Written { len, .. } => {
            let mut value = pool.take(len);
            stamper.write(event, value.as_mut());
            value
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn counts_what_is_allocated() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

/// Guarantees: from an event to the bytes of its output, and from its admission to its end, nothing
/// is allocated, whether its addresses were seen before or not.
#[test]
fn stamping_and_tracking_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for profile in Profile::NAMED {
        let name = profile.name();
        let mut stamper = stamper(profile, folder.path());
        let (mut pool, mut tracker) = (Pool::new(), Tracker::new());
        let mut under_way = std::collections::VecDeque::with_capacity(UNDER_WAY + 1);
        let mut offset = 0;
        let mut run = |events: &[Vec<u8>]| {
            for (number, event) in events.iter().enumerate() {
                if number % 512 == 0 {
                    stamper.refresh(Moment::now());
                }
                let sequence = tracker.admit(Offset(offset)).unwrap();
                offset += 1;
                under_way.push_back((sequence, stamped(&mut stamper, &mut pool, event)));
                if under_way.len() > UNDER_WAY {
                    let (sequence, value) = under_way.pop_front().unwrap();
                    assert!(tracker.end(sequence));
                    drop(value);
                    std::hint::black_box(tracker.take_watermark());
                }
            }
            std::hint::black_box(stamper.take_found());
        };
        let (known, new) = (events(0), events(EVENTS));
        run(&known);
        assert_eq!(allocations(|| run(&known)), 0, "{name}, addresses seen before");
        assert_eq!(allocations(|| run(&new)), 0, "{name}, new addresses");
    }
}

/// An event in Avro: both ends, as in the events in JSON, and something beside them.
const AVRO: &str = r#"{"type":"record","name":"Event","fields":[
    {"name":"id","type":"long"},
    {"name":"source","type":{"type":"record","name":"Side","fields":[
        {"name":"ip","type":["null","string"]},{"name":"port","type":"int"}]}},
    {"name":"destination","type":["null","Side"]},{"name":"message","type":"string"}]}"#;

fn avro_events(from: u64) -> Vec<Vec<u8>> {
    let schema = Schema::parse_str(AVRO).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let side = |n, salt| {
        let (network, ..) = support::events::network(n, salt);
        let ip = Value::Union(1, Box::new(Value::String(network.to_string())));
        Value::Record(vec![("ip".into(), ip), ("port".into(), Value::Int(443))])
    };
    let event = |n: u64| {
        let fields = vec![
            ("id".into(), Value::Long(n as i64)),
            ("source".into(), side(n, 0)),
            ("destination".into(), Value::Union(1, Box::new(side(n, 1)))),
            ("message".into(), Value::String(format!("message {n}"))),
        ];
        writer.write_value_to_vec(Value::Record(fields)).unwrap()
    };
    (from..from + EVENTS).map(event).collect()
}

/// Guarantees: the same for Avro, also where its texts are searched and its addresses are cut.
#[test]
fn stamping_avro_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (address, discover) in [
        (encode::AddressPrivacy::Keep, extract::Discover::Fallback),
        (encode::AddressPrivacy::Truncate, extract::Discover::Always),
    ] {
        let writing = encode::Config { address, ..encode::Config::default() };
        let writing = Writing::new(&writing).unwrap();
        let addresses = extract::Config {
            every_place: writing.hides_addresses(),
            discover: Some(discover),
            ..extract::Config::default()
        };
        let plain = AvroSchema::plain(AVRO, &addresses, false).unwrap();
        let plain = Some(Arc::new(Known::Avro(plain)));
        let format = EventFormat { format: extract::Format::Avro, plain };
        let mut stamper =
            Stamper::new(&StampSettings { format, addresses, writing, ..settings(folder.path()) })
                .unwrap();
        let mut pool = Pool::new();
        let mut run = |events: &[Vec<u8>]| {
            for event in events {
                drop(std::hint::black_box(stamped(&mut stamper, &mut pool, event)));
            }
            std::hint::black_box(stamper.take_found());
        };
        let (known, new) = (avro_events(0), avro_events(EVENTS));
        run(&known);
        assert_eq!(allocations(|| run(&known)), 0, "{address:?}, addresses seen before");
        assert_eq!(allocations(|| run(&new)), 0, "{address:?}, new addresses");
    }
}

/// Guarantees: a tenant's name is found in the headers or in the event without an allocation.
#[test]
fn finding_a_tenants_name_allocates_nothing() {
    let mut headers = Headers::new(3);
    for (name, value) in [("trace", "1"), ("x-tenant", "globex"), ("x-tenant", "acme")] {
        headers.add(name, value.as_bytes());
    }
    let found = || std::hint::black_box(&headers).last(c"x-tenant").map(<[u8]>::len);
    assert_eq!(found(), Some(4));
    assert_eq!(allocations(|| assert_eq!(found(), Some(4))), 0);

    let mut text_at = extract::TextAt::new("tenant.id").unwrap();
    let event =
        |n| format!(r#"{{"a":[{}],"tenant":{{"id":"acme"}}}}"#, support::events::padded(n, 300));
    let events: Vec<_> = (0..100).map(event).collect();
    let mut find = || events.iter().all(|event| text_at.find(event.as_bytes()) == Some("acme"));
    assert!(find());
    let mut all = false;
    assert_eq!(allocations(|| all = find()), 0);
    assert!(all);
}

/// Guarantees: from the stamp to the producer and from its report back, nothing of ours is
/// allocated either.
#[test]
fn handing_records_over_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut stamper = stamper(Profile::Ecs, folder.path());
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("out", 4, 1).unwrap();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.bootstrap_servers());
    let config = Config {
        topic: "out".into(),
        dead_letter: None,
        late_topic: None,
        partition: Partitioning::Auto,
        compression: Compression::None,
        on_undeliverable: OnUndeliverable::Halt,
    };
    let wake = Arc::new(Wake::new().unwrap());
    let woken = Arc::clone(&wake);
    let make = Box::new(move |limit| {
        Producer::new(&producer_settings(&client, &config, 0, limit), &woken)
    });
    let mut outlet = Outlet::new(make, None, UnderWay::of_one(1)).unwrap();
    let id = outlet.output(&Topic::new("out")).unwrap();
    let limits = Limits::default();
    outlet.learn(id, TopicState::Present { partitions: 4, limits, same_partition: true }, None);
    let mut pool = Pool::new();
    let mut run = |events: &[Vec<u8>]| {
        let begin = Instant::now();
        let (mut sent, mut arrived) = (0, 0);
        while arrived < events.len() {
            assert!(begin.elapsed() < Duration::from_secs(60), "{arrived} of {sent} arrived");
            while sent < events.len() && sent < arrived + UNDER_WAY {
                let input = Partition((sent / 100 % 4) as i32);
                let Ok(partition) = outlet.route(id, input, Some(b"key"), 0) else { break };
                let value = Some(stamped(&mut stamper, &mut pool, &events[sent]));
                let mut headers = Headers::new(2);
                headers.set(c"ipstamp-src", b"in-0-1");
                let headers = Some(headers);
                let record = Outgoing { value, headers, timestamp: None, ticket: sent as u64 };
                outlet.send(id, partition, Some(b"key"), record);
                sent += 1;
            }
            outlet.serve(Instant::now(), |_| true);
            let before = arrived;
            arrived += outlet.take_delivered().count();
            std::hint::black_box(outlet.take_refused());
            if arrived == before {
                wake.sleep(Duration::from_millis(100));
            }
        }
        assert_eq!(outlet.sent_again, 0);
    };
    let events = events(0);
    run(&events);
    assert_eq!(allocations(|| run(&events)), 0);
}

/// Guarantees: whatever kind an event is of, JSON or text, alone or in an envelope, known or not, finding
/// its addresses allocates nothing once each kind was met.
#[test]
fn reading_events_of_all_kinds_allocates_nothing() {
    let cases = include_str!("data/presets.tsv").lines().filter(|line| !line.starts_with('#'));
    let events: Vec<&[u8]> =
        cases.filter_map(|line| line.splitn(3, '\t').nth(2)).map(str::as_bytes).collect();
    assert!(events.len() > 50);
    let config = extract::Config {
        format: extract::Format::Auto,
        discover: Some(extract::Discover::Always),
        ..extract::Config::default()
    };
    let needs = ipstamp::record::WritingNeeds::default();
    let mut extractor = extract::Extractor::new(&config, &needs).unwrap();
    let mut findings = extract::Findings::default();
    let mut run = || {
        for event in &events {
            assert!(extractor.read(event, &mut findings).is_ok());
            std::hint::black_box(findings.parts().len());
        }
    };
    run();
    assert_eq!(allocations(run), 0);
}
