//! The configuration: what is refused, with which words, and what is never said.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::path::Path;

use ipstamp::config::{Config, Environment, File, Problem, Written, parse, schema, tenant_schema};
use ipstamp::consume::consumer_settings;
use ipstamp::publish::producer_settings;
use ipstamp::resolve::TokenPlace;
use rdkafka::ClientConfig;

/// An environment of the test's own.
#[derive(Default)]
pub(super) struct Table {
    pub(super) variables: HashMap<&'static str, &'static str>,
    pub(super) files: HashMap<&'static str, &'static str>,
}

impl Environment for Table {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).map(OsString::from)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let found = path.to_str().and_then(|path| self.files.get(path));
        found.map(ToString::to_string).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

pub(super) const SMALLEST: &str = "\
kafka: {brokers: [localhost:9092]}
input: {topics: [logs], group: ipstamp}
output: {topic: stamped}
";

pub(super) fn read(text: &str) -> Result<File, Vec<Problem>> {
    parse(text.as_bytes(), &Table::default())
}

/// Each problem as `line:column key: message`.
pub(super) fn said(problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| match problem.place {
        Some(place) => format!("{place} {problem}"),
        None => problem.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn refused(text: &str, environment: &Table) -> String {
    match parse(text.as_bytes(), environment) {
        Ok(_) => format!("accepted: {text}"),
        Err(problems) => said(&problems),
    }
}

/// `SMALLEST` with one line replaced by, or ended by, `line`.
pub(super) fn with(line: &str) -> String {
    let section = line.split(':').next().unwrap_or_default();
    let kept = SMALLEST.lines().filter(|kept| !kept.starts_with(&format!("{section}:")));
    kept.chain([line]).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_smallest_file_is_enough_and_the_rest_are_the_careful_defaults() {
    let config = Config::from(read(SMALLEST).unwrap());
    assert_eq!(config.want.iter().map(|want| want.0.as_str()).collect::<Vec<_>>(), ["geo", "as"]);
    assert_eq!(config.pipeline.deadline.as_secs(), 2);
    assert_eq!(config.drain.as_secs(), 25);
    assert_eq!(config.admin.unwrap().to_string(), "127.0.0.1:9464");
    assert_eq!(config.pipeline.workers, None);
}

/// `token_in` of a service of one's own, as it stands in the file.
fn own_service(token_in: &str) -> String {
    with(&format!(
        "providers: {{generic: {{own: {{url: 'https://a.b/{{ip}}', token: t, \
         token_in: {token_in}, fields: {{geo.city_name: /city}}}}}}}}"
    ))
}

#[test]
fn a_choice_that_goes_with_a_value_is_read_and_one_without_is_refused_with_the_remedy() {
    for (token_in, place) in [
        ("bearer", TokenPlace::Bearer),
        ("{header: x-api-key}", TokenPlace::Header("x-api-key".into())),
        ("{query: key}", TokenPlace::Query("key".into())),
    ] {
        let file =
            read(&own_service(token_in)).unwrap_or_else(|problems| panic!("{}", said(&problems)));
        let config = Config::from(file);
        let licence = config.providers.licences().remove(0).ok().unwrap();
        assert_eq!(licence.api.token_place(), place);
    }
    for (token_in, words) in [
        ("header", "own.token_in: `header` goes with a value: write {header: …}"),
        ("{bearer: x}", "own.token_in.bearer: expected a single word"),
        ("{heder: x}", "own.token_in.heder: expected one of bearer, header, query; did you mean"),
        ("{header: [x]}", "own.token_in.header: expected"),
        ("{header: x, query: y}", "own.token_in: expected one of bearer, header, query, found"),
        ("[header]", "own.token_in: expected one of bearer, header, query, found a list"),
    ] {
        let said = refused(&own_service(token_in), &Table::default());
        assert!(said.contains(words), "{token_in}: {said}");
    }
}

/// What is written, and a piece of what is said, with the place where it is said to be. What is
/// written on the last line is on line 3, or on line 4 when the section is an additional one.
#[test]
fn what_is_wrong_is_said_with_its_place_its_key_and_a_remedy() {
    let cases = [
        // Keys.
        ("providers: {ipinfo: {plan: core}}", "4:21 providers.ipinfo.token: is missing"),
        (
            "admin: off",
            "4:8 admin: expected `admin: {listen: off}`, or an address and a port there",
        ),
        ("admin: {listen: 1}", "admin.listen: expected"),
        ("admin: {port: 1}", "admin.port: unknown key; known here: listen"),
        ("admin: {token: short}", "admin.token: shorter than 16 characters"),
        ("admin: {token: 'sixteen letters, spaces'}", "admin.token: a header holds only"),
        (
            "providers: {ipinfo: {token: t, budget: {day: 0}}}",
            "providers.ipinfo.budget.day: nothing could be spent, and 0 switches nothing off",
        ),
        // What processes share.
        ("ledger: {topic: logs}", "4:10 ledger.topic: input.topics would read it"),
        ("ledger: {topic: 'a b'}", "4:10 ledger.topic: "),
        (
            "cache: {topic: shared}\nledger: {topic: shared}",
            "ledger.topic: cache.topic is the same; give it a topic of its own",
        ),
        (
            "providers: {ipinfo: {token: t, budget: {day: 5, licence: x}}, ipbot: {budget: {day: 9, licence: x}}}",
            "providers.ipbot.budget.licence: providers.ipinfo.budget has the same, and each bills in",
        ),
        (
            "providers: {ipinfo: {token: t, budget: {day: 5, licence: ipbot}}, ipbot: {budget: {day: 9}}}",
            "providers.ipinfo.budget.licence: providers.ipbot.budget has the same",
        ),
        ("window: {record: 5}", "4:10 window.record: unknown key; did you mean `records`?"),
        ("wants: [geo]", "4:1 wants: unknown key; did you mean `want`?"),
        ("input: {topics: [a], grop: b}", "3:22 input.grop: unknown key; did you mean `group`?"),
        ("colour: red", "4:1 colour: unknown key; known here: kafka, input, output, want"),
        ("input: {topics: [a]}", "3:8 input.group: is missing"),
        ("kafka: {brokers: [a:1], brokers: [b:1]}", "3:25 brokers: the key stands twice"),
        // Types.
        ("workers: many", "4:10 workers: expected a whole number from 0 to 65535"),
        ("workers: '2'", "4:10 workers: expected a whole number from 0 to 65535, found text in"),
        ("workers: -1", "4:10 workers: expected a whole number"),
        ("workers: [2]", "4:10 workers: expected a whole number from 0 to 65535, found a list"),
        ("input: [logs]", "3:8 input: expected a map of keys (topics, group, start"),
        ("want: geo", "4:7 want: expected a list, such as [a, b], found a single value"),
        ("want: [[geo]]", "4:8 want[0]: expected text, found a list"),
        ("kafka: {brokers: [{host: a}]}", "3:19 kafka.brokers[0]: expected text, found a map"),
        ("output:", "output: expected a map of keys (topic, dead_letter"),
        ("deadline: 2", "4:11 deadline: expected a time such as 500ms, 2s or 1m"),
        ("window: {bytes: lots}", "4:17 window.bytes: expected a size such as 512 KiB or 8 MiB"),
        ("admin: {listen: here}", "4:17 admin.listen: expected an IP address and a port"),
        ("databases: [{path: a.mmdb, non_global: 1}]", "databases[0].non_global: expected true or"),
        (
            "kafka: {brokers: [a:1], client: {debug: [x]}}",
            "kafka.client.debug: expected text, a nu",
        ),
        // Choices.
        (
            "ordering: partitions",
            "4:11 ordering: expected one of partition, key, none; did you mea",
        ),
        ("log: {level: loud}", "4:14 log.level: expected one of error, warn, info, debug, trace"),
        ("want: [gео]", "want[0]: unknown fact group or field; expected one of geo, as"),
        ("want: [privcy]", "4:8 want[0]: unknown fact group or field; did you mean `privacy`?"),
        ("want: [geo, geo]", "want[1]: is wanted twice"),
        ("want: []", "4:1 want: nothing is wanted"),
        // Contradictions.
        ("kafka: {brokers: []}", "3:9 kafka.brokers: no broker is named"),
        ("kafka: {brokers: [kafka-1]}", "3:19 kafka.brokers[0]: expected host:port"),
        ("input: {topics: [], group: g}", "3:9 input.topics: no topic is named"),
        ("input: {topics: [a], group: ''}", "input.group: the consumer group needs a name"),
        ("input: {topics: [a, a], group: g}", "3:21 input.topics[1]: stands in the list twice"),
        (
            "input: {topics: [a], group: g, addresses: {paths: [{path: a}, {path: '$.b'}]}}",
            "3:64 input.addresses.paths[1].path: `$` is no part of a path",
        ),
        (
            "input: {topics: [a], group: g, addresses: {paths: [{path: a}, {path: a}]}}",
            "3:64 input.addresses.paths[1].path: stands there twice",
        ),
        (
            "input: {topics: [a], group: g, addresses: {preset_files: [/no/such.yaml]}}",
            "input.addresses.preset_files[0]: /no/such.yaml: cannot be read",
        ),
        ("cache: {ttl: {geo: 0s}}", "cache.ttl.geo: every sighting would be asked for anew"),
        ("cache: {ttl: {goe: 1h}}", "goe"),
        ("cache: {ttl: 0s}", "cache.ttl: every sighting would be asked for anew"),
        (
            "cache: {ttl: [1h]}",
            "cache.ttl: expected a time such as 24h, or one for each fact group",
        ),
        ("cache: {ttl: soon}", "4:14 cache.ttl: expected a time"),
        ("cache: {ttl: {geo: soon}}", "4:20 cache.ttl.geo: expected a time"),
        (
            "providers: {ipbot: {ttl: {geo: 0s}}}",
            "providers.ipbot.ttl.geo: every sighting would be asked for anew",
        ),
        (
            "providers: {generic: {own: {url: 'https://a.b/{ip}', fields: {geo.city_name: /c}, ttl: 0s}}}",
            "providers.generic.own.ttl: every sighting would be asked for anew",
        ),
        (
            "providers: {ipbot: {unit_price: 4}}",
            "providers.ipbot.unit_price: expected an amount and a currency, such as 0.0004 EUR",
        ),
        (
            "providers: {ipgeolocation: {token: t, budget: none, output: xml}}",
            "providers.ipgeolocation.output: JSON only: answers in XML are not read",
        ),
        // Nothing, where something was meant.
        ("networks:", "4:9 networks: expected text, found nothing; write it, or remove the key"),
        ("tenants:", "found nothing; write {} for its defaults, or remove the key"),
        ("database_store:", "4:15 database_store: expected a map of keys (dir, keep, max_age), fo"),
        ("workers:", "4:8 workers: expected a whole number from 0 to 65535, found nothing; write"),
        (
            "providers: {ipbot: }",
            "providers.ipbot: expected a map of keys (token, plan, base_url, calls",
        ),
        ("providers:", "4:10 providers: expected a map of keys"),
        ("cache: {size: 1 KiB}", "cache.size: hardly anything could be kept"),
        ("cache: {topic: logs}", "cache.topic: input.topics would read it"),
        ("cache: {topic: stamped}", "cache.topic: records go there"),
        ("output: {topic: logs}", "would read what ipstamp writes to output.topic (logs)"),
        ("output: {topic: '{topic}'}", "3:10 output.topic: this is the input topic itself"),
        ("output: {topic: 'a b'}", "output.topic: the name of a topic is made of letters, digits"),
        ("output: {topic: '{topik}.x'}", "output.topic: only `{topic}` can be put in"),
        ("output: {topic: o, dead_letter: o}", "output.dead_letter: is the output topic itself"),
        ("output: {topic: o, late_topic: o}", "output.late_topic: records go there"),
        (
            "output: {topic: o, dead_letter: d, late_topic: d}",
            "3:36 output.late_topic: records go there",
        ),
        (
            "output: {topic: o, late_topic: logs}",
            "would read what ipstamp writes to output.late_topic",
        ),
        (
            "output: {topic: o, late_topic: '{x}'}",
            "output.late_topic: only `{topic}` can be put in",
        ),
        (
            "order: {geo: [city]}",
            "4:15 order.geo[0]: no database and no provider is called `city`; known here: nobody",
        ),
        ("databases: [{path: a/x.mmdb}, {path: b/x.mmdb}]", "databases[1].path: another database"),
        (
            "databases: [{source: ipinfo, file: a.mmdb, token: t}]",
            "4:14 databases[0].source: what is fetched needs a place; set `database_store: {dir: …}`",
        ),
        (
            "databases: [{source: ipinfo, file: a.csv.gz, token: t}]",
            "4:30 databases[0].file: is no MMDB file; write a.mmdb",
        ),
        (
            "databases: [{source: maxmind, edition: a, account: 1}]",
            "databases[0].token: is missing: source maxmind needs it",
        ),
        ("databases: [{source: maxmin}]", "expected one of ipinfo, maxmind, ipgeolocation, dbip"),
        (
            "databases: [{source: dbip, file: a, path: b}]",
            "databases[0].path: what is fetched stands",
        ),
        (
            "databases: [{source: dbip, file: a, name: x/y}]",
            "databases[0].name: is the name of a file",
        ),
        (
            "databases: [{source: dbip, file: a, every: daily}]",
            "databases[0].every: expected one of day",
        ),
        ("databases: [{path: a, every: day}]", "databases[0].every: is for files that are fetched"),
        ("databases: [{}]", "databases[0].path: is missing, or names no file; or set `source`"),
        (
            "databases: [{path: a, max_change: 5}]",
            "databases[0].max_change: expected a share such as",
        ),
        ("database_store: {dir: ''}", "4:18 database_store.dir: the path names no folder"),
        (
            "database_store: {dir: a, keep: 0}",
            "4:32 database_store.keep: expected a whole number, at least 1",
        ),
        ("networks: ''", "4:1 networks: the path names no file"),
        ("database_watch: 0s", "4:1 database_watch: there would be no end of looking"),
        (
            "databases: [{path: a.mmdb, canaries: {8.8.8.8: {geo.contry: US}}}]",
            "databases[0].canaries.8.8.8.8.geo.contry: unknown field",
        ),
        ("databases: [{path: a.mmdb, canaries: {8.8.8: {as.number: 1}}}]", "canaries"),
        ("databases: [{path: a.mmdb, stale: never}]", "databases[0].stale: "),
        ("databases: [{path: a.mmdb, stale_after: soon}]", "databases[0].stale_after: "),
        (
            "databases: [{path: a.mmdb, mapping: {place.cc: geo.contry_iso_code}}]",
            "databases[0].mapping.place.cc: \"geo.contry_iso_code\" is no field; did you mean \
             `geo.country_iso_code`?",
        ),
        (
            "databases: [{path: a.mmdb, mapping: {a: as.number, b: as.number}}]",
            "databases[0].mapping.b: as.number is taken from \"a\" already",
        ),
        (
            "databases: [{path: a.mmdb, mapping: {a: 1}}]",
            "databases[0].mapping.a: \"1\" is no field",
        ),
        ("deadline: 0s", "4:1 deadline: nothing could be waited for"),
        ("window: {records: 0}", "4:10 window.records: at least 1"),
        ("workers: 0", "4:1 workers: at least 1"),
        (
            "kafka: {brokers: [a:1], security: {protocol: sasl_ssl}}",
            "security.mechanism: is missing",
        ),
        (
            "kafka: {brokers: [a:1], security: {password: x}}",
            "security.password: is of no use with",
        ),
        (
            "kafka: {brokers: [a:1], security: {protocol: ssl, certificate: c.pem}}",
            "kafka.security.certificate: a certificate wants its key",
        ),
        (
            "kafka: {brokers: [a:1], security: {protocol: sasl_ssl, mechanism: PLAIN, password: x}}",
            "kafka.security.username: is missing",
        ),
        // Librdkafka's settings.
        (
            "kafka: {brokers: [a:1], client: {enable.auto.commit: true}}",
            "3:34 kafka.client.enable.auto.commit: ipstamp commits what is published",
        ),
        (
            "kafka: {brokers: [a:1], client: {group.id: x}}",
            "kafka.client.group.id: use input.group",
        ),
        (
            "kafka: {brokers: [a:1], client: {socket.timeout: 9}}",
            "kafka.client.socket.timeout: librdkafka has no setting of this name; did you mean \
             `socket.timeout.ms`?",
        ),
        (
            "kafka: {brokers: [a:1], client: {socket.timeout.ms: 1}}",
            "kafka.client.socket.timeout.ms: librdkafka allows 10..300000",
        ),
        (
            "kafka: {brokers: [a:1], client: {debug: 'cgrp,security'}}",
            "kafka.client.debug: all, conf",
        ),
    ];
    for (line, expected) in cases {
        let said = refused(&with(line), &Table::default());
        assert!(said.contains(expected), "{line}\n  said:     {said}\n  expected: {expected}");
    }
}

#[test]
fn a_file_that_is_no_yaml_is_said_to_be_none() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "1:1 the file is empty"),
        (b"# only a word\n", "the file is empty"),
        (b"kafka:\n\tbrokers: [a:1]\n", "2:1 a tab stands where YAML wants spaces"),
        (b"kafka: {brokers: [a:1]\n", "this is not readable as YAML"),
        (b"kafka: x\nna\xefve: 1\n", "2:3 the file is not UTF-8"),
        (b"a: 1\n---\nb: 2\n", "2:1 a second document begins here"),
        (b"- a\n- b\n", "1:1 expected a map of keys (kafka, input, output"),
    ];
    for (bytes, expected) in cases {
        let problems = parse(bytes, &Table::default()).unwrap_err();
        assert!(said(&problems).contains(expected), "{bytes:?}\n  said: {}", said(&problems));
    }
}

#[test]
fn aliases_cannot_blow_a_file_up() {
    let mut lines = vec![String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]")];
    for level in 1..9 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 10].join(", ");
        lines.push(format!("a{level}: &a{level} [{aliases}]"));
    }
    assert!(
        refused(&lines.join("\n"), &Table::default()).contains("the file is too large or too deep")
    );
}

#[test]
fn several_contradictions_are_said_at_once() {
    let text = with("workers: 0\ndeadline: 0s\nwindow: {records: 0}");
    let problems = read(&text).unwrap_err();
    assert_eq!(problems.len(), 3, "{}", said(&problems));
}

// Which topics.

#[test]
fn a_pattern_that_reads_what_we_write_is_refused() {
    let refused_pairs = [
        (r"^logs\..*", "{topic}.enriched"),
        (r"^logs\.", "{topic}.enriched"),
        (r"^logs", "logs-out"),
        (r"^.*\.enriched$", "{topic}.enriched"),
        (r"^(a|b)+$", "a{topic}b"),
        (r"^[a-z.]{1,40}$", "dlq.{topic}"),
        (r"^raw|enriched", "{topic}.enriched"),
        (r"^.*[0-9]$", "{topic}-v2"),
    ];
    for (pattern, output) in refused_pairs {
        let text = with(&format!("input: {{topics: ['{pattern}'], group: g}}"));
        let text = text.replace("topic: stamped", &format!("topic: '{output}'"));
        let said = refused(&text, &Table::default());
        assert!(
            said.contains("input.topics[0]: would read what ipstamp writes"),
            "{pattern} {said}"
        );
    }
    let accepted_pairs = [
        (r"^logs\.[a-z]+$", "{topic}.enriched"),
        (r"^logs\..*", "enriched.{topic}"),
        (r"^.*\.raw$", "{topic}.enriched"),
        (r"^[a-z]{3}$", "{topic}abc"),
        (r"^logs\.[[:alpha:]]+$", "{topic}.enriched"),
        (r"^(nginx|sshd)$", "{topic}-stamped"),
    ];
    for (pattern, output) in accepted_pairs {
        let text = with(&format!("input: {{topics: ['{pattern}'], group: g}}"));
        let text = text.replace("topic: stamped", &format!("topic: '{output}'"));
        assert!(read(&text).is_ok(), "{pattern} {output} {}", refused(&text, &Table::default()));
    }
}

#[test]
fn the_example_that_is_named_is_read_and_written_back_into_the_input() {
    let text = with(r"input: {topics: ['^logs\.[a-z]+\.v[0-9]+', other], group: g}")
        .replace("topic: stamped", "topic: '{topic}.new'");
    let said = refused(&text, &Table::default());
    assert!(said.contains("logs.a.v0 goes to logs.a.v0.new by output.topic"), "{said}");
}

#[test]
fn one_input_may_not_feed_another() {
    let text = with("input: {topics: [a, a.out], group: g}")
        .replace("topic: stamped", "topic: '{topic}.out'");
    let said = refused(&text, &Table::default());
    assert!(said.contains("input.topics[1]: would read what ipstamp writes"), "{said}");
    let dead = with(r"input: {topics: [a, '^dlq\.'], group: g}")
        .replace("topic: stamped", "topic: out, dead_letter: 'dlq.{topic}'");
    let said = refused(&dead, &Table::default());
    assert!(said.contains("a goes to dlq.a by output.dead_letter"), "{said}");
}

#[test]
fn a_pattern_that_kafkas_client_reads_otherwise_is_refused() {
    let cases = [
        (r"^logs\d+", "write `[0-9]`"),
        (r"^(?:a|b)", "groups that begin with `(?`"),
        (r"^a+?b", "a repetition of a repetition"),
        (r"^[\w]+", "a backslash within brackets"),
        (r"^[a&&b]", "doubled `&`"),
        (r"^(a", "the pattern cannot be read"),
        (r"^[a", "a `[` has no closing bracket"),
        (r"logs.*", "a pattern begins with ^"),
    ];
    for (pattern, expected) in cases {
        let text = with(&format!("input: {{topics: ['{pattern}'], group: g}}"));
        let said = refused(&text, &Table::default());
        assert!(said.contains(expected), "{pattern}: {said}");
    }
}

#[test]
fn real_topics_are_judged_as_the_file_is() {
    let text = with(r"input: {topics: ['^logs\.[a-z]+$', b], group: g}").replace(
        "topic: stamped",
        "topic: '{topic}.enriched', dead_letter: 'dlq.{topic}', late_topic: '{topic}.late'",
    );
    let config = Config::from(read(&text).unwrap());
    assert!(config.reads("logs.nginx") && config.reads("b") && !config.reads("logs.a.b"));
    assert!(!config.would_read_own_output("logs.nginx"));
    assert!(!config.reads("__consumer_offsets"), "Kafka's own topics are read when named only");
    let written = Written {
        output: "b.enriched".into(),
        dead_letter: Some("dlq.b".into()),
        late: Some("b.late".into()),
    };
    assert_eq!(config.written_for("b"), written);
}

// Which settings of librdkafka.

/// What ipstamp sets itself is either refused by name, or what the operator says holds.
#[test]
fn a_setting_that_is_accepted_holds() {
    let config = Config::from(read(SMALLEST).unwrap());
    let ours = |client: ClientConfig| {
        let consumer = consumer_settings(&client, &config.consume, 0, 2);
        [consumer, producer_settings(&client, &config.publish, 0, None)]
    };
    let names: BTreeSet<String> = ours(config.kafka.client())
        .iter()
        .flat_map(|settings| settings.config_map().into_keys().map(ToString::to_string))
        .collect();
    let mut accepted = 0;
    for name in names {
        // A value that is none of ours, and that every setting with a number takes.
        let line = format!("kafka: {{brokers: ['a:1'], client: {{{name}: 1234}}}}");
        let Ok(file) = read(&with(&line)) else { continue };
        accepted += 1;
        let client = file.kafka.client();
        let holds = ours(client).iter().all(|settings| settings.get(&name) == Some("1234"));
        assert!(holds, "{name} is accepted in kafka.client and then overwritten");
    }
    assert!(accepted > 2, "{accepted}");
}

#[test]
fn a_protocol_may_be_written_as_kafka_writes_it() {
    for name in ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] {
        let login = "mechanism: PLAIN, username: u, password: p";
        let login = if name.starts_with("sasl") { login } else { "" };
        for written in [name.to_owned(), name.to_uppercase()] {
            let line =
                format!("kafka: {{brokers: ['a:1'], security: {{protocol: {written}, {login}}}}}");
            let file = read(&with(&line)).map_err(|problems| said(&problems)).unwrap();
            assert_eq!(file.kafka.client().get("security.protocol"), Some(name));
        }
        assert!(schema().contains(&format!("\"{}\"", name.to_uppercase())));
    }
}

#[test]
fn clients_trust_the_systems_authorities_and_verify_names() {
    let line = "kafka: {brokers: ['a:1', 'b:2'], rack: r1, security: {protocol: sasl_ssl, \
                mechanism: SCRAM-SHA-256, username: u, password: p}}";
    let client = read(&with(line)).unwrap().kafka.client();
    let expected = [
        ("bootstrap.servers", Some("a:1,b:2")),
        ("security.protocol", Some("sasl_ssl")),
        ("sasl.mechanism", Some("SCRAM-SHA-256")),
        ("sasl.username", Some("u")),
        ("sasl.password", Some("p")),
        ("ssl.ca.location", Some("probe")),
        ("client.rack", Some("r1")),
        ("ssl.endpoint.identification.algorithm", None),
        ("enable.ssl.certificate.verification", None),
    ];
    for (name, value) in expected {
        assert_eq!(client.get(name), value, "{name}");
    }
    let native = client.create_native_config().unwrap();
    assert_eq!(native.get("ssl.endpoint.identification.algorithm").unwrap(), "https");
    assert_eq!(native.get("enable.ssl.certificate.verification").unwrap(), "true");
}

#[test]
fn an_order_names_databases_in_any_order_and_before_providers() {
    let with_order = |order: &str| {
        with(&format!(
            "databases: [{{path: a/x.mmdb}}, {{path: b/y.mmdb, name: own}}]\n\
             providers: {{ipbot: {{}}}}\norder: {{privacy: [{order}]}}"
        ))
    };
    for order in ["own, x, ipbot", "x", "ipbot", "own"] {
        let said = read(&with_order(order)).map_err(|problems| said(&problems));
        assert!(said.is_ok(), "{order}: {said:?}");
    }
    for (order, expected) in [
        (
            "ipbot, x",
            "order.privacy[1]: memory is always asked first: put the database before ipbot",
        ),
        ("x, own, x", "order.privacy[2]: stands here twice"),
        (
            "x, y",
            "order.privacy[1]: no database and no provider is called `y`; known here: x, own, ipbot",
        ),
    ] {
        let said = refused(&with_order(order), &Table::default());
        assert!(said.contains(expected), "{order}: {said}");
    }
}

/// What the design shows to a newcomer, as far as it is built.
#[test]
fn the_first_config_of_the_front_page_is_accepted() {
    let environment = Table {
        variables: HashMap::new(),
        files: HashMap::from([("/run/secrets/kafka", "secret\n")]),
    };
    let text = r#"
kafka:
  brokers: [kafka-1:9092, kafka-2:9092]
  security: {protocol: sasl_ssl, mechanism: SCRAM-SHA-512, username: ipstamp, password: "${file:/run/secrets/kafka}"}
  client: {}                         # any other librdkafka setting; the ones that ipstamp owns are refused by name
input:
  topics: ['^logs\.[a-z]+$']         # exact names, or a regex that begins with ^; one that catches our own outputs is refused
  group: ipstamp
  format: json
output:
  topic: "{topic}.enriched"          # {topic} is the input topic's name; ${…} is only for environment and files
  dead_letter: "dlq.{topic}"
  profile: ecs
want: [geo, as, privacy]
databases:
  - {name: city, path: /data/city.mmdb}                                      # name: default is the file's stem
deadline: 2s                         # how long a record may wait for a provider
"#;
    let file = parse(text.as_bytes(), &environment).map_err(|problems| said(&problems)).unwrap();
    assert_eq!(file.kafka.security.password.unwrap().expose(), "secret");
}

#[test]
fn the_schema_that_is_shipped_is_the_one_that_is_in_force() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, fresh) in [("config", schema()), ("tenant", tenant_schema())] {
        let path = folder.join(name).with_extension("schema.json");
        if std::env::var_os("IPSTAMP_UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &fresh).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(shipped == fresh, "{} is stale; run with IPSTAMP_UPDATE=1", path.display());
    }
}
