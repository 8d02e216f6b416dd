//! The contracts with the people who write configurations and the programs that read events.

mod config;
