//! Database files and the table of one's own networks: read whole into memory, verified, handed to
//! `resolve`, and followed when they change. Files may be fetched from whoever makes them.
//!
//! A file is never mapped: who writes to it, or cuts it off, would change it under the readers or
//! kill the process.

mod build;
mod diff;
mod fetch;
mod file;
mod generation;
mod joined;
mod open;
mod put;
mod section;
mod store;
mod tell;
mod vendor;
mod watch;

pub use build::{BuildError, Built, build};
pub use diff::{Changes, Diff, Difference, Extent, Kind, Moves, diff};
pub use fetch::{
    FetchError, Fetcher, MANIFEST, Manifest, Mirrored, Origin, Outcome, Progress, Reread, Schedule,
    Standing as FetchStanding, UnpackError, Wanted, Watched, When,
};
pub use generation::Generation;
pub use open::{AsOfError, OpenError, open, open_all, open_as_of, open_networks, verify};
pub use put::{Readers, put};
pub use store::{Gone, Kept, Store, StoreConfig, StoreError, Why};
pub use tell::Teller;
pub use vendor::{Notice, notice};
pub use watch::{Files, Follower, Watch};
