//! How a stand-in answers: honestly, or in one of the ways in which services fail.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::wire::Answer;

/// A way to answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Manner {
    Honest,
    /// An error of this status, with a body that says so.
    Status(u16),
    /// A status with this body and these headers.
    Plain(u16, String, Vec<(&'static str, String)>),
    /// 429 with these headers.
    Limited(Vec<(&'static str, String)>),
    /// 302 to this place.
    Redirect(String),
    /// The list or object in another order, what is in it under other addresses.
    Permuted,
    /// Without the last answer.
    Shortened,
    /// With the first answer twice.
    Doubled,
    /// Half of the body, as if it were the whole.
    Cut,
    /// Half of the body, then the end of the connection.
    HangUp,
    /// The end of the connection without a word, as a keep-alive that went stale.
    Silent,
    /// A byte, a pause, a byte.
    Slow(Duration),
    /// So many bytes of white space before the body.
    Huge(usize),
    /// So many bytes of headers.
    Headers(usize),
}

impl Manner {
    /// Answers; false when the connection is over.
    pub(super) fn answer(&self, honest: Answer, mut stream: &TcpStream) -> bool {
        let status = |status: u16| {
            let body = serde_json::json!({"message": "as told", "error": "as told"});
            Answer::json(status, &body)
        };
        match self {
            Self::Honest => honest.send(stream),
            Self::Status(code) => status(*code).send(stream),
            Self::Plain(status, body, headers) => {
                let body = body.clone().into_bytes();
                Answer { status: *status, headers: headers.clone(), body }.send(stream)
            }
            Self::Limited(headers) => {
                let mut limited = status(429);
                limited.headers.extend(headers.clone());
                limited.send(stream)
            }
            Self::Redirect(place) => status(302).with("location", place).send(stream),
            Self::Permuted => changed(honest, |items| items.rotate_left(1)).send(stream),
            Self::Shortened => changed(honest, |items| drop(items.pop())).send(stream),
            Self::Doubled => {
                changed(honest, |items| items.insert(0, items[0].clone())).send(stream)
            }
            Self::Cut => {
                let half = honest.body.len() / 2;
                Answer { body: honest.body[..half].to_vec(), ..honest }.send(stream)
            }
            Self::HangUp => {
                let head = honest.head(honest.body.len());
                let half = [head, honest.body[..honest.body.len() / 2].to_vec()].concat();
                drop(stream.write_all(&half));
                over(stream)
            }
            Self::Silent => over(stream),
            Self::Slow(pause) => {
                let whole = [honest.head(honest.body.len()), honest.body].concat();
                whole.iter().all(|byte| {
                    std::thread::sleep(*pause);
                    stream.write_all(&[*byte]).is_ok()
                })
            }
            Self::Huge(bytes) => {
                let head = honest.head(bytes + honest.body.len());
                let blank = [b' '; 1 << 12];
                let mut left = *bytes;
                let mut sent = stream.write_all(&head).is_ok();
                while sent && left > 0 {
                    let now = left.min(blank.len());
                    sent = stream.write_all(&blank[..now]).is_ok();
                    left -= now;
                }
                sent && stream.write_all(&honest.body).is_ok()
            }
            Self::Headers(bytes) => honest.with("x-long", &"x".repeat(*bytes)).send(stream),
        }
    }
}

fn over(stream: &TcpStream) -> bool {
    drop(stream.shutdown(Shutdown::Both));
    false
}

/// The answer with its list changed, or with what stands under the names of its object.
fn changed(answer: Answer, change: impl Fn(&mut Vec<Value>)) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    match &mut body {
        Value::Array(items) if !items.is_empty() => change(items),
        Value::Object(members) if members.values().all(Value::is_object) => {
            let mut items: Vec<Value> = members.values().cloned().collect();
            change(&mut items);
            *members = members.keys().cloned().zip(items).collect();
        }
        _ => {}
    }
    Answer { body: body.to_string().into_bytes(), ..answer }
}
