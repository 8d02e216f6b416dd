//! Reads the whole ledger once, for commands: nothing is appended, and no group is joined.

use std::time::{Duration, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::error::LedgerError;
use super::log::{ONLY, written_at};
use crate::kafka::{Fault, Onlooker, Stretch};
use crate::resolve::budget::{Entry, Replay, Unreadable};

/// What stands in the ledger.
#[derive(Debug)]
pub struct Found {
    /// What follows from it.
    pub replay: Replay,
    /// Records that are no entries.
    pub unreadable: u64,
}

/// Reads the topic from its beginning to where it ends now. Blocks, while the brokers are silent for at
/// most `patience`.
pub fn read_all(
    client: &ClientConfig,
    topic: &str,
    patience: Duration,
) -> Result<Found, LedgerError> {
    let silent = |fault: Fault| match fault.code() {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            LedgerError::Missing { topic: topic.into() }
        }
        _ => LedgerError::Silent { topic: topic.into(), fault },
    };
    let mut onlooker = Onlooker::new(client, topic, patience)?;
    let Stretch { begin, end, .. } = onlooker.stretch(ONLY).map_err(silent)?;
    let mut found = Found { replay: Replay::new(), unreadable: 0 };
    if begin.0 >= end.0 {
        if begin.0 > 0 {
            found.replay = Replay::cut(SystemTime::now());
        }
        return Ok(found);
    }
    let mut first = true;
    let whole = [Stretch { partition: ONLY, begin, end }];
    let read = onlooker.read(&whole, |fetched| {
        let at = written_at(fetched);
        if std::mem::take(&mut first) && fetched.offset().0 > 0 {
            found.replay = Replay::cut(at);
        }
        match Entry::read(fetched.payload().unwrap_or_default()) {
            Ok(entry) => drop(found.replay.read(&entry, at)),
            Err(why) => {
                found.unreadable += 1;
                if why == Unreadable::Newer {
                    found.replay.go_blind();
                }
            }
        }
    });
    read.map_err(silent)?;
    Ok(found)
}
