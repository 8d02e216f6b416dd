//! What is alike in the replies of all providers: their JSON, their status codes, how long to wait.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value as Json;

use super::{Answered, ItemError, Quota, Reply, Verdict};
use crate::record::Enrichment;

/// A pause that is over already is still a pause.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What is said of one address.
pub(super) type Told = Result<Option<Enrichment>, ItemError>;

/// The JSON of a reply that ought to have some. What a reply says is never repeated: it may contain
/// the token.
pub(super) fn json(reply: &Reply<'_>) -> Result<Json, Verdict> {
    let body = reply.body.trim_ascii();
    let said = |xml: &[u8]| body.get(..xml.len()).is_some_and(|at| at.eq_ignore_ascii_case(xml));
    if body.is_empty() {
        return Err(Verdict::Retry("the reply is empty".to_owned()));
    }
    if said(b"<?xml") || said(b"<ArrayList") || said(b"<LinkedHashMap") || is_xml(reply.headers) {
        let why = "the reply is XML, which is not read here: have it answer in JSON";
        return Err(Verdict::Rejected(why.to_owned()));
    }
    if body[0] == b'<' {
        return Err(Verdict::Retry("the reply is a page for people".to_owned()));
    }
    serde_json::from_slice(body)
        .map_err(|_| Verdict::Retry("the reply is no JSON, or not the whole of it".to_owned()))
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or(kind).trim();
        kind.eq_ignore_ascii_case("application/xml") || kind.eq_ignore_ascii_case("text/xml")
    })
}

/// What a status means where a provider's contract does not say otherwise; None for success.
pub(super) fn by_status(reply: &Reply<'_>) -> Option<Verdict> {
    let status = reply.status;
    Some(match status {
        200..=299 => return None,
        300..=399 => Verdict::Rejected(format!(
            "status {status}: it sends elsewhere, and redirects are not followed"
        )),
        401 | 403 => Verdict::CredentialRefused(format!("status {status}: the token is refused")),
        413 => Verdict::Split,
        429 => Verdict::Pause(wait(reply)),
        503 if wait(reply).is_some() => Verdict::Pause(wait(reply)),
        408 | 425 | 499 => Verdict::Retry(format!("status {status}: it took too long")),
        501 | 505 => Verdict::Rejected(format!("status {status}: it cannot do what was asked")),
        500..=599 => Verdict::Retry(format!("status {status}: it failed")),
        _ => Verdict::Rejected(format!("status {status}: it does not accept the request")),
    })
}

/// How long a reply asks to wait: `Retry-After` in seconds or as a date, or `X-RateLimit-Reset`. However
/// long that is: whoever waits knows what is absurd.
pub(super) fn wait(reply: &Reply<'_>) -> Option<Duration> {
    let text = |name: &str| reply.headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    let retry_after = text("retry-after").and_then(|text| {
        seconds(text).or_else(|| Some(until(httpdate::parse_http_date(text).ok()?, reply.now)))
    });
    let wait = retry_after.or_else(|| Some(until(resets(reply)?, reply.now)))?;
    Some(wait.max(SHORTEST_PAUSE))
}

/// How long it is until then; nothing when that has been.
fn until(then: SystemTime, now: SystemTime) -> Duration {
    then.duration_since(now).unwrap_or(Duration::ZERO)
}

/// When `X-RateLimit-Reset` says that the limit is whole again: a time in Unix seconds.
fn resets(reply: &Reply<'_>) -> Option<SystemTime> {
    let seconds = number(reply.headers, "x-ratelimit-reset")?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The limit by `X-RateLimit-*`, where a reply has them.
pub(super) fn quota(reply: &Reply<'_>) -> Option<Quota> {
    let limit = number(reply.headers, "x-ratelimit-limit");
    let remaining = number(reply.headers, "x-ratelimit-remaining");
    let resets = resets(reply);
    let says = limit.is_some() || remaining.is_some();
    says.then_some(Quota { limit, remaining, resets })
}

/// A header that is a number of at least zero, perhaps with decimals, which are rounded up: what is
/// charged is never taken for less.
pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let number: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    (0.0..=9.0e15).contains(&number).then(|| number.ceil() as u64)
}

/// Whether a text is this address, however it is spelt.
pub(super) fn is(text: &str, address: IpAddr) -> bool {
    text.trim()
        .parse::<IpAddr>()
        .is_ok_and(|parsed| parsed.to_canonical() == address.to_canonical())
}

/// An answer of which nothing but the facts is known.
pub(super) fn told(told: Vec<Told>) -> Answered {
    Answered { told, ..Answered::default() }
}

/// Facts, or that nothing is known.
pub(super) fn known(facts: Enrichment) -> Option<Enrichment> {
    (facts != Enrichment::default()).then_some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply<'a>(status: u16, headers: &'a HeaderMap, body: &'a [u8]) -> Reply<'a> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Reply { status, headers, body, now }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_pause_is_read_from_seconds_dates_and_resets() {
        for (pairs, seconds) in [
            (&[][..], None),
            (&[("retry-after", "7")][..], Some(7)),
            (&[("retry-after", "0")], Some(1)),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "1000000000")], Some(1_000_000_000)),
            (&[("retry-after", "99999999999999999999999")], None),
            (&[("retry-after", "Fri, 15 Jan 2027 08:00:30 GMT")], Some(30)),
            (&[("retry-after", "Fri, 15 Jan 2021 08:00:30 GMT")], Some(1)),
            (&[("retry-after", "soon"), ("x-ratelimit-reset", "1800000012")], Some(12)),
            (&[("x-ratelimit-reset", "1700000000")], Some(1)),
            (&[("x-ratelimit-reset", "9000000000000000")], Some(8_999_998_200_000_000)),
            (&[("x-ratelimit-reset", "NaN")], None),
            (&[("retry-after", "3"), ("x-ratelimit-reset", "1800000012")], Some(3)),
        ] {
            let headers = headers(pairs);
            let wait = wait(&reply(429, &headers, b"")).map(|wait| wait.as_secs());
            assert_eq!(wait, seconds, "{pairs:?}");
        }
    }

    #[test]
    fn each_status_has_a_decision() {
        let none = HeaderMap::new();
        for status in 200..600 {
            let verdict = by_status(&reply(status, &none, b""));
            let decided = match status {
                200..=299 => verdict.is_none(),
                401 | 403 => matches!(verdict, Some(Verdict::CredentialRefused(_))),
                408 | 425 | 499 | 500 | 502..=504 | 506..=599 => {
                    matches!(verdict, Some(Verdict::Retry(_)))
                }
                413 => verdict == Some(Verdict::Split),
                429 => verdict == Some(Verdict::Pause(None)),
                _ => matches!(verdict, Some(Verdict::Rejected(_))),
            };
            assert!(decided, "{status}: {verdict:?}");
        }
        let later = headers(&[("retry-after", "9")]);
        let pause = Some(Verdict::Pause(Some(Duration::from_secs(9))));
        assert_eq!(by_status(&reply(503, &later, b"")), pause);
    }

    #[test]
    fn what_is_no_json_is_said_in_words_of_our_own() {
        let none = HeaderMap::new();
        let xml = headers(&[("content-type", "application/xml;charset=UTF-8")]);
        let deep = "[".repeat(100_000);
        for (headers, body, why) in [
            (&none, "", "empty"),
            (&none, " \n ", "empty"),
            (&none, "<html>SECRET</html>", "page for people"),
            (&none, "<?xml version=\"1.0\"?>", "XML"),
            (&xml, "anything", "XML"),
            (&none, "{\"token\":\"SECRET\"", "not the whole"),
            (&none, "[1] SECRET", "not the whole"),
            (&none, &deep, "not the whole"),
        ] {
            let verdict = json(&reply(200, headers, body.as_bytes())).unwrap_err();
            let (Verdict::Retry(said) | Verdict::Rejected(said)) = &verdict else { panic!() };
            assert!(said.contains(why) && !said.contains("SECRET"), "{body:?}: {said}");
        }
        assert!(json(&reply(200, &none, b" {} ")).is_ok());
    }

    #[test]
    fn an_address_is_known_in_any_spelling() {
        let address = "2001:db8::1".parse().unwrap();
        for (text, same) in [
            ("2001:db8::1", true),
            ("2001:0DB8:0:0:0:0:0:1", true),
            ("2001:db8::2", false),
            ("", false),
            ("example.com", false),
        ] {
            assert_eq!(is(text, address), same, "{text}");
        }
        assert!(is("::ffff:192.0.2.1", "192.0.2.1".parse().unwrap()));
    }
}
