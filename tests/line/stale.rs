//! Answers that have ended and are used all the same, while nobody can say anything newer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ipstamp::record::Reason;
use serde_json::Value;

use crate::double::{Double, Says, facts};
use crate::stage::{Stage, address, own_service};
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::Worker;

/// Scenario: an address was answered, its answer has ended, and the provider fails; then it answers again.
/// Guarantees: with `cache.serve_stale` the event has what was known, and says that it is stale, and
/// whose; another address is `partial`. What is newer takes its place when it can be had.
#[test]
fn what_has_ended_is_used_while_the_provider_fails_and_said_to_be_stale() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let double = Double::new(move |address| match failing.load(Ordering::Relaxed) {
        true => Says::Now(Err(Reason::ProviderError)),
        false => Says::Now(facts(address)),
    });
    let mut stage = Stage::new(&own_service(&double.base_url()));
    stage.settings.more += "cache: {ttl: 1s, error_ttl: 1s, serve_stale: 1h}\n";
    let worker = Worker::start(&stage.settings);
    let write = |numbers: &[u8]| {
        stage.write(numbers.iter().map(|number| address(*number).to_string()));
        stage.settle(&worker);
        Instant::now()
    };
    // Moments are seconds, and a life of one ends within the next.
    let over = |since: Instant| {
        let is_over = || (since.elapsed() > seconds(2)).then_some(());
        wait_for("its life is over", seconds(10), String::new, is_over);
    };
    over(write(&[1]));
    fails.store(true, Ordering::Relaxed);
    over(write(&[1, 2]));
    fails.store(false, Ordering::Relaxed);
    // After a failure somebody has to be the first to ask again, and he may not have the time to wait.
    wait_for(
        "what is newer is had",
        seconds(30),
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
    assert_eq!(events[1].pointer(stale), Some(&serde_json::json!(["intel"])), "{}", events[1]);
    assert_eq!(events[1]["ipstamp"]["outcome"], "enriched", "{}", events[1]);
    assert_eq!(events[2]["ipstamp"]["reason"], "provider_error", "{}", events[2]);
    assert_eq!(events.last().unwrap().pointer(city), events[0].pointer(city));
    worker.stop();
}
