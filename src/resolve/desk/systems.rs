//! What is asked of autonomous systems by their numbers: when an answer about an address has the number
//! of its system and lacks what is wanted of that. Each number is asked once in the life of what is said
//! of it, and whoever needs it meanwhile waits for the same call. It never costs the answer about the
//! address: what does not come in time, or may not be bought, stays away.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::OnceCell;

use super::licence::Batch;
use super::sender::{Sender, code};
use super::{Called, Received};
use crate::record::{AutonomousSystem, FactGroup, Moment, Secret};
use crate::resolve::budget::{Reservation, Reserve};
use crate::resolve::{Answered, Call, Reply, Verdict};

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

/// What was said of a system, and until when that holds.
#[derive(Clone, Debug)]
struct Told {
    system: Option<AutonomousSystem>,
    end: Moment,
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
    /// Adds to the answers what is wanted of their systems. True when anybody had to be waited for.
    pub(super) async fn add_systems(
        &self,
        answered: &mut Answered,
        batch: &Batch,
        token: Option<&Secret>,
    ) -> bool {
        let fields = self.settings.api.system_fields();
        if fields.is_empty() || !batch.groups.contains(FactGroup::As) {
            return false;
        }
        let mut waited = false;
        // Whoever waits for the address is to have it in time, with or without this.
        let deadline = self.shared.book().earliest_deadline(batch);
        let until = deadline.and_then(|deadline| deadline.checked_sub(BEFORE_DEADLINE));
        let until = until.unwrap_or_else(|| Instant::now() + self.settings.http.total);
        for facts in answered.told.iter_mut().filter_map(|told| told.as_mut().ok()?.as_mut()) {
            let Some(number) = self.shared.book().lacks_of_system(facts, fields) else { continue };
            let place = self.systems.place(number, Moment::now());
            waited |= !place.initialized();
            let asked = place.get_or_try_init(|| self.ask_system(number, token, until));
            // What this one waits for may be another's call, which has more time.
            let told = tokio::time::timeout_at((until + AFTER).into(), asked).await;
            if let (Ok(Ok(Told { system: Some(told), .. })), Some(system)) =
                (told, &mut facts.autonomous_system)
            {
                add(system, told);
            }
        }
        waited
    }

    async fn ask_system(
        &self,
        number: u32,
        token: Option<&Secret>,
        until: Instant,
    ) -> Result<Told, NotAsked> {
        let call = self.settings.api.system_call(number).ok_or(NotAsked)?;
        let reservation = self.turn_and_units(&call, until).await.ok_or(NotAsked)?;
        let lifetimes = &self.settings.lifetimes;
        let life = match self.send_for_system(number, &call, token, reservation, until).await {
            Some(Ok(Some(system))) => {
                let end = Moment::now().after(lifetimes.of(FactGroup::As));
                return Ok(Told { system: Some(system), end });
            }
            Some(Ok(None)) => lifetimes.of_unknown(FactGroup::As),
            Some(Err(Verdict::Pause(asked))) => {
                self.shared.book().licence_mut(self.id).pace.pause(asked, Instant::now());
                lifetimes.error
            }
            // What is wrong with the token or the provider, the next call for an address will show.
            Some(Err(_)) | None => lifetimes.error,
        };
        Ok(Told { system: None, end: Moment::now().after(life) })
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

    /// None when there is no reply.
    async fn send_for_system(
        &self,
        number: u32,
        call: &Call,
        token: Option<&Secret>,
        reservation: Reservation,
        until: Instant,
    ) -> Option<Result<Option<AutonomousSystem>, Verdict>> {
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
                catch_unwind(AssertUnwindSafe(|| api.read_system(number, &reply))).ok()
            }
            Err(trouble) if trouble.is_before_sending() => {
                self.budget.give_back(reservation, SystemTime::now());
                count(trouble.name(), 0);
                None
            }
            Err(trouble) => {
                self.budget.settle(reservation, None, SystemTime::now());
                count(trouble.name(), units);
                None
            }
        }
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
        let told = |end| Told { system: None, end: Moment(end) };
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
