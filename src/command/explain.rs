//! `explain`: which tier is asked of an address, what it says, what it costs, and why another is not; of
//! an event, what becomes of it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Serialize;

use super::addresses::each;
use super::asking::{Sources, WaitingDesk, exit, in_words};
use super::enrich::cannot_read;
use super::explain_event::explain_event;
use super::local::{LocalArgs, Parts};
use super::lookup::everything;
use super::output::{Format, print, units};
use super::plan::{NotAsked, Plan, price};
use super::told::Told;
use super::{Exit, Failure, Source};
use crate::config::default_want;
use crate::pipeline::StampSettings;
use crate::record::{Address, Day, Facts as _, GroupSet, Moment, Reason};
use crate::resolve::desk::{Called, Seen, Witness};
use crate::resolve::provider::{Licence, Money};
use crate::resolve::{Did, Resolver, Step};

/// What is remembered between addresses.
const MEMORY_BYTES: usize = 1 << 20;

/// Say who is asked of addresses and what becomes of an event, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Without --ask nothing is sent: it says what would be. With --ask the providers are asked, and that costs
what they charge.

Examples:
  ipstamp explain --mmdb city.mmdb --mmdb asn.mmdb 81.2.69.160
  ipstamp explain --config ipstamp.yaml 81.2.69.160 10.0.0.1
  ipstamp explain --config ipstamp.yaml --ask --format json 81.2.69.160
  ipstamp explain --config ipstamp.yaml '{\"source\":{\"ip\":\"81.2.69.160\"}}'
  ipstamp explain --config ipstamp.yaml --event event.json

Of an event it says what was found where and what was passed over, what each tier says of its addresses,
and what would be written.

What is no address is named on stderr, and the exit code is 1. With --ask it is 1 when a budget does not
reach, and 69 when something that is wanted could not be had because a provider failed; stderr says
which, and why.")]
pub(super) struct ExplainArgs {
    /// Addresses, or events that begin with `{`; `-` for lines of stdin with addresses
    #[arg(value_name = "ADDRESS|EVENT", required_unless_present = "event")]
    addresses: Vec<String>,
    /// A file with one event, JSON or text; `-` for stdin
    #[arg(short, long, value_name = "FILE")]
    event: Option<PathBuf>,
    #[command(flatten)]
    local: LocalArgs,
    /// Ask the providers, too; they charge for it
    #[arg(long)]
    ask: bool,
    /// How it is printed: text for people, json for programs (a line per address)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Explains each address.
pub(super) fn explain(source: &Source, args: &ExplainArgs) -> Result<Exit, Failure> {
    let (mut events, addresses): (Vec<_>, Vec<_>) =
        args.addresses.iter().cloned().partition(|text| text.trim_start().starts_with('{'));
    if let Some(path) = &args.event {
        events.push(read_event(path)?);
    }
    // An event gets what is wanted of events.
    let want = if events.is_empty() { everything() } else { default_want() };
    let parts = Parts::read(source, &args.local, want)?;
    let settings = parts.settings(&args.local, None)?;
    let sources = parts.sources();
    let told = Arc::new(Told::default());
    let bill = Arc::new(Bill { told: Arc::clone(&told), ..Bill::default() });
    // Without --ask there is nobody who could send anything.
    let desk = if args.ask {
        let witness: Arc<dyn Witness> = Arc::clone(&bill) as _;
        WaitingDesk::watched(&sources, &settings, parts.fleet(), (told, witness))?
    } else {
        None
    };
    let mut tiers = Tiers { desk, bill, ..Tiers::of_memory(&settings, &sources) };
    let mut ends = Exit::Done;
    for event in &events {
        let explained = explain_event(&settings, event, |address| {
            let explained = tiers.explain(address);
            ends = ends.max(explained.why.map_or(Exit::Done, exit));
            explained
        })?;
        let text = match args.format {
            Format::Text => explained.text(),
            Format::Json => serde_json::to_string(&explained).unwrap_or_default() + "\n",
        };
        print(text.as_bytes())?;
    }
    let read = each(&addresses, |address| {
        let explained = tiers.explain(address);
        ends = ends.max(explained.why.map_or(Exit::Done, exit));
        let text = match args.format {
            Format::Text => explained.text(),
            Format::Json => serde_json::to_string(&explained).unwrap_or_default() + "\n",
        };
        print(text.as_bytes())
    })?;
    Ok(read.max(ends))
}

fn read_event(path: &Path) -> Result<String, Failure> {
    let mut event = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut event).map(drop)
    } else {
        std::fs::read(path).map(|bytes| event = bytes)
    };
    read.map_err(|error| cannot_read(path, &error))?;
    Ok(String::from_utf8_lossy(&event).trim_end().to_owned())
}

/// The calls since it was last looked at.
#[derive(Default)]
struct Bill {
    calls: Mutex<Vec<(String, Call)>>,
    told: Arc<Told>,
}

impl Bill {
    fn take(&self) -> Vec<(String, Call)> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Witness for Bill {
    fn called(&self, licence: &str, called: Called) {
        let call = Call { code: called.code, cost: called.units };
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((licence.to_owned(), call));
    }

    fn refused(&self, _: Reason) {}

    fn seen(&self, licence: &str, seen: &Seen) {
        self.told.seen(licence, seen);
    }

    fn token(&self, licence: &str, words: &str) {
        self.told.token(licence, words);
    }
}

/// One call to a provider.
#[derive(Clone, Copy, Debug, Serialize)]
struct Call {
    code: &'static str,
    cost: u64,
}

/// What one source has to do with an address.
#[derive(Debug, Default, Serialize)]
struct Tier {
    source: String,
    kind: &'static str,
    asked: bool,
    /// Why it is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip)]
    words: &'static str,
    /// A database: when it was built, and the network of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    built: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// A database: where its record is; None when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<usize>,
    /// A provider: what it would be asked for, at once and if others do not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asks: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    then: Vec<&'static str>,
    /// What it costs at most, and in what.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    /// What the cost is in money, or what its calls have cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    /// A provider that was asked: its calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<Call>,
    /// Groups that it answers, of which it has something but not all that is wanted, and that it
    /// closes: nothing is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partly: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    closes: Vec<&'static str>,
}

/// All that is to be said of an address.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    ip: String,
    scope: &'static str,
    tiers: Vec<Tier>,
    /// What is missing in the end.
    missing: Vec<&'static str>,
    /// With --ask: why not all could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<&'static str>,
    #[serde(skip)]
    why: Option<Reason>,
}

/// All that can be asked.
pub(super) struct Tiers<'c> {
    resolver: Resolver,
    plan: Plan<'c>,
    desk: Option<WaitingDesk>,
    bill: Arc<Bill>,
}

impl<'c> Tiers<'c> {
    /// All that can be asked without sending anything.
    pub(super) fn of_memory(settings: &StampSettings, sources: &Sources<'c>) -> Self {
        let resolver = Resolver::new(
            Arc::clone(&settings.wants),
            Arc::clone(&settings.databases),
            settings.cache.clone(),
            MEMORY_BYTES,
        );
        Self { resolver, plan: Plan::new(sources), desk: None, bill: Arc::default() }
    }

    pub(super) fn explain(&mut self, address: Address) -> Explained {
        self.resolver.refresh(Moment::now());
        let mut steps = Vec::new();
        let mut answer = self.resolver.explain(&address, &mut |step| steps.push(step));
        let databases = self.resolver.databases().len();
        let mut tiers: Vec<Tier> = steps
            .iter()
            .filter(|step| usize::from(step.source) < databases)
            .map(|step| self.database(address, *step))
            .collect();
        let told: Vec<Step> =
            steps.drain(..).filter(|step| usize::from(step.source) >= databases).collect();
        tiers.push(cache(&told));
        let mut providers = self.providers(address, answer.missing);
        let mut failed = None;
        if let Some(desk) = &self.desk
            && address.is_global()
            && !answer.missing.is_empty()
        {
            failed = desk.ask(&[(address.ip(), answer.missing)]);
            self.resolver.heard_of(address.ip());
            answer = self.resolver.explain(&address, &mut |step| steps.push(step));
            self.take_answers(&mut providers, &steps);
        }
        tiers.append(&mut providers);
        Explained {
            ip: address.ip().to_string(),
            scope: address.scope().name(),
            tiers,
            missing: names(answer.missing),
            failed: failed.map(Reason::name),
            why: failed,
        }
    }

    fn database(&self, address: Address, step: Step) -> Tier {
        let database = &self.resolver.databases()[usize::from(step.source)];
        let mut tier = Tier {
            source: database.name().to_string(),
            kind: "database",
            built: Some(Day::of(database.built()).to_string()),
            ..Tier::default()
        };
        match step.did {
            Did::NotGlobal => {
                tier.reason = Some("not_global");
                tier.words = "the address is not global, and it is not marked `non_global`";
            }
            Did::NotInOrder => {
                tier.reason = Some("not_in_order");
                tier.words = "`order` names others for all that it has";
            }
            Did::NotNeeded => {
                tier.reason = Some("nothing_missing");
                tier.words = "nothing that it has is missing";
            }
            Did::Said { .. } => {
                let place = database.network(address.ip());
                tier.record = place.as_ref().and_then(|(_, record)| *record);
                tier.network = place.map(|(network, _)| network.to_string());
                tier.take(step.did);
            }
        }
        tier
    }

    fn providers(&self, address: Address, missing: GroupSet) -> Vec<Tier> {
        let legs = self.plan.legs(address.ip(), missing).into_iter();
        let each = legs.zip(&self.plan.licences).map(|(leg, licence)| {
            let not = if address.is_global() { leg.not } else { Some(NotAsked::NotGlobal) };
            let mut tier = provider(licence);
            if let Some(not) = not {
                (tier.reason, tier.words) = (Some(not.name()), not.words());
                return tier;
            }
            tier.asks = names(leg.asks);
            tier.then = names(leg.then);
            let groups = if leg.asks.is_empty() { leg.then } else { leg.asks };
            let cost = price(licence, &[address.ip()], groups);
            tier.cost = Some(cost);
            tier.price = licence.unit_price.map(|price| price.of(cost));
            tier
        });
        each.collect()
    }

    /// What was bought, and what came of it.
    fn take_answers(&self, providers: &mut [Tier], steps: &[Step]) {
        let calls = self.bill.take();
        let sources = self.resolver.sources();
        for (tier, licence) in providers.iter_mut().zip(&self.plan.licences) {
            let own = calls.iter().filter(|(licence, _)| *licence == tier.source);
            tier.calls = own.map(|(_, call)| *call).collect();
            tier.asked = !tier.calls.is_empty();
            if tier.asked {
                let cost = tier.calls.iter().map(|call| call.cost).sum();
                tier.price = licence.unit_price.map(|price| price.of(cost));
            }
            let source = |step: &&Step| *sources[usize::from(step.source)].name == tier.source;
            if let Some(step) = steps.iter().find(source) {
                tier.take(step.did);
            }
        }
    }
}

fn provider(licence: &Licence<'_>) -> Tier {
    Tier {
        source: licence.name.to_owned(),
        kind: "provider",
        unit: Some(licence.api.unit()),
        ..Tier::default()
    }
}

fn cache(told: &[Step]) -> Tier {
    let mut tier = Tier { source: "cache".into(), kind: "cache", ..Tier::default() };
    if told.is_empty() {
        tier.reason = Some("empty");
    }
    for step in told {
        tier.take(step.did);
    }
    tier
}

fn names(groups: GroupSet) -> Vec<&'static str> {
    groups.iter().map(crate::record::FactGroup::name).collect()
}

impl Tier {
    fn take(&mut self, did: Did) {
        if let Did::Said { has, answers, closes, .. } = did {
            self.asked = true;
            self.answers.extend(names(answers));
            self.partly.extend(names(has.without(answers)));
            self.closes.extend(names(closes));
        }
    }

    /// `answers geo; closes privacy`.
    fn said(&self) -> String {
        let mut said = Vec::new();
        for (word, groups) in
            [("answers", &self.answers), ("has part of", &self.partly), ("closes", &self.closes)]
        {
            if !groups.is_empty() {
                said.push(format!("{word} {}", groups.join(", ")));
            }
        }
        if said.is_empty() { "says nothing of what is missing".into() } else { said.join("; ") }
    }

    fn text(&self) -> String {
        match self.kind {
            "cache" if !self.asked => {
                "has nothing of it: what other processes know is not read".into()
            }
            _ if self.reason.is_some() && !self.asked => {
                let built = self.built.as_ref().map(|built| format!(" (built {built})"));
                format!("not asked: {}{}", self.words, built.unwrap_or_default())
            }
            "database" => {
                let network = self.network.as_deref().unwrap_or("this family of addresses");
                let record = match self.record {
                    Some(offset) => format!("record {offset} of {network}"),
                    None => format!("no record of {network}"),
                };
                let built = self.built.as_deref().unwrap_or_default();
                format!("{record}: {} (built {built})", self.said())
            }
            "provider" if self.asked => self.bought(),
            "provider" => self.would(),
            _ => self.said(),
        }
    }

    fn would(&self) -> String {
        let cost = self.costs(self.cost.unwrap_or(0)) + " at most";
        match (self.asks.is_empty(), self.then.is_empty()) {
            (false, true) => format!("would be asked for {}: {cost}", self.asks.join(", ")),
            (false, false) => format!(
                "would be asked for {}: {cost}; for {} if those before it do not know",
                self.asks.join(", "),
                self.then.join(", ")
            ),
            (true, _) => format!(
                "would be asked for {} if those before it do not know: {cost}",
                self.then.join(", ")
            ),
        }
    }

    /// `3 credits (0.03 EUR)`.
    fn costs(&self, cost: u64) -> String {
        let price = self.price.as_ref().map(|price| format!(" ({price})"));
        units(cost, self.unit.unwrap_or_default()) + &price.unwrap_or_default()
    }

    fn bought(&self) -> String {
        let codes: Vec<_> = self.calls.iter().map(|call| call.code).collect();
        let cost: u64 = self.calls.iter().map(|call| call.cost).sum();
        let cost = self.costs(cost);
        let (codes, said) = (codes.join(", "), self.said());
        format!("asked: replied {codes}: {said}; it cost {cost}")
    }
}

impl Explained {
    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!("{}  {}\n", self.ip, self.scope)];
        let widest = self.tiers.iter().map(|tier| tier.source.len()).max().unwrap_or(0);
        for tier in &self.tiers {
            let Tier { kind, source, .. } = tier;
            lines.push(format!("  {kind:<8}  {source:<widest$}  {}\n", tier.text()));
        }
        if !self.missing.is_empty() {
            lines.push(format!("  missing   {}\n", self.missing.join(", ")));
        }
        if let Some(why) = self.why {
            lines.push(format!("  not all could be asked: {}\n", in_words(why)));
        }
        lines.concat()
    }
}
