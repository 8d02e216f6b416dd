//! `/tap`: records of a stage as they pass, all or those that fit, a line of JSON each, for who has the
//! token. It ends when there were as many as were asked for, after so many bytes, and when the other side
//! leaves.

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
use crate::record::Outcome;
use crate::telemetry::{Tap, TapFilter, TapStage, TapText, TapWish, TappedRecord};

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
    #[serde(skip_serializing_if = "is_false")]
    is_again: bool,
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
        outcome: record.outcome.map(Outcome::name),
        reason: record.outcome.map_or("", Outcome::why),
        timestamp_ms: record.timestamp,
        key: record.key.as_deref().map(text),
        headers: headers.map(|(name, value)| (text(name), value.as_deref().map(text))).collect(),
        value: record.value.as_deref().map(Shown::of),
        value_bytes: record.value_bytes,
        is_cut: record.value.as_ref().is_some_and(|value| value.len() < record.value_bytes),
        is_again: record.is_again,
    };
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// What is asked for.
fn asked(query: Option<&str>) -> Result<TapWish, Refusal> {
    wished(query.unwrap_or_default()).ok_or(Refusal::NotTapped(MOST_RECORDS))
}

fn wished(query: &str) -> Option<TapWish> {
    let (mut stage, mut limit, mut every) = (None, USUAL_LIMIT, 1);
    let mut filter = TapFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.is_empty() {
            return None;
        }
        match &*name {
            "stage" => {
                let all = TapStage::ALL.into_iter();
                stage = Some(all.into_iter().find(|stage| stage.name() == value)?);
            }
            "limit" => limit = value.parse().ok()?,
            "every" => every = value.parse().ok()?,
            "topic" => filter.topic = Some(value.into_owned()),
            "match" => filter.text = Some(TapText::new(&value)),
            "outcome" if Outcome::is_name(&value) => filter.outcome = Some(value.into_owned()),
            _ => return None,
        }
    }
    let stage = stage?;
    let ends_here = stage != TapStage::In || filter.outcome.is_none();
    let is_meant = ends_here && every > 0 && (1..=MOST_RECORDS).contains(&limit);
    is_meant.then_some(TapWish { stage, filter, every, limit })
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
    let wish = asked(query.as_deref())?;
    let stage = wish.stage;
    let seat = Arc::clone(&port.seats.0).try_acquire_owned().map_err(|_| Refusal::Crowded)?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let tap = port.shown.taps.tap(wish);
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
    use crate::record::Reason;

    fn record(value: Option<&[u8]>) -> TappedRecord {
        TappedRecord {
            topic: "logs.enriched".into(),
            partition: Some(3),
            offset: None,
            timestamp: Some(7),
            outcome: Some(Outcome::Partial(Reason::Deadline)),
            key: Some(b"k".to_vec()),
            headers: vec![(b"a".to_vec(), None), (b"a".to_vec(), Some(b"\xff".to_vec()))],
            value: value.map(<[u8]>::to_vec),
            value_bytes: value.map_or(0, <[u8]>::len),
            is_again: false,
        }
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
        let cut = TappedRecord { value_bytes: 1 << 20, is_again: true, ..record(Some(b"  ")) };
        let long = line(TapStage::Out, &cut);
        let end = r#""value_bytes":1048576,"is_cut":true,"is_again":true}"#;
        assert!(long.trim_end().ends_with(end), "{long}");
    }

    #[test]
    fn what_is_asked_for_is_a_stage_a_limit_within_bounds_and_which_of_them() {
        let plain = asked(Some("stage=in")).unwrap();
        assert_eq!((plain.stage, plain.limit, plain.every), (TapStage::In, USUAL_LIMIT, 1));
        let rich =
            "limit=5&stage=dead&every=10&topic=dlq.logs&match=%22a+b%26%22&outcome=too_large";
        let rich = asked(Some(rich)).unwrap();
        assert_eq!((rich.stage, rich.limit, rich.every), (TapStage::Dead, 5, 10));
        assert_eq!(rich.filter.topic.as_deref(), Some("dlq.logs"));
        assert_eq!(rich.filter.outcome.as_deref(), Some("too_large"));
        assert!(format!("{:?}", rich.filter.text).contains(&format!("{:?}", b"\"a b&\"")));
        for wrong in [
            None,
            Some(""),
            Some("limit=5"),
            Some("stage=dlq"),
            Some("stage=in&limit=0"),
            Some("stage=in&limit=100001"),
            Some("stage=in&limit=many"),
            Some("stage=in&every=0"),
            Some("stage=in&every=-1"),
            Some("stage=in&match="),
            Some("stage=in&match"),
            Some("stage=in&outcome=partial"),
            Some("stage=out&outcome=partially"),
            Some("stage=in&partition=1"),
        ] {
            assert_eq!(asked(wrong).err(), Some(Refusal::NotTapped(MOST_RECORDS)), "{wrong:?}");
        }
    }
}
