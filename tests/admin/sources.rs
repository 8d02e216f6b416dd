//! What the page shows of providers, budgets and databases, in a real browser and of real ones.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use super::browser::Browser;
use super::support::broker;
use super::support::client::Client;
use super::support::feeder::Feeder;
use super::support::leash::{Folder, Leashed};
use super::support::patience::{seconds, until};
use super::support::small_databases::Databases;
use super::{settings, started};

/// Longer than any period of a budget.
const LEDGER: &[(&str, &str)] = &[("cleanup.policy", "delete"), ("retention.ms", "7776000000")];

/// The stand-ins of the providers, in a process of their own.
fn stand_ins() -> (Leashed, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (stand_ins_at(port), port)
}

fn stand_ins_at(port: u16) -> Leashed {
    let process = Leashed::start(env!("CARGO_BIN_EXE_ipstamp"), |command| {
        command.args(["demo", "--stand-ins"]).arg(format!("127.0.0.1:{port}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
    });
    until("the stand-ins listen", seconds(20), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    process
}

/// Scenario: a worker asks a provider with a budget, and somebody puts a file in the place of a database that
/// is none.
/// Guarantees: the page shows the provider with its breaker, its hits among the sources, the budget with what is
/// spent of it, and of the database what was refused and why, while the old one is in force; no address.
#[test]
fn the_page_shows_providers_budgets_and_the_last_refused_file_as_they_are() {
    let Some(brokers) = broker::shared() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let (_stand_ins, provider) = stand_ins();
    Client::new(brokers).create_topic("page-sources-ledger", 1, LEDGER);
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "page-");
    let databases = Databases::write(home.path());
    let mut settings = settings(brokers, "page-sources");
    settings.databases = Some(databases.clone());
    settings.want = "geo, as, threat";
    settings.more = format!(
        "providers: {{ipgeolocation: {{token: t, plan: paid, base_url: 'http://127.0.0.1:{provider}', \
         budget: {{day: 1000000}}}}}}\nledger: {{topic: page-sources-ledger}}\ndatabase_watch: 200ms\n"
    );
    let worker = started(&settings);
    let feeder = Feeder::start(brokers, "page-sources-in", 3, 1_000_000, 200);
    browser.look(1280, 900, "light");
    browser.open(&format!("http://127.0.0.1:{}/", worker.admin));
    let text = |id: &str| format!("document.getElementById('{id}').innerText");
    browser.until(&format!(r"/ipgeolocation\s+closed\s/.test({})", text("providers")));
    browser.until(&format!(
        r"/provider ipgeolocation\s[^\n]*\s[1-9][0-9.]* %/.test({})",
        text("sources")
    ));
    browser.until(&format!(
        r"/ipgeolocation\s+day\s+[1-9][^\n]* of [^\n]*\slasts/.test({})",
        text("budgets")
    ));
    browser.until(&format!(r"/city\s[^\n]*none/.test({})", text("databases")));

    let none = home.path().join("none");
    std::fs::write(&none, "this is no database").unwrap();
    std::fs::rename(&none, &databases.city).unwrap();
    browser.until(&format!(r"/city\s[^\n]*not_mmdb × 1/.test({})", text("databases")));
    // In words, too, and with what is to be done.
    browser.until("/city[^]*keeps|city[^]*in force/i.test(document.body.innerText)");
    browser.picture("sources.png");
    let shown = browser.value("document.getElementById('try').remove(), document.body.innerText");
    let shown = shown.as_str().unwrap();
    for known in super::support::small_databases::KNOWN {
        let [first, second, ..] = known.0.octets();
        assert!(!shown.contains(&format!("{first}.{second}.")), "{shown}");
    }
    drop(feeder);
    worker.stop();
}

/// Scenario: a provider is gone while records flow, and comes again.
/// Guarantees: the process is ready all along; as long as the provider is left alone the page says so in a
/// sentence at its top, and then no longer.
#[test]
fn while_a_provider_fails_the_page_says_so_in_a_sentence() {
    let Some(brokers) = broker::shared() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let (provider, port) = stand_ins();
    let mut settings = settings(brokers, "page-provider");
    settings.want = "geo, as, threat";
    settings.more = format!(
        "providers: {{ipgeolocation: {{token: t, plan: paid, base_url: 'http://127.0.0.1:{port}', \
         budget: none}}}}\n"
    );
    let worker = started(&settings);
    let feeder = Feeder::start(brokers, "page-provider-in", 3, 1_000_000, 200);
    browser.look(360, 740, "dark");
    browser.open(&format!("http://127.0.0.1:{}/", worker.admin));
    browser
        .until(r"/ipgeolocation\s+closed\s/.test(document.getElementById('providers').innerText)");
    assert_eq!(browser.value("document.getElementById('checks-section').hidden"), true);

    drop(provider);
    let says = "document.getElementById('checks').innerText.startsWith('provider ipgeolocation ')";
    browser.until(says);
    browser.picture("provider.png");
    assert_eq!(browser.value("document.getElementById('state').textContent"), "ready");

    let _again = stand_ins_at(port);
    browser.until("document.getElementById('checks-section').hidden");
    drop(feeder);
    worker.stop();
}
