//! What the page of the admin port says of an event that is tried: what `explain` does, from what the
//! process has in memory. Nobody is asked, and nothing is counted.

use serde::Serialize;

use super::asking::Sources;
use super::explain::Tiers;
use super::explain_event::{ExplainedEvent, explain_event};
use crate::admin::{Tried, Trying};
use crate::config::Config;
use crate::encode::{self, Profile, Writing};
use crate::pipeline::StampSettings;

/// What is remembered while one event is tried.
const MEMORY_BYTES: usize = 1 << 20;

/// Tries events with these settings.
pub(super) fn trying(config: Config, stamp: StampSettings) -> Trying {
    Box::new(move |tried: &Tried| {
        let mut settings = StampSettings { memory_limit_bytes: MEMORY_BYTES, ..stamp.clone() };
        if let Some(name) = &tried.profile {
            settings.writing = writing(&config.encode, name)?;
        }
        let sources = Sources::of_main(&config);
        let mut tiers = Tiers::of_memory(&settings, &sources);
        let explained = explain_event(&settings, &tried.event, |address| tiers.explain(address));
        let explained = explained.map_err(|failure| failure.message)?;
        let told = Told { written: explained.written(), explained: &explained };
        serde_json::to_string(&told).map_err(|error| error.to_string())
    })
}

/// What is told of an event.
#[derive(Serialize)]
struct Told<'e> {
    explained: &'e ExplainedEvent,
    /// As text, so that it can be shown as it is: a browser would read its numbers otherwise.
    written: &'e str,
}

/// As configured, but by the profile of this name. A file is never read for a stranger.
fn writing(configured: &encode::Config, name: &str) -> Result<Writing, String> {
    let profile = Profile::by_name(name).ok_or_else(|| {
        let known = Profile::NAMED.map(|profile| profile.name()).join(", ");
        format!("there is no profile of this name; known are {known}")
    })?;
    let config = encode::Config { profile, ..configured.clone() };
    Writing::new(&config).map_err(|error| error.to_string())
}
