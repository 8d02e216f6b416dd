//! What it costs to scan an event: one pass, addresses read and classified, places noted.
//!
//! Each bench goes through 512 different events, because a processor learns a single one by heart.
//! Beside them stand what no scanner can go below in practice (checking the UTF-8) and what a
//! general reader takes to check the same events and keep nothing.
#![expect(clippy::unwrap_used, reason = "writing to a string does not fail; a bench may panic")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipstamp::extract::{Config, Extractor, Findings, Format, Shape, find};
use ipstamp::record::{Outline, WritingNeeds};

/// A row of numbers that is the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn v4(&mut self) -> String {
        let mut octet = || self.below(223) + 1;
        format!("{}.{}.{}.{}", octet(), octet(), octet(), octet())
    }

    fn path(&mut self) -> String {
        let words = ["goods", "item", "find", "basket", "pay", "account", "img", "v2", "help"];
        (0..=self.below(4)).fold(String::new(), |path, _| path + "/" + self.of(&words))
    }
}

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1",
    "curl/8.13.0",
    "Go-http-client/2.0",
];

/// A web server's access log in the Elastic Common Schema: about 1.1 KB, 40 members, two addresses.
fn nested(n: &mut Numbers) -> String {
    let (source, destination) = (n.v4(), n.v4());
    let (path, agent) = (n.path(), n.of(&AGENTS));
    let (method, status) = (n.of(&["GET", "GET", "POST", "HEAD"]), n.of(&["200", "304", "404"]));
    let referrer = if n.below(2) == 0 { "-".into() } else { format!("https://shop.example{path}") };
    let (size, port, day) = (n.below(90_000), n.below(60_000) + 1024, n.below(20) + 10);
    let mut e = String::new();
    write!(e, r#"{{"@timestamp":"2026-03-{day}T08:1{}:2{}.4{}1Z","ecs":{{"version":"9.0.0"}},"event":{{"kind":"event","category":["web"],"type":["access"],"module":"nginx","dataset":"nginx.access","outcome":"success","duration":{}}},"#, n.below(10), n.below(10), n.below(10), n.below(1 << 30)).unwrap();
    write!(e, r#""http":{{"version":"1.1","request":{{"method":"{method}","referrer":"{referrer}"}},"response":{{"status_code":{status},"body":{{"bytes":{size}}}}}}},"url":{{"domain":"shop.example","original":"{path}?page={}"}},"user_agent":{{"original":"{agent}"}},"#, n.below(50)).unwrap();
    write!(e, r#""message":"{source} - - [{day}/Mar/2026:08:12:23 +0000] \"{method} {path} HTTP/1.1\" {status} {size} \"{referrer}\" \"{agent}\"","#).unwrap();
    write!(e, r#""source":{{"ip":"{source}","port":{port}}},"destination":{{"ip":"{destination}","port":443}},"host":{{"name":"edge-{}.example.net"}},"log":{{"file":{{"path":"/var/log/nginx/access.log"}},"offset":{}}},"#, n.below(400), n.below(1 << 28)).unwrap();
    write!(e, r#""labels":{{"env":"prod","region":"eu-west-1","team":"{}"}},"trace":{{"id":"{:016x}{:016x}"}},"tags":["nginx","edge","{}"]}}"#, n.of(&["web", "search", "payments"]), n.below(usize::MAX), n.below(usize::MAX), n.of(&["canary", "stable"])).unwrap();
    e
}

/// The same kind of event with every name written out, as many shippers send it.
fn flat(n: &mut Numbers) -> String {
    let (source, destination, agent) = (n.v4(), n.v4(), n.of(&AGENTS));
    let mut e = String::from("{");
    for (name, text) in [
        ("event.kind", "event"),
        ("event.module", "nginx"),
        ("event.dataset", "nginx.access"),
        ("event.outcome", "success"),
        ("http.request.method", n.of(&["GET", "POST", "HEAD"])),
        ("http.request.referrer", "-"),
        ("url.domain", "shop.example"),
        ("url.original", &n.path()),
        ("user_agent.original", agent),
        ("source.ip", &source),
        ("source.user.name", n.of(&["-", "ana", "li"])),
        ("destination.ip", &destination),
        ("destination.domain", "backend.example.net"),
        ("host.name", n.of(&["edge-17.example.net", "edge-203.example.net"])),
        ("log.file.path", "/var/log/nginx/access.log"),
        ("labels.env", "prod"),
        ("labels.region", "eu-west-1"),
        ("trace.id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("service.name", n.of(&["web", "search", "payments"])),
    ] {
        write!(e, r#""{name}":"{text}","#).unwrap();
    }
    for name in [
        "source.port",
        "destination.port",
        "http.response.status_code",
        "http.response.body.bytes",
        "event.duration",
    ] {
        write!(e, r#""{name}":{},"#, n.below(100_000)).unwrap();
    }
    e + r#""@timestamp":"2026-03-12T08:12:23.401Z"}"#
}

/// An audit event whose text is most of it: 4 KB with an escape in each line.
fn text_heavy(n: &mut Numbers) -> String {
    let mut e = String::from(r#"{"message":""#);
    for line in 0..40 {
        write!(
            e,
            r"{line}: something of interest was done by process {} under {}, and it took a while\n",
            n.below(9999),
            n.path()
        )
        .unwrap();
    }
    write!(e, r#"","source":{{"ip":"{}"}},"destination":{{"ip":"{}"}}}}"#, n.v4(), n.v4()).unwrap();
    e
}

/// Makes one event.
type Make = fn(&mut Numbers) -> String;

fn bench(c: &mut Criterion) {
    let needs = WritingNeeds {
        members: ["geo", "as", "ip_traits"].map(str::to_owned).to_vec(),
        landmarks: ["related.ip", "ipstamp"].map(str::to_owned).to_vec(),
    };
    let kinds: [(&str, Make); 3] = [("nested", nested), ("flat", flat), ("text_heavy", text_heavy)];
    for (name, make) in kinds {
        let mut numbers = Numbers(42);
        let events: Vec<String> = (0..512).map(|_| make(&mut numbers)).collect();
        let bytes = events.iter().map(String::len).sum::<usize>() / events.len();
        let mut auto = Extractor::new(&Config::default(), &needs).unwrap();
        let mut extractor = Extractor::new(&Config::ecs(), &needs).unwrap();
        let mut outline = Outline::default();
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut turn = 0;
        let mut next = || {
            turn += 1;
            events[turn % events.len()].as_bytes()
        };
        group.bench_function("scan", |b| {
            b.iter(|| {
                let shape = extractor.scan(black_box(next()), &mut outline);
                assert_eq!(shape, Ok(Shape::Object));
                assert_eq!(outline.sightings.len(), 2);
            });
        });
        group.bench_function("scan_auto", |b| {
            b.iter(|| {
                let shape = auto.scan(black_box(next()), &mut outline);
                assert_eq!(shape, Ok(Shape::Object));
                assert_eq!(outline.sightings.len(), 2);
            });
        });
        group.bench_function("utf8_alone", |b| {
            b.iter(|| simdutf8::basic::from_utf8(black_box(next())).is_ok());
        });
        group.bench_function("serde_json_ignoring_all", |b| {
            b.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(next())).is_ok());
        });
        group.finish();
    }
}

/// A kilobyte of lines as daemons write them, an address in each.
fn lines(n: &mut Numbers) -> String {
    let mut text = String::new();
    while text.len() < 1024 {
        let (pid, port, address) = (n.below(40_000), n.below(60_000), n.v4());
        write!(text, "Aug 21 07:12:44 web-17 sshd[{pid}]: Failed password for invalid user admin from {address} port {port} ssh2; ").unwrap();
    }
    text.truncate(1024);
    text
}

/// A kilobyte of prose, with nothing in it.
fn prose(n: &mut Numbers) -> String {
    let mut text = String::new();
    while text.len() < 1024 {
        let path = n.path();
        write!(text, "something of interest was done under {path}: it took a while (12.5 ms), and at 07:12:44 it was over. ").unwrap();
    }
    text.truncate(1024);
    text
}

/// What a text costs: searched alone, and as a line that is wrapped, recognised and searched. Beside it
/// stands what no search can go below, one byte looked for.
fn texts(c: &mut Criterion) {
    let kinds: [(&str, Make); 2] = [("text_lines", lines), ("text_prose", prose)];
    for (name, make) in kinds {
        let mut numbers = Numbers(42);
        let texts: Vec<String> = (0..512).map(|_| make(&mut numbers)).collect();
        let mut turn = 0;
        let mut next = || {
            turn += 1;
            texts[turn % texts.len()].as_bytes()
        };
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(1024));
        group.bench_function("find", |b| {
            b.iter(|| {
                let mut count = 0;
                find(black_box(next()), |_| count += 1);
                count
            });
        });
        group.bench_function("memchr_alone", |b| {
            b.iter(|| memchr::memchr(1, black_box(next())));
        });
        let config = Config { format: Format::Text, ..Config::default() };
        let mut extractor = Extractor::new(&config, &WritingNeeds::default()).unwrap();
        let mut findings = Findings::default();
        group.bench_function("read_line", |b| {
            b.iter(|| extractor.read(black_box(next()), &mut findings).is_ok());
        });
        group.finish();
    }
}

criterion_group!(benches, bench, texts);
criterion_main!(benches);
