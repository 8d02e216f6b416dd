//! What a table of networks may be, and what is said of one that cannot be used.

use serde_json::{Value as Json, json};

use super::super::fixtures::{address, bytes};
use super::*;
use crate::record::{Enrichment, FactGroup};

fn table(csv: &str) -> Result<Database, NetworksError> {
    networks(csv.to_owned(), SystemTime::UNIX_EPOCH).map(|networks| networks.database)
}

fn refusal(csv: &str) -> String {
    table(csv).unwrap_err().to_string()
}

#[test]
fn the_smaller_network_has_the_say_and_the_larger_one_has_the_rest() {
    let database = table(
        "# from the IPAM\n\
         network,company.name,geo.city_name,geo.location,privacy.vpn,as.number\n\
         10.1.0.0/16,,Riga,56.9;24.1,,\n\
         10.0.0.0/8,Example,Tallinn,,true,64512\n\
         2001:db8::/32,Example 6,,,FALSE,\n\
         10.1.2.3,\"Example, printers\",,,,\n",
    )
    .unwrap();
    let facts = |text: &str| database.facts(address(text).ip()).unwrap();
    let of = |text: &str| {
        let facts = facts(text);
        let city = facts.geo.and_then(|geo| geo.city_name);
        (facts.company.and_then(|company| company.name).unwrap(), city)
    };
    assert_eq!(of("10.9.9.9"), ("Example".into(), Some("Tallinn".into())));
    assert_eq!(of("10.1.9.9"), ("Example".into(), Some("Riga".into())));
    assert_eq!(of("10.1.2.3"), ("Example, printers".into(), Some("Riga".into())));
    assert_eq!(of("2001:db8::7"), ("Example 6".into(), None));
    assert_eq!(facts("10.1.9.9").geo.unwrap().location, Some((56.9, 24.1)));
    assert_eq!(facts("10.1.9.9").autonomous_system.unwrap().number, Some(64512));
    assert_eq!(facts("2001:db8::7").privacy.unwrap().vpn, Some(false));
    assert_eq!(database.facts(address("11.0.0.1").ip()), None);
    let [geo, company] = [FactGroup::Geo, FactGroup::Company];
    assert!(database.covers().contains(geo) && database.covers().contains(company));
    assert!(!database.covers().contains(FactGroup::Threat));
}

#[test]
fn a_table_that_makes_no_sense_is_refused_with_its_line_and_the_remedy() {
    for (csv, word) in [
        ("", "line 1: expected the names of the columns"),
        ("network\n10.0.0.0/8\n", "at least one field"),
        ("network,company.nam\n", "did you mean `company.name`?"),
        ("network;company.name\n", "columns are separated by commas"),
        ("net,company.name\n", "did you mean `network`?"),
        ("network,company\n", "line 1: \"company\" is no field"),
        ("network,company.name\n10.0.0.0/33,A\n", "line 2: \"10.0.0.0/33\" is no network"),
        ("network,company.name\n\n# so\n10.1.0.0/8,A\n", "line 4: 10.1.0.0/8 begins at 10.0.0.0/8"),
        ("network,as.number\n10.0.0.0/8,many\n", "line 2: column as.number: \"many\""),
        (
            "network,company.name\n10.0.0.0/8,A\n10.0.0.0/8,B\n",
            "line 3: 10.0.0.0/8 stands in line 2",
        ),
        ("network,company.name\n10.0.0.0/8,A,B\n", "line 2: 3 cells, where the first line has 2"),
        ("network,company.name\n", "add a row"),
        (
            "network,company.name,company.name\n10.0.0.0/8,A,B\n",
            "line 1: \"company.name\" stands there twice",
        ),
    ] {
        let error = refusal(csv);
        assert!(error.contains(word), "{csv:?}: {error}");
    }
}

fn facts(database: &Database, text: &str) -> Option<Enrichment> {
    database.facts(address(text).ip())
}

#[test]
fn json_says_the_same_in_whichever_of_its_shapes() {
    let rows = [
        json!({"network": "10.0.0.0/8", "company.name": "Example", "geo": {"city_name": "Tallinn"}}),
        json!({"network": "10.1.0.0/16", "geo": {"city_name": "Riga", "location": [56.9, 24.1]}}),
        json!({"start_ip": "10.2.0.1", "end_ip": "10.2.0.2", "as.number": "64512", "privacy.vpn": true,
            "threat.traits": ["lab", "canary"], "company": {"name": null}}),
    ];
    let list = Json::from(rows.to_vec()).to_string();
    let lines = rows.each_ref().map(ToString::to_string).join("\n");
    let named = json!({
        "10.0.0.0/8": {"company.name": "Example", "geo.city_name": "Tallinn"},
        "10.1.0.0/16": {"geo.city_name": "Riga", "geo.location": "56.9;24.1"},
        "10.2.0.1": {"as": {"number": 64512}, "privacy.vpn": "true", "threat.traits": "lab;canary"},
        "10.2.0.2": {"as": {"number": 64512}, "privacy.vpn": "true", "threat.traits": "lab;canary"}
    });
    for text in [list, lines, format!("\u{feff}{named:#}")] {
        let database = table(&text).unwrap();
        let riga = facts(&database, "10.1.0.7").unwrap();
        assert_eq!(riga.geo.as_ref().unwrap().city_name.as_deref(), Some("Riga"), "{text}");
        assert_eq!(riga.geo.unwrap().location, Some((56.9, 24.1)), "{text}");
        assert_eq!(riga.company.unwrap().name.as_deref(), Some("Example"), "{text}");
        let lab = facts(&database, "10.2.0.2").unwrap();
        assert_eq!(lab.autonomous_system.unwrap().number, Some(64512), "{text}");
        assert_eq!(lab.privacy.unwrap().vpn, Some(true), "{text}");
        assert_eq!(lab.threat.unwrap().traits, ["lab", "canary"], "{text}");
        assert_eq!(facts(&database, "10.2.0.3").unwrap().threat, None, "{text}");
        let covers = ["geo", "as", "company", "privacy", "threat"];
        assert_eq!(database.covers(), super::super::fixtures::groups(&covers), "{text}");
    }
}

#[test]
fn an_mmdb_file_of_any_layout_will_do() {
    let record = json!({"city": {"names": {"en": "Riga"}}});
    let content = bytes("GeoLite2-City", &[("10.1.0.0/16", record)]);
    let whole = networks(content.clone(), SystemTime::UNIX_EPOCH).unwrap().database;
    assert_eq!(whole.name().as_ref(), NETWORKS);
    assert!(whole.is_asked_first() && whole.answers_non_global());
    let city = facts(&whole, "10.1.0.7").unwrap().geo.unwrap().city_name;
    assert_eq!(city.as_deref(), Some("Riga"));
    let cut = content[..content.len() / 2].to_vec();
    let error = networks(cut, SystemTime::UNIX_EPOCH).unwrap_err().to_string();
    assert!(error.contains("not a whole MMDB file"), "{error}");
}

#[test]
fn each_wrong_line_is_said_and_not_only_the_first() {
    let csv = "network,company.name,as.number\n\
               10.0.0.0/33,A,\n\
               # so\n\
               10.0.0.0/8,B,many\n\
               10.1.0.0/16,C,1\n\
               10.1.0.0/16,D,1\n\
               10.2.0.0/16,E\n";
    let error = refusal(csv);
    for words in [
        "line 2: \"10.0.0.0/33\" is no network",
        "; line 4: column as.number: \"many\"",
        "; line 6: 10.1.0.0/16 stands in line 5 already",
        "; line 7: 2 cells, where the first line has 3",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let json = "[\n{\"network\": \"10.0.0.0/8\", \"company.nam\": \"A\"},\n\
                {\"network\": \"10.0.0.1/8\", \"as.number\": 1},\n7,\n\n\
                {\"network\": \"10.0.0.0/8\", \"as.number\": \"x\"},\n\
                {\"as.number\": 1}, {\"network\": \"10.0.0.0/8\", \"as.number\": 1, \"as\": \
                {\"number\": 2}}]";
    let error = refusal(json);
    for words in [
        "line 2: \"company.nam\" is no field; did you mean `company.name`?",
        "; line 3: 10.0.0.1/8 begins at 10.0.0.0/8",
        "; line 4: expected an object with `network`",
        "; line 6: as.number: \"x\" is not of the field's kind",
        "; line 7: expected \"network\", or \"start_ip\" and \"end_ip\"",
        "; line 7: as.number stands there twice",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let many = "x,A\n".repeat(100);
    let error = refusal(&format!("network,company.name\n{many}"));
    assert!(error.contains("line 21: ") && !error.contains("line 22: "), "{error}");
    assert!(error.ends_with("; and 80 more"), "{error}");
}

#[test]
fn a_place_off_the_earth_and_a_network_that_nothing_is_looked_up_in_are_refused() {
    let place = |text: &str| refusal(&format!("network,geo.location\n10.0.0.0/8,{text}\n"));
    assert!(place("91;0").contains("line 2: column geo.location: \"91;0\" is not of the"));
    assert!(place("0;181").contains("is not of the field's kind"));
    let json = "[{\"network\": \"10.0.0.0/8\", \"geo.location\": [91, 0]}]";
    assert!(refusal(json).contains("is not of the field's kind"));
    let network = |text: &str| refusal(&format!("network,company.name\n{text},A\n"));
    assert!(network("::ffff:8.0.0.0/104").contains("is of IPv4; write 8.0.0.0/8"));
    assert!(network("::ffff:8.8.8.8").contains("is of IPv4; write 8.8.8.8/32"));
}

#[test]
fn what_is_no_json_is_said_with_its_line_and_a_name_that_is_there_twice_too() {
    let error = refusal("[\n{\"network\": \"10.0.0.0/8\",\n \"company.name\": A}]");
    assert!(error.contains("line 3") && error.contains("no JSON"), "{error}");
    let twice = "{\n\"10.0.0.0/8\": {\"as.number\": 1},\n\"10.0.0.0/8\": {\"as.number\": 2}}";
    let error = refusal(twice);
    assert!(error.contains("line 3: 10.0.0.0/8 stands in line 2 already"), "{error}");
    assert!(refusal("[]").contains("add a row"));
}

#[test]
fn networks_that_lie_in_each_other_are_named_with_their_lines() {
    let csv = "network,company.name\n\
               10.1.2.0/24,A\n10.0.0.0/8,B\n10.1.0.0/16,C\n10.2.0.0/16,D\n11.0.0.0/8,E\n\
               2001:db8::/32,F\n2001:db8::1,G\n";
    let overlaps = networks(csv.to_owned(), SystemTime::UNIX_EPOCH).unwrap().overlaps;
    let overlaps: Vec<String> = overlaps.iter().map(ToString::to_string).collect();
    assert_eq!(
        overlaps,
        [
            "10.1.0.0/16 (line 4) lies in 10.0.0.0/8 (line 3)",
            "10.1.2.0/24 (line 2) lies in 10.1.0.0/16 (line 4)",
            "10.2.0.0/16 (line 5) lies in 10.0.0.0/8 (line 3)",
            "2001:db8::1/128 (line 8) lies in 2001:db8::/32 (line 7)",
        ]
    );
}
