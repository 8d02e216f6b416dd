//! `dlq replay`: writes dead letters to where they came from, as they came.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::Args;

use super::letter::{Letter, position, utc};
use super::{Which, each, read};
use crate::command::output::{Format, counted, print};
use crate::command::{Exit, Failure, say};
use crate::config::Config;
use crate::kafka::{ClientError, Outgoing, Pool, Producer, Stretch, TopicHandle, Wake};
use crate::publish::{self, producer_settings, take_off_headers};
use crate::record::Position;

/// Written and not yet acknowledged: more than this waits.
const MOST_UNDER_WAY: usize = 1_000;
/// How long the brokers have for one letter.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    which: Which,
    /// Only those behind this one, of its partition
    #[arg(long, value_name = "TOPIC-PARTITION-OFFSET", value_parser = position)]
    after: Option<Position>,
    /// No more than so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// How it is printed: text for people, json for programs (a line per letter)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Why a letter stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum LeftOut {
    #[error("it does not say where it came from")]
    NoOrigin,
    #[error("its origin is no topic that this configuration reads")]
    NotRead,
    #[error("its value stood at its origin only, and is gone there")]
    ValueGone,
    #[error("its key stood at its origin only, and is gone there")]
    KeyGone,
}

/// Writes them, or says what would be written.
pub(super) fn replay(config: &Config, args: &ReplayArgs) -> Result<Exit, Failure> {
    let mut writer = if args.dry_run { None } else { Some(Writer::new(config)?) };
    let (mut meant, mut left_out) = (0_u64, 0_u64);
    each(config, &args.which, |letter| {
        if args.limit.is_some_and(|limit| meant >= limit)
            || !is_behind(&letter, args.after.as_ref())
        {
            return Ok(());
        }
        meant += 1;
        let ready = ready(config, letter);
        print(line(&ready, args.format).as_bytes())?;
        match (ready, &mut writer) {
            (Ok((letter, origin)), Some(writer)) => writer.write(letter, &origin),
            (Ok(_), None) => Ok(()),
            (Err(_), _) => {
                left_out += 1;
                Ok(())
            }
        }
    })?;
    let failed = match writer {
        Some(writer) => writer.finish()?,
        None => 0,
    };
    let back = meant - left_out - failed;
    let verb = if args.dry_run { "would go back" } else { "went back" };
    say(&format!(
        "{} {verb}, {left_out} left out, {failed} not taken",
        counted(back, "letter", "letters")
    ));
    Ok(if left_out + failed == 0 { Exit::Done } else { Exit::Findings })
}

fn is_behind(letter: &Letter, after: Option<&Position>) -> bool {
    after.is_none_or(|after| {
        let place = &letter.place;
        place.topic == after.topic
            && place.partition == after.partition
            && place.offset > after.offset
    })
}

/// The letter with its key and value, and where it goes; or where it stands and why it stays there.
fn ready(config: &Config, mut letter: Letter) -> Result<(Letter, Position), (Position, LeftOut)> {
    let stays = |letter: &Letter, why| (letter.place.clone(), why);
    let Some(origin) = letter.origin.clone() else { return Err(stays(&letter, LeftOut::NoOrigin)) };
    if !config.reads(origin.topic.as_str()) {
        return Err(stays(&letter, LeftOut::NotRead));
    }
    let (lacks_value, lacks_key) = (letter.is_by_reference(), letter.has_key_by_reference());
    if lacks_value || lacks_key {
        let stored = stored_at(config, &origin);
        if lacks_value {
            letter.value = stored.value;
        }
        if lacks_key {
            letter.key = stored.key;
        }
    }
    if lacks_value && letter.value.is_none() {
        return Err(stays(&letter, LeftOut::ValueGone));
    }
    if lacks_key && letter.key.is_none() {
        return Err(stays(&letter, LeftOut::KeyGone));
    }
    Ok((letter, origin))
}

/// What stands at a place, as far as it can be had.
#[derive(Default)]
struct Stored {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

fn stored_at(config: &Config, origin: &Position) -> Stored {
    let (partition, begin, end) = (origin.partition, origin.offset, origin.offset.next());
    let mut stored = Stored::default();
    let one = Some(Stretch { partition, begin, end });
    let read = read(config, origin.topic.as_str(), one, |fetched| {
        if fetched.offset() == origin.offset {
            let [key, value] = [fetched.key(), fetched.payload()].map(|it| it.map(<[u8]>::to_vec));
            stored = Stored { key, value };
        }
        Ok(())
    });
    read.map_or_else(|_| Stored::default(), |()| stored)
}

fn line(ready: &Result<(Letter, Position), (Position, LeftOut)>, format: Format) -> String {
    match (ready, format) {
        (Ok((letter, origin)), Format::Text) => format!(
            "{} -> {} partition {}  {}  {}\n",
            letter.place,
            origin.topic,
            origin.partition,
            letter.class,
            letter.timestamp.map_or("no time".into(), utc)
        ),
        (Ok((letter, origin)), Format::Json) => {
            let line = serde_json::json!({
                "place": letter.place.to_string(), "topic": origin.topic.as_str(),
                "partition": origin.partition.0, "class": letter.class,
            });
            format!("{line}\n")
        }
        (Err((place, why)), Format::Text) => format!("{place} stays: {why}\n"),
        (Err((place, why)), Format::Json) => {
            let line = serde_json::json!({"place": place.to_string(), "stays": why.to_string()});
            format!("{line}\n")
        }
    }
}

/// Writes letters and waits for what becomes of them.
struct Writer {
    // Before the client that they are of.
    topics: HashMap<String, TopicHandle>,
    producer: Producer,
    pool: Pool,
    wake: Wake,
    failed: u64,
    moved: Instant,
}

impl Writer {
    fn new(config: &Config) -> Result<Self, Failure> {
        let wake = Wake::new().map_err(|error| Failure::new(Exit::Internal, error))?;
        let mut settings = producer_settings(&config.kafka.client(), &config.publish, 0, None);
        // A person waits for it.
        settings.set("message.timeout.ms", "30000").set("linger.ms", "5");
        let producer = Producer::new(&settings, &wake).map_err(unusable)?;
        Ok(Self {
            topics: HashMap::new(),
            producer,
            pool: Pool::keeping(0),
            wake,
            failed: 0,
            moved: Instant::now(),
        })
    }

    fn write(&mut self, letter: Letter, origin: &Position) -> Result<(), Failure> {
        let name = origin.topic.as_str();
        if !self.topics.contains_key(name) {
            let handle = self.producer.topic(name).map_err(unusable)?;
            self.topics.insert(name.to_owned(), handle);
        }
        let mut headers = letter.headers;
        let clamped = headers.last(publish::TIMESTAMP);
        let original = clamped.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        take_off_headers(&mut headers);
        let record = Outgoing {
            value: letter.value.map(|value| self.pool.copy(&value)),
            headers: Some(headers),
            timestamp: original.or(letter.timestamp),
            ticket: 0,
        };
        let produced = self.topics.get(name).map(|topic| {
            self.producer.produce(topic, origin.partition, letter.key.as_deref(), record)
        });
        if let Some(Err((fault, _))) = produced {
            self.failed += 1;
            say(&format!("{} is not taken by {name}: {fault}", letter.place));
        }
        self.wait_until(MOST_UNDER_WAY)
    }

    /// Waits until no more than so many are under way.
    fn wait_until(&mut self, most: usize) -> Result<(), Failure> {
        loop {
            let mut failed = Vec::new();
            if self.producer.deliveries(|delivery| failed.extend(delivery.fault())) {
                self.moved = Instant::now();
            }
            for fault in failed {
                self.failed += 1;
                say(&format!("a letter is not taken: {fault}"));
            }
            if self.producer.in_flight() <= most {
                return Ok(());
            }
            if self.moved.elapsed() > PATIENCE {
                let text = "the brokers acknowledge nothing; what was written so far may stand twice \
                            when it is written again";
                return Err(Failure::new(Exit::Unavailable, text));
            }
            self.wake.sleep(Duration::from_millis(100));
        }
    }

    /// Waits for the last ones, and says how many were not taken.
    fn finish(mut self) -> Result<u64, Failure> {
        self.moved = Instant::now();
        self.wait_until(0)?;
        Ok(self.failed)
    }
}

fn unusable(error: ClientError) -> Failure {
    Failure::new(Exit::Config, error)
}
