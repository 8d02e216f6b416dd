//! A run of the program with providers on brokers inside this process, and where a token must not be.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use crate::mock::Mock;
use crate::standin::{Provider, StandIn};
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::leash::Folder;
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Settings, Worker};

/// Of a shape that is written in another way in a URL and in base64.
pub(crate) const CANARY: &str = "canary+/=&7f3e9a1b";

/// The `number`th of the addresses that only a provider knows.
pub(crate) fn address(number: u8) -> IpAddr {
    [8, 8, 4, number].into()
}

pub(crate) fn event(address: &str) -> Outgoing {
    let value = format!(r#"{{"source":{{"ip":"{address}"}}}}"#);
    Outgoing { value: Some(value.into()), ..Outgoing::default() }
}

/// A run of the program with one provider, on brokers inside this process.
pub(crate) struct Stage {
    pub(crate) mock: Mock,
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) home: Folder,
}

impl Stage {
    /// `providers` is what stands in that section; `${token}` in it is the file of the token.
    pub(crate) fn new(providers: &str) -> Self {
        let mock = Mock::start();
        mock.create(&["in", "out"], 1);
        let client = mock.client();
        let home = Folder::new(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")), "providers-");
        let file = format!("${{file:{}}}", home.path().join("token").display());
        let mut settings = Settings::new(&mock.brokers(), "in", "out");
        settings.want = "geo.city_name";
        settings.more =
            format!("providers: {{{}}}\ndeadline: 5s\n", providers.replace("${token}", &file));
        let stage = Self { mock, client, settings, home };
        stage.write_token(CANARY);
        stage
    }

    pub(crate) fn write_token(&self, token: &str) {
        std::fs::write(self.home.path().join("token"), token).unwrap();
    }

    pub(crate) fn write(&self, addresses: impl IntoIterator<Item = String>) {
        self.client.write("in", addresses.into_iter().map(|address| event(&address)));
    }

    /// Waits until all that was written is committed.
    pub(crate) fn settle(&self, worker: &Worker) {
        let group = self.settings.group.clone();
        self.client.until_committed(&group, "in", seconds(60), || worker.log());
    }

    /// How the records that came out ended: by the reason where there is one, else by the outcome.
    pub(crate) fn ends(&self) -> Vec<String> {
        let of = |record: &Stored| {
            let event: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
            let stamp = &event["ipstamp"];
            stamp["reason"].as_str().or(stamp["outcome"].as_str()).unwrap().to_owned()
        };
        self.client.read("out").iter().map(of).collect()
    }

    /// What came out, address by address: the city, where there is one.
    pub(crate) fn out(&self) -> Vec<(String, Option<String>)> {
        let records = self.client.read("out");
        let of = |record: &Stored| {
            let event: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
            let city = event["source"]["geo"]["city_name"].as_str().map(str::to_owned);
            (event["source"]["ip"].as_str().unwrap().to_owned(), city)
        };
        records.iter().map(of).collect()
    }
}

/// A service of one's own that is asked in bulk, as the inside of `providers`.
pub(crate) fn own_service(url: &str) -> String {
    format!(
        "generic: {{intel: {{url: '{url}/bulk', token: '${{token}}', \
         batch: {{most: 100, shape: keyed}}, fields: {{geo.city_name: /city}}}}}}"
    )
}

/// How a token can be found in a text, however it got there.
pub(crate) fn spellings(token: &str) -> Vec<String> {
    let mut url = reqwest::Url::parse("http://localhost").unwrap();
    url.query_pairs_mut().append_pair("t", token);
    let escaped = url.query().unwrap().trim_start_matches("t=").to_owned();
    // Whatever stands before it in what is encoded moves it by none, one or two bytes.
    let moved = (0..3).flat_map(|before| {
        let text = format!("{}{token}", "x".repeat(before));
        [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE.encode(&text)].map(|text| {
            let end = text.len() - 4;
            text[4..end].to_owned()
        })
    });
    let lower = escaped.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d");
    let slashed = token.replace('/', "\\/");
    let plain = [token.to_owned(), escaped, lower, slashed, "7f3e9a1b".to_owned()];
    plain.into_iter().chain(moved).collect()
}

pub(crate) fn assert_silent(what: &str, text: &str) {
    for spelling in spellings(CANARY) {
        assert!(!text.contains(&spelling), "the token is in {what} as {spelling}: {text}");
    }
}

pub(crate) fn stand_in(provider: Provider) -> StandIn {
    StandIn::start(provider, None, Duration::from_millis(5))
}

pub(crate) fn all_asked(server: &StandIn) -> Vec<IpAddr> {
    server.seen().iter().flat_map(|seen| seen.addresses.clone()).collect()
}

pub(crate) fn section(name: &str, server: &StandIn, more: &str) -> String {
    format!("{name}: {{token: '${{token}}', base_url: '{}'{more}}}", server.base_url())
}

/// How often a line of the log has these words.
pub(crate) fn said(worker: &Worker, words: &str) -> usize {
    worker.whole_log().lines().filter(|line| line.contains(words)).count()
}

pub(crate) fn until_said(worker: &Worker, words: &str) {
    wait_for(words, seconds(30), || worker.whole_log(), || (said(worker, words) > 0).then_some(()));
}

pub(crate) fn partial(worker: &Worker, reason: &str) -> u64 {
    let labels = format!("reason=\"{reason}\"");
    worker.metric("ipstamp_records_total", &labels).map_or(0, |count| count as u64)
}

pub(crate) const ALL: [(&str, Provider, &str); 3] = [
    ("ipinfo", Provider::Ipinfo, ", plan: core, budget: none"),
    ("ipgeolocation", Provider::Ipgeolocation, ", plan: paid, budget: none"),
    ("ipbot", Provider::Ipbot, ", plan: pro, budget: none"),
];
