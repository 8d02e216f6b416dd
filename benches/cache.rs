//! What a million cached addresses use: each with privacy and threat facts of one provider, counted
//! at the allocator. And what it costs to look one up, beside a look into the memo.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytesize::ByteSize;
use criterion::{Criterion, criterion_group, criterion_main};
use ipstamp::record::{Address, Enrichment, FactGroup, Moment, Privacy, Threat};
use ipstamp::resolve::{
    Cache, CacheConfig, CacheScope, DatabaseSet, Learned, Resolver, SourceId, Want, Wants,
};

/// How much is allocated now.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of the bytes that are in use.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: everything is the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as for the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What glibc takes for a block: eight bytes more, in steps of sixteen.
fn rounded(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

const ADDRESSES: u32 = 1_000_000;

fn address(number: u32) -> Address {
    // Spread over the space from 8.0.0.0 on, as attackers are.
    Address::new(Ipv4Addr::from(0x0800_0000 + number * 16).into())
}

/// One in five is something; a few hundred services.
fn facts(number: u32) -> Enrichment {
    let vpn = number.is_multiple_of(5);
    let privacy = Privacy {
        anonymous: Some(vpn),
        vpn: Some(vpn),
        proxy: Some(false),
        residential_proxy: Some(false),
        tor: Some(false),
        relay: Some(false),
        hosting: Some(number.is_multiple_of(3)),
        service: vpn.then(|| format!("Service {}", number % 300)),
        last_seen: vpn.then(|| "2026-11-02".into()),
        confidence: vpn.then_some(87.0),
        ..Privacy::default()
    };
    let threat = Threat {
        score: Some(f64::from(number % 100)),
        is_attacker: Some(number.is_multiple_of(7)),
        is_bot: Some(false),
        is_spam: Some(false),
        ..Threat::default()
    };
    Enrichment { privacy: Some(privacy), threat: Some(threat), ..Enrichment::default() }
}

fn full() -> Arc<Cache> {
    let config = CacheConfig { size: ByteSize::gib(1), ..CacheConfig::default() };
    let cache = Cache::new(&config, &["provider".into()]);
    let asked = [FactGroup::Privacy, FactGroup::Threat].into_iter().collect();
    let now = Moment::now();
    for number in 0..ADDRESSES {
        let facts = facts(number);
        let learned = Learned { source: SourceId(0), asked, closes: asked, facts: Some(&facts) };
        let ip = address(number).ip();
        cache.put(CacheScope::SHARED, ip, &learned, cache.lifetimes(), now);
    }
    Arc::new(cache)
}

#[expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench says what it measured")]
fn cache(criterion: &mut Criterion) {
    let before = IN_USE.load(Ordering::Relaxed);
    let cache = full();
    let used = IN_USE.load(Ordering::Relaxed) - before;
    println!(
        "{ADDRESSES} addresses use {} MB, reckoned {} MB, {} entries",
        used / 1_000_000,
        cache.bytes() / 1_000_000,
        cache.entries()
    );

    let wants = Wants::new(&[Want("privacy".into()), Want("threat".into())]).unwrap();
    let set = Arc::new(DatabaseSet::new(Vec::new()).unwrap());
    let view = (Arc::clone(&cache), CacheScope::SHARED);
    let mut resolver = Resolver::new(Arc::new(wants), set, view, 64 << 20);
    let mut number = 0_u32;
    criterion.bench_function("a cached address that the memo does not have", |bencher| {
        bencher.iter(|| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            black_box(resolver.resolve(&address(number % ADDRESSES)))
        });
    });
    criterion.bench_function("a cached address that the memo has", |bencher| {
        bencher.iter(|| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            black_box(resolver.resolve(&address(number % 1000)))
        });
    });
}

criterion_group!(benches, cache);
criterion_main!(benches);
