//! The seam towards whoever can be asked over the network for what memory does not know.

mod api;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

pub use self::api::{
    Answered, Api, Call, ItemError, Modules, Quota, Reply, Status, TokenPlace, Verdict,
};
use crate::record::{Enrichment, GroupSet, Reason};

/// What a provider says of an address.
pub type Told = Result<Option<Enrichment>, Reason>;

/// Somebody who can be asked. Only addresses of global scope are ever asked for, each once at a time.
pub trait Provider: Send + Sync + 'static {
    /// What it can answer.
    fn covers(&self) -> GroupSet;

    /// What it knows of the groups of an address: None when it knows nothing, an error when it could
    /// not say. May take for ever: the record goes out at its deadline whatever happens here.
    fn ask(
        &self,
        address: IpAddr,
        groups: GroupSet,
    ) -> Pin<Box<dyn Future<Output = Told> + Send + '_>>;
}
