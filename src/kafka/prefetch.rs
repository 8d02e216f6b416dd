//! Asks the processor for memory that will be read soon, so that the reader need not wait for it.

/// What one request brings, in bytes.
const CACHE_LINE: usize = 64;

/// Asks for the cache line of a place. Only a hint: any pointer will do, and nothing is read.
#[inline]
pub fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint never faults, whatever the pointer.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Asks for all cache lines of some bytes.
#[inline]
pub fn prefetch_bytes(bytes: &[u8]) {
    for line in bytes.chunks(CACHE_LINE) {
        prefetch(line.as_ptr());
    }
}
