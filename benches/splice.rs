//! Written with the room that it measures.
fn main() {}
