//! One licence's calls: does what the book says, on the threads of the runtime.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::book::{CameBack, Clock};
use super::breaker::Failed;
use super::licence::{Batch, Step};
use super::systems::Systems;
use super::token::{Offer, Refusal, Tokens};
use super::{
    Called, Http, HttpConfigError, LicenceId, LicenceSettings, Opened, Received, Shared, Trouble,
};
use crate::record::Secret;
use crate::resolve::budget::{Budget, Reservation, Reserve};
use crate::resolve::{Reply, Status, TokenPlace, Verdict};

/// A call that nobody waits for any more still has so long.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// A call outlasts the last record that waits for it by so little: the record says that its own time
/// was over.
const AFTER_DEADLINE: Duration = Duration::from_millis(100);

/// What is said of a reply that ends the code that reads it.
pub(super) const UNREADABLE: &str = "its reply cannot be read";

/// Sends one licence's calls.
pub(super) struct Sender {
    pub(super) id: LicenceId,
    pub(super) settings: LicenceSettings,
    pub(super) http: Http,
    /// The same for the question what the licence may do.
    status_http: Http,
    pub(super) budget: Budget,
    tokens: Mutex<Tokens>,
    pub(super) shared: Arc<Shared>,
    pub(super) systems: Systems,
    runtime: Mutex<Option<tokio::runtime::Handle>>,
}

/// What came of sending.
enum Sent {
    Reply(Received, Reservation),
    /// And what it can have cost.
    Trouble(Trouble, u64),
    TooDear(Instant),
    Unsure,
}

impl Sender {
    /// What is said of a licence whose token is empty.
    fn off(&self) -> String {
        let key = &self.settings.key;
        format!("{key}.token is empty: switched off, and on again as soon as there is one")
    }

    pub(super) fn new(
        id: LicenceId,
        opened: Opened,
        shared: Arc<Shared>,
    ) -> Result<Self, HttpConfigError> {
        let Opened { settings, budget, token } = opened;
        let base = settings.base_url.as_deref().unwrap_or(settings.api.default_base_url());
        let http = Http::new(base, &settings.http)?;
        let status_base = settings.api.status_base_url().filter(|_| settings.base_url.is_none());
        let status_http = status_base.map_or_else(|| Ok(http.clone()), |base| http.at(base))?;
        let tokens = Mutex::new(Tokens::new(token));
        let (systems, runtime) = (Systems::default(), Mutex::default());
        Ok(Self { id, settings, http, status_http, budget, tokens, shared, systems, runtime })
    }

    /// Begins to send, until the runtime ends.
    pub(super) fn start(self: Arc<Self>, runtime: &tokio::runtime::Handle) {
        *self.runtime.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime.clone());
        let weak = Arc::downgrade(&self.shared);
        let id = self.id;
        self.budget.on_change(Arc::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.book().licence_mut(id).budget_changed();
                shared.bells[usize::from(id.0)].notify_one();
            }
        }));
        let usable = self.tokens().current().is_some() || self.needs_no_token();
        let outcome = self.shared.book().token(self.id, usable, Clock::read());
        self.follow(outcome);
        if usable {
            runtime.spawn(Arc::clone(&self).ask_status());
        } else {
            self.say(&self.off());
        }
        runtime.spawn(self.run());
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn needs_no_token(&self) -> bool {
        self.settings.api.token_place() == TokenPlace::Nowhere
    }

    fn follow(&self, outcome: super::book::Outcome) {
        self.shared.follow(outcome, Some(&self.settings.name));
    }

    fn say(&self, words: &str) {
        self.shared.witness.token(&self.settings.name, words);
    }

    async fn run(self: Arc<Self>) {
        let bell = &self.shared.bells[usize::from(self.id.0)];
        loop {
            let Some(step) = self.step() else { return };
            match step {
                Step::Send(batch) => {
                    tokio::spawn(Arc::clone(&self).call(batch));
                }
                Step::AskStatus => {
                    tokio::spawn(Arc::clone(&self).ask_status());
                }
                Step::Wait(at) => {
                    // Whichever comes first.
                    drop(tokio::time::timeout_at(at.into(), bell.notified()).await);
                }
                Step::Idle => bell.notified().await,
            }
        }
    }

    /// What is to be done now; None when the desk is closed.
    fn step(&self) -> Option<Step> {
        let mut book = self.shared.book();
        // Looked at under the lock: whoever has closed the desk sees every call that was begun.
        let closed = self.shared.closed.load(Ordering::Acquire);
        (!closed).then(|| book.next(self.id, Instant::now()))
    }

    /// One batch out and back.
    async fn call(self: Arc<Self>, batch: Batch) {
        let began = Instant::now();
        let token = self.tokens().current().cloned();
        let deadline = self.shared.book().latest_deadline(&batch);
        let limit = deadline.map_or(self.settings.http.total, |deadline| {
            deadline.saturating_duration_since(began).max(LEAST_TIME) + AFTER_DEADLINE
        });
        let came = match self.number_for(&batch) {
            Some(number) => match self.call_for_system(number, token.as_ref(), limit).await {
                CameBack::Replied(verdict) => self.judge_token(token.as_ref(), verdict),
                came => came,
            },
            None => self.call_for_addresses(&batch, token.as_ref(), limit, began).await,
        };
        let clock = Clock::read();
        let outcome =
            self.shared.book().came_back(self.id, batch, came, began, (fastrand::f64(), clock));
        self.follow(outcome);
        self.shared.ended.notify_waiters();
    }

    /// Asks for all of a batch's addresses in one call.
    async fn call_for_addresses(
        &self,
        batch: &Batch,
        token: Option<&Secret>,
        limit: Duration,
        began: Instant,
    ) -> CameBack {
        let addresses: Vec<IpAddr> = batch.keys.iter().map(|key| key.address).collect();
        let mut sent = self.send(batch, &addresses, token, limit).await;
        let mut units_before = 0;
        if let Sent::Trouble(Trouble::Stale, units) = sent {
            units_before = units;
            // The server had closed a connection just when it was used. It is no fault, but it may
            // have been charged, and so it is paid for anew.
            let left = limit.saturating_sub(began.elapsed());
            sent = self.send(batch, &addresses, token, left).await;
        }
        let wall = SystemTime::now();
        match sent {
            Sent::TooDear(until) => CameBack::TooDear(until),
            Sent::Unsure => CameBack::Unsure,
            Sent::Trouble(trouble, units) => {
                self.count(batch, trouble.name(), began, units_before + units);
                // Who asks for what cannot be sent or taken in will not succeed another time.
                let why = trouble.to_string();
                match trouble {
                    Trouble::TimedOut => CameBack::Failed(Failed::TimedOut, why),
                    Trouble::TooLarge if batch.keys.len() > 1 => CameBack::Replied(Verdict::Split),
                    _ => CameBack::Failed(Failed::Soon, why),
                }
            }
            Sent::Reply(received, reservation) => {
                let mut verdict = self.read(batch, &addresses, &received, wall);
                let charged = match &verdict {
                    Verdict::Answered(answered) => answered.charged,
                    _ => None,
                };
                let units = units_before + charged.unwrap_or(reservation.units());
                self.count(batch, code(received.status), began, units);
                self.budget.settle(reservation, charged, wall);
                if let Verdict::Answered(answered) = &mut verdict {
                    self.add_systems(answered, batch, token).await;
                }
                self.judge_token(token, verdict)
            }
        }
    }

    async fn send(
        &self,
        batch: &Batch,
        addresses: &[IpAddr],
        token: Option<&Secret>,
        limit: Duration,
    ) -> Sent {
        let call = self.settings.api.call(addresses, batch.groups, batch.modules);
        let wall = SystemTime::now();
        let reservation = match self.budget.reserve(call.dearest, wall) {
            Reserve::Granted(reservation) => reservation,
            Reserve::Later => return Sent::Unsure,
            Reserve::Spent { until } => {
                let wait = until.duration_since(wall).unwrap_or_default();
                return Sent::TooDear(Instant::now() + wait);
            }
        };
        let place = self.settings.api.token_place();
        match self.http.send(&call, &place, token, limit).await {
            Ok(received) => Sent::Reply(received, reservation),
            Err(trouble) => {
                if trouble.is_before_sending() {
                    self.budget.give_back(reservation, SystemTime::now());
                    return Sent::Trouble(trouble, 0);
                }
                let units = reservation.units();
                self.budget.settle(reservation, None, SystemTime::now());
                Sent::Trouble(trouble, units)
            }
        }
    }

    /// What a reply means. Whatever it does to the code that reads it costs this call and no more.
    fn read(
        &self,
        batch: &Batch,
        addresses: &[IpAddr],
        received: &Received,
        now: SystemTime,
    ) -> Verdict {
        let Received { status, headers, body } = received;
        let reply = Reply { status: *status, headers, body, now };
        let api = &self.settings.api;
        let read = catch_unwind(AssertUnwindSafe(|| {
            api.read(addresses, batch.groups, batch.modules, &reply)
        }));
        read.unwrap_or_else(|_| Verdict::Rejected(UNREADABLE.into()))
    }

    /// A token on trial that is refused costs nobody anything: the one before is used on.
    fn judge_token(&self, token: Option<&Secret>, verdict: Verdict) -> CameBack {
        if let Verdict::CredentialRefused(why) = &verdict
            && self.goes_on_without(token, why)
        {
            return CameBack::Unsure;
        }
        if matches!(verdict, Verdict::Answered(_)) && self.tokens().accepted(token) {
            self.say("credentials changed, accepted");
        }
        CameBack::Replied(verdict)
    }

    /// Whether there is another token to go on with when this one is refused.
    fn goes_on_without(&self, token: Option<&Secret>, why: &str) -> bool {
        let refusal = self.tokens().refused(token);
        if refusal == Refusal::Before {
            self.say(&format!("the new token is refused, and the old one used on: {why}"));
        }
        refusal != Refusal::Last
    }

    fn count(&self, batch: &Batch, code: &'static str, began: Instant, units: u64) {
        let called = Called {
            code,
            addresses: batch.keys.len(),
            waited: began.saturating_duration_since(batch.since),
            took: began.elapsed(),
            units,
        };
        self.shared.witness.called(&self.settings.name, called);
    }

    /// Another token is there.
    pub(super) fn offer(self: &Arc<Self>, token: Secret) {
        let refused = self.shared.book().licence(self.id).is_refused();
        let offer = self.tokens().offer(token, refused);
        let usable = match offer {
            Offer::Same => return,
            Offer::Off => {
                self.say(&self.off());
                self.needs_no_token()
            }
            Offer::InUse => {
                self.say("credentials changed");
                true
            }
            Offer::Try => true,
        };
        let outcome = self.shared.book().token(self.id, usable, Clock::read());
        self.follow(outcome);
        if usable
            && let Some(runtime) = &*self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
        {
            runtime.spawn(Arc::clone(self).ask_status());
        }
    }

    /// Asks what the licence may do, where that costs nothing.
    async fn ask_status(self: Arc<Self>) {
        let Some(status) = self.status().await else { return };
        let (token, status) = status;
        match status {
            Ok(status) => {
                if self.tokens().accepted(token.as_ref()) {
                    let plan = status.plan.as_deref().unwrap_or("unknown");
                    self.say(&format!("credentials changed, accepted, plan={plan}"));
                }
                let outcome = self.shared.book().status(self.id, status.modules);
                self.follow(outcome);
            }
            Err(Verdict::CredentialRefused(why)) => {
                if self.goes_on_without(token.as_ref(), &why) {
                    return;
                }
                let outcome = self.shared.book().refused(self.id, why, Clock::read());
                self.follow(outcome);
            }
            // It says nothing of the token; the first call will.
            Err(_) => {}
        }
    }

    async fn status(&self) -> Option<(Option<Secret>, Result<Status, Verdict>)> {
        let call = self.settings.api.status_call()?;
        let token = self.tokens().current().cloned();
        let place = self.settings.api.token_place();
        let total = self.settings.http.total;
        let sent = self.status_http.send(&call, &place, token.as_ref(), total).await;
        let Received { status, headers, body } = sent.ok()?;
        let reply = Reply { status, headers: &headers, body: &body, now: SystemTime::now() };
        Some((token, self.settings.api.read_status(&reply)))
    }
}

/// The status as a label: a closed set.
pub(super) fn code(status: u16) -> &'static str {
    match status {
        200 => "200",
        207 => "207",
        400 => "400",
        401 => "401",
        402 => "402",
        403 => "403",
        404 => "404",
        405 => "405",
        413 => "413",
        423 => "423",
        429 => "429",
        499 => "499",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        201..=299 => "2xx",
        300..=399 => "3xx",
        406..=498 => "4xx",
        _ => "5xx",
    }
}
