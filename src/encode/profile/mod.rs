//! Profiles as data: what is written of facts, under which names, and where. Each is a YAML file;
//! those that ipstamp knows by name are compiled in.

mod error;
mod file;
mod layout;
mod target;

pub use error::ProfileError;
pub(super) use file::{Each, Placing, ProfileFile};
pub(super) use layout::{Choice, Gate, Layout, List, Member, Piece, check_fields, native};
pub(super) use target::Spot;

use super::Profile;

/// The text of a profile that is known by name and is data.
pub(super) fn built_in(profile: &Profile) -> Option<&'static str> {
    match profile {
        Profile::Ecs => Some(include_str!("ecs.yaml")),
        Profile::Ocsf => Some(include_str!("ocsf.yaml")),
        Profile::Splunk => Some(include_str!("splunk.yaml")),
        Profile::Otel => Some(include_str!("otel.yaml")),
        Profile::Flat => Some(include_str!("flat.yaml")),
        Profile::Native | Profile::Headers | Profile::File { .. } => None,
    }
}
