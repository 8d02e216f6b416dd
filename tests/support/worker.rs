//! The process under test: its configuration, its signals, what it says.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::leash::{Folder, Leashed};
use super::patience::wait_for;
use super::small_databases::Databases;

/// What a worker is told. The tests change what they are about.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `kafka.brokers`
    pub(crate) brokers: String,
    /// `kafka.security`, as the inside of a YAML map.
    pub(crate) security: String,
    /// `kafka.client`
    pub(crate) client: Vec<(&'static str, String)>,
    /// `input.topics`
    pub(crate) topics: Vec<String>,
    /// `input.group`
    pub(crate) group: String,
    /// `input.member`
    pub(crate) member: Option<String>,
    /// `input.start`
    pub(crate) start: &'static str,
    /// `input.on_offset_out_of_range`
    pub(crate) on_offset_out_of_range: &'static str,
    /// `input.assignor`
    pub(crate) assignor: &'static str,
    /// `input.format`
    pub(crate) format: &'static str,
    /// `input.on_unparsable`
    pub(crate) on_unparsable: &'static str,
    /// `output.topic`
    pub(crate) output: String,
    /// `output.dead_letter`
    pub(crate) dead_letter: Option<String>,
    /// `output.late_topic`
    pub(crate) late_topic: Option<String>,
    /// `output.profile` and what goes with it, as a line.
    pub(crate) writing: String,
    /// `output.partition`
    pub(crate) partition: &'static str,
    /// `workers`
    pub(crate) workers: u16,
    /// `window.records`
    pub(crate) window_records: u32,
    /// `databases`; small ones of its own where none are given.
    pub(crate) databases: Option<Databases>,
    /// Further keys of the city database, such as `, map_above: 1B`.
    pub(crate) city_keys: &'static str,
    /// Further ones: a name and the file.
    pub(crate) further: Vec<(&'static str, PathBuf)>,
    /// `want`, as the inside of a YAML list.
    pub(crate) want: &'static str,
    /// `admin.token`
    pub(crate) admin_token: Option<&'static str>,
    /// Further sections, as lines of YAML.
    pub(crate) more: String,
    /// Variables of the process.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Settings {
    /// A plain worker from `input` to `output`; the group is named after the input.
    pub(crate) fn new(brokers: &str, input: &str, output: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            security: String::new(),
            client: Vec::new(),
            topics: vec![input.to_owned()],
            group: format!("{input}-group"),
            member: None,
            start: "earliest",
            on_offset_out_of_range: "fail",
            assignor: "cooperative-sticky",
            format: "json",
            on_unparsable: "pass",
            output: output.to_owned(),
            dead_letter: None,
            late_topic: None,
            writing: "profile: ecs".to_owned(),
            partition: "auto",
            workers: 1,
            window_records: 4096,
            databases: None,
            city_keys: "",
            further: Vec::new(),
            want: "geo, as",
            admin_token: None,
            more: String::new(),
            environment: Vec::new(),
        }
    }

    /// The configuration of a process with an admin port, or without.
    pub(crate) fn yaml(&self, databases: &Databases, admin: Option<u16>) -> String {
        let admin = admin.map_or("off".to_owned(), |port| format!("127.0.0.1:{port}"));
        let client: Vec<_> =
            self.client.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        let optional = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("  {name}: {value:?}\n")).unwrap_or_default()
        };
        let further = self.further.iter();
        let further = further.fold(String::new(), |all, (name, path)| {
            format!("{all}  - {{name: {name}, path: '{}'}}\n", path.display())
        });
        let topics: Vec<_> = self.topics.iter().map(|topic| format!("'{topic}'")).collect();
        format!(
            "kafka:\n  brokers: [{brokers:?}]\n  security: {{{security}}}\n  client: {{{client}}}\n\
             input:\n  topics: [{topics}]\n  group: {group:?}\n  start: {start}\n\
             \x20 on_offset_out_of_range: {lost}\n\
             \x20 assignor: {assignor}\n  format: {format}\n  on_unparsable: {unparsable}\n{member}\
             output:\n  topic: {output:?}\n{dead}{late}  {writing}\n  partition: {partition}\n\
             want: [{want}]\n\
             databases:\n  - {{name: city, path: '{city}'{city_keys}}}\n  - {{name: asn, path: '{asn}'}}\n{further}\
             workers: {workers}\n\
             window: {{records: {window}}}\n\
             admin: {{listen: \"{admin}\"{token}}}\n{more}\n",
            token = self.admin_token.map_or(String::new(), |token| format!(", token: {token}")),
            want = self.want,
            writing = self.writing,
            more = self.more,
            brokers = self.brokers,
            security = self.security,
            start = self.start,
            lost = self.on_offset_out_of_range,
            group = self.group,
            assignor = self.assignor,
            format = self.format,
            unparsable = self.on_unparsable,
            member = optional("member", &self.member),
            output = self.output,
            dead = optional("dead_letter", &self.dead_letter),
            late = optional("late_topic", &self.late_topic),
            partition = self.partition,
            client = client.join(", "),
            topics = topics.join(", "),
            city = databases.city.display(),
            city_keys = self.city_keys,
            asn = databases.asn.display(),
            workers = self.workers,
            window = self.window_records,
        )
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// What it wrote to stdout.
    pub(crate) out: String,
    /// What it wrote to stderr.
    pub(crate) err: String,
}

/// Runs another command with a worker's configuration, to its end.
pub(crate) fn command(settings: &Settings, arguments: &[&str]) -> Ended {
    command_beside(settings, None, arguments)
}

/// The same beside a worker, whose admin port is in the configuration.
pub(crate) fn command_beside(settings: &Settings, admin: Option<u16>, arguments: &[&str]) -> Ended {
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "command-");
    let databases = settings.databases.clone().unwrap_or_else(|| Databases::write(home.path()));
    let config = home.path().join("ipstamp.yaml");
    fs::write(&config, settings.yaml(&databases, admin)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
    command.args(arguments).arg("--config").arg(&config).stdin(Stdio::null());
    command.envs(settings.environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A running `ipstamp run`.
pub(crate) struct Worker {
    process: Leashed,
    // After the process: it writes its log there.
    home: Folder,
    /// The port that shows its metrics.
    pub(crate) admin: u16,
}

impl Worker {
    /// Starts it.
    pub(crate) fn start(settings: &Settings) -> Self {
        Self::start_with(settings, &[])
    }

    /// Starts it with more arguments, such as `--until end`.
    pub(crate) fn start_with(settings: &Settings, arguments: &[&str]) -> Self {
        Self::start_as(&settings.environment, arguments, |home, admin| {
            let databases = settings.databases.clone().unwrap_or_else(|| Databases::write(home));
            settings.yaml(&databases, Some(admin))
        })
    }

    /// Starts it with a configuration that is made for its folder and its admin port.
    pub(crate) fn start_as(
        environment: &[(&'static str, String)],
        arguments: &[&str],
        text: impl FnOnce(&Path, u16) -> String,
    ) -> Self {
        let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "worker-");
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = home.path().join("ipstamp.yaml");
        fs::write(&config, text(home.path(), admin)).unwrap();
        let log = File::create(Self::log_path(home.path())).unwrap();
        let process = Leashed::start(env!("CARGO_BIN_EXE_ipstamp"), |command| {
            command.args(["run", "--config"]).arg(&config).args(arguments);
            command.envs(environment.iter().map(|(name, value)| (name, value)));
            command.stdout(Stdio::null()).stderr(log);
        });
        Self { process, home, admin }
    }

    fn log_path(home: &Path) -> PathBuf {
        home.join("stderr")
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        let text = fs::read(Self::log_path(self.home.path())).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Kills it as the kernel would.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Waits for its end: the exit code, none when a signal killed it.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> Option<i32> {
        let home = self.home.path().to_owned();
        let explain = || fs::read_to_string(Self::log_path(&home)).unwrap_or_default();
        wait_for("the worker ends", limit, explain, || self.process.ended()).code()
    }

    /// Asks it to stop and waits until it has; it must have drained.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let code = self.ends_within(Duration::from_secs(30));
        assert_eq!(code, Some(0), "after SIGTERM\n{}", self.log());
    }

    /// Status and body of a GET on the admin port; none while nothing answers there.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        // In one piece: a server that answers the first of several and closes resets the connection.
        let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// Whether it says that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// The value of a metric with these labels, the sum where there are several; none while it is not
    /// there.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> Option<f64> {
        let (_, body) = self.get("/metrics")?;
        let lines = body.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
        });
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.reduce(|sum, value| sum + value)
    }

    /// All that it said.
    pub(crate) fn whole_log(&self) -> String {
        let text = fs::read(Self::log_path(self.home.path())).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A line of `/proc/PID/status` in KiB: `VmHWM` is the most memory it ever had.
    pub(crate) fn memory_kib(&self, field: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
