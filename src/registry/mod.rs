//! The rim towards a schema registry: what a schema is by its id, and which id one has that is written.
//! Confluent's, Apicurio's and Karapace's speak the same. Nothing is kept here; whoever asks keeps
//! what was answered.

mod client;
mod config;
mod error;
mod reply;

pub use client::{Output, Registry};
pub use config::{RegistryConfig, SubjectNames};
pub use error::{RegistryConfigError, RegistryError};
pub use reply::{Reference, Schema, SchemaKind};
