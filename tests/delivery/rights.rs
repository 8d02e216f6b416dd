//! `check` says which rights and topics are missing, with commands that mend it, and changes nothing.

use crate::support::broker;
use crate::support::client::Client;
use crate::support::events;
use crate::support::patience::seconds;
use crate::support::secured::{self, LOGIN, PASSWORD, SERVANT, Secured};
use crate::support::turn;
use crate::support::worker::{Settings, Worker, command};

/// Runs each `kafka-acls` line of a report, as an operator would.
fn grant(secured: &Secured, report: &str) -> usize {
    let lines = report.lines().filter_map(|line| line.trim().strip_prefix("> kafka-acls "));
    let mut granted = 0;
    for line in lines {
        let (_, rest) = line.split_once(" --add ").unwrap();
        let rest: Vec<_> = rest.split(' ').map(|word| word.trim_matches('\'')).collect();
        let arguments = [&["--add"], &rest[..]].concat();
        secured.broker.tool("org.apache.kafka.tools.AclCommand", &arguments);
        granted += 1;
    }
    granted
}

/// Scenario: a user without any right; the commands that `check` prints are run, until it prints no
/// more. In between only the right to write is taken away again.
/// Guarantees: P11: each missing right is seen without anything being tried, that to write too; the
/// commands are right as they stand; with them, and no other right, the job is done.
#[test]
fn the_commands_for_missing_rights_are_all_that_is_needed() {
    let _turn = turn::together();
    let Some(secured) = secured::shared() else { return };
    let client = Client::new(&secured.broker.address());
    for topic in ["meek-in", "meek-also-in", "meek-out"] {
        client.create_topic(topic, 1, &[]);
    }
    client.write("meek-in", (0..100).map(|number| events::record(number, 0)));
    let mut settings = Settings::new(&secured.broker.address_of(LOGIN), "meek-in", "meek-out");
    settings.topics.push("meek-also-in".into());
    settings.security = format!(
        "protocol: sasl_ssl, mechanism: SCRAM-SHA-512, username: {SERVANT}, \
         password: '{PASSWORD}', ca: '{}'",
        secured.ours.authority()
    );
    let mut rounds = 0;
    let report = loop {
        let found = command(&settings, &["check"]);
        if found.code == Some(0) {
            break found.out;
        }
        assert_eq!(found.code, Some(1), "{found:?}");
        assert!(grant(secured, &found.out) > 0, "{found:?}");
        rounds += 1;
        // What writes for an input is not looked at while the input may not be seen.
        assert!(rounds <= 3, "{found:?}");
    };
    for line in ["ok       right to read: ", "ok       right to write: ", "ok       group "] {
        assert!(report.contains(line), "{line}\n{report}");
    }
    assert!(!report.contains("unseen"), "{report}");
    let mut worker = Worker::start_with(&settings, &["--until", "end"]);
    assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
    assert_eq!(client.count("meek-out"), 100);

    let principal = format!("User:{SERVANT}");
    let write = ["--operation", "Write", "--topic", "meek-out"];
    let take = [&["--remove", "--force", "--allow-principal", &principal], &write[..]].concat();
    secured.broker.tool("org.apache.kafka.tools.AclCommand", &take);
    let found = command(&settings, &["check"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.out.contains("missing  right to write meek-out: Write is refused"), "{found:?}");
    assert_eq!(grant(secured, &found.out), 1);
    assert_eq!(command(&settings, &["check"]).code, Some(0));
}

/// Scenario: a broker on which there has never been a group; three of four input topics are not
/// there.
/// Guarantees: each that is missing is named, and nothing is made: not they, not the output, and not
/// the brokers' own topic of offsets.
#[test]
fn a_check_of_a_new_broker_names_all_that_is_missing_and_makes_nothing() {
    let _turn = turn::together();
    let Some(broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    client.create_topic("there", 1, &[]);
    let mut settings = Settings::new(&broker.address(), "there", "{topic}-out");
    settings.topics.extend(["away-a", "away-b", "away-c"].map(str::to_owned));
    let found = command(&settings, &["check"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    for topic in ["input away-a", "input away-b", "input away-c", "output there-out"] {
        assert!(found.out.contains(&format!("missing  {topic}: no such topic")), "{found:?}");
    }
    let run = command(&settings, &["run", "--until", "end"]);
    assert_eq!(run.code, Some(69), "{run:?}");
    assert!(run.err.contains("away-a, away-b, away-c"), "{run:?}");
    assert_eq!(client.topics(), ["there"]);
}
