//! What is written down for a later process says of which version its form is, so that an older ipstamp
//! leaves alone what it does not understand.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The form that this version writes, of everything that is written down here.
const VERSION: u32 = 1;

/// Why it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// By a newer version: it is sound, and not ours to touch.
    Newer,
    /// It is not what was written.
    Spoilt,
}

#[derive(Deserialize)]
struct Version {
    /// What was written before anything was said of it is of the first.
    #[serde(default = "first")]
    v: u32,
}

fn first() -> u32 {
    1
}

#[derive(Serialize)]
struct Written<'t, T> {
    v: u32,
    #[serde(flatten)]
    what: &'t T,
}

/// As JSON with its version.
pub(super) fn write<T: Serialize>(what: &T) -> Vec<u8> {
    // Structs with text and numbers: cannot fail.
    serde_json::to_vec_pretty(&Written { v: VERSION, what }).unwrap_or_default()
}

/// Reads what [`write`] wrote.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unread> {
    let Version { v } = serde_json::from_slice(bytes).map_err(|_| Unread::Spoilt)?;
    if v > VERSION {
        return Err(Unread::Newer);
    }
    serde_json::from_slice(bytes).map_err(|_| Unread::Spoilt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        number: u8,
    }

    #[test]
    fn what_is_newer_is_told_from_what_is_spoilt_and_what_says_nothing_is_of_the_first_version() {
        let thing = |text: &[u8]| read::<Thing>(text);
        assert_eq!(thing(&write(&Thing { number: 7 })), Ok(Thing { number: 7 }));
        assert_eq!(thing(br#"{"number":7}"#), Ok(Thing { number: 7 }));
        assert_eq!(thing(br#"{"v":2,"number":"seven"}"#), Err(Unread::Newer));
        for spoilt in ["", "{", r#"{"v":1}"#, r#"{"v":"1","number":7}"#, r#"{"number":-7}"#] {
            assert_eq!(thing(spoilt.as_bytes()), Err(Unread::Spoilt), "{spoilt}");
        }
    }
}
