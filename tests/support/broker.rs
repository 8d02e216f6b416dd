//! A real Apache Kafka broker: started from Maven Central's jars, hurt, started again, and gone
//! with the tests.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::leash::{Folder, Leashed};
use super::patience::{seconds, until};

/// Where jars and brokers live; cargo makes it.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/kafka/pom.xml");
const VERSION: &str = "4.1.0";

/// A broker process with ports and data of its own.
pub(crate) struct Broker {
    // Before the folder: what writes there goes first.
    process: Leashed,
    home: Folder,
    port: u16,
    /// By the names of the listeners beside the plain one.
    others: Vec<(&'static str, u16)>,
}

/// What a broker has beside the plain listener.
#[derive(Default)]
pub(crate) struct Setup {
    /// More listeners: a name and the protocol.
    pub(crate) listeners: Vec<(&'static str, &'static str)>,
    /// More settings.
    pub(crate) settings: Vec<(String, String)>,
    /// Users of SCRAM, as the formatting tool takes them.
    pub(crate) users: Vec<String>,
}

/// The broker that all tests of this binary share; none when there is none to be had, which has
/// then been said.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(String, Option<Broker>)>> = OnceLock::new();
    let found = SHARED.get_or_init(|| {
        if let Some(named) = named() {
            return Some((named, None));
        }
        let broker = Broker::start(&jars()?, &Setup::default());
        Some((broker.address(), Some(broker)))
    });
    found.as_ref().map(|(address, _)| address.as_str())
}

/// A broker for a test that hurts it.
pub(crate) fn own() -> Option<Broker> {
    own_with(Setup::default)
}

/// The same with more to it.
pub(crate) fn own_with(setup: impl FnOnce() -> Setup) -> Option<Broker> {
    if named().is_some() {
        say("SKIPPED: a test that hurts its broker needs one of its own (IPSTAMP_TEST_BROKERS)");
        return None;
    }
    Some(Broker::start(&jars()?, &setup()))
}

/// The brokers that the environment names.
fn named() -> Option<String> {
    std::env::var("IPSTAMP_TEST_BROKERS").ok().filter(|brokers| !brokers.is_empty())
}

/// The folder of the broker's jars, fetched once by whoever comes first.
fn jars() -> Option<PathBuf> {
    static JARS: OnceLock<Option<PathBuf>> = OnceLock::new();
    JARS.get_or_init(|| match fetch_jars() {
        Ok(folder) => Some(folder),
        Err(reason) => {
            missing(&reason);
            None
        }
    })
    .clone()
}

fn fetch_jars() -> Result<PathBuf, String> {
    let runs = |program: &str, argument: &str| {
        let tried = Command::new(program)
            .arg(argument)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    };
    if !runs("java", "-version") {
        return Err("`java` does not run".into());
    }
    let folder = Path::new(SCRATCH).join(format!("kafka-{VERSION}"));
    let complete = folder.join("complete");
    // Other test processes wait here for the first one.
    let lock = File::create(Path::new(SCRATCH).join("kafka.lock")).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    if complete.exists() {
        return Ok(folder);
    }
    if !runs("mvn", "-version") {
        return Err("`mvn` does not run".into());
    }
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f", POM, "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("mvn failed: {}", String::from_utf8_lossy(&output.stdout)));
    }
    fs::write(complete, VERSION).map_err(|e| e.to_string())?;
    Ok(folder)
}

/// Says once that there is no broker, past the capture of the test harness; where one is required,
/// that is a failure.
fn missing(reason: &str) {
    static ONCE: Once = Once::new();
    let required = std::env::var("IPSTAMP_REQUIRE_BROKER").is_ok_and(|value| value == "1");
    assert!(!required, "IPSTAMP_REQUIRE_BROKER=1 and no broker: {reason}");
    ONCE.call_once(|| {
        say(&format!(
            "SKIPPED: ALL TESTS WITH A REAL BROKER: {reason}. They need java 17 and mvn, \
             or IPSTAMP_TEST_BROKERS=host:port"
        ));
    });
}

/// The test harness captures what is printed by macros, not this.
pub(crate) fn say(line: &str) {
    let mut words = std::io::stderr().lock();
    drop(writeln!(words, "{line}"));
}

impl Broker {
    fn start(jars: &Path, setup: &Setup) -> Self {
        let mut home = Folder::new(Path::new(SCRATCH), "broker-");
        // Another process can take a free port before the broker does.
        for _ in 0..3 {
            let ports = free_ports(2 + setup.listeners.len());
            configure(home.path(), jars, &ports, setup);
            let process = launch(home.path(), jars);
            let names = setup.listeners.iter().map(|(name, _)| *name);
            let others = names.zip(ports[2..].iter().copied()).collect();
            let mut broker = Self { process, home, port: ports[0], others };
            if broker.comes_up() {
                return broker;
            }
            home = broker.home;
        }
        let log = fs::read_to_string(home.path().join("server.log")).unwrap_or_default();
        panic!("the broker did not start:\n{log}");
    }

    /// `host:port`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` of another listener.
    pub(crate) fn address_of(&self, listener: &str) -> String {
        let (_, port) = self.others.iter().find(|(name, _)| *name == listener).unwrap();
        format!("127.0.0.1:{port}")
    }

    /// Runs one of Kafka's own tools at the plain listener.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) {
        let mut command = Command::new("java");
        java(&mut command, self.home.path(), &jars().unwrap());
        command.args([class, "--bootstrap-server", &self.address()]).args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments:?}: {said}");
    }

    /// Ends it without a word to anybody, as a lost machine would.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it as an operator would: it writes down that its data is in order.
    pub(crate) fn stop(&mut self) {
        self.process.signal("TERM");
        until("the broker ends", seconds(60), || self.process.ended().is_some());
    }

    /// Where it keeps its topics.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Starts it again on the same port and data.
    pub(crate) fn start_again(&mut self) {
        self.process = launch(self.home.path(), &jars().unwrap());
        assert!(self.comes_up(), "the broker did not come back");
    }

    /// Stops it in mid-air: connections stay open, nothing answers.
    pub(crate) fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.process.signal("CONT");
    }

    /// Waits until it answers, or has ended.
    fn comes_up(&mut self) -> bool {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", self.address()).create().unwrap();
        let mut up = false;
        until("the broker answers", seconds(120), || {
            let answer = client.fetch_metadata(None, Duration::from_millis(500));
            up = answer.is_ok_and(|metadata| !metadata.brokers().is_empty());
            up || self.process.ended().is_some()
        });
        up
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<_> = (0..count).map(bind).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Writes the settings and formats the data folder. The first port is the plain listener's, the
/// second the controller's.
fn configure(home: &Path, jars: &Path, ports: &[u16], setup: &Setup) {
    let data = home.join("data");
    drop(fs::remove_dir_all(&data));
    let (port, controller) = (ports[0], ports[1]);
    let mut open = format!("PLAINTEXT://127.0.0.1:{port}");
    let mut protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned();
    for ((name, protocol), port) in setup.listeners.iter().zip(&ports[2..]) {
        write!(open, ",{name}://127.0.0.1:{port}").unwrap();
        write!(protocols, ",{name}:{protocol}").unwrap();
    }
    let mut settings = vec![
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".into()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("listeners", format!("{open},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", open),
        ("inter.broker.listener.name", "PLAINTEXT".into()),
        ("controller.listener.names", "CONTROLLER".into()),
        ("listener.security.protocol.map", protocols),
        ("log.dirs", data.display().to_string()),
        ("offsets.topic.replication.factor", "1".into()),
        ("offsets.topic.num.partitions", "4".into()),
        ("transaction.state.log.replication.factor", "1".into()),
        ("transaction.state.log.min.isr", "1".into()),
        ("group.initial.rebalance.delay.ms", "0".into()),
        ("group.min.session.timeout.ms", "500".into()),
        ("auto.create.topics.enable", "false".into()),
        // What is to be compacted is seen soon.
        ("log.cleaner.backoff.ms", "200".into()),
        // The default takes 128 MB of a small heap.
        ("log.cleaner.dedupe.buffer.size", "16777216".into()),
        ("num.network.threads", "2".into()),
        ("num.io.threads", "4".into()),
    ];
    settings.extend(setup.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let text = settings.iter().fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "{name}={value}").unwrap();
        text
    });
    fs::write(home.join("server.properties"), text).unwrap();
    let log4j = "rootLogger.level=WARN\nrootLogger.appenderRef.s.ref=S\nappender.s.type=Console\n\
        appender.s.name=S\nappender.s.layout.type=PatternLayout\n\
        appender.s.layout.pattern=%d %p %m (%c)%n\n";
    fs::write(home.join("log4j2.properties"), log4j).unwrap();
    let mut format = Command::new("java");
    java(&mut format, home, jars);
    let output = format
        .args(["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"])
        .arg(home.join("server.properties"))
        .args(setup.users.iter().flat_map(|user| ["--add-scram", user.as_str()]))
        .output()
        .unwrap();
    assert!(output.status.success(), "format: {}", String::from_utf8_lossy(&output.stderr));
}

fn launch(home: &Path, jars: &Path) -> Leashed {
    let log = File::options().create(true).append(true).open(home.join("server.log")).unwrap();
    Leashed::start("java", |command| {
        java(command, home, jars);
        command.arg("kafka.Kafka").arg(home.join("server.properties"));
        command.stdout(log.try_clone().unwrap()).stderr(log);
    })
}

/// A small and quickly started Java: the machine belongs to what is tested.
fn java(command: &mut Command, home: &Path, jars: &Path) {
    command
        .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!("-Dlog4j2.configurationFile={}", home.join("log4j2.properties").display()))
        .arg("-cp")
        .arg(format!("{}/*", jars.display()));
}
