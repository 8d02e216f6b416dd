//! `estimate`: what events would cost, by a sample of them. Reads files and topics, asks nobody.

mod growth;
mod report;
mod sample;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use self::growth::Growth;
use self::report::{Asked, Day, Hits, Missing, Report, Turn};
use self::sample::{Origin, Sample, Topics};
use super::enrich::no_address;
use super::local::{LocalArgs, Parts};
use super::output::{Format, print, say};
use super::plan::{Plan, price};
use super::run::MEMORY_LIMIT_BYTES;
use super::topic::Portion;
use super::{Exit, Failure, Source};
use crate::config::default_want;
use crate::record::{FactGroup, Facts as _, GroupSet, Moment};
use crate::resolve::budget::{BudgetConfig, Limits};
use crate::resolve::provider::Licence;
use crate::resolve::{CacheConfig, Lifetimes, Resolver, Wants};

const DAY: Duration = Duration::from_secs(86_400);
/// What is remembered is looked at after so many addresses, to keep it within its limit.
const ADDRESSES_PER_REFRESH: usize = 1000;

/// Say what events would cost; sends nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Files with one JSON event per line, or a topic of the configured cluster, which is read without a
group and without a commit; as many events as make a fair sample: an hour of a usual day. Addresses
that come again are asked once in the life of an answer; how much a day repeats itself is seen in the
sample.

Examples:
  ipstamp estimate --config ipstamp.yaml --from monday.ndjson
  ipstamp estimate --config ipstamp.yaml --from a.ndjson b.ndjson --events-per-day 50000000
  ipstamp estimate --config ipstamp.yaml --from topic:logs.web --records 500000
  ipstamp estimate --config ipstamp.yaml --processes 3 --events-per-day 50000000 --from - < events.ndjson

Exit codes: 0 done, 1 no event has an address where the configuration looks, 69 a file or a topic
cannot be read, 77 the brokers refuse us, 78 the configuration is refused.")]
pub(super) struct EstimateArgs {
    /// Files with events, `-` for stdin, or `topic:NAME`
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    from: Vec<Origin>,
    /// Of a topic, so many of the newest records
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    records: u64,
    /// Of a topic, the oldest records and not the newest
    #[arg(long)]
    oldest: bool,
    /// Say what a day of so many events would cost
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    events_per_day: Option<u64>,
    /// So many processes share the events; without `cache.topic` each pays for itself
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    processes: u32,
    #[command(flatten)]
    local: LocalArgs,
    /// How it is printed: text for people, json for programs
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Reads the events and prints what they would cost.
pub(super) fn estimate(source: &Source, args: &EstimateArgs) -> Result<Exit, Failure> {
    let parts = Parts::read(source, &args.local, default_want())?;
    let settings = parts.settings(&args.local, None)?;
    let topics = Topics {
        client: parts.kafka.as_ref().map(crate::kafka::Config::client),
        portion: Portion { records: args.records, oldest: args.oldest },
    };
    let sample = Sample::read(&args.from, &topics, &settings)?;
    let resolver = Resolver::new(
        settings.wants.clone(),
        settings.databases.clone(),
        settings.cache.clone(),
        MEMORY_LIMIT_BYTES,
    );
    let plan = Plan::new(&parts.sources());
    let mut count = Count::default();
    count.all(&sample, resolver, &settings.wants, &plan);
    let bill = Bill {
        events: sample.tally.events,
        events_per_day: args.events_per_day,
        // One that another has paid for is paid for.
        payers: if parts.cache.topic.is_some() { 1 } else { args.processes },
        cache: &parts.cache,
    };
    let report = Report {
        events: sample.tally.events,
        sightings: sample.sightings,
        addresses: sample.addresses.len() as u64,
        not_global: count.not_global,
        databases: count.databases(),
        missing: count.missing(),
        asked: count.asked,
        providers: bill.providers(&plan, &count),
        processes: args.processes,
        cache_topic: parts.cache.topic.clone(),
        events_per_day: args.events_per_day,
    };
    let text = match args.format {
        Format::Text => report.text(),
        Format::Json => serde_json::to_string(&report).unwrap_or_default() + "\n",
    };
    print(text.as_bytes())?;
    if sample.addresses.is_empty() {
        say(&no_address(&settings.addresses));
        return Ok(Exit::Findings);
    }
    Ok(Exit::Done)
}

/// What the databases know of the addresses, and who would be asked for the rest.
#[derive(Default)]
struct Count {
    names: Vec<String>,
    global: u64,
    not_global: u64,
    /// By database and group.
    hits: BTreeMap<(usize, FactGroup), u64>,
    missing: BTreeMap<FactGroup, u64>,
    asked: u64,
    /// By licence, its turn, and the groups that it is asked for in one call: the addresses, and the
    /// event in which each came first.
    asks: BTreeMap<(usize, Turn, u16), Vec<(IpAddr, u64)>>,
    /// By licence and its turn: the systems that it is asked for by their numbers.
    systems: BTreeMap<(usize, Turn), Systems>,
}

/// Systems that are asked for by their numbers.
#[derive(Default)]
struct Systems {
    /// The event in which each came first.
    known: BTreeMap<u32, u64>,
    /// The same of addresses whose number only the answer will have: each may bring another.
    unknown: Vec<u64>,
}

impl Systems {
    fn firsts(&self) -> Vec<u64> {
        self.known.values().chain(&self.unknown).copied().collect()
    }
}

impl Count {
    fn all(&mut self, sample: &Sample, mut resolver: Resolver, wants: &Wants, plan: &Plan<'_>) {
        let databases = resolver.databases().len();
        let sources = resolver.sources().into_iter().take(databases);
        self.names = sources.map(|source| source.name.to_string()).collect();
        for (number, (address, first)) in sample.in_order().into_iter().enumerate() {
            if number % ADDRESSES_PER_REFRESH == 0 {
                resolver.refresh(Moment::now());
            }
            if !address.is_global() {
                self.not_global += 1;
                continue;
            }
            self.global += 1;
            let answer = resolver.resolve(&address);
            for part in answer.parts() {
                for group in part.groups.without(answer.missing).iter() {
                    *self.hits.entry((usize::from(part.source), group)).or_default() += 1;
                }
            }
            for group in answer.missing.iter() {
                *self.missing.entry(group).or_default() += 1;
            }
            if !answer.missing.is_empty() {
                // By a file that has not all that is wanted of it.
                let system = answer.facts_for(FactGroup::As).and_then(|facts| {
                    resolver.enrichment(facts).autonomous_system.and_then(|system| system.number)
                });
                self.ask(plan, (address.ip(), system), answer.missing, wants, first);
            }
        }
    }

    fn ask(
        &mut self,
        plan: &Plan<'_>,
        (address, system): (IpAddr, Option<u32>),
        missing: GroupSet,
        wants: &Wants,
        first: u64,
    ) {
        let mut any = false;
        for (licence, leg) in plan.legs(address, missing).into_iter().enumerate() {
            let fields = plan.licences[licence].api.system_fields();
            for (turn, groups) in [(Turn::First, leg.asks), (Turn::Next, leg.then)] {
                if groups.is_empty() {
                    continue;
                }
                any |= turn == Turn::First;
                let as_only = groups == GroupSet::EMPTY.with(FactGroup::As);
                let instead = as_only && system.is_some() && wants.are_of_systems(fields);
                if !instead {
                    let asked = self.asks.entry((licence, turn, groups.bits())).or_default();
                    asked.push((address, first));
                }
                if groups.contains(FactGroup::As) && wants.any_of_systems(fields) {
                    let systems = self.systems.entry((licence, turn)).or_default();
                    match system {
                        Some(number) => drop(systems.known.entry(number).or_insert(first)),
                        None => systems.unknown.push(first),
                    }
                }
            }
        }
        self.asked += u64::from(any);
    }

    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.global.max(1) as f64
    }

    fn databases(&self) -> Vec<Hits> {
        let hits = self.hits.iter().map(|((database, group), count)| Hits {
            database: self.names.get(*database).cloned().unwrap_or_default(),
            group: group.name(),
            addresses: *count,
            rate: self.rate(*count),
        });
        hits.collect()
    }

    fn missing(&self) -> Vec<Missing> {
        let missing = self.missing.iter().map(|(group, count)| Missing {
            group: group.name(),
            addresses: *count,
            rate: self.rate(*count),
        });
        missing.collect()
    }
}

/// What may be spent in a day so that a month's budget lasts, too.
fn of_a_day(limits: Limits) -> Option<u64> {
    limits.day.into_iter().chain(limits.month.map(|month| month / 30)).min()
}

/// What decides how dear a day is.
struct Bill<'c> {
    events: u64,
    events_per_day: Option<u64>,
    payers: u32,
    cache: &'c CacheConfig,
}

impl Bill<'_> {
    fn providers(&self, plan: &Plan<'_>, count: &Count) -> Vec<Asked> {
        let asks = count.asks.iter().map(|((licence, turn, groups), addresses)| {
            let groups = GroupSet::from_bits(*groups);
            self.addresses(&plan.licences[*licence], *turn, groups, addresses)
        });
        let systems = count.systems.iter().map(|((licence, turn), systems)| {
            self.systems(&plan.licences[*licence], *turn, &systems.firsts())
        });
        let mut asked: Vec<_> = asks.chain(systems).collect();
        // Each provider's together, as it is in the plan.
        let place =
            |asked: &Asked| plan.licences.iter().position(|licence| licence.name == asked.provider);
        asked.sort_by_key(|asked| (place(asked), asked.turn));
        asked
    }

    fn addresses(
        &self,
        licence: &Licence<'_>,
        turn: Turn,
        groups: GroupSet,
        addresses: &[(IpAddr, u64)],
    ) -> Asked {
        let most = licence.api.most_per_call(licence.api.first_modules()).max(1);
        let (ips, firsts): (Vec<IpAddr>, Vec<u64>) = addresses.iter().copied().unzip();
        let units = ips.chunks(most).map(|chunk| price(licence, chunk, groups)).sum();
        self.asked(licence, (turn, groups), (&firsts, most, units), false)
    }

    fn systems(&self, licence: &Licence<'_>, turn: Turn, firsts: &[u64]) -> Asked {
        let each = licence.api.system_call(0).map_or(0, |call| call.dearest);
        let groups = GroupSet::EMPTY.with(FactGroup::As);
        self.asked(licence, (turn, groups), (firsts, 1, each * firsts.len() as u64), true)
    }

    /// `firsts`: the event in which each came first; so many at `most` go into a call.
    fn asked(
        &self,
        licence: &Licence<'_>,
        (turn, groups): (Turn, GroupSet),
        (firsts, most, units): (&[u64], usize, u64),
        of_systems: bool,
    ) -> Asked {
        let count = firsts.len() as u64;
        let early = firsts.iter().filter(|first| **first <= self.events / 2).count();
        let growth = Growth::of(self.events, count, early as u64);
        let price = |units| licence.unit_price.map(|price| price.of(units));
        let of = |count| if of_systems { (0, count) } else { (count, 0) };
        let per_day = self.events_per_day.map(|events| {
            let windows = windows(&self.cache.lifetimes(licence.ttl), groups);
            let found = growth.in_a_day(events, windows, self.payers);
            let each = units as f64 / count.max(1) as f64;
            let limits = licence.budget.and_then(BudgetConfig::limits);
            let units = (found as f64 * each).ceil() as u64;
            let (addresses, systems) = of(found);
            Day {
                addresses,
                systems,
                calls: found.div_ceil(most as u64),
                units,
                price: price(units),
                budget: limits.and_then(of_a_day),
            }
        });
        let (addresses, systems) = of(count);
        Asked {
            provider: licence.name.to_owned(),
            turn,
            groups: groups.iter().map(FactGroup::name).collect(),
            addresses,
            systems,
            calls: count.div_ceil(most as u64),
            most_per_call: most as u64,
            units,
            unit: licence.api.unit(),
            price: price(units),
            unpriced: (licence.unit_price.is_none() && licence.api.overage_costs())
                .then(|| format!("{}.unit_price", licence.key)),
            per_day,
        }
    }
}

/// How often in a day an answer ends: with the first of its groups.
fn windows(lifetimes: &Lifetimes, groups: GroupSet) -> f64 {
    /// Nothing is thought of that holds for longer.
    const LONGEST: Duration = Duration::from_secs(30 * 86_400);
    let shortest = groups.iter().map(|group| lifetimes.of(group)).min();
    let life = shortest.unwrap_or(DAY).clamp(Duration::from_secs(1), LONGEST);
    DAY.as_secs_f64() / life.as_secs_f64()
}
