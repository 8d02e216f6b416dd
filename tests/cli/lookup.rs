//! `lookup`.

use super::{Folder, ipstamp};

#[test]
fn each_address_comes_with_scope_facts_and_the_database_that_says_so() {
    let folder = Folder::new();
    let ended =
        ipstamp(&["lookup", "-m", folder.city(), "-m", folder.asn(), "81.2.3.4", "10.0.0.1"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let expected = "\
81.2.3.4  global
  geo      country_iso_code: GB, city_name: Bristol  [city]
  as       number: 64501, organization: Severn Networks  [asn]
10.0.0.1  private
  not looked up: not a global address (private); only databases that the configuration marks \
         non_global are asked
";
    assert_eq!(ended.out, expected);
}

#[test]
fn programs_get_a_line_of_json_for_each_address() {
    let folder = Folder::new();
    let arguments = ["lookup", "--mmdb", folder.city(), "--want", "geo", "--format", "json", "-"];
    let ended = ipstamp(&arguments, b"::ffff:89.160.20.112\r\n\n192.0.2.1\n");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"ip":"89.160.20.112","scope":"global","geo":{"country_iso_code":"SE","city_name":"Uppsala"},"sources":{"geo":"city"}}"#,
            r#"{"ip":"192.0.2.1","scope":"documentation","sources":{}}"#,
        ]
    );
}

#[test]
fn what_is_no_address_is_a_finding_and_the_others_are_answered() {
    let folder = Folder::new();
    let ended =
        ipstamp(&["lookup", "-m", folder.city(), "010.0.0.1", "1.1.1.1", "x\u{1b}[2J"], b"");
    assert_eq!(ended.code, 1);
    assert!(ended.out.starts_with("1.1.1.1  global\n"), "{}", ended.out);
    assert_eq!(ended.err, "010.0.0.1: not an IP address\nx\\u{1b}[2J: not an IP address\n");
}

#[test]
fn a_database_that_is_not_there_is_unavailable() {
    let ended = ipstamp(&["lookup", "-m", "/no/such.mmdb", "1.1.1.1"], b"");
    assert_eq!(ended.code, 69);
    assert!(ended.err.contains("/no/such.mmdb") && ended.err.contains("--mmdb"), "{}", ended.err);
    assert!(!ended.err.contains("`databases`"), "{}", ended.err);
}

#[test]
fn a_file_of_any_fact_group_answers_without_being_asked_for_the_group() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/command/demo/privacy.mmdb");
    let ended = ipstamp(&["lookup", "-m", path, "185.220.101.34"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("  privacy  "), "{}", ended.out);
    assert!(ended.out.contains("tor: true"), "{}", ended.out);
}

#[test]
fn a_group_that_is_not_known_comes_with_those_that_are() {
    let folder = Folder::new();
    let ended = ipstamp(&["lookup", "-m", folder.city(), "-w", "city", "1.1.1.1"], b"");
    assert_eq!(ended.code, 64, "{}", ended.err);
    assert!(ended.err.contains("the fact groups are geo, as, network,"), "{}", ended.err);
}

#[test]
fn without_any_database_it_says_how_to_name_one() {
    let ended = ipstamp(&["lookup", "1.1.1.1"], b"");
    assert_eq!(ended.code, 64);
    assert!(ended.err.contains("--mmdb") && ended.err.contains("--config"), "{}", ended.err);
}

#[test]
fn a_configuration_gives_databases_and_wants() {
    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "want: [as]");
    let ended = ipstamp(&["lookup", "-c", &config, "81.2.3.4"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("[asn]") && !ended.out.contains("[city]"), "{}", ended.out);
}
