//! Asks the processor for memory that will be read or written soon, so that nobody need wait for it.

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

/// Asks for all cache lines of a region, to be written. Only a hint, as [`prefetch`] is.
#[inline]
pub(super) fn prefetch_to_write(start: *const u8, len: usize) {
    for at in (0..len).step_by(CACHE_LINE) {
        let line = start.wrapping_add(at);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint never faults, whatever the pointer.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_ET0>(line.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}
