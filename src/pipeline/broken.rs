//! How often databases were found broken, for the metrics: each file counts from when it was opened,
//! and the process from its start.

use std::sync::Arc;

use crate::resolve::{Database, DatabaseSet};
use crate::telemetry::{DatabaseLabels, Metrics};

/// What was counted already, of the files in force.
#[derive(Default)]
pub(super) struct Broken(Vec<(Arc<Database>, u64)>);

impl Broken {
    /// Adds what has come since the last call.
    pub(super) fn count(&mut self, databases: &DatabaseSet, metrics: &Metrics) {
        let in_force = databases.in_force();
        let counts = in_force.iter().map(|database| {
            let now = database.broken();
            let before = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, database));
            let more = now.saturating_sub(before.map_or(0, |(_, before)| *before));
            if more > 0 {
                let labels = DatabaseLabels::of(database.name());
                metrics.database_broken.get_or_create(&labels).inc_by(more);
            }
            (Arc::clone(database), now)
        });
        self.0 = counts.collect();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::{Duration, UNIX_EPOCH};

    use mmdb_writer::{IpVersion, Writer, ipnet::IpNet};
    use serde_json::json;

    use super::*;
    use crate::record::{Address, Moment};
    use crate::resolve::{Resolver, Want, Wants};

    /// A file with a damaged record that opening it does not come across, and its address.
    fn damaged() -> (Arc<Database>, IpAddr) {
        let mut writer = Writer::builder("GeoLite2-City")
            .ip_version(IpVersion::V6)
            .build_epoch(UNIX_EPOCH + Duration::from_secs(1_767_225_600))
            .build();
        for (number, third) in (0..10_000).zip((1..40).flat_map(|b| (0..=255).map(move |c| (b, c))))
        {
            let network: IpNet = format!("1.{}.{}.0/24", third.0, third.1).parse().unwrap();
            let city = json!({"city": {"names": {"en": format!("City {number}")}}});
            writer.insert(network, &city).unwrap();
        }
        let mut bytes = writer.to_bytes().unwrap();
        let name = b"City 7777";
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        bytes[at] = 0xff;
        let address = IpAddr::from([1, 1 + (7777 / 256) as u8, (7777 % 256) as u8, 1]);
        (Arc::new(Database::new("city", bytes).unwrap()), address)
    }

    #[test]
    fn each_broken_place_is_counted_once_also_across_a_change_of_files() {
        let metrics = Metrics::new();
        let mut broken = Broken::default();
        let labels = DatabaseLabels::of("city");
        let mut counted = |set: &DatabaseSet| {
            broken.count(set, &metrics);
            metrics.database_broken.get(&labels).map_or(0, |counter| counter.get())
        };
        let (first, address) = damaged();
        let set = DatabaseSet::new(vec![Arc::clone(&first)]).unwrap();
        let set = Arc::new(set);
        let wants = Arc::new(Wants::new(&[Want("geo".into())]).unwrap());
        let mut resolver = Resolver::new(wants, Arc::clone(&set), Default::default(), 1 << 20);
        let mut finds = |address| {
            resolver.refresh(Moment::default());
            !resolver.resolve(&Address::new(address)).is_empty()
        };
        assert!(finds(IpAddr::from([1, 1, 0, 1])));
        assert_eq!(counted(&set), 0);
        assert!(!finds(address));
        assert_eq!(counted(&set), 1);
        assert_eq!(counted(&set), 1);
        set.replace(vec![damaged().0]).unwrap();
        assert_eq!(counted(&set), 1);
        assert!(!finds(address));
        assert_eq!(counted(&set), 2);
        assert_eq!(counted(&set), 2);
    }
}
