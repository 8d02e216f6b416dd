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
}

/// The broker that all tests of this binary share; none when there is none to be had, which has
/// then been said.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(String, Option<Broker>)>> = OnceLock::new();
    let found = SHARED.get_or_init(|| {
        if let Some(named) = named() {
            return Some((named, None));
        }
        let broker = Broker::start(&jars()?);
        Some((broker.address(), Some(broker)))
    });
    found.as_ref().map(|(address, _)| address.as_str())
}

/// A broker for a test that hurts it.
pub(crate) fn own() -> Option<Broker> {
    if named().is_some() {
        say("SKIPPED: a test that kills its broker needs one of its own (IPSTAMP_TEST_BROKERS)");
        return None;
    }
    Some(Broker::start(&jars()?))
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
    fn start(jars: &Path) -> Self {
        let mut home = Folder::new(Path::new(SCRATCH), "broker-");
        // Another process can take a free port before the broker does.
        for _ in 0..3 {
            let (port, controller) = two_free_ports();
            configure(home.path(), jars, port, controller);
            let process = launch(home.path(), jars);
            let mut broker = Self { process, home, port };
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

    /// Ends it without a word to anybody, as a lost machine would.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
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

fn two_free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [a, b] = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port());
    (a, b)
}

/// Writes the settings and formats the data folder.
fn configure(home: &Path, jars: &Path, port: u16, controller: u16) {
    let data = home.join("data");
    drop(fs::remove_dir_all(&data));
    let settings = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".into()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("listeners", format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("controller.listener.names", "CONTROLLER".into()),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".into()),
        ("log.dirs", data.display().to_string()),
        ("offsets.topic.replication.factor", "1".into()),
        ("offsets.topic.num.partitions", "4".into()),
        ("transaction.state.log.replication.factor", "1".into()),
        ("transaction.state.log.min.isr", "1".into()),
        ("group.initial.rebalance.delay.ms", "0".into()),
        ("group.min.session.timeout.ms", "500".into()),
        ("auto.create.topics.enable", "false".into()),
        // The default takes 128 MB of a small heap.
        ("log.cleaner.dedupe.buffer.size", "16777216".into()),
        ("num.network.threads", "2".into()),
        ("num.io.threads", "4".into()),
    ];
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
