//! The providers' APIs over real HTTP on loopback: what is asked is accepted by the contract, and
//! whatever comes back, no address gets another's facts.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipstamp::record::{Enrichment, FactGroup, GroupSet, Secret};
use ipstamp::resolve::desk::{Http, HttpSettings, Received};
use ipstamp::resolve::provider::{
    Api, ItemError, Modules, Reply, Verdict, ipbot::IpBot, ipgeolocation::IpGeolocation,
    ipinfo::Ipinfo,
};
use serde_json::json;

use crate::standin::{Manner, Provider, StandIn};

const TOKEN: &str = "the-token";

fn api(provider: Provider) -> Box<dyn Api> {
    let section = json!({"token": TOKEN});
    match provider {
        Provider::Ipinfo => {
            Box::new(Ipinfo::new(&serde_json::from_value(section).unwrap()).unwrap())
        }
        Provider::Ipgeolocation => {
            Box::new(IpGeolocation::new(&serde_json::from_value(section).unwrap()).unwrap())
        }
        Provider::Ipbot => Box::new(IpBot::new(&serde_json::from_value(section).unwrap()).unwrap()),
    }
}

fn geo() -> GroupSet {
    GroupSet::EMPTY.with(FactGroup::Geo)
}

fn some(count: u16) -> Vec<IpAddr> {
    (0..count).map(|nth| [8, 8, (nth >> 8) as u8, nth as u8].into()).collect()
}

/// Asks once, as the product does; None when no whole reply came.
pub(crate) fn ask(
    api: &dyn Api,
    server: &StandIn,
    token: &str,
    asked: &[IpAddr],
    groups: GroupSet,
    modules: Modules,
) -> Option<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = HttpSettings::default();
    let call = api.call(asked, groups, modules);
    let received = runtime.block_on(async {
        let http = Http::new(&server.base_url(), &settings).unwrap();
        http.send(&call, &api.token_place(), Some(&Secret::new(token)), settings.total).await
    });
    let Received { status, headers, body } = received.ok()?;
    let reply = Reply { status, headers: &headers, body: &body, now: SystemTime::now() };
    Some(api.read(asked, groups, modules, &reply))
}

/// Asks for the place of these addresses.
fn ask_place(api: &dyn Api, server: &StandIn, token: &str, asked: &[IpAddr]) -> Option<Verdict> {
    ask(api, server, token, asked, geo(), api.first_modules())
}

fn city(facts: &Enrichment) -> Option<&str> {
    facts.geo.as_ref()?.city_name.as_deref()
}

const ALL: [Provider; 3] = [Provider::Ipinfo, Provider::Ipgeolocation, Provider::Ipbot];

fn most(api: &dyn Api) -> u16 {
    api.most_per_call(api.first_modules()).min(1000) as u16
}

#[test]
fn each_address_gets_its_own_facts_and_no_request_is_at_fault() {
    for provider in ALL {
        let server = StandIn::start(provider, Some(TOKEN), Duration::ZERO);
        let api = api(provider);
        for count in [1, most(&*api)] {
            let asked = some(count);
            let Some(Verdict::Answered(answered)) = ask_place(&*api, &server, TOKEN, &asked) else {
                panic!("{provider:?} does not answer");
            };
            for (address, told) in asked.iter().zip(&answered.told) {
                let facts = told.as_ref().unwrap().as_ref().unwrap();
                let expected = format!("City of {address}");
                assert_eq!(city(facts), Some(expected.as_str()), "{provider:?}");
            }
        }
        assert_eq!(server.seen().len(), 2);
        assert_eq!(server.addresses_asked(), 1 + usize::from(most(&*api)));
        let seen = &server.seen()[0];
        assert_eq!((seen.method.as_str(), seen.addresses.len()), ("GET", 1));
        assert!(
            seen.headers.iter().any(|(name, value)| name == "accept" && value.ends_with("json"))
        );
        assert!(seen.at.elapsed() < Duration::from_secs(3600) && !seen.target.is_empty());
        let faults = server.faults();
        assert_eq!(faults, Vec::<String>::new(), "{provider:?}");
    }
}

#[test]
fn a_wrong_token_is_a_refused_credential_or_module_and_nothing_else() {
    for provider in ALL {
        let server = StandIn::start(provider, Some(TOKEN), Duration::ZERO);
        let verdict = ask_place(&*api(provider), &server, "another", &some(1)).unwrap();
        let refused =
            matches!(verdict, Verdict::CredentialRefused(_) | Verdict::ModuleRefused { .. });
        assert!(refused, "{provider:?}: {verdict:?}");
    }
}

#[test]
fn a_private_address_is_a_fault() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    ask_place(&*api(Provider::Ipinfo), &server, TOKEN, &["10.0.0.1".parse().unwrap()]);
    assert_eq!(server.faults(), ["10.0.0.1 is not global"]);
}

#[test]
fn however_it_misbehaves_nobody_gets_anothers_facts() {
    let blank = |seconds: &str| vec![("retry-after", seconds.to_owned())];
    let pause = |wait| Some(Verdict::Pause(Some(Duration::from_secs(wait))));
    for provider in ALL {
        let server = StandIn::start(provider, Some(TOKEN), Duration::ZERO);
        let api = api(provider);
        let asked = some(most(&*api).min(20));
        let to = |manner: Manner| {
            server.next([manner]);
            ask_place(&*api, &server, TOKEN, &asked)
        };
        for manner in [Manner::Permuted, Manner::Shortened, Manner::Doubled] {
            let Some(Verdict::Answered(answered)) = to(manner.clone()) else { continue };
            for (address, told) in asked.iter().zip(&answered.told) {
                match told {
                    Ok(Some(facts)) => {
                        let expected = format!("City of {address}");
                        assert_eq!(city(facts), Some(expected.as_str()), "{provider:?} {manner:?}");
                    }
                    told => {
                        assert_eq!(*told, Err(ItemError::NotInReply), "{provider:?} {manner:?}");
                    }
                }
            }
        }
        for status in [500, 502, 503, 504] {
            assert!(matches!(to(Manner::Status(status)), Some(Verdict::Retry(_))));
        }
        let html = Manner::Plain(200, "<html>no</html>".to_owned(), Vec::new());
        assert!(matches!(to(html), Some(Verdict::Retry(_))));
        assert!(matches!(
            to(Manner::Plain(200, String::new(), Vec::new())),
            Some(Verdict::Retry(_))
        ));
        assert!(matches!(to(Manner::Cut), Some(Verdict::Retry(_))));
        assert_eq!(to(Manner::Limited(blank("7"))), pause(7));
        // What is absurd is for whoever waits to say.
        assert_eq!(to(Manner::Limited(blank("1000000000"))), pause(1_000_000_000));
        // A past date and a number below nothing are no reason to call at once; without a word it is
        // for us to say how long, and one provider's limit is of the day.
        assert_eq!(to(Manner::Limited(blank("Fri, 15 Jan 2021 08:00:30 GMT"))), pause(1));
        let unsaid = [to(Manner::Limited(blank("-5"))), to(Manner::Limited(Vec::new()))];
        assert!(
            unsaid.iter().all(|verdict| matches!(verdict, Some(Verdict::Pause(None | Some(_)))))
        );
        assert_eq!(unsaid[0], unsaid[1]);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let reset = vec![("x-ratelimit-reset", (now + 40).to_string())];
        let until_reset = to(Manner::Limited(reset));
        assert!(
            matches!(until_reset, Some(Verdict::Pause(Some(wait))) if (35..=40).contains(&wait.as_secs())),
            "{until_reset:?}"
        );
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(40));
        let until_date = to(Manner::Limited(blank(&date)));
        assert!(
            matches!(until_date, Some(Verdict::Pause(Some(wait))) if (35..=40).contains(&wait.as_secs())),
            "{until_date:?}"
        );
        let elsewhere = to(Manner::Redirect("http://169.254.169.254/".to_owned()));
        assert!(matches!(elsewhere, Some(Verdict::Rejected(_))), "{elsewhere:?}");
        assert_eq!(to(Manner::HangUp), None);
        assert_eq!(to(Manner::Silent), None);
        for manner in [
            Manner::Slow(Duration::from_micros(1)),
            Manner::Huge(1 << 22),
            Manner::Headers(1 << 12),
            Manner::Honest,
        ] {
            let verdict = to(manner.clone());
            assert!(matches!(verdict, Some(Verdict::Answered(_))), "{provider:?} {manner:?}");
        }
        server.always(Manner::Status(500));
        assert!(matches!(ask_place(&*api, &server, TOKEN, &asked), Some(Verdict::Retry(_))));
    }
}

/// Scenario: three hundred tenants with a licence each.
/// Guarantees: P5: TLS with its root certificates, most of a megabyte, is there once, not once for each.
#[test]
fn many_licences_have_one_set_up_of_tls() {
    let open = || Http::new("https://api.example.com", &HttpSettings::default()).unwrap();
    let (first, before) = (open(), resident_bytes());
    let others: Vec<Http> = (0..300).map(|_| open()).collect();
    let each = resident_bytes().saturating_sub(before) / others.len();
    assert!(each < 300_000, "{each} bytes for each");
    drop((first, others));
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
