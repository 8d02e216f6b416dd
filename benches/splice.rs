//! What it costs to splice the facts of two addresses into an event of 1.1 KB, all rendered before.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ipstamp::encode::{Config, Encoder, Profile, Writing};
use ipstamp::record::{
    Address, Answer, AutonomousSystem, Enrichment, FactGroup, Facts, FactsId, Geo, GroupSet, Home,
    Moment, Outcome, Outline, Part, Retrieval, Role, Sighting, Source, Span,
};

/// A city and a system for each address, as a City and an ASN database have them.
struct Book;

impl Facts for Book {
    fn epoch(&self) -> u64 {
        1
    }

    fn enrichment(&mut self, id: FactsId) -> Enrichment {
        let text = |text: &str| Some(text.to_owned());
        if id.0 < 2 {
            let geo = Geo {
                continent_code: text("EU"),
                continent_name: text("Europe"),
                country_iso_code: text("GB"),
                country_name: text("United Kingdom"),
                region_iso_code: text("GB-WBK"),
                region_name: text("West Berkshire"),
                city_name: text("Boxford"),
                postal_code: text("OX1"),
                timezone: text("Europe/London"),
                location: Some((51.75, -1.25)),
                accuracy_radius_km: Some(100),
                geoname_id: Some(2_655_045),
                ..Geo::default()
            };
            Enrichment { geo: Some(geo), ..Enrichment::default() }
        } else {
            let system = AutonomousSystem {
                number: Some(64500),
                organization: text("Example Networks Ltd"),
                ..AutonomousSystem::default()
            };
            Enrichment { autonomous_system: Some(system), ..Enrichment::default() }
        }
    }

    fn sources(&self) -> Vec<Source> {
        let source = |name: &str| Source {
            name: name.into(),
            built: Some(Moment(1_779_062_400)),
            fresh_until: Moment::LAST,
            attribution: None,
        };
        ["city", "asn"].map(source).to_vec()
    }

    fn retrieval(&self, _: FactsId) -> Option<Retrieval> {
        None
    }

    fn now(&self) -> Moment {
        Moment(0)
    }
}

fn event() -> String {
    let start = r#"{"@timestamp":"2026-11-02T10:00:00.000Z","source":{"ip":"192.0.2.17","port":51544},"destination":{"ip":"198.51.100.233","port":443},"event":{"kind":"event","category":["network"],"action":"accept","duration":1200000},"network":{"transport":"tcp","bytes":18234,"packets":44},"message":""#;
    let end = r#"","log":{"level":"info"}}"#;
    format!("{start}{}{end}", "x".repeat(1100 - start.len() - end.len()))
}

/// The outline of [`event`], by searching its text.
fn outline(event: &str) -> Outline {
    let mut outline = Outline::default();
    let roles = [("192.0.2.17", Role::Source), ("198.51.100.233", Role::Destination)];
    for (nth, (ip, role)) in (0_u16..).zip(roles) {
        let Some(start) = event.find(ip) else { continue };
        let open = event[..start].rfind('{').unwrap_or_default();
        let close = start + event[start..].find('}').unwrap_or_default();
        let text = Span { start: start as u32, end: (start + ip.len()) as u32 };
        let Ok(ip) = ip.parse() else { continue };
        let address = Address::new(ip);
        outline.sightings.push(Sighting {
            role,
            path: nth,
            address,
            text,
            name_steps: 1,
            home: nth,
        });
        outline.homes.push(Home { open: open as u32, close: close as u32, ..Home::default() });
    }
    outline.root = Home { close: event.len() as u32 - 1, ..Home::default() };
    outline.landmarks = vec![None; 8];
    outline
}

fn splice(criterion: &mut Criterion) {
    let event = event();
    let outline = outline(&event);
    let answers = [0, 1].map(|nth| {
        let mut answer = Answer::default();
        let geo = GroupSet::EMPTY.with(FactGroup::Geo);
        answer.push(Part { facts: FactsId(nth), source: 0, groups: geo });
        let system = GroupSet::EMPTY.with(FactGroup::As);
        answer.push(Part { facts: FactsId(2 + nth), source: 1, groups: system });
        answer
    });
    let paths = ["source.ip".to_owned(), "destination.ip".to_owned()];
    for profile in Profile::NAMED {
        let name = profile.name();
        let Ok(writing) = Writing::new(&Config { profile, ..Config::default() }) else { continue };
        let mut encoder = Encoder::new(&writing, &paths, 1 << 20);
        let mut out = vec![0; 4096];
        criterion.bench_function(&format!("splice {name}, two addresses, 1.1 KB"), |bencher| {
            bencher.iter(|| {
                let event = black_box(event.as_bytes());
                let outcome = Outcome::Enriched;
                let len = encoder.plan(event, black_box(&outline), &answers, &mut Book, outcome);
                encoder.write(event, &mut out[..len]);
                black_box(&out);
            });
        });
    }
    let mut out = vec![0; 2048];
    criterion.bench_function("a bare copy of twice the event, to compare", |bencher| {
        bencher.iter(|| {
            let (first, second) = out.split_at_mut(event.len());
            first.copy_from_slice(black_box(event.as_bytes()));
            second[..900].copy_from_slice(black_box(&event.as_bytes()[..900]));
            black_box(&out);
        });
    });
}

criterion_group!(benches, splice);
criterion_main!(benches);
