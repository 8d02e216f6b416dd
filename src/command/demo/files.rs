//! `demo --files`: the demo's databases and some of its events as files, to try the other commands on.

use std::path::Path;
use std::time::SystemTime;

use super::events::write_event;
use super::{DATABASES, Exit, Failure, say};
use crate::command::starting_files;

/// So many events.
const EVENTS: u64 = 1000;

/// Writes them into a folder.
pub(super) fn write(dir: &Path) -> Result<Exit, Failure> {
    let (mut events, mut event, now) = (String::new(), String::new(), SystemTime::now());
    for number in 0..EVENTS {
        write_event(number, now, &mut event);
        events += &event;
        events.push('\n');
    }
    let [city, asn, privacy] = DATABASES.map(|(_, content)| content);
    let files = [
        ("city.mmdb", city),
        ("asn.mmdb", asn),
        ("privacy.mmdb", privacy),
        ("events.ndjson", events.as_bytes()),
    ];
    let [city, asn, privacy, events] = starting_files::write(dir, files, "--files")?;
    let [city, asn, events] = [city, asn, events].map(|path| path.display().to_string());
    say(&format!(
        "wrote {city}, {asn}, {} and {events}, with made-up facts and events\n  \
         > ipstamp lookup --mmdb {city} --mmdb {asn} 81.2.69.142\n  \
         > ipstamp enrich --mmdb {city} --mmdb {asn} {events}",
        privacy.display()
    ));
    Ok(Exit::Done)
}
