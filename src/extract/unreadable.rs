//! Why an event cannot be read.

use crate::record::Reason;

/// Why an event cannot be read. Nothing is written into such an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no valid JSON text.
    #[error("not valid JSON at byte {at}: {flaw}")]
    Unparsable {
        /// Bytes from the event's start.
        at: usize,
        /// What is wrong there.
        flaw: Flaw,
    },
    /// It is nested deeper than the limit.
    #[error("nested deeper than {limit} at byte {at}; input.addresses.max_depth sets the limit")]
    TooDeep {
        /// Where the bracket stands that is one too many.
        at: usize,
        /// The configured limit.
        limit: u16,
    },
    /// It is larger than 4 GiB, which no Kafka message is.
    #[error("{size} bytes are more than can be scanned")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
}

impl Unreadable {
    /// The reason that the record's outcome carries.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Unparsable { .. } => Reason::Unparsable,
            Self::TooDeep { .. } => Reason::TooDeep,
            Self::TooLarge { .. } => Reason::TooLarge,
        }
    }
}

/// What is wrong at the place where reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The event ends in the middle of a value.
    #[error("the event ends too early")]
    End,
    /// A byte that cannot stand here.
    #[error("this byte cannot stand here")]
    Byte,
    /// Bytes that are not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// A byte order mark before the text.
    #[error("a byte order mark, which JSON does not allow")]
    ByteOrderMark,
    /// A control character inside a string.
    #[error("a control character in a string")]
    Control,
    /// A backslash followed by what is no escape.
    #[error("no such escape")]
    Escape,
    /// Something that begins like a number and is none.
    #[error("not a number")]
    Number,
    /// Something that begins like `true`, `false` or `null` and is not.
    #[error("not true, false or null")]
    Literal,
    /// Something after the end of the value.
    #[error("something follows the end of the event")]
    Trailing,
}
