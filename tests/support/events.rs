//! Events of the tests: each says which one it is, has two addresses that the databases know, and
//! spells things in ways that a rebuilt JSON would lose.

use std::net::Ipv4Addr;

use super::client::Outgoing;
use super::small_databases::{KNOWN, Known};

/// The `number`th event.
pub(crate) fn event(number: u64) -> String {
    padded(number, 0)
}

/// The `number`th event with `padding` more bytes.
pub(crate) fn padded(number: u64, padding: usize) -> String {
    let address = |salt: u64| {
        let (network, ..) = network(number, salt);
        Ipv4Addr::from(u32::from(network) | (number.wrapping_mul(40_503) & 0xffff) as u32)
    };
    let (source, destination) = (address(0), address(1));
    let padding = "x".repeat(padding);
    // 1.10, 1e2, the big number, the spaces, the escapes and the two `again` would not survive.
    format!(
        r#"{{"id":{number}, "ratio":1.10,"exp":1e2,"big":123456789012345678901234567890,"text":"caf\u00e9 \/ \"q\" café","again":1,"again":2,"source":{{"ip":"{source}","port":1}},"destination" : {{ "ip" : "{destination}" }},"pad":"{padding}"}}"#
    )
}

/// What the databases know of the `number`th event's source (0) or destination (1).
pub(crate) fn network(number: u64, salt: u64) -> Known {
    KNOWN[((number + salt) % KNOWN.len() as u64) as usize]
}

/// The `number`th event as a record: with a key, headers and a time of its own.
pub(crate) fn record(number: u64, partition: i32) -> Outgoing {
    Outgoing {
        partition,
        key: Some(format!("key-{}", number % 97).into_bytes()),
        value: Some(event(number).into_bytes()),
        headers: vec![(b"trace".to_vec(), Some(format!("t{number}").into_bytes()))],
        timestamp: Some(now_millis() - 60_000),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_millis() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis() as i64
}
