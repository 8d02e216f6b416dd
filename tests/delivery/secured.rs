//! Every way to say who we are opens a real broker; whoever is turned away is told why, by the exit
//! code and in words.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::Client;
use crate::support::events;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::secured::{
    self, BARE, BEARER, ELSEWHERE, EXPIRED, LOGIN, MASTER, MUTUAL, PASSWORD, Secured,
};
use crate::support::turn;
use crate::support::worker::{Settings, Worker, command};

/// Nothing answers there, or not as it should.
const UNAVAILABLE: Option<i32> = Some(69);
/// We are known and not wanted.
const NO_PERMISSION: Option<i32> = Some(77);

fn password(protocol: &str, mechanism: &str, password: &str, ca: Option<&str>) -> String {
    let ca = ca.map(|ca| format!(", ca: '{ca}'")).unwrap_or_default();
    format!(
        "protocol: {protocol}, mechanism: {mechanism}, username: {MASTER}, password: '{password}'{ca}"
    )
}

fn mutual(secured: &Secured) -> String {
    let (ours, ca) = (&secured.ours, secured.ours.authority());
    let (certificate, key) = (ours.certificate(BEARER), ours.key(BEARER));
    format!("protocol: ssl, ca: '{ca}', certificate: '{certificate}', key: '{key}'")
}

/// A worker that comes to this listener in this way.
fn coming(secured: &Secured, listener: &str, security: String, name: &str) -> Settings {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    let mut settings = Settings::new(&secured.broker.address_of(listener), &input, &output);
    settings.security = security;
    settings
}

/// Scenario: records behind SCRAM and PLAIN over TLS, PLAIN in the open, and TLS with a certificate
/// on both sides.
/// Guarantees: with each the whole job is done, and `check` finds nothing that is missing.
#[test]
fn every_way_to_say_who_we_are_opens_the_broker() {
    let _turn = turn::together();
    let Some(secured) = secured::shared() else { return };
    let client = Client::new(&secured.broker.address());
    let ca = secured.ours.authority();
    for (name, listener, security) in [
        ("scram", LOGIN, password("sasl_ssl", "SCRAM-SHA-512", PASSWORD, Some(&ca))),
        ("plain", LOGIN, password("sasl_ssl", "PLAIN", PASSWORD, Some(&ca))),
        ("bare", BARE, password("sasl_plaintext", "PLAIN", PASSWORD, None)),
        ("mutual", MUTUAL, mutual(secured)),
    ] {
        let settings = coming(secured, listener, security, name);
        let (input, output) = (&settings.topics[0], &settings.output);
        client.create_topic(input, 2, &[]);
        client.create_topic(output, 2, &[]);
        client.write(input, (0..100).map(|number| events::record(number, (number % 2) as i32)));
        let found = command(&settings, &["check"]);
        assert_eq!(found.code, Some(0), "{name}: {found:?}");
        assert!(found.out.contains("ok       right to write"), "{name}: {found:?}");
        let mut worker = Worker::start_with(&settings, &["--until", "end"]);
        assert_eq!(worker.ends_within(seconds(60)), Some(0), "{name}: {}", worker.log());
        Audit::of(&client.read(input), &client.read(output)).assert_exactly_once();
    }
}

/// Scenario: wrong passwords; certificates that do not hold, on their side and on ours; a mechanism
/// that is not offered; TLS where there is none and none where there is.
/// Guarantees: P11: `check` and a run to the end both end at once, by 77 where the credentials are
/// refused and by 69 else, and say what to do; no password is in what they say.
#[test]
fn whoever_is_turned_away_is_told_why() {
    let _turn = turn::together();
    let Some(secured) = secured::shared() else { return };
    let (ca, other_ca) = (secured.ours.authority(), secured.others.authority());
    let wrong = "not-the-password";
    let tls = |ca: &str| format!("protocol: ssl, ca: '{ca}'");
    let (certificate, key) = (secured.others.certificate(BEARER), secured.others.key(BEARER));
    let stranger = format!("protocol: ssl, ca: '{ca}', certificate: '{certificate}', key: '{key}'");
    let holds = "certificate does not hold here";
    let ours = "the brokers want a client's certificate";
    for (what, listener, security, code, words) in [
        (
            "a wrong password by SCRAM",
            LOGIN,
            password("sasl_ssl", "SCRAM-SHA-512", wrong, Some(&ca)),
            NO_PERMISSION,
            "the password or the mechanism is refused",
        ),
        (
            "a wrong password by PLAIN",
            LOGIN,
            password("sasl_ssl", "PLAIN", wrong, Some(&ca)),
            NO_PERMISSION,
            "the password or the mechanism is refused",
        ),
        (
            "another mechanism",
            LOGIN,
            password("sasl_ssl", "SCRAM-SHA-256", PASSWORD, Some(&ca)),
            UNAVAILABLE,
            "the brokers do not offer this mechanism",
        ),
        (
            "an unknown authority",
            LOGIN,
            password("sasl_ssl", "PLAIN", PASSWORD, Some(&other_ca)),
            UNAVAILABLE,
            holds,
        ),
        ("an expired certificate", EXPIRED, tls(&ca), UNAVAILABLE, holds),
        ("another host's certificate", ELSEWHERE, tls(&ca), UNAVAILABLE, holds),
        ("no certificate of ours", MUTUAL, tls(&ca), UNAVAILABLE, ours),
        ("a certificate that they do not trust", MUTUAL, stranger, UNAVAILABLE, ours),
        ("no TLS where it is spoken", MUTUAL, String::new(), UNAVAILABLE, "expects TLS or a login"),
        ("TLS where it is not", BARE, tls(&ca), UNAVAILABLE, "does not speak TLS"),
    ] {
        let settings = coming(secured, listener, security, "nobody");
        let found = command(&settings, &["check"]);
        assert_eq!(found.code, code, "check, {what}: {found:?}");
        assert!(found.err.contains(words), "check, {what}: {found:?}");
        let run = command(&settings, &["run", "--until", "end"]);
        assert_eq!(run.code, code, "run, {what}: {run:?}");
        assert!(run.err.contains(words), "run, {what}: {run:?}");
        for text in [found.out, found.err, run.out, run.err] {
            assert!(!text.contains(wrong) && !text.contains(PASSWORD), "{what}: {text}");
        }
    }
}

/// Scenario: a run without an end, with a wrong password, an unknown authority, and to a port that
/// speaks another protocol, both ways.
/// Guarantees: P11: it says so at once, is not ready, and ends by itself when that has lasted for a
/// while, by 77 or 69.
#[test]
fn a_run_that_is_turned_away_ends_by_itself() {
    let _turn = turn::together();
    let Some(secured) = secured::shared() else { return };
    let client = Client::new(&secured.broker.address());
    client.create_topic("away-in", 1, &[]);
    client.create_topic("away-out", 1, &[]);
    let (ca, other_ca) = (secured.ours.authority(), secured.others.authority());
    let cases = [
        (LOGIN, password("sasl_ssl", "PLAIN", "wrong", Some(&ca)), NO_PERMISSION, "is refused"),
        (
            LOGIN,
            password("sasl_ssl", "PLAIN", PASSWORD, Some(&other_ca)),
            UNAVAILABLE,
            "certificate does not hold here",
        ),
        (MUTUAL, String::new(), UNAVAILABLE, "expects TLS or a login"),
        (BARE, format!("protocol: ssl, ca: '{ca}'"), UNAVAILABLE, "does not speak TLS"),
    ];
    let workers: Vec<_> = cases
        .into_iter()
        .map(|(listener, security, code, words)| {
            let worker = Worker::start(&coming(secured, listener, security, "away"));
            (worker, code, words)
        })
        .collect();
    for (mut worker, code, words) in workers {
        let said = || worker.whole_log().contains(words).then_some(());
        wait_for(words, seconds(30), || worker.log(), said);
        assert!(!worker.is_ready());
        assert_eq!(worker.ends_within(seconds(120)), code, "{words}: {}", worker.log());
    }
}

/// Scenario: a run begins before its broker.
/// Guarantees: P11: it says so, waits, and works when the broker comes.
#[test]
fn a_broker_that_comes_later_is_waited_for() {
    let _turn = turn::together();
    let Some(mut broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    client.create_topic("later-in", 1, &[]);
    client.create_topic("later-out", 1, &[]);
    client.write("later-in", (0..100).map(|number| events::record(number, 0)));
    broker.stop();
    let settings = Settings::new(&broker.address(), "later-in", "later-out");
    let mut worker = Worker::start(&settings);
    until("it says that nobody is there", seconds(30), || worker.log().contains("refused"));
    assert!(worker.runs());
    broker.start_again();
    client.until_committed(&settings.group, "later-in", seconds(60), || worker.log());
    worker.stop();
    Audit::of(&client.read("later-in"), &client.read("later-out")).assert_exactly_once();
}
