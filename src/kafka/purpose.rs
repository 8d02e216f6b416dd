//! What clients have in common by what they are for. Whoever makes one adds what it alone needs.

use rdkafka::ClientConfig;

use super::set_by_default;

/// Any client of ours, under this name.
pub fn named(client: &ClientConfig, name: &str) -> ClientConfig {
    let mut client = client.clone();
    // A topic that is missing is a mistake, not something to make.
    client.set("client.id", name).set("allow.auto.create.topics", "false");
    set_by_default(&mut client, "reconnect.backoff.max.ms", "2000");
    client
}

/// One that reads partitions which are named by hand: nothing is joined and nothing committed. It says when
/// it has come to the end, and passes over nothing that is gone.
pub fn onlooking(client: &ClientConfig, name: &str) -> ClientConfig {
    let mut client = named(client, name);
    client
        .set("group.id", name)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true");
    client
}

/// One that writes what may be lost: what the brokers do not take is not hoarded.
pub fn lossy(client: &ClientConfig, name: &str) -> ClientConfig {
    let mut client = named(client, name);
    client
        .set("acks", "all")
        .set("compression.type", "zstd")
        .set("linger.ms", "100")
        .set("message.timeout.ms", "30000")
        .set("queue.buffering.max.kbytes", "8192");
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_takes_every_setting_and_the_operators_own_stays() {
        let mut client = ClientConfig::new();
        client.set("reconnect.backoff.max.ms", "9000");
        for purpose in [named, onlooking, lossy] {
            let made = purpose(&client, "ipstamp-x");
            assert!(made.create_native_config().is_ok(), "{made:?}");
            assert_eq!(made.get("client.id"), Some("ipstamp-x"));
            assert_eq!(made.get("reconnect.backoff.max.ms"), Some("9000"));
        }
    }
}
