//! `lookup --pair`: what IPBot says of the IPv4 and the IPv6 address of one device together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::ipbot::Ipbot;
use super::lookup::flatten;
use super::output::{Format, print};
use super::{Exit, Failure, Source};
use crate::extract::{Reading, read};
use crate::resolve::provider::ipbot::IpBot;

/// Asks for both and prints the answer, whose form the provider does not promise.
pub(super) fn pair(
    source: &Source,
    tenant: Option<&str>,
    typed: &[String],
    format: Format,
) -> Result<Exit, Failure> {
    let (ipv4, ipv6) = both(typed)?;
    let ipbot = Ipbot::of(source, tenant, "pairs are judged by")?;
    let call = IpBot::pair_call(ipv4, ipv6);
    let answers = ipbot.ask(|_| vec![call], |_, _, reply| IpBot::read_pair(reply))?;
    let judged = answers.into_iter().next().unwrap_or_default();
    let text = match format {
        Format::Text => as_text(ipv4, ipv6, &judged),
        Format::Json => {
            let line = json!({"ipv4": ipv4, "ipv6": ipv6, "assessment": judged, "source": "ipbot"});
            format!("{line}\n")
        }
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}

/// One address of each kind, in whichever order.
fn both(typed: &[String]) -> Result<(Ipv4Addr, Ipv6Addr), Failure> {
    let refused = |message: &str| Failure::new(Exit::Usage, format!("--pair: {message}"));
    let mut found = (None, None);
    for text in typed {
        let Reading::Address(address) = read(text.trim()) else {
            return Err(refused(&format!("{}: not an IP address", text.escape_debug())));
        };
        if !address.is_global() {
            let scope = address.scope().name();
            let ip = address.ip();
            return Err(refused(&format!(
                "{ip} is not global ({scope}); such addresses are never sent"
            )));
        }
        match address.ip() {
            IpAddr::V4(ip) => found.0 = Some(ip),
            IpAddr::V6(ip) => found.1 = Some(ip),
        }
    }
    match found {
        (Some(ipv4), Some(ipv6)) => Ok((ipv4, ipv6)),
        _ => Err(refused("wants the IPv4 and the IPv6 address of one device")),
    }
}

fn as_text(ipv4: Ipv4Addr, ipv6: Ipv6Addr, judged: &Value) -> String {
    let mut named = Vec::new();
    flatten("", judged, &mut named);
    if named.is_empty() {
        named.push("nothing known".into());
    }
    format!("{ipv4} and {ipv6}  [ipbot]\n  {}\n", named.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(one: &str, other: &str) -> Result<(Ipv4Addr, Ipv6Addr), String> {
        both(&[one.to_owned(), other.to_owned()]).map_err(|failure| failure.message)
    }

    #[test]
    fn a_pair_is_one_global_address_of_each_kind_in_whichever_order() {
        let (v4, v6) = ("8.8.8.8", "2001:4860:4860::8888");
        assert!(typed(v4, v6).is_ok());
        assert_eq!(typed(v4, v6), typed(v6, v4));
        for (one, other, expected) in [
            (v4, "9.9.9.9", "wants the IPv4 and the IPv6 address"),
            (v6, v6, "wants the IPv4 and the IPv6 address"),
            (v4, "fe80::1", "fe80::1 is not global (link_local)"),
            ("10.0.0.1", v6, "10.0.0.1 is not global (private)"),
            ("x", v6, "x: not an IP address"),
        ] {
            let said = typed(one, other).unwrap_err();
            assert!(said.starts_with("--pair: ") && said.contains(expected), "{said}");
        }
    }

    #[test]
    fn what_is_said_is_printed_line_by_line_and_steers_no_terminal() {
        let pair = ([8, 8, 8, 8].into(), "2001:4860:4860::8888".parse().unwrap());
        let judged = json!({"verdict": "allow\u{1b}[2J", "score": {"risk": 3}});
        let expected = "8.8.8.8 and 2001:4860:4860::8888  [ipbot]\n  verdict: allow\u{fffd}[2J\n  \
                        score.risk: 3\n";
        let lines = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&as_text(pair.0, pair.1, &judged)), lines(expected));
        assert!(as_text(pair.0, pair.1, &Value::Null).ends_with("\n  nothing known\n"));
    }
}
