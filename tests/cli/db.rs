//! `db`.

use super::{Folder, ipstamp};

#[test]
fn info_says_what_is_in_a_file_for_people_and_for_programs() {
    let folder = Folder::new();
    let ended = ipstamp(&["db", "info", folder.city()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in [
        "  type        GeoLite2-City\n",
        "  networks    4, in ",
        "  answers     geo (4)\n",
        "  licence     GeoLite End User License Agreement",
        "  attribution This product includes GeoLite Data created by MaxMind",
        "    geo.country_iso_code                        4  ",
    ] {
        assert!(ended.out.contains(line), "{line:?} in {}", ended.out);
    }
    let ended = ipstamp(&["db", "info", "--format", "json", folder.city(), folder.asn()], b"");
    let lines: Vec<serde_json::Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["networks"], &lines[0]["answers"]["geo"]), (&4.into(), &4.into()));
    assert_eq!(lines[0]["generation"].as_str().unwrap().len(), 64);
    assert_eq!(lines[1]["fields"]["as.number"]["records"], 5);
}

#[test]
fn verify_finds_what_cannot_be_used_and_says_why() {
    let folder = Folder::new();
    let mut bytes = std::fs::read(folder.city()).unwrap();
    let at = bytes.windows(7).position(|window| window == b"Bristol").unwrap();
    bytes[at] = 0xff;
    let damaged = folder.path().join("damaged.mmdb");
    std::fs::write(&damaged, bytes).unwrap();
    let damaged = damaged.to_str().unwrap();
    let ended = ipstamp(&["db", "verify", folder.city(), damaged, "/no/such.mmdb"], b"");
    assert_eq!(ended.code, 1, "{}", ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("ok       ") && lines[0].ends_with("has geo"), "{}", lines[0]);
    assert!(lines[1].starts_with("refused  ") && lines[1].contains("damaged ("), "{}", lines[1]);
    assert!(lines[2].contains("/no/such.mmdb: cannot be read"), "{}", lines[2]);
    assert_eq!(lines.len(), 3);
}

#[test]
fn verify_holds_the_configured_files_against_their_canaries() {
    let folder = Folder::new();
    let config = |country: &str| {
        let text = format!(
            "kafka: {{brokers: ['a:1']}}\ninput: {{topics: [logs], group: g}}\n\
             output: {{topic: out}}\ndatabases:\n  - path: {}\n    canaries: \
             {{81.2.3.4: {{geo.country_iso_code: {country}}}}}\n",
            folder.city()
        );
        folder.file("ipstamp.yaml", &text)
    };
    let ended = ipstamp(&["db", "verify", "--config", &config("GB")], b"");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let arguments = ["db", "verify", "--config", &config("SE"), "--format", "json"];
    let ended = ipstamp(&arguments, b"");
    assert_eq!(ended.code, 1);
    let line: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(line["reason"], "canary");
    let message = line["message"].as_str().unwrap();
    assert!(message.contains("is GB, expected SE") && message.contains("81.2.3.4"), "{message}");
}

#[test]
fn lookup_shows_the_record_and_what_is_read_of_it() {
    let folder = Folder::new();
    let ended = ipstamp(&["db", "lookup", "81.2.3.4", folder.city()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains(": 81.2.0.0/16\n"), "{}", ended.out);
    assert!(ended.out.contains("\"iso_code\": \"GB\""), "{}", ended.out);
    assert!(ended.out.contains("    geo.city_name: Bristol\n"), "{}", ended.out);
    let arguments = ["db", "lookup", "--format", "json", "9.9.9.9", folder.city()];
    let line: serde_json::Value = serde_json::from_str(&ipstamp(&arguments, b"").out).unwrap();
    assert_eq!(
        (&line["record"], &line["facts"]),
        (&serde_json::Value::Null, &serde_json::json!({}))
    );
}

#[test]
fn diff_reads_like_a_report() {
    let folder = Folder::new();
    let ended = ipstamp(&["db", "diff", folder.city(), folder.city()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.out.contains("same                   4          262144  100.00 %\n"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("changed                0"), "{}", ended.out);
    let ended = ipstamp(&["db", "diff", "--limit", "1", folder.city(), folder.asn()], b"");
    assert!(
        ended.out.contains("geo                    0           0           4"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("SE                     0           1           0"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("the first 1:\n+ 2.125.160.216/32  as.number: 64505"),
        "{}",
        ended.out
    );
    let arguments = ["db", "diff", "--format", "json", folder.city(), folder.asn()];
    let report: serde_json::Value = serde_json::from_str(&ipstamp(&arguments, b"").out).unwrap();
    assert_eq!(report["all"]["changed"]["ipv4_addresses"], 4 * 65_536);
    assert_eq!(report["groups"]["as"]["added"]["networks"], 5);
    assert_eq!(report["countries"]["GB"]["removed"], 1);
    assert_eq!(report["first"][1]["new"]["as.number"], 64_501);
}
