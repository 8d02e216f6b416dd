//! What a provider's API is to ipstamp: how to ask it, and what its replies mean. One folder per
//! provider implements [`Api`]; it decides and never does I/O, so whoever sends is written once.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method};

use crate::record::{AutonomousSystem, Enrichment, GroupSet};

/// One provider's API, as one licence may use it.
pub trait Api: Send + Sync + 'static {
    /// The name in config, metrics and provenance: `ipinfo`.
    fn name(&self) -> &str;

    /// Where it is when the configuration does not say otherwise: scheme and host, no slash at the end.
    fn default_base_url(&self) -> &str;

    /// Where the token goes.
    fn token_place(&self) -> TokenPlace;

    /// What it bills, and a budget counts: `credits`.
    fn unit(&self) -> &'static str {
        "units"
    }

    /// All modules that it knows, by their bit in [`Modules`]: `bulk`, `security` …
    fn modules(&self) -> &'static [&'static str];

    /// Those that a licence starts with, before anything was refused or shown.
    fn first_modules(&self) -> Modules;

    /// How many calls its contract allows in how long, with the plan as it is configured.
    fn pace(&self) -> Vec<(u32, Duration)>;

    /// Whether going on beyond what is paid for costs money, so that a budget must be given.
    fn overage_costs(&self) -> bool;

    /// What it can answer with these modules.
    fn covers(&self, modules: Modules) -> GroupSet;

    /// How many addresses go into one call with these modules; 1 where it has no bulk.
    fn most_per_call(&self, modules: Modules) -> usize;

    /// The call that asks these groups of these addresses, of which there are at least one and at
    /// most [`Api::most_per_call`].
    fn call(&self, addresses: &[IpAddr], groups: GroupSet, modules: Modules) -> Call;

    /// What the reply to that call means.
    fn read(
        &self,
        addresses: &[IpAddr],
        groups: GroupSet,
        modules: Modules,
        reply: &Reply<'_>,
    ) -> Verdict;

    /// What it knows of an autonomous system that is asked by its number: fields of `as`, as `want`
    /// names them. Nothing where it cannot be asked so.
    fn system_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// The call that asks for a system by its number; None where there is no such.
    fn system_call(&self, _: u32) -> Option<Call> {
        None
    }

    /// What the reply to [`Api::system_call`] says; None when it does not know the system.
    fn read_system(&self, _: u32, _: &Reply<'_>) -> Result<Option<AutonomousSystem>, Verdict> {
        Ok(None)
    }

    /// A call that costs nothing and says what the licence may do; None where there is no such.
    fn status_call(&self) -> Option<Call>;

    /// Where [`Api::status_call`] goes, when that is another place of the provider's than the rest and the
    /// configuration does not name one.
    fn status_base_url(&self) -> Option<&'static str> {
        None
    }

    /// What the reply to [`Api::status_call`] says.
    fn read_status(&self, reply: &Reply<'_>) -> Result<Status, Verdict>;
}

/// Where a request carries the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// It needs none, and none is sent.
    Nowhere,
    /// `Authorization: Bearer …`.
    Bearer,
    /// The header of this name.
    Header(Cow<'static, str>),
    /// The query parameter of this name: such addresses are never logged.
    Query(Cow<'static, str>),
}

/// What a licence may use of a provider, a bit each in the order of [`Api::modules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Modules(pub u32);

impl Modules {
    /// Whether the module of this bit may be used.
    pub const fn has(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// With the module of this bit.
    #[must_use]
    pub const fn with(self, bit: u32) -> Self {
        Self(self.0 | (1 << bit))
    }

    /// Without it.
    #[must_use]
    pub const fn without(self, bit: u32) -> Self {
        Self(self.0 & !(1 << bit))
    }

    /// With it or without it.
    #[must_use]
    pub const fn set(self, bit: u32, may: bool) -> Self {
        if may { self.with(bit) } else { self.without(bit) }
    }
}

/// A request without host and token, which are the sender's to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// GET or POST.
    pub method: Method,
    /// Path and query, with a slash in front.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a POST.
    pub body: Option<Vec<u8>>,
    /// What it costs at most, in the provider's billing unit.
    pub dearest: u64,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, decompressed, whole, and within the limit.
    pub body: &'a [u8],
    /// When it came.
    pub now: SystemTime,
}

/// What to do after a reply.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// Each address has its answer or its error.
    Answered(Answered),
    /// Nobody is to ask with this licence for so long; None: it did not say for how long.
    Pause(Option<Duration>),
    /// It failed, and may not fail another time.
    Retry(String),
    /// The request was too large: ask for fewer at a time.
    Split,
    /// The token is refused: switch the licence off until it changes or a slow probe succeeds. The
    /// words are for people and free of secrets.
    CredentialRefused(String),
    /// The licence may not use one module: ask again without it.
    ModuleRefused {
        /// The bit in [`Modules`].
        module: u32,
        /// For people.
        why: String,
    },
    /// It will never accept this request: these addresses end with an error, nothing else changes.
    Rejected(String),
}

/// The answers of one call.
#[derive(Debug, Default, PartialEq)]
pub struct Answered {
    /// For each asked address, in the order of asking: what is known, None when it says that it
    /// knows nothing, an error when it did not say.
    pub told: Vec<Result<Option<Enrichment>, ItemError>>,
    /// What it cost, where the reply says.
    pub charged: Option<u64>,
    /// What is left of the provider's own limits, where the reply says.
    pub quota: Option<Quota>,
    /// What the licence may use, where the reply shows something else than was believed: calls from
    /// now on are made with these. Groups that [`Api::covers`] does not give with these were not
    /// answered by this reply either, whatever was asked.
    pub modules: Option<Modules>,
}

/// Why one address of a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemError {
    /// The reply does not contain it, or contains something else in its place.
    NotInReply,
    /// The provider says that it failed on it.
    Failed,
}

/// A limit of the provider, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// In the billing unit or in requests, as the provider counts.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it is whole again.
    pub resets: Option<SystemTime>,
}

/// What a licence may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The vendor's name of the plan: `core`.
    pub plan: Option<String>,
    /// What it may use.
    pub modules: Modules,
    /// What is left.
    pub quota: Option<Quota>,
}
