//! `explain`: who is asked, who is not and why, and that nothing is sent unless it is told to.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{Folder, ipstamp};

/// Databases for places and systems, and a service of one's own at the listener for privacy.
fn config(folder: &Folder, listener: &TcpListener, more: &str) -> String {
    let port = listener.local_addr().unwrap().port();
    let lines = format!(
        "want: [geo, as, privacy]\nproviders:\n  generic:\n    own:\n      url: \
         'http://127.0.0.1:{port}/{{ip}}'\n      price: 3\n      fields: {{privacy.tor: /tor}}\n{more}"
    );
    folder.config("a:1", "logs", &lines)
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Whether nobody has come.
fn is_lonely(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    matches!(listener.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn each_tier_says_what_it_does_for_an_address_and_nothing_is_sent() {
    let (folder, listener) = (Folder::new(), listener());
    let config = config(&folder, &listener, "");
    let ended = ipstamp(&["explain", "-c", &config, "81.2.3.4", "10.0.0.1"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let mut lines = ended.out.lines();
    let mut starts = |start: &str, end: &str| {
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with(start) && line.ends_with(end), "{line:?}\n{}", ended.out);
    };
    starts("81.2.3.4  global", "global");
    starts("  database  city   record ", ")");
    starts("  database  asn    record ", ")");
    starts("  cache     cache  has nothing of it", "is not read");
    starts("  provider  own    would be asked for privacy: ", "3 units at most");
    starts("  missing   privacy", "privacy");
    starts("10.0.0.1  private", "private");
    starts("  database  city   not asked: the address is not global", ")");
    starts("  database  asn    not asked: the address is not global", ")");
    starts("  cache     cache  ", "");
    starts("  provider  own    not asked: the address is not global", "never sent");
    for said in [" of 81.2.0.0/16: answers geo (built ", " of 81.2.0.0/16: answers as (built "] {
        assert_eq!(ended.out.matches(said).count(), 1, "{}", ended.out);
    }
    assert!(is_lonely(&listener), "something was sent without --ask");
}

#[test]
fn why_a_provider_is_not_asked_is_said_to_programs_by_name() {
    let (folder, listener) = (Folder::new(), listener());
    let reason = |more: &str, want: &str| {
        let config = config(&folder, &listener, more);
        let arguments = ["explain", "-c", &config, "-w", want, "-f", "json", "81.2.3.4"];
        let ended = ipstamp(&arguments, b"");
        assert_eq!(ended.code, 0, "{}", ended.err);
        let line: Value = serde_json::from_str(&ended.out).unwrap();
        let tiers = line["tiers"].as_array().unwrap();
        tiers.iter().find(|tier| tier["source"] == "own").unwrap()["reason"].clone()
    };
    assert_eq!(reason("", "geo,as"), "nothing_missing");
    assert_eq!(reason("", "company"), "not_covered");
    assert_eq!(reason("      token: ''\n", "privacy"), "disabled");
    assert_eq!(reason("      budget: {day: 2}\n", "privacy"), "budget");
    assert_eq!(reason("order: {privacy: [city]}\n", "privacy"), "not_in_order");
    assert_eq!(reason("", "privacy"), Value::Null);
    assert!(is_lonely(&listener));
}

#[test]
fn a_database_that_the_order_names_for_nothing_that_it_has_is_not_asked() {
    let (folder, listener) = (Folder::new(), listener());
    let config = config(&folder, &listener, "order: {geo: [asn]}\n");
    let arguments = ["explain", "-c", &config, "-w", "geo", "-f", "json", "81.2.3.4"];
    let ended = ipstamp(&arguments, b"");
    let line: Value = serde_json::from_str(&ended.out).unwrap();
    let tiers = line["tiers"].as_array().unwrap();
    let city = tiers.iter().find(|tier| tier["source"] == "city").unwrap();
    assert_eq!((&city["asked"], &city["answers"]), (&json!(false), &Value::Null), "{line}");
    assert_eq!(line["missing"], json!(["geo"]));
}

#[test]
fn a_database_that_does_not_know_the_address_says_so() {
    let folder = Folder::new();
    let arguments = ["explain", "-m", folder.city(), "-w", "geo", "-f", "json", "81.3.0.1"];
    let ended = ipstamp(&arguments, b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let line: Value = serde_json::from_str(&ended.out).unwrap();
    let city = &line["tiers"][0];
    assert_eq!((&city["source"], &city["asked"]), (&json!("city"), &json!(true)));
    assert!(city["network"].as_str().unwrap().starts_with("81."), "{line}");
    assert_eq!((&city["record"], &city["answers"]), (&Value::Null, &Value::Null));
    assert_eq!(line["missing"], json!(["geo"]));
}

#[test]
fn with_ask_the_provider_is_asked_and_its_answer_and_price_are_shown() {
    let (folder, listener) = (Folder::new(), listener());
    let config = config(&folder, &listener, "");
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        reader.read_line(&mut first).unwrap();
        let body = r#"{"tor":true}"#;
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(reply.as_bytes()).unwrap();
        (first, listener)
    });
    let ended = ipstamp(&["explain", "-c", &config, "--ask", "81.2.3.4"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let (first, listener) = asked.join().unwrap();
    assert_eq!(first, "GET /81.2.3.4 HTTP/1.1\r\n");
    let expected = "  provider  own    asked: replied 200: answers privacy; it cost 3 units\n";
    assert!(ended.out.contains(expected) && !ended.out.contains("missing"), "{}", ended.out);
    assert!(is_lonely(&listener), "it was asked twice");
}

#[test]
fn with_ask_an_address_that_is_not_global_is_still_not_sent() {
    let (folder, listener) = (Folder::new(), listener());
    let config = config(&folder, &listener, "");
    let ended = ipstamp(&["explain", "-c", &config, "--ask", "10.0.0.1", "192.0.2.7"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(is_lonely(&listener));
}

#[test]
fn what_is_no_address_is_a_finding() {
    let folder = Folder::new();
    let ended = ipstamp(&["explain", "-m", folder.city(), "nonsense", "81.2.3.4"], b"");
    assert_eq!(ended.code, 1);
    assert_eq!(ended.err, "nonsense: not an IP address\n");
    assert!(ended.out.starts_with("81.2.3.4  global\n"), "{}", ended.out);
}
