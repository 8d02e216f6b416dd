//! An answer as it stands in the topic.
//!
//! The key is `scope/address/group`, such as `shared/9.9.9.9/privacy`. The value is JSON: what each
//! source said of that group, the newest word of each.
//!
//! ```json
//! {"v": 1, "told": [{"by": "ipinfo", "at": 1763424000, "until": 1763431200, "closes": true,
//!                    "facts": {"vpn": true}}]}
//! ```
//!
//! The key `scope/cleared` says that what was told of a scope up to a moment does not count any more:
//!
//! ```json
//! {"v": 1, "cleared": 1763424000}
//! ```
//!
//! Times are seconds since 1970. `facts` has the fields of [`Enrichment`]'s group by their names;
//! without it the source knows nothing. A field that a reader does not know is passed over, so that
//! versions can run side by side; a value of another `v` is left alone.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::record::{Enrichment, FactGroup, GroupSet, Moment};
use crate::resolve::Entry;

const VERSION: u32 = 1;

#[derive(Debug, Deserialize, Serialize)]
struct Shared {
    v: u32,
    told: Vec<Word>,
}

/// What one source said of a group.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Word {
    /// The source's name.
    pub(super) by: String,
    /// When it said so.
    pub(super) at: Moment,
    /// Until when that holds.
    pub(super) until: Moment,
    /// Whether nobody else is to be asked.
    pub(super) closes: bool,
    /// The group's fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<Json>,
}

impl Word {
    /// The facts; an error when they are not those of the group.
    pub(super) fn facts(&self, group: FactGroup) -> Result<Option<Enrichment>, Unread> {
        let Some(fields) = &self.facts else { return Ok(None) };
        let whole = serde_json::json!({ member(group): fields });
        serde_json::from_value(whole).map(Some).map_err(|_| Unread::Damaged)
    }
}

/// It cannot be read; who needs the answer asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is no answer, or not a whole one.
    Damaged,
    /// Another version of ipstamp has written it, in a form that is not known here.
    Version,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Reads a value of the form that is known here.
fn read<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, Unread> {
    let damaged = |_| Unread::Damaged;
    let Version { v } = serde_json::from_slice(value).map_err(damaged)?;
    if v != VERSION {
        return Err(Unread::Version);
    }
    serde_json::from_slice(value).map_err(damaged)
}

/// The key of an answer.
pub(super) fn key(scope: &str, address: IpAddr, group: FactGroup) -> String {
    format!("{scope}/{address}/{group}")
}

/// In the place of an address and a group.
const CLEARED: &str = "/cleared";

#[derive(Debug, Deserialize, Serialize)]
struct Cleared {
    v: u32,
    cleared: Moment,
}

/// The key of what says that a scope was cleared.
pub(super) fn cleared_key(scope: &str) -> String {
    format!("{scope}{CLEARED}")
}

/// Its value.
pub(super) fn cleared_value(at: Moment) -> Vec<u8> {
    serde_json::to_vec(&Cleared { v: VERSION, cleared: at }).unwrap_or_default()
}

/// The scope, where a key is that of a clearing.
pub(super) fn read_cleared_key(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.strip_suffix(CLEARED)
}

/// When a scope was cleared.
pub(super) fn read_cleared(value: &[u8]) -> Result<Moment, Unread> {
    read(value).map(|read: Cleared| read.cleared)
}

/// Reads a key.
pub(super) fn read_key(key: &[u8]) -> Result<(&str, IpAddr, FactGroup), Unread> {
    let mut parts = std::str::from_utf8(key).map_err(|_| Unread::Damaged)?.rsplitn(3, '/');
    let group = parts.next().and_then(FactGroup::by_name).ok_or(Unread::Damaged)?;
    let address = parts.next().and_then(|text| text.parse().ok()).ok_or(Unread::Damaged)?;
    Ok((parts.next().ok_or(Unread::Damaged)?, address, group))
}

/// The value for what still holds of a group; None when nothing does. `name` says what a source is
/// called.
pub(super) fn value<'a>(
    entry: &Entry,
    group: FactGroup,
    now: Moment,
    name: impl Fn(u8) -> Option<&'a str>,
) -> Option<Vec<u8>> {
    let mut told = Vec::new();
    for said in entry.iter().filter(|said| !said.failed) {
        let end = said.ends().find(|(of, end)| *of == group && *end > now);
        let (Some((_, until)), Some(by)) = (end, name(said.source.0)) else { continue };
        let facts = said.has.contains(group).then(|| fields(&said.enrichment(), group)).flatten();
        let closes = said.closes.contains(group);
        told.push(Word { by: by.to_owned(), at: said.retrieved, until, closes, facts });
    }
    let shared = Shared { v: VERSION, told };
    (!shared.told.is_empty()).then(|| serde_json::to_vec(&shared).unwrap_or_default())
}

/// Reads a value.
pub(super) fn read_value(value: &[u8]) -> Result<Vec<Word>, Unread> {
    read(value).map(|shared: Shared| shared.told)
}

/// The fields of a group that are known.
fn fields(facts: &Enrichment, group: FactGroup) -> Option<Json> {
    let mut only = Enrichment::default();
    only.replace(GroupSet::EMPTY.with(group), facts);
    let mut whole = serde_json::to_value(only).ok()?;
    let mut fields = whole.get_mut(member(group))?.take();
    fields.as_object_mut()?.retain(|_, value| !value.is_null());
    Some(fields)
}

/// What the group is called in [`Enrichment`].
fn member(group: FactGroup) -> &'static str {
    match group {
        FactGroup::As => "autonomous_system",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::{AutonomousSystem, Privacy};
    use crate::resolve::{Cache, CacheConfig, CacheScope, Learned, SourceId};

    fn entry() -> Entry {
        let cache = Cache::new(&CacheConfig::default(), &[Arc::from("ipinfo")]);
        let facts = Enrichment {
            privacy: Some(Privacy { vpn: Some(true), ..Privacy::default() }),
            autonomous_system: Some(AutonomousSystem { number: Some(7), ..Default::default() }),
            ..Enrichment::default()
        };
        let asked = [FactGroup::Privacy, FactGroup::As, FactGroup::Geo].into_iter().collect();
        let learned = Learned { source: SourceId(0), asked, closes: asked, facts: Some(&facts) };
        let address = [9, 9, 9, 9].into();
        cache.put(CacheScope::SHARED, address, &learned, cache.lifetimes(), Moment(1000));
        cache.get(CacheScope::SHARED, address).unwrap()
    }

    fn written(group: FactGroup) -> Option<Vec<u8>> {
        value(&entry(), group, Moment(1000), |_| Some("ipinfo"))
    }

    #[test]
    fn what_was_written_is_read_group_by_group() {
        for (group, known) in
            [(FactGroup::Privacy, true), (FactGroup::As, true), (FactGroup::Geo, false)]
        {
            let words = read_value(&written(group).unwrap()).unwrap();
            assert_eq!((words.len(), words[0].by.as_str()), (1, "ipinfo"));
            assert_eq!((words[0].at, words[0].closes), (Moment(1000), true));
            let mut expected = Enrichment::default();
            let told = entry().iter().next().unwrap().enrichment();
            expected.replace(GroupSet::EMPTY.with(group), &told);
            assert_eq!(words[0].facts(group).unwrap(), known.then_some(expected), "{group}");
        }
        assert_eq!(written(FactGroup::Abuse), None, "nobody was asked");
        let ended = value(&entry(), FactGroup::As, Moment(100_000), |_| Some("ipinfo"));
        assert_eq!(ended, None);
    }

    #[test]
    fn a_clearing_is_read_as_it_was_written_and_is_no_answer() {
        let key = cleared_key("tenant/acme");
        assert_eq!(read_cleared_key(key.as_bytes()), Some("tenant/acme"));
        assert_eq!(read_key(key.as_bytes()), Err(Unread::Damaged), "to whoever knows answers only");
        assert_eq!(read_cleared(&cleared_value(Moment(7))), Ok(Moment(7)));
        assert_eq!(read_cleared(b"{\"v\":2,\"cleared\":7}"), Err(Unread::Version));
        assert_eq!(read_cleared_key(b"shared/9.9.9.9/privacy"), None);
    }

    #[test]
    fn only_what_is_known_is_written() {
        let value = String::from_utf8(written(FactGroup::Privacy).unwrap()).unwrap();
        assert!(value.contains(r#""facts":{"vpn":true}"#), "{value}");
    }

    #[test]
    fn keys_are_read_whatever_a_scope_is_called() {
        for (scope, address) in [("shared", "9.9.9.9"), ("a/b", "2620:fe::fe")] {
            let address = address.parse().unwrap();
            let key = key(scope, address, FactGroup::Privacy);
            assert_eq!(read_key(key.as_bytes()), Ok((scope, address, FactGroup::Privacy)));
        }
        for damaged in ["", "shared", "9.9.9.9/geo", "shared/9.9.9/geo", "shared/9.9.9.9/goe"] {
            assert_eq!(read_key(damaged.as_bytes()), Err(Unread::Damaged), "{damaged}");
        }
    }

    #[test]
    fn what_is_damaged_or_of_another_version_is_no_answer() {
        let sound = String::from_utf8(written(FactGroup::Privacy).unwrap()).unwrap();
        for end in 0..sound.len() {
            assert_eq!(read_value(&sound.as_bytes()[..end]), Err(Unread::Damaged));
        }
        for (from, to) in
            [("\"v\":1", "\"v\":\"1\""), ("\"told\":[", "\"told\":[7,"), ("1000", "-1")]
        {
            assert_eq!(
                read_value(sound.replace(from, to).as_bytes()),
                Err(Unread::Damaged),
                "{to}"
            );
        }
        for (from, to) in [("\"v\":1", "\"v\":2"), ("\"v\":1,\"told\":[", "\"v\":0,\"said\":[")] {
            assert_eq!(
                read_value(sound.replace(from, to).as_bytes()),
                Err(Unread::Version),
                "{to}"
            );
        }
        let wrong = sound.replace("{\"vpn\":true}", "{\"vpn\":\"yes\"}");
        let words = read_value(wrong.as_bytes()).unwrap();
        assert_eq!(words[0].facts(FactGroup::Privacy), Err(Unread::Damaged));
        let newer = sound.replace("{\"vpn\":true}", "{\"vpn\":true,\"new\":1}");
        let words = read_value(newer.as_bytes()).unwrap();
        assert!(words[0].facts(FactGroup::Privacy).unwrap().is_some(), "a further field");
    }
}
