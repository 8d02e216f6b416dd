//! Looks into the input in the group's name without being a member of it: for what a worker must
//! not wait for, and for what only a second look tells.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as Place, TopicPartitionList};

use super::lane::LookFrom;
use super::surveyed::Extent;
use crate::consume::Start;
use crate::kafka::{Listener, onlooking};
use crate::record::{NextOffset, Offset, Partition, Position, Topic};

/// How long the brokers may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What comes next in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record.
    Record(Offset),
    /// None up to here, where the partition ends for those who read only what is committed.
    Nothing(NextOffset),
}

/// Someone who looks.
pub(super) struct Reader {
    consumer: BaseConsumer<Listener>,
    start: Start,
}

impl Reader {
    /// `start` is where the group begins a partition of which nothing is committed.
    pub(super) fn new(
        client: &ClientConfig,
        group: &str,
        start: Start,
    ) -> Result<Self, KafkaError> {
        let mut client = onlooking(client, "ipstamp-read");
        client
            // Whose commits are looked at.
            .set("group.id", group)
            .set("queued.max.messages.kbytes", "1024")
            .set("fetch.wait.max.ms", "10");
        Ok(Self { consumer: quiet(&client)?, start })
    }

    /// What the group has committed of these partitions, in their order.
    pub(super) fn committed(
        &self,
        of: &[(Topic, Partition)],
    ) -> Result<Vec<Option<NextOffset>>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in of {
            list.add_partition(topic.as_str(), partition.0);
        }
        let committed = self.consumer.committed_offsets(list, PATIENCE)?;
        let offset = |(topic, partition): &(Topic, Partition)| match committed
            .find_partition(topic.as_str(), partition.0)?
            .offset()
        {
            Place::Offset(offset) => Some(NextOffset(offset)),
            _ => None,
        };
        Ok(of.iter().map(offset).collect())
    }

    /// What comes at or behind a place.
    pub(super) fn next(
        &self,
        topic: &Topic,
        partition: Partition,
        from: LookFrom,
    ) -> Result<Next, KafkaError> {
        let (from, start) = match from {
            LookFrom::At(from) => (Some(from), self.start),
            LookFrom::Committed => {
                (self.committed(&[(topic.clone(), partition)])?.pop().flatten(), self.start)
            }
            LookFrom::Beginning => (None, Start::Earliest),
            LookFrom::End => (None, Start::Latest),
        };
        // Before the reading: what comes meanwhile is not said not to be there.
        let (begin, end) = self.consumer.fetch_watermarks(topic.as_str(), partition.0, PATIENCE)?;
        let place = match (from, start) {
            (Some(from), _) if from.0 >= end => return Ok(Next::Nothing(from)),
            // What was before is deleted.
            (Some(from), _) => Place::Offset(from.0.max(begin)),
            (None, Start::Earliest) if begin >= end => return Ok(Next::Nothing(NextOffset(end))),
            (None, Start::Earliest) => Place::Beginning,
            (None, Start::Latest) => return Ok(Next::Nothing(NextOffset(end))),
        };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic.as_str(), partition.0, place)?;
        self.consumer.assign(&list)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => return Ok(Next::Record(Offset(message.offset()))),
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    return Ok(Next::Nothing(NextOffset(end)));
                }
                // After an error librdkafka goes on trying.
                Some(Err(_)) | None => {}
            }
        }
        Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))
    }

    /// Whether the brokers that have these partitions answer, and, of those of the input, the group's
    /// coordinator. Where there is none, any broker.
    pub(super) fn reach(
        &self,
        input: &[(Topic, Partition)],
        output: &[(Topic, Partition)],
    ) -> Result<(), KafkaError> {
        if input.is_empty() {
            self.consumer.fetch_metadata(None, PATIENCE)?;
        } else {
            self.committed(input)?;
        }
        input.iter().chain(output).try_for_each(|(topic, partition)| {
            self.consumer.fetch_watermarks(topic.as_str(), partition.0, PATIENCE).map(drop)
        })
    }

    /// What the group has before it in a partition: from `goes_on_at`, or, where that is not given, from
    /// what is committed.
    pub(super) fn extent(
        &self,
        topic: &Topic,
        partition: Partition,
        goes_on_at: Option<NextOffset>,
    ) -> Result<Extent, KafkaError> {
        let known = match goes_on_at {
            Some(known) => Some(known),
            None => self.committed(&[(topic.clone(), partition)])?.pop().flatten(),
        };
        let (low, high) = self.consumer.fetch_watermarks(topic.as_str(), partition.0, PATIENCE)?;
        let by_start = match self.start {
            Start::Earliest => low,
            Start::Latest => high,
        };
        // What lies behind the end is of a topic that was there before, and what lies before the
        // beginning has been deleted.
        let known = known.filter(|known| known.0 <= high).map(|known| known.0.max(low));
        let goes_on_at = NextOffset(known.unwrap_or(by_start));
        Ok(Extent { goes_on_at, end: NextOffset(high) })
    }

    /// The value of the record at this place; none when it cannot be had.
    pub(super) fn value_at(&self, position: &Position) -> Option<Vec<u8>> {
        let (topic, partition, offset) =
            (position.topic.as_str(), position.partition.0, position.offset.0);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Place::Offset(offset)).ok()?;
        self.consumer.assign(&list).ok()?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.consumer.poll(Duration::from_millis(100)) {
                // What came from an earlier question is not it, and nothing before it comes.
                Some(Ok(message))
                    if message.topic() == topic && message.partition() == partition =>
                {
                    if message.offset() == offset {
                        return message.payload().map(<[u8]>::to_vec);
                    }
                    if message.offset() > offset {
                        return None;
                    }
                }
                // What stays is a record that is gone.
                Some(Ok(_) | Err(_)) | None => {}
            }
        }
        None
    }
}

/// A client whose troubles are told by its calls, and not logged beside.
pub(super) fn quiet(client: &ClientConfig) -> Result<BaseConsumer<Listener>, KafkaError> {
    let mut client = client.clone();
    client.set_log_level(RDKafkaLogLevel::Info);
    client.create_with_context(Listener::default())
}
