//! The one thing on which a worker sleeps: an eventfd that librdkafka's queues, answers and signals
//! all write to.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// An eventfd. Waking is cheap, may be done from any thread and never blocks.
#[derive(Debug)]
pub struct Wake(OwnedFd);

impl Wake {
    /// A new one, not yet signalled. Fails when the process is out of file descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed; the result is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open and nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Ends the present or the next [`Wake::sleep`].
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes, as eventfd wants. A full counter is a wake-up pending.
        let _ = unsafe { libc::write(self.fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Sleeps until something wakes or the time is up, and clears the signal.
    pub fn sleep(&self, at_most: Duration) {
        let mut poll = libc::pollfd { fd: self.fd(), events: libc::POLLIN, revents: 0 };
        // Rounded up: a deadline that is 0.4 ms away must not become a busy loop.
        let milliseconds = at_most.as_micros().div_ceil(1000).min(60_000) as libc::c_int;
        // SAFETY: one valid pollfd. An interrupted sleep is a wake-up like any other.
        let ready = unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
        if ready > 0 {
            self.clear();
        }
    }

    /// Takes the signal back, before looking at what it was about.
    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight writable bytes, as eventfd wants; it does not block.
        let _ = unsafe { libc::read(self.fd(), count.as_mut_ptr().cast(), count.len()) };
    }

    /// For librdkafka, which writes eight bytes to it.
    pub(super) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Ends the process at once, without the farewells that libraries have registered: threads of
/// librdkafka may still be running, and must not meet a TLS library that has been put away.
pub fn end_process(code: u8) -> ! {
    // SAFETY: ends the process; nothing runs after it.
    unsafe { libc::_exit(i32::from(code)) }
}

/// What librdkafka writes: eventfd takes nothing but eight bytes.
pub(super) static SIGNAL: u64 = 1;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_wake_before_the_sleep_is_not_lost() {
        let wake = Wake::new().unwrap();
        wake.wake();
        let begin = Instant::now();
        wake.sleep(Duration::from_secs(30));
        assert!(begin.elapsed() < Duration::from_secs(20), "the sleep ran to its end");
    }

    #[test]
    fn another_thread_wakes() {
        let wake = Arc::new(Wake::new().unwrap());
        let other = Arc::clone(&wake);
        let thread = std::thread::spawn(move || other.wake());
        let begin = Instant::now();
        wake.sleep(Duration::from_secs(30));
        thread.join().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(20), "the sleep ran to its end");
    }
}
