//! What becomes of the addresses themselves: they stay, or something stands for them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

use super::config::AddressPrivacy;
use super::json::append_address;
use crate::record::Secret;

/// A key of pseudonyms that is shorter could be tried out.
pub const SHORTEST_ADDRESS_KEY: usize = 16;

/// Says what stands for an address in the output.
#[derive(Clone)]
pub(super) struct Hiding {
    how: AddressPrivacy,
    key: Option<PKey<Private>>,
}

impl fmt::Debug for Hiding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hiding({:?})", self.how)
    }
}

impl Hiding {
    /// None when pseudonyms are wanted and there is no key for them.
    pub(super) fn new(how: AddressPrivacy, key: Option<&Secret>) -> Option<Self> {
        let key = match how {
            AddressPrivacy::Hmac => {
                let key =
                    key.map(Secret::expose).filter(|key| key.len() >= SHORTEST_ADDRESS_KEY)?;
                Some(PKey::hmac(key.as_bytes()).ok()?)
            }
            AddressPrivacy::Keep | AddressPrivacy::Drop | AddressPrivacy::Truncate => None,
        };
        Some(Self { how, key })
    }

    /// Whether the addresses stay as they are.
    pub(super) fn keeps(&self) -> bool {
        self.how == AddressPrivacy::Keep
    }

    /// Whether nothing stands for an address.
    pub(super) fn drops(&self) -> bool {
        self.how == AddressPrivacy::Drop
    }

    /// Appends what stands for an address, as a JSON value.
    pub(super) fn append(&self, out: &mut Vec<u8>, ip: IpAddr) {
        match self.shown(ip) {
            Some(ip) => {
                out.push(b'"');
                append_address(out, ip);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }

    /// What stands for an address.
    pub(super) fn shown(&self, ip: IpAddr) -> Option<IpAddr> {
        match (self.how, ip) {
            (AddressPrivacy::Keep, ip) => Some(ip),
            (AddressPrivacy::Drop, _) => None,
            (AddressPrivacy::Truncate, IpAddr::V4(ip)) => {
                Some(Ipv4Addr::from(u32::from(ip) & !0xff).into())
            }
            (AddressPrivacy::Truncate, IpAddr::V6(ip)) => {
                Some(Ipv6Addr::from(u128::from(ip) >> 80 << 80).into())
            }
            (AddressPrivacy::Hmac, ip) => self.pseudonym(ip),
        }
    }

    /// An address of `fd00::/8`, so that whoever wants an address finds one, and none that anybody
    /// else has.
    fn pseudonym(&self, ip: IpAddr) -> Option<IpAddr> {
        let mut signer = Signer::new(MessageDigest::sha256(), self.key.as_ref()?).ok()?;
        let code = match ip {
            IpAddr::V4(ip) => signer.sign_oneshot_to_vec(&ip.octets()),
            IpAddr::V6(ip) => signer.sign_oneshot_to_vec(&ip.octets()),
        };
        let mut octets: [u8; 16] = code.ok()?.get(..16)?.try_into().ok()?;
        octets[0] = 0xfd;
        Some(Ipv6Addr::from(octets).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(how: AddressPrivacy, key: &str, ip: &str) -> Option<String> {
        let hiding = Hiding::new(how, Some(&Secret::new(key))).unwrap();
        hiding.shown(ip.parse().unwrap()).map(|ip| ip.to_string())
    }

    #[test]
    fn a_truncated_address_is_its_network() {
        let truncated = |ip| shown(AddressPrivacy::Truncate, "", ip).unwrap();
        assert_eq!(truncated("203.0.113.77"), "203.0.113.0");
        assert_eq!(truncated("2001:db8:1:2:3::4"), "2001:db8:1::");
        assert_eq!(shown(AddressPrivacy::Drop, "", "203.0.113.77"), None);
    }

    #[test]
    fn a_pseudonym_is_the_same_for_the_same_address_and_key_only() {
        let key = "0123456789abcdef";
        let of = |key, ip| shown(AddressPrivacy::Hmac, key, ip).unwrap();
        // HMAC-SHA-256 of the four octets, worked out with openssl's command line.
        assert_eq!(of(key, "203.0.113.77"), "fd4a:8a2d:9ee4:1977:48c7:fd6e:4989:463b");
        assert_eq!(of(key, "203.0.113.77"), of(key, "203.0.113.77"));
        assert_ne!(of(key, "203.0.113.77"), of(key, "203.0.113.78"));
        assert_ne!(of(key, "203.0.113.77"), of("fedcba9876543210", "203.0.113.77"));
        assert_ne!(of(key, "203.0.113.77"), of(key, "2001:db8::1"));
    }

    #[test]
    fn without_a_key_worth_the_name_there_is_no_pseudonym() {
        assert!(Hiding::new(AddressPrivacy::Hmac, None).is_none());
        assert!(Hiding::new(AddressPrivacy::Hmac, Some(&Secret::new("short"))).is_none());
        let shown = format!(
            "{:?}",
            Hiding::new(AddressPrivacy::Hmac, Some(&Secret::new("a secret of length")))
        );
        assert_eq!(shown, "Some(Hiding(Hmac))");
    }
}
