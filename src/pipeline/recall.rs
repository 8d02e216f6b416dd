//! Asks the input what a worker must not wait for. A record again: for the few that were stamped,
//! refused by the broker, and must go on as they came; stamped records do not carry their original
//! along, since nearly none of them ever needs it. Whether a partition from which nothing comes has
//! anything to read. And what there is in one that is not read.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rdkafka::ClientConfig;

use super::asking::{Inbox, Letter};
use super::reader::Reader;
use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::consume::{self, Start};
use crate::record::{NextOffset, Partition, Position, Topic};

/// Where a worker asks for originals. The thread that reads them begins with the first question.
pub(super) struct Recall {
    asking: Asking,
    inbox: Arc<Inbox>,
    questions: Option<Sender<Question>>,
}

/// In whose name is asked.
#[derive(Clone)]
struct Asking {
    client: ClientConfig,
    group: String,
    start: Start,
}

enum Question {
    Record { position: Position, who: (LaneId, Sequence) },
    Unread { topic: Topic, partition: Partition, who: LaneId },
    Left { topic: Topic, partition: Partition, from: Option<NextOffset>, who: LaneId },
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

    /// Asks whether a partition has a record at or behind an offset; where none is given, behind what
    /// is committed. The answer is a [`Letter::Looked`], whatever comes of it.
    pub(super) fn look(
        &mut self,
        topic: Topic,
        partition: Partition,
        from: Option<NextOffset>,
        who: LaneId,
    ) {
        self.send(Question::Left { topic, partition, from, who });
    }

    /// Asks what there is in a partition that is not read. The answer is a [`Letter::Unread`], whatever
    /// comes of it.
    pub(super) fn survey(&mut self, topic: Topic, partition: Partition, who: LaneId) {
        self.send(Question::Unread { topic, partition, who });
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
    let reader = Reader::new(&asking.client, &asking.group, asking.start).ok();
    for question in questions {
        match question {
            Question::Record { position, who } => {
                let value = reader.as_ref().and_then(|reader| reader.value_at(&position));
                inbox.post(Letter::Recalled { who, value });
            }
            Question::Unread { topic, partition, who } => {
                let extent = |reader: &Reader| reader.extent(&topic, partition).ok();
                inbox.post(Letter::Unread { who, extent: reader.as_ref().and_then(extent) });
            }
            Question::Left { topic, partition, from, who } => {
                let look = |reader: &Reader| reader.next(&topic, partition, from).ok();
                inbox.post(Letter::Looked { who, found: reader.as_ref().and_then(look) });
            }
        }
    }
}
