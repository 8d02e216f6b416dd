//! `check`: opens everything that `run` would, says what is missing with its remedy, and changes
//! nothing.

mod answers;
mod cluster;
mod files;
mod go_live;
mod judge;
mod providers;
mod ledger;
mod report;
mod schemas;
mod support;
mod tenants;

use std::time::{Duration, SystemTime};

use clap::Args;

use super::output::{Format, print};
use super::tenants::{tenants_budgets, tenants_lives};
use super::{Exit, Failure, Source};
use crate::config::Config;
use crate::fleet::{LedgerTopic, retention_wanted};
use crate::pipeline::workers_by_default;
use cluster::{Asker, Silence};
pub(in crate::command) use providers::cover;
use report::Report;

/// How long the brokers have for an answer about a topic.
const PATIENCE: Duration = Duration::from_secs(10);

/// Say what is missing before `run` can work; changes nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp check --config ipstamp.yaml
  ipstamp check --config ipstamp.yaml --offline          no broker needed
  ipstamp check --config ipstamp.yaml --replicas 3 --format json
  ipstamp check --config ipstamp.yaml --tenant acme      one tenant's file, before it goes live
  ipstamp check --config ipstamp.yaml --go-live          the list to go through before live traffic
  ipstamp check --config ipstamp.yaml --support          a block for a provider's support

Exit codes: 0 run can work, 1 something is missing, 69 no broker answers, 77 the brokers refuse
us, 78 the configuration is refused. Warnings do not change the code.")]
pub(super) struct CheckArgs {
    /// Look at the configuration and the databases only; nothing is sent
    #[arg(long)]
    offline: bool,
    /// How many processes with this configuration will run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,
    /// Look at this tenant's file only; the brokers are not asked
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Go through the list before live traffic, and say of each line whether it is met and how that is
    /// known
    #[arg(long, conflicts_with = "tenant")]
    go_live: bool,
    /// Print how providers are used, without a secret, to be sent to a provider's support
    #[arg(long, conflicts_with_all = ["tenant", "go_live", "format"])]
    support: bool,
    /// How it is printed: text for people, json for programs
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the checks and prints what they found. What was found before a broker failed to answer is
/// printed all the same.
pub(super) fn check(source: &Source, args: &CheckArgs) -> Result<Exit, Failure> {
    let config = Config::from(source.load()?);
    if args.go_live || args.support {
        return instead(&config, args);
    }
    let mut report = Report::default();
    report.ok("configuration", format!("{} is sound", source.path().display()));
    let asked = if let Some(name) = &args.tenant {
        tenants::check_one(&config, name, args.offline, &mut report)?;
        Ok(())
    } else {
        files::check(&config, SystemTime::now(), &mut report);
        providers::check(&config, args.offline, &mut report)?;
        schemas::check(&config, args.offline, &mut report)?;
        tenants::check(&config, args.offline, SystemTime::now(), &mut report)?;
        if args.offline { Ok(()) } else { ask(&config, args, &mut report) }
    };
    if let Err(silence) = &asked {
        report.missing("brokers", silence.found(), silence.remedy());
    }
    let text = match args.format {
        Format::Text => report.to_string(),
        Format::Json => report.as_json(),
    };
    print(text.as_bytes())?;
    asked?;
    Ok(if report.has_missing() { Exit::Findings } else { Exit::Done })
}

/// What is printed instead of the findings, made from them. No broker is asked for it.
fn instead(config: &Config, args: &CheckArgs) -> Result<Exit, Failure> {
    let mut found = Report::default();
    files::check(config, SystemTime::now(), &mut found);
    providers::check(config, args.offline, &mut found)?;
    if args.support {
        print(support::block(config, args.offline, &found).as_bytes())?;
        return Ok(Exit::Done);
    }
    let list = go_live::List::of(config, args.offline, &found);
    print(list.text(args.format).as_bytes())?;
    Ok(if list.has_unmet() { Exit::Findings } else { Exit::Done })
}

fn ask(config: &Config, args: &CheckArgs, report: &mut Report) -> Result<(), Silence> {
    let asker = Asker::connect(config)?;
    let mut cluster = asker.topics()?;
    let exact = config.consume.topics.exact().map(str::to_owned);
    asker.add(&exact.collect::<Vec<_>>(), &mut cluster)?;
    let inputs = judge::inputs_to_come(config, &cluster);
    let outputs = judge::outputs(config, &inputs);
    let names: Vec<_> = inputs.iter().chain(outputs.keys()).cloned().collect();
    asker.add(&names, &mut cluster)?;
    asker.add_limits(&names, &mut cluster);
    asker.add_rights(&names, &config.consume.group, &mut cluster);
    let workers = config.pipeline.workers.unwrap_or_else(workers_by_default);
    let found = judge::judge(config, args.replicas, workers, &cluster);
    report.0.extend(found.0);
    let start = |tool: &str| judge::command_start(config, tool);
    // Without a limited budget the ledger is not missed.
    ask_of(config, "ledger", &config.ledger.topic, report, |topic, found, report| {
        let tenants = tenants_budgets(config);
        let limits: Vec<_> =
            config.budgets.iter().chain(&tenants).map(|licence| licence.limits).collect();
        let wanted = (!limits.is_empty()).then(|| retention_wanted(limits));
        ledger::judge(topic, found, wanted, start, report);
    });
    if let Some(topic) = &config.cache.topic {
        ask_of(config, "answers", topic, report, |topic, found, report| {
            let mut lives = tenants_lives(config);
            let main = config.providers.licences().into_iter().flatten();
            lives.extend(main.map(|licence| licence.ttl.clone()));
            answers::judge(&config.cache, &lives, topic, found, start, report);
        });
    }
    Ok(())
}

/// Looks at a topic that a fleet shares.
fn ask_of(
    config: &Config,
    what: &str,
    topic: &str,
    report: &mut Report,
    judge: impl FnOnce(&str, &LedgerTopic, &mut Report),
) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    match LedgerTopic::ask(&config.kafka.client(), topic, runtime.handle(), PATIENCE, &|| true) {
        Ok(found) => judge(topic, &found, report),
        Err(error) => report.warning(
            format!("{what} {topic}"),
            format!("the brokers do not say whether it is there: {error}"),
            "try again when the brokers are up",
        ),
    }
}
