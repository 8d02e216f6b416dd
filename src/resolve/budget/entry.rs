//! An entry of the ledger: what it says, and how it is written.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::config::Limits;
use crate::record::Day;

/// The form that this version writes. A reader that meets a higher one cannot compute what is left.
const VERSION: u32 = 1;

/// One entry. Written once or, when it is not known whether it arrived, again with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Tells it from every other.
    pub id: Uuid,
    /// The process that wrote it: new at each start.
    pub owner: Uuid,
    /// The name of the licence.
    pub licence: String,
    /// The day that the units are of, and so all periods that it is part of.
    pub day: Day,
    /// What it does.
    pub act: Act,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Wants so many units; has them if they fit.
    Claim {
        /// In the billing unit.
        units: u64,
        /// What the owner believes the budget to be.
        limits: Limits,
    },
    /// Gives units back that were claimed and never spent.
    Release {
        /// In the billing unit.
        units: u64,
        /// The owner claims no more: what it believes counts no longer.
        leaving: bool,
    },
}

/// Why a record of the ledger's topic is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Something else: no reader takes it for an entry.
    #[error("not an entry of the ledger")]
    Foreign,
    /// Written by a newer version: what it spends is not known.
    #[error("written by a newer version of ipstamp")]
    Newer,
}

#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    id: String,
    owner: String,
    licence: String,
    day: String,
    #[serde(flatten)]
    act: WrittenAct,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenAct {
    Claim {
        units: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        month: Option<u64>,
        resets_on: u8,
    },
    Release {
        units: u64,
        #[serde(default)]
        leaving: bool,
    },
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Entry {
    /// As JSON: `{"v":1,"id":…,"owner":…,"licence":…,"day":"2025-11-25","claim":{"units":31,…}}`.
    pub fn write(&self) -> Vec<u8> {
        let act = match self.act {
            Act::Claim { units, limits: Limits { day, month, resets_on } } => {
                WrittenAct::Claim { units, day, month, resets_on }
            }
            Act::Release { units, leaving } => WrittenAct::Release { units, leaving },
        };
        let written = Written {
            v: VERSION,
            id: self.id.simple().to_string(),
            owner: self.owner.simple().to_string(),
            licence: self.licence.clone(),
            day: self.day.to_string(),
            act,
        };
        // Numbers and text: cannot fail.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads what [`Entry::write`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let foreign = |_| Unreadable::Foreign;
        let Version { v } = serde_json::from_slice(bytes).map_err(foreign)?;
        if v > VERSION {
            return Err(Unreadable::Newer);
        }
        let written: Written = serde_json::from_slice(bytes).map_err(foreign)?;
        let act = match written.act {
            WrittenAct::Claim { units, day, month, resets_on } => {
                Act::Claim { units, limits: Limits { day, month, resets_on } }
            }
            WrittenAct::Release { units, leaving } => Act::Release { units, leaving },
        };
        let id = |text: &str| Uuid::try_parse(text).map_err(|_| Unreadable::Foreign);
        Ok(Self {
            id: id(&written.id)?,
            owner: id(&written.owner)?,
            licence: written.licence,
            day: written.day.parse().map_err(|()| Unreadable::Foreign)?,
            act,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_is_written_as_documented() {
        let entry = Entry {
            id: Uuid::from_u128(1),
            owner: Uuid::from_u128(2),
            licence: "main".into(),
            day: "2025-11-25".parse().unwrap(),
            act: Act::Claim {
                units: 31,
                limits: Limits { day: Some(1000), month: None, resets_on: 12 },
            },
        };
        let text = String::from_utf8(entry.write()).unwrap();
        assert_eq!(
            text,
            r#"{"v":1,"id":"00000000000000000000000000000001","owner":"00000000000000000000000000000002","licence":"main","day":"2025-11-25","claim":{"units":31,"day":1000,"resets_on":12}}"#
        );
    }

    #[test]
    fn what_is_newer_is_told_from_what_is_foreign() {
        assert_eq!(Entry::read(br#"{"v":2,"spend":{"everything":true}}"#), Err(Unreadable::Newer));
        for foreign in ["", "{}", "[]", "null", r#"{"v":1}"#, r#"{"v":"1"}"#, "\u{0}\u{1}"] {
            assert_eq!(Entry::read(foreign.as_bytes()), Err(Unreadable::Foreign), "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_written(
            id: u128, owner: u128, day in 0..2_900_000, units: u64,
            limits in (any::<Option<u64>>(), any::<Option<u64>>(), 1..=31_u8), leaving: Option<bool>,
        ) {
            let (daily, month, resets_on) = limits;
            let act = match leaving {
                Some(leaving) => Act::Release { units, leaving },
                None => Act::Claim { units, limits: Limits { day: daily, month, resets_on } },
            };
            let entry = Entry {
                id: Uuid::from_u128(id),
                owner: Uuid::from_u128(owner),
                licence: "a/b".into(),
                day: Day(day),
                act,
            };
            prop_assert_eq!(Entry::read(&entry.write()), Ok(entry));
        }
    }
}
