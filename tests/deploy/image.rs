//! The image: its recipe passes the linter, names what it is made from, and runs as nobody.

use super::tools::{run, tool};
use super::{read, root};

#[test]
fn the_linter_finds_nothing() {
    let Some(mut hadolint) = tool("hadolint") else { return };
    let (well, said) = run(hadolint.arg("--no-color").arg(root("Dockerfile")));
    assert!(well, "{said}");
}

#[test]
fn it_runs_as_nobody_asks_itself_how_it_is_and_pins_what_it_is_made_from() {
    let text = read("Dockerfile");
    let lines: Vec<_> = text.lines().collect();
    for line in [
        "USER 65532:65532",
        r#"    CMD ["/usr/local/bin/ipstamp", "healthcheck"]"#,
        r#"ENTRYPOINT ["/usr/local/bin/ipstamp"]"#,
        r#"CMD ["run"]"#,
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    for base in lines.iter().filter_map(|line| line.strip_prefix("ARG ")) {
        let (name, value) = base.split_once('=').unwrap();
        assert!(!value.is_empty() && !value.ends_with(":latest"), "{name} is not pinned");
    }
}

/// The image is built with the same toolchain as everything else is tested with, or a newer one.
#[test]
fn its_rust_is_new_enough() {
    let manifest = read("Cargo.toml");
    let of = |text: &str, before: &str| {
        let at = text.split(before).nth(1).unwrap();
        let version = at.split(['"', '-', '\n']).next().unwrap();
        version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>()
    };
    let wanted = of(&manifest, "rust-version = \"");
    assert!(of(&read("Dockerfile"), "library/rust:") >= wanted);
}

#[test]
fn each_package_has_a_licence() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(root(".ci/licences"));
    let (well, said) = run(command.arg(folder.path()));
    assert!(well, "{said}");
    let list = std::fs::read_to_string(folder.path().join("licences.txt")).unwrap();
    assert!(list.lines().count() > 100, "{list}");
    assert!(list.lines().any(|line| line.starts_with("rdkafka v")), "{list}");
    let texts = std::fs::read_dir(folder.path().join("licences")).unwrap().count();
    assert!(texts > 100, "only {texts} texts");
}
