//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

/// One round of asking counts for no more: a machine that stood still was not waited on.
const MOST_OF_A_ROUND: Duration = Duration::from_secs(5);

/// Asks again and again until there is an answer; panics with `what` and `explain` after `limit`.
pub(crate) fn wait_for<T>(
    what: &str,
    limit: Duration,
    explain: impl Fn() -> String,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let mut waited = Duration::ZERO;
    loop {
        let begin = Instant::now();
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(waited < limit, "not within {limit:?}: {what}\n{}", explain());
        std::thread::sleep(Duration::from_millis(20));
        waited += begin.elapsed().min(MOST_OF_A_ROUND);
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
