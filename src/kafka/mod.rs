//! The rim towards Kafka: the settings that all clients share, and a thin, safe layer over
//! librdkafka. All `unsafe` code of the project is in this room, but for the one line
//! that maps a database.
//!
//! The layer is our own, and not the `rdkafka` crate's consumer and producer, because three things
//! that make most of the difference to them are not to be had there: batches in, delivery reports as
//! batched events on the producing thread, and output buffers that librdkafka takes without a copy.
//! Of the crate we use the settings, the bindings, the admin client and the mock cluster.
#![expect(unsafe_code, reason = "the bindings to librdkafka and three calls of libc")]

mod client;
mod client_settings;
mod consumer;
mod contact;
mod embedded;
mod fetched;
mod headers;
mod onlooker;
mod partitions;
mod pool;
mod prefetch;
mod producer;
mod purpose;
mod rights;
mod setting_names;
mod settings;
mod wake;

pub use client::{ClientError, Fault, Notice};
pub use client_settings::{ClientSettings, Scalar, set_by_default};
pub use consumer::{Committed, Consumer, Place, Rebalance};
pub use contact::{Listener, Obstacle, Unreached, answering_broker, is_end, reach};
pub use embedded::EmbeddedKafka;
pub use fetched::{Fetched, PartitionTag};
pub use headers::Headers;
pub use onlooker::{Onlooker, Stretch};
pub use partitions::{PartitionEntry, PartitionList};
pub use pool::{Buffer, Pool};
pub use prefetch::{prefetch, prefetch_bytes};
pub use producer::{Delivery, Outgoing, Producer, TopicHandle};
pub use purpose::{lossy, named, onlooking};
pub use rights::{Operation, Operations, group_rights, topic_rights};
pub use settings::{Config, Mechanism, Protocol, Security};
pub use wake::{Wake, end_process};
