//! Reads a record again from the input: for the few that were stamped, refused by the broker, and
//! must go on as they came. Stamped records do not carry their original along, since nearly none of
//! them ever needs it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::asking::{Inbox, Letter};
use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::record::Position;

/// How long one record may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a worker asks for originals. The thread that reads them begins with the first question.
pub(super) struct Recall {
    client: ClientConfig,
    inbox: Arc<Inbox>,
    questions: Option<Sender<Question>>,
}

struct Question {
    position: Position,
    who: (LaneId, Sequence),
}

impl Recall {
    pub(super) fn new(client: ClientConfig, inbox: Arc<Inbox>) -> Self {
        Self { client, inbox, questions: None }
    }

    /// Asks for a record; the answer is a [`Letter::Recalled`], whatever comes of it.
    pub(super) fn ask(&mut self, position: Position, who: (LaneId, Sequence)) {
        let questions = self.questions.get_or_insert_with(|| {
            let (send, receive) = channel();
            let (client, inbox) = (self.client.clone(), Arc::clone(&self.inbox));
            std::thread::spawn(move || answer_all(client, &inbox, &receive));
            send
        });
        // The thread ends only when this sender is gone.
        drop(questions.send(Question { position, who }));
    }
}

fn answer_all(mut client: ClientConfig, inbox: &Inbox, questions: &Receiver<Question>) {
    client
        // Nothing is joined and nothing committed: partitions are named by hand.
        .set("group.id", "ipstamp-recall")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "1024")
        .set("fetch.wait.max.ms", "10")
        .set("allow.auto.create.topics", "false");
    let consumer: Option<BaseConsumer> = client.create().ok();
    for Question { position, who } in questions {
        let value = consumer.as_ref().and_then(|consumer| read(consumer, &position));
        if value.is_none() {
            tracing::warn!(topic = %position.topic, partition = %position.partition,
                offset = %position.offset,
                "a refused record could not be read again; it goes on as it was stamped");
        }
        inbox.post(Letter::Recalled { who, value });
    }
}

/// The value of the record at this place.
fn read(consumer: &BaseConsumer, position: &Position) -> Option<Vec<u8>> {
    let (topic, partition, offset) =
        (position.topic.as_str(), position.partition.0, position.offset.0);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).ok()?;
    consumer.assign(&list).ok()?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if message.topic() == topic && message.partition() == partition => {
                // What came from an earlier question is not it, and nothing before it comes.
                if message.offset() == offset {
                    return message.payload().map(<[u8]>::to_vec);
                }
                if message.offset() > offset {
                    return None;
                }
            }
            // After an error librdkafka goes on trying; what stays is a record that is gone.
            Some(Ok(_) | Err(_)) | None => {}
        }
    }
    None
}
