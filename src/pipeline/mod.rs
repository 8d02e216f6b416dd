//! The foreman: runs the six stations in order, and is the only one that knows it.

mod config;

pub use config::{Config, OnUnparsable, Ordering, WindowConfig};
