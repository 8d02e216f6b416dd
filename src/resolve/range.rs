//! The range of addresses around one for which a file has the same record: makers have ranges that
//! are no network, and a tree has them in pieces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::database::Database;

/// So many networks are gone through to either side: a range is made of 62 or 254 at most, and more
/// only where neighbours of it have the same record.
const MOST_NETWORKS: usize = 1024;

/// An end of a range.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

impl Database {
    /// The first and the last address of the range with one record, or with none, that the address
    /// lies in; None for a family that the file does not have, and where it is broken.
    pub fn range(&self, ip: IpAddr) -> Option<(IpAddr, IpAddr)> {
        let (first, last, record) = self.piece(ip)?;
        Some((self.farthest(End::First, first, record), self.farthest(End::Last, last, record)))
    }

    /// As far as the same record goes.
    fn farthest(&self, end: End, mut from: IpAddr, record: Option<usize>) -> IpAddr {
        for _ in 0..MOST_NETWORKS {
            let next = neighbour(end, from).and_then(|ip| self.piece(ip));
            from = match (next, end) {
                (Some((first, _, same)), End::First) if same == record => first,
                (Some((_, last, same)), End::Last) if same == record => last,
                _ => break,
            };
        }
        from
    }

    /// The network around an address, and its record.
    fn piece(&self, ip: IpAddr) -> Option<(IpAddr, IpAddr, Option<usize>)> {
        let (network, record) = self.network(ip)?;
        Some((network.network(), network.broadcast(), record))
    }
}

/// The address beyond an end; none beyond those of its family.
fn neighbour(end: End, of: IpAddr) -> Option<IpAddr> {
    Some(match (of, end) {
        (IpAddr::V4(ip), End::First) => Ipv4Addr::from_bits(ip.to_bits().checked_sub(1)?).into(),
        (IpAddr::V4(ip), End::Last) => Ipv4Addr::from_bits(ip.to_bits().checked_add(1)?).into(),
        (IpAddr::V6(ip), End::First) => Ipv6Addr::from_bits(ip.to_bits().checked_sub(1)?).into(),
        (IpAddr::V6(ip), End::Last) => Ipv6Addr::from_bits(ip.to_bits().checked_add(1)?).into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{address, bytes_v4, database};
    use super::*;

    #[test]
    fn a_range_that_is_no_network_is_given_whole() {
        let city = |name: &str| json!({"city": {"names": {"en": name}}});
        let records = [
            ("1.0.1.0/24", city("Riga")),
            ("1.0.2.0/23", city("Riga")),
            ("1.0.4.0/24", city("Lund")),
            ("255.255.255.0/24", city("Lund")),
            ("2a00::/16", city("Oslo")),
            ("2a01::/17", city("Oslo")),
        ];
        let file = database("city", "GeoLite2-City", &records);
        let range = |ip: &str| file.range(address(ip).ip()).map(|(a, b)| format!("{a} {b}"));
        assert_eq!(range("1.0.2.9").as_deref(), Some("1.0.1.0 1.0.3.255"));
        assert_eq!(range("1.0.4.9").as_deref(), Some("1.0.4.0 1.0.4.255"));
        assert_eq!(range("1.0.5.1").as_deref(), Some("1.0.5.0 255.255.254.255"));
        assert_eq!(range("255.255.255.1").as_deref(), Some("255.255.255.0 255.255.255.255"));
        let oslo = "2a00:: 2a01:7fff:ffff:ffff:ffff:ffff:ffff:ffff";
        assert_eq!(range("2a01::1").as_deref(), Some(oslo));
        let bytes = bytes_v4("GeoLite2-City", &records[..1]);
        let v4 = Database::new("city", bytes).unwrap();
        assert_eq!(v4.range(address("2a00::1").ip()), None);
        assert_eq!(v4.range(address("0.0.0.0").ip()).map(|(a, _)| a), Some([0, 0, 0, 0].into()));
    }
}
