//! The demo's log events: a web server, a firewall, ssh logins, and now and then a line that is not
//! JSON. Names and addresses are invented; the addresses are in the demo's databases, or on purpose
//! in none.

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::time::SystemTime;

use humantime_serde::re::humantime::format_rfc3339_millis;

/// One event in so many is a line of text.
const TEXT_EVERY: u64 = 200;

/// So many visitors come from the network of each address of [`OUTSIDE`].
const NEIGHBOURS: u64 = 250;

/// Global addresses. What the databases know of one, they know of its neighbours too. The last two
/// are in no database of the demo.
const OUTSIDE: [&str; 18] = [
    "81.2.69.142",
    "185.220.101.34",
    "2a02:1810:8::53",
    "23.114.8.201",
    "5.44.17.20",
    "5.44.200.9",
    "24.48.0.1",
    "24.48.7.77",
    "41.76.108.46",
    "62.32.15.8",
    "133.18.33.5",
    "177.54.150.3",
    "185.220.102.8",
    "202.12.29.205",
    "2600:4040:12:9::a",
    "2a02:1810:4:2::1",
    "9.9.9.9",
    "2001:4860:4860::8888",
];
const INSIDE: [&str; 5] = ["10.20.0.8", "10.20.4.31", "172.16.9.2", "192.168.7.40", "fd00:20::8"];
const PAGES: [&str; 6] =
    ["/", "/login", "/api/v2/orders/4711", "/static/app.css", "/search?q=caf%C3%A9", "/healthz"];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "curl/8.14.1",
];
const USERS: [&str; 6] = ["root", "admin", "deploy", "a.meier", "k.tanaka", "postgres"];

/// Writes the `number`th event into `text`, whose content goes. Returns how many addresses of global
/// scope it carries.
pub(super) fn write_event(number: u64, now: SystemTime, text: &mut String) -> u64 {
    text.clear();
    let mut dice = Dice(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let time = format_rfc3339_millis(now);
    if number % TEXT_EVERY == TEXT_EVERY - 1 {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "<134>1 {time} fw-2 kernel - - - link eth3 is down, 100% of queues drained"
        );
        return 0;
    }
    match number % 3 {
        0 => web(number, &mut dice, text, &time),
        1 => firewall(number, &mut dice, text, &time),
        _ => ssh(number, &mut dice, text, &time),
    }
}

/// The host that an event is of; its key.
pub(super) fn host(number: u64, hosts: u64) -> String {
    format!("edge-{}", number % hosts + 1)
}

type Time = humantime_serde::re::humantime::Rfc3339Timestamp;

fn web(number: u64, dice: &mut Dice, text: &mut String, time: &Time) -> u64 {
    let (source, destination) = (outside(number, dice), dice.pick(&INSIDE));
    let (page, agent) = (dice.pick(&PAGES), dice.pick(&AGENTS));
    let (port, bytes) = (dice.between(1024, 65_000), dice.between(200, 90_000));
    let status = dice.pick(&["200", "200", "200", "304", "403", "404", "500"]);
    let _ = write!(
        text,
        r#"{{"@timestamp":"{time}","event":{{"kind":"event","category":["web"],"type":["access"],"dataset":"nginx.access","sequence":{number}}},"message":"GET {page} HTTP/1.1","http":{{"version":"1.1","request":{{"method":"GET"}},"response":{{"status_code":{status},"body":{{"bytes":{bytes}}}}}}},"url":{{"path":"{page}","domain":"shop.example"}},"user_agent":{{"original":"{agent}"}},"source":{{"ip":"{source}","port":{port}}},"destination":{{"ip":"{destination}","port":443}},"labels":{{"tier":"edge"}}}}"#
    );
    1
}

fn firewall(number: u64, dice: &mut Dice, text: &mut String, time: &Time) -> u64 {
    let inside = |dice: &mut Dice| dice.pick(&INSIDE).to_owned();
    // One flow in three stays inside, and nothing is looked up for it. The one that is shown goes to
    // an address that is in no database.
    let (source, destination, carries) = match dice.between(0, 3) {
        0 if number > 2 => (inside(dice), inside(dice), 0),
        _ if number == 1 => (outside(number, dice), OUTSIDE[16].to_owned(), 2),
        _ => (outside(number, dice), outside(number, dice), 2),
    };
    let (from, to) = (dice.between(1024, 65_000), dice.pick(&["22", "53", "443", "3389", "8443"]));
    let (bytes, packets) = (dice.between(60, 900_000), dice.between(1, 700));
    let (action, outcome) = dice.pick(&[("allow", "success"), ("deny", "failure")]);
    let _ = write!(
        text,
        r#"{{"@timestamp":"{time}","event":{{"kind":"event","category":["network"],"type":["connection"],"action":"{action}","outcome":"{outcome}","sequence":{number}}},"observer":{{"vendor":"Example","type":"firewall","name":"fw-2"}},"rule":{{"name":"edge-default","id":"1042"}},"network":{{"transport":"tcp","direction":"inbound","bytes":{bytes},"packets":{packets}}},"source":{{"ip":"{source}","port":{from}}},"destination":{{"ip":"{destination}","port":{to}}}}}"#
    );
    carries
}

fn ssh(number: u64, dice: &mut Dice, text: &mut String, time: &Time) -> u64 {
    let (source, user) = (outside(number, dice), dice.pick(&USERS));
    let (port, pid) = (dice.between(1024, 65_000), dice.between(300, 32_000));
    let (method, outcome) = dice.pick(&[("password", "failure"), ("publickey", "success")]);
    let _ = write!(
        text,
        r#"{{"@timestamp":"{time}","event":{{"kind":"event","category":["authentication"],"action":"ssh_login","outcome":"{outcome}","sequence":{number}}},"message":"{method} for {user} from {source} port {port} ssh2","process":{{"name":"sshd","pid":{pid}}},"user":{{"name":"{user}"}},"source":{{"ip":"{source}","port":{port}}},"host":{{"name":"bastion-1","ip":["10.20.0.8","fd00:20::8"]}}}}"#
    );
    1
}

/// A visitor; a few come often. The first events are the ones that are shown: each has something to
/// show.
fn outside(number: u64, dice: &mut Dice) -> String {
    if number < 3 {
        return OUTSIDE[number as usize].to_owned();
    }
    let often = dice.between(0, NEIGHBOURS) * dice.between(0, NEIGHBOURS) / NEIGHBOURS;
    neighbour(dice.pick(&OUTSIDE), often)
}

/// The `number`th address of the last 256 around this one.
fn neighbour(address: &str, number: u64) -> String {
    let moved = match address.parse() {
        Ok(IpAddr::V4(v4)) => IpAddr::from((u32::from(v4) & !0xff | number as u32).to_be_bytes()),
        Ok(IpAddr::V6(v6)) => Ipv6Addr::from(u128::from(v6) & !0xff | u128::from(number)).into(),
        Err(_) => return address.to_owned(),
    };
    moved.to_string()
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// From `low` up to and without `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        // Xorshift: the state is never zero, since the seed is odd times a number that is not.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (self.0 >> 11) % (high - low)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::databases;
    use super::*;
    use crate::record::{Address, FactGroup};
    use crate::resolve::{DatabaseSet, Resolver, Want, Wants};

    #[test]
    fn events_are_json_of_about_a_kilobyte_but_for_the_lines_of_text() {
        let mut text = String::new();
        let mut lines = 0;
        for number in 0..10 * TEXT_EVERY {
            let carries = write_event(number, SystemTime::UNIX_EPOCH, &mut text);
            assert!(text.len() < 1100, "{} bytes: {text}", text.len());
            let parsed = serde_json::from_str::<serde_json::Value>(&text);
            if number % TEXT_EVERY == TEXT_EVERY - 1 {
                assert!(parsed.is_err(), "{text}");
                assert_eq!(carries, 0);
                lines += 1;
            } else {
                let event = parsed.expect(&text);
                assert_eq!(event["event"]["sequence"], number);
                let global = ["source", "destination"].into_iter().filter(|member| {
                    let ip = event[member]["ip"].as_str().and_then(|text| text.parse().ok());
                    ip.is_some_and(|ip| Address::new(ip).is_global())
                });
                assert_eq!(carries, global.count() as u64, "{text}");
            }
        }
        assert_eq!(lines, 10);
    }

    #[test]
    fn the_databases_know_the_addresses_but_for_the_last_two() {
        let wants = Arc::new(Wants::new(&[Want("geo".into()), Want("as".into())]).unwrap());
        let set = Arc::new(DatabaseSet::new(databases().unwrap()).unwrap());
        let mut resolver = Resolver::new(wants, set, Default::default(), 1 << 20);
        for (index, text) in OUTSIDE.iter().enumerate() {
            let neighbours = [0, 1, NEIGHBOURS].map(|number| neighbour(text, number));
            for text in neighbours.iter().map(String::as_str).chain([*text]) {
                let address = Address::new(text.parse().unwrap());
                assert!(address.is_global(), "{text}");
                let answer = resolver.resolve(&address);
                let known = [FactGroup::Geo, FactGroup::As]
                    .iter()
                    .any(|group| answer.facts_for(*group).is_some());
                assert_eq!(known, index < OUTSIDE.len() - 2, "{text}");
            }
        }
    }
}
