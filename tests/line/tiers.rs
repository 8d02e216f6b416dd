//! What each tier leaves to the next, and so what is paid for: the program as it is run, with a file
//! that lists positives only, and with a provider that knows less than is wanted.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::mock::Mock;
use crate::standin::{Provider, StandIn};
use crate::support::client::{Client, Outgoing};
use crate::support::patience::seconds;
use crate::support::worker::{Settings, Worker};

/// The demo's file in the layout of `GeoIP2-Anonymous-IP`.
const ANONYMOUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/command/demo/privacy.mmdb");
/// What that file lists, as an exit of Tor.
const LISTED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(185, 220, 101, 34));

/// The `number`th of the addresses that no file has.
fn clean(number: u8) -> IpAddr {
    [8, 8, 4, number].into()
}

/// Runs the program over records about these addresses, and gives what came out.
fn stamped(
    mock: &Mock,
    client: &Client,
    settings: &Settings,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> Vec<Value> {
    mock.create(&["in", "out"], 1);
    let record = |address: IpAddr| {
        let value = format!(r#"{{"source":{{"ip":"{address}"}}}}"#);
        Outgoing { value: Some(value.into()), ..Outgoing::default() }
    };
    client.write("in", addresses.into_iter().map(record));
    let worker = Worker::start(settings);
    client.until_committed(&settings.group, "in", seconds(60), || worker.whole_log());
    worker.stop();
    client.read("out").iter().map(|stored| serde_json::from_str(&stored.text()).unwrap()).collect()
}

fn section(name: &str, server: &StandIn, plan: &str) -> String {
    let url = server.base_url();
    format!("{name}: {{token: t, plan: {plan}, base_url: '{url}', budget: none}}")
}

/// Scenario: an Anonymous-IP file, which lists only what hides somebody; a provider that could say
/// more; addresses that the file does not list, and one that it does.
/// Guarantees: P12: that a clean address is not listed is its answer: nobody is asked, nothing is paid.
#[test]
fn a_clean_address_under_an_anonymous_ip_file_costs_nothing() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let mock = Mock::start();
    let mut settings = Settings::new(&mock.brokers(), "in", "out");
    settings.further = vec![("anonymous", PathBuf::from(ANONYMOUS))];
    settings.want = "privacy";
    settings.more = format!("providers: {{{}}}\n", section("ipinfo", &server, "core"));
    let out = stamped(&mock, &mock.client(), &settings, (0..50).map(clean).chain([LISTED]));
    assert_eq!(out.len(), 51);
    for event in &out {
        assert_eq!(event["ipstamp"]["outcome"], "enriched", "{event}");
        let exit = &event["source"]["ip_traits"]["tor_exit_node"];
        let expected = event["source"]["ip"] == LISTED.to_string();
        assert_eq!(exit.as_bool().unwrap_or(false), expected, "{event}");
    }
    assert_eq!(server.addresses_asked(), 0);
}

/// Scenario: the city is wanted; IPinfo Lite, which is asked first for it costs nothing, knows the
/// country; another provider knows the city.
/// Guarantees: P12: what Lite says does not answer it: each address is asked of the other, once, and
/// the city is there.
#[test]
fn an_answer_of_lite_is_not_enough_where_the_city_is_wanted() {
    let lite = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let other = StandIn::start(Provider::Ipgeolocation, None, Duration::ZERO);
    let mock = Mock::start();
    let mut settings = Settings::new(&mock.brokers(), "in", "out");
    settings.want = "geo.city_name";
    settings.more = format!(
        "providers: {{{}, {}}}\ndeadline: 5s\n",
        section("ipinfo", &lite, "lite"),
        section("ipgeolocation", &other, "paid")
    );
    // Each twice: the second is answered by what is kept of both.
    let both = (0..40).chain(0..40).map(clean);
    let out = stamped(&mock, &mock.client(), &settings, both);
    assert_eq!(out.len(), 80);
    for event in &out {
        let ip = event["source"]["ip"].as_str().unwrap();
        assert_eq!(event["source"]["geo"]["city_name"], format!("City of {ip}"), "{event}");
        assert_eq!(event["ipstamp"]["outcome"], "enriched", "{event}");
    }
    assert_eq!((lite.addresses_asked(), other.addresses_asked()), (40, 40));
}

/// Scenario: the city is wanted, and nobody but IPinfo Lite may be asked; each address comes twice.
/// Guarantees: P12: it has the country, is `partial`, and is asked for once: that Lite does not know the
/// city is kept too.
#[test]
fn what_lite_alone_does_not_know_is_partial_and_not_asked_again() {
    let lite = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let mock = Mock::start();
    let mut settings = Settings::new(&mock.brokers(), "in", "out");
    settings.want = "geo.city_name";
    settings.more = format!("providers: {{{}}}\ndeadline: 5s\n", section("ipinfo", &lite, "lite"));
    let out = stamped(&mock, &mock.client(), &settings, (0..40).chain(0..40).map(clean));
    assert_eq!(out.len(), 80);
    for event in &out {
        assert_eq!(event["source"]["geo"]["country_iso_code"], "AU", "{event}");
        let stamp = &event["ipstamp"];
        assert_eq!((&stamp["outcome"], &stamp["reason"]), (&"partial".into(), &"not_found".into()));
    }
    assert_eq!(lite.addresses_asked(), 40);
}
