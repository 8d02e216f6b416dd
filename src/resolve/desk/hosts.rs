//! Which addresses are never called: a provider is somewhere else, and what stands on a link or
//! hands out credentials to its own machine is none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Hands out credentials of the machine to whoever asks, beside those on link-local addresses.
const METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Whether a provider may be at this address. Without encryption only this machine is trusted.
pub(super) fn may_be_called(address: IpAddr, encrypted: bool) -> bool {
    let address = address.to_canonical();
    let local_or_nowhere = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
    };
    let trusted = encrypted || address.is_loopback();
    trusted && !local_or_nowhere && !METADATA.contains(&address)
}

/// A name stands for nothing but such addresses.
#[derive(Debug, thiserror::Error)]
#[error("the name stands for no address that may be called")]
pub(super) struct NowhereToCall;

/// Resolves names as the machine does, and leaves out what may not be called.
pub(super) struct Guarded {
    pub(super) encrypted: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let encrypted = self.encrypted;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may: Vec<SocketAddr> =
                found.filter(|address| may_be_called(address.ip(), encrypted)).collect();
            if may.is_empty() {
                return Err(NowhereToCall.into());
            }
            Ok(Box::new(may.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_metadata_are_never_called_and_only_this_machine_without_encryption() {
        for (address, encrypted, plain) in [
            ("93.184.216.34", true, false),
            ("2606:4700::1", true, false),
            ("10.1.2.3", true, false),
            ("127.0.0.1", true, true),
            ("::1", true, true),
            ("::ffff:127.0.0.1", true, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
            ("100.100.100.200", false, false),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(may_be_called(address, true), encrypted, "{address} with TLS");
            assert_eq!(may_be_called(address, false), plain, "{address} without");
        }
    }
}
