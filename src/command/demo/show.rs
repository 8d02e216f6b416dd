//! The first events, before and after, on stdout: shown in turn, each when both of it are there.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use serde_json::Value;

use super::sample::{compare, lay_out};
use crate::command::output::print;
use crate::command::{Failure, say};

/// An event by its number.
type Told = Receiver<(u64, Vec<u8>)>;

/// What has come of an event.
#[derive(Default)]
struct Pair {
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

/// Events that are to be shown.
pub(super) struct Show {
    before: Told,
    after: Told,
    pairs: BTreeMap<u64, Pair>,
    next: u64,
    last: u64,
    begun: Instant,
    providers: Vec<String>,
}

impl Show {
    /// The first `count` events. `providers`: those of the sources that are asked over the network.
    pub(super) fn new(before: Told, after: Told, count: u64, providers: &[&str]) -> Self {
        let (pairs, begun) = (BTreeMap::new(), Instant::now());
        let providers = providers.iter().map(ToString::to_string).collect();
        Self { before, after, pairs, next: 0, last: count, begun, providers }
    }

    /// Whether all have been shown.
    pub(super) fn is_over(&self) -> bool {
        self.next == self.last
    }

    /// Shows what has come since.
    pub(super) fn go_on(&mut self) -> Result<(), Failure> {
        for (number, event) in self.before.try_iter() {
            self.pairs.entry(number).or_default().before = Some(event);
        }
        for (number, event) in self.after.try_iter() {
            self.pairs.entry(number).or_default().after = Some(event);
        }
        while let Some(Pair { before: Some(before), after: Some(after) }) =
            self.pairs.get(&self.next)
        {
            if self.next == 0 {
                let seconds = self.begun.elapsed().as_secs_f64();
                say(&format!("The first event is through after {seconds:.1} s."));
            }
            say(&format!("\nEvent {}, as it came:", self.next + 1));
            print(lay_out(before).unwrap_or_default().as_bytes())?;
            let event = self.next + 1;
            say(&format!(
                "\nEvent {event}, as it went out; + is what was put in{}:",
                self.by(after)
            ));
            let colour = io::stdout().is_terminal();
            print(compare(before, after, colour).unwrap_or_default().as_bytes())?;
            self.pairs.remove(&self.next);
            self.next += 1;
            if self.is_over() {
                say("");
            }
        }
        Ok(())
    }

    /// Whose facts are in an event, by its stamp.
    fn by(&self, event: &[u8]) -> String {
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        let names = event["ipstamp"]["sources"].as_object().into_iter().flat_map(|map| map.keys());
        let (providers, databases): (Vec<_>, Vec<_>) =
            names.cloned().partition(|name| self.providers.contains(name));
        let with = [(" from the databases ", databases), (" from the providers ", providers)];
        let with = with.iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<_> =
            with.map(|(words, names)| format!("{words}{}", names.join(", "))).collect();
        if parts.is_empty() { String::new() } else { format!(",{}", parts.join(" and")) }
    }
}
