//! A run that ends by itself: which stretch of the input it reads.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset as Place, TopicPartitionList};

use super::ends::Ends;
use super::reader::quiet;
use super::worker::Failure;
use crate::kafka::{Listener, Unreached, onlooking, reach};
use crate::record::{NextOffset, Partition, Topic, TopicPatterns};

/// How long the brokers may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The stretch of a run that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Where it begins, whatever the group has committed. None: there.
    pub from: Option<SystemTime>,
    /// Where it ends.
    pub until: Until,
}

/// Where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// At the offsets that stand at the end when it begins.
    End,
    /// Before the first record of this time or later, and there at the latest.
    Time(SystemTime),
}

/// Puts the group where the run begins, and finds where it ends.
pub(super) fn set_out(
    client: &ClientConfig,
    group: &str,
    inputs: &TopicPatterns,
    bounds: Bounds,
) -> Result<Ends, Failure> {
    let mut client = client.clone();
    if bounds.from.is_some() {
        // Whose offsets are put there. Otherwise none: librdkafka would look for its coordinator.
        client = onlooking(&client, "ipstamp-bounds");
        client.set("group.id", group);
    }
    let consumer = quiet(&client).map_err(|error| Failure::Config(format!("kafka: {error}")))?;
    reach(&consumer).map_err(|unreached| unreachable(&unreached))?;
    let stretches = stretches(&consumer, inputs)?;
    let ends = match bounds.until {
        Until::End => stretches.clone(),
        Until::Time(time) => at(&consumer, &stretches, time)?,
    };
    if let Some(from) = bounds.from {
        let begins = at(&consumer, &stretches, from)?;
        begin_at(&consumer, group, &begins)?;
    }
    Ok(Ends::new(ends.into_iter().map(|(topic, partition, end)| ((topic, partition), end))))
}

/// A place in each partition of the input.
type Places = Vec<(Topic, Partition, NextOffset)>;

fn unanswered(error: &KafkaError) -> Failure {
    Failure::Unavailable(format!(
        "the brokers did not say where the input begins and ends ({error}); `ipstamp check` finds \
         out why"
    ))
}

/// All partitions of the input, and where they end now.
fn stretches(consumer: &BaseConsumer<Listener>, inputs: &TopicPatterns) -> Result<Places, Failure> {
    let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(|error| unanswered(&error))?;
    let there = |name: &str| metadata.topics().iter().any(|topic| topic.name() == name);
    let missing: Vec<&str> = inputs.exact().filter(|input| !there(input)).collect();
    if !missing.is_empty() {
        // Ending at once, with nothing read, would look like success.
        return Err(Failure::Unavailable(format!(
            "these input topics do not exist, or we have no right to see them: {}; look at \
             input.topics, or ask `ipstamp check`",
            missing.join(", ")
        )));
    }
    let mut ends = Vec::new();
    for topic in metadata.topics() {
        let name = topic.name();
        if !inputs.reads(name) {
            continue;
        }
        for partition in topic.partitions() {
            let (_, end) = consumer
                .fetch_watermarks(name, partition.id(), PATIENCE)
                .map_err(|error| unanswered(&error))?;
            ends.push((Topic::new(name), Partition(partition.id()), NextOffset(end)));
        }
    }
    if ends.is_empty() {
        return Err(Failure::Unavailable("no topic matches input.topics".into()));
    }
    Ok(ends)
}

/// The first records of this time or later; where there is none, the ends.
fn at(
    consumer: &BaseConsumer<Listener>,
    ends: &Places,
    time: SystemTime,
) -> Result<Places, Failure> {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    let mut asked = TopicPartitionList::new();
    for (topic, partition, _) in ends {
        let added = asked.add_partition_offset(topic.as_str(), partition.0, Place::Offset(millis));
        added.map_err(|error| unanswered(&error))?;
    }
    let found = consumer.offsets_for_times(asked, PATIENCE).map_err(|error| unanswered(&error))?;
    let place = |(topic, partition, end): &(Topic, Partition, NextOffset)| {
        let found = found.find_partition(topic.as_str(), partition.0);
        let offset = match found.map(|found| found.offset()) {
            Some(Place::Offset(offset)) => NextOffset(offset.min(end.0)),
            _ => *end,
        };
        (topic.clone(), *partition, offset)
    };
    Ok(ends.iter().map(place).collect())
}

/// Commits, in the name of a group without members, where it is to begin.
fn begin_at(
    consumer: &BaseConsumer<Listener>,
    group: &str,
    begins: &Places,
) -> Result<(), Failure> {
    let mut list = TopicPartitionList::new();
    for (topic, partition, begin) in begins {
        let added = list.add_partition_offset(topic.as_str(), partition.0, Place::Offset(begin.0));
        added.map_err(|error| unanswered(&error))?;
    }
    consumer.commit(&list, CommitMode::Sync).map_err(|error| {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => Failure::NoPermission(format!(
                "no right to group {group}; kafka-acls --add --operation Read --group {group}"
            )),
            // Brokers take commits from outside of a group only while it has no member.
            Some(
                RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress,
            ) => Failure::Config(format!(
                "the group {group} has members; name one with --group that nobody uses"
            )),
            _ => Failure::Unavailable(format!(
                "the group {group} could not be put where --from says: {error}"
            )),
        }
    })
}

/// Why the input cannot be looked at, with what to do about it.
fn unreachable(unreached: &Unreached) -> Failure {
    let mut lines = vec!["no broker answers".to_owned()];
    lines.extend(unreached.words.iter().map(|words| format!("  {words}")));
    lines.extend(unreached.remedies().iter().map(|remedy| format!("    > {remedy}")));
    lines.dedup();
    let text = lines.join("\n");
    if unreached.is_refusal() { Failure::NoPermission(text) } else { Failure::Unavailable(text) }
}
