//! How threads that read, verify and fetch databases beside the records keep out of the way of these: they
//! are last in line for a core, and rest for most of the time.

use std::cell::Cell;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};

/// Of 1,024 parts of a core that others want too, one at this step of niceness gets 36.
const NICENESS: i32 = 15;
/// So many times as long as it works it rests: a new city file of 60 MB takes a third of a second of a core
/// to read and to verify, which the records of that second would miss.
const RESTS: u32 = 9;
/// It works for so long before it rests.
const PIECE: Duration = Duration::from_millis(1);
/// However long a piece of work was, nothing waits longer than this for the next.
const LONGEST: Duration = Duration::from_millis(200);

thread_local! {
    /// How long this thread had worked when it rested last, while it is to rest.
    static RESTED_AT: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Whether there is nobody left to keep out of the way of.
static HURRIES: AtomicBool = AtomicBool::new(false);

/// This thread, and those that it starts, are last in line from now on.
pub fn stand_back() {
    // Of Linux's threads each has its own priority; one that cannot be lowered works on as it is.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority of a thread stays as it is");
    }
}

/// Nobody in this process rests from now on: it is about to end, and waits for what is under way.
pub fn hurry() {
    HURRIES.store(true, Ordering::Relaxed);
}

/// Does work that has time, and in which there are places to [`rest`].
pub(super) fn resting<T>(work: impl FnOnce() -> T) -> T {
    RESTED_AT.set(Some(worked()));
    let done = work();
    RESTED_AT.set(None);
    done
}

/// A place between two pieces of work. Who has time rests here when he has worked for long enough; nobody
/// else does.
pub(super) fn rest() {
    let Some(rested_at) = RESTED_AT.get() else { return };
    if let Some(rest) = rest_after(worked().saturating_sub(rested_at))
        && !HURRIES.load(Ordering::Relaxed)
    {
        std::thread::sleep(rest);
        RESTED_AT.set(Some(worked()));
    }
}

/// How long to rest after a piece of work; None while it goes on.
fn rest_after(piece: Duration) -> Option<Duration> {
    (piece >= PIECE).then(|| (piece * RESTS).min(LONGEST))
}

/// How long this thread has had a core.
fn worked() -> Duration {
    let worked = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(worked.tv_sec.cast_unsigned(), worked.tv_nsec as u32)
}

/// Reads from another, and rests in between.
pub(super) struct Resting<R>(pub(super) R);

impl<R: Read> Read for Resting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        rest();
        self.0.read(into)
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn only_the_thread_that_stands_back_does() {
        let before = getpriority_process(None).unwrap();
        let lowered = std::thread::spawn(|| {
            stand_back();
            getpriority_process(None).unwrap()
        });
        assert_eq!(lowered.join().unwrap(), NICENESS.max(before));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }

    #[test]
    fn a_tenth_of_the_time_is_worked_in_pieces_and_no_rest_is_long() {
        let (micros, millis) = (Duration::from_micros, Duration::from_millis);
        assert_eq!(rest_after(micros(999)), None);
        assert_eq!(rest_after(millis(1)), Some(millis(9)));
        assert_eq!(rest_after(millis(5)), Some(millis(45)));
        assert_eq!(rest_after(millis(500)), Some(LONGEST));
    }

    /// Works for longer than a piece, and says whether it rested: then a new piece has begun.
    fn rests() -> bool {
        let began = worked();
        while worked().saturating_sub(began) < 2 * PIECE {}
        rest();
        RESTED_AT.get().is_some_and(|rested_at| rested_at > began + PIECE)
    }

    #[test]
    fn who_has_time_rests_and_nobody_else() {
        assert!(!rests());
        assert!(resting(rests));
        assert!(!rests(), "the work is over");
        let read = |bytes: &mut [u8; 8]| resting(|| Resting(&b"as it is"[..]).read(bytes));
        let mut bytes = [0; 8];
        assert_eq!((read(&mut bytes).unwrap(), &bytes), (8, b"as it is"));
    }
}
