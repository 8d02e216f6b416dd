//! Why a registry cannot be asked, or does not say what was asked. No error says where it is or what
//! it was sent.

use crate::resolve::desk::{HttpConfigError, Trouble};

/// Why a registry cannot be asked as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryConfigError {
    /// There is no URL.
    #[error("schema_registry.urls is empty; write [https://registry:8081]")]
    NoUrl,
    /// A URL that cannot be called.
    #[error("schema_registry.urls: {0}; with plaintext: true also http elsewhere")]
    Url(HttpConfigError),
    /// A file with a certificate or key cannot be read.
    #[error("schema_registry.{key}: the file cannot be read: {reason}")]
    Unreadable {
        /// The key.
        key: &'static str,
        /// What the system says.
        reason: String,
    },
    /// It is not what it should be.
    #[error("schema_registry.{key}: the file is no PEM of that kind")]
    NoPem {
        /// The key.
        key: &'static str,
    },
    /// A password or token that cannot be sent.
    #[error("schema_registry: the password or token has a character that cannot be sent")]
    Unwritable,
    /// There is no TLS.
    #[error("schema_registry: TLS cannot be set up")]
    Tls,
}

/// Why a registry did not say what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached.
    #[error("the schema registry cannot be reached: {0}")]
    Trouble(#[from] Trouble),
    /// It does not have it.
    #[error("the schema registry does not have it")]
    NotFound,
    /// Who asks is not known, or may not.
    #[error(
        "the schema registry refuses us ({status}); see schema_registry.username or token, and the rights there"
    )]
    Refused {
        /// 401 or 403.
        status: u16,
    },
    /// The schema is not compatible with those of its subject, or cannot be registered otherwise.
    #[error(
        "the schema registry does not take the schema ({status}): its subject's compatibility, or its mode, forbids it"
    )]
    NotTaken {
        /// 409 or 422.
        status: u16,
    },
    /// It fails.
    #[error("the schema registry fails ({status})")]
    Failed {
        /// Whatever else.
        status: u16,
    },
    /// What it says makes no sense.
    #[error("what the schema registry answers is none of its replies; see schema_registry.urls")]
    NoReply,
}

impl RegistryError {
    /// Whether asking again may help without anybody doing something.
    pub const fn is_passing(self) -> bool {
        match self {
            Self::Trouble(_) | Self::Failed { .. } | Self::Refused { .. } | Self::NoReply => true,
            Self::NotFound | Self::NotTaken { .. } => false,
        }
    }

    /// The label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trouble(trouble) => trouble.name(),
            Self::NotFound => "not_found",
            Self::Refused { .. } => "refused",
            Self::NotTaken { .. } => "not_taken",
            Self::Failed { .. } => "failed",
            Self::NoReply => "no_reply",
        }
    }
}
