//! The consumer's settings: what this product needs of librdkafka, with the reasons.

use rdkafka::ClientConfig;

use super::{Assignor, Config};
use crate::kafka::{named, set_by_default};
use crate::record::TopicPattern;

/// How often stored offsets are committed. What was finished since is repeated after a crash.
const COMMIT_INTERVAL_MS: u32 = 200;
/// However many workers there are: one answer holds the largest record that is usual.
const LEAST_KBYTES: u32 = 1_024;
/// Fetched and not yet taken, of the whole process. What is small stays in the processor's caches:
/// a quarter of what was here first costs a tenth less per record.
const QUEUED_KBYTES: u32 = 2_048;
/// Fetching goes on while fewer records than this are queued, of the whole process.
const QUEUED_RECORDS: u32 = 2_000;
/// One answer of a broker, of the whole process: the default of 50 MiB would stand beside the limit
/// on what is queued.
const FETCH_KBYTES: u32 = 2_048;

/// Completes `client` for worker number `worker` of `workers`.
pub fn consumer_settings(
    client: &ClientConfig,
    config: &Config,
    worker: u16,
    workers: u16,
) -> ClientConfig {
    let share = |whole: u32, least: u32| (whole / u32::from(workers.max(1))).max(least);
    let mut client = named(client, &client_id(config, worker));
    client
        .set("group.id", &config.group)
        .set("partition.assignment.strategy", assignor_name(config.assignor))
        // What may be committed is stored by us, the watermark and nothing above; librdkafka commits
        // it in steady state, when partitions go and when the consumer closes, and never backwards.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", COMMIT_INTERVAL_MS.to_string())
        // Asked when there is no committed offset and when the committed one is out of range: librdkafka
        // cannot tell the two apart, and would begin at lower offsets without a word. It is to report
        // an error, and the worker decides.
        .set("auto.offset.reset", "error")
        // With small queues the default of a second would stall the fetching.
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", share(QUEUED_KBYTES, LEAST_KBYTES).to_string())
        .set("queued.min.messages", share(QUEUED_RECORDS, 1000).to_string())
        .set("fetch.max.bytes", (share(FETCH_KBYTES, LEAST_KBYTES) * 1024).to_string());
    if !config.topics.exact().any(|topic| topic.starts_with(TopicPattern::INTERNAL)) {
        // A wide pattern would read the brokers' own topics too.
        client.set("topic.blacklist", format!("^{}", TopicPattern::INTERNAL));
    }
    // What a disk has spoilt is not to be published as if it were whole.
    set_by_default(&mut client, "check.crcs", "true");
    // New topics of a pattern are seen within so long.
    set_by_default(&mut client, "topic.metadata.refresh.interval.ms", "30000");
    if let Some(member) = &config.member {
        client.set("group.instance.id", format!("{member}-{worker}"));
    }
    client
}

/// The name under which a worker is seen on the brokers.
fn client_id(config: &Config, worker: u16) -> String {
    match &config.member {
        Some(member) => format!("ipstamp-{member}-{worker}"),
        None => format!("ipstamp-{worker}"),
    }
}

fn assignor_name(assignor: Assignor) -> &'static str {
    match assignor {
        Assignor::CooperativeSticky => "cooperative-sticky",
        Assignor::Range => "range",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::{OutOfRange, Start};

    fn config() -> Config {
        Config {
            topics: TopicPattern::new("logs").into_iter().collect(),
            group: "g".into(),
            start: Start::Earliest,
            on_offset_out_of_range: OutOfRange::Fail,
            member: None,
            assignor: Assignor::CooperativeSticky,
        }
    }

    #[test]
    fn queue_limits_are_of_the_process_and_shared_by_its_workers() {
        let kbytes = |workers| {
            let settings = consumer_settings(&ClientConfig::new(), &config(), 0, workers);
            settings.get("queued.max.messages.kbytes").unwrap().parse::<u32>().unwrap()
        };
        assert_eq!(kbytes(1), QUEUED_KBYTES);
        assert_eq!(kbytes(2), QUEUED_KBYTES / 2);
        assert_eq!(kbytes(64), LEAST_KBYTES);
    }

    #[test]
    fn each_worker_of_a_static_member_has_an_id_of_its_own() {
        let config = Config { member: Some("pod-3".into()), ..config() };
        let id = |worker| {
            let settings = consumer_settings(&ClientConfig::new(), &config, worker, 2);
            settings.get("group.instance.id").unwrap().to_owned()
        };
        assert_eq!((id(0), id(1)), ("pod-3-0".into(), "pod-3-1".into()));
    }

    #[test]
    fn a_lost_offset_is_never_passed_over_in_silence() {
        let everywhere = [
            (Start::Earliest, OutOfRange::Fail),
            (Start::Earliest, OutOfRange::Earliest),
            (Start::Latest, OutOfRange::Latest),
        ];
        for (start, on_offset_out_of_range) in everywhere {
            let config = Config { start, on_offset_out_of_range, ..config() };
            let settings = consumer_settings(&ClientConfig::new(), &config, 0, 1);
            assert_eq!(settings.get("auto.offset.reset"), Some("error"));
        }
    }

    #[test]
    fn librdkafka_takes_every_setting() {
        assert!(
            consumer_settings(&ClientConfig::new(), &config(), 0, 1).create_native_config().is_ok()
        );
    }
}
