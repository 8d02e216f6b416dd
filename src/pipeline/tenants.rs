//! The tenants that are served: who they are, what is done for each, and what names them. Files come
//! and go while workers run, so that whoever opens them hands over a new roster, and each worker takes
//! it up between two batches.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::stamp::StampSettings;
use crate::extract::{ExtractConfigError, TextAt};
use crate::record::TopicPatterns;
use crate::resolve::desk::Desk;
use crate::telemetry::TenantLabel;
use crate::tenant::{Selector, TenantName, Unknown};

/// One tenant, as his file says. Another file is another value.
pub struct Tenant {
    /// His name.
    pub name: TenantName,
    /// The topics whose records may name him, where a header or the event does.
    pub topics: TopicPatterns,
    /// How his records are stamped: with his wants, his databases and his scope of the cache.
    pub stamp: StampSettings,
    /// Where his licences are asked.
    pub desk: Option<Desk>,
    /// What he is called in metrics.
    pub label: TenantLabel,
}

/// All tenants that are served, by name.
pub type Roster = HashMap<TenantName, Arc<Tenant>>;

/// See the head of the file.
pub struct Tenancy {
    pub(super) selector: Selector,
    pub(super) unknown: Unknown,
    roster: ArcSwap<Roster>,
}

impl Tenancy {
    /// Serves nobody yet. Fails when the selector's path makes no sense.
    pub fn new(selector: Selector, unknown: Unknown) -> Result<Self, ExtractConfigError> {
        if let Selector::Path(path) = &selector {
            TextAt::new(path)?;
        }
        Ok(Self { selector, unknown, roster: ArcSwap::default() })
    }

    /// These are served from now on. Whoever is not among them any more, or is another value than
    /// before, is served as he was up to the end of a worker's batch, and what was asked for him is
    /// still waited for.
    pub fn serve(&self, roster: Roster) {
        self.roster.store(Arc::new(roster));
    }

    /// Those that are served.
    pub fn roster(&self) -> Arc<Roster> {
        self.roster.load_full()
    }
}
