//! Stand-ins of two providers over real HTTP on loopback, each on a port of its own: they answer in
//! bulk with made-up facts, and count what they are asked, which is what a provider bills.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How long each call takes: a provider on the same continent.
const TAKES: Duration = Duration::from_millis(20);

/// Both of them, listening.
pub(super) struct StandIns {
    /// Where the one is that knows places and networks, as IPinfo does.
    pub(super) ipinfo: SocketAddr,
    /// Where the one is that knows how dangerous an address is, as IPGeolocation does.
    pub(super) ipgeolocation: SocketAddr,
    counter: Arc<Counter>,
}

/// What both were asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Calls that asked for addresses.
    pub(super) calls: u64,
    /// Addresses in these calls, each as often as it was asked for: what is paid.
    pub(super) addresses: u64,
    /// Different ones among them.
    pub(super) distinct: u64,
}

impl StandIns {
    /// Listens at once.
    pub(super) fn start(runtime: &Runtime) -> io::Result<Self> {
        let counter = Arc::new(Counter::default());
        let start =
            |router| listen(runtime, SocketAddr::from(([127, 0, 0, 1], 0)), router, &counter);
        let (ipinfo, ipgeolocation) = (start(ipinfo())?, start(ipgeolocation())?);
        Ok(Self { ipinfo, ipgeolocation, counter })
    }

    /// Both at one address, for their paths do not meet: for other processes than the demo.
    pub(super) fn start_at(runtime: &Runtime, at: SocketAddr) -> io::Result<SocketAddr> {
        let router = ipinfo().merge(ipgeolocation());
        listen(runtime, at, router, &Arc::new(Counter::default()))
    }

    /// What they were asked so far.
    pub(super) fn asked(&self) -> Asked {
        let (asked, addresses) = &*self.counter.0.lock().unwrap_or_else(PoisonError::into_inner);
        Asked { distinct: addresses.len() as u64, ..*asked }
    }
}

fn ipinfo() -> Router<Arc<Counter>> {
    Router::new()
        .route("/me", get(async || json!({}).to_string()))
        .route("/lookup/{address}", get(place))
        .route("/batch", post(places))
}

fn ipgeolocation() -> Router<Arc<Counter>> {
    Router::new()
        .route("/v3/security", get(danger))
        .route("/v3/security-bulk", post(dangers))
        .route("/v3/ipgeo", get(danger))
        .route("/v3/ipgeo-bulk", post(dangers))
}

fn listen(
    runtime: &Runtime,
    at: SocketAddr,
    router: Router<Arc<Counter>>,
    counter: &Arc<Counter>,
) -> io::Result<SocketAddr> {
    let listener = runtime.block_on(TcpListener::bind(at))?;
    let at = listener.local_addr()?;
    let router = router.with_state(Arc::clone(counter));
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(at)
}

/// Counts the calls of both, with the different addresses in them.
#[derive(Default)]
struct Counter(Mutex<(Asked, HashSet<IpAddr>)>);

impl Counter {
    async fn take(&self, addresses: &[IpAddr]) {
        {
            let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            counted.0.calls += 1;
            counted.0.addresses += addresses.len() as u64;
            counted.1.extend(addresses);
        }
        tokio::time::sleep(TAKES).await;
    }
}

async fn place(State(counter): State<Arc<Counter>>, Path(address): Path<IpAddr>) -> String {
    counter.take(&[address]).await;
    place_of(address).to_string()
}

async fn places(State(counter): State<Arc<Counter>>, body: Bytes) -> String {
    // What cannot be read asks for nothing, and gets that.
    let addresses: Vec<IpAddr> = serde_json::from_slice(&body).unwrap_or_default();
    counter.take(&addresses).await;
    let member = |address: &IpAddr| (address.to_string(), place_of(*address));
    Value::Object(addresses.iter().map(member).collect()).to_string()
}

async fn danger(State(counter): State<Arc<Counter>>, uri: Uri) -> String {
    let query = uri.query().unwrap_or_default();
    let address = query.split('&').find_map(|pair| pair.strip_prefix("ip=")?.parse().ok());
    let Some(address) = address else { return json!({}).to_string() };
    counter.take(&[address]).await;
    danger_of(address).to_string()
}

async fn dangers(State(counter): State<Arc<Counter>>, body: Bytes) -> String {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let texts = body["ips"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let addresses: Vec<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    counter.take(&addresses).await;
    addresses.iter().map(|address| danger_of(*address)).collect::<Value>().to_string()
}

/// Towns and networks that nobody has, in countries that exist.
const PLACES: [(&str, &str, &str, &str, &str, &str); 3] = [
    ("Elmhaven", "CH", "Switzerland", "Europe/Zurich", "AS64507", "Firn Backbone"),
    ("Tamarind Bay", "SG", "Singapore", "Asia/Singapore", "AS64508", "Strait Cloud"),
    ("Cold Harbour Point", "CA", "Canada", "America/Halifax", "AS64509", "Fundy Fibre"),
];

/// Addresses of one network are in one place; of version 6 it knows none.
fn place_of(address: IpAddr) -> Value {
    let IpAddr::V4(v4) = address else { return Value::Null };
    let [first, second, third, _] = v4.octets();
    let network = usize::from(first) + usize::from(second) + usize::from(third);
    let (city, code, country, zone, number, name) = PLACES[network % PLACES.len()];
    json!({
        "ip": address.to_string(),
        "geo": {"city": city, "country": country, "country_code": code, "timezone": zone,
            "latitude": 1.5, "longitude": 2.5},
        "as": {"asn": number, "name": name, "type": "hosting"},
        "is_anonymous": false, "is_anycast": false, "is_hosting": true, "is_mobile": false,
        "is_satellite": false,
    })
}

/// A score out of the address: the same each time.
fn danger_of(address: IpAddr) -> Value {
    let octets = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let mixed =
        octets.into_iter().fold(7_u32, |sum, octet| sum.wrapping_mul(31) + u32::from(octet));
    let score = mixed % 100;
    json!({
        "ip": address.to_string(),
        "security": {"threat_score": score, "is_known_attacker": score >= 90,
            "is_spam": score >= 80, "is_bot": score % 2 == 1},
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::command::run::start_runtime;

    fn ask(at: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn post_to(at: SocketAddr, path: &str, body: &str) -> String {
        let length = body.len();
        ask(
            at,
            &format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            ),
        )
    }

    #[test]
    fn what_they_are_asked_is_counted_and_answered() {
        let runtime = start_runtime().unwrap();
        let stand_ins = StandIns::start(&runtime).unwrap();
        let reply = post_to(stand_ins.ipinfo, "/batch", r#"["9.9.9.9","9.9.9.8"]"#);
        assert!(reply.contains(r#""9.9.9.8":{"ip":"9.9.9.8","geo":{"city":"#), "{reply}");
        let path = "/v3/security-bulk?apiKey=x";
        let reply = post_to(stand_ins.ipgeolocation, path, r#"{"ips":["9.9.9.9"]}"#);
        assert!(reply.contains(r#"[{"ip":"9.9.9.9","security":{"threat_score":"#), "{reply}");
        let get = "GET /lookup/9.9.9.7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert!(ask(stand_ins.ipinfo, get).contains("AS645"));
        assert_eq!(stand_ins.asked(), Asked { calls: 3, addresses: 4, distinct: 3 });
    }
}
