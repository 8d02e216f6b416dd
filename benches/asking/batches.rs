//! What a call asks for when a stream is fast, with all defaults: 20,000 events, of which 30 % are about
//! 2,000 addresses that no database knows, and a provider that takes 20 ms. As many events that memory
//! answers go before them, so that the stream flows when they come.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::TAKES;
use crate::standin::{Provider, StandIn};
use crate::support::client::{Client, Outgoing};
use crate::support::patience::seconds;
use crate::support::worker::{Settings, Worker};

const EVENTS: u32 = 20_000;
const MISSING: u32 = 2000;
const PARTITIONS: i32 = 4;

/// Runs the program over them so often, and prints how large its calls were.
pub(crate) fn print(brokers: &str, rounds: usize) {
    let client = Client::new(brokers);
    let input = format!("batches-{}", std::process::id());
    client.create_topic(&input, PARTITIONS, &[]);
    let mut missed = 0;
    client.write(
        &input,
        (0..2 * EVENTS).map(|number| {
            let misses = number >= EVENTS && number % 10 < 3;
            let known = 0x5102_0000 + number;
            let first = if misses { 0x0808_0000 + missed % MISSING } else { known };
            missed += u32::from(misses);
            let value =
                format!(r#"{{"n":{number},"source":{{"ip":"{}"}}}}"#, Ipv4Addr::from(first));
            let partition = number as i32 % PARTITIONS;
            Outgoing { partition, value: Some(value.into()), ..Outgoing::default() }
        }),
    );
    println!(
        "\n{EVENTS} events, 30 % about {MISSING} addresses that no database knows, all defaults"
    );
    for round in 0..rounds {
        let provider = StandIn::start(Provider::Ipinfo, None, TAKES);
        let output = format!("{input}-{round}");
        client.create_topic(&output, PARTITIONS, &[]);
        let mut settings = Settings::new(brokers, &input, &output);
        settings.group.clone_from(&output);
        settings.want = "geo.city_name";
        settings.more = format!(
            "providers: {{ipinfo: {{token: t, plan: core, base_url: '{}', budget: none}}}}\n",
            provider.base_url()
        );
        let worker = Worker::start(&settings);
        client.until_committed(&settings.group, &input, seconds(120), || worker.log());
        let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
        worker.stop();
        let calls = provider.seen().into_iter().map(|seen| seen.addresses);
        let calls: Vec<_> = calls.filter(|addresses| !addresses.is_empty()).collect();
        let distinct: BTreeSet<_> = calls.iter().flatten().collect();
        let sizes: Vec<usize> = calls.iter().map(Vec::len).collect();
        let asked: usize = sizes.iter().sum();
        println!(
            "{} calls of {sizes:?}: {asked} asked for, {} distinct",
            sizes.len(),
            distinct.len()
        );
        assert_eq!((asked, distinct.len()), (MISSING as usize, MISSING as usize));
        assert_eq!(enriched, Some(f64::from(2 * EVENTS)), "not every record is enriched");
        client.delete_topic(&output);
    }
    client.delete_topic(&input);
}
