//! Addresses in free text, in one pass over its bytes.
//!
//! `candidates` passes over 64 bytes at a time and stops only where dots or colons stand as they do in
//! an address; `v4`, `v6` and `defanged` then read what stands there, and `context` looks at what
//! surrounds it: a version, a part of a host name or an identifier is no address, whatever it looks like.
//!
//! The text may be a piece of JSON: what its escapes stand for counts as what surrounds an address.

mod candidates;
mod context;
mod defanged;
mod literal;
mod v4;
mod v6;

#[cfg(test)]
mod corpus;

use std::net::IpAddr;

use candidates::{Candidates, Kind};
pub(super) use context::{is_version_word, key_before};
pub(super) use literal::of_host;

/// An address in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its first byte.
    pub start: usize,
    /// One past its last byte; without port, prefix length and zone.
    pub end: usize,
    /// As it is written: IPv4-mapped and the like are not decoded.
    pub ip: IpAddr,
}

/// What a look at one place came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// An address; the search goes on there.
    Address(Found, usize),
    /// None; the search goes on there.
    Not(usize),
    /// A version or the like, that ends there.
    Version(usize),
}

/// Gives all addresses in `text` to `each`, in their order, as often as they stand there.
pub fn find(text: &[u8], mut each: impl FnMut(Found)) {
    let mut candidates = Candidates::new(text);
    let (mut resume, mut last, mut version) = (0, usize::MAX, usize::MAX);
    let mut named = literal::next(text, 0);
    loop {
        let candidate = candidates.next(resume);
        while let Some(found) = named.filter(|it| candidate.is_none_or(|(at, _)| it.start < at)) {
            each(found);
            named = literal::next(text, found.end + 1);
        }
        let Some((at, kind)) = candidate else { return };
        let look = match kind {
            Kind::Dots => v4::look(text, at, resume, last, version),
            Kind::Colons => v6::look(text, at, resume),
            Kind::Bracket => defanged::look(text, at, resume),
        };
        let next = match look {
            Look::Address(found, next) => {
                last = found.end;
                each(found);
                next
            }
            Look::Not(next) => next,
            Look::Version(next) => {
                version = next;
                next
            }
        };
        resume = next.max(at + 1);
    }
}

/// The byte at `at`; a space outside of the text.
#[inline]
fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}

/// The byte before `at`; a space outside of the text.
#[inline]
fn byte_before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(b' ', |at| byte(text, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        find(text.as_bytes(), |found| {
            assert!(found.start < found.end && found.end <= text.len());
            all.push(found.ip.to_string());
        });
        all
    }

    /// Wherever it stands: the blocks of the search have edges.
    #[test]
    fn an_address_is_found_at_every_place_of_a_text() {
        for address in
            ["1.2.3.4", "254.255.255.254", "2001:db8::1", "::1", "fe80::1", "1[.]2[.]3[.]4"]
        {
            let expected = address.replace("[.]", ".");
            for before in 0..140 {
                let text = format!("{}{address} x", " ".repeat(before));
                assert_eq!(found(&text), [expected.as_str()], "{text:?}");
                let text = format!("{}{address}", " ".repeat(before));
                assert_eq!(found(&text), [expected.as_str()], "{text:?}");
            }
        }
        let full = "2001:db8:1:2:3:4:5:6";
        for before in 0..140 {
            assert_eq!(found(&format!("{}{full}", "-".repeat(before))), [full]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_searched_without_panic(text in "[0-9a-fg:./\\[\\]()%\\\\u \"p#-]{0,120}") {
            found(&text);
        }

        #[test]
        fn what_is_written_between_spaces_is_found(v4 in proptest::num::u32::ANY, low in proptest::num::u128::ANY) {
            let v4 = std::net::Ipv4Addr::from(v4);
            proptest::prop_assume!(v4.octets()[0] != 0 && v4.octets()[0] != 255);
            let v6 = std::net::Ipv6Addr::from(low >> 3 | 1 << 125);
            let expected = [v4.to_string(), v6.to_string()];
            let text = format!("from {v4} port 22 to {v6} port 80");
            proptest::prop_assert_eq!(found(&text), expected.to_vec());
        }
    }
}
