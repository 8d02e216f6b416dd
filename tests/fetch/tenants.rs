//! Databases of tenants: fetched like the others, into a part of the store that is the tenant's alone.

use super::support::patience::{seconds, wait_for};
use super::support::worker::Worker;
use super::vendor::{TOKEN, Vendor};
use super::{Home, fetch, ipstamp, world};

/// The section of the main configuration, and the folder of the tenants' files.
fn tenants(home: &Home) -> (String, std::path::PathBuf) {
    let dir = home.path().join("tenants");
    std::fs::create_dir_all(&dir).unwrap();
    let section =
        format!("tenants: {{by: {{topic: '^logs\\.([a-z]+)$'}}, dir: {}}}", dir.display());
    (section, dir)
}

/// The entry of a list for a database that is called `city`, wherever it is.
fn city(vendor: &Vendor, path: &str, more: &str) -> String {
    format!("  - {{source: url, name: city, url: '{}{path}'{more}}}", vendor.url())
}

/// A worker without brokers, with what the configuration says.
fn start(home: &Home, databases: &str) -> Worker {
    let (section, _) = tenants(home);
    let store = home.store();
    Worker::start_as(&[], &[], |_, admin| {
        format!(
            "kafka: {{brokers: ['127.0.0.1:1']}}\ninput: {{topics: ['^logs\\.[a-z]+$'], group: g}}\n\
             output: {{topic: out}}\nwant: [geo]\nworkers: 1\ndatabase_watch: 50ms\n\
             database_store: {{dir: {}}}\ndatabases:\n{databases}\n{section}\n\
             admin: {{listen: '127.0.0.1:{admin}'}}\n",
            store.display()
        )
    })
}

fn logs(worker: &Worker, text: &str) {
    let has = || worker.whole_log().contains(text).then_some(());
    wait_for(text, seconds(30), || worker.log(), has);
}

/// Guarantees: names of databases do not meet over tenants, by hand too.
#[test]
fn databases_of_one_name_are_fetched_for_each_tenant_and_for_all() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let (section, dir) = tenants(&home);
    for (path, country) in
        [("/own/all.mmdb", "LV"), ("/own/acme.mmdb", "SE"), ("/own/blue.mmdb", "NO")]
    {
        vendor.offer(path, &world(100, country));
    }
    let more = format!("kafka: {{brokers: ['127.0.0.1:1']}}\nadmin: {{listen: off}}\n{section}");
    let config = home.config_with(&city(&vendor, "/own/all.mmdb", ""), &more);
    let config_text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, config_text.replace("[logs]", "['^logs\\.[a-z]+$']")).unwrap();
    for name in ["acme", "blue"] {
        let text = format!("databases:\n{}\n", city(&vendor, &format!("/own/{name}.mmdb"), ""));
        std::fs::write(dir.join(format!("{name}.yaml")), text).unwrap();
    }
    let checked = ipstamp(&["check", "--offline"], &config);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    assert!(checked.out.contains("it will be fetched at the start of run"), "{}", checked.out);

    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 0, "{out}");
    for name in ["city", "acme/city", "blue/city"] {
        assert!(out.contains(&format!("fetched  {name}: ")), "{out}");
    }
    let country = |more: &[&str]| {
        let ended = ipstamp(&[&["lookup", "81.2.3.4"], more].concat(), &config);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ["LV", "SE", "NO"]
            .into_iter()
            .find(|code| ended.out.contains(&format!("country_iso_code: {code}")))
            .map(str::to_owned)
    };
    assert_eq!(country(&[]).as_deref(), Some("LV"));
    assert_eq!(country(&["--tenant", "acme"]).as_deref(), Some("SE"));
    assert_eq!(country(&["--tenant", "blue"]).as_deref(), Some("NO"));
    assert_eq!(
        fetch(&config, &["blue/city"]).1,
        "current  blue/city: the source has nothing newer\n"
    );

    // A mirror has them under these names, and whoever takes his own says so.
    let folder = home.path().join("mirror");
    let (code, out) = fetch(&config, &["--to", folder.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
    let closed = Home::new();
    let entry = format!("{{source: mirror, name: city, url: '{}'", folder.display());
    for (more, country) in [("", "LV"), (", file: acme/city", "SE"), (", file: blue/city", "NO")] {
        let config = closed.config(&format!("  - {entry}{more}, max_change: 100 %}}"));
        let (code, out) = fetch(&config, &[]);
        assert!(code == 0 && out.starts_with("fetched"), "{out}");
        assert_eq!(std::fs::read(closed.fetched("city")).unwrap(), world(100, country));
    }

    // One whose file cannot be used stays there, one who is gone does not.
    let names = || {
        let list = std::fs::read(folder.join("manifest.json")).unwrap();
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        list["databases"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let [acme, blue] = ["acme", "blue"].map(|name| dir.join(format!("{name}.yaml")));
    let texts = [&acme, &blue].map(|path| std::fs::read_to_string(path).unwrap());
    std::fs::write(&acme, "databases: [{").unwrap();
    std::fs::remove_file(&blue).unwrap();
    assert_eq!(fetch(&config, &["--to", folder.to_str().unwrap(), "city"]).0, 0);
    assert_eq!(names(), ["acme/city", "blue/city", "city"], "only one was meant");
    let ended = ipstamp(&["db", "fetch", "--to", folder.to_str().unwrap()], &config);
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(ended.err.contains("nothing is fetched for acme: "), "{}", ended.err);
    assert!(ended.out.starts_with("current  city: "), "{}", ended.out);
    assert_eq!(names(), ["acme/city", "city"]);
    let away = dir.with_file_name("away");
    std::fs::rename(&dir, &away).unwrap();
    assert_eq!(ipstamp(&["db", "fetch", "--to", folder.to_str().unwrap()], &config).code, 69);
    std::fs::rename(&away, &dir).unwrap();
    assert_eq!(names(), ["acme/city", "city"]);
    std::fs::write(acme, &texts[0]).unwrap();
    std::fs::write(blue, &texts[1]).unwrap();

    assert_eq!(fetch(&config, &["--force", "acme/city"]).0, 0);
    let kept = ipstamp(&["db", "ls"], &config);
    assert!(kept.out.starts_with("acme/city "), "{}", kept.out);
    let (code, out) = fetch(&config, &["acme/asn"]);
    assert!(code == 64 && out.contains("there is city, acme/city, blue/city"), "{out}");
}

/// Scenario: a tenant's database was never there, is fetched while the process runs, and is followed.
/// Guarantees: he is served when it has come, what comes later is put in force for him, and metrics name
/// him.
#[test]
fn a_run_fetches_for_its_tenants_and_follows_what_came() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let (_, dir) = tenants(&home);
    vendor.offer_untagged("/own/all.mmdb", &world(100, "LV"));
    let worker = start(&home, &city(&vendor, "/own/all.mmdb", ""));
    logs(&worker, "opened a database");
    let text = format!("databases:\n{}\n", city(&vendor, "/own/acme.mmdb", ", max_change: 100 %"));
    std::fs::write(dir.join("acme.yaml"), text).unwrap();
    logs(&worker, "the source has no such file (HTTP 404)");
    vendor.offer_untagged("/own/acme.mmdb", &world(100, "SE"));
    make_due(&home);
    logs(&worker, "the tenant is served");
    let fetched = home.store().join("tenants/acme/fetched/city.mmdb");
    assert_eq!(std::fs::read(fetched).unwrap(), world(100, "SE"));
    let fetches = || worker.metric("ipstamp_database_fetches_total", "tenant=\"acme\"");
    assert!(fetches().is_some());

    vendor.offer_untagged("/own/acme.mmdb", &world(101, "NO"));
    make_due(&home);
    logs(&worker, "put a database in force");
    let swaps = worker.metric("ipstamp_database_swaps_total", "tenant=\"acme\"");
    assert_eq!(swaps, Some(1.0));
    let (_, notes) = worker.get("/readyz?verbose").unwrap();
    assert!(notes.contains("source of database acme/city"), "{notes}");

    std::fs::remove_file(dir.join("acme.yaml")).unwrap();
    logs(&worker, "he is served no more");
    let gone = || {
        let (_, notes) = worker.get("/readyz?verbose")?;
        (!notes.contains("source of database acme/city")).then_some(())
    };
    wait_for("nothing is said of him", seconds(20), || worker.log(), gone);
}

#[test]
fn a_tenants_new_token_is_tried_at_once() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let (_, dir) = tenants(&home);
    vendor.offer("/own/all.mmdb", &world(100, "LV"));
    vendor.offer("/data/city.mmdb", &world(100, "SE"));
    let with = |token: &str| {
        let text = format!("databases:\n{}\n", super::ipinfo(&vendor, "").replace(TOKEN, token));
        std::fs::write(dir.join("acme.yaml"), text).unwrap();
    };
    with("wrong");
    let worker = start(&home, &city(&vendor, "/own/all.mmdb", ""));
    logs(&worker, "the source refuses it (HTTP 403)");
    logs(&worker, "the file cannot be used");
    with(TOKEN);
    logs(&worker, "the tenant is served");
    assert!(!worker.whole_log().contains(TOKEN));
}

/// The next look at the tenant's source is due at once.
fn make_due(home: &Home) {
    let path = home.store().join("tenants/acme/fetched/city.json");
    let state = std::fs::read(&path).unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    state["next_at"] = 0.into();
    state["failures"] = 0.into();
    let new = home.store().join("state");
    std::fs::write(&new, state.to_string()).unwrap();
    std::fs::rename(new, path).unwrap();
}
