//! A run of the program with tenants: their files, what they are asked, and what comes out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipstamp::record::{Enrichment, Geo};

use crate::double::{Double, Says, Told};
use crate::mock::Mock;
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::leash::Folder;
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Settings, Worker};

/// What must not be found anywhere: each tenant's token begins so.
pub(crate) const CANARY: &str = "canary7f3e9a1b";

/// The `number`th of the addresses that only a provider knows.
pub(crate) fn address(number: u8) -> IpAddr {
    [8, 8, 4, number].into()
}

/// What a provider of this name says of an address.
#[expect(clippy::unnecessary_wraps, reason = "it is what a provider says")]
pub(crate) fn told(name: &str, address: IpAddr) -> Told {
    let geo = Geo { city_name: Some(format!("{name} on {address}")), ..Geo::default() };
    Ok(Some(Enrichment { geo: Some(geo), ..Enrichment::default() }))
}

/// A provider that says of each address who it is.
pub(crate) fn double(name: &'static str) -> Arc<Double> {
    Double::new(move |address| Says::Now(told(name, address)))
}

/// A run of the program with tenants, on brokers inside this process.
pub(crate) struct Stage {
    pub(crate) mock: Option<Mock>,
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) home: Folder,
}

impl Stage {
    /// Records of these topics go to `out`. `tenants` is what stands in that section beside `dir`.
    pub(crate) fn new(topics: &[&str], tenants: &str) -> Self {
        let mock = Mock::start();
        mock.create(topics, 1);
        mock.create(&["out", "dlq"], 1);
        let brokers = mock.brokers();
        Self { mock: Some(mock), ..Self::at(&brokers, topics, tenants) }
    }

    /// The same on these brokers, whose topics are there.
    pub(crate) fn at(brokers: &str, topics: &[&str], tenants: &str) -> Self {
        let client = Client::new(brokers);
        let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "tenants-");
        std::fs::create_dir(home.path().join("tenants")).unwrap();
        let mut settings = Settings::new(brokers, topics[0], "out");
        settings.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        settings.want = "geo.city_name";
        settings.dead_letter = Some("dlq".into());
        let dir = home.path().join("tenants");
        settings.more = format!("tenants: {{{tenants}, dir: '{}'}}\ndeadline: 5s\n", dir.display());
        Self { mock: None, client, settings, home }
    }

    /// With a further section in the main configuration.
    pub(crate) fn also(&mut self, section: &str) {
        self.settings.more.push_str(section);
    }

    /// Writes a tenant's file, in one step as editors and Kubernetes do.
    pub(crate) fn tenant(&self, name: &str, yaml: &str) {
        let new = self.home.path().join("new");
        std::fs::write(&new, yaml).unwrap();
        std::fs::rename(new, self.home.path().join(format!("tenants/{name}.yaml"))).unwrap();
    }

    /// A tenant whose provider is this one, with a token of his own in a file. `more`: further lines.
    pub(crate) fn licensed(&self, name: &str, double: &Double, more: &str) {
        self.budgeted(name, double, "none", more);
    }

    /// The same with a budget.
    pub(crate) fn budgeted(&self, name: &str, double: &Double, budget: &str, more: &str) {
        let file = self.home.path().join(format!("{name}.token"));
        std::fs::write(&file, format!("{CANARY}-{name}\n")).unwrap();
        let intel = format!(
            "url: '{}/bulk', token: '${{file:{}}}', batch: {{most: 100, shape: keyed}}, fields: \
             {{geo.city_name: /city}}, budget: {budget}",
            double.base_url(),
            file.display()
        );
        self.tenant(name, &format!("providers: {{generic: {{intel: {{{intel}}}}}}}\n{more}"));
    }

    pub(crate) fn write(&self, topic: &str, numbers: impl IntoIterator<Item = u8>) {
        self.write_named(topic, numbers, None);
    }

    /// The same with a header that names a tenant.
    pub(crate) fn write_named(
        &self,
        topic: &str,
        numbers: impl IntoIterator<Item = u8>,
        tenant: Option<&str>,
    ) {
        let headers = tenant.map(|name| (b"x-tenant".to_vec(), Some(name.as_bytes().to_vec())));
        let headers: Vec<_> = headers.into_iter().collect();
        let event = |number| Outgoing {
            value: Some(format!(r#"{{"source":{{"ip":"{}"}}}}"#, address(number)).into()),
            headers: headers.clone(),
            ..Outgoing::default()
        };
        self.client.write(topic, numbers.into_iter().map(event));
    }

    /// Waits until all that was written is committed.
    pub(crate) fn settle(&self, worker: &Worker) {
        for topic in &self.settings.topics {
            let group = &self.settings.group;
            self.client.until_committed(group, topic, seconds(60), || worker.whole_log());
        }
    }

    /// What came out of a topic: the city of each record, where there is one, in their order.
    pub(crate) fn cities(&self, topic: &str) -> Vec<Option<String>> {
        let mut records: Vec<_> = self.client.read("out").into_iter().collect();
        records.retain(|record| source_of(record).0 == topic);
        records.sort_by_key(|record| source_of(record).1);
        records.iter().map(city).collect()
    }
}

/// The topic from which a record was read, and its offset there.
pub(crate) fn source_of(record: &Stored) -> (String, i64) {
    let source = record.header("ipstamp-src").unwrap();
    let mut parts = source.rsplitn(3, '-');
    let offset = parts.next().unwrap().parse().unwrap();
    (parts.nth(1).unwrap().to_owned(), offset)
}

pub(crate) fn city(record: &Stored) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
    event["source"]["geo"]["city_name"].as_str().map(str::to_owned)
}

pub(crate) fn cities_of(name: &str, numbers: impl IntoIterator<Item = u8>) -> Vec<Option<String>> {
    numbers.into_iter().map(|number| Some(format!("{name} on {}", address(number)))).collect()
}

pub(crate) fn asked_once(double: &Double, numbers: impl IntoIterator<Item = u8>) {
    let expected: BTreeMap<IpAddr, u32> =
        numbers.into_iter().map(|number| (address(number), 1)).collect();
    assert_eq!(double.asked(), expected);
}

/// How often a line of the log has these words and is about this one.
pub(crate) fn said(worker: &Worker, words: &str, about: &str) -> usize {
    let about = format!("\"{about}\"");
    let log = worker.whole_log();
    log.lines().filter(|line| line.contains(words) && line.contains(&about)).count()
}

pub(crate) fn until_said(worker: &Worker, words: &str, about: &str) {
    let explain = || worker.whole_log();
    wait_for(words, seconds(30), explain, || (said(worker, words, about) > 0).then_some(()));
}

pub(crate) const BY_TOPIC: &str = r"by: {topic: '^logs\.([a-z]+)$'}";
pub(crate) const BY_HEADER: &str = "by: {header: x-tenant}";
