//! The contracts with the people who write configurations and the programs that read events.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod avro;
mod avro_events;
mod broken_files;
#[expect(dead_code, reason = "what brokers want of certificates is tried elsewhere")]
#[path = "../support/certificates.rs"]
mod certificates;
mod compatibility;
mod config;
#[path = "../support/databases.rs"]
mod databases;
mod demo_databases;
mod ecs;
mod examples;
mod golden;
mod ipbot;
mod mapping;
mod ocsf;
mod profiles;
#[path = "../support/openapi.rs"]
mod openapi;
mod over_http;
mod providers;
mod readme;
mod registry;
#[expect(dead_code, reason = "what a stand-in can do is tried elsewhere too")]
#[path = "../support/registry_double.rs"]
mod registry_double;
mod sample_databases;
mod samples;
#[expect(dead_code, reason = "what a stand-in can do is tried elsewhere too")]
#[path = "../support/standin/mod.rs"]
mod standin;
mod tenants;
mod twins;
mod values;
