//! How often a provider is asked again, as it counts that itself: row 33.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipstamp::record::{Outcome, Reason};
use ipstamp::resolve::desk::LicenceSettings;

use crate::desk::{address, breaker_is_open, cluster, event};
use crate::line::{Line, Setup};
use crate::mock::Mock;
use crate::standin::{Manner, Provider, StandIn};
use crate::support::client::Client;
use crate::support::patience::{seconds, until};
use crate::unavailable::patient;

/// Calls for addresses, and those of them in which every address had been asked for before.
struct Counted {
    calls: Vec<Vec<IpAddr>>,
    repeated: usize,
}

fn counted(server: &StandIn) -> Counted {
    let calls: Vec<_> = server.seen().into_iter().map(|seen| seen.addresses).collect();
    let calls: Vec<_> = calls.into_iter().filter(|addresses| !addresses.is_empty()).collect();
    let mut before = BTreeSet::new();
    let mut repeated = 0;
    for call in &calls {
        let new = call.iter().filter(|address| before.insert(**address)).count();
        repeated += usize::from(new == 0);
    }
    Counted { calls, repeated }
}

/// Records about as many addresses, each its own, are all through.
struct Stream {
    client: Client,
    line: Line,
    group: String,
    _mock: Mock,
}

impl Stream {
    /// A licence of the stand-in, of whose calls a few go out at once; it has been asked for its status.
    fn start(server: &StandIn, most: usize, deadline: Duration) -> Self {
        let (mock, client) = cluster(1);
        let licence = LicenceSettings { most_per_call: Some(most), parallel: 2, ..patient(server) };
        let mut setup = Setup::new(&mock.brokers(), "in", "out").with(licence);
        setup.deadline = deadline;
        let line = Line::start(&setup);
        until("it asks for its status", seconds(30), || !server.seen().is_empty());
        Self { client, line, group: setup.group, _mock: mock }
    }

    fn goes_through(&self, records: u16) {
        self.client.write("in", (0..records).map(|n| event(usize::from(n), 0, address(n))));
        self.client.until_committed(&self.group, "in", seconds(120), String::new);
    }
}

/// Scenario: of three calls one fails; every address is asked for alone.
/// Guarantees: P12: of all calls that the provider counts a tenth at most are repetitions, and there are
/// some; who gets none has the reason.
#[test]
fn of_all_calls_a_tenth_at_most_are_repetitions() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let stream = Stream::start(&server, 1, seconds(3600));
    let third = [Manner::Honest, Manner::Status(503), Manner::Honest];
    server.next(std::iter::repeat_n(third, 600).flatten());
    stream.goes_through(900);
    let Counted { calls, repeated } = counted(&server);
    assert!((1..=calls.len() / 10).contains(&repeated), "{repeated} of {} calls", calls.len());
    assert_eq!(calls.len() - repeated, 900);
    let (enriched, failed) =
        (stream.line.ended(Outcome::Enriched), stream.line.partial(Reason::ProviderError));
    assert_eq!(enriched + failed, 900);
    assert!(enriched > 600, "no repetition was answered: {enriched}");
    stream.line.stop();
}

/// Scenario: of each answer in bulk one address is missing.
/// Guarantees: P12, row 35: the missing ones are asked for once more, as long as that is a tenth of all
/// calls.
#[test]
fn what_is_missing_in_answers_is_asked_again_in_a_tenth_of_the_calls_at_most() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let stream = Stream::start(&server, 10, seconds(3600));
    server.always(Manner::Shortened);
    stream.goes_through(1800);
    let Counted { calls, repeated } = counted(&server);
    assert!((1..=calls.len() / 10).contains(&repeated), "{repeated} of {} calls", calls.len());
    let failed = stream.line.partial(Reason::ProviderError);
    assert!(failed >= 100, "{failed}");
    assert_eq!(stream.line.ended(Outcome::Enriched) + failed, 1800);
    stream.line.stop();
}

/// Scenario: every call fails, for thousands of records.
/// Guarantees: P12: three calls and those that were under way with them; then probes, a second and more
/// apart.
#[test]
fn a_provider_that_fails_every_call_has_few() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let stream = Stream::start(&server, 1, seconds(3600));
    server.always(Manner::Status(503));
    stream.goes_through(3000);
    until("the breaker opens", seconds(30), || breaker_is_open(&stream.line));
    let Counted { calls, .. } = counted(&server);
    let times: Vec<_> = server.seen().iter().map(|seen| seen.at).collect();
    let lasted = times.last().unwrap().duration_since(times[0]).as_secs() as usize;
    assert!(calls.len() <= 3 + 2 + lasted, "{} calls in {lasted} s", calls.len());
    let reasons = [Reason::ProviderError, Reason::Breaker];
    assert_eq!(reasons.map(|reason| stream.line.partial(reason)).iter().sum::<u64>(), 3000);
    stream.line.stop();
}

/// Scenario: every call is answered with 429 and a second to wait.
/// Guarantees: P12, row 33: nobody calls before that second is over, and then one call goes out first, so
/// that there are no more calls than seconds, beside those that were under way together at the first.
#[test]
fn a_provider_that_is_always_at_its_limit_has_a_call_a_second() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let stream = Stream::start(&server, 1, seconds(5));
    server.always(Manner::Limited(vec![("retry-after", "1".into())]));
    stream.goes_through(500);
    // Whose deadline is a little after the end of a pause waits for a call that is then refused.
    let [paced, late] = [Reason::Pace, Reason::Deadline].map(|reason| stream.line.partial(reason));
    assert_eq!(paced + late, 500);
    assert!(paced >= 1, "none is told that the pace is used up");
    let calls: Vec<_> =
        server.seen().into_iter().filter(|seen| !seen.addresses.is_empty()).collect();
    // Two may be under way at once.
    let after_first = &calls[calls.len().min(2)..];
    for pair in after_first.windows(2) {
        let between = pair[1].at.duration_since(pair[0].at);
        assert!(between >= seconds(1), "{between:?} after a call that was refused");
    }
    assert!(calls.len() >= 4, "{} calls", calls.len());
    stream.line.stop();
}
