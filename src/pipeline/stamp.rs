//! Extract, resolve and encode in a row: an event's bytes to what is to be written of it. The same
//! for a worker and for files without Kafka.

use std::net::IpAddr;
use std::sync::Arc;

use crate::encode::{Encoder, Existing, Profile};
use crate::extract::{self, Extractor, Shape};
use crate::record::{Answer, GroupSet, Moment, Outcome, Outline, Reason, Role};
use crate::resolve::{Cache, CacheLookups, CacheScope, DatabaseSet, Resolver, Wants};

/// What stamping needs to know, for each worker to make a [`Stamper`] of its own.
#[derive(Clone)]
pub struct StampSettings {
    /// Where addresses stand.
    pub addresses: extract::Config,
    /// What is wanted of them.
    pub wants: Arc<Wants>,
    /// The files in force.
    pub databases: Arc<DatabaseSet>,
    /// What providers answered, and which of it may be used here.
    pub cache: (Arc<Cache>, CacheScope),
    /// How facts are written.
    pub profile: Profile,
    /// What happens to facts that the event already has.
    pub existing: Existing,
    /// For everything that is remembered to be fast, of one worker.
    pub memory_limit_bytes: usize,
}

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// It goes out as it came.
    Unchanged(Option<Reason>),
    /// [`Stamper::write`] writes so many bytes.
    Written {
        /// The length of the output.
        len: usize,
        /// How the record ends.
        outcome: Outcome,
    },
    /// Something wanted is missing that a provider may know: see [`Stamper::missing`].
    Missing,
}

/// Addresses, and what is missing of each.
pub type Missing = Vec<(IpAddr, GroupSet)>;

/// What becomes of a record of which something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It waits: somebody was asked.
    Wait,
    /// It goes out as it is.
    GoOn {
        /// Why nobody is waited for.
        reason: Reason,
        /// An answer has come meanwhile: memory knows more than it did.
        look_again: bool,
    },
}

impl Ask {
    /// Nobody is asked.
    pub fn nobody(reason: Reason) -> Self {
        Self::GoOn { reason, look_again: false }
    }
}

/// What was found in events, counted since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Addresses, by role in the order of [`Role::ALL`].
    pub sightings: [u64; Role::ALL.len()],
    /// Values at configured paths that are no address.
    pub unreadable: u64,
    /// Addresses beyond the limit per record.
    pub left_out: u64,
}

/// Stamps one event after the other. Belongs to one thread; allocates nothing in steady state.
pub struct Stamper {
    extractor: Extractor,
    resolver: Resolver,
    encoder: Encoder,
    outline: Outline,
    answers: Vec<Answer>,
    missing: Missing,
    found: Found,
    cache: (Arc<Cache>, CacheScope),
}

impl Stamper {
    /// Fails when a path makes no sense.
    pub fn new(settings: &StampSettings) -> Result<Self, extract::ExtractConfigError> {
        // Rendered bytes are what is most of, and what is dearest to make again.
        let for_resolver = settings.memory_limit_bytes / 3;
        let for_encoder = settings.memory_limit_bytes - for_resolver;
        let resolver = Resolver::new(
            Arc::clone(&settings.wants),
            Arc::clone(&settings.databases),
            settings.cache.clone(),
            for_resolver,
        );
        let paths: Vec<String> =
            settings.addresses.paths.iter().map(|path| path.path.clone()).collect();
        let encoder = Encoder::new(settings.profile, settings.existing, &paths, for_encoder);
        let needs = Encoder::needs(settings.profile);
        Ok(Self {
            extractor: Extractor::new(&settings.addresses, &needs)?,
            resolver,
            encoder,
            outline: Outline::default(),
            answers: Vec::new(),
            missing: Vec::new(),
            found: Found::default(),
            cache: settings.cache.clone(),
        })
    }

    /// Takes newer databases into use, and notices what others heard of providers. Called between
    /// batches, with the time of day: a record is stamped from one set.
    pub fn refresh(&mut self, now: Moment) {
        self.resolver.refresh(now);
    }

    /// Reads and resolves an event. `ask` is called when something wanted is missing, with what is
    /// missing of which address; an address may stand there twice.
    pub fn stamp(&mut self, event: &[u8], ask: &mut dyn FnMut(&mut Missing) -> Ask) -> Stamp {
        match self.extractor.scan(event, &mut self.outline) {
            Ok(Shape::Object) => {}
            Ok(_) => return Stamp::Unchanged(None),
            Err(unreadable) => return Stamp::Unchanged(Some(unreadable.reason())),
        }
        self.count();
        if !self.resolve() {
            return Stamp::Unchanged(None);
        }
        let mut outcome = match self.outline.left_out {
            0 => Outcome::Enriched,
            _ => Outcome::Partial(Reason::AddressLimit),
        };
        if !self.missing.is_empty() {
            match ask(&mut self.missing) {
                Ask::Wait => return Stamp::Missing,
                Ask::GoOn { reason, look_again } => {
                    if look_again {
                        let asked = std::mem::take(&mut self.missing);
                        for (address, _) in asked {
                            self.resolver.heard_of(address);
                        }
                        self.resolve();
                    }
                    if !self.missing.is_empty() {
                        outcome = Outcome::Partial(reason);
                    }
                }
            }
        }
        let len =
            self.encoder.plan(event, &self.outline, &self.answers, &mut self.resolver, outcome);
        Stamp::Written { len, outcome }
    }

    /// Resolves all addresses of the event. False when none of them is to be looked up.
    fn resolve(&mut self) -> bool {
        self.answers.clear();
        self.missing.clear();
        let mut touched = self.outline.left_out > 0;
        for sighting in &self.outline.sightings {
            let answer = self.resolver.resolve(&sighting.address);
            touched |= sighting.address.is_global() || !answer.is_empty();
            if !answer.missing.is_empty() && sighting.address.is_global() {
                self.missing.push((sighting.address.ip(), answer.missing));
            }
            self.answers.push(answer);
        }
        touched
    }

    /// Writes what the last call of [`Stamper::stamp`] planned; `out` is exactly as long as it said.
    pub fn write(&self, event: &[u8], out: &mut [u8]) {
        self.encoder.write(event, out);
    }

    /// A provider has answered for the address, or said that it cannot: what the cache has of it
    /// now is used from here on.
    pub fn heard_of(&mut self, address: IpAddr) {
        self.resolver.heard_of(address);
    }

    /// What providers answered, of all scopes.
    pub fn cache(&self) -> &Cache {
        &self.cache.0
    }

    /// The questions to the cache since the last call.
    pub fn take_cache_lookups(&mut self) -> CacheLookups {
        self.resolver.take_cache_lookups()
    }

    /// What was found since the last call.
    pub fn take_found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }

    fn count(&mut self) {
        for sighting in &self.outline.sightings {
            self.found.sightings[sighting.role as usize] += 1;
        }
        self.found.unreadable += u64::from(self.outline.unreadable);
        self.found.left_out += u64::from(self.outline.left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Want;

    #[test]
    fn addresses_beyond_the_limit_make_a_record_partial_and_its_stamp_says_how_many() {
        let settings = StampSettings {
            addresses: extract::Config { limit: 2, ..extract::Config::default() },
            wants: Arc::new(Wants::new(&[Want("geo".into())]).unwrap()),
            databases: Arc::new(DatabaseSet::new(Vec::new()).unwrap()),
            cache: Default::default(),
            profile: Profile::Ecs,
            existing: Existing::Keep,
            memory_limit_bytes: 1 << 20,
        };
        let mut stamper = Stamper::new(&settings).unwrap();
        let mut stamped = |ips: &str| {
            let event = format!(r#"{{"host":{{"ip":[{ips}]}}}}"#);
            match stamper.stamp(event.as_bytes(), &mut |_| Ask::nobody(Reason::NotFound)) {
                Stamp::Written { len, outcome } => {
                    let mut out = vec![0; len];
                    stamper.write(event.as_bytes(), &mut out);
                    (Some(outcome), String::from_utf8(out).unwrap())
                }
                Stamp::Unchanged(_) | Stamp::Missing => (None, event),
            }
        };
        // Nothing is to be looked up of private addresses, so what is missing is the others.
        assert_eq!(stamped(r#""10.0.0.1","10.0.0.2""#).0, None);
        let (outcome, event) = stamped(r#""10.0.0.1","10.0.0.2","9.9.9.9","9.9.9.9","10.0.0.3""#);
        assert_eq!(outcome, Some(Outcome::Partial(Reason::AddressLimit)));
        let stamp = r#""ipstamp":{"outcome":"partial","reason":"address_limit","sources":{},"left_out":3}}"#;
        assert!(event.ends_with(stamp), "{event}");
        // Another reason is worth more, and the number stands there all the same.
        let (outcome, event) = stamped(r#""9.9.9.9","10.0.0.2","10.0.0.3""#);
        assert_eq!(outcome, Some(Outcome::Partial(Reason::NotFound)));
        assert!(event.ends_with(r#""left_out":1}}"#), "{event}");
        assert_eq!(stamper.take_found().left_out, 4);
    }
}
