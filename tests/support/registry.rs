//! A real schema registry, Apicurio's from Maven Central, and Java's own reader of Avro.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::broker::say;
use super::leash::{Folder, Leashed};
use super::patience::{seconds, until};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const VERSION: &str = "3.0.9";
const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/avro");

/// A registry process.
pub(crate) struct RealRegistry {
    // Before the folder: it writes its log there.
    _process: Leashed,
    _home: Folder,
    /// Its base URL.
    pub(crate) url: String,
}

impl RealRegistry {
    /// Starts one; none when there is none to be had, which has then been said.
    pub(crate) fn start() -> Option<Self> {
        let jar = fetched(app)?;
        let home = Folder::new(Path::new(SCRATCH), "registry-");
        let log = File::create(home.path().join("log")).unwrap();
        let free = |_| TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [0, 1].map(free).map(|port| port.local_addr().unwrap().port());
        let mut process = Leashed::start("java", |command| {
            command.args(["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
            command.args(["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.otel.enabled=false"]);
            command.arg(format!("-Dquarkus.http.port={}", ports[0]));
            command.arg(format!("-Dquarkus.management.port={}", ports[1]));
            command.arg("-Dquarkus.management.host=127.0.0.1").arg("-jar").arg(jar);
            command.stdout(log.try_clone().unwrap()).stderr(log);
        });
        let url = format!("http://127.0.0.1:{}/apis/ccompat/v7", ports[0]);
        let subjects = format!("{url}/subjects");
        until("the registry answers", seconds(180), || {
            assert!(process.ended().is_none(), "the registry has ended");
            call("GET", &subjects, None).is_some_and(|(status, _)| status == 200)
        });
        Some(Self { _process: process, _home: home, url })
    }

    /// Registers a schema and returns its id.
    pub(crate) fn register(&self, subject: &str, schema: &Value) -> u32 {
        let body = json!({"schema": schema["schema"].as_str().unwrap(), "schemaType": schema["type"], "references": schema["references"]});
        let url = format!("{}/subjects/{subject}/versions", self.url);
        let (status, reply) = call("POST", &url, Some(&body)).unwrap();
        assert_eq!(status, 200, "{reply}");
        reply["id"].as_u64().unwrap() as u32
    }

    /// The text of a schema.
    pub(crate) fn schema(&self, id: u32) -> String {
        let (status, reply) = call("GET", &format!("{}/schemas/ids/{id}", self.url), None).unwrap();
        assert_eq!(status, 200, "{reply}");
        reply["schema"].as_str().unwrap().to_owned()
    }

    /// How many versions a subject has.
    pub(crate) fn versions(&self, subject: &str) -> usize {
        let url = format!("{}/subjects/{subject}/versions", self.url);
        call("GET", &url, None).unwrap().1.as_array().map_or(0, Vec::len)
    }
}

/// What Java reads of events by their schema, and by that of somebody else where one is given.
pub(crate) fn read_by_java(
    schema: &str,
    events: &[&[u8]],
    wanted: Option<&str>,
) -> Option<Vec<Value>> {
    let jars = fetched(reader_jars)?;
    let home = Folder::new(Path::new(SCRATCH), "reader-");
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let hex = |event: &&[u8]| {
        event.iter().fold(String::new(), |mut all, byte| {
            write!(all, "{byte:02x}").unwrap();
            all
        })
    };
    let events: Vec<String> = events.iter().map(hex).collect();
    let mut command = Command::new("java");
    command.arg("-cp").arg(format!("{}/*", jars.display()));
    command.arg(Path::new(READER).join("Read.java"));
    command.arg(file("schema", schema)).arg(file("events", &events.join("\n")));
    command.args(wanted.map(|wanted| file("wanted", wanted)));
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// One call: the status, and the reply where it is JSON; none while nobody answers.
fn call(method: &str, url: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let make =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    RUNTIME.get_or_init(|| make().unwrap()).block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    })
}

/// What Maven has, or says loudly that it has not; where a broker is required, that is a failure.
fn fetched(fetch: fn() -> Result<PathBuf, String>) -> Option<PathBuf> {
    let lock = File::create(Path::new(SCRATCH).join("registry.lock")).unwrap();
    // Other test processes wait here for the first one.
    lock.lock().unwrap();
    match fetch() {
        Ok(path) => Some(path),
        Err(reason) => {
            let required = std::env::var("IPSTAMP_REQUIRE_BROKER").is_ok_and(|value| value == "1");
            assert!(!required, "IPSTAMP_REQUIRE_BROKER=1 and no registry: {reason}");
            say(&format!("SKIPPED: a test with a real schema registry: {reason}"));
            None
        }
    }
}

fn app() -> Result<PathBuf, String> {
    let folder = Path::new(SCRATCH).join(format!("registry-{VERSION}"));
    let runner = |folder: &Path| {
        let files = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|file| file.path());
        files.into_iter().find(|path| path.to_string_lossy().ends_with("-runner.jar"))
    };
    if let Some(jar) = runner(&folder) {
        return Ok(jar);
    }
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    maven(&[
        "dependency:get",
        "-Dtransitive=false",
        &format!("-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"),
    ])?;
    let home = std::env::var("HOME").map_err(|error| error.to_string())?;
    let packed = format!(
        "{home}/.m2/repository/io/apicurio/apicurio-registry-app/{VERSION}/\
         apicurio-registry-app-{VERSION}-all.tar.gz"
    );
    run(Command::new("tar").arg("xzf").arg(packed).arg("-C").arg(&folder))?;
    runner(&folder).ok_or_else(|| "there is no runner in the archive".into())
}

fn reader_jars() -> Result<PathBuf, String> {
    let folder = Path::new(SCRATCH).join("avro-reader");
    let complete = folder.join("complete");
    if !complete.exists() {
        maven(&[
            "-f",
            &format!("{READER}/pom.xml"),
            "dependency:copy-dependencies",
            &format!("-DoutputDirectory={}", folder.display()),
        ])?;
        fs::write(complete, "").map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

fn maven(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("java").arg("-version"))?;
    run(Command::new("mvn").args(["-q", "-B"]).args(arguments))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?} does not run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?} failed: {said}")) }
}
