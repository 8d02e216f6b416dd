//! The producer's settings: what this product needs of librdkafka, with the reasons.

use rdkafka::ClientConfig;

use super::{Compression, Config};
use crate::kafka::{named, set_by_default};

/// Records handed over and not yet acknowledged, of the whole process. More saves no CPU and costs
/// memory.
const QUEUED_RECORDS: u32 = 12_000;
/// The same in memory, of the whole process.
const QUEUED_KBYTES: u32 = 32_768;
/// librdkafka measures records before compression and refuses those above its own limit; what a
/// topic takes is decided by the topic, and by us before.
const LOCAL_LIMIT_BYTES: u32 = 1_000_000_000;
/// The highest value of its limits on what is queued.
const LIBRDKAFKAS_MOST: &str = "2147483647";
/// The largest batch, where no topic asks for less.
const BATCH_BYTES: u32 = 1_000_000;
/// What a batch weighs beside its records.
pub(super) const BATCH_OVERHEAD_BYTES: usize = 96;

/// Completes `client` for a worker. `smallest_limit_bytes`: the smallest
/// `max.message.bytes` of the output topics, where known.
pub fn producer_settings(
    client: &ClientConfig,
    config: &Config,
    worker: u16,
    smallest_limit_bytes: Option<u32>,
) -> ClientConfig {
    let mut client = named(client, &format!("ipstamp-{worker}"));
    client
        // Implies acks=all and order on retry.
        .set("enable.idempotence", "true")
        // A record is never given up for its age: the watermark waits, and readiness says so.
        .set("message.timeout.ms", "0")
        .set("batch.num.messages", "10000")
        .set("batch.size", batch_bytes(smallest_limit_bytes).to_string())
        .set("message.max.bytes", LOCAL_LIMIT_BYTES.to_string())
        // What may be under way is measured before a record is handed over: one that librdkafka gave
        // back for want of room would close its partition until all before it has arrived.
        .set("queue.buffering.max.messages", LIBRDKAFKAS_MOST)
        .set("queue.buffering.max.kbytes", LIBRDKAFKAS_MOST)
        .set("compression.type", compression_name(config.compression));
    // A partition has one request under way at a time. What waits behind it for longer than this lets
    // librdkafka's thread spin until the answer comes, so it is longer than answers usually take. That
    // no whole batch waits there the outlet sees to.
    set_by_default(&mut client, "linger.ms", "50");
    // A topic that is gone is said within so long; one that comes back is seen as soon.
    set_by_default(&mut client, "topic.metadata.propagation.max.ms", "5000");
    // Partitions that are added are written to when they are seen, which the catalog does as soon.
    set_by_default(&mut client, "topic.metadata.refresh.interval.ms", "30000");
    client
}

/// How much a producer may have under way: handed over and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Records.
    pub records: usize,
    /// Bytes of their values and keys; the last record may pass it.
    pub bytes: usize,
}

impl UnderWay {
    /// The share of one of `workers`.
    pub fn of_one(workers: u16) -> Self {
        let share =
            |whole: u32, least: u32| (whole / u32::from(workers.max(1))).max(least) as usize;
        Self { records: share(QUEUED_RECORDS, 1000), bytes: share(QUEUED_KBYTES, 8192) * 1024 }
    }
}

/// The broker refuses a whole batch that is larger than the topic's limit, so batches stay below the
/// smallest limit; a single larger record goes alone.
pub(super) fn batch_bytes(smallest_limit_bytes: Option<u32>) -> u32 {
    let limit = smallest_limit_bytes.unwrap_or(BATCH_BYTES);
    limit.saturating_sub(limit / 10).clamp(1, BATCH_BYTES)
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{OnUndeliverable, Partitioning};

    #[test]
    fn batches_stay_below_the_smallest_limit() {
        assert_eq!(batch_bytes(None), 900_000);
        assert_eq!(batch_bytes(Some(10_240)), 9216);
        assert_eq!(batch_bytes(Some(1_048_588)), 943_730);
        assert_eq!(batch_bytes(Some(0)), 1);
    }

    #[test]
    fn librdkafka_takes_every_setting() {
        let config = Config {
            topic: "out".into(),
            dead_letter: None,
            late_topic: None,
            partition: Partitioning::Auto,
            compression: Compression::Zstd,
            on_undeliverable: OnUndeliverable::Halt,
        };
        let settings = producer_settings(&ClientConfig::new(), &config, 0, Some(10_000));
        assert!(settings.create_native_config().is_ok());
    }
}
