//! A stretch that is read again: what the options of `run` change in the configuration, so that the live
//! group and its readers do not notice.

use std::time::SystemTime;

use humantime_serde::re::humantime::{format_rfc3339_seconds, parse_rfc3339_weak};

use super::run::RunArgs;
use super::{Exit, Failure};
use crate::config::Config;
use crate::pipeline::Until;
use crate::resolve::provider::ProvidersConfig;

/// The configuration of a run with these options.
pub(super) fn apart(mut config: Config, args: &RunArgs) -> Result<Config, Failure> {
    let (Some(group), Some(output)) = (&args.group, &args.output) else { return Ok(config) };
    let refused = |text: String| Failure::new(Exit::Usage, text);
    if let (Some(from), Some(Until::Time(until))) = (args.from, args.until)
        && from >= until
    {
        let [from, until] = [from, until].map(format_rfc3339_seconds);
        return Err(refused(format!(
            "--from {from} is not before --until {until}: nothing would be read"
        )));
    }
    if *group == config.consume.group {
        return Err(refused(format!(
            "{group} is the group of input.group: reading again in its name would move what it has \
             committed; name another one with --group"
        )));
    }
    if *output == config.publish.topic {
        return Err(refused(format!(
            "{output} is output.topic, whose readers would get everything twice; name another \
             topic with --output"
        )));
    }
    config.consume.group.clone_from(group);
    // A static member keeps its partitions while it is away, which a run that ends must not.
    config.consume.member = None;
    config.publish.topic.clone_from(output);
    config.publish.late_topic = None;
    if let Some(input) = config.consume.topics.exact().find(|it| config.would_read_own_output(it)) {
        return Err(refused(format!(
            "what is read from {input} would be written to a topic that input.topics reads; name \
             another one with --output"
        )));
    }
    if args.local {
        config.providers = ProvidersConfig::default();
        config.budgets.clear();
        config.cache.topic = None;
    }
    Ok(config)
}

/// A time as it stands in logs.
pub(super) fn time(text: &str) -> Result<SystemTime, String> {
    parse_rfc3339_weak(text)
        .map_err(|_| "expected a time in UTC such as 2026-08-21T06:00:00Z".to_owned())
}

/// Where a run ends, as it is typed.
pub(super) fn until(text: &str) -> Result<Until, String> {
    if text == "end" {
        return Ok(Until::End);
    }
    time(text).map(Until::Time).map_err(|words| format!("{words}, or end"))
}
