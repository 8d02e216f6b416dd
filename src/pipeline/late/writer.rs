//! The thread behind late answers: hears who left and what the cache was told, and publishes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::super::stamp::StampSettings;
use super::super::tenants::Tenant;
use super::remembered::{Bounds, Kept, Key, Remembered};
use super::{LateSettings, Left, count};
use crate::encode::Encoder;
use crate::extract::path_names;
use crate::kafka::lossy;
use crate::publish::{SOURCE, TopicTemplate};
use crate::record::{Answer, GroupSet, Home, Moment, Outcome, Outline, Sighting, Span};
use crate::resolve::desk::Desk;
use crate::resolve::{Changes, Resolver};
use crate::telemetry::Metrics;

/// How long it sleeps at most.
const ROUND: Duration = Duration::from_millis(100);
/// How often it looks for what is too old, and how often at most, where there is no room, for what will
/// not come.
const SWEEP: Duration = Duration::from_secs(1);
/// How long the brokers have for the last answers.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What is remembered between addresses, for each of resolving and rendering.
const MEMORY_BYTES: usize = 1 << 20;

/// Counts what became of each answer, and says it once when they are lost.
struct Counting {
    metrics: Arc<Metrics>,
    said: AtomicBool,
}

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                count(&self.metrics, "sent", 1);
                self.said.store(false, Ordering::Relaxed);
            }
            Err((error, _)) => {
                count(&self.metrics, "lost", 1);
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error,
                        "late answers are not taken, and are lost: `ipstamp check` says whether \
                         output.late_topic is there and may be written to");
                }
            }
        }
    }
}

fn producer(settings: &LateSettings) -> Result<BaseProducer<Counting>, KafkaError> {
    let mut client = lossy(&settings.client, "ipstamp-late");
    // As Java clients do it, so that a record and its late answer meet where both go by key.
    client.set("partitioner", "murmur2_random");
    let counting =
        Counting { metrics: Arc::clone(&settings.metrics), said: AtomicBool::new(false) };
    client.create_with_context(counting)
}

/// Where late answers of one tenant, or of none, are looked up and rendered.
struct Place {
    resolver: Resolver,
    encoder: Encoder,
    desk: Desk,
}

impl Place {
    fn new(stamp: StampSettings, desk: Desk) -> Self {
        // The workers have read by the same configuration, so it is good.
        let paths = path_names(&stamp.addresses).unwrap_or_default();
        Self {
            resolver: Resolver::new(stamp.wants, stamp.databases, stamp.cache, MEMORY_BYTES),
            encoder: Encoder::new(&stamp.writing.natively(), &paths, MEMORY_BYTES),
            desk,
        }
    }

    /// Of an answer, what providers told.
    fn told(&self, answer: &Answer) -> GroupSet {
        let databases = self.resolver.databases().len();
        let told = answer.parts().iter().filter(|part| usize::from(part.source) >= databases);
        told.fold(GroupSet::EMPTY, |all, part| all.or(part.groups))
    }
}

/// See the head of the file.
pub(super) struct Writer {
    producer: BaseProducer<Counting>,
    topic: TopicTemplate,
    /// For records of no tenant, where somebody is asked for them.
    main: Option<Place>,
    /// For those of tenants, each as he was when they left.
    tenants: Vec<(Arc<Tenant>, Place)>,
    remembered: Remembered,
    /// What nobody asks here may be answered elsewhere.
    shared: bool,
    /// When all that is remembered was last looked at.
    looked: Instant,
    metrics: Arc<Metrics>,
}

impl Writer {
    pub(super) fn new(settings: LateSettings) -> Result<Self, KafkaError> {
        let producer = producer(&settings)?;
        let (stamp, desk) = (settings.stamp, settings.desk);
        Ok(Self {
            producer,
            topic: settings.topic,
            main: desk.map(|desk| Place::new(stamp, desk)),
            tenants: Vec::new(),
            remembered: Remembered::new(Bounds::default()),
            shared: settings.shared,
            looked: Instant::now(),
            metrics: settings.metrics,
        })
    }

    /// Until it is to stop and everything that has come is published.
    pub(super) fn work(
        &mut self,
        lefts: &Receiver<Left>,
        changes: &Changes,
        stopping: &AtomicBool,
    ) {
        let mut next_sweep = Instant::now() + SWEEP;
        loop {
            // Looked at before the queues, so that nothing is left in them.
            let stops = stopping.load(Ordering::Acquire);
            let change = changes.next(if stops { Duration::ZERO } else { ROUND });
            let now = Instant::now();
            // Only then those who have left: whoever left before the answer came is known when it
            // is looked at.
            lefts.try_iter().take(super::MOST_WAITING).for_each(|left| self.take(left, now));
            match change {
                Some(change) => self.look_at((change.scope, change.address)),
                None if stops => break,
                None => {}
            }
            self.producer.poll(Duration::ZERO);
            if now >= next_sweep {
                next_sweep = now + SWEEP;
                let old = self.remembered.forget_old(now);
                count(&self.metrics, "unanswered", old);
                // Of whoever has gone, and of whom nothing is remembered, this is the last trace.
                self.tenants.retain(|(tenant, _)| Arc::strong_count(tenant) > 1);
                if changes.take_untold() > 0 {
                    self.look_at_all(now);
                }
            }
        }
        // What remains is counted as lost when it is purged with the producer.
        let _ = self.producer.flush(LAST_WORDS);
    }

    /// A record has left. It may have been answered meanwhile, or nobody may be asking any more.
    fn take(&mut self, left: Left, now: Instant) {
        let Some(left) = self.settle(left) else { return };
        if !self.remembered.has_room_for(&left) && now.duration_since(self.looked) >= SWEEP {
            // Some of those that are remembered may have been given up.
            self.look_at_all(now);
        }
        if self.remembered.has_room_for(&left) {
            self.remembered.add(left, now);
        } else {
            count(&self.metrics, "dropped", 1);
        }
    }

    fn look_at(&mut self, key: Key) {
        for Kept { left, since } in self.remembered.take(key) {
            if let Some(left) = self.settle(left) {
                self.remembered.keep(Kept { left, since });
            }
        }
    }

    fn look_at_all(&mut self, now: Instant) {
        self.looked = now;
        for key in self.remembered.addresses() {
            self.look_at(key);
        }
    }

    /// Publishes what has come for a record. Given back while more may come.
    fn settle(&mut self, mut left: Left) -> Option<Left> {
        let shared = self.shared;
        let place = self.place_of(&left)?;
        // Asked first: what is not under way any more has come by now, or never will.
        let asking = place.desk.is_asking(left.scope, left.address.ip(), left.missing);
        place.resolver.refresh(Moment::now());
        place.resolver.heard_of(left.address.ip());
        let answer = place.resolver.resolve(&left.address);
        let came = left.missing.without(answer.missing).and(place.told(&answer));
        left.missing = left.missing.and(answer.missing);
        if !came.is_empty() {
            let value = value(place, &left, answer);
            self.publish(&left, &value);
        }
        if (asking || shared) && !left.missing.is_empty() {
            return Some(left);
        }
        count(&self.metrics, "unanswered", u64::from(came.is_empty()));
        None
    }

    /// Where its answers are looked up; nowhere when nobody is asked for it.
    fn place_of(&mut self, left: &Left) -> Option<&mut Place> {
        let Some(tenant) = &left.tenant else { return self.main.as_mut() };
        let known = self.tenants.iter().position(|(known, _)| Arc::ptr_eq(known, tenant));
        if known.is_none() {
            let place = Place::new(tenant.stamp.clone(), tenant.desk.clone()?);
            self.tenants.push((Arc::clone(tenant), place));
        }
        let at = known.unwrap_or(self.tenants.len() - 1);
        Some(&mut self.tenants[at].1)
    }

    fn publish(&mut self, left: &Left, value: &[u8]) {
        let source = left.source.to_string();
        let topic = self.topic.output_of(left.source.topic.as_str());
        let name = SOURCE.to_str().unwrap_or_default();
        let header = Header { key: name, value: Some(source.as_bytes()) };
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic.as_str())
            .payload(value)
            .headers(OwnedHeaders::new().insert(header));
        record.key = left.key.as_deref();
        if self.producer.send(record).is_err() {
            count(&self.metrics, "lost", 1);
        }
    }
}

/// The source position, as an event that is stamped by the profile `native`.
fn value(place: &mut Place, left: &Left, answer: Answer) -> Vec<u8> {
    let position = &left.source;
    let event = serde_json::json!({
        "topic": position.topic.as_str(),
        "partition": position.partition.0,
        "offset": position.offset.0,
    });
    let event = event.to_string().into_bytes();
    let root = Home { close: event.len() as u32 - 1, ..Home::default() };
    let sighting = |(path, role): &(u16, _)| Sighting {
        role: *role,
        path: *path,
        address: left.address,
        text: Span::default(),
        home: 0,
        name_steps: 1,
    };
    let outline = Outline {
        sightings: left.places.paths.iter().map(sighting).collect(),
        homes: vec![root],
        root,
        landmarks: vec![None],
        places: left.places.found_in.clone(),
        ..Outline::default()
    };
    let answers = vec![answer; left.places.paths.len()];
    let outcome =
        if answer.missing.is_empty() { Outcome::Enriched } else { Outcome::Partial(left.reason) };
    let Place { resolver, encoder, .. } = place;
    let length = encoder.plan(&event, &outline, &answers, resolver, outcome);
    let mut out = vec![0; length];
    encoder.write(&event, &mut out);
    out
}
