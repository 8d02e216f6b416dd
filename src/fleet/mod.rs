//! What the processes of a fleet share through Kafka.
//!
//! [`Ledger`]: what all processes together have spent of each licence, in a topic of one partition
//! whose order decides who may spend: see [`crate::resolve::budget`]. Nothing else is needed, no
//! server and no transactions. While the brokers cannot be reached, a process spends what it holds
//! and is told `Later` for more.
//!
//! [`Answers`]: what providers have answered, in a compacted topic, so that a fleet pays once for an
//! address and a restart not again. Nothing waits for it: a process without it only asks more.

mod answers;
mod config;
mod error;
mod ledger;
mod log;
mod reading;
mod show;
mod topic;

pub use answers::{
    Answers, AnswersError, AnswersSettings, ClearError, clear_answers, problems_of_answers,
};
pub use config::LedgerConfig;
pub use error::LedgerError;
pub use ledger::{Ledger, LedgerSettings};
pub use reading::{Found, read_all};
pub use topic::{LedgerTopic, TopicProblem, TopicSettings, retention_wanted};
