//! Why the ledger cannot be used. What passes by itself is no error: it is waited for.

use crate::kafka::{ClientError, Fault};

/// See the head of the file.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No client can be made: the settings are to be mended.
    #[error("the ledger: {0}")]
    Client(#[from] ClientError),
    /// The brokers do not answer, or refuse: try again, or look at the rights.
    #[error("the ledger topic {topic} cannot be read: {fault}")]
    Silent {
        /// The topic.
        topic: String,
        /// What the brokers or the client said.
        fault: Fault,
    },
    /// There is no such topic: make it.
    #[error("the ledger topic {topic} does not exist")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// The process is out of threads or file descriptors.
    #[error("the ledger: {0}")]
    System(#[from] std::io::Error),
}
