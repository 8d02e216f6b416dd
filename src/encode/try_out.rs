//! For tests: a slow and plain scanner, a small book of facts, and both put together.

use std::net::IpAddr;

use super::{Config, Encoder, Existing, Profile, Writing};
use crate::record::{
    Address, Answer, AutonomousSystem, Enrichment, FactGroup, Facts, FactsId, Geo, GroupSet, Home,
    Moment, Network, Outcome, Outline, Part, Privacy, Retrieval, Role, Sighting, Source, Span,
    WritingNeeds,
};

pub(super) const PATHS: [(&str, Role); 9] = [
    ("source.ip", Role::Source),
    ("destination.ip", Role::Destination),
    ("host.ip", Role::Host),
    ("device.ip", Role::Unknown),
    ("client.address", Role::Client),
    ("sourceIPAddress", Role::Source),
    ("a.b.ip", Role::Server),
    ("plain", Role::Unknown),
    // Inside of what may be replaced.
    ("source.geo.ip", Role::Unknown),
];

/// What the tests know: 192.0.2.* has a place and a system from two sources, 198.51.100.* only a
/// system, 203.0.113.* a place that ECS has no field for and privacy, from one source.
pub(super) struct Book {
    pub(super) epoch: u64,
    pub(super) asked: u32,
}

impl Facts for Book {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn enrichment(&mut self, id: FactsId) -> Enrichment {
        self.asked += 1;
        match id.0 {
            0 => Enrichment {
                geo: Some(Geo {
                    city_name: Some(format!("B\u{fc}\"{}", self.epoch)),
                    location: Some((47.5, -0.1)),
                    ..Geo::default()
                }),
                ..Enrichment::default()
            },
            1 => Enrichment {
                autonomous_system: Some(AutonomousSystem {
                    number: Some(64500),
                    organization: Some("Org".into()),
                    ..AutonomousSystem::default()
                }),
                // Not in the part's groups.
                network: Some(Network { isp: Some("never".into()), ..Network::default() }),
                ..Enrichment::default()
            },
            _ => Enrichment {
                geo: Some(Geo {
                    country_iso_code: Some("LU".into()),
                    is_eu: Some(true),
                    ..Geo::default()
                }),
                privacy: Some(Privacy { vpn: Some(false), ..Privacy::default() }),
                ..Enrichment::default()
            },
        }
    }

    fn sources(&self) -> Vec<Source> {
        let source = |name: &str, built| Source {
            name: name.into(),
            built,
            fresh_until: Moment::LAST,
            attribution: None,
        };
        let databases = ["city", "asn", "anonymous"];
        let databases = databases.map(|name| source(name, Some(Moment(1_763_424_000))));
        databases.into_iter().chain(["ask", "inquire"].map(|name| source(name, None))).collect()
    }

    fn retrieval(&self, id: FactsId) -> Option<Retrieval> {
        let at = Moment(1_763_424_000 + id.0 * 60);
        (id.0 > 2).then_some(Retrieval { at, stale: id.0.is_multiple_of(2) })
    }

    fn now(&self) -> Moment {
        Moment(1_763_431_205)
    }
}

pub(super) fn answer(ip: IpAddr) -> Answer {
    let IpAddr::V4(ip) = ip else { return Answer::default() };
    let geo = GroupSet::EMPTY.with(FactGroup::Geo);
    let system = GroupSet::EMPTY.with(FactGroup::As);
    let parts: &[(u32, u8, GroupSet)] = match ip.octets()[0] {
        192 => &[(0, 0, geo), (1, 1, system)],
        198 => &[(1, 1, system)],
        203 => &[(2, 2, geo.with(FactGroup::Privacy).with(FactGroup::Company))],
        // Retrieved 3 minutes after midnight, and 4 and 5.
        11 => &[(3, 3, geo)],
        12 => &[(4, 3, geo)],
        13 => &[(5, 4, geo)],
        _ => &[],
    };
    let mut answer = Answer::default();
    for (facts, source, groups) in parts {
        answer.push(Part { facts: FactsId(*facts), source: *source, groups: *groups });
    }
    answer
}

/// An encoder with all paths, and what it wants the scanner to note.
pub(super) struct TryOut {
    pub(super) encoder: Encoder,
    needs: WritingNeeds,
}

impl TryOut {
    pub(super) fn new(config: &Config) -> Self {
        Self::remembering(config, 1 << 20)
    }

    pub(super) fn remembering(config: &Config, bytes: usize) -> Self {
        let paths = PATHS.map(|(path, _)| path.to_owned());
        let writing = Writing::new(config).unwrap();
        Self { encoder: Encoder::new(&writing, &paths, bytes), needs: writing.needs() }
    }

    pub(super) fn encode(
        &mut self,
        book: &mut impl Facts,
        event: &str,
        outcome: Outcome,
    ) -> String {
        let outline = scan(event, &self.needs);
        let answers: Vec<Answer> =
            outline.sightings.iter().map(|sighting| answer(sighting.address.ip())).collect();
        let len = self.encoder.plan(event.as_bytes(), &outline, &answers, book, outcome);
        let mut out = vec![0; len];
        self.encoder.write(event.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }
}

pub(super) fn encoder(profile: Profile, existing: Existing) -> TryOut {
    TryOut::new(&Config { profile, existing, ..Config::default() })
}

pub(super) fn encode(profile: Profile, existing: Existing, event: &str) -> String {
    let mut book = Book { epoch: 0, asked: 0 };
    encoder(profile, existing).encode(&mut book, event, Outcome::Enriched)
}

/// The outline of an event that is a JSON object. Wherever a name has a dot it says that something
/// may be dotted and scattered.
pub(super) fn scan(event: &str, needs: &WritingNeeds) -> Outline {
    let mut scan = Scan {
        event: event.as_bytes(),
        at: 0,
        needs,
        objects: vec![],
        outline: Outline::default(),
    };
    scan.outline.landmarks = vec![None; needs.landmarks.len()];
    let paths: Vec<Follow> = PATHS
        .iter()
        .enumerate()
        .map(|(nth, (path, _))| Follow {
            path: nth,
            rest: path.split('.').collect(),
            name_steps: 0,
        })
        .collect();
    scan.skip();
    scan.value(&paths, 0, Some(""));
    scan.outline.root = Home { taken: Home::default().taken, ..scan.objects[0] };
    let mut homes: Vec<u16> = Vec::new();
    for sighting in &mut scan.outline.sightings {
        let object = sighting.home;
        let home = homes.iter().position(|home| *home == object).unwrap_or_else(|| {
            homes.push(object);
            homes.len() - 1
        });
        sighting.home = home as u16;
    }
    scan.outline.homes = homes.iter().map(|home| scan.objects[usize::from(*home)]).collect();
    scan.outline
}

#[derive(Clone, Debug)]
struct Follow {
    path: usize,
    rest: Vec<&'static str>,
    name_steps: u8,
}

struct Scan<'a> {
    event: &'a [u8],
    at: usize,
    needs: &'a WritingNeeds,
    objects: Vec<Home>,
    outline: Outline,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.event[self.at]
    }

    fn skip(&mut self) {
        while self.at < self.event.len() && b" \t\r\n,:".contains(&self.event[self.at]) {
            self.at += 1;
        }
    }

    /// Goes past a string; its text between the quotes.
    fn string(&mut self) -> Span {
        let start = self.at + 1;
        self.at = start;
        while self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        Span { start: start as u32, end: self.at as u32 - 1 }
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(&self.event[span.start as usize..span.end as usize]).unwrap()
    }

    /// `dotted` is the path of names to here, while landmarks may be found.
    fn value(&mut self, paths: &[Follow], home: u16, dotted: Option<&str>) -> Span {
        self.skip();
        let start = self.at;
        match self.peek() {
            b'"' => {
                let text = self.string();
                for follow in paths.iter().filter(|follow| follow.rest.is_empty()) {
                    if let Ok(ip) = self.text(text).parse() {
                        self.outline.sightings.push(Sighting {
                            role: PATHS[follow.path].1,
                            path: follow.path as u16,
                            address: Address::new(ip),
                            text,
                            name_steps: follow.name_steps,
                            home,
                        });
                    }
                }
            }
            b'[' => {
                self.at += 1;
                self.skip();
                while self.peek() != b']' {
                    self.value(paths, home, None);
                    self.skip();
                }
                self.at += 1;
            }
            b'{' => self.object(paths, dotted),
            _ => {
                while self.at < self.event.len() && !b" \t\r\n,]}".contains(&self.peek()) {
                    self.at += 1;
                }
            }
        }
        Span { start: start as u32, end: self.at as u32 }
    }

    fn object(&mut self, paths: &[Follow], dotted: Option<&str>) {
        let number = self.objects.len();
        self.objects.push(Home { open: self.at as u32, empty: true, ..Home::default() });
        self.at += 1;
        self.skip();
        while self.peek() != b'}' {
            let name = self.string();
            let name = self.text(name).to_owned();
            self.outline.scattered |= name.contains(['.', '\\']);
            self.outline.dotted = self.outline.scattered;
            let mut inner = Vec::new();
            for follow in paths {
                for steps in 1..=follow.rest.len() {
                    if follow.rest[..steps].join(".") == name {
                        let rest = follow.rest[steps..].to_vec();
                        inner.push(Follow { path: follow.path, rest, name_steps: steps as u8 });
                    }
                }
            }
            let dotted = dotted.filter(|_| !name.contains('.')).map(|outer| {
                if outer.is_empty() { name.clone() } else { format!("{outer}.{name}") }
            });
            let value = self.value(&inner, number as u16, dotted.as_deref());
            if let Some(nth) = self.needs.members.iter().position(|member| *member == name) {
                self.objects[number].taken[nth] = Some(value);
            }
            let landmark = self
                .needs
                .landmarks
                .iter()
                .position(|name| Some(name.as_str()) == dotted.as_deref());
            if let Some(nth) = landmark {
                self.outline.landmarks[nth] = Some(value);
            }
            self.objects[number].empty = false;
            self.skip();
        }
        self.objects[number].close = self.at as u32;
        self.at += 1;
    }
}
