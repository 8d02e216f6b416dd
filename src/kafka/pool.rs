//! Memory that librdkafka takes without a copy: buffers cut from big chunks, each chunk reused when
//! all its buffers have come back.
//!
//! A record's output is rendered straight into a [`Buffer`] and handed to produce by pointer; its
//! delivery report gives the pointer back. Chunks are aligned to their size, so that a pointer alone
//! tells the chunk: nothing is looked up and nothing is allocated per record.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;
use std::rc::Rc;

use super::prefetch::prefetch_to_write;

/// The size of a chunk and its alignment.
const CHUNK: usize = 1 << 20;
/// Where the first buffer of a chunk begins.
const FIRST: usize = size_of::<Header>().next_multiple_of(16);
/// By so many bytes one buffer may be longer than the one before, and is still asked for whole.
const LONGER: usize = 256;
/// No more is asked for ahead: it would push out what is used now.
const MOST_AHEAD: usize = 4096;
/// Chunks that are kept for reuse unless told otherwise; more are given back to the system.
const KEPT: usize = 16;

/// At the beginning of each chunk.
struct Header {
    /// Buffers that are out, and one for the pool while it still cuts from this chunk.
    holders: usize,
    /// The whole chunk, this header included. More than [`CHUNK`] for a buffer too big for one.
    size: usize,
    pool: Rc<RefCell<Chunks>>,
}

/// What a pool shares with its buffers.
struct Chunks {
    free: Vec<NonNull<Header>>,
    /// How many are kept there.
    most_free: usize,
    /// Whether the pool is still there to use them again.
    pool_alive: bool,
    /// Bytes of all chunks, free ones too.
    bytes: usize,
}

/// Hands out buffers. Belongs to one thread, as do its buffers.
pub struct Pool {
    chunks: Rc<RefCell<Chunks>>,
    current: Option<NonNull<Header>>,
    /// Where the next buffer of the current chunk begins.
    used: usize,
}

/// A piece of pooled memory; goes back when dropped.
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::keeping(KEPT * CHUNK)
    }

    /// An empty pool that keeps about so many bytes for reuse.
    pub fn keeping(bytes: usize) -> Self {
        let most_free = bytes.div_ceil(CHUNK).max(2);
        let chunks = Rc::new(RefCell::new(Chunks {
            free: Vec::with_capacity(most_free),
            most_free,
            pool_alive: true,
            bytes: 0,
        }));
        Self { chunks, current: None, used: 0 }
    }

    /// A buffer of exactly `len` bytes, with whatever content an earlier use left.
    pub fn take(&mut self, len: usize) -> Buffer {
        if len > CHUNK - FIRST {
            let chunk = self.allocate(FIRST + len);
            return Buffer::cut(chunk, FIRST, len);
        }
        let chunk = match self.current {
            // An empty buffer too begins inside the chunk, or its pointer would tell the next one.
            Some(chunk) if self.used + len.max(1) <= CHUNK => chunk,
            _ => self.next_chunk(),
        };
        // SAFETY: the current chunk is alive, since the pool holds it.
        unsafe { (*chunk.as_ptr()).holders += 1 };
        let buffer = Buffer::cut(chunk, self.used, len);
        self.used += len.next_multiple_of(8);
        // The next buffer will be about as long: its lines come while this one's record goes on its
        // way. They were last read by librdkafka's thread, on another core.
        let ahead = (len + LONGER).min(CHUNK.saturating_sub(self.used)).min(MOST_AHEAD);
        prefetch_to_write(chunk.as_ptr().cast::<u8>().wrapping_add(self.used), ahead);
        buffer
    }

    /// A buffer with a copy of `bytes`.
    pub fn copy(&mut self, bytes: &[u8]) -> Buffer {
        let mut buffer = self.take(bytes.len());
        buffer.as_mut().copy_from_slice(bytes);
        buffer
    }

    /// Bytes held from the system.
    pub fn bytes(&self) -> usize {
        self.chunks.borrow().bytes
    }

    fn next_chunk(&mut self) -> NonNull<Header> {
        if let Some(done) = self.current.take() {
            release(done);
        }
        let reused = self.chunks.borrow_mut().free.pop();
        let chunk = reused.unwrap_or_else(|| self.allocate(CHUNK));
        // SAFETY: a free or new chunk is alive and has no other holder.
        unsafe { (*chunk.as_ptr()).holders = 1 };
        self.current = Some(chunk);
        self.used = FIRST;
        chunk
    }

    fn allocate(&self, size: usize) -> NonNull<Header> {
        let layout = chunk_layout(size);
        // SAFETY: the layout's size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        #[expect(clippy::cast_ptr_alignment, reason = "the layout is aligned to a chunk")]
        let Some(chunk) = NonNull::new(memory.cast::<Header>()) else { handle_alloc_error(layout) };
        self.chunks.borrow_mut().bytes += size;
        let header = Header { holders: 1, size, pool: Rc::clone(&self.chunks) };
        // SAFETY: big enough and aligned for a header.
        unsafe { chunk.as_ptr().write(header) };
        chunk
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(chunk) = self.current.take() {
            release(chunk);
        }
        self.chunks.borrow_mut().pool_alive = false;
        let free = std::mem::take(&mut self.chunks.borrow_mut().free);
        free.into_iter().for_each(destroy);
    }
}

impl Buffer {
    fn cut(chunk: NonNull<Header>, at: usize, len: usize) -> Self {
        // SAFETY: the callers have checked that `at + len` is inside the chunk.
        let start = unsafe { NonNull::new_unchecked(chunk.as_ptr().cast::<u8>().add(at)) };
        Self { start, len }
    }

    /// The content.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the memory was zeroed when it was allocated, is inside a chunk that this buffer
        // holds, and no other buffer overlaps it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The content, to be written.
    #[expect(clippy::should_implement_trait, reason = "the trait's type parameter would be noise")]
    pub fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Gives the buffer into librdkafka's hands: it comes back by [`Buffer::from_raw`] only.
    pub(super) fn into_raw(self) -> (*mut u8, usize) {
        let raw = (self.start.as_ptr(), self.len);
        std::mem::forget(self);
        raw
    }

    /// Takes back what [`Buffer::into_raw`] gave away.
    ///
    /// # Safety
    /// The pointer and the length are from one call of `into_raw` and are used once; the thread is
    /// the same.
    pub(super) unsafe fn from_raw(start: NonNull<u8>, len: usize) -> Self {
        Self { start, len }
    }

    fn chunk(&self) -> NonNull<Header> {
        let address = self.start.as_ptr() as usize;
        // SAFETY: chunks are aligned to CHUNK and each buffer begins within the first CHUNK bytes of
        // its chunk, so stepping back to the boundary stays inside the allocation.
        unsafe { NonNull::new_unchecked(self.start.as_ptr().sub(address % CHUNK).cast()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        release(self.chunk());
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

fn chunk_layout(size: usize) -> Layout {
    // Sizes come from lengths of slices; the alignment is a power of two.
    Layout::from_size_align(size, CHUNK).unwrap_or(Layout::new::<Header>())
}

/// One holder less; the last one frees the chunk for reuse, or gives it back.
fn release(chunk: NonNull<Header>) {
    // SAFETY: a holder keeps its chunk alive until this call.
    let header = unsafe { &mut *chunk.as_ptr() };
    header.holders -= 1;
    if header.holders > 0 {
        return;
    }
    let keep = header.size == CHUNK && {
        let mut chunks = header.pool.borrow_mut();
        let room = chunks.pool_alive && chunks.free.len() < chunks.most_free;
        if room {
            chunks.free.push(chunk);
        }
        room
    };
    if !keep {
        destroy(chunk);
    }
}

fn destroy(chunk: NonNull<Header>) {
    // SAFETY: no holder is left; the header is moved out before its memory goes.
    let header = unsafe { chunk.as_ptr().read() };
    header.pool.borrow_mut().bytes -= header.size;
    // SAFETY: allocated with this layout.
    unsafe { dealloc(chunk.as_ptr().cast(), chunk_layout(header.size)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_overlap_and_keep_their_content() {
        let mut pool = Pool::new();
        let buffers: Vec<Buffer> =
            (0..5000).map(|i| pool.copy(&vec![i as u8; 1 + i % 1500])).collect();
        for (i, buffer) in buffers.iter().enumerate() {
            assert!(buffer.as_slice().iter().all(|byte| *byte == i as u8), "buffer {i}");
            assert_eq!(buffer.as_slice().len(), 1 + i % 1500);
        }
    }

    #[test]
    fn memory_is_reused_in_steady_state() {
        let mut pool = Pool::new();
        for _ in 0..20_000 {
            let buffer = pool.take(1500);
            drop(buffer);
        }
        assert!(pool.bytes() <= 2 * CHUNK, "{} bytes", pool.bytes());
    }

    #[test]
    fn a_buffer_bigger_than_a_chunk_goes_back_to_the_system() {
        let mut pool = Pool::new();
        let mut big = pool.take(3 * CHUNK + 5);
        big.as_mut().fill(7);
        assert_eq!(big.as_slice().len(), 3 * CHUNK + 5);
        drop(big);
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn buffers_outlive_the_pool() {
        let mut pool = Pool::new();
        let buffer = pool.copy(b"still here");
        drop(pool);
        assert_eq!(buffer.as_slice(), b"still here");
    }

    #[test]
    fn a_raw_buffer_comes_back() {
        let mut pool = Pool::new();
        let (start, len) = pool.copy(b"by pointer").into_raw();
        // SAFETY: from `into_raw` just now.
        let buffer = unsafe { Buffer::from_raw(NonNull::new(start).unwrap(), len) };
        assert_eq!(buffer.as_slice(), b"by pointer");
    }

    #[test]
    fn an_empty_buffer_is_a_buffer() {
        let mut pool = Pool::new();
        assert_eq!(pool.take(0).as_slice(), b"");
    }
}
