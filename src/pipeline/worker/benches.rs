//! Where a worker stamps: a bench for the main configuration, and one for each tenant whose records it
//! has met. Without tenants there is the one, and nothing is looked up for a record.
//!
//! A bench is made when it is first needed. One whose tenant has gone, or has another file, is kept
//! until the records that wait there have had their deadlines. Seats are not given twice, so that an
//! answer that comes late meets nobody else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::super::asking::{Asking, Ear, Inbox, Seat};
use super::super::stamp::{StampSettings, Stamper};
use super::super::tenants::{Roster, Tenancy, Tenant};
use super::super::ticket::LaneId;
use crate::extract::{ExtractConfigError, TextAt};
use crate::kafka::Headers;
use crate::record::{Moment, Topic};
use crate::resolve::desk::Desk;
use crate::telemetry::TenantLabel;
use crate::tenant::{Selector, TenantName, Unknown};

/// A bench is kept for so much longer than a record may wait.
const KEPT: Duration = Duration::from_secs(1);
/// With less memory a stamper would begin anew at each batch.
const LEAST_MEMORY_BYTES: usize = 256 << 10;

/// One place to stamp.
pub(super) struct Bench {
    pub(super) stamper: Stamper,
    pub(super) asking: Asking,
    /// Records that were told to be for it, since they were last counted.
    pub(super) records: u64,
    /// Under which they are counted; none where no tenants are told apart.
    pub(super) label: Option<TenantLabel>,
    /// Whose it is, and what he was when it was made.
    pub(super) tenant: Option<Arc<Tenant>>,
    /// When it goes.
    until: Option<Instant>,
    /// The batch for which its stamper was refreshed last.
    batch: u64,
    /// Whether events were looked at there before their turn.
    looks_ahead: bool,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// It is stamped there.
    Bench(Seat),
    /// Nobody's, and so a dead letter.
    Nobody,
}

/// What benches are made of.
struct Making {
    stamp: StampSettings,
    deadline: Duration,
    inbox: Arc<Inbox>,
}

/// See the head of the file.
pub(super) struct Benches {
    seats: Vec<Option<Box<Bench>>>,
    making: Making,
    choice: Option<Choice>,
    /// Records that are nobody's.
    pub(super) nobodys: u64,
    /// The number of this batch, and its time of day. Whoever has a record in it is refreshed for it;
    /// of a thousand tenants the others cost it nothing.
    batch: u64,
    now: Moment,
    /// Where events were looked at before their turn.
    ahead: Vec<Seat>,
}

/// How it is told whose a record is.
struct Choice {
    tenancy: Arc<Tenancy>,
    /// The roster that the following is true of.
    roster: Arc<Roster>,
    text_at: Option<TextAt>,
    seats: FxHashMap<TenantName, Seat>,
    /// Where records are stamped of which no tenant is known.
    unknown: Option<Whose>,
    lanes: Vec<OfLane>,
}

/// What is known of a lane.
#[derive(Default)]
struct OfLane {
    /// Whose all its records are, where the topic says so.
    all: Option<Whose>,
    /// Whose they are when they name one of these.
    named: FxHashMap<TenantName, Whose>,
}

/// See [`Benches::at`].
#[inline]
fn at(
    seats: &mut [Option<Box<Bench>>],
    seat: Seat,
    (batch, now): (u64, Moment),
) -> Option<&mut Bench> {
    let bench = seats.get_mut(seat.0 as usize)?.as_deref_mut()?;
    if bench.batch != batch {
        bench.batch = batch;
        bench.stamper.refresh(now);
    }
    Some(bench)
}

impl Benches {
    /// Fails when a path makes no sense.
    pub(super) fn new(
        stamp: StampSettings,
        desk: Option<Desk>,
        deadline: Duration,
        inbox: &Arc<Inbox>,
        tenancy: Option<Arc<Tenancy>>,
    ) -> Result<Self, ExtractConfigError> {
        let choice = tenancy.map(Choice::new).transpose()?;
        let making = Making { stamp, deadline, inbox: Arc::clone(inbox) };
        let mut main = making.bench(Seat::MAIN, &making.stamp, desk)?;
        // Of the tenants' configurations only those are stamped there that no tenant is known of.
        main.label = choice.as_ref().map(|_| TenantLabel::unknown());
        let seats = vec![Some(Box::new(main))];
        let (batch, now, ahead) = (0, Moment(0), Vec::new());
        Ok(Self { seats, making, choice, nobodys: 0, batch, now, ahead })
    }

    /// The bench at a seat, with the newer databases and the time of this batch from its first use on; none
    /// when it has gone.
    #[inline]
    pub(super) fn at(&mut self, seat: Seat) -> Option<&mut Bench> {
        at(&mut self.seats, seat, (self.batch, self.now))
    }

    /// The same, to be looked at.
    pub(super) fn seen_at(&self, seat: Seat) -> Option<&Bench> {
        self.seats.get(seat.0 as usize)?.as_deref()
    }

    /// All there are.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Bench> {
        self.seats.iter_mut().flatten().map(Box::as_mut)
    }

    /// Between two batches: what time it is, and the tenants that are served now.
    pub(super) fn refresh(&mut self, now: Moment) {
        self.batch += 1;
        self.now = now;
        self.take_roster();
    }

    /// Forgets the events that were looked at before their turn.
    pub(super) fn forget_ahead(&mut self) {
        for seat in self.ahead.drain(..) {
            if let Some(Some(bench)) = self.seats.get_mut(seat.0 as usize) {
                bench.looks_ahead = false;
                bench.stamper.forget_ahead();
            }
        }
    }

    /// The bench for the records of a lane, where that can be said without looking at them: then
    /// those that come may be looked at before their turn.
    pub(super) fn ahead(&mut self, lane: Option<LaneId>) -> Option<&mut Stamper> {
        let seat = match (&self.choice, lane) {
            (None, _) => Seat::MAIN,
            (Some(choice), Some(lane)) => match choice.lanes.get(usize::from(lane.0))?.all? {
                Whose::Bench(seat) => seat,
                Whose::Nobody => return None,
            },
            (Some(_), None) => return None,
        };
        let bench = at(&mut self.seats, seat, (self.batch, self.now))?;
        if !std::mem::replace(&mut bench.looks_ahead, true) {
            self.ahead.push(seat);
        }
        Some(&mut bench.stamper)
    }

    /// Whether records are told apart at all.
    pub(super) fn tell_apart(&self) -> bool {
        self.choice.is_some()
    }

    /// Whose a record is.
    #[inline]
    pub(super) fn whose(
        &mut self,
        lane: LaneId,
        topic: &Topic,
        headers: &Headers,
        event: Option<&[u8]>,
    ) -> Whose {
        if self.choice.is_none() {
            return Whose::Bench(Seat::MAIN);
        }
        let whose = self.choose(lane, topic, headers, event);
        match whose {
            Whose::Bench(seat) => {
                if let Some(bench) = self.at(seat) {
                    bench.records += 1;
                }
            }
            Whose::Nobody => self.nobodys += 1,
        }
        whose
    }

    fn choose(
        &mut self,
        lane: LaneId,
        topic: &Topic,
        headers: &Headers,
        event: Option<&[u8]>,
    ) -> Whose {
        let Some(choice) = &mut self.choice else { return Whose::Bench(Seat::MAIN) };
        let nth = usize::from(lane.0);
        if choice.lanes.len() <= nth {
            choice.lanes.resize_with(nth + 1, OfLane::default);
        }
        if let Some(whose) = choice.lanes[nth].all {
            return whose;
        }
        let name = match &choice.tenancy.selector {
            Selector::Topic(_) => None,
            Selector::Header(name) => {
                headers.last(name).and_then(|value| std::str::from_utf8(value).ok())
            }
            Selector::Path(_) => match (event, &mut choice.text_at) {
                (Some(event), Some(text_at)) => text_at.find(event),
                // It has no event that could be stamped or that could name anybody.
                _ => return Whose::Bench(Seat::MAIN),
            },
        };
        if let Some(whose) = name.and_then(|name| choice.lanes[nth].named.get(name)) {
            return *whose;
        }
        self.decide(lane, topic, name)
    }

    /// For the first record of a lane that names this tenant, or none.
    fn decide(&mut self, lane: LaneId, topic: &Topic, name: Option<&str>) -> Whose {
        let Some(choice) = &self.choice else { return Whose::Bench(Seat::MAIN) };
        let selector = &choice.tenancy.selector;
        let by_topic = matches!(selector, Selector::Topic(_));
        let name = if by_topic { selector.in_topic(topic.as_str()) } else { name };
        let tenant = name.and_then(|name| choice.roster.get(name)).cloned();
        let may = |tenant: &Arc<Tenant>| by_topic || tenant.topics.reads(topic.as_str());
        let whose = match &tenant {
            Some(tenant) if may(tenant) => self.bench_of(tenant),
            _ => self.unknown(),
        };
        let Some(choice) = &mut self.choice else { return whose };
        let of_lane = &mut choice.lanes[usize::from(lane.0)];
        match tenant {
            _ if by_topic => of_lane.all = Some(whose),
            Some(tenant) => {
                of_lane.named.insert(tenant.name.clone(), whose);
            }
            // Names of nobody are not kept: there is no end to them.
            None => {}
        }
        whose
    }

    /// A tenant's bench, made when there is none.
    fn bench_of(&mut self, tenant: &Arc<Tenant>) -> Whose {
        let Some(choice) = &self.choice else { return Whose::Bench(Seat::MAIN) };
        if let Some(seat) = choice.seats.get(&tenant.name) {
            return Whose::Bench(*seat);
        }
        let made = self.make(&tenant.stamp.clone(), tenant.desk.clone(), tenant.label.clone());
        let Some(seat) = made else { return self.unknown() };
        if let Some(bench) = self.at(seat) {
            bench.tenant = Some(Arc::clone(tenant));
        }
        if let Some(choice) = &mut self.choice {
            choice.seats.insert(tenant.name.clone(), seat);
        }
        Whose::Bench(seat)
    }

    /// Whose the records are of which no tenant is known.
    fn unknown(&mut self) -> Whose {
        let Some(choice) = &self.choice else { return Whose::Bench(Seat::MAIN) };
        if let Some(whose) = choice.unknown {
            return whose;
        }
        let whose = match choice.tenancy.unknown {
            Unknown::Default => Whose::Bench(Seat::MAIN),
            Unknown::DeadLetter => Whose::Nobody,
            Unknown::Local => {
                // No provider is asked, and nothing is seen of what one has answered.
                let stamp =
                    StampSettings { cache: Default::default(), ..self.making.stamp.clone() };
                // It is as sound as the main one, which was made of the same.
                let seat = self.make(&stamp, None, TenantLabel::unknown());
                Whose::Bench(seat.unwrap_or(Seat::MAIN))
            }
        };
        if let Some(choice) = &mut self.choice {
            choice.unknown = Some(whose);
        }
        whose
    }

    fn make(
        &mut self,
        stamp: &StampSettings,
        desk: Option<Desk>,
        label: TenantLabel,
    ) -> Option<Seat> {
        // All together use what one alone may.
        let sharers = 1 + self.choice.as_ref().map_or(0, |choice| choice.roster.len());
        let share = self.making.stamp.memory_limit_bytes / sharers;
        let memory_limit_bytes = share.max(LEAST_MEMORY_BYTES);
        let stamp = StampSettings { memory_limit_bytes, ..stamp.clone() };
        let seat = Seat(u32::try_from(self.seats.len()).ok()?);
        let mut bench = self.making.bench(seat, &stamp, desk).ok()?;
        bench.label = Some(label);
        self.seats.push(Some(Box::new(bench)));
        Some(seat)
    }

    /// Takes up the tenants that are served now.
    pub(super) fn take_roster(&mut self) {
        let Some(choice) = &mut self.choice else { return };
        let roster = choice.tenancy.roster();
        if !Arc::ptr_eq(&roster, &choice.roster) {
            let now = Instant::now();
            choice.lanes.clear();
            for (name, seat) in std::mem::take(&mut choice.seats) {
                let Some(Some(bench)) = self.seats.get_mut(seat.0 as usize) else { continue };
                let same = match (roster.get(&name), &bench.tenant) {
                    (Some(now), Some(then)) => Arc::ptr_eq(now, then),
                    _ => false,
                };
                if same {
                    choice.seats.insert(name, seat);
                } else {
                    bench.until = Some(now + self.making.deadline + KEPT);
                }
            }
            choice.roster = roster;
        }
    }

    /// Between two batches, once in a while: lets benches go whose time is over, and has those without
    /// a record let go of databases that have been swapped.
    pub(super) fn sweep(&mut self, now: Instant) {
        for seat in &mut self.seats {
            let over = |bench: &mut Box<Bench>| {
                bench.records == 0 && bench.until.is_some_and(|until| until < now)
            };
            drop(seat.take_if(over));
        }
        let time = self.now;
        self.all().for_each(|bench| bench.stamper.refresh(time));
    }
}

impl Making {
    fn bench(
        &self,
        seat: Seat,
        stamp: &StampSettings,
        desk: Option<Desk>,
    ) -> Result<Bench, ExtractConfigError> {
        let ear = Arc::new(Ear::new(Arc::clone(&self.inbox), seat));
        Ok(Bench {
            stamper: Stamper::new(stamp)?,
            asking: Asking::new(desk, stamp.cache.1, self.deadline, ear),
            records: 0,
            label: None,
            tenant: None,
            until: None,
            batch: 0,
            looks_ahead: false,
        })
    }
}

impl Choice {
    fn new(tenancy: Arc<Tenancy>) -> Result<Self, ExtractConfigError> {
        let text_at = match &tenancy.selector {
            Selector::Path(path) => Some(TextAt::new(path)?),
            Selector::Topic(_) | Selector::Header(_) => None,
        };
        let (roster, lanes) = (tenancy.roster(), Vec::new());
        Ok(Self { tenancy, roster, text_at, seats: FxHashMap::default(), unknown: None, lanes })
    }
}
