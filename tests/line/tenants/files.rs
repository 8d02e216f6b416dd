//! Files that come, change and go, and what is said of them.

use std::time::{Duration, Instant};

use super::stage::{
    BY_HEADER, BY_TOPIC, CANARY, Stage, asked_once, cities_of, double, said, told, until_said,
};
use crate::double::{Double, Says};
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Ended, Worker, command};

/// Scenario: while the program runs a tenant's file comes, is spoilt, is mended with another provider,
/// and goes.
/// Guarantees: P11: no restart is needed; a spoilt file changes nothing for its tenant and is said once
/// with its line and what to do; nobody else is touched.
#[test]
fn files_come_change_and_go_while_it_runs() {
    let (acme, globex, better) = (double("acme"), double("globex"), double("better"));
    let stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    stage.licensed("globex", &globex, "");
    let worker = Worker::start(&stage.settings);
    let both = |numbers: std::ops::Range<u8>| {
        stage.write("logs.acme", numbers.clone());
        stage.write("logs.globex", numbers);
        stage.settle(&worker);
    };
    both(0..5);
    stage.licensed("acme", &acme, "");
    until_said(&worker, "the tenant is served", "acme");
    both(5..10);
    stage.tenant("acme", "providers:\n  generc: {}\n");
    until_said(&worker, "served as before", "acme");
    both(10..15);
    wait_for(
        "the trouble is shown",
        seconds(10),
        || worker.whole_log(),
        || {
            let (status, page) = worker.get("/readyz?verbose")?;
            let shown = page.contains("[!] tenant acme: ") && page.contains("acme.yaml:2:3: ");
            (status == 200 && shown && page.contains("did you mean `generic`?")).then_some(())
        },
    );
    assert_eq!(worker.metric("ipstamp_tenant_files_refused", ""), Some(1.0));
    stage.licensed("acme", &better, "");
    until_said(&worker, "can be used again", "acme");
    both(15..20);
    assert_eq!(said(&worker, "served as before", "acme"), 1, "{}", worker.whole_log());
    std::fs::remove_file(stage.home.path().join("tenants/acme.yaml")).unwrap();
    until_said(&worker, "served no more", "acme");
    both(20..25);
    let known =
        [vec![None; 5], cities_of("acme", 5..15), cities_of("better", 15..20), vec![None; 5]];
    assert_eq!(stage.cities("logs.acme"), known.concat(), "{}", worker.whole_log());
    assert_eq!(stage.cities("logs.globex"), cities_of("globex", 0..25));
    assert_eq!(worker.metric("ipstamp_tenants", ""), Some(1.0));
    asked_once(&globex, 0..25);
    worker.stop();
}

/// Scenario: records come all the time for a provider that takes long, so that some wait at any moment;
/// then their tenant's file names another one.
/// Guarantees: P3, P12: who waits is answered by whom he was asked of, nobody goes without, and no
/// address is asked twice.
#[test]
fn who_waits_while_the_file_changes_is_still_answered() {
    let takes = Duration::from_millis(1500);
    let slow = Double::taking(takes, |address| Says::Now(told("slow", address)));
    let better = double("better");
    let mut stage = Stage::new(&["logs.acme"], BY_TOPIC);
    stage.settings.more = stage.settings.more.replace("deadline: 5s", "deadline: 30s");
    stage.licensed("acme", &slow, "");
    let worker = Worker::start(&stage.settings);
    let (mut written, mut next) = (0, Instant::now());
    let mut write_until = |what: &str, done: &dyn Fn() -> bool| {
        wait_for(
            what,
            seconds(30),
            || worker.whole_log(),
            || {
                if written < u8::MAX && next <= Instant::now() {
                    stage.write("logs.acme", [written]);
                    written += 1;
                    next = Instant::now() + takes / 10;
                }
                done().then_some(())
            },
        );
    };
    write_until("the slow one is asked", &|| !slow.asked().is_empty());
    stage.licensed("acme", &better, "");
    write_until("the other one is asked", &|| !better.asked().is_empty());
    stage.settle(&worker);
    let at = u8::try_from(slow.asked().len()).unwrap();
    let known = [cities_of("slow", 0..at), cities_of("better", at..written)].concat();
    assert_eq!(stage.cities("logs.acme"), known, "{}", worker.whole_log());
    asked_once(&slow, 0..at);
    asked_once(&better, at..written);
    worker.stop();
}

/// Scenario: a tenant's token file is emptied, and filled again with another token.
/// Guarantees: his licence is off at once and on again; the other tenant's is not touched.
#[test]
fn an_empty_token_switches_one_tenant_off_alone() {
    let (acme, globex) = (double("acme"), double("globex"));
    let stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    stage.licensed("acme", &acme, "");
    stage.licensed("globex", &globex, "");
    let worker = Worker::start(&stage.settings);
    let both = |numbers: std::ops::Range<u8>| {
        stage.write("logs.acme", numbers.clone());
        stage.write("logs.globex", numbers);
        stage.settle(&worker);
    };
    both(0..5);
    let token = stage.home.path().join("acme.token");
    std::fs::write(&token, "").unwrap();
    until_said(&worker, "switched off", "acme/intel");
    both(5..10);
    std::fs::write(&token, "another").unwrap();
    until_said(&worker, "credentials changed", "acme/intel");
    both(10..15);
    let known = [cities_of("acme", 0..5), vec![None; 5], cities_of("acme", 10..15)].concat();
    assert_eq!(stage.cities("logs.acme"), known, "{}", worker.whole_log());
    assert_eq!(stage.cities("logs.globex"), cities_of("globex", 0..15));
    assert_eq!(acme.tokens(), ["Bearer another".to_owned(), format!("Bearer {CANARY}-acme")]);
    worker.stop();
}

/// Scenario: a tenant has a table of networks and wants of his own; another has a file that says nothing.
/// Guarantees: what is said of the one's networks is in his records only; the other has what the main
/// configuration has.
#[test]
fn a_tenants_networks_are_his_own() {
    let mut stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    let [main, own] = ["main", "own"].map(|name| stage.home.path().join(format!("{name}.csv")));
    std::fs::write(&main, "network,geo.city_name\n8.8.4.0/24,Town\n").unwrap();
    std::fs::write(&own, "network,geo.city_name\n8.8.4.0/31,Cellar\n").unwrap();
    stage.also(&format!("networks: '{}'\n", main.display()));
    stage.tenant("acme", &format!("networks: '{}'\nwant: [geo]\n", own.display()));
    stage.tenant("globex", "{}\n");
    stage.write("logs.acme", 0..4);
    stage.write("logs.globex", 0..2);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    let cellar = Some("Cellar".to_owned());
    assert_eq!(stage.cities("logs.acme"), [cellar.clone(), cellar, None, None]);
    assert_eq!(stage.cities("logs.globex"), vec![Some("Town".to_owned()); 2]);
    worker.stop();
}

/// Scenario: of three files one is sound, one has a slip of the pen and no topics, and one names a
/// database that is not there.
/// Guarantees: P11: `check` says of each what `run` would say, with its line and what to do.
#[test]
fn check_looks_at_each_tenants_file() {
    let acme = double("acme");
    let stage = Stage::new(&["logs"], BY_HEADER);
    stage.licensed("acme", &acme, "topics: [logs, other]\n");
    stage.tenant("globex", "topics: [logs]\nwant: [privcy]\n");
    stage.tenant("umbrella", "topics: [logs]\ndatabases: [{path: /nowhere/x.mmdb}]\n");
    let Ended { code, out, err } = command(&stage.settings, &["check", "--offline"]);
    assert_eq!(code, Some(1), "{out}{err}");
    for words in [
        "ok       tenant acme",
        "topic other may name him, and input.topics does not read it",
        "ok       provider acme/intel",
        "ok       want acme",
        "globex.yaml:2:8: want[0]: unknown fact group or field; did you mean `privacy`?",
        "database umbrella/x",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    let Ended { code, out, .. } = command(&stage.settings, &["check", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(!out.contains("globex"), "{out}");
    let Ended { code, err, .. } = command(&stage.settings, &["check", "--tenant", "nobody"]);
    assert_eq!(code, Some(64), "{err}");
}

/// Scenario: the main configuration's table of networks is replaced while a tenant without one is
/// served.
/// Guarantees: P14: what is put in force for the main configuration is so for its tenants.
#[test]
fn what_is_swapped_in_the_main_configuration_is_swapped_for_its_tenants() {
    let mut stage = Stage::new(&["logs.acme"], BY_TOPIC);
    let table = stage.home.path().join("networks.csv");
    let put = |city: &str| {
        let new = table.with_extension("new");
        std::fs::write(&new, format!("network,geo.city_name\n8.8.4.0/24,{city}\n")).unwrap();
        std::fs::rename(new, &table).unwrap();
    };
    put("Before");
    stage.also(&format!("networks: '{}'\ndatabase_watch: 20ms\n", table.display()));
    stage.tenant("acme", "want: [geo.city_name]\n");
    let worker = Worker::start(&stage.settings);
    stage.write("logs.acme", [1]);
    stage.settle(&worker);
    assert_eq!(stage.cities("logs.acme"), [Some("Before".to_owned())], "{}", worker.whole_log());
    put("After");
    wait_for(
        "the tenant is served with it",
        seconds(20),
        || worker.whole_log(),
        || {
            stage.write("logs.acme", [1]);
            stage.settle(&worker);
            let last = stage.cities("logs.acme").pop().flatten();
            (last.as_deref() == Some("After")).then_some(())
        },
    );
    worker.stop();
}

/// Scenario: a tenant's own table of networks is replaced, then spoilt, then mended.
/// Guarantees: P14: it is followed like the main one, without his file being touched; what cannot be
/// used changes nothing, is said with its line and counted as his, and nobody becomes unready.
#[test]
fn a_tenants_own_files_are_followed() {
    let stage = Stage::new(&["logs.acme"], BY_TOPIC);
    let table = stage.home.path().join("acme.csv");
    let put = |text: &str| {
        let new = table.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &table).unwrap();
    };
    put("network,geo.city_name\n8.8.4.0/24,Before\n");
    stage.tenant("acme", &format!("networks: '{}'\nwant: [geo.city_name]\n", table.display()));
    let worker = Worker::start(&stage.settings);
    let is_served_with = |city: &str| {
        wait_for(
            "the tenant is served with it",
            seconds(20),
            || worker.whole_log(),
            || {
                stage.write("logs.acme", [1]);
                stage.settle(&worker);
                let last = stage.cities("logs.acme").pop().flatten();
                (last.as_deref() == Some(city)).then_some(())
            },
        );
    };
    is_served_with("Before");
    put("network,geo.city_name\n8.8.4.0/24,After\n");
    is_served_with("After");
    put("network,geo.city_name\n8.8.4.0/33,Never\n");
    wait_for(
        "the refusal is shown",
        seconds(20),
        || worker.whole_log(),
        || {
            let (status, page) = worker.get("/readyz?verbose")?;
            let shown = page.contains("database acme/networks") && page.contains("line 2: ");
            (status == 200 && shown).then_some(())
        },
    );
    let labels = "{database=\"networks\",reason=\"table\",tenant=\"acme\"}";
    assert_eq!(worker.metric("ipstamp_database_refusals_total", labels), Some(1.0));
    is_served_with("After");
    put("network,geo.city_name\n8.8.4.0/24,Mended\n");
    is_served_with("Mended");
    worker.stop();
}

/// Scenario: one tenant's budget gets the id of another's, of another provider.
/// Guarantees: P12: units of two vendors are never summed up; who was served stays, the other is told
/// both places, and `check` says it of either.
#[test]
fn a_budget_of_two_vendors_is_refused_in_the_second_file() {
    let acme = double("acme");
    let stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    stage.mock.as_ref().unwrap().create(&["ipstamp.ledger"], 1);
    stage.budgeted("globex", &acme, "{day: 100, licence: common}", "");
    let worker = Worker::start(&stage.settings);
    until_said(&worker, "the tenant is served", "globex");
    stage.tenant("acme", "providers:\n  ipbot:\n    budget: {day: 9, licence: common}\n");
    let clash = "acme.yaml:3:22: providers.ipbot.budget.licence: providers.generic.intel.budget of \
                 tenant globex has the same";
    until_said(&worker, clash, "acme");
    assert_eq!(worker.metric("ipstamp_tenants", ""), Some(1.0), "{}", worker.whole_log());
    worker.stop();
    let Ended { code, out, .. } = command(&stage.settings, &["check", "--offline"]);
    let other = "providers.ipbot.budget of tenant acme has the same";
    assert!(code == Some(1) && out.contains(clash) && out.contains(other), "{code:?} {out}");
    let Ended { code, out, .. } =
        command(&stage.settings, &["check", "--offline", "--tenant", "globex"]);
    assert!(code == Some(1) && out.contains(other), "{code:?} {out}");
    // A start takes the first of them, and so do commands.
    for (name, expected) in [("acme", Some(0)), ("globex", Some(78))] {
        let Ended { code, err, .. } =
            command(&stage.settings, &["config", "show", "--tenant", name]);
        assert_eq!(code, expected, "{name}: {err}");
    }
}
