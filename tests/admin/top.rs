//! `ipstamp top` beside a running worker.

use super::support::broker;
use super::support::feeder::Feeder;
use super::support::worker::command_beside;
use super::{settings, started};

/// Scenario: records flow; nobody sits at a terminal.
/// Guarantees: as many lines as were wanted, each with the time, the state and what was read in that second;
/// no address; who is not there is said to be so.
#[test]
fn without_a_terminal_each_second_is_a_line_with_what_flowed_in_it() {
    let Some(brokers) = broker::shared() else { return };
    let settings = settings(brokers, "top");
    let worker = started(&settings);
    let feeder = Feeder::start(brokers, "top-in", 3, 1_000_000, 500);
    feeder.until_more(500);
    let shown = command_beside(&settings, Some(worker.admin), &["top", "--count", "3"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let lines: Vec<_> = shown.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", shown.out);
    for line in &lines {
        let words: Vec<_> = line.split(' ').collect();
        assert!(words[0].ends_with('Z') && words[1] == "ready", "{line}");
        let of = |name: &str| {
            let found = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.unwrap().parse::<f64>().unwrap()
        };
        assert!(of("read") > 0.0 && of("enriched") > 0.0, "{line}");
        assert!(of("dead_lettered") == 0.0 && of("lag_records") >= 0.0, "{line}");
    }
    for known in super::support::small_databases::KNOWN {
        let [first, second, ..] = known.0.octets();
        assert!(!shown.out.contains(&format!("{first}.{second}.")), "{}", shown.out);
    }
    drop(feeder);
    let admin = worker.admin;
    worker.stop();
    let gone = command_beside(&settings, Some(admin), &["top"]);
    assert!(gone.code == Some(69) && gone.err.contains("does ipstamp run there?"), "{gone:?}");
}
