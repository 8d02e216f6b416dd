//! P1, P2, P4: processes that are killed at random lose nothing and repeat little.

use crate::support::audit::Audit;
use crate::support::broker::{self, say};
use crate::support::client::Client;
use crate::support::commits;
use crate::support::dice::Dice;
use crate::support::feeder::Feeder;
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const PARTITIONS: i32 = 12;
const PROCESSES: usize = 3;
/// Small, so that the bound on duplicates says something.
const WINDOW: u32 = 256;
/// Offsets are stored each 100 ms and committed each 200 ms.
const COMMITTED_WITHIN_MILLIS: u64 = 300;
/// So much faster than the feeder a process may be while it makes up for a kill.
const CATCHING_UP: u64 = 4;

/// What kind of storm.
struct Storm {
    name: &'static str,
    assignor: &'static str,
    /// Static members, which keep their partitions over a kill, at the default time-outs; else
    /// dynamic ones with a session of 1.5 s.
    fixed: bool,
    seed: u64,
}

/// How big: seconds of killing, records a second.
fn size() -> (u64, u64) {
    if std::env::var("IPSTAMP_FULL").is_ok_and(|value| value == "1") {
        (60, 5000)
    } else {
        (20, 3000)
    }
}

/// Scenario: three static members at default time-outs; one at random is killed every 2 to 5 s.
/// Guarantees: P1, P2, P4: nothing lost, duplicates within the bound, all of it as it was.
#[test]
fn killed_static_members_lose_nothing() {
    storm(&Storm { name: "storm-static", assignor: "cooperative-sticky", fixed: true, seed: 1 });
}

/// Scenario: the same with dynamic members, a session of 1.5 s, and a fourth that comes and goes.
/// Guarantees: P1, P2, P4, P9, for the cooperative assignor.
#[test]
fn killed_members_of_a_cooperative_group_lose_nothing() {
    storm(&Storm { name: "storm-sticky", assignor: "cooperative-sticky", fixed: false, seed: 2 });
}

/// Scenario: the same under the assignor that stops everybody at each rebalance.
/// Guarantees: P1, P2, P4, P9, for `range`.
#[test]
fn killed_members_of_an_eager_group_lose_nothing() {
    storm(&Storm { name: "storm-range", assignor: "range", fixed: false, seed: 3 });
}

fn storm(storm: &Storm) {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let (lasts, pace) = size();
    let client = Client::new(brokers);
    let (input, output) = (format!("{}-in", storm.name), format!("{}-out", storm.name));
    client.create_topic(&input, PARTITIONS, &[]);
    // With the broker's times, to compare with those of the commits.
    client.create_topic(&output, PARTITIONS, &[("message.timestamp.type", "LogAppendTime")]);
    let feeder = Feeder::start(brokers, &input, PARTITIONS, lasts * pace, pace);
    let mut fleet = Fleet::start(storm, brokers, &input, &output);

    let mut dice = Dice::new(storm.seed);
    let mut moved = Moved::new(&client, &fleet.settings.group, &input);
    let (mut kills, mut hasty_kills) = (0, 0);
    loop {
        // Two to five seconds.
        feeder.until_more(pace * (2000 + dice.below(3000)) / 1000);
        // Three of four kills wait until the group is at work again and has records under way; the
        // fourth comes whatever the group is doing.
        let hasty = dice.below(4) == 0;
        if !hasty {
            moved.until_everywhere(&fleet, &feeder);
        }
        if feeder.is_done() {
            break;
        }
        *(if hasty { &mut hasty_kills } else { &mut kills }) += 1;
        fleet.kill(dice.below(PROCESSES as u64) as usize);
        moved = Moved::new(&client, &fleet.settings.group, &input);
        if !storm.fixed && dice.below(2) == 0 {
            fleet.guest_comes_or_goes();
        }
    }
    feeder.finish();
    client.until_committed(&fleet.settings.group, &input, seconds(120), || fleet.log());
    let fleet_group = fleet.settings.group.clone();
    fleet.stop();

    let outputs = client.read(&output);
    let audit = Audit::of(&client.read(&input), &outputs);
    let commits = commits::of_group(&client, &fleet_group, &input);
    commits::assert_none_is_ahead(&commits, &outputs);
    // P4: of each partition of the killed, the window and what was finished since the last commit.
    // A kill in a quiet moment hits a third of the partitions, give or take; a hasty one may hit all.
    let per_partition =
        u64::from(WINDOW) + pace * CATCHING_UP * COMMITTED_WITHIN_MILLIS / 1000 / PARTITIONS as u64;
    let bound = (kills * PARTITIONS as u64 / 2 + hasty_kills * PARTITIONS as u64) * per_partition;
    say(&format!(
        "{}: {} records, {kills} kills with records under way and {hasty_kills} at any moment: \
         {} lost, {} duplicates (bound {bound}), {} commits and none ahead of its outputs",
        storm.name,
        audit.inputs,
        audit.missing.len(),
        audit.duplicated(),
        commits.len(),
    ));
    audit.assert_kept();
    assert_eq!(audit.inputs as u64, lasts * pace);
    assert!(audit.duplicated() <= bound, "{} duplicates", audit.duplicated());
}

/// The processes of the group.
struct Fleet {
    settings: Settings,
    fixed: bool,
    members: Vec<Worker>,
    guest: Option<Worker>,
}

impl Fleet {
    fn start(storm: &Storm, brokers: &str, input: &str, output: &str) -> Self {
        let mut settings = Settings::new(brokers, input, output);
        settings.assignor = storm.assignor;
        settings.window_records = WINDOW;
        if !storm.fixed {
            settings.client = vec![
                ("session.timeout.ms", "1500".to_owned()),
                ("heartbeat.interval.ms", "400".to_owned()),
            ];
        }
        let mut fleet = Self { settings, fixed: storm.fixed, members: Vec::new(), guest: None };
        fleet.members = (0..PROCESSES).map(|place| fleet.member(place)).collect();
        fleet
    }

    /// Starts the member of this place; a static one has the name of its place.
    fn member(&self, place: usize) -> Worker {
        let mut settings = self.settings.clone();
        settings.member = self.fixed.then(|| format!("{}-{place}", settings.group));
        Worker::start(&settings)
    }

    /// Kills a member and starts it anew. The old one is dead before the new one comes: two of one
    /// static name would fence each other.
    fn kill(&mut self, place: usize) {
        let mut victim = self.members.remove(place);
        assert!(victim.runs(), "a member has ended by itself:\n{}", victim.log());
        victim.kill();
        let anew = self.member(place);
        self.members.insert(place, anew);
    }

    fn guest_comes_or_goes(&mut self) {
        match self.guest.take() {
            Some(guest) => guest.stop(),
            None => self.guest = Some(Worker::start(&self.settings)),
        }
    }

    fn log(&self) -> String {
        self.members.iter().map(Worker::log).collect::<Vec<_>>().join("\n----\n")
    }

    fn stop(self) {
        for member in self.members.into_iter().chain(self.guest) {
            member.stop();
        }
    }
}

/// Whether the group got on since some moment.
struct Moved<'a> {
    client: &'a Client,
    group: String,
    input: &'a str,
    since: Vec<i64>,
}

impl<'a> Moved<'a> {
    fn new(client: &'a Client, group: &str, input: &'a str) -> Self {
        let since = client.committed(group, input).unwrap();
        Self { client, group: group.to_owned(), input, since }
    }

    /// Waits until each partition was committed since then, so that each member is at work, and
    /// until something is read or published and not yet committed; or until no more records come.
    fn until_everywhere(&self, fleet: &Fleet, feeder: &Feeder) {
        let explain = || fleet.log();
        wait_for("every partition gets on again after a kill", seconds(60), explain, || {
            let now: Vec<i64> = self.client.committed(&self.group, self.input).unwrap();
            let all_moved = now.iter().zip(&self.since).all(|(now, before)| now > before);
            let under_way = self.client.count(self.input) > now.iter().sum();
            (all_moved && under_way || feeder.is_done()).then_some(())
        });
    }
}
