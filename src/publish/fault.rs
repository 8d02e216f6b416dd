//! What to do about a record that the broker did not take.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::kafka::Fault;

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
