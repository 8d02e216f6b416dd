//! The `budget` of a provider in the configuration.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::calendar::Period;
use crate::record::Day;

/// What may be spent with a licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetConfig {
    /// `none`: as much as it takes, said aloud.
    None,
    /// Never more than this.
    Limited(LimitedBudget),
}

/// A budget in the provider's billing unit: elements, credits or requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitedBudget {
    /// At most so many units from midnight to midnight, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u64>,
    /// At most so many units in a billing month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<u64>,
    /// The day of the month on which the billing month begins, at midnight UTC: 1 to 31, and the
    /// last day of a month that has none of that number.
    #[serde(default = "first_of_month")]
    #[schemars(range(min = 1, max = 31))]
    pub resets_on: u8,
    /// A name for the licence, of one's own choosing, that all processes that use it have in
    /// common: they share the budget. Default: the provider's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

fn first_of_month() -> u8 {
    1
}

impl BudgetConfig {
    /// The limits; None where there are none.
    pub fn limits(&self) -> Option<Limits> {
        match self {
            Self::None => None,
            Self::Limited(budget) => {
                Some(Limits { day: budget.day, month: budget.month, resets_on: budget.resets_on })
            }
        }
    }

    /// The licence's name, where one is given.
    pub fn licence(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Limited(budget) => budget.licence.as_deref(),
        }
    }

    /// What is wrong with it: the key, empty for the whole, and what to do.
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let Self::Limited(budget) = self else { return Vec::new() };
        let mut problems = Vec::new();
        if budget.day.is_none() && budget.month.is_none() {
            problems.push(("", "name a limit such as {day: 50000}, or write `none` for no limit"));
        }
        for (key, units) in [("day", budget.day), ("month", budget.month)] {
            if units == Some(0) {
                problems.push((key, "nothing could be spent, and 0 switches nothing off: leave the provider out, or empty its token's file"));
            }
        }
        if !(1..=31).contains(&budget.resets_on) {
            problems.push(("resets_on", "expected a day of the month, 1 to 31"));
        }
        if budget.licence.as_deref().is_some_and(|name| !is_name(name)) {
            problems.push((
                "licence",
                "expected at most 100 letters, digits and . _ - /; not the token itself",
            ));
        }
        problems
    }
}

/// Whether a licence may be called so: it is a key of records, a label, and part of log lines.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    (1..=100).contains(&name.len()) && name.bytes().all(fits)
}

/// How much may be spent in which periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units a day.
    pub day: Option<u64>,
    /// Units a billing month.
    pub month: Option<u64>,
    /// The day on which the billing month begins.
    pub resets_on: u8,
}

/// The kinds of periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodKind {
    /// From midnight to midnight.
    Day,
    /// From one billing day to the next.
    Month,
}

impl PeriodKind {
    /// The name in metrics and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl Limits {
    /// The narrower of both, of each kind. Billing months that begin on different days cannot be
    /// compared: of these it is the smaller number, by the own days.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let narrower = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            day: narrower(self.day, other.day),
            month: narrower(self.month, other.month),
            resets_on: if self.month.is_some() { self.resets_on } else { other.resets_on },
        }
    }

    /// The limited periods that a day is part of.
    pub fn periods(self, day: Day) -> impl Iterator<Item = (PeriodKind, Period, u64)> {
        let alone = self.day.map(|limit| (PeriodKind::Day, day.alone(), limit));
        let month = self.month.map(|limit| (PeriodKind::Month, day.month(self.resets_on), limit));
        alone.into_iter().chain(month)
    }
}

impl<'de> Deserialize<'de> for BudgetConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NoneOrLimits;

        impl<'de> Visitor<'de> for NoneOrLimits {
            type Value = BudgetConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("limits such as {day: 50000}, or none")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<BudgetConfig, E> {
                match text {
                    "none" => Ok(BudgetConfig::None),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Other("text"), &self)),
                }
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<BudgetConfig, M::Error> {
                LimitedBudget::deserialize(MapAccessDeserializer::new(map))
                    .map(BudgetConfig::Limited)
            }
        }

        deserializer.deserialize_any(NoneOrLimits)
    }
}

impl Serialize for BudgetConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Limited(budget) => budget.serialize(serializer),
        }
    }
}

impl JsonSchema for BudgetConfig {
    fn schema_name() -> Cow<'static, str> {
        "Budget".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let limited = generator.subschema_for::<LimitedBudget>();
        json_schema!({
            "description": "What may be spent with a licence, or `none` for no limit.",
            "oneOf": [{ "const": "none" }, limited]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<BudgetConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_budget_is_limits_or_none() {
        assert_eq!(read("\"none\"").unwrap(), BudgetConfig::None);
        let budget = read(r#"{"day": 5, "month": 100, "resets_on": 12, "licence": "main"}"#);
        let budget = budget.unwrap();
        let limits = Limits { day: Some(5), month: Some(100), resets_on: 12 };
        assert_eq!(budget.limits(), Some(limits));
        assert_eq!(budget.licence(), Some("main"));
        assert!(budget.problems().is_empty());
        for budget in [budget, BudgetConfig::None] {
            let text = serde_json::to_string(&budget).unwrap();
            assert_eq!(read(&text).unwrap(), budget);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for json in ["\"unlimited\"", "5", "true", r#"{"week": 5}"#, r#"{"day": -1}"#, "null"] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_budget_that_limits_nothing_or_names_no_day_is_said() {
        let keys =
            |json| read(json).unwrap().problems().iter().map(|(key, _)| *key).collect::<Vec<_>>();
        assert_eq!(keys("{}"), [""]);
        assert_eq!(keys(r#"{"day": 1, "resets_on": 0}"#), ["resets_on"]);
        assert_eq!(keys(r#"{"day": 1, "resets_on": 32}"#), ["resets_on"]);
        assert_eq!(keys(r#"{"day": 1, "licence": "a b"}"#), ["licence"]);
        assert_eq!(keys(r#"{"day": 0}"#), ["day"]);
        assert_eq!(keys(r#"{"day": 5, "month": 0}"#), ["month"]);
    }
}
