//! `check`, offline and against a Kafka inside the test.

use rdkafka::mocking::MockCluster;

use super::{Folder, ipstamp};

#[test]
fn offline_it_opens_the_databases_and_says_who_can_answer() {
    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "");
    let ended = ipstamp(&["check", "--offline", "-c", &config], b"");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("database city: GeoLite2-City, built "), "{}", ended.out);
    assert!(ended.out.contains("ok       want: geo, as can be answered"), "{}", ended.out);
}

#[test]
fn a_group_that_nobody_can_answer_and_a_database_that_is_broken_are_findings() {
    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "want: [geo, privacy]");
    std::fs::write(folder.path().join("asn.mmdb"), "<html>").unwrap();
    let ended = ipstamp(&["check", "--offline", "-c", &config], b"");
    assert_eq!(ended.code, 1, "{}", ended.out);
    let expected =
        "missing  want privacy: nothing that can be used answers it\n         > mend database asn";
    assert!(ended.out.contains(expected), "{}", ended.out);
    assert!(ended.out.contains("missing  database asn: "), "{}", ended.out);
}

#[test]
fn programs_get_the_findings_as_json() {
    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "want: [privacy]");
    let ended = ipstamp(&["check", "--offline", "--format", "json", "-c", &config], b"");
    let items: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let states = items.as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap());
    assert!(states.clone().any(|state| state == "ok"), "{items}");
    let missing = items.as_array().unwrap().iter().find(|item| item["state"] == "missing").unwrap();
    assert_eq!(missing["subject"], "want privacy");
    assert!(missing["remedy"].as_str().unwrap().contains("privacy"), "{missing}");
}

#[test]
fn a_missing_topic_comes_with_the_command_that_makes_it() {
    let folder = Folder::new();
    let cluster = MockCluster::new(1).unwrap();
    let brokers = cluster.bootstrap_servers();
    cluster.create_topic("logs.web", 6, 1).unwrap();
    cluster.create_topic("logs.app", 3, 1).unwrap();
    cluster.create_topic("logs.web.enriched", 6, 1).unwrap();
    let config = folder.config(&brokers, r"'^logs\.[a-z]+$'", "workers: 4");
    let ended = ipstamp(&["check", "-c", &config, "--replicas", "3"], b"");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let lines = [
        "ok       brokers: 1 broker answers".into(),
        r"ok       input ^logs\.[a-z]+$: matches 2: logs.app, logs.web".into(),
        "missing  output logs.app.enriched: no such topic".into(),
        format!(
            "         > kafka-topics --bootstrap-server {brokers} --create --topic \
             logs.app.enriched --partitions 3 --replication-factor 1"
        ),
        "missing  dead letters dead: no such topic".into(),
        "ok       output logs.web.enriched: 6 partitions, as its inputs: a record keeps its \
         partition's number"
            .into(),
        "warning  members: 3 replicas × 4 workers = 12 members for 9 partitions: 3 would have \
         nothing to do"
            .into(),
    ];
    for line in lines {
        assert!(ended.out.lines().any(|said| said == line), "{line}\nis not in\n{}", ended.out);
    }
}

#[test]
fn without_a_broker_it_ends_with_69_and_says_why() {
    let folder = Folder::new();
    // Port 1 is nobody's.
    let config = folder.config("127.0.0.1:1", "logs", "deadline: 1s");
    let ended = ipstamp(&["check", "-c", &config], b"");
    assert_eq!(ended.code, 69, "{}", ended.err);
    assert!(ended.err.contains("no broker answers of 127.0.0.1:1"), "{}", ended.err);
    assert!(ended.err.contains("nothing listens there"), "{}", ended.err);
    assert!(ended.out.contains("ok       configuration"), "what was found before is printed");

    let ended = ipstamp(&["check", "--format", "json", "-c", &config], b"");
    assert_eq!(ended.code, 69, "{}", ended.err);
    let items: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let brokers =
        items.as_array().unwrap().iter().find(|item| item["subject"] == "brokers").unwrap();
    assert_eq!(brokers["state"], "missing");
    let found = brokers["found"].as_str().unwrap();
    assert!(found.contains("no broker answers of 127.0.0.1:1"), "{found}");
    assert!(brokers["remedy"].as_str().unwrap().contains("kafka.brokers"), "{brokers}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_a_finding() {
    let folder = Folder::new();
    let there = folder.file("key.pem", "key");
    let text = format!(
        "kafka: {{brokers: ['a:1'], security: {{protocol: SASL_SSL, mechanism: PLAIN, username: u, \
         password: p, ca: /no/ca.pem, certificate: /no/cert.pem, key: {there}}}}}\n\
         input: {{topics: [logs], group: ipstamp}}\n\
         output: {{topic: out}}\n\
         want: [geo]\n\
         databases: [{{path: {}}}]\n",
        folder.city()
    );
    let config = folder.file("tls.yaml", &text);
    let ended = ipstamp(&["check", "--offline", "-c", &config], b"");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    for (key, path) in [("ca", "/no/ca.pem"), ("certificate", "/no/cert.pem")] {
        let expected = format!("missing  kafka.security.{key}: {path}: cannot be read (");
        assert!(ended.out.contains(&expected), "{expected} is not in\n{}", ended.out);
    }
    assert_eq!(ended.out.matches("missing ").count(), 2, "{}", ended.out);
}

#[test]
fn a_path_that_no_event_can_be_read_by_is_refused_before_anything_runs() {
    let folder = Folder::new();
    for path in ["$.client_ip", "[client][ip]", "clients[*].ip"] {
        let more =
            format!("input: {{topics: [a], group: g, addresses: {{paths: [{{path: '{path}'}}]}}}}");
        let config = folder.config("a:1", "logs", "");
        let text = std::fs::read_to_string(&config).unwrap();
        let text: Vec<_> = text.lines().filter(|line| !line.starts_with("input:")).collect();
        std::fs::write(&config, [&text[..], &[more.as_str()]].concat().join("\n")).unwrap();
        let ended = ipstamp(&["check", "--offline", "-c", &config], b"");
        assert_eq!(ended.code, 78, "{path}: {}", ended.out);
        let expected = ": input.addresses.paths[0].path: `";
        assert!(ended.err.contains(expected), "{path}: {}", ended.err);
        assert!(ended.err.contains("is no part of a path; write member names"), "{}", ended.err);
    }
}

#[test]
fn columns_of_the_own_networks_that_nobody_wants_are_named() {
    let folder = Folder::new();
    let table =
        folder.file("n.csv", "network,company.name,geo.city_name,as.number\n10.0.0.0/8,A,B,7\n");
    let config =
        |want: &str| folder.config("a:1", "logs", &format!("want: [{want}]\nnetworks: {table}"));
    let said = |want: &str| ipstamp(&["check", "--offline", "-c", &config(want)], b"").out;
    let warned = said("geo, as");
    let expected = "warning  networks: it has company, which nobody wants, so that it is not written\n         \
                    > add company to want, or take the columns away";
    assert!(warned.contains(expected), "{warned}");
    let content = said("geo, as, company");
    assert!(!content.contains("nobody wants"), "{content}");
}

#[test]
fn what_inputs_that_are_not_there_yet_would_be_written_to_is_named_too() {
    let folder = Folder::new();
    let cluster = MockCluster::new(1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let ended = ipstamp(&["check", "-c", &folder.config(&brokers, "logs.new", "")], b"");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let create = format!("         > kafka-topics --bootstrap-server {brokers} --create --topic");
    for line in [
        "missing  input logs.new: no such topic".to_owned(),
        "missing  output logs.new.enriched: no such topic".to_owned(),
        format!("{create} logs.new.enriched --partitions 1 --replication-factor 1"),
        "missing  dead letters dead: no such topic".to_owned(),
    ] {
        assert!(ended.out.lines().any(|said| said == line), "{line}\nis not in\n{}", ended.out);
    }
}

/// Guarantees: each fault of a database has a remedy of its own, and what is wanted of one that cannot be
/// used is not said to want another source.
#[test]
fn each_fault_of_a_database_has_its_own_remedy() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "want: [geo]");
    let city = folder.city().to_owned();
    let sound = std::fs::read(&city).unwrap();
    let mode = |mode: u32| {
        std::fs::set_permissions(&city, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let said = || ipstamp(&["check", "--offline", "-c", &config], b"");

    std::fs::remove_file(&city).unwrap();
    let ended = said();
    assert_eq!(ended.code, 1, "{}", ended.out);
    assert!(ended.out.contains("> put the file there, or correct"), "{}", ended.out);
    assert!(ended.out.contains("missing  want geo: nothing that can be used answers it"));
    assert!(ended.out.contains("> mend database city as said above"), "{}", ended.out);

    std::fs::write(&city, &sound[..sound.len() / 2]).unwrap();
    assert!(said().out.contains("> get the file again from whoever makes it"), "{}", said().out);

    std::fs::write(&city, &sound).unwrap();
    mode(0o666);
    let expected = format!("> chmod o-w {city}");
    assert!(said().out.contains(&expected), "{}", said().out);

    mode(0o664);
    let ended = said();
    assert_eq!(ended.code, 0, "a group may be meant: {}", ended.out);
    assert!(ended.out.contains("warning  database city: the group of the file may write to it"));
    assert!(ended.out.contains("> chmod g-w "), "{}", ended.out);
}

#[test]
fn without_a_broker_the_report_says_that_one_is_missing() {
    let folder = Folder::new();
    let config = folder.config("127.0.0.1:1", "logs", "deadline: 1s");
    let ended = ipstamp(&["check", "-c", &config], b"");
    assert_eq!(ended.code, 69);
    assert!(ended.out.contains("missing  brokers: "), "{}", ended.out);
}
