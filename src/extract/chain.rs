//! Chains of hops that proxies wrote: `X-Forwarded-For` and `Forwarded`. Who the client is, by whom
//! we trust, from right to left: what stands on the left is what the client himself may have written.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::parse::{Decode, Reading, read_with};
use crate::record::Span;

/// Addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(with = "Vec<String>")]
pub struct Proxies(Vec<(IpAddr, u8)>);

impl Proxies {
    /// Whether the address is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(network, length)| match (network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let differ = u32::from(*network) ^ u32::from(ip);
                differ.checked_shr(32 - u32::from(*length)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let differ = u128::from(*network) ^ u128::from(ip);
                differ.checked_shr(128 - u32::from(*length)).unwrap_or(0) == 0
            }
            _ => false,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<String>> for Proxies {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let one = |text: &String| {
            let (ip, length) = text
                .split_once('/')
                .map_or((text.as_str(), None), |(ip, length)| (ip, Some(length)));
            let ip = ip.trim().parse::<IpAddr>().map(|ip| ip.to_canonical()).ok()?;
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Ok(most), |length| length.trim().parse::<u8>()).ok()?;
            (length <= most).then_some((ip, length))
        };
        let all = texts.iter().map(|text| {
            one(text).ok_or_else(|| {
                format!("{text:?} is neither an address nor a network such as 10.0.0.0/8")
            })
        });
        all.collect::<Result<_, _>>().map(Self)
    }
}

impl From<Proxies> for Vec<String> {
    fn from(proxies: Proxies) -> Self {
        proxies.0.iter().map(|(ip, length)| format!("{ip}/{length}")).collect()
    }
}

/// Whose word is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Proxies by their addresses.
    pub proxies: Proxies,
    /// Proxies by their number.
    pub hops: Option<u8>,
}

impl Trust {
    /// As configured.
    pub(super) fn of(config: &Config) -> Self {
        Self { proxies: config.trusted_proxies.clone(), hops: config.trusted_hops }
    }

    /// Which of the hops is the client; the last one is the nearest. `peer` is who handed the chain
    /// over, where that is known. None where nobody trusted says so:
    ///
    /// - nobody is trusted;
    /// - the peer is no trusted proxy: then the peer is the client, and the chain is what it claims;
    /// - a hop before it is no address (`None`);
    /// - there are fewer hops than trusted proxies.
    pub fn client(&self, hops: &[Option<IpAddr>], peer: Option<IpAddr>) -> Option<usize> {
        if let Some(count) = self.hops {
            let nth = hops.len().checked_sub(usize::from(count)).filter(|_| count > 0)?;
            return hops.get(nth)?.map(|_| nth);
        }
        if self.proxies.is_empty() || peer.is_some_and(|peer| !self.proxies.contains(peer)) {
            return None;
        }
        for (nth, hop) in hops.iter().enumerate().rev() {
            if !self.proxies.contains((*hop)?) {
                return Some(nth);
            }
        }
        // All of them are ours: one of our own machines asked.
        (!hops.is_empty()).then_some(0)
    }
}

/// One hop as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where, from the start of the chain's text.
    pub text: Span,
    /// Its address; none where it is hidden or cannot be read.
    pub ip: Option<IpAddr>,
}

/// The hops of an `X-Forwarded-For`, the farthest first.
pub fn x_forwarded_for(text: &[u8], decode: Decode, each: &mut dyn FnMut(Hop)) {
    if text.trim_ascii().is_empty() {
        return;
    }
    let mut start = 0;
    for element in text.split(|byte| *byte == b',') {
        each(hop(text, start, start + element.len(), decode));
        start += element.len() + 1;
    }
}

/// The hops of a `Forwarded` (RFC 7239), the farthest first: the value of `for` of each element. The
/// text may have its quotes escaped, as in JSON.
pub fn forwarded(text: &[u8], decode: Decode, each: &mut dyn FnMut(Hop)) {
    let (mut quoted, mut start, mut found, mut any) = (false, 0, None, false);
    for at in 0..=text.len() {
        let byte = text.get(at).copied();
        if byte == Some(b'"') {
            quoted = !quoted;
        }
        if quoted && byte.is_some() || !matches!(byte, None | Some(b',' | b';')) {
            continue;
        }
        let parameter = &text[start..at];
        if let Some(equals) = parameter.iter().position(|byte| *byte == b'=')
            && parameter[..equals].trim_ascii().eq_ignore_ascii_case(b"for")
        {
            found = Some((start + equals + 1, at));
        }
        any |= !parameter.trim_ascii().is_empty();
        start = at + 1;
        if byte != Some(b';') {
            if let Some((from, to)) = found.take() {
                each(hop(text, from, to, decode));
            } else if any {
                // An element that does not say for whom hides a hop.
                each(Hop { text: Span { start: at as u32, end: at as u32 }, ip: None });
            }
            any = false;
        }
    }
}

fn hop(text: &[u8], mut start: usize, mut end: usize, decode: Decode) -> Hop {
    let dressing = |byte: u8| byte.is_ascii_whitespace() || byte == b'"' || byte == b'\\';
    while start < end && dressing(text[start]) {
        start += 1;
    }
    while start < end && dressing(text[end - 1]) {
        end -= 1;
    }
    let ip = match read_with(&text[start..end], decode) {
        Reading::Address(address) => Some(address.ip()),
        Reading::Absent | Reading::Unreadable => None,
    };
    Hop { text: Span { start: start as u32, end: end as u32 }, ip }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> Proxies {
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        Proxies::try_from(networks).unwrap()
    }

    fn hops(text: &str, is_forwarded: bool) -> Vec<Option<IpAddr>> {
        let mut hops = Vec::new();
        let decode = Decode::default();
        if is_forwarded {
            forwarded(text.as_bytes(), decode, &mut |hop| hops.push(hop.ip));
        } else {
            x_forwarded_for(text.as_bytes(), decode, &mut |hop| hops.push(hop.ip));
        }
        hops
    }

    /// The table of the README, row by row.
    #[test]
    fn the_client_is_the_first_from_the_right_that_is_not_ours() {
        let ours = Trust { proxies: proxies(&["10.0.0.0/8", "2001:db8:1::/48"]), hops: None };
        let number = |count| Trust { hops: Some(count), ..Trust::default() };
        let nobody = Trust::default();
        let cases: &[(&str, &Trust, Option<&str>, Option<&str>)] = &[
            ("9.9.9.9", &nobody, None, None),
            ("1.1.1.1, 9.9.9.9", &ours, None, Some("9.9.9.9")),
            ("1.1.1.1, 9.9.9.9, 10.0.0.2", &ours, None, Some("9.9.9.9")),
            ("1.1.1.1, 9.9.9.9, 10.0.0.2", &ours, Some("10.0.0.1"), Some("9.9.9.9")),
            ("1.1.1.1, 9.9.9.9, 10.0.0.2", &ours, Some("8.8.8.8"), None),
            ("9.9.9.9, ::ffff:10.0.0.2", &ours, None, Some("9.9.9.9")),
            ("9.9.9.9:4711, [2001:db8:1::7]:443", &ours, None, Some("9.9.9.9")),
            ("9.9.9.9, unknown, 10.0.0.2", &ours, None, None),
            ("garbage, 9.9.9.9, 10.0.0.2", &ours, None, Some("9.9.9.9")),
            ("10.0.0.3, 10.0.0.2", &ours, None, Some("10.0.0.3")),
            ("", &ours, None, None),
            ("1.1.1.1, 9.9.9.9", &number(1), None, Some("9.9.9.9")),
            ("1.1.1.1, 9.9.9.9, 10.0.0.2", &number(2), None, Some("9.9.9.9")),
            ("9.9.9.9", &number(1), None, Some("9.9.9.9")),
            ("9.9.9.9", &number(2), None, None),
            ("9.9.9.9, _hidden", &number(1), None, None),
            ("9.9.9.9", &number(0), None, None),
        ];
        for (chain, trust, peer, expected) in cases {
            let hops = hops(chain, false);
            let peer = peer.map(|peer| peer.parse().unwrap());
            let client = trust.client(&hops, peer).and_then(|nth| hops[nth]);
            let expected = expected.map(|ip| ip.parse::<IpAddr>().unwrap());
            assert_eq!(client, expected, "{chain:?} {trust:?} {peer:?}");
        }
    }

    #[test]
    fn a_forwarded_header_is_read_by_its_for_parameters() {
        let ip = |text: &str| Some(text.parse().unwrap());
        for (text, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", vec![ip("192.0.2.60")]),
            (r#"For="[2001:db8:cafe::17]:4711""#, vec![ip("2001:db8:cafe::17")]),
            (r#"For=\"[2001:db8:cafe::17]:4711\""#, vec![ip("2001:db8:cafe::17")]),
            ("for=192.0.2.43, for=198.51.100.17", vec![ip("192.0.2.43"), ip("198.51.100.17")]),
            ("for=_gazonk, for=unknown,by=1.1.1.1", vec![None, None, None]),
            (r#"proto=http;for="1.1.1.1:80",x="a,b;for=2.2.2.2""#, vec![ip("1.1.1.1"), None]),
            ("", vec![]),
        ] {
            assert_eq!(hops(text, true), expected, "{text}");
        }
    }

    #[test]
    fn a_network_has_its_own_addresses_and_no_others() {
        let ours = proxies(&["10.0.0.0/8", "0.0.0.0/0"]);
        assert!(ours.contains("1.2.3.4".parse().unwrap()));
        let ours = proxies(&["192.0.2.0/24", "::/0", "::ffff:9.9.9.9"]);
        for (ip, is_ours) in
            [("192.0.2.255", true), ("192.0.3.0", false), ("fe80::1", true), ("9.9.9.9", true)]
        {
            assert_eq!(ours.contains(ip.parse().unwrap()), is_ours, "{ip}");
        }
        for bad in ["10.0.0.0/33", "x", "10.0.0.0/", "10/8", ""] {
            assert!(Proxies::try_from(vec![bad.to_owned()]).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_walked_without_panic_and_hops_stand_in_it(
            text in "[0-9a-f:., \"\\\\;=for_]{0,80}", count in 0u8..4
        ) {
            let trust = Trust { proxies: proxies(&["10.0.0.0/8"]), hops: (count > 0).then_some(count) };
            for is_forwarded in [false, true] {
                let mut all = Vec::new();
                let walk = &mut |hop: Hop| all.push(hop);
                let decode = Decode::default();
                if is_forwarded {
                    forwarded(text.as_bytes(), decode, walk);
                } else {
                    x_forwarded_for(text.as_bytes(), decode, walk);
                }
                for hop in &all {
                    assert!(text.get(hop.text.start as usize..hop.text.end as usize).is_some());
                }
                let ips: Vec<_> = all.iter().map(|hop| hop.ip).collect();
                if let Some(nth) = trust.client(&ips, None) {
                    assert!(ips[nth].is_some());
                }
            }
        }
    }
}
