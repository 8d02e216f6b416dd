//! A time of day to the second: when facts were retrieved, and until when they hold.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970 UTC, good until 2106. The clock is read once per batch, not once per record.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub u32);

impl Moment {
    /// Nothing comes later.
    pub const LAST: Self = Self(u32::MAX);

    /// What the clock says.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// So much later; the last moment when there is no such.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(seconds))
    }

    /// So much earlier; the first moment when there is no such.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self(self.0.saturating_sub(seconds))
    }

    /// How much later this is than `earlier`; nothing when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::from(self.0.saturating_sub(earlier.0)))
    }
}

impl From<SystemTime> for Moment {
    /// A time before 1970 is taken for its beginning.
    fn from(time: SystemTime) -> Self {
        Self(0).after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}
