//! What a billing unit costs in money, as it is written: `0.0004 EUR`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many are one of the currency. Prices of single lookups are far below a cent.
const PARTS: u128 = 1_000_000_000;
/// So many decimals that makes.
const DECIMALS: usize = 9;

/// What one billing unit costs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct UnitPrice(Money);

impl UnitPrice {
    /// What so many cost.
    pub fn of(&self, units: u64) -> Money {
        let parts = self.0.parts.saturating_mul(units.into());
        Money { parts, currency: self.0.currency.clone() }
    }
}

/// An amount of money. Exact: nothing is rounded but for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// Billionths.
    parts: u128,
    currency: String,
}

impl Money {
    /// Its currency: `EUR`.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// The sum of those that are of one currency; None of nothing.
    pub fn sum<'m>(all: impl Iterator<Item = &'m Self>) -> Option<Self> {
        let mut all = all.peekable();
        let currency = all.peek()?.currency.clone();
        let parts = all.filter(|one| one.currency == currency).map(|one| one.parts).sum();
        Some(Self { parts, currency })
    }

    /// The amount as a decimal fraction, without zeros at its end.
    pub fn amount(&self) -> String {
        let (whole, part) = (self.parts / PARTS, self.parts % PARTS);
        let part = format!("{part:0DECIMALS$}");
        let part = part.trim_end_matches('0');
        if part.is_empty() { whole.to_string() } else { format!("{whole}.{part}") }
    }
}

/// For people: to the next cent, and all of what is less than one.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CENT: u128 = PARTS / 100;
        let Self { parts, currency } = self;
        if *parts < CENT {
            return write!(f, "{} {currency}", self.amount());
        }
        let cents = parts.div_ceil(CENT);
        write!(f, "{}.{:02} {currency}", cents / 100, cents % 100)
    }
}

/// For programs: `{"amount": "0.3", "currency": "EUR"}`, where no digit is lost.
impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut money = serializer.serialize_struct("Money", 2)?;
        money.serialize_field("amount", &self.amount())?;
        money.serialize_field("currency", &self.currency)?;
        money.end()
    }
}

impl TryFrom<String> for UnitPrice {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        read(&text).map(Self).ok_or("expected an amount and a currency, such as 0.0004 EUR")
    }
}

impl From<UnitPrice> for String {
    fn from(UnitPrice(price): UnitPrice) -> Self {
        format!("{} {}", price.amount(), price.currency)
    }
}

fn read(text: &str) -> Option<Money> {
    let (amount, currency) = text.trim().split_once(' ')?;
    let currency = currency.trim_start();
    let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_code || whole.is_empty() || !is_number(whole) || !is_number(part) {
        return None;
    }
    // Up to a billion, so that nothing runs over.
    if whole.len() > DECIMALS || part.len() > DECIMALS || amount.ends_with('.') {
        return None;
    }
    let parts = format!("{whole}{part:0<DECIMALS$}").parse().ok()?;
    Some(Money { parts, currency: currency.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Result<UnitPrice, &'static str> {
        UnitPrice::try_from(text.to_owned())
    }

    #[test]
    fn a_price_is_an_amount_and_a_currency_and_is_written_as_it_was_read() {
        for (text, same) in
            [("0.0004 EUR", "0.0004 EUR"), (" 2  USD", "2 USD"), ("1.50 CHF", "1.5 CHF")]
        {
            assert_eq!(price(text).map(String::from), Ok(same.to_owned()));
        }
        for wrong in [
            "",
            "1",
            "EUR 1",
            "1 eur",
            "1 EURO",
            "-1 EUR",
            "1,5 EUR",
            ".5 EUR",
            "1. EUR",
            "0.0000000001 EUR",
            "1000000000000 EUR",
            "1e3 EUR",
        ] {
            assert!(price(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn money_is_exact_and_rounded_up_for_people_only() {
        let price = price("0.0001 EUR").unwrap();
        for (units, amount, said) in [
            (0, "0", "0 EUR"),
            (3, "0.0003", "0.0003 EUR"),
            (101, "0.0101", "0.02 EUR"),
            (1_234_567, "123.4567", "123.46 EUR"),
            (u64::MAX, "1844674407370955.1615", "1844674407370955.17 EUR"),
        ] {
            let money = price.of(units);
            assert_eq!((money.amount().as_str(), money.to_string().as_str()), (amount, said));
        }
        let both = [price.of(1), price.of(2)];
        assert_eq!(Money::sum(both.iter()), Some(price.of(3)));
        assert_eq!(Money::sum([].iter()), None);
    }
}
