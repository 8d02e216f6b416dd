//! The addresses of a sample of events: read as `run` reads them, kept each once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::command::enrich::cannot_read;
use crate::command::lines::{StreamError, Tally, stamp_lines};
use crate::command::output::cannot_write;
use crate::command::{Exit, Failure};
use crate::encode::Encoder;
use crate::extract::{Extractor, Shape};
use crate::pipeline::StampSettings;
use crate::record::{Address, Outcome, Outline};

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
    /// Reads all files, `-` for stdin.
    pub(super) fn read(files: &[PathBuf], settings: &StampSettings) -> Result<Self, Failure> {
        let needs = Encoder::needs(settings.profile);
        let extractor = Extractor::new(&settings.addresses, &needs);
        let mut extractor = extractor.map_err(|error| Failure::new(Exit::Config, error))?;
        let mut sample = Self::default();
        for path in files {
            let done = if path == Path::new("-") {
                sample.add(&mut io::stdin().lock(), &mut extractor)
            } else {
                let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
                sample.add(&mut BufReader::new(file), &mut extractor)
            };
            done.map_err(|error| match error {
                StreamError::Read(error) => cannot_read(path, &error),
                StreamError::Write(error) => cannot_write(&error),
            })?;
        }
        Ok(sample)
    }

    fn add(
        &mut self,
        input: &mut impl BufRead,
        extractor: &mut Extractor,
    ) -> Result<(), StreamError> {
        let Self { tally, sightings, addresses } = self;
        let mut outline = Outline::default();
        let mut number = tally.events;
        stamp_lines(input, &mut io::sink(), tally, |event, _| {
            number += 1;
            match extractor.scan(event, &mut outline) {
                Ok(Shape::Object) => {}
                Ok(Shape::Other) => return Outcome::Unchanged(None),
                Err(unreadable) => return Outcome::Unchanged(Some(unreadable.reason())),
            }
            for sighting in &outline.sightings {
                *sightings += 1;
                addresses.entry(sighting.address.ip()).or_insert(number);
            }
            Outcome::Unchanged(None)
        })
    }

    /// The addresses in the order of their coming.
    pub(super) fn in_order(&self) -> Vec<(Address, u64)> {
        let mut all: Vec<_> = self.addresses.iter().map(|(ip, first)| (*first, *ip)).collect();
        all.sort_unstable();
        all.into_iter().map(|(first, ip)| (Address::new(ip), first)).collect()
    }
}
