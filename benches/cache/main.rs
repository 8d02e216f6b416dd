//! What a million cached addresses use, counted at the allocator: each with the most that one of the
//! providers says of an address, and each with what hides it and how dangerous it is alone. And what it
//! costs to look one up where the facts are the largest, beside a look into the memo.

mod replies;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytesize::ByteSize;
use criterion::{Criterion, criterion_group, criterion_main};
use ipstamp::record::{Address, Enrichment, FactGroup, GroupSet, Moment, Privacy, Threat};
use ipstamp::resolve::{
    Cache, CacheConfig, CacheScope, DatabaseSet, Learned, Resolver, SourceId, Want, Wants,
};

use replies::Largest;

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

/// A cache with such facts of a million addresses. `asked`: what of each was asked for.
fn full(asked: GroupSet, facts: impl Fn(u32) -> Enrichment) -> Arc<Cache> {
    let config = CacheConfig { size: ByteSize::gib(4), ..CacheConfig::default() };
    let cache = Cache::new(&config, &["provider".into()]);
    let now = Moment::now();
    for number in 0..ADDRESSES {
        let facts = facts(number);
        let learned = Learned { source: SourceId(0), asked, closes: asked, facts: Some(&facts) };
        let ip = address(number).ip();
        cache.put(CacheScope::SHARED, ip, &learned, cache.lifetimes(), now);
    }
    Arc::new(cache)
}

/// Fills a cache, says what it uses, and gives that beside it.
#[expect(clippy::print_stdout, reason = "a bench says what it measured")]
fn measured(name: &str, asked: GroupSet, facts: impl Fn(u32) -> Enrichment) -> (usize, Arc<Cache>) {
    let before = IN_USE.load(Ordering::Relaxed);
    let cache = full(asked, facts);
    let used = IN_USE.load(Ordering::Relaxed) - before;
    println!(
        "{name}: {ADDRESSES} addresses use {} MB, reckoned {} MB, {} entries; bar 400 MB",
        used / 1_000_000,
        cache.bytes() / 1_000_000,
        cache.entries()
    );
    (used, cache)
}

#[expect(clippy::unwrap_used, reason = "a bench stops where it fails")]
fn cache(criterion: &mut Criterion) {
    let both = [FactGroup::Privacy, FactGroup::Threat].into_iter().collect();
    drop(measured("privacy and threat", both, facts));
    let mut largest: Option<(usize, Arc<Cache>)> = None;
    for provider in Largest::all() {
        let name = format!("all that {} says", provider.name);
        let (used, cache) = measured(&name, provider.covers, |number| provider.facts(number));
        if largest.as_ref().is_none_or(|(most, _)| used > *most) {
            largest = Some((used, cache));
        }
    }
    let (_, cache) = largest.unwrap();

    let wants = Wants::new(&[Want("geo".into()), Want("privacy".into())]).unwrap();
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
