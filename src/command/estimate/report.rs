//! What an estimate says, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::command::output::{counted, units};
use crate::resolve::provider::Money;

/// The whole estimate.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) events: u64,
    pub(super) sightings: u64,
    /// Distinct ones.
    pub(super) addresses: u64,
    /// Of these, those that nobody outside is ever asked for.
    pub(super) not_global: u64,
    pub(super) databases: Vec<Hits>,
    /// Global addresses of which a group is missing after the databases.
    pub(super) missing: Vec<Missing>,
    /// Addresses for which a provider would have to be asked.
    pub(super) asked: u64,
    pub(super) providers: Vec<Asked>,
    pub(super) processes: u32,
    /// The topic in which answers are shared.
    pub(super) cache_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) events_per_day: Option<u64>,
}

/// How many addresses a database answers of a group.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Hits {
    pub(super) database: String,
    pub(super) group: &'static str,
    pub(super) addresses: u64,
    /// Of the global ones, 0 to 1.
    pub(super) rate: f64,
}

/// How many addresses lack a group.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Missing {
    pub(super) group: &'static str,
    pub(super) addresses: u64,
    /// Of the global ones, 0 to 1.
    pub(super) rate: f64,
}

/// When a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Turn {
    /// In any case.
    First,
    /// If those before it know nothing or cannot be asked.
    Next,
}

/// What a provider is asked.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Asked {
    pub(super) provider: String,
    pub(super) turn: Turn,
    pub(super) groups: Vec<&'static str>,
    pub(super) addresses: u64,
    /// Or so many autonomous systems, each by its number.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) systems: u64,
    /// With full batches.
    pub(super) calls: u64,
    pub(super) most_per_call: u64,
    pub(super) units: u64,
    pub(super) unit: &'static str,
    /// In money, where it is written what a unit costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<Money>,
    /// Where that is to be written, if it charges for what goes beyond its plan and it is not.
    #[serde(skip)]
    pub(super) unpriced: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_day: Option<Day>,
}

/// What a day is expected to bring.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Day {
    pub(super) addresses: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub(super) systems: u64,
    pub(super) calls: u64,
    pub(super) units: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<Money>,
    /// The budget of a day, or the thirtieth of a month's, for all that the provider is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget: Option<u64>,
}

impl Report {
    /// For people.
    pub(super) fn text(&self) -> String {
        // Writing to a string does not fail.
        let mut text = format!(
            "{}: {} of {}, {} not global and never sent\n",
            counted(self.events, "event", "events"),
            counted(self.sightings, "sighting", "sightings"),
            counted(self.addresses, "address", "addresses"),
            self.not_global
        );
        text += "\nof the global addresses, by database and fact group\n";
        for Hits { database, group, addresses, rate } in &self.databases {
            let _ = writeln!(
                text,
                "  {database:<16} {group:<9} {addresses:>10}  {:>5.1} %",
                rate * 100.0
            );
        }
        for Missing { group, addresses, rate } in &self.missing {
            let _ = writeln!(
                text,
                "  {:<16} {group:<9} {addresses:>10}  {:>5.1} %",
                "missing",
                rate * 100.0
            );
        }
        if self.providers.is_empty() {
            text += "\nno provider would be asked\n";
            return text;
        }
        let _ = writeln!(
            text,
            "\na provider would be asked for {}",
            counted(self.asked, "address", "addresses")
        );
        for asked in &self.providers {
            asked.text(self.events_per_day, &mut text);
        }
        self.budgets(&mut text);
        self.money(&mut text);
        if self.providers.iter().any(|asked| asked.turn == Turn::Next) {
            text += "  who is asked next is counted as if those before it knew nothing; the sums are of \
                     what is asked first\n";
        }
        let shared = match &self.cache_topic {
            Some(topic) => format!("answers are shared in {topic}: an address is paid for once\n"),
            None => format!(
                "cache.topic is not set: each process pays for itself, here {}, and again after a \
                 restart\n",
                counted(u64::from(self.processes), "process", "processes")
            ),
        };
        text + &shared
    }
}

impl Report {
    /// Whether a day's budget reaches, for each provider that has one.
    fn budgets(&self, text: &mut String) {
        let mut totals: BTreeMap<&str, (u64, u64, &str)> = BTreeMap::new();
        for asked in self.first() {
            if let Some(Day { units, budget: Some(budget), .. }) = asked.per_day {
                totals.entry(&asked.provider).or_insert((0, budget, asked.unit)).0 += units;
            }
        }
        for (provider, (total, budget, unit)) in totals {
            let stands = if total > budget { "MORE than" } else { "within" };
            let total = units(total, unit);
            let _ = writeln!(text, "  {provider}: {total} a day, {stands} its budget of {budget}");
        }
    }

    /// What that is in money, by currency.
    fn money(&self, text: &mut String) {
        let mut sums = |prices: Vec<&Money>, what: &str| {
            let currencies: BTreeSet<_> = prices.iter().map(|price| price.currency()).collect();
            for currency in currencies {
                let own = prices.iter().filter(|price| price.currency() == currency);
                if let Some(sum) = Money::sum(own.copied()) {
                    let _ = writeln!(text, "  {what}: {sum} at most");
                }
            }
        };
        let of_sample = self.first().filter_map(|asked| asked.price.as_ref());
        sums(of_sample.collect(), "the sample in money");
        let days = self.first().filter_map(|asked| asked.per_day.as_ref());
        sums(days.filter_map(|day| day.price.as_ref()).collect(), "a day in money");
        let unpriced: BTreeSet<_> =
            self.providers.iter().filter_map(|asked| asked.unpriced.as_ref()).collect();
        for key in unpriced {
            let _ = writeln!(text, "  in money it is not known: {key} says what a unit costs");
        }
    }

    fn first(&self) -> impl Iterator<Item = &Asked> {
        self.providers.iter().filter(|asked| asked.turn == Turn::First)
    }
}

impl Asked {
    fn text(&self, events_per_day: Option<u64>, text: &mut String) {
        let turn = match self.turn {
            Turn::First => "first",
            Turn::Next => "next, if those before it do not know",
        };
        let _ = writeln!(
            text,
            "  {}, {turn}: {} of {}, {} of up to {}, {} at most{}",
            self.provider,
            self.groups.join(", "),
            asked_for(self.addresses, self.systems),
            counted(self.calls, "call", "calls"),
            self.most_per_call,
            units(self.units, self.unit),
            in_money(self.price.as_ref()),
        );
        if let (Some(day), Some(events)) = (&self.per_day, events_per_day) {
            let _ = writeln!(
                text,
                "    a day of {events} events: about {}, {}, {}{}",
                asked_for(day.addresses, day.systems),
                counted(day.calls, "call", "calls"),
                units(day.units, self.unit),
                in_money(day.price.as_ref()),
            );
        }
    }
}

fn in_money(price: Option<&Money>) -> String {
    price.map_or_else(String::new, |price| format!(" ({price})"))
}

/// Of what a provider is asked: of addresses, or of systems.
fn asked_for(addresses: u64, systems: u64) -> String {
    if systems > 0 {
        return counted(systems, "system by its number", "systems by their numbers");
    }
    counted(addresses, "address", "addresses")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}
