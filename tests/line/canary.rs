//! A token is found nowhere: the program runs with each provider through answers, late answers, dead
//! letters, a budget, shared answers, and refusals that repeat the token; then everything is searched
//! that has come out of it, however it may be written there.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};

use crate::stage::{ALL, CANARY, address, assert_silent, event, section, spellings};
use crate::standin::{Manner, Provider, StandIn};
use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::leash::Folder;
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker, command};

/// A refusal that repeats the token wherever a reply has room for it.
fn repeating(status: u16) -> Manner {
    let escaped = spellings(CANARY)[1].clone();
    let body = serde_json::json!({
        "error": {"title": format!("Unknown token {CANARY}"), "message": CANARY},
        "message": format!("apiKey={escaped} ({CANARY}) is refused"), "token": CANARY,
        "code": CANARY, "basic": BASE64_STANDARD.encode(format!("user:{CANARY}")),
    });
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("www-authenticate", format!("Bearer realm=\"{CANARY}\"")),
        ("location", format!("http://127.0.0.1:9/?apiKey={escaped}")),
        ("x-request-id", CANARY.to_owned()),
    ];
    Manner::Plain(status, body.to_string(), headers)
}

/// A run of the program that writes wherever it can.
struct Run {
    client: Client,
    settings: Settings,
    topics: Vec<String>,
    _home: Folder,
}

impl Run {
    fn new(brokers: &str, name: &str, section: &str) -> Self {
        let client = Client::new(brokers);
        let topic = |kind: &str| format!("canary-{name}-{kind}");
        let day = 86_400_000_u64;
        let kept = (70 * day).to_string();
        let (input, output) = (topic("in"), topic("out"));
        let [late, dead, answers, ledger] = ["late", "dead", "answers", "ledger"].map(topic);
        for one in [&input, &output, &late, &dead] {
            client.create_topic(one, 1, &[]);
        }
        client.create_topic(&answers, 1, &[("cleanup.policy", "compact")]);
        client.create_topic(&ledger, 1, &[("retention.ms", &kept)]);
        let home = Folder::new(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")), "canary-");
        std::fs::write(home.path().join("token"), CANARY).unwrap();
        let file = format!("${{file:{}}}", home.path().join("token").display());
        let mut settings = Settings::new(brokers, &input, &output);
        settings.want = "geo.city_name";
        settings.late_topic = Some(late.clone());
        settings.dead_letter = Some(dead.clone());
        settings.on_unparsable = "dead_letter";
        settings.more = format!(
            "providers: {{{}}}\ncache: {{topic: {answers}}}\nledger: {{topic: {ledger}}}\n\
             deadline: 300ms\n",
            section.replace("${token}", &file)
        );
        // All that any library writes.
        settings.environment.push(("RUST_LOG", "trace".to_owned()));
        Self { client, settings, topics: vec![output, late, dead, answers, ledger], _home: home }
    }

    /// One record about an address, and all that it brings about.
    fn goes_through(&self, worker: &Worker, number: u8) {
        let input = &self.settings.topics[0];
        self.client.write(input, [event(&address(number).to_string())]);
        self.client.until_committed(&self.settings.group, input, seconds(60), || worker.log());
    }

    fn until_written(&self, worker: &Worker, topic: &str) {
        wait_for(
            &format!("something in {topic}"),
            seconds(60),
            || worker.log(),
            || (self.client.count(topic) > 0).then_some(()),
        );
    }
}

/// Scenario: each provider answers late, in time, and with errors and refusals that repeat the token;
/// one record is a dead letter. What every library logs is logged.
/// Guarantees: P13: row 37: the token is in no log, metric, page, topic (late answers, dead letters, shared
/// answers and the ledger included), command's output or error.
#[test]
fn a_token_is_found_nowhere() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    for (name, provider, more) in ALL {
        let server = StandIn::start(provider, Some(CANARY), Duration::ZERO);
        let budget = more.replace("budget: none", "budget: {day: 100000}");
        let run = Run::new(brokers, name, &section(name, &server, &budget));
        let input = &run.settings.topics[0];
        server.stand_still();
        let worker = Worker::start(&run.settings);
        let unparsable = Outgoing { value: Some(b"no event {".to_vec()), ..Outgoing::default() };
        run.client.write(input, [unparsable]);
        run.goes_through(&worker, 0);
        server.go_on();
        for topic in &run.topics {
            run.until_written(&worker, topic);
        }

        let pages = ["/", "/status", "/livez", "/readyz?verbose", "/version", "/metrics"];
        let look = || pages.map(|page| worker.get(page).map(|(_, body)| body).unwrap_or_default());
        let mut seen = look().to_vec();
        for (number, status) in [500, 200, 302, 400, 404, 429, 401].into_iter().enumerate() {
            let number = number as u8 * 2 + 1;
            server.always(repeating(status));
            run.goes_through(&worker, number);
            seen.extend(look());
            server.always(Manner::Honest);
            run.goes_through(&worker, number + 1);
        }
        seen.extend(look());

        server.always(repeating(if provider == Provider::Ipinfo { 403 } else { 401 }));
        let asked = address(99).to_string();
        for arguments in [
            &["config", "show"][..],
            &["config", "show", "--format", "json"],
            &["check"],
            &["quota"],
            &["explain", &asked],
            &["explain", "--ask", &asked],
            &["lookup", &asked],
            &["estimate", "--from", &format!("topic:{input}")],
        ] {
            let ended = command(&run.settings, arguments);
            assert_silent(&format!("{name}: the output of {arguments:?}"), &ended.out);
            assert_silent(&format!("{name}: the errors of {arguments:?}"), &ended.err);
        }
        worker.signal("TERM");
        let mut worker = worker;
        assert_eq!(worker.ends_within(seconds(30)), Some(0), "{}", worker.log());

        let log = worker.whole_log();
        assert!(log.contains("\"TRACE\""), "nothing was traced: {log}");
        assert_silent(&format!("{name}: the log"), &log);
        for page in seen {
            assert_silent(&format!("{name}: a page"), &page);
        }
        for topic in &run.topics {
            for record in run.client.read(topic) {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                assert_silent(topic, &record.text());
                assert_silent(topic, &text(record.key.as_deref().unwrap_or_default()));
                for (header, value) in &record.headers {
                    assert_silent(topic, &text(header));
                    assert_silent(topic, &text(value.as_deref().unwrap_or_default()));
                }
            }
        }
        let shown: Vec<_> =
            server.seen().into_iter().filter(|seen| !seen.addresses.is_empty()).collect();
        assert!(shown.len() >= 8, "{name} was hardly asked: {} times", shown.len());
    }
}

/// Scenario: configurations in which the token stands itself, sound ones and wrong ones.
/// Guarantees: P13: neither what is shown of them nor what is said against them repeats it.
#[test]
fn no_word_about_a_configuration_repeats_its_token() {
    let token = format!("'{CANARY}'");
    let escaped = spellings(CANARY)[1].clone();
    for (providers, is_sound) in [
        (format!("ipinfo: {{token: {token}, plan: core, budget: none}}"), true),
        (format!("ipgeolocation: {{token: {token}, plan: paid, budget: {{day: 5}}}}"), true),
        (format!("ipbot: {{token: {token}}}"), true),
        (
            format!(
                "generic: {{own: {{url: 'https://a.example/{{ip}}', token: {token}, token_in: {{query: key}}, fields: {{geo.city_name: /city}}}}}}"
            ),
            true,
        ),
        (
            format!(
                "generic: {{own: {{url: 'https://a.example/{{ip}}?key={escaped}', fields: {{geo.city_name: /city}}}}}}"
            ),
            true,
        ),
        (
            format!(
                "generic: {{own: {{url: 'https://user:{escaped}@a.example/{{ip}}', fields: {{geo.city_name: /city}}}}}}"
            ),
            false,
        ),
        (format!("ipinfo: {{token: [{token}], plan: core}}"), false),
        (format!("ipinfo: {{token: {{value: {token}}}, plan: core}}"), false),
        (format!("ipinfo: {{token: {token}, plan: nowhere}}"), false),
        (format!("ipinfo: {{token: {token}, plan: core}}"), false),
        (
            format!(
                "ipinfo: {{token: {token}, plan: core, budget: none, base_url: 'https://user:{escaped}@a.example'}}"
            ),
            false,
        ),
        (
            format!(
                "ipinfo: {{token: {token}, plan: core, budget: none, base_url: 'https://a.example/?token={escaped}'}}"
            ),
            false,
        ),
        (format!("ipgeolocation: {{token: {token}, origin: 'https://a.example'}}"), false),
        (format!("ipinfo: {{token: \"{CANARY}\\ntwo lines\", plan: core, budget: none}}"), false),
    ] {
        let mut settings = Settings::new("127.0.0.1:9", "in", "out");
        settings.more = format!("providers: {{{providers}}}\n");
        let ended = command(&settings, &["config", "show"]);
        assert_eq!(ended.code == Some(0), is_sound, "{}", ended.err);
        assert_silent("what is shown", &ended.out);
        assert_silent("what is said", &ended.err);
        if is_sound {
            assert!(ended.out.contains("***"), "{}", ended.out);
        }
    }
}

/// The search itself: whatever a token is written as, and whatever stands around it, it is found.
#[test]
fn the_search_finds_a_token_however_it_is_written() {
    let found = |text: &str| spellings(CANARY).iter().any(|spelling| text.contains(spelling));
    let escaped = spellings(CANARY)[1].clone();
    assert!(escaped.contains("%2B") && escaped.contains("%26"), "{escaped}");
    for text in [
        format!("Bearer {CANARY}"),
        format!("https://a.example/?apiKey={escaped}&x=1"),
        format!("https://a.example/?apiKey={}", escaped.to_lowercase()),
        format!("{:?}", CANARY.to_owned()),
        serde_json::json!({ "token": CANARY }).to_string(),
        BASE64_STANDARD.encode(CANARY),
        BASE64_URL_SAFE.encode(CANARY),
        BASE64_STANDARD_NO_PAD.encode(CANARY),
    ] {
        assert!(found(&text), "{text}");
    }
    for user in ["", "u", "us", "user", "somebody else"] {
        for after in ["", ":", "\nmore"] {
            let pair = format!("{user}:{CANARY}{after}");
            assert!(found(&BASE64_STANDARD.encode(&pair)), "{pair}");
            assert!(found(&BASE64_URL_SAFE.encode(&pair)), "{pair}");
        }
    }
    assert!(!found("canary"));
}
