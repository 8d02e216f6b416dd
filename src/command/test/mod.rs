//! `test`: cases of one's own. An event goes the way of a record, with facts that the case gives, and
//! what comes out is held against what is expected.

mod case;
mod compare;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Map, Value, json};

use self::case::{Case, CaseFile, Event};
use self::compare::{Difference, compare, compare_at};
use super::output::{Format, print, say};
use super::{Exit, Failure, Source};
use crate::config::{Environment, ProcessEnvironment, default_want, parse};
use crate::encode::{self, Writing};
use crate::extract;
use crate::pipeline::{Ask, EventFormat, Stamp, StampSettings, Stamper};
use crate::record::Reason;
use crate::resolve::{DatabaseSet, Want, Wants, networks};

/// Hold events of one's own against what is expected of them
#[derive(Debug, Args)]
#[command(after_help = "\
A file of cases, in YAML:
  profile: ecs                      # or `config: ipstamp.yaml`, or --config
  facts:                            # by address or network, with the names that `want` has
    81.2.69.0/24: {geo.country_iso_code: GB, as.number: 20712}
  cases:
    - name: a login from Britain
      event: {source: {ip: 81.2.69.142}}          # or its text: '{\"source\": …}'
      expect_at:                                  # or `expect:` with the whole output
        source.geo.country_iso_code: GB
        source.ip_traits: null                    # is not there

No database is opened, nobody is asked, and no variable or secret of the configuration needs to be
there. In `ipstamp.sources` the facts are called networks, of 2026-01-01.

Examples:
  ipstamp test cases.yaml
  ipstamp test --config ipstamp.yaml cases/*.yaml

Exit codes: 0 all as expected, 1 something is not, 78 a file cannot be read")]
pub(super) struct TestArgs {
    /// Files of cases
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How it is printed: text for people, json for programs (a line per case)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Runs all cases of all files.
pub(super) fn test(source: &Source, args: &TestArgs) -> Result<Exit, Failure> {
    let (mut count, mut failed) = (0_usize, 0_usize);
    for path in &args.files {
        let refused = |message: String| {
            Failure::new(Exit::Config, format_args!("{}: {message}", path.display()))
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        let file = CaseFile::parse(&text).map_err(refused)?;
        let base = Base::of(&file, path, source)?;
        let mut lines = String::new();
        for case in &file.cases {
            let found = base
                .run(case)
                .map_err(|message| refused(format!("case {:?}: {message}", case.name)))?;
            count += 1;
            failed += usize::from(!found.is_empty());
            lines.push_str(&match args.format {
                Format::Text => as_text(path, case, &found),
                Format::Json => as_json(path, case, &found),
            });
        }
        print(lines.as_bytes())?;
    }
    say(&match failed {
        0 if count == 1 => "1 case, as expected".to_owned(),
        0 => format!("{count} cases, all as expected"),
        _ => format!("{failed} of {count} cases not as expected"),
    });
    Ok(if failed == 0 { Exit::Done } else { Exit::Findings })
}

fn as_text(path: &Path, case: &Case, found: &[Difference]) -> String {
    if found.is_empty() {
        return format!("ok    {}: {}\n", path.display(), case.name);
    }
    let lines: String = found.iter().map(ToString::to_string).collect();
    format!("FAIL  {}: {}\n{lines}", path.display(), case.name)
}

fn as_json(path: &Path, case: &Case, found: &[Difference]) -> String {
    let found: Vec<_> = found.iter().map(Difference::as_json).collect();
    let line = json!({
        "file": path.display().to_string(), "case": case.name, "ok": found.is_empty(),
        "differences": found,
    });
    format!("{line}\n")
}

/// What all cases of a file have in common.
pub(super) struct Base {
    addresses: extract::Config,
    want: Vec<Want>,
    encode: encode::Config,
    facts: Map<String, Value>,
}

/// What is not there of a configuration's variables and secrets is of no matter here.
struct Indifferent;

/// It looks like a broker, and is as long as a key has to be.
const ANYTHING: &str = "anywhere:9092";

impl Environment for Indifferent {
    fn variable(&self, name: &str) -> Option<OsString> {
        ProcessEnvironment.variable(name).or_else(|| Some(ANYTHING.into()))
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        ProcessEnvironment.file(path).or_else(|_| Ok(ANYTHING.to_owned()))
    }
}

impl Base {
    /// From the configuration that is named, and what the file says itself.
    fn of(file: &CaseFile, path: &Path, source: &Source) -> Result<Self, Failure> {
        let beside = path.parent().unwrap_or(Path::new("."));
        let config = match &file.config {
            Some(config) => Some(beside.join(config)),
            None => source.is_named().then(|| source.path().to_owned()),
        };
        let mut base = Self {
            addresses: extract::Config::default(),
            want: default_want(),
            encode: encode::Config::default(),
            facts: file.facts.clone(),
        };
        if let Some(config) = config {
            let refused = |message: String| {
                Failure::new(Exit::Config, format_args!("{}: {message}", config.display()))
            };
            let bytes = std::fs::read(&config)
                .map_err(|error| refused(format!("cannot be read: {error}")))?;
            base = Self { facts: base.facts, ..Self::of_config(&bytes).map_err(refused)? };
        }
        if let Some(profile) = &file.profile {
            base.encode.profile = profile.clone();
        }
        if let encode::Profile::File { file } = &mut base.encode.profile {
            *file = beside.join(&*file);
        }
        if let Some(addresses) = &file.addresses {
            let format = base.addresses.format;
            base.addresses = extract::Config { format, ..addresses.clone() };
        }
        if let Some(want) = &file.want {
            base.want.clone_from(want);
        }
        Ok(base)
    }

    /// From the text of a configuration.
    pub(super) fn of_config(text: &[u8]) -> Result<Self, String> {
        let read = parse(text, &Indifferent).map_err(|problems| {
            let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
            all.join("\n")
        })?;
        let (addresses, encode) = (read.addresses(), read.output.encode());
        Ok(Self { addresses, want: read.want, encode, facts: Map::new() })
    }

    /// Where the addresses stand.
    pub(super) fn addresses(&self) -> &extract::Config {
        &self.addresses
    }

    /// What is not as expected.
    fn run(&self, case: &Case) -> Result<Vec<Difference>, String> {
        let event = match &case.event {
            Event::Text(text) => text.clone(),
            Event::Value(value) => value.to_string(),
        };
        let (outcome, written) = self.stamp(&case.facts, event)?;
        let mut found = Vec::new();
        if let Some(expected) = &case.outcome
            && *expected != outcome
        {
            found.push(Difference::new(
                "the outcome",
                Some(&json!(expected)),
                Some(&json!(outcome)),
            ));
        }
        if let Some(expected) = &case.expect {
            compare("", expected, &written, &mut found);
        }
        for (path, expected) in &case.expect_at {
            compare_at(path, expected, &written, &mut found);
        }
        Ok(found)
    }

    /// How an event's record ends, and what is written of it.
    pub(super) fn stamp(
        &self,
        more: &Map<String, Value>,
        event: String,
    ) -> Result<(String, Value), String> {
        let mut facts = self.facts.clone();
        facts.extend(more.clone());
        let mut databases = Vec::new();
        if !facts.is_empty() {
            let table = Value::Object(facts).to_string().into_bytes();
            let known =
                networks(table, known_since()).map_err(|error| format!("facts: {error}"))?;
            databases.push(Arc::new(known.database));
        }
        let set = DatabaseSet::new(databases).map_err(|error| error.to_string())?;
        let settings = StampSettings {
            format: EventFormat::default(),
            addresses: self.addresses.clone(),
            wants: Arc::new(Wants::new(&self.want).map_err(|error| error.to_string())?),
            databases: Arc::new(set),
            cache: Default::default(),
            writing: Writing::new(&self.encode).map_err(|error| error.to_string())?,
            memory_limit_bytes: 1 << 20,
        };
        let mut stamper = Stamper::new(&settings).map_err(|error| error.to_string())?;
        let mut nobody = |_: &mut _| Ask::nobody(Reason::NotFound);
        let (outcome, bytes) = match stamper.stamp(event.as_bytes(), &mut nobody) {
            Stamp::Written { len, outcome } => {
                let mut out = vec![0; len];
                stamper.write(event.as_bytes(), &mut out);
                (outcome.name(), out)
            }
            Stamp::Unchanged(_) | Stamp::Missing | Stamp::Unread(_) => {
                ("unchanged", event.into_bytes())
            }
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // What is no JSON comes out as it went in.
        let written = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((outcome.to_owned(), written))
    }
}

/// The day that the facts of cases are of: 2026-01-01.
fn known_since() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}
