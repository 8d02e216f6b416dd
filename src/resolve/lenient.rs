//! A record's fields by name, read leniently: what a file or a reply writes in one of many ways.

use super::value::Value;

/// The group, unless nothing of it is known.
pub(super) fn unless_empty<T: Default + PartialEq>(group: T) -> Option<T> {
    (group != T::default()).then_some(group)
}

/// Asks a record for its fields by name; the first of several names that has a usable value wins.
#[derive(Clone, Copy)]
pub(super) struct Fields<'r, 'a>(pub(super) &'r Value<'a>);

impl<'a> Fields<'_, 'a> {
    fn first<T>(self, keys: &[&str], read: impl Fn(&Value<'a>) -> Option<T>) -> Option<T> {
        keys.iter().find_map(|key| self.0.get(key).and_then(&read))
    }

    pub(super) fn text(self, keys: &[&str]) -> Option<String> {
        self.first(keys, |value| value.text().map(str::to_owned))
    }

    pub(super) fn name(self, keys: &[&str]) -> Option<String> {
        self.first(keys, |value| value.name().map(str::to_owned))
    }

    pub(super) fn code(self, keys: &[&str]) -> Option<String> {
        self.first(keys, Value::code)
    }

    pub(super) fn flag(self, keys: &[&str]) -> Option<bool> {
        self.first(keys, Value::flag)
    }

    pub(super) fn number(self, keys: &[&str]) -> Option<f64> {
        self.first(keys, Value::number)
    }

    /// From 0 to 100.
    pub(super) fn percent(self, keys: &[&str]) -> Option<f64> {
        self.number(keys).filter(|number| (0.0..=100.0).contains(number))
    }

    pub(super) fn whole(self, keys: &[&str]) -> Option<u32> {
        self.first(keys, Value::whole)
    }

    pub(super) fn as_number(self, keys: &[&str]) -> Option<u32> {
        self.first(keys, Value::as_number)
    }

    /// Two letters, in capitals: a country or a continent.
    pub(super) fn two_letters(self, keys: &[&str]) -> Option<String> {
        self.first(keys, |value| {
            let text = value.text()?;
            let code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            code.then(|| text.to_ascii_uppercase())
        })
    }
}

/// A place on Earth in degrees; both or neither.
pub(super) fn location(latitude: Option<f64>, longitude: Option<f64>) -> Option<(f64, f64)> {
    let (latitude, longitude) = (latitude?, longitude?);
    let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    on_earth.then_some((latitude, longitude))
}

/// ISO 3166-2: the country, a dash, the subdivision. Some files write it whole.
pub(super) fn region_iso_code(country: Option<&str>, code: Option<String>) -> Option<String> {
    let (country, code) = (country?, code?);
    let whole = code.strip_prefix(country).is_some_and(|rest| rest.starts_with('-'));
    if whole {
        return Some(code);
    }
    let part = code.len() <= 3 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    part.then(|| format!("{country}-{code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_code_carries_its_country_once() {
        let code = |country, code: &str| region_iso_code(country, Some(code.to_owned()));
        assert_eq!(code(Some("GB"), "ENG").as_deref(), Some("GB-ENG"));
        assert_eq!(code(Some("GB"), "GB-ENG").as_deref(), Some("GB-ENG"));
        assert_eq!(code(Some("US"), "California"), None);
        assert_eq!(code(None, "ENG"), None);
    }

    #[test]
    fn a_location_off_the_earth_is_no_location() {
        assert_eq!(location(Some(90.0), Some(-180.0)), Some((90.0, -180.0)));
        assert_eq!(location(Some(90.1), Some(0.0)), None);
        assert_eq!(location(Some(0.0), Some(180.1)), None);
        assert_eq!(location(Some(1.0), None), None);
    }
}
