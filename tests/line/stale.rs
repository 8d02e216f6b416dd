//! Answers that have ended and are used all the same, while nobody can say anything newer.

use std::time::Instant;

use serde_json::Value;

use crate::stage::{Stage, address, section, stand_in};
use crate::standin::{Manner, Provider};
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::Worker;

/// Scenario: an address was answered, its answer has ended, and the provider fails; then it answers again.
/// Guarantees: with `cache.serve_stale` the event has what was known, and says that it is stale, and
/// whose, and why nothing newer was had; another address has nothing. What is newer takes its place when it can be had.
#[test]
fn what_has_ended_is_used_while_the_provider_fails_and_said_to_be_stale() {
    let server = stand_in(Provider::Ipinfo);
    let mut stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: none"));
    stage.settings.more += "cache: {ttl: 5s, error_ttl: 1s, serve_stale: 1h}\n";
    let worker = Worker::start(&stage.settings);
    let write = |numbers: &[u8]| {
        stage.write(numbers.iter().map(|number| address(*number).to_string()));
        stage.settle(&worker);
        Instant::now()
    };
    let over = |since: Instant| {
        let is_over = || (since.elapsed() > seconds(6)).then_some(());
        wait_for("its life is over", seconds(10), String::new, is_over);
    };
    over(write(&[1]));
    server.always(Manner::Status(500));
    over(write(&[1, 2]));
    server.always(Manner::Honest);
    // After a failure somebody has to be the first to ask again, and he may not have the time to wait.
    wait_for(
        "what is newer is had",
        seconds(60),
        || worker.whole_log(),
        || {
            over(write(&[1]));
            let last = stage.client.read("out").pop().unwrap();
            (!last.text().contains("\"stale\"")).then_some(())
        },
    );
    let events: Vec<Value> = stage
        .client
        .read("out")
        .iter()
        .map(|record| serde_json::from_str(&record.text()).unwrap())
        .collect();
    let (city, stale) = ("/source/geo/city_name", "/ipstamp/stale");
    assert_eq!(events[0].pointer(city), Some(&format!("City of {}", address(1)).into()));
    assert_eq!(events[0].pointer(stale), None);
    assert_eq!(events[1].pointer(city), events[0].pointer(city), "{}", worker.whole_log());
    assert_eq!(events[1].pointer(stale), Some(&serde_json::json!(["ipinfo"])), "{}", events[1]);
    for event in &events[1..3] {
        assert_eq!(event["ipstamp"]["reason"], "provider_error", "{event}");
    }
    assert_eq!(events[2].pointer(city), None);
    assert_eq!(events.last().unwrap().pointer(city), events[0].pointer(city));
    worker.stop();
}
