//! One dead letter: where it stands, where it came from, why it is here.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use humantime_serde::re::humantime::format_rfc3339_millis;
use serde_json::{Value, json};

use crate::command::output::shown;
use crate::kafka::{Fetched, Headers};
use crate::publish;
use crate::record::{DeadLetterClass, Offset, Partition, Position, Topic};

/// A dead letter as it stands in its topic.
pub(super) struct Letter {
    pub(super) place: Position,
    /// None where no header says so: somebody else has written it.
    pub(super) origin: Option<Position>,
    pub(super) class: String,
    pub(super) words: String,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Headers,
    /// Milliseconds since 1970.
    pub(super) timestamp: Option<i64>,
}

/// `topic-partition-offset`, as ipstamp writes it.
pub(super) fn position(text: &str) -> Result<Position, String> {
    let parse = || {
        let (rest, offset) = text.rsplit_once('-')?;
        let (topic, partition) = rest.rsplit_once('-')?;
        let offset: i64 = offset.parse().ok()?;
        let partition: i32 = partition.parse().ok()?;
        (!topic.is_empty() && offset >= 0 && partition >= 0).then(|| Position {
            topic: Topic::new(topic),
            partition: Partition(partition),
            offset: Offset(offset),
        })
    };
    parse().ok_or_else(|| "expected topic-partition-offset, such as dlq.logs-0-42".to_owned())
}

/// A class by its name.
pub(super) fn class(text: &str) -> Result<DeadLetterClass, String> {
    let found = DeadLetterClass::ALL.into_iter().find(|class| class.name() == text);
    found.ok_or_else(|| {
        let names: Vec<_> = DeadLetterClass::ALL.iter().map(|class| class.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// A time as it stands in logs.
pub(super) fn utc(millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

impl Letter {
    pub(super) fn of(fetched: &Fetched) -> Self {
        let headers = fetched.headers().unwrap_or_else(|| Headers::new(0));
        let text = |name: &std::ffi::CStr| {
            let value = headers.last(name).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        Self {
            place: Position {
                topic: Topic::new(fetched.topic()),
                partition: fetched.partition(),
                offset: fetched.offset(),
            },
            origin: position(&text(publish::SOURCE)).ok(),
            class: text(publish::ERROR_CLASS),
            words: text(publish::ERROR_MESSAGE),
            key: fetched.key().map(<[u8]>::to_vec),
            value: fetched.payload().map(<[u8]>::to_vec),
            timestamp: fetched.timestamp(),
            headers,
        }
    }

    /// Whether its value stands in its topic of origin only.
    pub(super) fn is_by_reference(&self) -> bool {
        self.value.is_none() && self.headers.last(publish::ERROR_VALUE_BYTES).is_some()
    }

    /// Whether its key stands there only.
    pub(super) fn has_key_by_reference(&self) -> bool {
        self.key.is_none() && self.headers.last(publish::ERROR_KEY_BYTES).is_some()
    }

    /// Everything of it, as far as it is text.
    pub(super) fn json(&self) -> Value {
        let text =
            |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| json!([String::from_utf8_lossy(name), text(value)]))
            .collect();
        json!({
            "place": self.place.to_string(),
            "origin": self.origin.as_ref().map(ToString::to_string),
            "class": self.class,
            "message": self.words,
            "timestamp": self.timestamp.map(utc),
            "key": text(self.key.as_deref()),
            "headers": headers,
            "value": text(self.value.as_deref()),
        })
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        // Somebody else's bytes are not to steer the terminal.
        let text = |bytes: &[u8]| shown(&Value::from(String::from_utf8_lossy(bytes)));
        let origin = self.origin.as_ref().map_or("unknown".to_owned(), ToString::to_string);
        writeln!(out, "place      {}", self.place)?;
        writeln!(out, "origin     {origin}")?;
        writeln!(out, "class      {}", text(self.class.as_bytes()))?;
        writeln!(out, "message    {}", text(self.words.as_bytes()))?;
        writeln!(out, "timestamp  {}", self.timestamp.map_or("none".into(), utc))?;
        match &self.key {
            Some(key) => writeln!(out, "key        {}", text(key))?,
            None if self.has_key_by_reference() => writeln!(out, "key        at its origin only")?,
            None => writeln!(out, "key        none")?,
        }
        for (name, value) in self.headers.iter() {
            writeln!(out, "header     {}: {}", text(name), value.map_or("null".into(), text))?;
        }
        match &self.value {
            Some(value) => writeln!(out, "value\n{}", text(value)),
            None if self.is_by_reference() => writeln!(out, "value      at its origin only"),
            None => writeln!(out, "value      none (a tombstone)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for text in ["logs-0-42", "dlq.logs-web-2-12-9223372036854775807"] {
            assert_eq!(position(text).unwrap().to_string(), text);
        }
        for text in
            ["", "logs", "logs-1", "-1-2", "logs-x-1", "logs--1-2-", "logs-1-99999999999999999999"]
        {
            assert!(position(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_class_has_one_of_the_names() {
        assert_eq!(class("too_large"), Ok(DeadLetterClass::TooLarge));
        assert!(class("toolarge").unwrap_err().contains("too_large"));
    }
}
