//! `/tap`: records of a stage as they pass, a line of JSON each, for who has the token. It ends when there
//! were as many as were asked for, after so many bytes, and when the other side leaves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use futures_util::stream;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::SharedPort;
use super::refusal::Refusal;
use crate::telemetry::{Tap, TapStage, TappedRecord};

/// So many may look on at a time.
const MOST_TAPS: usize = 4;
/// Where nothing is said.
const USUAL_LIMIT: u64 = 100;
/// Whoever wants more reads the topic.
const MOST_RECORDS: u64 = 100_000;
/// Of all lines together.
const MOST_BYTES: usize = 64 << 20;
/// An empty line comes where nothing passes: so whoever has left is noticed.
const EVERY: Duration = Duration::from_secs(1);

/// Places for those who look on.
pub(super) struct Seats(Arc<Semaphore>);

impl Default for Seats {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_TAPS)))
    }
}

/// One record.
#[derive(Serialize)]
struct Line<'r> {
    stage: &'static str,
    topic: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    timestamp_ms: Option<i64>,
    key: Option<String>,
    headers: Vec<(String, Option<String>)>,
    value: Option<Shown>,
    value_bytes: usize,
    #[serde(skip_serializing_if = "is_false")]
    is_cut: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(is: &bool) -> bool {
    !is
}

/// A value: JSON as it is, anything else as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Json(Box<RawValue>),
    Text(String),
}

impl Shown {
    fn of(value: &[u8]) -> Self {
        let text = String::from_utf8_lossy(value).into_owned();
        // Within JSON a line's end stands only where a space may.
        match RawValue::from_string(text.replace(['\n', '\r'], " ")) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Text(text),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn line(stage: TapStage, record: &TappedRecord) -> String {
    let headers = record.headers.iter();
    let line = Line {
        stage: stage.name(),
        topic: &record.topic,
        partition: record.partition,
        offset: record.offset,
        outcome: record.outcome.map(crate::record::Outcome::name),
        reason: record.outcome.map_or("", crate::record::Outcome::why),
        timestamp_ms: record.timestamp,
        key: record.key.as_deref().map(text),
        headers: headers.map(|(name, value)| (text(name), value.as_deref().map(text))).collect(),
        value: record.value.as_deref().map(Shown::of),
        value_bytes: record.value_bytes,
        is_cut: record.value.as_ref().is_some_and(|value| value.len() < record.value_bytes),
    };
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// What is asked for.
fn asked(query: Option<&str>) -> Result<(TapStage, u64), Refusal> {
    let (mut stage, mut limit) = (None, Some(USUAL_LIMIT));
    for part in query.unwrap_or_default().split('&') {
        match part.split_once('=') {
            Some(("stage", name)) => {
                stage = TapStage::ALL.into_iter().find(|stage| stage.name() == name);
            }
            Some(("limit", number)) => limit = number.parse().ok(),
            _ => return Err(Refusal::NotTapped(MOST_RECORDS)),
        }
    }
    let limit = limit.filter(|limit| (1..=MOST_RECORDS).contains(limit));
    stage.zip(limit).ok_or(Refusal::NotTapped(MOST_RECORDS))
}

/// One who looks on, and how much he has seen.
struct Onlooking {
    stage: TapStage,
    tap: Tap,
    ticks: Interval,
    records: u64,
    bytes: usize,
    is_over: bool,
    _seat: OwnedSemaphorePermit,
}

impl Onlooking {
    /// The next lines; none after the one that says how it ended.
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        if self.bytes > MOST_BYTES {
            return Some(self.end("bytes"));
        }
        tokio::select! {
            biased;
            record = self.tap.next() => {
                let Some(record) = record else { return Some(self.end("limit")) };
                let line = line(self.stage, &record);
                self.records += 1;
                self.bytes += line.len();
                Some(line)
            }
            _ = self.ticks.tick() => Some("\n".into()),
        }
    }

    fn end(&mut self, why: &'static str) -> String {
        self.is_over = true;
        let (records, missed) = (self.records, self.tap.missed());
        let end = serde_json::json!({"ended": why, "records": records, "missed": missed});
        format!("{end}\n")
    }
}

/// Shows records until it is over.
pub(super) async fn tap(
    State(port): State<SharedPort>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refusal> {
    port.access.check_for_records(&headers)?;
    let (stage, limit) = asked(query.as_deref())?;
    let seat = Arc::clone(&port.seats.0).try_acquire_owned().map_err(|_| Refusal::Crowded)?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let tap = port.shown.taps.tap(stage, limit);
    let onlooking =
        Onlooking { stage, tap, ticks, records: 0, bytes: 0, is_over: false, _seat: seat };
    let told = stream::unfold(onlooking, |mut onlooking| async {
        let lines = onlooking.next().await?;
        Some((Ok::<_, Infallible>(lines), onlooking))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(told)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Reason};

    fn record(value: Option<&[u8]>) -> TappedRecord {
        let empty = TappedRecord {
            topic: "logs.enriched".into(),
            partition: Some(3),
            offset: None,
            timestamp: Some(7),
            outcome: Some(Outcome::Partial(Reason::Deadline)),
            key: Some(b"k".to_vec()),
            headers: vec![(b"a".to_vec(), None), (b"a".to_vec(), Some(b"\xff".to_vec()))],
            value: None,
            value_bytes: 0,
        };
        empty.with_value(value)
    }

    #[test]
    fn a_record_is_a_line_with_its_json_as_it_is_and_other_values_as_text() {
        let json = record(Some(b"{\"n\": 12345678901234567890123,\n \"a\":1,\"a\":2}"));
        assert_eq!(
            line(TapStage::Out, &json),
            "{\"stage\":\"out\",\"topic\":\"logs.enriched\",\"partition\":3,\"outcome\":\"partial\",\
             \"reason\":\"deadline\",\"timestamp_ms\":7,\"key\":\"k\",\"headers\":[[\"a\",null],\
             [\"a\",\"\u{fffd}\"]],\"value\":{\"n\": 12345678901234567890123,  \"a\":1,\"a\":2},\
             \"value_bytes\":44}\n"
        );
        let broken = line(TapStage::Out, &record(Some(b"{\n\"")));
        assert!(broken.contains(r#""value":"{\n\"","#) && broken.matches('\n').count() == 1);
        assert!(line(TapStage::Out, &record(None)).contains(r#""value":null,"value_bytes":0"#));
        let long = line(TapStage::Out, &record(Some(&vec![b' '; 1 << 20])));
        assert!(long.contains(r#""value_bytes":1048576,"is_cut":true"#), "{}", &long[..200]);
    }

    #[test]
    fn what_is_asked_for_is_a_stage_and_a_limit_within_bounds() {
        assert_eq!(asked(Some("stage=in")), Ok((TapStage::In, USUAL_LIMIT)));
        assert_eq!(asked(Some("limit=5&stage=dead")), Ok((TapStage::Dead, 5)));
        for wrong in [
            None,
            Some(""),
            Some("limit=5"),
            Some("stage=dlq"),
            Some("stage=in&limit=0"),
            Some("stage=in&limit=100001"),
            Some("stage=in&limit=many"),
            Some("stage=in&topic=logs"),
        ] {
            assert_eq!(asked(wrong), Err(Refusal::NotTapped(MOST_RECORDS)), "{wrong:?}");
        }
    }
}
