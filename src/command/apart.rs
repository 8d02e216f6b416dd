//! A stretch that is read again: what the options of `run` change in the configuration, so that the live
//! group and its readers do not notice.

use std::time::SystemTime;

use humantime_serde::re::humantime::{format_rfc3339_seconds, parse_rfc3339_weak};

use super::run::RunArgs;
use super::{Exit, Failure};
use crate::config::Config;
use crate::pipeline::Until;
use crate::publish::OnUndeliverable;
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
    for (option, text) in [("--output", Some(output)), ("--dead-letter", args.dead_letter.as_ref())]
    {
        let Some(text) = text else { continue };
        if config.reads(text) {
            return Err(refused(format!(
                "{option} {text} is a topic that input.topics reads: what is written there would come again; name another one \
                 with {option}"
            )));
        }
        if option != "--output" && text == output {
            return Err(refused(format!(
                "{option} and --output are the same topic; name another one"
            )));
        }
        if let Some((key, topic)) = live_topic(&config, text) {
            return Err(refused(format!(
                "{option} {topic} is a topic of {key}, whose readers would get everything twice; name another \
                 one with {option}"
            )));
        }
    }
    config.consume.group.clone_from(group);
    // A static member keeps its partitions while it is away, which a run that ends must not.
    config.consume.member = None;
    config.publish.topic.clone_from(output);
    config.publish.late_topic = None;
    if args.dead_letter.is_none() && config.publish.dead_letter.is_some() {
        // The live group has put what no topic takes among its dead letters already, and whoever replays
        // these would find it twice.
        config.publish.on_undeliverable = OnUndeliverable::Drop;
    }
    config.publish.dead_letter.clone_from(&args.dead_letter);
    let written = config.written_for("logs");
    let is_lost = args.dead_letter.is_some() && written.dead_letter.is_none();
    if written.output.is_empty() || is_lost {
        let option = if is_lost { "--dead-letter" } else { "--output" };
        return Err(refused(format!(
            "{option} is no name of a topic (letters, digits, '.', '_', '-') and no template with {{topic}}"
        )));
    }
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

/// The key of the live configuration, and the topic of it, that a topic or template may be as well.
fn live_topic<'c>(config: &'c Config, text: &str) -> Option<(&'c str, String)> {
    let publish = &config.publish;
    let live = [
        ("output.topic", Some(&publish.topic)),
        ("output.dead_letter", publish.dead_letter.as_ref()),
        ("output.late_topic", publish.late_topic.as_ref()),
    ];
    let inputs = || config.consume.topics.exact();
    live.into_iter().filter_map(|(key, live)| Some((key, live?))).find_map(|(key, live)| {
        let same = match (parts(live), parts(text)) {
            (None, None) => (live == text).then(|| text.to_owned()),
            (Some(template), None) => {
                config.reads(between(template, text)?).then(|| text.to_owned())
            }
            (None, Some(template)) => {
                config.reads(between(template, live)?).then(|| live.to_owned())
            }
            (Some(_), Some(_)) if live == text => Some(text.to_owned()),
            (Some(live), Some(text)) => inputs()
                .map(|input| [text.0, input, text.1].concat())
                .find(|topic| inputs().any(|input| between(live, topic) == Some(input))),
        };
        same.map(|topic| (key, topic))
    })
}

/// What stands before and behind the input topic's name in a template.
fn parts(text: &str) -> Option<(&str, &str)> {
    text.split_once("{topic}")
}

/// The input topic's name in a topic that a template made.
fn between<'t>((before, behind): (&str, &str), topic: &'t str) -> Option<&'t str> {
    topic.strip_prefix(before)?.strip_suffix(behind)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, ProcessEnvironment};

    fn config(topics: &str, output: &str) -> Config {
        let text = format!(
            "kafka: {{brokers: ['b:9092']}}
input: {{topics: [{topics}], group: g}}
output: {{topic: '{output}', dead_letter: dead}}
databases: [{{path: a.mmdb}}]
"
        );
        config::parse(text.as_bytes(), &ProcessEnvironment).unwrap().into()
    }

    /// Guarantees: P9: a stretch that is read again is not written where the live group writes, however
    /// the two are spelt.
    #[test]
    fn a_live_topic_is_known_in_whatever_way_it_is_named() {
        for (topics, live, text, found) in [
            ("logs", "out", "out", Some("out")),
            ("logs", "{topic}.enriched", "logs.enriched", Some("logs.enriched")),
            ("logs", "logs.enriched", "{topic}.enriched", Some("logs.enriched")),
            ("logs", "{topic}.a", "{topic}.a", Some("{topic}.a")),
            ("a.b, b", "{topic}.x", "a.{topic}.x", Some("a.b.x")),
            (
                "'^logs\\.[a-z]+$'",
                "{topic}.enriched",
                "logs.web.enriched",
                Some("logs.web.enriched"),
            ),
            ("'^logs\\.[a-z]+$'", "{topic}.enriched", "other.enriched", None),
            ("logs", "{topic}.enriched", "logs.repaired", None),
            ("logs", "out", "{topic}.repaired", None),
            ("logs", "out", "dead", Some("dead")),
        ] {
            let config = config(topics, live);
            let is = live_topic(&config, text).map(|(_, topic)| topic);
            assert_eq!(is.as_deref(), found, "{topics}: {live} and {text}");
        }
    }
}
