//! `enrich`.

use std::process::{Command, Stdio};

use super::{Folder, ipstamp};

#[test]
fn events_are_stamped_and_everything_else_comes_out_as_it_went_in() {
    let folder = Folder::new();
    let input = "{\"source\":{\"ip\":\"81.2.3.4\"},\"n\":1.10}\r\n\nnot json\n{\"a\":1}";
    let ended = ipstamp(&["enrich", "-m", folder.city(), "-m", folder.asn()], input.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let (first, rest) = ended.out.split_once("\r\n").unwrap();
    assert_eq!(rest, "\nnot json\n{\"a\":1}");
    assert!(first.contains("\"n\":1.10"), "{first}");
    let event: serde_json::Value = serde_json::from_str(first).unwrap();
    assert_eq!(event["source"]["geo"]["city_name"], "Bristol");
    assert_eq!(event["source"]["as"]["number"], 64501);
    assert_eq!(ended.err, "3 events: 1 enriched, 1 unchanged, 1 unchanged (unparsable)\n");
}

#[test]
fn a_file_without_any_public_address_comes_back_byte_for_byte() {
    let folder = Folder::new();
    let text =
        "{\"source\":{\"ip\":\"10.0.0.1\"}}\n{ \"b\" : [1e400, \"\\u00e9\"] }\r\n\n[]\n{\"a\"\n";
    let path = folder.file("events.ndjson", text);
    for profile in ["ecs", "native"] {
        let ended = ipstamp(&["enrich", "-m", folder.city(), "-p", profile, &path], b"");
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert_eq!(ended.out, text, "{profile}");
    }
}

#[test]
fn files_and_stdin_are_read_in_their_order() {
    let folder = Folder::new();
    let (one, two) = (folder.file("1", "{\"f\":1}\n"), folder.file("2", "{\"f\":2}\n"));
    let ended = ipstamp(&["enrich", "-m", folder.city(), &one, "-", &two], b"{\"f\":0}\n");
    assert_eq!(ended.out, "{\"f\":1}\n{\"f\":0}\n{\"f\":2}\n");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new();
    let ended = ipstamp(&["enrich", "-m", folder.city(), "/no/events"], b"");
    assert_eq!(ended.code, 69);
    assert!(ended.err.contains("/no/events: cannot be read"), "{}", ended.err);
    assert!(ended.err.ends_with("; check the name\n"), "{}", ended.err);
    let ended = ipstamp(&["enrich", "-m", folder.city(), "/"], b"");
    assert_eq!(ended.code, 69);
    assert!(ended.err.ends_with("; name the files in it\n"), "{}", ended.err);
}

#[test]
fn without_a_word_about_it_what_the_files_have_is_what_is_wanted() {
    let folder = Folder::new();
    let event = b"{\"source\":{\"ip\":\"81.2.3.4\"}}\n";
    let ended = ipstamp(&["enrich", "-m", folder.city()], event);
    assert_eq!((ended.code, ended.err.as_str()), (0, "1 event: 1 enriched\n"), "{}", ended.out);
    // Said, it is missing.
    let ended = ipstamp(&["enrich", "-m", folder.city(), "-w", "geo,as"], event);
    assert_eq!(ended.err, "1 event: 1 partial (not_found)\n");
}

#[test]
fn when_no_event_has_an_address_it_says_where_it_looked_and_what_to_do() {
    let folder = Folder::new();
    let flat = "{\"client_ip\":\"eighty-one\"}\n";
    let ended = ipstamp(&["enrich", "-m", folder.city()], flat.as_bytes());
    assert_eq!((ended.code, ended.out.as_str()), (0, flat));
    let expected =
        "1 event: 1 unchanged\nno event has an address where the preset auto looks for it";
    assert!(ended.err.starts_with(expected), "{}", ended.err);
    assert!(ended.err.contains("input.addresses.paths") && ended.err.contains("--config"));

    // Where only paths are looked at, they are named.
    let more = "input: {topics: [logs], group: g, addresses: {paths: [{path: a.b}]}}\n";
    let config = folder.file(
        "paths.yaml",
        &format!("kafka: {{brokers: ['a:1']}}\noutput: {{topic: out}}\n{more}"),
    );
    let ended = ipstamp(&["enrich", "-c", &config, "-m", folder.city()], flat.as_bytes());
    assert!(ended.err.contains("no event has an address at a.b\n"), "{}", ended.err);

    let private = "{\"source\":{\"ip\":\"10.0.0.1\"}}\n";
    for input in ["", "not json\n", private] {
        let ended = ipstamp(&["enrich", "-m", folder.city()], input.as_bytes());
        assert!(!ended.err.contains("no event has an address"), "{input}: {}", ended.err);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let folder = Folder::new();
    let path = folder.file("many", &"{\"a\":1}\n".repeat(200_000));
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipstamp"))
        .args(["enrich", "-m", folder.city(), &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn the_operators_own_networks_are_asked_first_and_for_private_addresses_too() {
    let folder = Folder::new();
    let table = "network,geo.city_name,as.number\n10.0.0.0/8,Our house,\n81.2.0.0/16,Our branch,\n\
                 10.9.0.0/16,Our garden,\n";
    let config = |table: &str| {
        folder.file(
            "ipstamp.yaml",
            &format!(
                "kafka: {{brokers: [\"localhost:1\"]}}\ninput: {{topics: [logs], group: g}}\n\
                 output: {{topic: out}}\nnetworks: {table}\n\
                 databases: [{{path: {}}}, {{path: {}}}]\n",
                folder.city(),
                folder.asn(),
            ),
        )
    };
    let named = config(&folder.file("networks.csv", table));
    let event = "{\"source\":{\"ip\":\"10.1.2.3\"},\"destination\":{\"ip\":\"81.2.3.4\"}}\n";
    let ended = ipstamp(&["enrich", "--config", &named], event.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let event: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(event["source"]["geo"]["city_name"], "Our house");
    assert_eq!(event["destination"]["geo"]["city_name"], "Our branch");
    assert_eq!(event["destination"]["as"]["number"], 64501, "what the table does not say");
    assert!(event["ipstamp"]["sources"]["networks"].is_string(), "{event}");

    let checked = ipstamp(&["check", "--offline", "--config", &named], b"");
    let found = "networks.csv, has geo, as; 10.9.0.0/16 (line 4) lies in 10.0.0.0/8 (line 2)\n";
    assert!(checked.out.contains(found), "{}", checked.out);
    let broken = config(&folder.file("broken.csv", "network,geo.citi_name\n"));
    let ended = ipstamp(&["enrich", "--config", &broken], b"{}\n");
    assert_eq!(ended.code, 78, "{}", ended.err);
    let words = "broken.csv: line 1: \"geo.citi_name\" is no field; did you mean `geo.city_name`?";
    assert!(ended.err.contains(words), "{}", ended.err);
}

#[test]
fn an_event_says_which_database_is_stale_and_who_wants_to_be_named() {
    let folder = Folder::new();
    let day = std::time::Duration::from_secs(86_400);
    let mut writer = mmdb_writer::Writer::builder("GeoLite2-City")
        .build_epoch(std::time::SystemTime::now() - 20 * day)
        .build();
    let record = serde_json::json!({"city": {"names": {"en": "Bristol"}}});
    writer.insert("81.2.0.0/16".parse::<mmdb_writer::ipnet::IpNet>().unwrap(), &record).unwrap();
    let path = folder.path().join("old.mmdb");
    std::fs::write(&path, writer.to_bytes().unwrap()).unwrap();
    let path = path.display();
    let stamp = |more: &str| {
        let text = format!(
            "kafka: {{brokers: [\"localhost:1\"]}}\ninput: {{topics: [logs], group: g}}\n\
             output: {{topic: out}}\nwant: [geo]\ndatabases: [{{name: city, path: {path}{more}}}]\n",
        );
        let config = folder.file("ipstamp.yaml", &text);
        let event = b"{\"source\":{\"ip\":\"81.2.3.4\"}}\n";
        let ended = ipstamp(&["enrich", "--config", &config], event);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let mut event: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        let mut stamp = |name: &str| event["ipstamp"][name].take();
        (stamp("stale"), stamp("attribution"))
    };
    let null = serde_json::Value::Null;
    assert_eq!(stamp(""), (null.clone(), null.clone()));
    let (stale, named) = stamp(", stale_after: 19d, attribution: true");
    assert_eq!(stale, serde_json::json!(["city"]));
    assert!(named[0].as_str().unwrap().contains("MaxMind"), "{named}");
    let (stale, named) = stamp(", stale_after: 21d, attribution: by us");
    assert_eq!((stale, named), (null, serde_json::json!(["by us"])));
}

#[test]
fn each_event_of_an_envelope_is_stamped_by_itself_and_the_rest_of_it_stays() {
    let folder = Folder::new();
    let one = |ip: &str| {
        format!(
            r#"{{"eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"x","sourceIPAddress":"{ip}"}}"#
        )
    };
    let [first, second] = ["81.2.3.4", "ec2.amazonaws.com"].map(one);
    let event = format!("{{\"Records\": [ {first} , {second} ],\"n\":1}}\n");
    let ended = ipstamp(&["enrich", "-m", folder.city(), "-w", "geo"], event.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let out: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(out["Records"][0]["source"]["geo"]["city_name"], "Bristol");
    assert_eq!(out["Records"][0]["ipstamp"]["outcome"], "enriched");
    assert_eq!(out["Records"][1], serde_json::from_str::<serde_json::Value>(&second).unwrap());
    assert!(ended.out.ends_with(&format!(" , {second} ],\"n\":1}}\n")), "{}", ended.out);
    assert!(
        out.get("ipstamp").is_none() && ended.out.starts_with("{\"Records\": [ {\"eventSource\"")
    );
}

/// Guarantees: where addresses are hidden none stays that a better one has taken the place of, such as
/// that of a gateway in a VPC flow.
#[test]
fn an_address_that_does_not_count_is_hidden_like_any() {
    let folder = Folder::new();
    let event = r#"{"interface-id":"eni-1","srcaddr":"81.2.77.77","dstaddr":"81.2.88.88","pkt-srcaddr":"81.2.3.4","pkt-dstaddr":"81.2.3.5"}"#;
    for how in ["truncate", "drop", "hmac, address_key: 0123456789abcdef"] {
        let config = format!(
            "kafka: {{brokers: ['localhost:9092']}}\ninput: {{topics: [in], group: g}}\noutput: {{topic: out, address: {how}}}\ndatabases: [{{path: '{}'}}]\n",
            folder.city()
        );
        let config = folder.file("ipstamp.yaml", &config);
        let ended = ipstamp(&["enrich", "--config", &config], event.as_bytes());
        assert_eq!(ended.code, 0, "{}", ended.err);
        for hidden in ["77.77", "88.88", "81.2.3.4", "81.2.3.5"] {
            assert!(!ended.out.contains(hidden), "{how}: {}", ended.out);
        }
        assert!(ended.out.contains("Bristol"), "{how}: {}", ended.out);
    }
}

#[test]
fn a_line_of_text_becomes_the_message_of_an_event_with_its_facts() {
    let folder = Folder::new();
    let config = "kafka: {brokers: ['a:1']}\ninput: {topics: [l], group: g, format: text}\noutput: {topic: out}\nwant: [geo]\n";
    let config = folder.file("text.yaml", config);
    let lines = "sshd[1]: \"x\" from 81.2.3.4 port 22\nnothing in it\n";
    let ended = ipstamp(&["enrich", "-c", &config, "-m", folder.city()], lines.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let events: Vec<serde_json::Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["message"], "sshd[1]: \"x\" from 81.2.3.4 port 22");
    assert_eq!(events[0]["source"]["geo"]["city_name"], "Bristol");
    assert_eq!(events[1], serde_json::json!({"message": "nothing in it"}));
}
