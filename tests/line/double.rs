//! A provider that answers as it is told, and remembers what it was asked.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ipstamp::record::{Enrichment, FactGroup, Geo, GroupSet};
use ipstamp::resolve::{Provider, Told};
use tokio::sync::watch;

/// How it answers one address.
pub(crate) enum Says {
    /// At once.
    Now(Told),
    /// When the gate is opened.
    AtTheGate(Told),
    /// Never.
    Nothing,
}

/// The provider.
pub(crate) struct Double {
    says: Box<dyn Fn(IpAddr) -> Says + Send + Sync>,
    asked: Mutex<BTreeMap<IpAddr, u32>>,
    gate: watch::Sender<bool>,
}

impl Double {
    /// Answers with `says`.
    pub(crate) fn new(says: impl Fn(IpAddr) -> Says + Send + Sync + 'static) -> Arc<Self> {
        let gate = watch::Sender::new(false);
        Arc::new(Self { says: Box::new(says), asked: Mutex::default(), gate })
    }

    /// How often each address was asked for.
    pub(crate) fn asked(&self) -> BTreeMap<IpAddr, u32> {
        self.asked.lock().unwrap().clone()
    }

    /// Lets out all answers that wait.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }
}

impl Provider for Double {
    fn covers(&self) -> GroupSet {
        GroupSet::EMPTY.with(FactGroup::Geo)
    }

    fn ask(&self, address: IpAddr, _: GroupSet) -> Pin<Box<dyn Future<Output = Told> + Send + '_>> {
        *self.asked.lock().unwrap().entry(address).or_default() += 1;
        let says = (self.says)(address);
        Box::pin(async move {
            match says {
                Says::Now(told) => told,
                Says::AtTheGate(told) => {
                    // The sender is this very value: it is not gone.
                    drop(self.gate.subscribe().wait_for(|open| *open).await);
                    told
                }
                Says::Nothing => pending().await,
            }
        })
    }
}

/// The city that the double knows for an address.
pub(crate) fn city(address: IpAddr) -> String {
    format!("City of {address}")
}

/// What it knows of an address.
#[expect(clippy::unnecessary_wraps, reason = "it is what a provider says")]
pub(crate) fn facts(address: IpAddr) -> Told {
    let geo = Geo { city_name: Some(city(address)), ..Geo::default() };
    Ok(Some(Enrichment { geo: Some(geo), ..Enrichment::default() }))
}
