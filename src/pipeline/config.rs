//! How the line runs: settings of the configuration's top level that belong to the foreman.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Reason;

/// How the line runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Threads, each with a consumer and a producer of its own. None: one per CPU that the cgroup
    /// allows, at most 4.
    pub workers: Option<u16>,
    /// How long a record may wait for a provider, from its reading.
    pub deadline: Duration,
    /// In which order a partition's records are published.
    pub ordering: Ordering,
    /// How much of a partition may be under way.
    pub window: WindowConfig,
    /// What to do with a record that cannot be read as an event.
    pub on_unparsable: OnUnparsable,
}

/// In which order records are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// A partition's records in input order.
    #[default]
    Partition,
    /// Records with the same key in input order.
    Key,
    /// As soon as they are known.
    None,
}

/// How much of one partition may be under way: read and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WindowConfig {
    /// Records.
    pub records: u32,
    /// Bytes of what waits for a provider.
    #[schemars(with = "String")]
    pub bytes: ByteSize,
}

impl Default for WindowConfig {
    /// 4,096 records are what a worker at full speed has under way to a broker 20 ms away.
    fn default() -> Self {
        Self { records: 4096, bytes: ByteSize::mib(8) }
    }
}

/// What to do with a record that cannot be read as an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnparsable {
    /// Publish it as it came, with the reason in the header `ipstamp-reason`.
    #[default]
    Pass,
    /// Publish it to the dead-letter topic.
    DeadLetter,
    /// Drop it and count it.
    Drop,
}

impl OnUnparsable {
    /// What to do for this reason. What is not looked into is not broken: it goes on.
    pub(super) fn of(self, reason: Reason) -> Self {
        if reason == Reason::Opaque { Self::Pass } else { self }
    }
}
