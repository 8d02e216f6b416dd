//! Any bytes as a chain of hops: each hop stands in it, in its order, and the client is a hop with an
//! address that no trusted proxy has, unless all have.
#![no_main]

use std::net::IpAddr;

use ipstamp::extract::{Decode, Hop, Proxies, Trust, forwarded, x_forwarded_for};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let networks = vec!["10.0.0.0/8".to_owned(), "fd00::/8".to_owned()];
    let proxies = Proxies::try_from(networks).expect("they are networks");
    let by_proxies = Trust { proxies: proxies.clone(), hops: None };
    let by_hops = Trust { proxies: Proxies::default(), hops: Some(first % 4) };
    for is_forwarded in [false, true] {
        let (mut hops, mut end): (Vec<Option<IpAddr>>, _) = (Vec::new(), 0);
        let mut each = |hop: Hop| {
            assert!(end <= hop.text.start && hop.text.start <= hop.text.end);
            assert!(hop.text.end as usize <= text.len());
            end = hop.text.start;
            hops.push(hop.ip);
        };
        if is_forwarded {
            forwarded(text, Decode::default(), &mut each);
        } else {
            x_forwarded_for(text, Decode::default(), &mut each);
        }
        if let Some(nth) = by_proxies.client(&hops, None) {
            let client = hops[nth].expect("a client is an address");
            assert!(nth == 0 || !proxies.contains(client));
            assert!(hops[nth + 1..].iter().all(|hop| hop.is_some_and(|ip| proxies.contains(ip))));
        }
        if let Some(nth) = by_hops.client(&hops, None) {
            assert_eq!(nth + usize::from(first % 4), hops.len());
        }
    }
});
