//! `check --go-live`: the list that one goes through before live traffic, each line met or not, and how
//! that is known.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::Serialize;

use super::report::{Report, State};
use crate::command::output::Format;
use crate::config::Config;
use crate::database::{notice, open};
use crate::encode::Writing;
use crate::resolve::provider::Licence;
use crate::resolve::{Database, DatabaseConfig, FetchSource};

/// Whether a line is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Met,
    NotMet,
    /// It cannot be seen from here.
    Unseen,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) state: Verdict,
    pub(super) about: &'static str,
    /// How that is known, or what to do.
    pub(super) how: String,
}

/// The list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct List(pub(super) Vec<Line>);

impl List {
    /// Goes through it. `found`: what the other checks have found.
    pub(super) fn of(config: &Config, offline: bool, found: &Report) -> Self {
        let opened: Vec<_> = config
            .databases
            .iter()
            .map(|database| (database, open(database, config.database_store.as_ref()).ok()))
            .collect();
        Self(vec![
            schema(config, found),
            tokens(config, offline, found),
            limits(config),
            cache(config),
            errors(config),
            dashboards(config),
            cadence(config),
            rights(config),
            retention(config),
            attribution(&opened),
        ])
    }

    /// Whether something is not as it should be.
    pub(super) fn has_unmet(&self) -> bool {
        self.0.iter().any(|line| line.state == Verdict::NotMet)
    }

    pub(super) fn text(&self, format: Format) -> String {
        match format {
            Format::Text => self.to_string(),
            Format::Json => serde_json::to_string(self).unwrap_or_default() + "\n",
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { state, about, how } in &self.0 {
            let state = match state {
                Verdict::Met => "met",
                Verdict::NotMet => "not met",
                Verdict::Unseen => "unseen",
            };
            writeln!(f, "{state:<8} {about}: {how}")?;
        }
        Ok(())
    }
}

/// Met where there is nothing to be said against it.
fn line(about: &'static str, met: String, faults: &[String]) -> Line {
    if faults.is_empty() {
        return Line { state: Verdict::Met, about, how: met };
    }
    Line { state: Verdict::NotMet, about, how: faults.join("; ") }
}

fn schema(config: &Config, found: &Report) -> Line {
    const LINE: &str = "schema alignment";
    if let Err(error) = Writing::new(&config.encode) {
        return line(LINE, String::new(), &[format!("output.profile: {error}")]);
    }
    let missing = found.0.iter().filter(|item| {
        item.state == State::Missing && item.subject.trim_start().starts_with("want")
    });
    let faults: Vec<_> = missing.map(|item| format!("{}: {}", item.subject, item.found)).collect();
    let profile = config.encode.profile.name();
    let met = format!(
        "the profile {profile} can be written, and each wanted group has a source; `ipstamp test` holds \
         events of your own against it"
    );
    line(LINE, met, &faults)
}

fn tokens(config: &Config, offline: bool, found: &Report) -> Line {
    const LINE: &str = "tokens work";
    let providers: Vec<_> =
        found.0.iter().filter(|item| item.subject.starts_with("provider ")).collect();
    let wrong = providers.iter().filter(|item| item.state != State::Ok);
    let faults: Vec<_> = wrong.map(|item| format!("{}: {}", item.subject, item.found)).collect();
    if providers.is_empty() {
        let fetched = config.databases.iter().any(|database| database.token.is_some());
        if !fetched {
            return line(LINE, "no token is configured".into(), &faults);
        }
    }
    if faults.is_empty() && (offline || providers.is_empty()) {
        let how = if offline {
            "nothing is sent with --offline; leave it out"
        } else {
            "tokens of databases are tried by `ipstamp db fetch`"
        };
        return Line { state: Verdict::Unseen, about: LINE, how: how.into() };
    }
    // One without a call for it is called ok, as configured.
    let unasked = providers.iter().filter(|item| !item.found.contains("token is accepted"));
    let unasked: Vec<_> = unasked.map(|item| item.subject.clone()).collect();
    if faults.is_empty() && !unasked.is_empty() {
        let how = format!(
            "{} cannot be asked for nothing; `ipstamp lookup --config … ADDRESS` spends one call",
            unasked.join(", ")
        );
        return Line { state: Verdict::Unseen, about: LINE, how };
    }
    line(LINE, "each provider was asked just now and accepts its token".into(), &faults)
}

fn licences(config: &Config) -> Vec<Licence<'_>> {
    config.providers.licences().into_iter().flatten().collect()
}

fn limits(config: &Config) -> Line {
    let licences = licences(config);
    let unlimited = licences.iter().filter(|licence| {
        licence.api.overage_costs() && licence.budget.is_none_or(|budget| budget.limits().is_none())
    });
    let faults: Vec<_> = unlimited
        .map(|licence| {
            format!("{} may cost more than is paid for: set {}.budget", licence.name, licence.key)
        })
        .collect();
    let met = if licences.is_empty() {
        "nobody is asked over the network".into()
    } else {
        "calls are paced by each plan, a 429 pauses until the time it says, failures are tried again \
         with a growing pause and then open a breaker; budgets are limited where going on costs money"
            .into()
    };
    line("limits and backoff", met, &faults)
}

fn cache(config: &Config) -> Line {
    const LINE: &str = "cache";
    if licences(config).is_empty() {
        return line(LINE, "nobody is asked, so there are no answers to keep".into(), &[]);
    }
    let mut faults = Vec::new();
    if config.cache.size.as_u64() == 0 {
        faults.push("cache.size is 0: every address is paid for again and again".into());
    }
    if config.cache.topic.is_none() {
        faults.push(
            "answers are lost with the process, and each process pays for itself: set cache.topic"
                .to_owned(),
        );
    }
    let met = format!("{} in memory, shared in cache.topic", config.cache.size);
    line(LINE, met, &faults)
}

fn errors(config: &Config) -> Line {
    let fault = config.publish.dead_letter.is_none().then(|| {
        "output.dead_letter is not set: a record that no topic takes halts its partition".to_owned()
    });
    let met = "what cannot be published goes to output.dead_letter; what a provider does not answer \
               goes out as partial, with the reason";
    line("error handling", met.into(), fault.as_slice())
}

fn dashboards(config: &Config) -> Line {
    let fault = match config.admin {
        None => Some("admin.listen is off: there is nothing to scrape".to_owned()),
        Some(address) if address.ip().is_loopback() => Some(format!(
            "admin.listen is {address}, where only this machine can scrape /metrics; set 0.0.0.0:9464"
        )),
        Some(_) => None,
    };
    let met = "/metrics can be scraped; dashboard and alerts are in the chart";
    line("dashboards", met.into(), fault.as_slice())
}

fn cadence(config: &Config) -> Line {
    let unchecked = config.databases.iter().filter(|database| {
        database.source == Some(FetchSource::Url) && database.checksum_url.is_none()
    });
    let mut faults: Vec<_> = unchecked
        .map(|database| {
            let name = database.called();
            format!("{name} comes without a checksum: set its checksum_url")
        })
        .collect();
    let by_hand = config.databases.iter().filter(|one| one.source.is_none());
    let by_hand: Vec<_> = by_hand.map(DatabaseConfig::called).collect();
    faults.extend(config.databases.is_empty().then(|| "no database is configured".to_owned()));
    let mut met =
        "what is fetched is fetched anew by its `every`, and held against its checksum where \
                   its maker has one"
            .to_owned();
    if !by_hand.is_empty() {
        let names = by_hand.join(", ");
        met = format!(
            "{met}; {names} somebody else brings, and what is older than stale_after is said"
        );
    }
    line("checksums and cadence", met, &faults)
}

fn rights(config: &Config) -> Line {
    let mut faults = Vec::new();
    let store = config.database_store.as_ref().map(|store| store.dir.as_path());
    let files = config.databases.iter().map(|database| database.path.as_path());
    for path in files.chain(config.networks.as_deref()).chain(store) {
        faults.extend(open_to_all(path));
    }
    line(
        "access rights of data files",
        "none of the files may be written by everybody".into(),
        &faults,
    )
}

/// What is wrong with who may write a file.
fn open_to_all(path: &Path) -> Option<String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o002 != 0 => {
            Some(format!("everybody may write {shown}: chmod o-w {shown}"))
        }
        Ok(_) => None,
        Err(error) => Some(format!("{shown}: {error}")),
    }
}

fn retention(config: &Config) -> Line {
    let generations = match &config.database_store {
        None => "no generations of databases are kept".to_owned(),
        Some(store) => {
            let age = store.max_age.map_or_else(
                || "as long as there are no more".to_owned(),
                |age| format!("for {} days at most", age.as_secs() / 86_400),
            );
            format!("{} generations of each database are kept, {age}", store.keep)
        }
    };
    let answers = if licences(config).is_empty() {
        "no answers are kept"
    } else {
        "answers are kept for cache.ttl, and for the licence's own ttl where that is shorter"
    };
    line("retention", format!("{generations}; {answers}"), &[])
}

fn attribution(opened: &[(&DatabaseConfig, Option<Database>)]) -> Line {
    const LINE: &str = "licence note";
    let mut faults = Vec::new();
    let mut unread = Vec::new();
    for (config, database) in opened {
        let Some(database) = database else {
            unread.push(config.called());
            continue;
        };
        let wanted = notice(database.database_type()).and_then(|notice| notice.attribution);
        if wanted.is_some() && database.attribution().is_none() {
            faults.push(format!(
                "the maker of {} wants to be named: set its `attribution: true`, or name him where \
                 its facts are shown",
                config.called()
            ));
        }
    }
    if faults.is_empty() && !unread.is_empty() {
        let how = format!("{} cannot be read", unread.join(", "));
        return Line { state: Verdict::Unseen, about: LINE, how };
    }
    let met = "each maker that wants to be named is, as far as the types of the files tell";
    line(LINE, met.into(), &faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ProcessEnvironment, parse};

    fn list(more: &str) -> Vec<(Verdict, &'static str)> {
        let text = format!(
            "kafka: {{brokers: ['a:1']}}\ninput: {{topics: [logs], group: g}}\n\
             output: {{topic: out{more}\n"
        );
        let config = Config::from(parse(text.as_bytes(), &ProcessEnvironment).unwrap());
        let list = List::of(&config, true, &Report::default());
        list.0.into_iter().map(|line| (line.state, line.about)).collect()
    }

    #[test]
    fn each_line_follows_what_is_configured() {
        let bare = list("}");
        let unmet: Vec<_> = bare
            .iter()
            .filter(|(state, _)| *state == Verdict::NotMet)
            .map(|(_, line)| *line)
            .collect();
        assert_eq!(unmet, ["error handling", "dashboards", "checksums and cadence"]);
        let better = list(
            ", dead_letter: dead}\nadmin: {listen: '0.0.0.0:9464'}\n\
             providers: {ipgeolocation: {token: t, plan: paid, budget: none}}\n",
        );
        let of = |line: &str| better.iter().find(|(_, it)| *it == line).unwrap().0;
        assert_eq!(of("error handling"), Verdict::Met);
        assert_eq!(of("dashboards"), Verdict::Met);
        assert_eq!(of("limits and backoff"), Verdict::NotMet);
        assert_eq!(of("cache"), Verdict::NotMet);
    }

    #[test]
    fn a_token_that_was_refused_is_no_token_that_works() {
        let text = "kafka: {brokers: ['a:1']}\ninput: {topics: [logs], group: g}\n\
                    output: {topic: out}\n";
        let config = Config::from(parse(text.as_bytes(), &ProcessEnvironment).unwrap());
        let mut report = Report::default();
        report.ok("provider a", "the token is accepted, plan x");
        assert_eq!(tokens(&config, false, &report).state, Verdict::Met);
        report.ok("provider b", "has geo; up to 100 addresses a call");
        assert_eq!(tokens(&config, false, &report).state, Verdict::Unseen);
        report.missing("provider c", "the token is refused", "");
        assert_eq!(tokens(&config, false, &report).state, Verdict::NotMet);
    }

    #[test]
    fn a_file_that_everybody_may_write_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.mmdb");
        std::fs::write(&path, "x").unwrap();
        for (mode, faulty) in [(0o644, false), (0o664, false), (0o666, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_to_all(&path).is_some(), faulty, "{mode:o}");
        }
        assert!(open_to_all(&home.path().join("none")).is_some());
    }
}
