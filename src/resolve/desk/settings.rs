//! What a licence is made of, as far as asking goes.

use std::sync::Arc;
use std::time::Duration;

use super::Limit;
use crate::record::GroupSet;
use crate::resolve::{Api, Lifetimes};

/// One licence: a provider's API, and how it may be used.
#[derive(Clone)]
pub struct LicenceSettings {
    /// The name in provenance, metrics and logs.
    pub name: Arc<str>,
    /// Where the configuration has it: `providers.ipinfo`.
    pub key: String,
    /// Its provider.
    pub api: Arc<dyn Api>,
    /// Where the provider is, instead of its own default: scheme and host, no slash at the end.
    pub base_url: Option<String>,
    /// How often it may be called.
    pub limits: Vec<Limit>,
    /// Calls that may be under way at once.
    pub parallel: usize,
    /// Addresses per call at most, below the provider's own limit.
    pub most_per_call: Option<usize>,
    /// Groups that nobody else is asked for when this provider does not know the address.
    pub closes: GroupSet,
    /// How long what it says is kept.
    pub lifetimes: Lifetimes,
    /// How batches are cut.
    pub batch: BatchSettings,
    /// How long things may take, and how large they may be.
    pub http: HttpSettings,
}

/// How batches are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSettings {
    /// A batch whose first address waits for so long goes out however small it is.
    pub age: Duration,
    /// So does one to which no further address has come for so long. None: a quarter of the time
    /// that calls take, from 2 to 25 ms, unless the stream is fast.
    pub quiet: Option<Duration>,
    /// Bytes of the addresses as text.
    pub bytes: usize,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self { age: Duration::from_millis(100), quiet: None, bytes: 1 << 20 }
    }
}

/// How long a call may take, and how large its reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of a reply.
    pub idle: Duration,
    /// For the whole call. A record's deadline makes it shorter.
    pub total: Duration,
    /// Bytes of a reply, decompressed.
    pub most_bytes: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            idle: Duration::from_secs(2),
            total: Duration::from_secs(5),
            most_bytes: 8 << 20,
        }
    }
}
