//! Events as a web server's log shipper writes them: about 1.1 KB, two addresses.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use mmdb_writer::{Value, Writer};

use crate::support::client::Outgoing;
use crate::support::dice::Dice;
use crate::support::events::now_millis;
use crate::support::small_databases::Databases;

/// How source addresses are spread.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Skew {
    /// As in a real log: few addresses make most of the events.
    Skewed,
    /// All alike, so that no cache helps.
    Flat,
}

impl Skew {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Skewed => "skewed",
            Self::Flat => "flat",
        }
    }

    /// Those of this name.
    pub(crate) fn by_name(name: &str) -> Vec<Self> {
        match name {
            "skewed" => vec![Self::Skewed],
            "flat" => vec![Self::Flat],
            "both" => vec![Self::Skewed, Self::Flat],
            other => panic!("--workload {other}: skewed, flat or both"),
        }
    }
}

/// Networks in the generated databases.
const NETWORKS: u32 = 20_000;
/// Addresses that the events come from.
const SOURCES: usize = 200_000;
/// Addresses that they go to: the first ones.
pub(crate) const DESTINATIONS: usize = 2000;

/// A City and an ASN database of many networks, and addresses in them, in an order of their own.
pub(crate) fn databases(folder: &Path) -> (Databases, Vec<Ipv4Addr>) {
    let mut dice = Dice::new(7);
    let (mut city, mut asn) = (Writer::new("GeoLite2-City"), Writer::new("GeoLite2-ASN"));
    // 32.0.0.0 on: /20 next to /20, all of global scope up to 100.64.0.0.
    let first = |network: u32| (32 << 24) + (network << 12);
    for network in 0..NETWORKS {
        let (begin, end) = (first(network).into(), (first(network) | 0xfff).into());
        let range = (IpAddr::V4(begin), IpAddr::V4(end));
        city.insert_range(range.0, range.1, &place(network % 5000)).unwrap();
        let system = Value::map([
            ("autonomous_system_number", Value::from(64_512 + network % 1000)),
            (
                "autonomous_system_organization",
                Value::from(format!("Carrier {} Holdings", network % 1000)),
            ),
        ]);
        asn.insert_range(range.0, range.1, &system).unwrap();
    }
    let write = |writer: &Writer, name: &str| {
        let path = folder.join(name);
        std::fs::write(&path, writer.to_bytes().unwrap()).unwrap();
        path
    };
    let addresses = (0..SOURCES)
        .map(|_| {
            let network = dice.below(u64::from(NETWORKS)) as u32;
            Ipv4Addr::from(first(network) | dice.below(4096) as u32)
        })
        .collect();
    (Databases { city: write(&city, "city.mmdb"), asn: write(&asn, "asn.mmdb") }, addresses)
}

/// A place with everything that a City file usually knows.
fn place(number: u32) -> Value {
    let named = |name: String| Value::map([("en", Value::from(name))]);
    let region = Value::map([
        ("iso_code", Value::from(format!("R{}", number % 20))),
        ("names", named(format!("Region {}", number % 20))),
    ]);
    Value::map([
        (
            "city",
            Value::map([
                ("geoname_id", Value::from(3_000_000 + number)),
                ("names", named(format!("Town Number {number}"))),
            ]),
        ),
        ("continent", Value::map([("code", Value::from("EU")), ("names", named("Europe".into()))])),
        (
            "country",
            Value::map([("iso_code", Value::from("FI")), ("names", named("Finland".into()))]),
        ),
        (
            "location",
            Value::map([
                ("accuracy_radius", Value::from(20_u16)),
                ("latitude", Value::from(60.0 + f64::from(number) / 1000.0)),
                ("longitude", Value::from(24.0 + f64::from(number) / 1000.0)),
                ("time_zone", Value::from("Europe/Helsinki")),
            ]),
        ),
        ("postal", Value::map([("code", Value::from(format!("{number:05}")))])),
        ("subdivisions", Value::array([region])),
    ])
}

/// The events, without end.
pub(crate) struct Events<'a> {
    addresses: &'a [Ipv4Addr],
    /// The share of the addresses up to each one, for the skewed.
    shares: Option<Vec<f64>>,
    dice: Dice,
    number: u64,
    /// So many events begin with each address in its turn.
    in_turn: usize,
    partitions: i32,
}

impl<'a> Events<'a> {
    /// Events with these addresses, the most frequent first.
    pub(crate) fn new(skew: Skew, addresses: &'a [Ipv4Addr], partitions: i32) -> Self {
        // Zipf's law, as it was measured in logs.
        let shares = (skew == Skew::Skewed).then(|| {
            let mut sum = 0.0;
            let mut share = |rank: usize| {
                sum += ((rank + 1) as f64).powf(-1.05);
                sum
            };
            (0..addresses.len()).map(&mut share).collect()
        });
        Self { addresses, shares, dice: Dice::new(42), number: 0, in_turn: 0, partitions }
    }

    /// The same, but the first events have each address as their source once.
    pub(crate) fn each_in_turn(self) -> Self {
        Self { in_turn: self.addresses.len(), ..self }
    }

    fn source(&mut self) -> Ipv4Addr {
        if self.number < self.in_turn as u64 {
            return self.addresses[self.number as usize];
        }
        let Some(shares) = &self.shares else {
            return self.addresses[self.dice.below(self.addresses.len() as u64) as usize];
        };
        let all = shares[shares.len() - 1];
        let drawn = self.dice.below(1 << 40) as f64 / (1_u64 << 40) as f64 * all;
        let place = shares.partition_point(|share| *share < drawn);
        self.addresses[place.min(shares.len() - 1)]
    }

    fn text(&mut self) -> String {
        const PATHS: [&str; 5] =
            ["/catalogue/item", "/basket", "/account/orders", "/static/app.js", "/search"];
        const AGENT: &str =
            "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0";
        let source = self.source();
        let most = self.addresses.len().min(DESTINATIONS) as u64;
        let destination = self.addresses[self.dice.below(most) as usize];
        let path = PATHS[self.dice.below(PATHS.len() as u64) as usize];
        let (id, port) = (self.dice.below(1 << 62), 1024 + self.dice.below(60_000));
        let (status, bytes) = (200 + self.dice.below(4), self.dice.below(100_000));
        let (second, milli) = (self.number / 1000 % 60, self.number % 1000);
        let time = format!("2026-10-01T12:00:{second:02}.{milli:03}Z");
        let mut text = String::with_capacity(1200);
        // In pieces, as the sections of an ECS event.
        write!(
            text,
            r#"{{"@timestamp":"{time}","ecs":{{"version":"8.17.0"}},"event":{{"kind":"event","category":["web"],"type":["access"],"module":"nginx","dataset":"nginx.access","outcome":"success","duration":{bytes}000}},"#
        )
        .unwrap();
        write!(
            text,
            r#""http":{{"version":"1.1","request":{{"method":"GET","referrer":"https://shop.example.com/"}},"response":{{"status_code":{status},"body":{{"bytes":{bytes}}}}}}},"url":{{"domain":"shop.example.com","original":"{path}/{id}?page=1"}},"user_agent":{{"original":"{AGENT}"}},"#
        )
        .unwrap();
        write!(
            text,
            r#""message":"{source} - - [01/Oct/2026:12:00:{second:02} +0000] \"GET {path}/{id}?page=1 HTTP/1.1\" {status} {bytes} \"https://shop.example.com/\" \"{AGENT}\"","source":{{"ip":"{source}","port":{port}}},"destination":{{"ip":"{destination}","port":443}},"#
        )
        .unwrap();
        write!(
            text,
            r#""host":{{"name":"edge-eu-{host:03}.example.net"}},"log":{{"file":{{"path":"/var/log/nginx/access.log"}},"offset":{offset}}},"labels":{{"env":"prod","region":"eu","team":"web"}},"trace":{{"id":"{id:032x}"}},"tags":["nginx","edge","stable"]}}"#,
            host = id % 400,
            offset = self.number * 300,
        )
        .unwrap();
        text
    }
}

impl Iterator for Events<'_> {
    type Item = Outgoing;

    fn next(&mut self) -> Option<Outgoing> {
        let value = self.text().into_bytes();
        self.number += 1;
        Some(Outgoing {
            partition: (self.number % self.partitions as u64) as i32,
            key: Some(format!("edge-eu-{:03}.example.net", self.number % 400).into_bytes()),
            value: Some(value),
            headers: Vec::new(),
            timestamp: Some(now_millis()),
        })
    }
}
