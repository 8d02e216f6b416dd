//! Whether the cache keeps to its memory: half an hour of 100,000 answers a second, most of them of a few
//! addresses that come again and again, the others of addresses that came long ago or never. The clock is
//! the cache's own argument, so that the half hour is gone through as fast as the machine writes; what
//! could grow with pressure is under more of it than in the time itself.
//!
//! ```text
//! cargo bench --bench churn -- [--minutes 30] [--threads 4]
//! ```

#![expect(clippy::print_stdout, reason = "it reports on its output")]
#![expect(clippy::unwrap_used, reason = "a bench stops where it fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use bytesize::ByteSize;
use ipstamp::record::{Enrichment, FactGroup, GroupSet, Moment, Privacy};
use ipstamp::resolve::{Cache, CacheConfig, CacheScope, Learned, SourceId};

/// Answers in a second of the cache's time.
const A_SECOND: u64 = 100_000;
/// Different addresses: several times as many as there is room for.
const ADDRESSES: u64 = 2_000_000;
const SIZE: ByteSize = ByteSize::mib(128);

/// How much is allocated now: what is resident beside that is what the system's allocator keeps for
/// another time, and grows with the load of the machine.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of the bytes that are in use.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: everything is the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as for the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn argument(name: &str, usual: u64) -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == name);
    at.map_or(usual, |at| words[at + 1].parse().unwrap())
}

fn main() {
    let (minutes, threads) = (argument("--minutes", 30), argument("--threads", 4));
    let config = CacheConfig { size: SIZE, ..CacheConfig::default() };
    let cache = Cache::new(&config, &["provider".into()]);
    let (written, begin) = (AtomicU64::new(0), Instant::now());
    let a_minute = A_SECOND * 60;
    let mut in_use = Vec::new();
    println!("minute   answers   reckoned MB   entries   in use MB   resident MB   after s");
    for minute in 1..=minutes {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (cache, written) = (&cache, &written);
                scope.spawn(move || {
                    writes(cache, written, thread + threads * minute, a_minute * minute);
                });
            }
        });
        let used = IN_USE.load(Ordering::Relaxed) / 1_000_000;
        println!(
            "{minute:6} {:9} {:13} {:9} {used:11} {:13} {:9}",
            written.load(Ordering::Relaxed),
            cache.bytes() / 1_000_000,
            cache.entries(),
            resident_bytes() / 1_000_000,
            begin.elapsed().as_secs()
        );
        assert!(cache.bytes() <= SIZE.as_u64() * 101 / 100, "{} bytes", cache.bytes());
        in_use.push(used);
    }
    // Full since the first minute: what it has then is what it may have.
    let (first, most) = (in_use[0], in_use.iter().max().copied().unwrap());
    println!("in use: {first} MB after the first minute, {most} MB at most");
    assert!(most <= first * 110 / 100, "it grows: {in_use:?}");
}

/// Writes and reads until so many answers are in.
fn writes(cache: &Cache, written: &AtomicU64, seed: u64, until: u64) {
    let asked = GroupSet::EMPTY.with(FactGroup::Privacy);
    let mut dice = fastrand::Rng::with_seed(seed);
    loop {
        let nth = written.fetch_add(1, Ordering::Relaxed);
        if nth >= until {
            written.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let now = Moment((nth / A_SECOND) as u32 + 1);
        // Zipf: the chance of the n-th address is as 1 to n.
        let rank = (ADDRESSES as f64).powf(dice.f64()) as u64;
        let address = IpAddr::V4(Ipv4Addr::from(0x0800_0000 + rank as u32));
        let privacy = Privacy { vpn: Some(nth.is_multiple_of(5)), ..Privacy::default() };
        let facts = Enrichment { privacy: Some(privacy), ..Enrichment::default() };
        // Some know nothing: their entries are smaller, so that the same key changes its weight.
        let facts = (!nth.is_multiple_of(3)).then_some(&facts);
        let learned = Learned { source: SourceId(0), asked, closes: asked, facts };
        if nth.is_multiple_of(4) {
            drop(cache.get(CacheScope::SHARED, address));
        }
        cache.put(CacheScope::SHARED, address, &learned, cache.lifetimes(), now);
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
