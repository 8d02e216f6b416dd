//! What a dead letter carries: the record as it was, and headers that say where it stood and why it
//! is here.

use std::ffi::CStr;

use crate::kafka::Headers;
use crate::record::{DeadLetterClass, Position};

/// `topic-partition-offset` of the input record; on every record that is published.
pub const SOURCE: &CStr = c"ipstamp-src";
/// The facts of its addresses, where the profile writes them beside the event.
pub const FACTS: &CStr = c"ipstamp";
/// Why a record went out as it came.
pub const REASON: &CStr = c"ipstamp-reason";
/// The time that a record had before it was brought within the output topic's bounds.
pub const TIMESTAMP: &CStr = c"ipstamp-timestamp";
/// On dead letters: one of [`DeadLetterClass`].
pub const ERROR_CLASS: &CStr = c"ipstamp-error-class";
/// On dead letters: what to do about it, in words.
pub const ERROR_MESSAGE: &CStr = c"ipstamp-error-message";
/// On dead letters without a value: how many bytes it had.
pub const ERROR_VALUE_BYTES: &CStr = c"ipstamp-error-value-bytes";

/// Adds the headers of a dead letter.
pub fn add_dead_letter_headers(
    headers: &mut Headers,
    position: &Position,
    class: DeadLetterClass,
    message: &str,
) {
    headers.set(SOURCE, position.to_string().as_bytes());
    headers.set(ERROR_CLASS, class.name().as_bytes());
    headers.set(ERROR_MESSAGE, message.as_bytes());
}
