//! A URL as somebody wrote it, who may have put a secret into it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands for something that is put in later, and so is no secret.
const PLACEHOLDERS: [&str; 2] = ["{token}", "{ip}"];

/// A URL of the configuration. Wherever it is printed or serialised it shows neither the values of its
/// query nor a user or a password: `https://***@a.example/x?key=***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct UrlText(String);

impl UrlText {
    /// A URL of this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for those who call it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UrlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, fragment) = match self.0.split_once('#') {
            Some((text, _)) => (text, "#***"),
            None => (self.0.as_str(), ""),
        };
        let (place, query) = match text.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (text, None),
        };
        f.write_str(&without_user(place))?;
        for (nth, part) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
            f.write_str(if nth == 0 { "?" } else { "&" })?;
            match part.split_once('=') {
                Some((_, value)) if PLACEHOLDERS.contains(&value) => f.write_str(part)?,
                Some((name, _)) => write!(f, "{name}=***")?,
                None if part.is_empty() => {}
                None => f.write_str("***")?,
            }
        }
        f.write_str(fragment)
    }
}

/// Without what stands before an `@` in the place of the host.
fn without_user(place: &str) -> Cow<'_, str> {
    let begin = place.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = place.split_at(begin);
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) if begin > 0 => format!("{scheme}***{}", &rest[at..]).into(),
        _ => place.into(),
    }
}

impl fmt::Debug for UrlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for UrlText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl schemars::JsonSchema for UrlText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Url".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_query_and_no_user_is_shown_and_all_else_is() {
        for (text, shown) in [
            ("https://a.example/x/city.mmdb", "https://a.example/x/city.mmdb"),
            ("https://a.example/x?key=s3cret&y=2", "https://a.example/x?key=***&y=***"),
            ("https://a.example/x?key={token}&ip={ip}", "https://a.example/x?key={token}&ip={ip}"),
            ("https://a.example/x?key=s3{token}", "https://a.example/x?key=***"),
            ("https://a.example/x?s3cret", "https://a.example/x?***"),
            ("https://a.example?a=b=s3cret#s3cret", "https://a.example?a=***#***"),
            ("https://u:s3cret@a.example/x@y", "https://***@a.example/x@y"),
            ("https://s3@cret@a.example", "https://***@a.example"),
            ("https://a.example/{ip}?", "https://a.example/{ip}?"),
            ("/mnt/mirror@home", "/mnt/mirror@home"),
        ] {
            let url = UrlText::new(text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
            assert_eq!(serde_json::to_value(&url).unwrap(), shown);
            assert_eq!(url.expose(), text);
        }
    }
}
