//! Asks the input what a worker must not wait for. A record again: for the few that were stamped,
//! refused by the broker, and must go on as they came; stamped records do not carry their original
//! along, since nearly none of them ever needs it. Whether a partition from which nothing comes has
//! anything to read. What there is in one that is not read. And whether the brokers are there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rdkafka::ClientConfig;

use super::asking::{Inbox, Letter};
use super::lane::LookFrom;
use super::reader::Reader;
use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::consume::{self, Start};
use crate::record::{NextOffset, Partition, Position, Topic};

/// Where a worker asks. The thread that reads them begins with the first question.
pub(super) struct Recall {
    asking: Asking,
    inbox: Arc<Inbox>,
    questions: Option<Sender<Question>>,
}

/// Partitions of topics.
pub(super) type Partitions = Vec<(Topic, Partition)>;

/// In whose name is asked.
#[derive(Clone)]
struct Asking {
    client: ClientConfig,
    group: String,
    start: Start,
}

enum Question {
    Record { position: Position, who: (LaneId, Sequence) },
    Survey { topic: Topic, partition: Partition, goes_on_at: Option<NextOffset>, who: LaneId },
    Contact { input: Partitions, output: Partitions },
    Left { topic: Topic, partition: Partition, from: LookFrom, who: LaneId },
}

impl Recall {
    pub(super) fn new(client: ClientConfig, consume: &consume::Config, inbox: Arc<Inbox>) -> Self {
        let asking = Asking { client, group: consume.group.clone(), start: consume.start };
        Self { asking, inbox, questions: None }
    }

    /// Asks for a record; the answer is a [`Letter::Recalled`], whatever comes of it.
    pub(super) fn ask(&mut self, position: Position, who: (LaneId, Sequence)) {
        self.send(Question::Record { position, who });
    }

    /// Asks whether a partition has a record at or behind a place. The answer is a [`Letter::Looked`], whatever comes of it.
    pub(super) fn look(&mut self, topic: Topic, partition: Partition, from: LookFrom, who: LaneId) {
        self.send(Question::Left { topic, partition, from, who });
    }

    /// Asks what there is in a partition that is not read; where the group goes on too, if that is not
    /// given. The answer is a [`Letter::Surveyed`], whatever comes of it.
    pub(super) fn survey(
        &mut self,
        topic: Topic,
        partition: Partition,
        goes_on_at: Option<NextOffset>,
        who: LaneId,
    ) {
        self.send(Question::Survey { topic, partition, goes_on_at, who });
    }

    /// Asks the brokers that have these partitions, and the group's own, whether they are there. The
    /// answer is a [`Letter::Contact`], whatever comes of it.
    pub(super) fn ask_contact(&mut self, input: Partitions, output: Partitions) {
        self.send(Question::Contact { input, output });
    }

    fn send(&mut self, question: Question) {
        let questions = self.questions.get_or_insert_with(|| {
            let (send, receive) = channel();
            let (asking, inbox) = (self.asking.clone(), Arc::clone(&self.inbox));
            std::thread::spawn(move || answer_all(&asking, &inbox, &receive));
            send
        });
        // The thread ends only when this sender is gone.
        drop(questions.send(question));
    }
}

fn answer_all(asking: &Asking, inbox: &Inbox, questions: &Receiver<Question>) {
    let make = || Reader::new(&asking.client, &asking.group, asking.start);
    let mut reader = make();
    let mut waiting = VecDeque::new();
    while let Some(question) = next(&mut waiting, questions) {
        if reader.is_err() {
            // A file with certificates may just have been changed.
            reader = make();
        }
        match question {
            Question::Record { position, who } => {
                let value = reader.as_ref().ok().and_then(|reader| reader.value_at(&position));
                inbox.post(Letter::Recalled { who, value });
            }
            Question::Contact { input, output } => {
                let made = match &reader {
                    Ok(reader) => reader.reach(&input, &output).map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                inbox.post(Letter::Contact { made });
            }
            Question::Survey { topic, partition, goes_on_at, who } => {
                let extent = |reader: &Reader| reader.extent(&topic, partition, goes_on_at).ok();
                inbox.post(Letter::Surveyed { who, extent: reader.as_ref().ok().and_then(extent) });
            }
            Question::Left { topic, partition, from, who } => {
                let look = |reader: &Reader| reader.next(&topic, partition, from).ok();
                inbox.post(Letter::Looked { who, found: reader.as_ref().ok().and_then(look) });
            }
        }
    }
}

/// The next question: a record first, since its partition waits for it, then the brokers, for which the
/// process is not ready. None when nobody asks any more.
fn next(waiting: &mut VecDeque<Question>, questions: &Receiver<Question>) -> Option<Question> {
    if waiting.is_empty() {
        waiting.push_back(questions.recv().ok()?);
    }
    waiting.extend(questions.try_iter());
    let first = (0..waiting.len()).min_by_key(|nth| match waiting[*nth] {
        Question::Record { .. } => 0,
        Question::Contact { .. } => 1,
        Question::Survey { .. } | Question::Left { .. } => 2,
    });
    waiting.remove(first?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Offset;

    #[test]
    fn a_record_is_asked_for_before_what_only_counts() {
        let (send, receive) = channel();
        let (topic, partition, sequence) = (Topic::new("in"), Partition(0), Sequence::from_bits(7));
        for lane in 0..3 {
            let (topic, goes_on_at, who) = (topic.clone(), None, LaneId(lane));
            send.send(Question::Survey { topic, partition, goes_on_at, who }).unwrap();
        }
        let position = Position { topic, partition, offset: Offset(5) };
        send.send(Question::Record { position, who: (LaneId(9), sequence) }).unwrap();
        let (input, output) = Default::default();
        send.send(Question::Contact { input, output }).unwrap();
        drop(send);
        let mut waiting = VecDeque::new();
        let order: Vec<_> = std::iter::from_fn(|| next(&mut waiting, &receive))
            .map(|question| match question {
                Question::Record { who: (lane, _), .. }
                | Question::Survey { who: lane, .. }
                | Question::Left { who: lane, .. } => lane.0,
                Question::Contact { .. } => u16::MAX,
            })
            .collect();
        assert_eq!(order, [9, u16::MAX, 0, 1, 2]);
    }
}
