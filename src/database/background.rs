//! The priority of threads that read, verify and fetch databases beside the records.

use rustix::process::setpriority_process;

/// Of 1,024 parts of a core that others want too, one at this step of niceness gets 36: a city file of 60 MB
/// takes a second of a core to verify, which the workers would miss, and it is all the same to it how
/// long it waits.
const NICENESS: i32 = 15;

/// This thread, and those that it starts, stand back for others from now on.
pub fn stand_back() {
    // Of Linux's threads each has its own priority; one that cannot be lowered works on as it is.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority of a thread stays as it is");
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
}
