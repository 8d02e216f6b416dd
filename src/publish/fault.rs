//! What to do about a record that the broker did not take.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::kafka::Fault;
use crate::record::Topic;

/// Whose fault a refusal is, and so what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nobody's: the record is sent again.
    Again,
    /// One of the records that stood in the batch, or this one alone: each is judged alone.
    Judge(RecordFault),
    /// The topic's: everything for it waits until a person has mended it.
    Wait,
    /// The producer's: it is made anew, and everything under way is sent again.
    Rebuild,
}

/// What a broker has against a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Larger than the topic's `max.message.bytes`.
    TooLarge,
    /// The time is out of the topic's bounds.
    Timestamp,
    /// Anything else: no key for a compacted topic, an interceptor's word.
    Invalid,
}

/// Decides by the broker's code. An unknown code is taken for a passing one: a record is never given
/// up for a reason that nobody understood.
pub fn remedy(fault: Fault) -> Remedy {
    match fault.code() {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
            Remedy::Judge(RecordFault::TooLarge)
        }
        Code::InvalidTimestamp => Remedy::Judge(RecordFault::Timestamp),
        Code::InvalidRecord | Code::InvalidMessage | Code::UnsupportedForMessageFormat => {
            Remedy::Judge(RecordFault::Invalid)
        }
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::PolicyViolation
        | Code::UnsupportedCompressionType
        | Code::InvalidRequiredAcks => Remedy::Wait,
        Code::Fatal
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::InvalidProducerIdMapping
        | Code::OutOfOrderSequenceNumber
        | Code::UnknownProducerId => Remedy::Rebuild,
        _ => Remedy::Again,
    }
}

/// What makes a topic.
pub fn command_for_topic(topic: &Topic) -> String {
    format!("kafka-topics --bootstrap-server BROKER --create --topic {topic} --partitions N")
}

/// What gives the right to publish to a topic.
pub fn command_for_rights(topic: &Topic) -> String {
    format!(
        "kafka-acls --bootstrap-server BROKER --add --allow-principal User:NAME --operation Write \
         --operation Describe --topic {topic}"
    )
}

/// Says of a topic that refuses everything for this fault what mends it.
pub fn words_of_refusal(fault: Fault, topic: &Topic) -> String {
    match fault.code() {
        Code::TopicAuthorizationFailed => {
            format!("refuses every record: {fault}; {}", command_for_rights(topic))
        }
        Code::ClusterAuthorizationFailed => format!(
            "refuses every record: {fault}; kafka-acls --bootstrap-server BROKER --add \
             --allow-principal User:NAME --operation IdempotentWrite --cluster"
        ),
        Code::UnknownTopicOrPartition | Code::UnknownTopic => {
            format!("is not there, or not any more: {fault}; {}", command_for_topic(topic))
        }
        Code::UnknownPartition => format!(
            "is deleted or has another number of partitions ({fault}), and is looked at again within half a \
             minute; where it is gone: {}",
            command_for_topic(topic)
        ),
        _ => format!("refuses every record: {fault}; compare its settings with those of `output`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: whoever reads why a topic refuses everything is not sent after rights that are not
    /// what is missing.
    #[test]
    fn a_refusal_names_the_command_that_mends_it() {
        let words = |code| words_of_refusal(Fault::of_number(code), &Topic::new("out"));
        let (not_authorised, not_there, not_known, policy) = (29, 3, -188, 44);
        let cluster = words(31);
        assert!(cluster.contains("IdempotentWrite --cluster"), "{cluster}");
        let denied = words(not_authorised);
        assert!(denied.contains("kafka-acls") && denied.contains("--topic out"), "{denied}");
        for gone in [words(not_there), words(not_known)] {
            assert!(gone.contains("--create --topic out"), "{gone}");
            assert!(!gone.contains("kafka-acls"), "{gone}");
        }
        let policy = words(policy);
        assert!(!policy.contains("kafka-acls") && policy.contains("settings"), "{policy}");
    }
}
