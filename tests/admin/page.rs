//! The page in a real browser: what it shows, for the eyes and for a reader of the screen, and that it
//! asks for nothing from anywhere else.

use serde_json::{Value, json};

use super::browser::Browser;
use super::support::broker;
use super::support::feeder::Feeder;
use super::{settings, started};

const EVENT: &str = r#"{"source":{"ip":"89.160.20.112"},"seen":"nothing else"}"#;

/// Goes from one to the next with the keyboard until this one has the focus.
fn tab_to(browser: &mut Browser, id: &str) {
    for _ in 0..40 {
        browser.press("Tab");
        if browser.value("document.activeElement.id") == id {
            return;
        }
    }
    panic!("the keyboard does not reach {id}");
}

/// Scenario: a worker stamps a steady stream; the page is open in Chromium, in both themes and on a
/// phone, and is used with the keyboard alone.
/// Guarantees: rates, lag, sources, databases and readiness are shown and go on; an event can be
/// tried; no address of the stream is shown; nothing is asked of anyone but the port; the page's
/// own policy forbids nothing that it does.
#[test]
fn the_page_shows_how_it_goes_and_tries_an_event_by_keyboard_alone() {
    let Some(brokers) = broker::shared() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let worker = started(&settings(brokers, "admin-page"));
    let feeder = Feeder::start(brokers, "admin-page-in", 3, 1_000_000, 200);
    browser.look(1280, 900, "light");
    let home = format!("http://127.0.0.1:{}/", worker.admin);
    browser.open(&home);

    browser.until("document.getElementById('state').textContent === 'ready'");
    let station = |nth: usize| {
        format!("document.querySelector('#stations li:nth-child({nth}) .rate').textContent")
    };
    browser.until(&format!("parseFloat({}) > 50", station(1)));
    browser.until(&format!("parseFloat({}) > 50", station(4)));
    browser.until("document.querySelectorAll('#lag tbody tr').length === 3");
    browser.until("/database city.*%/.test(document.getElementById('sources').innerText)");
    browser.until("/asn\\s/.test(document.getElementById('databases').innerText)");
    let heads = browser.value("[...document.querySelectorAll('h2')].filter((it) => it.offsetParent).map((it) => it.textContent).join()");
    let heads = heads.as_str().unwrap().to_owned();
    for part in ["way of a record", "Partitions", "Sources", "Providers", "Databases", "Try"] {
        assert!(heads.contains(part), "{heads}");
    }

    // By keyboard, from the beginning of the page.
    browser.value("document.body.focus()");
    tab_to(&mut browser, "pause");
    tab_to(&mut browser, "event");
    browser.type_in(EVENT);
    tab_to(&mut browser, "profile");
    browser.press("n");
    browser.until("document.getElementById('profile').value === 'native'");
    browser.press("Tab");
    browser.press("Enter");
    browser.until("document.getElementById('tried').innerText.includes('Uppsala')");
    let tried = browser.value("document.getElementById('tried').innerText");
    let tried = tried.as_str().unwrap().to_owned();
    for words in [
        "89.160.20.112  global  source  at source.ip",
        "city",
        "answers geo",
        "Output: enriched",
        r#""ipstamp":{"#,
    ] {
        assert!(tried.contains(words), "{words}: {tried}");
    }

    for (width, height, theme, name) in [
        (1280, 900, "light", "light.png"),
        (1280, 900, "dark", "dark.png"),
        (360, 740, "light", "phone-light.png"),
        (360, 740, "dark", "phone-dark.png"),
    ] {
        browser.look(width, height, theme);
        browser.until(&format!(
            "innerWidth === {width} && matchMedia('(prefers-color-scheme: {theme})').matches"
        ));
        let wide = browser.value("document.documentElement.scrollWidth - innerWidth");
        assert!(wide.as_i64().unwrap() <= 0, "{name}: {wide} pixels too wide");
        browser.picture(name);
    }

    // What a reader of the screen is told: whatever can have the focus has a name.
    let tree = browser.ask("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let is_focusable = |node: &&Value| {
        let mut properties = node["properties"].as_array().into_iter().flatten();
        node["ignored"] == false
            && properties.any(|it| it["name"] == "focusable" && it["value"]["value"] == true)
    };
    let focusable: Vec<_> = nodes.iter().filter(is_focusable).collect();
    assert!(focusable.len() > 8, "{focusable:?}");
    for node in focusable {
        assert!(!node["name"]["value"].as_str().unwrap_or_default().is_empty(), "no name: {node}");
    }

    // The box has the event that was tried; the rest has no address of the stream.
    let shown = browser.value("document.getElementById('try').remove(), document.getElementById('tried').remove(), document.body.innerText");
    let shown = shown.as_str().unwrap();
    for known in super::support::small_databases::KNOWN {
        let [first, second, ..] = known.0.octets();
        assert!(!shown.contains(&format!("{first}.{second}.")), "{shown}");
    }
    let asked = browser.told("Network.requestWillBeSent");
    assert!(asked.len() >= 3, "{asked:?}");
    for request in asked {
        let address = request["request"]["url"].as_str().unwrap();
        assert!(address.starts_with(&home) || address == "data:,", "{address}");
    }
    for wrong in ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"] {
        assert!(browser.told(wrong).is_empty(), "{wrong}: {:?}", browser.told(wrong));
    }
    drop(feeder);

    // The port goes away under it, and it says so.
    worker.stop();
    browser.until("document.getElementById('state').textContent === 'no connection'");
}

/// The same page with a token: it asks for it, says what a wrong one is, and takes the right one.
#[test]
fn where_a_token_is_set_the_page_tries_an_event_only_with_it() {
    let Some(brokers) = broker::shared() else { return };
    let Some(mut browser) = Browser::start() else { return };
    let mut settings = settings(brokers, "admin-page-token");
    settings.admin_token = Some("a-token-that-is-long-enough");
    let worker = started(&settings);
    browser.open(&format!("http://127.0.0.1:{}/", worker.admin));
    browser.until("!document.getElementById('token-row').hidden");
    for (token, words) in [
        ("", "Authorization: Bearer"),
        ("something-else-than-that", "not what admin.token is"),
        ("a-token-that-is-long-enough", "Uppsala"),
    ] {
        let event = Value::from(EVENT);
        browser.value(&format!(
            "document.getElementById('event').value = {event}, \
             document.getElementById('token').value = '{token}', \
             document.querySelector('#try button').click()"
        ));
        browser.until(&format!("document.getElementById('tried').innerText.includes('{words}')"));
    }
    worker.stop();
}
