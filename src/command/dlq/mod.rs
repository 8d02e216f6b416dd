//! `dlq`: looks into the dead letters and brings them back to where they came from. Reads without a
//! group and commits nothing.

mod letter;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataTopic;
use serde_json::{Value, json};

use self::letter::{Letter, utc};
use super::output::{Format, counted, print, shown};
use super::topic::failure;
use super::{Exit, Failure, Source, say};
use crate::config::Config;
use crate::kafka::{ClientError, Fetched, Listener, Onlooker, Stretch, onlooking, reach};
use crate::record::{DeadLetterClass, Offset, Position};

/// How long the brokers may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Look into the dead letters, and bring them back to where they came from
#[derive(Debug, Args)]
pub(super) struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// Count them by topic of origin and class
    #[command(after_help = "Example:\n  ipstamp dlq ls --config ipstamp.yaml")]
    Ls {
        #[command(flatten)]
        which: Which,
        /// How it is printed: text for people, json for programs (a line per class)
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print one: where it came from, why it is here, its headers and its value
    #[command(after_help = "Example:\n  ipstamp dlq show --config ipstamp.yaml dlq.logs-0-42")]
    Show {
        /// Where it stands: topic, partition and offset
        #[arg(value_name = "TOPIC-PARTITION-OFFSET", value_parser = letter::position)]
        position: Position,
        /// How it is printed: text for people, json for programs
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write them to the topic and partition that they came from, without what ipstamp put into their
    /// headers; they stay among the dead letters
    #[command(after_help = "\
Examples:
  ipstamp dlq replay --config ipstamp.yaml --dry-run
  ipstamp dlq replay --config ipstamp.yaml --class too_large --after dlq.logs-0-41

Exit codes: 0 all that were meant are back, 1 some are not.")]
    Replay(replay::ReplayArgs),
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
struct Which {
    /// Only this topic. Default: the dead-letter topics of the configuration
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only those of this class, such as `too_large`
    #[arg(long, value_name = "CLASS", value_parser = letter::class)]
    class: Option<DeadLetterClass>,
}

/// Does what was typed.
pub(super) fn dlq(source: &Source, args: &DlqArgs) -> Result<Exit, Failure> {
    let config = Config::from(source.load()?);
    match &args.command {
        DlqCommand::Ls { which, format } => ls(&config, which, *format),
        DlqCommand::Show { position, format } => show(&config, position, *format),
        DlqCommand::Replay(args) => replay::replay(&config, args),
    }
}

/// What stands in one dead-letter topic of one class and one origin.
#[derive(Default)]
struct Heap {
    letters: u64,
    first: Option<i64>,
    last: Option<i64>,
}

fn ls(config: &Config, which: &Which, format: Format) -> Result<Exit, Failure> {
    let mut heaps: BTreeMap<(String, String, String), Heap> = BTreeMap::new();
    each(config, which, |letter| {
        let origin = letter.origin.as_ref().map_or("", |origin| origin.topic.as_str());
        let topic = letter.place.topic.to_string();
        let heap = heaps.entry((topic, origin.to_owned(), letter.class.clone())).or_default();
        heap.letters += 1;
        heap.first = heap.first.into_iter().chain(letter.timestamp).min();
        heap.last = heap.last.max(letter.timestamp);
        Ok(())
    })?;
    let text: String = heaps
        .iter()
        .map(|((topic, origin, class), heap)| match format {
            Format::Json => {
                let line = json!({
                    "topic": topic, "origin": origin, "class": class, "letters": heap.letters,
                    "first": heap.first.map(utc), "last": heap.last.map(utc),
                });
                format!("{line}\n")
            }
            Format::Text => format!(
                "{topic}  from {}  {}  {}  {} to {}\n",
                if origin.is_empty() { "nowhere known" } else { origin },
                shown(&Value::from(class.as_str())),
                counted(heap.letters, "letter", "letters"),
                heap.first.map_or("?".into(), utc),
                heap.last.map_or("?".into(), utc),
            ),
        })
        .collect();
    print(text.as_bytes())?;
    if heaps.is_empty() {
        say("no dead letters");
    }
    Ok(Exit::Done)
}

fn show(config: &Config, position: &Position, format: Format) -> Result<Exit, Failure> {
    let mut found = None;
    let one = Stretch {
        partition: position.partition,
        begin: position.offset,
        end: position.offset.next(),
    };
    read(config, position.topic.as_str(), Some(one), |fetched| {
        if fetched.offset() == position.offset {
            found = Some(Letter::of(fetched));
        }
        Ok(())
    })?;
    let Some(letter) = found else {
        let text = format!("there is no record at {position} (any more)");
        return Err(Failure::new(Exit::Unavailable, text));
    };
    let mut out = Vec::new();
    let written = match format {
        Format::Json => writeln!(out, "{}", letter.json()),
        Format::Text => letter.write(&mut out),
    };
    // Writing into memory does not fail.
    drop(written);
    print(&out)?;
    Ok(Exit::Done)
}

/// Gives every letter that is meant to `each`, topic by topic.
fn each(
    config: &Config,
    which: &Which,
    mut each: impl FnMut(Letter) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for topic in topics(config, which)? {
        read(config, &topic, None, |fetched| {
            let letter = Letter::of(fetched);
            let meant = which.class.is_none_or(|class| letter.class == class.name());
            if meant { each(letter) } else { Ok(()) }
        })?;
    }
    Ok(())
}

/// Reads a topic, or one stretch of it, as it stands now.
fn read(
    config: &Config,
    topic: &str,
    stretch: Option<Stretch>,
    mut each: impl FnMut(&Fetched) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let unusable = |error: ClientError| Failure::new(Exit::Config, error);
    let failed = |fault| failure(topic, fault);
    let mut onlooker = Onlooker::new(&config.kafka.client(), topic, PATIENCE).map_err(unusable)?;
    let mut stretches = onlooker.stretches().map_err(failed)?;
    if let Some(wanted) = stretch {
        stretches.retain(|there| {
            let holds = |offset: Offset| there.begin <= offset && offset.0 < there.end.0;
            there.partition == wanted.partition && holds(wanted.begin)
        });
        for there in &mut stretches {
            *there = wanted;
        }
    }
    let mut stopped = Ok(());
    let all = onlooker.read(&stretches, |fetched| {
        if stopped.is_ok() {
            stopped = each(fetched);
        }
    });
    stopped.and(all.map_err(failed))
}

/// The dead-letter topics that are meant and are there.
fn topics(config: &Config, which: &Which) -> Result<BTreeSet<String>, Failure> {
    if let Some(topic) = &which.topic {
        return Ok(BTreeSet::from([topic.clone()]));
    }
    if config.publish.dead_letter.is_none() {
        let text = "output.dead_letter is not set: there are no dead letters; --topic names others";
        return Err(Failure::new(Exit::Config, text));
    }
    let consumer: BaseConsumer<Listener> = onlooking(&config.kafka.client(), "ipstamp-look")
        .remove("group.id")
        .create_with_context(Listener::default())
        .map_err(|error| Failure::new(Exit::Config, format!("kafka: {error}")))?;
    let unavailable = |words: String| Failure::new(Exit::Unavailable, words);
    reach(&consumer).map_err(|unreached| {
        let exit = if unreached.is_refusal() { Exit::NoPermission } else { Exit::Unavailable };
        let words = unreached.words.join("; ");
        Failure::new(exit, format!("no broker answers: {words}; `ipstamp check` finds out why"))
    })?;
    let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(|error| {
        unavailable(format!("the brokers do not say which topics there are: {error}"))
    })?;
    let there: BTreeSet<&str> = metadata.topics().iter().map(MetadataTopic::name).collect();
    let dead_letters = there
        .iter()
        .filter(|name| config.reads(name))
        .filter_map(|name| config.written_for(name).dead_letter)
        .filter(|topic| there.contains(topic.as_str()));
    Ok(dead_letters.collect())
}
