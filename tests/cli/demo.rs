//! `demo`, as a person sees it: it shows events, and says at the end that nothing was lost.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::ipstamp;

/// Scenario: the demo with a number of records. Guarantees: P1, every input has its output; a stamped
/// event is shown on stdout, and the exit code says that the audit holds.
#[test]
fn the_demo_ends_by_itself_with_an_audit_that_holds() {
    let ended = ipstamp(&["demo", "--records", "2000"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in [
        "each of the 2,000 inputs has its output",
        "duplicates: 0",
        "committed offsets stand at the end of the input in all 6 partitions",
        "audit: it holds",
    ] {
        assert!(ended.err.contains(line), "no {line:?} in {}", ended.err);
    }
    let inserted = |text: &str| {
        let mut lines = ended.out.lines();
        lines.any(|line| line.starts_with('+') && line.contains(text))
    };
    for text in
        [r#""city_name": "Ashcombe Mills""#, r#""tor_exit_node": true"#, r#""number": 64506"#]
    {
        assert!(inserted(text), "no inserted {text} in {}", ended.out);
    }
    assert_no_trouble(&ended.err);
    // The last counters are those of the end.
    let mut lines = ended.err.lines().rev();
    let counters = lines.find(|line| line.contains("  out ")).unwrap();
    assert!(counters.contains("  in 2,000  out 2,000  enriched 1,"), "{counters}");
}

/// Nothing in the log calls for anybody.
fn assert_no_trouble(words: &str) {
    let trouble: Vec<_> =
        words.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).collect();
    assert!(trouble.is_empty(), "{trouble:#?}");
}

/// Scenario: the databases do not know all that is wanted. Guarantees: P12, the providers' stand-ins
/// are asked for it in bulk; a person sees their facts in the events, and what asking cost.
#[test]
fn the_demo_shows_what_providers_add_and_what_asking_costs() {
    let ended = ipstamp(&["demo", "--records", "5000"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for text in ["stand-ins of IPinfo", "providers ipinfo, ipgeolocation", "asked ", "saved $"] {
        assert!(ended.err.contains(text), "no {text:?} in {}", ended.err);
    }
    let inserted: Vec<_> = ended.out.lines().filter(|line| line.starts_with('+')).collect();
    for text in [r#""city_name": "Elmhaven""#, r#""number": 64507"#, r#""raw_scores""#] {
        assert!(inserted.iter().any(|line| line.contains(text)), "no {text} in {}", ended.out);
    }
    let asked = ended.err.lines().find(|line| line.starts_with("  asked ")).unwrap();
    let numbers: Vec<u64> = asked
        .split(' ')
        .filter_map(|word| word.trim_end_matches(',').replace(',', "").parse().ok())
        .collect();
    let [distinct, calls, a_call, paid] = numbers[..] else { panic!("{asked}") };
    assert!(distinct > 1000 && paid >= distinct && calls < distinct / 10, "{asked}");
    assert_eq!(a_call, paid / calls, "{asked}");
}

/// Scenario: a newcomer who has no database and no events. Guarantees: the demo's own are written, what it
/// says to try works, and nothing that is there already is written over.
#[test]
fn the_demos_files_are_something_to_try_the_other_commands_on() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new/samples").display().to_string();
    let ended = ipstamp(&["demo", "--files", &dir], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let tries: Vec<_> =
        ended.err.lines().filter_map(|line| line.split_once("> ipstamp ")).collect();
    assert_eq!(tries.len(), 2, "{}", ended.err);
    for (_, words) in tries {
        let tried = ipstamp(&words.split(' ').collect::<Vec<_>>(), b"");
        assert_eq!(tried.code, 0, "{words}: {}", tried.err);
        assert!(tried.out.contains("Ashcombe Mills"), "{words}: {}", tried.out);
    }
    let again = ipstamp(&["demo", "--files", &dir], b"");
    assert_eq!(again.code, 64);
    assert!(again.err.contains("is there already; name another folder"), "{}", again.err);
}

#[test]
fn one_record_is_enough() {
    let ended = ipstamp(&["demo", "--records", "1"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("each of the 1 inputs has its output"), "{}", ended.err);
}

/// Scenario: Ctrl-C in the middle of an endless demo. Guarantees: what was read is published and
/// committed before it ends (P10).
#[test]
fn an_interrupted_demo_ends_with_an_audit_that_holds() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipstamp"))
        .arg("demo")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // The first counters: it is under way.
    let begun = words.by_ref().any(|line| line.contains("  out "));
    let id = child.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(begun && told.success());
    let rest: Vec<_> = words.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", rest.join("\n"));
    assert!(rest.iter().any(|line| line == "audit: it holds"), "{}", rest.join("\n"));
    assert_no_trouble(&rest.join("\n"));
}
