//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer; panics with `what` and `explain` after `limit`.
pub(crate) fn wait_for<T>(
    what: &str,
    limit: Duration,
    explain: impl Fn() -> String,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}\n{}", explain());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks until it is true; panics with `what` after `limit`.
pub(crate) fn until(what: &str, limit: Duration, mut ask: impl FnMut() -> bool) {
    wait_for(what, limit, String::new, || ask().then_some(()));
}

/// Seconds, shorter.
pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
