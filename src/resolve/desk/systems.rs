//! What is asked of autonomous systems by their numbers. Where a file or an earlier answer has the number
//! of an address's system, and nothing is wanted but what is said of that, the address is not asked at all.
//! Where an answer about an address has the number and lacks what is wanted, the system is asked behind
//! it, which never costs that answer: what does not come in time, or may not be bought, stays away. Each
//! number is asked once in the life of what is said of it, and whoever needs it meanwhile waits for the
//! same call.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::OnceCell;

use super::book::CameBack;
use super::breaker::Failed;
use super::licence::Batch;
use super::sender::{Sender, UNREADABLE, code};
use super::{Called, Received, Trouble};
use crate::record::{AutonomousSystem, Enrichment, FactGroup, GroupSet, Moment, Secret};
use crate::resolve::budget::{Reservation, Reserve};
use crate::resolve::{Answered, Call, ItemError, Reply, Verdict};

/// So many systems are remembered: about as many as there are.
const MOST: usize = 1 << 17;
/// How often a budget that has to find out first is asked again.
const BUDGET_LOOK: Duration = Duration::from_millis(20);

/// An answer lands so long before its first record's deadline.
const BEFORE_DEADLINE: Duration = Duration::from_millis(200);
/// And a call of one's own has ended by itself so long before it is given up.
const AFTER: Duration = Duration::from_millis(20);
/// With less time than that nothing is asked.
const LEAST_TIME: Duration = Duration::from_millis(50);

/// It was not its turn, there was no time, or nothing to pay it with: whoever comes next may try.
#[derive(Clone, Copy, Debug)]
struct NotAsked;

/// What was said of a system, when, and until when that holds.
#[derive(Clone, Debug)]
struct Told {
    said: Said,
    at: Moment,
    end: Moment,
}

#[derive(Clone, Debug)]
enum Said {
    Known(AutonomousSystem),
    NothingKnown,
    /// The call came to nothing.
    Failed,
}

/// What was said of systems, and what is being asked.
#[derive(Debug, Default)]
pub(super) struct Systems(Mutex<HashMap<u32, Arc<OnceCell<Told>>>>);

impl Systems {
    /// Where it is said, or will be.
    fn place(&self, number: u32, now: Moment) -> Arc<OnceCell<Told>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |place: &OnceCell<Told>| place.get().is_some_and(|told| told.end <= now);
        if known.get(&number).is_some_and(|place| is_over(place)) {
            known.remove(&number);
        }
        if known.len() >= MOST && !known.contains_key(&number) {
            known.retain(|_, place| !is_over(place));
            if known.len() >= MOST {
                known.clear();
            }
        }
        Arc::clone(known.entry(number).or_default())
    }
}

impl Sender {
    /// Whether anything is asked of systems by their numbers.
    pub(super) fn asks_of_systems(&self) -> bool {
        !self.settings.api.system_fields().is_empty()
    }

    /// What was said of a system, and when, where that still holds.
    pub(super) fn said_of(&self, number: u32) -> Option<(Option<Enrichment>, Moment)> {
        let told = self.systems.place(number, Moment::now()).get().cloned()?;
        Some((told.facts().ok()?, told.at))
    }

    /// The number by which a batch's only address can be answered without asking for the address.
    pub(super) fn number_for(&self, batch: &Batch) -> Option<u32> {
        let [key] = batch.keys[..] else { return None };
        let wants_more = batch.groups != GroupSet::EMPTY.with(FactGroup::As);
        if wants_more || !self.asks_of_systems() || !self.shared.book().asks_by_number(self.id) {
            return None;
        }
        self.shared.number_of(key)
    }

    /// Instead of a call about an address: one about its system, or none where that was asked just now.
    pub(super) async fn call_for_system(
        &self,
        number: u32,
        token: Option<&Secret>,
        limit: Duration,
    ) -> CameBack {
        let until = Instant::now() + limit;
        let mut came = None;
        let asked = async {
            let not = |back| Err((back, NotAsked));
            let sent = async {
                let call = self.settings.api.system_call(number);
                let Some(call) = call else { return not(CameBack::Unsure) };
                let wall = SystemTime::now();
                let reservation = match self.budget.reserve(call.dearest, wall) {
                    Reserve::Granted(reservation) => reservation,
                    Reserve::Later => return not(CameBack::Unsure),
                    Reserve::Spent { until } => {
                        let wait = until.duration_since(wall).unwrap_or_default();
                        return not(CameBack::TooDear(Instant::now() + wait));
                    }
                };
                match self.send_for_system(number, &call, token, reservation, until).await {
                    Ok(Ok(system)) => Ok(self.told(system)),
                    Ok(Err(verdict)) => not(CameBack::Replied(verdict)),
                    Err(Trouble::TimedOut) => {
                        not(CameBack::Failed(Failed::TimedOut, Trouble::TimedOut.to_string()))
                    }
                    Err(trouble) => not(CameBack::Failed(Failed::Soon, trouble.to_string())),
                }
            };
            match sent.await {
                Ok(told) => {
                    came = Some(CameBack::Replied(Verdict::Answered(told.answered())));
                    Ok(told)
                }
                Err((back, not_asked)) => {
                    came = Some(back);
                    Err(not_asked)
                }
            }
        };
        let place = self.systems.place(number, Moment::now());
        let told = tokio::time::timeout_at((until + AFTER).into(), place.get_or_try_init(|| asked));
        let told = told.await.ok().and_then(Result::ok).cloned();
        match (came, told) {
            (Some(came), _) => came,
            (None, Some(told)) => CameBack::Known(told.answered()),
            // Another's call takes longer than this one may.
            (None, None) => CameBack::Failed(Failed::Soon, Trouble::TimedOut.to_string()),
        }
    }

    /// What was said just now.
    fn told(&self, system: Option<AutonomousSystem>) -> Told {
        let (lifetimes, at) = (&self.settings.lifetimes, Moment::now());
        let life = match system {
            Some(_) => lifetimes.of(FactGroup::As),
            None => lifetimes.of_unknown(FactGroup::As),
        };
        Told { said: system.map_or(Said::NothingKnown, Said::Known), at, end: at.after(life) }
    }

    /// Adds to the answers what is wanted of their systems.
    pub(super) async fn add_systems(
        &self,
        answered: &mut Answered,
        batch: &Batch,
        token: Option<&Secret>,
    ) {
        let fields = self.settings.api.system_fields();
        if fields.is_empty() || !batch.groups.contains(FactGroup::As) {
            return;
        }
        // Whoever waits for the address is to have it in time, with or without this.
        let deadline = self.shared.book().earliest_deadline(batch);
        let until = deadline.and_then(|deadline| deadline.checked_sub(BEFORE_DEADLINE));
        let until = until.unwrap_or_else(|| Instant::now() + self.settings.http.total);
        for facts in answered.told.iter_mut().filter_map(|told| told.as_mut().ok()?.as_mut()) {
            let Some(number) = self.shared.book().lacks_of_system(facts, fields) else { continue };
            let place = self.systems.place(number, Moment::now());
            let asked = place.get_or_try_init(|| self.ask_system(number, token, until));
            // What this one waits for may be another's call, which has more time.
            let told = tokio::time::timeout_at((until + AFTER).into(), asked).await;
            if let (Ok(Ok(Told { said: Said::Known(told), .. })), Some(system)) =
                (told, &mut facts.autonomous_system)
            {
                add(system, told);
            }
        }
    }

    async fn ask_system(
        &self,
        number: u32,
        token: Option<&Secret>,
        until: Instant,
    ) -> Result<Told, NotAsked> {
        let call = self.settings.api.system_call(number).ok_or(NotAsked)?;
        let reservation = self.turn_and_units(&call, until).await.ok_or(NotAsked)?;
        match self.send_for_system(number, &call, token, reservation, until).await {
            Ok(Ok(system)) => return Ok(self.told(system)),
            Ok(Err(Verdict::Pause(asked))) => {
                self.shared.book().licence_mut(self.id).pace.pause(asked, Instant::now());
            }
            // What is wrong with the token or the provider, the next call for an address will show.
            Ok(Err(_)) | Err(_) => {}
        }
        let at = Moment::now();
        Ok(Told { said: Said::Failed, at, end: at.after(self.settings.lifetimes.error) })
    }

    /// Waits for the call's turn and for the units that it costs; None when they do not come in time.
    async fn turn_and_units(&self, call: &Call, until: Instant) -> Option<Reservation> {
        if Instant::now() + LEAST_TIME >= until {
            return None;
        }
        let reservation = loop {
            match self.budget.reserve(call.dearest, SystemTime::now()) {
                Reserve::Granted(reservation) => break reservation,
                Reserve::Later if Instant::now() + BUDGET_LOOK < until => {
                    tokio::time::sleep(BUDGET_LOOK).await;
                }
                Reserve::Later | Reserve::Spent { .. } => return None,
            }
        };
        loop {
            let turn = self.shared.book().licence_mut(self.id).take_turn(Instant::now());
            match turn {
                Ok(()) => return Some(reservation),
                Err(Some(at)) if at < until => tokio::time::sleep_until(at.into()).await,
                Err(_) => {
                    self.budget.give_back(reservation, SystemTime::now());
                    return None;
                }
            }
        }
    }

    async fn send_for_system(
        &self,
        number: u32,
        call: &Call,
        token: Option<&Secret>,
        reservation: Reservation,
        until: Instant,
    ) -> Result<Result<Option<AutonomousSystem>, Verdict>, Trouble> {
        let (began, place) = (Instant::now(), self.settings.api.token_place());
        let limit = until.saturating_duration_since(began);
        let sent = self.http.send(call, &place, token, limit).await;
        let units = reservation.units();
        let count = |code, units| {
            let (waited, took) = (Duration::ZERO, began.elapsed());
            let called = Called { code, addresses: 0, waited, took, units };
            self.shared.witness.called(&self.settings.name, called);
        };
        match sent {
            Ok(Received { status, headers, body }) => {
                self.budget.settle(reservation, None, SystemTime::now());
                count(code(status), units);
                let reply =
                    Reply { status, headers: &headers, body: &body, now: SystemTime::now() };
                let api = &self.settings.api;
                // Whatever it does to the code that reads it costs this call and no more.
                let read = catch_unwind(AssertUnwindSafe(|| api.read_system(number, &reply)));
                Ok(read.unwrap_or_else(|_| Err(Verdict::Rejected(UNREADABLE.into()))))
            }
            Err(trouble) if trouble.is_before_sending() => {
                self.budget.give_back(reservation, SystemTime::now());
                count(trouble.name(), 0);
                Err(trouble)
            }
            Err(trouble) => {
                self.budget.settle(reservation, None, SystemTime::now());
                count(trouble.name(), units);
                Err(trouble)
            }
        }
    }
}

impl Told {
    /// The facts, which may be none.
    fn facts(&self) -> Result<Option<Enrichment>, ItemError> {
        match &self.said {
            Said::Known(system) => {
                let autonomous_system = Some(system.clone());
                Ok(Some(Enrichment { autonomous_system, ..Enrichment::default() }))
            }
            Said::NothingKnown => Ok(None),
            Said::Failed => Err(ItemError::Failed),
        }
    }

    /// As the answer about one address.
    fn answered(&self) -> Answered {
        Answered { told: vec![self.facts()], ..Answered::default() }
    }
}

/// What is said of the address itself has the say.
fn add(system: &mut AutonomousSystem, told: &AutonomousSystem) {
    let AutonomousSystem {
        number: _,
        organization,
        domain,
        kind,
        registry,
        allocated,
        country_iso_code,
    } = system;
    for (field, told) in [
        (organization, &told.organization),
        (domain, &told.domain),
        (kind, &told.kind),
        (registry, &told.registry),
        (allocated, &told.allocated),
        (country_iso_code, &told.country_iso_code),
    ] {
        if field.is_none() {
            field.clone_from(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_kept_until_its_end_and_no_more_than_there_is_room_for() {
        let systems = Systems::default();
        let told = |end| Told { said: Said::NothingKnown, at: Moment(0), end: Moment(end) };
        systems.place(1, Moment(0)).set(told(10)).unwrap();
        assert!(systems.place(1, Moment(9)).initialized());
        assert!(!systems.place(1, Moment(10)).initialized(), "it is asked again");
        for number in 0..MOST as u32 {
            let _ = systems.place(number, Moment(0)).set(told(20));
        }
        systems.place(u32::MAX, Moment(15));
        assert!(systems.0.lock().unwrap().len() <= MOST);
    }

    #[test]
    fn the_address_has_the_say_and_the_system_fills_what_is_open() {
        let text = |text: &str| Some(text.to_owned());
        let mut system = AutonomousSystem {
            number: Some(7),
            organization: text("of the address"),
            ..AutonomousSystem::default()
        };
        let told = AutonomousSystem {
            number: Some(7),
            organization: text("of the system"),
            registry: text("ripe"),
            ..AutonomousSystem::default()
        };
        add(&mut system, &told);
        assert_eq!((system.organization, system.registry), (text("of the address"), text("ripe")));
    }
}
