//! Life of the process.

fn main() {}
