//! For tests: replies, and what a provider makes of them.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};

use super::{Answered, Api, Modules, Reply, Verdict};
use crate::record::{FactGroup, GroupSet};

/// Groups by their names.
pub(super) fn groups(names: &str) -> GroupSet {
    names.split_whitespace().map(|name| FactGroup::by_name(name).unwrap()).collect()
}

pub(super) fn all_groups() -> GroupSet {
    FactGroup::ALL.into_iter().collect()
}

pub(super) fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A reply as it may come.
#[derive(Clone, Default)]
pub(super) struct Came {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Came {
    pub(super) fn new(status: u16, body: &(impl Display + ?Sized)) -> Self {
        let body = format!("{body}").into_bytes();
        Self { status, headers: HeaderMap::new(), body }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    pub(super) fn reply(&self) -> Reply<'_> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Reply { status: self.status, headers: &self.headers, body: &self.body, now }
    }

    /// What it means as an answer to a question about everything, with the modules.
    pub(super) fn to(&self, api: &dyn Api, addresses: &[IpAddr], modules: Modules) -> Verdict {
        api.read(addresses, all_groups(), modules, &self.reply())
    }

    /// The same with the modules of the first call, where it is an answer.
    #[track_caller]
    pub(super) fn answered(&self, api: &dyn Api, addresses: &[IpAddr]) -> Answered {
        match self.to(api, addresses, api.first_modules()) {
            Verdict::Answered(answered) => answered,
            other => panic!("no answer: {other:?}"),
        }
    }
}

/// The words of a verdict.
pub(super) fn words(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Retry(why)
        | Verdict::CredentialRefused(why)
        | Verdict::ModuleRefused { why, .. }
        | Verdict::Rejected(why) => why,
        Verdict::Answered(_) | Verdict::Pause(_) | Verdict::Split => "",
    }
}
