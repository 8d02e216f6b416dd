//! Database files and the table of one's own networks: read into memory, verified, handed to
//! `resolve`, and followed when they change. Files may be fetched from whoever makes them.
//!
//! No file that others may write to is mapped: who does so, or cuts it off, would change it under the
//! readers or kill the process. Of a large one a copy of ours is mapped, which nobody writes to.

mod background;
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
mod tree;
mod vendor;
mod versioned;
mod watch;

pub use background::{hurry, stand_back};
pub use build::{BuildError, Built, build};
pub use diff::{Changes, Diff, Difference, Extent, Kind, Moves, diff};
pub use fetch::{
    FetchError, Fetcher, MANIFEST, Manifest, ManifestError, Mirrored, Origin, Outcome, Progress,
    Reread, Schedule, Standing as FetchStanding, UnpackError, Wanted, Watched, Ways, When,
    mmdb_instead_of,
};
pub use generation::Generation;
pub use open::{AsOfError, OpenError, open, open_all, open_as_of, open_networks, verify};
pub use put::{Readers, put};
pub use store::{Gone, Kept, Store, StoreConfig, StoreError, Why};
pub use tell::Teller;
pub use vendor::{Notice, notice};
pub use watch::{Files, Follower, Watch};
