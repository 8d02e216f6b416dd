//! The promise that no address ever gets another's facts: 100,000 batches whose answers are
//! permuted, shortened, doubled, exchanged and spelt otherwise, with each provider.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value as Json, json};

use super::fixtures::Came;
use super::{Api, Verdict, generic, ipbot, ipgeolocation, ipinfo};
use crate::record::Enrichment;

const BATCHES: u32 = 100_000;

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn address(&mut self) -> IpAddr {
        let low = self.roll(40) as u8;
        match self.roll(3) {
            0 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(low)).into(),
            _ => Ipv4Addr::new(192, 0, 2, low).into(),
        }
    }

    fn addresses(&mut self, most: usize) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for _ in 0..=self.roll(most) {
            let address = self.address();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn spelt(&mut self, address: IpAddr) -> String {
        match address {
            IpAddr::V6(ip) if self.roll(3) == 0 => {
                let words: Vec<_> = ip.segments().iter().map(|s| format!("{s:04X}")).collect();
                words.join(":")
            }
            IpAddr::V4(ip) if self.roll(8) == 0 => format!("::ffff:{ip}"),
            address => address.to_string(),
        }
    }
}

/// An honest list, then as it should not be.
fn mangled(dice: &mut Dice, mut items: Vec<(String, Json)>) -> Vec<(String, Json)> {
    for _ in 0..dice.roll(4) {
        if items.is_empty() {
            break;
        }
        let (one, other) = (dice.roll(items.len()), dice.roll(items.len()));
        match dice.roll(8) {
            0 => items.swap(one, other),
            1 => drop(items.remove(one)),
            2 => items.insert(one, items[other].clone()),
            3 => items[one].1 = items[other].1.clone(),
            4 => items.reverse(),
            5 => items.truncate(one),
            6 => {
                items[one].1 = [
                    json!(null),
                    json!(""),
                    json!({}),
                    json!(7),
                    json!({"message": "no"}),
                    json!({"error": "no"}),
                    json!({"status": 404, "error": {}}),
                ][dice.roll(7)]
                .clone();
            }
            _ => {
                let stranger = dice.address();
                let item = items[one].1.to_string();
                let city = item.contains("location") || item.contains("city");
                if city {
                    items.push((stranger.to_string(), items[one].1.clone()));
                }
            }
        }
    }
    items
}

/// Whose city it is.
fn owner(facts: &Enrichment) -> IpAddr {
    let city = facts.geo.as_ref().and_then(|geo| geo.city_name.as_deref());
    city.unwrap().strip_prefix("City of ").unwrap().parse().unwrap()
}

/// Plays all batches; `item` is an honest answer, `whole` puts answers together to a reply.
fn play(
    api: &dyn Api,
    most: usize,
    item: fn(&str, &str) -> Json,
    whole: fn(Vec<(String, Json)>) -> Json,
) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut right, mut lost) = (0_u32, 0_u32);
    for batch in 0..BATCHES {
        let asked = dice.addresses(most);
        let honest = asked.iter().map(|address| {
            let spelt = dice.spelt(*address);
            let key = if dice.roll(4) == 0 { dice.spelt(*address) } else { address.to_string() };
            (key, item(&spelt, &format!("City of {address}")))
        });
        let honest = honest.collect();
        let reply = whole(mangled(&mut dice, honest));
        let came = Came::new(200, &reply);
        let Verdict::Answered(answered) = came.to(api, &asked, api.first_modules()) else {
            lost += 1;
            continue;
        };
        assert_eq!(answered.told.len(), asked.len(), "{reply}");
        for (address, told) in asked.iter().zip(&answered.told) {
            match told {
                Ok(Some(facts)) => {
                    assert_eq!(owner(facts), *address, "batch {batch}: {reply}");
                    right += 1;
                }
                Ok(None) | Err(_) => lost += 1,
            }
        }
    }
    // Both happen often, or nothing was tried.
    assert!(right > BATCHES / 4 && lost > BATCHES / 10, "{right} {lost}");
}

fn by_key(items: Vec<(String, Json)>) -> Json {
    Json::Object(items.into_iter().collect())
}

fn in_a_list(items: Vec<(String, Json)>) -> Json {
    items.into_iter().map(|(_, item)| item).collect()
}

/// For one address the answer itself.
fn alone(items: Vec<(String, Json)>) -> Json {
    items.into_iter().next().map_or(Json::Null, |(_, item)| item)
}

fn list_or_alone(items: Vec<(String, Json)>) -> Json {
    if items.len() == 1 { alone(items) } else { in_a_list(items) }
}

fn keyed_or_alone(items: Vec<(String, Json)>) -> Json {
    if items.len() == 1 { alone(items) } else { by_key(items) }
}

#[test]
fn with_ipinfo() {
    let config = serde_json::from_value(json!({"token": "t"})).unwrap();
    let item = |ip: &str, city: &str| json!({"ip": ip, "geo": {"city": city}});
    play(&ipinfo::Ipinfo::new(&config).unwrap(), 6, item, keyed_or_alone);
}

#[test]
fn with_ipgeolocation() {
    let config = serde_json::from_value(json!({"token": "t"})).unwrap();
    let item = |ip: &str, city: &str| json!({"ip": ip, "location": {"city": city}});
    play(&ipgeolocation::IpGeolocation::new(&config).unwrap(), 6, item, list_or_alone);
}

#[test]
fn with_ipbot() {
    let config = serde_json::from_value(json!({})).unwrap();
    let item = |ip: &str, city: &str| json!({"ip": ip, "location": {"city": city}});
    let whole =
        |items: Vec<(String, Json)>| items.into_iter().last().map_or(Json::Null, |(_, item)| item);
    play(&ipbot::IpBot::new(&config).unwrap(), 1, item, whole);
}

#[test]
fn with_services_of_ones_own() {
    let item = |ip: &str, city: &str| json!({"ip": ip, "city": city});
    for (shape, whole) in
        [("list", in_a_list as fn(Vec<(String, Json)>) -> Json), ("keyed", by_key)]
    {
        let config = json!({"url": "https://a.example/", "address": "/ip",
            "batch": {"most": 10, "shape": shape}, "fields": {"geo.city_name": "/city"}});
        let config = serde_json::from_value(config).unwrap();
        play(&generic::Generic::new("own", &config).unwrap(), 6, item, whole);
    }
}
