//! The configuration of topics: what reads what is written is refused, and so is a pattern that Kafka's
//! client reads otherwise.

use ipstamp::config::{Config, Written};

use super::config::{Table, read, refused, with};

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
