//! Written with the room that it tests.
