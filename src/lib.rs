//! ipstamp reads log events from Kafka, stamps the IP addresses in them with what is known about
//! them, and publishes the events again. This page is the map.
//!
//! ```text
//!  consume ─▶ extract ─▶ resolve ─▶ encode ─▶ publish ─▶ commit
//!    1 Kafka    2 pure     3 tiers    4 pure    5 Kafka    6 pure
//! ```
//!
//! Six stations in one line, a folder each. They do not know each other; they share the words in
//! [`record`]. One foreman, [`pipeline`], runs them and is the only one that knows the order.
//! Commit is the last station and pure: it says what may be committed, so nothing can be committed
//! before it was published.
//!
//! Imports run one way, and `tests/architecture.rs` proves it: stations import `record`, the two at
//! the rim also `kafka`; `pipeline` imports stations, `kafka`, `registry`, `tenant` and `telemetry`; `database`
//! hands files to `resolve` and says what became of them to `telemetry`; `registry` asks for schemas
//! by the rules by which providers are called, and `fleet` hands over what
//! other processes have said through Kafka; `admin` shows what `telemetry` has; `config` composes
//! the rooms' own `Config` types; `command` is on top.

// What travels: values only.
pub mod record;
// The six stations, in the order in which a record meets them.
pub mod consume;
pub mod extract;
pub mod resolve;
pub mod encode;
pub mod publish;
pub mod commit;
// Whose records these are.
pub mod tenant;
// The foreman.
pub mod pipeline;
// What the processes of a fleet share.
pub mod fleet;
// Around the line: database files, the rim towards librdkafka, what operators are told and where.
pub mod database;
pub mod registry;
pub mod kafka;
pub mod telemetry;
pub mod admin;
// The office, and what a person types.
pub mod config;
pub mod command;
