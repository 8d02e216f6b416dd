//! Station 5: bytes to Kafka, and word of their arrival. Where records go, what each topic takes,
//! and what is done about those that the brokers refuse.

mod catalog;
mod config;
mod dead_letter;
mod fault;
mod outlet;
mod settings;
mod template;

pub use catalog::{Catalog, CatalogSettings, Limits, TopicState};
pub use config::{Compression, Config, OnUndeliverable, Partitioning};
pub use dead_letter::{
    ERROR_CLASS, ERROR_KEY_BYTES, ERROR_MESSAGE, ERROR_VALUE_BYTES, FACTS, REASON, SOURCE,
    TIMESTAMP, add_dead_letter_headers, take_off_headers,
};
pub use fault::{
    RecordFault, Remedy, command_for_rights, command_for_topic, remedy, words_of_refusal,
};
pub use outlet::{MakeProducer, NotNow, Outlet, OutputId, Refused, alone_bytes};
pub use settings::{UnderWay, producer_settings};
pub use template::TopicTemplate;
