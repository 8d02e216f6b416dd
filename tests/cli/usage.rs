//! Help, usage, and the configuration's commands.

use std::process::Command;

use super::{Folder, ipstamp};

#[test]
fn what_cannot_be_understood_ends_with_64_and_words_on_stderr() {
    let cases: [&[&str]; 10] = [
        &[],
        &["stamp"],
        &["run", "--until", "noon"],
        &["lookup"],
        &["demo", "--records", "0"],
        &["check", "--replicas", "0"],
        &["explain"],
        &["estimate"],
        &["estimate", "--from", "-", "--events-per-day", "0"],
        &["enrich", "--profile", "xml"],
    ];
    for arguments in cases {
        let ended = ipstamp(arguments, b"");
        assert_eq!(ended.code, 64, "{arguments:?}: {}", ended.err);
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_is_data_and_has_examples() {
    let commands = ["run", "demo", "enrich", "lookup", "explain", "estimate", "check"];
    for command in commands {
        let ended = ipstamp(&[command, "--help"], b"");
        assert_eq!(ended.code, 0, "{command}");
        assert!(
            ended.out.contains("Examples:") && ended.err.is_empty(),
            "{command}: {}",
            ended.out
        );
    }
    let whole = ipstamp(&["--help"], b"").out;
    assert!(commands.iter().all(|command| whole.contains(command)), "{whole}");
    assert_eq!(ipstamp(&["--version"], b"").code, 0);
}

#[test]
fn a_configuration_that_is_refused_ends_with_78_and_names_file_and_line() {
    let folder = Folder::new();
    let path = folder.file("c.yaml", "kafka: {brokers: [a:1]}\ninptu: {}\n");
    for command in ["run", "check", "enrich"] {
        let ended = ipstamp(&[command, "-c", &path], b"");
        assert_eq!(ended.code, 78, "{command}: {}", ended.err);
        let expected = format!("{path}:2:1: inptu: unknown key; did you mean `input`?\n");
        assert_eq!(ended.err, expected, "{command}");
    }
}

#[test]
fn a_configuration_that_is_not_there_ends_with_78_and_says_how_to_name_one() {
    let ended = ipstamp(&["config", "show", "--config", "/no/such/file.yaml"], b"");
    assert_eq!(ended.code, 78);
    assert!(ended.err.contains("/no/such/file.yaml: cannot be read"), "{}", ended.err);
    assert!(ended.err.contains("--config or IPSTAMP_CONFIG"), "{}", ended.err);
}

#[test]
fn show_prints_what_is_in_force_and_no_secret() {
    let folder = Folder::new();
    let secret = folder.file("secret", "c4n4ry-T0ken\n");
    let text = format!(
        "kafka:\n  brokers: [a:1]\n  security: {{protocol: sasl_ssl, mechanism: PLAIN, username: \
         u, password: '${{file:{secret}}}'}}\ninput: {{topics: [a], group: g}}\noutput: {{topic: \
         b}}\n"
    );
    let path = folder.file("c.yaml", &text);
    let ended = ipstamp(&["config", "show", "-c", &path], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("password: \"***\"") || ended.out.contains("password: ***"));
    assert!(ended.out.contains("drain: 25s"), "{}", ended.out);
    assert!(!ended.out.contains("c4n4ry") && ended.err.is_empty());
}

#[test]
fn the_schema_needs_no_configuration() {
    let ended = ipstamp(&["config", "schema"], b"");
    assert_eq!(ended.code, 0);
    let schema: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn the_environment_may_name_the_configuration() {
    let folder = Folder::new();
    let path = folder.config("a:1", "logs", "workers: ${N:-3}");
    let ended = Command::new(env!("CARGO_BIN_EXE_ipstamp"))
        .args(["config", "show"])
        .env("IPSTAMP_CONFIG", &path)
        .env("N", "2")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(String::from_utf8(ended.stdout).unwrap().contains("\nworkers: 2\n"));
}

#[test]
fn a_database_that_is_not_there_ends_every_command_with_the_same_code() {
    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "admin: {listen: off}");
    std::fs::remove_file(folder.asn()).unwrap();
    let cases: [&[&str]; 3] = [&["run"], &["enrich"], &["lookup", "1.1.1.1"]];
    for arguments in cases {
        let ended = ipstamp(&[arguments, &["-c", &config]].concat(), b"");
        assert_eq!(ended.code, 69, "{arguments:?}: {}", ended.err);
        let named = ["databases[1].path: ", "asn.mmdb: cannot be read"];
        let said = named.iter().all(|words| ended.err.contains(words));
        assert!(said, "{arguments:?}: {}", ended.err);
    }
    std::fs::create_dir(folder.asn()).unwrap();
    for arguments in cases {
        let ended = ipstamp(&[arguments, &["-c", &config]].concat(), b"");
        assert_eq!(ended.code, 78, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("asn.mmdb: is a directory"), "{arguments:?}: {}", ended.err);
    }
    let ended = ipstamp(&["lookup", "--mmdb", folder.asn(), "1.1.1.1"], b"");
    assert!(
        ended.err.contains("--mmdb: ") && ended.err.contains("is a directory"),
        "{}",
        ended.err
    );
    std::fs::remove_dir(folder.asn()).unwrap();
    std::fs::write(folder.asn(), "<html>").unwrap();
    for arguments in cases {
        let ended = ipstamp(&[arguments, &["-c", &config]].concat(), b"");
        assert_eq!(ended.code, 78, "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn a_quota_where_nothing_is_limited_does_not_wait_for_brokers() {
    let folder = Folder::new();
    // Port 1 is nobody's.
    let config = folder.config("127.0.0.1:1", "logs", "");
    let begun = std::time::Instant::now();
    let ended = ipstamp(&["quota", "-c", &config], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("no provider here has a limited budget"), "{}", ended.err);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

#[test]
fn the_command_line_describes_itself_to_shells_and_to_man() {
    for (shell, sign) in
        [("bash", "complete "), ("zsh", "#compdef ipstamp"), ("fish", "complete -c ipstamp")]
    {
        let ended = ipstamp(&["completions", shell], b"");
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.out.contains(sign) && ended.out.contains("healthcheck"), "{shell}");
    }
    let man = ipstamp(&["man"], b"");
    assert_eq!(man.code, 0, "{}", man.err);
    for part in [".TH ipstamp", "IPSTAMP RUN", "IPSTAMP DLQ", "until"] {
        assert!(man.out.contains(part), "{part} is missing");
    }
}
