//! A sample of events from a topic of the configured cluster. Reads without a group, commits nothing.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::command::{Exit, Failure};
use crate::kafka::{ClientError, Fault, Fetched, Onlooker, Stretch};
use crate::record::{NextOffset, Offset};

/// How long the brokers may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which records of a topic are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    /// So many, as far as there are.
    pub(super) records: u64,
    /// The oldest, and not the newest.
    pub(super) oldest: bool,
}

/// Gives the records of a portion to `each`, partition by partition as they come.
pub(super) fn read(
    client: &ClientConfig,
    topic: &str,
    portion: Portion,
    each: impl FnMut(&Fetched),
) -> Result<(), Failure> {
    let unusable = |error: ClientError| Failure::new(Exit::Config, error);
    let failed = |fault| failure(topic, fault);
    let mut onlooker = Onlooker::new(client, topic, PATIENCE).map_err(unusable)?;
    let whole = onlooker.stretches().map_err(failed)?;
    onlooker.read(&portion.of(whole), each).map_err(failed)
}

impl Portion {
    /// Of each partition the same number, and of those that have fewer all.
    fn of(self, mut whole: Vec<Stretch>) -> Vec<Stretch> {
        let length =
            |stretch: &Stretch| stretch.end.0.saturating_sub(stretch.begin.0).max(0) as u64;
        whole.sort_by_key(length);
        let (mut left, partitions) = (self.records, whole.len());
        for (nth, stretch) in whole.iter_mut().enumerate() {
            let share = left.div_ceil((partitions - nth) as u64).min(length(stretch));
            left -= share;
            if self.oldest {
                stretch.end = NextOffset(stretch.begin.0 + share as i64);
            } else {
                stretch.begin = Offset(stretch.end.0 - share as i64);
            }
        }
        whole
    }
}

pub(super) fn failure(topic: &str, fault: Fault) -> Failure {
    match fault.code() {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            Failure::new(Exit::Unavailable, format!("there is no topic {topic} on this cluster"))
        }
        Code::TopicAuthorizationFailed | Code::Authentication => {
            let text = format!("the topic {topic} may not be read: {fault}");
            Failure::new(Exit::NoPermission, text)
        }
        _ => {
            let text =
                format!("the topic {topic} cannot be read: {fault}; `ipstamp check` finds out why");
            Failure::new(Exit::Unavailable, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Partition;

    fn portion(records: u64, oldest: bool, whole: &[(i64, i64)]) -> Vec<(i32, i64, i64)> {
        let stretch = |(nth, (begin, end)): (i32, &(i64, i64))| Stretch {
            partition: Partition(nth),
            begin: Offset(*begin),
            end: NextOffset(*end),
        };
        let whole = (0..).zip(whole).map(stretch).collect();
        let mut of = Portion { records, oldest }.of(whole);
        of.sort_by_key(|stretch| stretch.partition);
        of.iter().map(|it| (it.partition.0, it.begin.0, it.end.0)).collect()
    }

    #[test]
    fn what_small_partitions_do_not_have_is_taken_of_the_others() {
        let topic = [(0, 1000), (50, 60), (7, 7)];
        assert_eq!(portion(100, false, &topic), [(0, 910, 1000), (1, 50, 60), (2, 7, 7)]);
        assert_eq!(portion(100, true, &topic), [(0, 0, 90), (1, 50, 60), (2, 7, 7)]);
        assert_eq!(portion(9999, false, &topic), [(0, 0, 1000), (1, 50, 60), (2, 7, 7)]);
        assert_eq!(portion(3, false, &[(0, 9), (0, 9)]), [(0, 7, 9), (1, 8, 9)]);
        assert_eq!(portion(3, false, &[]), []);
    }
}
