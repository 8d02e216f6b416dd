//! Words of the `databases` section for files that are fetched: from whom, how often, and what holds
//! until the first one is there.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who a file is fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FetchSource {
    /// IPinfo: `file` and `token`.
    Ipinfo,
    /// MaxMind: `edition`, `account` and `token`, which is the licence key.
    Maxmind,
    /// IPGeolocation.io: `file` and `token`.
    Ipgeolocation,
    /// DB-IP's free files: `file`.
    Dbip,
    /// Any server: `url`.
    Url,
    /// What `ipstamp db fetch --to` wrote: `url`, of a server or a folder.
    Mirror,
}

impl FetchSource {
    /// As it is configured.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipinfo => "ipinfo",
            Self::Maxmind => "maxmind",
            Self::Ipgeolocation => "ipgeolocation",
            Self::Dbip => "dbip",
            Self::Url => "url",
            Self::Mirror => "mirror",
        }
    }
}

/// How often a newer file is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Daily.
    #[default]
    Day,
    /// Weekly.
    Week,
    /// Each second week.
    #[serde(alias = "two_weeks")]
    Biweekly,
    /// Every thirty days.
    Month,
}

impl Every {
    /// So long.
    pub const fn duration(self) -> Duration {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Biweekly => 14,
            Self::Month => 30,
        };
        Duration::from_secs(days * 24 * 60 * 60)
    }
}

/// What holds while no file was ever there and whoever has it refuses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Nothing is read until it is there.
    #[default]
    Wait,
    /// Records are stamped without it until it is there.
    RunWithout,
}

/// A part of a whole, in hundredths of a per cent; written as `5 %`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Share(u32);

impl Share {
    /// More than any vendor's file changes from one release to the next, and less than a file changes
    /// that is another one, or went wrong.
    pub const USUAL: Self = Self(500);

    /// So many of so many.
    pub fn of(part: usize, whole: usize) -> Self {
        Self((part * 10_000).div_ceil(whole.max(1)) as u32)
    }
}

impl TryFrom<String> for Share {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = text.strip_suffix('%').and_then(|text| text.trim_end().parse::<f64>().ok());
        let number = number.filter(|number| (0.0..=100.0).contains(number));
        number
            .map(|number| Self((number * 100.0).round() as u32))
            .ok_or("expected a share such as 5 %, from 0 % to 100 %")
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_it_is_written() {
        for (text, shown) in [("5 %", "5 %"), ("2.5%", "2.5 %"), ("100 %", "100 %"), ("0%", "0 %")]
        {
            assert_eq!(Share::try_from(text.to_owned()).unwrap().to_string(), shown);
        }
        for text in ["5", "-1 %", "101 %", "NaN %", "% 5", ""] {
            assert!(Share::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(Share::of(41, 1000).to_string(), "4.1 %");
        assert!(Share::of(1, 100_000) > Share::of(0, 1), "never rounded down to nothing");
    }
}
