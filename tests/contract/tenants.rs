//! Tenants: what is refused in the configuration and in a tenant's file, with which words, and what is
//! never said.

use ipstamp::config::{Beside, Config, parse_tenant, show};
use ipstamp::tenant::TenantName;

use super::config::{Table, read, refused, said, with};
use super::values::CANARY;

fn tenants(by: &str) -> Config {
    read(&with(&format!("tenants: {{by: {by}, dir: /t}}"))).unwrap().into()
}

/// What is said of a tenant's file beside a configuration with `by`.
fn tenant_refused(by: &str, text: &str) -> String {
    let (acme, config) = (TenantName::new("acme").unwrap(), tenants(by));
    match parse_tenant(&acme, text.as_bytes(), &Table::default(), Beside::main(&config)) {
        Ok(_) => format!("accepted: {text}"),
        Err(problems) => said(&problems),
    }
}

const BY_TOPIC: &str = "{topic: '^logs-(a+)$'}";
const BY_HEADER: &str = "{header: x}";

#[test]
fn what_is_wrong_with_tenants_is_said_with_its_place_and_a_remedy() {
    for (line, expected) in [
        ("tenants: {by: {}, dir: /t}", "4:11 tenants.by: nothing names the tenant; write {topic:"),
        ("tenants: {by: {topic: '^(a)$', header: x}, dir: /t}", "tenants.by: only one can name"),
        (
            "tenants: {by: {topic: 'a'}, dir: /t}",
            "4:16 tenants.by.topic: the pattern has to be for",
        ),
        ("tenants: {by: {topic: '^a$'}, dir: /t}", "tenants.by.topic: the pattern has no group"),
        ("tenants: {by: {path: '$.a'}, dir: /t}", "tenants.by.path: `$` is no part of a path"),
        ("tenants: {by: {header: x}}", "tenants.dir: is missing"),
        (
            "tenants: {by: {header: x}, dir: /t, unknown: dead_letter}",
            "4:37 tenants.unknown: there is no topic for dead letters; set output.dead_letter",
        ),
        ("tenants: {by: {header: x}, dir: /t, unknown: drop}", "expected one of local, default"),
        (
            "tenants: {by: {header: x}, dir: /t}\nproviders: {ipinfo: {token: t, share: true}}",
            "5:32 providers.ipinfo.share: only the plan Lite may be used for everybody",
        ),
        (
            "providers: {ipinfo: {token: t, plan: lite, share: true}}",
            "providers.ipinfo.share: is of no use without tenants",
        ),
    ] {
        let said = refused(&with(line), &Table::default());
        assert!(said.contains(expected), "{line}\n  said:     {said}\n  expected: {expected}");
    }
    for (by, text, expected) in [
        (BY_TOPIC, "topics: [a]", "1:1 topics: is of no use where the topic's own name is"),
        (BY_HEADER, "want: [geo]", "topics: no topic may name this tenant; list those whose"),
        (BY_HEADER, "topics: ['^(']", "1:10 topics[0]: "),
        (BY_HEADER, "topics: [a, b, a]", "1:16 topics[2]: stands in the list twice"),
        (BY_TOPIC, "kafka: {}", "1:1 kafka: unknown key; known here: topics, want, networks"),
        (
            BY_TOPIC,
            "want: [privcy]",
            "want[0]: unknown fact group or field; did you mean `privacy`?",
        ),
        (BY_TOPIC, "databases: [{path: a/x}, {path: b/x}]", "databases[1].path: another database"),
        (
            BY_TOPIC,
            "databases: [{source: dbip, file: a}]",
            "databases[0].source: what is fetched needs a place; set `database_store: {dir: …}` in the",
        ),
        (BY_TOPIC, "order: {geo: [x]}", "order.geo[0]: no database and no provider is called `x`"),
        (
            BY_TOPIC,
            "providers: {ipinfo: {token: t, plan: lite, share: true}}",
            "providers.ipinfo.share: only a licence of the main configuration can be for everybody",
        ),
        (
            BY_TOPIC,
            "providers: {ipgeolocation: {token: t, plan: paid}}",
            "providers.ipgeolocation.budget: is missing",
        ),
        (
            BY_TOPIC,
            "providers: {ipinfo: {token: t, budget: {day: 5}}, ipbot: {budget: {day: 9, licence: acme/ipinfo}}}",
            "1:76 providers.ipbot.budget.licence: providers.ipinfo.budget has the same, and each",
        ),
        (BY_TOPIC, "cache: {share: 1}", "cache.share: expected true or"),
    ] {
        let said = tenant_refused(by, text);
        assert!(said.contains(expected), "{text}\n  said:     {said}\n  expected: {expected}");
    }
}

#[test]
fn a_tenants_file_that_is_shown_means_the_same_and_has_no_token() {
    let text = "providers: {ipbot: {token: c4n4ry-T0ken}}\nwant: [geo]\ncache: {share: true}";
    let config = tenants(BY_TOPIC);
    let acme = TenantName::new("acme").unwrap();
    let read = |text: &str| {
        parse_tenant(&acme, text.as_bytes(), &Table::default(), Beside::main(&config)).unwrap()
    };
    let shown = show(&read(text));
    assert!(!shown.contains(CANARY) && shown.contains("***"), "{shown}");
    assert_eq!(read(&shown).without_tokens(), read(text).without_tokens());
    assert!(!format!("{:?}", read(text)).contains(CANARY));
}
