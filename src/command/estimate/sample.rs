//! The addresses of a sample of events: read as `run` reads them, kept each once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rdkafka::ClientConfig;

use crate::command::enrich::cannot_read;
use crate::command::lines::{StreamError, Tally, stamp_lines};
use crate::command::output::cannot_write;
use crate::command::topic::{self, Portion};
use crate::command::{Exit, Failure};
use crate::extract::{Extractor, Findings};
use crate::pipeline::StampSettings;
use crate::record::{Address, Outcome};

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file, `-` for stdin.
    File(PathBuf),
    /// A topic of the configured cluster.
    Topic(String),
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix("topic:") {
            Some("") => Err("the topic's name is missing; write topic:NAME"),
            Some(name) => Ok(Self::Topic(name.into())),
            None => Ok(Self::File(text.into())),
        }
    }
}

/// How topics are read.
pub(super) struct Topics {
    /// How to reach the brokers; None without a configuration.
    pub(super) client: Option<ClientConfig>,
    pub(super) portion: Portion,
}

/// What was found in the events.
#[derive(Default)]
pub(super) struct Sample {
    /// How they ended, or would have.
    pub(super) tally: Tally,
    /// Addresses, as often as they stand there.
    pub(super) sightings: u64,
    /// Each address, with the number of the event in which it came first.
    pub(super) addresses: HashMap<IpAddr, u64>,
}

impl Sample {
    /// Reads all of them.
    pub(super) fn read(
        origins: &[Origin],
        topics: &Topics,
        settings: &StampSettings,
    ) -> Result<Self, Failure> {
        let needs = settings.writing.needs();
        let extractor = Extractor::new(&settings.addresses, &needs);
        let extractor = extractor.map_err(|error| Failure::new(Exit::Config, error))?;
        let mut finder = Finder { extractor, findings: Findings::default() };
        let mut sample = Self::default();
        for origin in origins {
            match origin {
                Origin::File(path) => sample.add_file(path, &mut finder)?,
                Origin::Topic(name) => sample.add_topic(name, topics, &mut finder)?,
            }
        }
        Ok(sample)
    }

    fn add_file(&mut self, path: &Path, finder: &mut Finder) -> Result<(), Failure> {
        let done = if path == Path::new("-") {
            self.add_lines(&mut io::stdin().lock(), finder)
        } else {
            let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
            self.add_lines(&mut BufReader::new(file), finder)
        };
        done.map_err(|error| match error {
            StreamError::Read(error) => cannot_read(path, &error),
            StreamError::Write(error) => cannot_write(&error),
        })
    }

    fn add_lines(
        &mut self,
        input: &mut impl BufRead,
        finder: &mut Finder,
    ) -> Result<(), StreamError> {
        let Self { tally, sightings, addresses } = self;
        let mut number = tally.events;
        stamp_lines(input, &mut io::sink(), tally, |event, _| {
            number += 1;
            let outcome = finder.find(event);
            for ip in finder.found() {
                *sightings += 1;
                addresses.entry(ip).or_insert(number);
            }
            outcome
        })
    }

    /// Partitions come one after the other, or in any mixture: what came first is told by the
    /// records' own times.
    fn add_topic(
        &mut self,
        name: &str,
        topics: &Topics,
        finder: &mut Finder,
    ) -> Result<(), Failure> {
        let Some(client) = &topics.client else {
            let message =
                "a topic is read from the cluster of a configuration; name it with --config";
            return Err(Failure::new(Exit::Usage, message));
        };
        let (mut times, mut found) = (Vec::new(), Vec::new());
        topic::read(client, name, topics.portion, |record| {
            let outcome = record.payload().map_or(Outcome::Unchanged(None), |event| {
                let outcome = finder.find(event);
                found.extend(finder.found());
                outcome
            });
            self.tally.count(outcome);
            times.push((record.timestamp(), found.len()));
        })?;
        let before = self.tally.events - times.len() as u64;
        self.sightings += found.len() as u64;
        let starts = std::iter::once(0).chain(times.iter().map(|(_, end)| *end));
        let mut in_order: Vec<_> =
            times.iter().zip(starts).map(|((time, end), start)| (*time, start..*end)).collect();
        in_order.sort_by_key(|(time, _)| *time);
        for (number, (_, stretch)) in (before + 1..).zip(in_order) {
            for ip in &found[stretch] {
                self.addresses.entry(*ip).or_insert(number);
            }
        }
        Ok(())
    }

    /// The addresses in the order of their coming.
    pub(super) fn in_order(&self) -> Vec<(Address, u64)> {
        let mut all: Vec<_> = self.addresses.iter().map(|(ip, first)| (*first, *ip)).collect();
        all.sort_unstable();
        all.into_iter().map(|(first, ip)| (Address::new(ip), first)).collect()
    }
}

/// Finds the addresses of one event after the other.
struct Finder {
    extractor: Extractor,
    findings: Findings,
}

impl Finder {
    /// How the event would end without its addresses.
    fn find(&mut self, event: &[u8]) -> Outcome {
        match self.extractor.read(event, &mut self.findings) {
            Ok(_) => Outcome::Unchanged(None),
            Err(unreadable) => Outcome::Unchanged(Some(unreadable.reason())),
        }
    }

    /// The addresses of the event that was looked at last.
    fn found(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let sightings = self.findings.parts().iter().flat_map(|part| &part.outline.sightings);
        sightings.map(|sighting| sighting.address.ip())
    }
}
