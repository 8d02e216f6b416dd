//! `test`, `init` and `profiles`: cases of one's own, what a first configuration is, and the data of
//! the profiles.

use crate::{Folder, ipstamp};

const CASES: &str = r#"
profile: ecs
facts:
  81.2.69.0/24: {geo.country_iso_code: GB, as.number: 20712}
cases:
  - name: a login from Britain
    event: {source: {ip: 81.2.69.142}}
    outcome: enriched
    expect_at:
      source.geo.country_iso_code: GB
      source.ip_traits: null
  - name: the whole output
    event: '{"n": 1.50, "source": {"ip": "81.2.69.142"}}'
    facts:
      81.2.69.142: {geo.city_name: London}
    expect:
      n: 1.5
      source: {ip: 81.2.69.142, geo: {city_name: London}, as: {number: 20712}}
      related: {ip: [81.2.69.142]}
      ipstamp: {outcome: enriched, sources: {networks: "2026-01-01"}}
  - name: nothing is known
    event: {source: {ip: 9.9.9.9}}
    outcome: partial
    expect_at: {ipstamp.reason: not_found, tags.0: _ipstamp_not_found}
  - name: no address
    event: {message: hello}
    outcome: unchanged
    expect: {message: hello}
"#;

#[test]
fn cases_that_hold_end_well() {
    let folder = Folder::new();
    let file = folder.file("cases.yaml", CASES);
    let ended = ipstamp(&["test", &file], b"");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(ended.out.matches("ok ").count(), 4, "{}", ended.out);
    assert!(ended.err.contains("4 cases, all as expected"), "{}", ended.err);
}

#[test]
fn a_case_that_does_not_hold_says_where_and_ends_with_findings() {
    let folder = Folder::new();
    let file = folder.file("cases.yaml", &CASES.replace("iso_code: GB\n", "iso_code: SE\n"));
    let ended = ipstamp(&["test", &file], b"");
    assert_eq!(ended.code, 1, "{}", ended.err);
    let said = "  source.geo.country_iso_code\n    - expected  \"SE\"\n    + found     \"GB\"\n";
    assert!(ended.out.contains(said), "{}", ended.out);
    assert!(ended.err.contains("1 of 4 cases not as expected"), "{}", ended.err);
    let ended = ipstamp(&["test", "--format", "json", &file], b"");
    let line: serde_json::Value = serde_json::from_str(ended.out.lines().next().unwrap()).unwrap();
    assert_eq!(line["differences"][0]["path"], "source.geo.country_iso_code");
    assert_eq!((ended.code, &line["ok"]), (1, &false.into()));
}

#[test]
fn a_file_that_is_no_file_of_cases_says_what_is_wrong() {
    let folder = Folder::new();
    for (text, said) in [
        ("cases: []", "it has no case"),
        ("cases: [{name: x, event: {}}]", "expects nothing"),
        ("cases: [{name: x, event: {}, expects: {}}]", "unknown field `expects`"),
        ("profile: ecz\ncases: []", "unknown variant `ecz`"),
        (
            "facts: {81.2.69.0/24: {geo.town: x}}\ncases: [{name: x, event: {}, outcome: unchanged}]",
            "geo.town",
        ),
        (": :", "cases.yaml"),
    ] {
        let file = folder.file("cases.yaml", text);
        let ended = ipstamp(&["test", &file], b"");
        assert_eq!(ended.code, 78, "{text}: {}", ended.err);
        assert!(ended.err.contains(said), "{text}: {}", ended.err);
    }
}

/// Guarantees: whatever is chosen, the first case holds at once, and the configuration is sound.
#[test]
fn what_init_writes_holds_for_every_preset_and_profile() {
    let listed = ipstamp(&["presets", "ls", "--format", "json"], b"").out;
    let presets = listed.lines().map(|line| serde_json::from_str(line).unwrap());
    let presets: Vec<serde_json::Value> = presets.collect();
    assert!(presets.len() >= 35, "{}", presets.len());
    for preset in presets.iter().map(|preset| preset["name"].as_str().unwrap()) {
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec!["test".to_owned()];
        for profile in ["ecs", "ocsf", "splunk", "otel", "flat", "native", "headers"] {
            let dir = folder.path().join(profile);
            std::fs::create_dir(&dir).unwrap();
            let dir = dir.to_str().unwrap();
            let ended =
                ipstamp(&["init", "--preset", preset, "--profile", profile, "--dir", dir], b"");
            assert_eq!(ended.code, 0, "{preset}, {profile}: {}", ended.err);
            all.push(format!("{dir}/cases.yaml"));
            let text = std::fs::read_to_string(&all[all.len() - 1]).unwrap();
            let (_, expected) = text.split_once("expect_at:\n").unwrap();
            let country = expected.contains(": GB") || expected.contains(": United Kingdom");
            assert!(country && expected.contains(": 20712"), "{preset}, {profile}: {text}");
            assert!(expected.contains("outcome: "), "{preset}, {profile}: {text}");
        }
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let ended = ipstamp(&all, b"");
        assert_eq!(ended.code, 0, "{preset}: {}{}", ended.out, ended.err);
        assert_eq!(ended.out.matches("ok ").count(), 7, "{preset}: {}", ended.out);
    }
}

/// Guarantees: what a person has written is not overwritten.
#[test]
fn init_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let arguments = ["init", "--preset", "zeek", "--dir", dir];
    assert_eq!(ipstamp(&arguments, b"").code, 0);
    let again = ipstamp(&arguments, b"");
    assert_eq!(again.code, 64, "{}", again.err);
    assert!(again.err.contains("is there already"), "{}", again.err);
}

#[test]
fn check_accepts_what_init_writes_once_it_is_filled_in() {
    let small = Folder::new();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let ended = ipstamp(&["init", "--source", "files", "--dir", dir], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let config = format!("{dir}/ipstamp.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("/data/city.mmdb", small.city()).replace("/data/asn.mmdb", small.asn());
    std::fs::write(&config, text).unwrap();
    let ended = ipstamp(&["check", "--config", &config, "--offline"], b"");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    // With a source nothing but what it has not brought yet is missing.
    for source in ["ipinfo-lite", "geolite", "dbip-lite"] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        ipstamp(&["init", "--source", source, "--dir", dir], b"");
        let config = format!("{dir}/ipstamp.yaml");
        let text = std::fs::read_to_string(&config).unwrap();
        let token = small.file("token", "0123456789");
        let text = text
            .replace("/run/secrets/ipinfo", &token)
            .replace("/run/secrets/maxmind", &token)
            .replace("${MAXMIND_ACCOUNT}", "1234")
            .replace("/var/lib/ipstamp/databases", dir);
        std::fs::write(&config, text).unwrap();
        let ended = ipstamp(&["check", "--config", &config, "--offline"], b"");
        assert!(ended.out.contains("configuration"), "{source}: {}{}", ended.out, ended.err);
        assert!(ended.out.contains("not fetched yet"), "{source}: {}{}", ended.out, ended.err);
        assert_eq!(ended.code, 0, "{source}: {}{}", ended.out, ended.err);
    }
}

#[test]
fn a_profile_is_shown_as_the_file_that_does_the_same() {
    let folder = Folder::new();
    let event = br#"{"source":{"ip":"81.2.69.160"},"sourceIPAddress":"81.2.69.160"}"#;
    let listed = ipstamp(&["profiles", "ls"], b"");
    assert_eq!((listed.code, listed.out.lines().count()), (0, 7), "{}", listed.out);
    for name in ["ecs", "ocsf", "splunk", "otel", "flat"] {
        let shown = ipstamp(&["profiles", "show", name], b"");
        let file = folder.file("own.yaml", &shown.out);
        let stamped = |profile: &str| {
            let arguments =
                ["enrich", "--mmdb", folder.city(), "--mmdb", folder.asn(), "--profile", profile];
            ipstamp(&arguments, event)
        };
        let (own, built_in) = (stamped(&file), stamped(name));
        assert_eq!((own.code, built_in.code), (0, 0), "{}", own.err);
        assert_eq!(own.out, built_in.out);
        assert!(own.out.len() > event.len() + 40, "{}", own.out);
    }
    let shown = ipstamp(&["profiles", "show", "native"], b"");
    assert!(shown.out.contains("geo.city_name: text\n"), "{}", shown.out);
    let ended = ipstamp(&["enrich", "--mmdb", folder.city(), "--profile", "headers"], b"{}");
    assert_eq!(ended.code, 64, "{}", ended.err);
}

#[test]
fn a_profile_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let folder = Folder::new();
    for (text, said) in [
        ("title: x\nplace: beside\nmembers: {a: geo.city_nam}", "did you mean `geo.city_name`?"),
        ("title: x\nplace: above\nmembers: {}", "unknown variant `above`"),
        ("title: x\nplace: beside\nmembers: {a: {}}", "`fields` or `field`"),
        ("title: x\nplace: beside\nmembers: {}\ntags: a.b.c", "`a.b.c` is too deep"),
        (
            "title: x\nplace: beside\nmembers: {}\nlists: {a: {each: address, item: $rest}}",
            "an object, or $ip",
        ),
        (
            "title: x\nplace: beside\nmembers: {}\nlists: {a: {each: rest, item: {a: $ip, b: $c}}}",
            "$c is no member",
        ),
    ] {
        let file = folder.file("own.yaml", text);
        let ended = ipstamp(&["enrich", "--mmdb", folder.city(), "--profile", &file], b"{}");
        assert_eq!(ended.code, 78, "{text}: {}", ended.err);
        assert!(ended.err.contains(said), "{text}: {}", ended.err);
    }
    let ended = ipstamp(&["enrich", "--mmdb", folder.city(), "--profile", "/no/such.yaml"], b"{}");
    assert!(ended.code == 78 && ended.err.contains("/no/such.yaml"), "{}", ended.err);
}

/// Guarantees: what is written into events of many makers is what it was.
#[test]
fn the_kept_outputs_of_each_profile_are_what_comes_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let ended = ipstamp(&["test", path.to_str().unwrap()], b"");
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        assert!(ended.out.matches("ok ").count() >= 8, "{}", ended.out);
        files += 1;
    }
    assert!(files >= 6, "{files} files");
}
