//! A partition that has records to read and does not move, as the probes and the page show it.

use super::browser::Browser;
use super::support::broker;
use super::support::client::{Client, Outgoing};
use super::support::events;
use super::support::patience::{seconds, wait_for};
use super::support::worker::Settings;
use super::{get, started};

/// Scenario: of two partitions one stands before a record that nothing takes, for there is no topic for dead
/// letters; more come behind it.
/// Guarantees: P11: after a minute it is stalled: not ready, alive, counted, and said on the page in both
/// themes and on a phone; the other partition's records go out meanwhile.
#[test]
fn a_partition_that_does_not_move_for_a_minute_is_not_ready_and_the_page_says_which() {
    let Some(brokers) = broker::shared() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let client = Client::new(brokers);
    client.create_topic("stalled-in", 2, &[]);
    client.create_topic("stalled-out", 2, &[("max.message.bytes", "4000")]);
    let worker = started(&Settings::new(brokers, "stalled-in", "stalled-out"));
    let large = Some(events::padded(0, 6000).into_bytes());
    client.write("stalled-in", [Outgoing { value: large, ..events::record(0, 0) }]);
    client.write("stalled-in", (1..11).map(|number| events::record(number, number as i32 % 2)));
    wait_for(
        "it is stalled",
        seconds(150),
        || worker.log(),
        || (worker.metric("ipstamp_stalled_partitions", "") == Some(1.0)).then_some(()),
    );
    let (status, _, body) = get(worker.admin, "/readyz?verbose", "Host: localhost\r\n");
    assert_eq!(status, 503, "{body}");
    let said = "records to read and no progress for a minute; look at what the log says";
    assert!(body.contains("stalled partition stalled-in-0: ") && body.contains(said), "{body}");
    assert!(!body.contains("stalled-in-1"), "{body}");
    assert_eq!(get(worker.admin, "/livez", "Host: localhost\r\n").0, 200);
    assert_eq!(client.count("stalled-out"), 5, "those of the other partition");

    browser.open(&format!("http://127.0.0.1:{}/", worker.admin));
    browser.until("document.getElementById('state').textContent === 'not ready'");
    browser.until(&format!("document.getElementById('checks').innerText.includes('{said}')"));
    for (width, theme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.look(width, 900, theme);
        browser.until(&format!("innerWidth === {width}"));
        browser.picture(&format!("stalled-{width}-{theme}.png"));
    }
    // Its record is under way for ever, so a drain would not end well.
    worker.kill();
}
