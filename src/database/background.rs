//! How threads that read, verify and fetch databases beside the records keep out of the way of these: they
//! are last in line for a core, and rest for most of the time.

use std::cell::Cell;
use std::io::{self, Read};
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};

/// Of 1,024 parts of a core that others want too, one at this step of niceness gets 36.
const NICENESS: i32 = 15;
/// It works for a tenth of the time and rests for the others: a new city file of 60 MB takes a third of a
/// second of a core to read and to verify, which the records of that second would miss.
const RESTS: u32 = 9;
/// It works for so long before it rests.
const PIECE: Duration = Duration::from_millis(1);
/// However long a piece of work was, nothing waits longer than this for the next.
const LONGEST: Duration = Duration::from_millis(200);

thread_local! {
    /// How long this thread had worked when it rested last, where it rests at all.
    static RESTED_AT: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// This thread stands back for others from now on, and rests whenever it may; threads that it starts are last
/// in line, too.
pub fn stand_back() {
    // Of Linux's threads each has its own priority; one that cannot be lowered works on as it is.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority of a thread stays as it is");
    }
    RESTED_AT.set(Some(worked()));
}

/// A place between two pieces of work. Who stands back rests here when it has worked for long enough; nobody
/// else does.
pub(super) fn rest() {
    let Some(rested_at) = RESTED_AT.get() else { return };
    let piece = worked().saturating_sub(rested_at);
    if piece >= PIECE {
        std::thread::sleep((piece * RESTS).min(LONGEST));
        RESTED_AT.set(Some(worked()));
    }
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
    use std::time::Instant;

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
    fn who_stands_back_works_for_a_tenth_of_the_time() {
        let whole = std::thread::spawn(|| {
            stand_back();
            let (began, worked_before) = (Instant::now(), worked());
            let mut bytes = vec![0; 1 << 20];
            for _ in 0..400 {
                let read = Resting(io::repeat(7)).read(&mut bytes).unwrap();
                assert_eq!(read, bytes.len());
            }
            rest();
            (began.elapsed(), worked().saturating_sub(worked_before))
        });
        let (passed, worked) = whole.join().unwrap();
        // What was worked since the last rest is less than a piece and a read.
        let rested_for = worked.saturating_sub(2 * PIECE);
        assert!(passed >= rested_for * RESTS, "{worked:?} of {passed:?}");
    }

    #[test]
    fn nobody_else_rests() {
        let rested = std::thread::spawn(|| {
            let worked_before = worked();
            while worked().saturating_sub(worked_before) < 2 * PIECE {}
            rest();
            RESTED_AT.get()
        });
        assert_eq!(rested.join().unwrap(), None);
    }
}
