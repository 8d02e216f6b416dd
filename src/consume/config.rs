//! What is read, and how: consume's part of the `input` section of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::TopicPatterns;

/// The topics to read and the group to read them in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What is read.
    pub topics: TopicPatterns,
    /// The consumer group.
    pub group: String,
    /// Where to begin when the group has no committed offset.
    pub start: Start,
    /// What to do when the committed offset no longer exists: records were deleted unread.
    pub on_offset_out_of_range: OutOfRange,
    /// A name of this process that survives its restart, such as `${HOSTNAME}` of a `StatefulSet`:
    /// makes its workers static members, so that a restart causes no rebalance.
    pub member: Option<String>,
    /// How partitions are spread over the members.
    pub assignor: Assignor,
}

/// Where to begin without a committed offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At the oldest record that there is.
    #[default]
    Earliest,
    /// At what comes from now on.
    Latest,
}

/// What to do when the committed offset is out of range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutOfRange {
    /// Stop, and name the gap: a person decides.
    #[default]
    Fail,
    /// Go on at the oldest record; the gap is logged.
    Earliest,
    /// Go on at the end; what is skipped is logged.
    Latest,
}

/// How partitions are spread over the members of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Assignor {
    /// A rebalance moves only what must move.
    #[default]
    CooperativeSticky,
    /// Ranges of each topic. Each rebalance stops all members.
    Range,
}
