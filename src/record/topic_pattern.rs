//! Which topics are read: exact names and patterns, as the consumer understands them.
//!
//! A pattern is searched in the topic's name by librdkafka with the C library's extended regular
//! expressions. Ours is another engine, so a pattern may only use what both understand alike.

use std::fmt;

use regex::Regex;

/// Bytes of a compiled pattern. One of topic names takes a few thousand.
const LARGEST_PATTERN: usize = 1 << 20;

/// One entry of `input.topics`.
#[derive(Clone, Debug)]
pub enum TopicPattern {
    /// This topic.
    Exact(String),
    /// All that match, but for Kafka's own.
    Regex(Regex),
}

impl TopicPattern {
    /// How the names of topics for Kafka's own needs begin, such as `__consumer_offsets`: they are
    /// read only when named exactly.
    pub const INTERNAL: &str = "__";
    /// What Kafka allows in the name of a topic.
    pub const ALPHABET: &[u8] =
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    /// Reads an entry: a pattern begins with `^`. The error says what is wrong and what to write.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.starts_with('^') {
            Self::check_name(text)?;
            return Ok(Self::Exact(text.into()));
        }
        check_common_ground(text)?;
        let compiled = regex::RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build();
        compiled.map(Self::Regex).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("the pattern cannot be read: {reason}")
        })
    }

    /// Whether a topic of this name is read.
    pub fn reads(&self, topic: &str) -> bool {
        match self {
            Self::Exact(name) => name == topic,
            Self::Regex(regex) => !topic.starts_with(Self::INTERNAL) && regex.is_match(topic),
        }
    }

    /// The entry as it is written.
    pub fn text(&self) -> &str {
        match self {
            Self::Exact(name) => name,
            Self::Regex(regex) => regex.as_str(),
        }
    }

    /// Whether Kafka takes this as the name of a topic. The error says what is wrong.
    pub fn check_name(name: &str) -> Result<(), String> {
        if let Some(odd) = name.bytes().find(|byte| !Self::ALPHABET.contains(byte)) {
            let odd = char::from(odd);
            let pattern =
                if "*+[]()|^$\\?".contains(odd) { "; a pattern begins with ^" } else { "" };
            return Err(format!(
                "the name of a topic is made of letters, digits, `.`, `_` and `-`{pattern}"
            ));
        }
        match name.len() {
            0 => Err("the name of a topic is missing".into()),
            1..=249 if name != "." && name != ".." => Ok(()),
            1..=249 => Err("Kafka does not allow this name of a topic".into()),
            _ => Err("the name of a topic has at most 249 characters".into()),
        }
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// All entries of `input.topics`.
#[derive(Clone, Default, PartialEq)]
pub struct TopicPatterns(Vec<TopicPattern>);

impl TopicPatterns {
    /// Whether a topic of this name is read.
    pub fn reads(&self, topic: &str) -> bool {
        self.0.iter().any(|pattern| pattern.reads(topic))
    }

    /// The entries, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &TopicPattern> {
        self.0.iter()
    }

    /// The topics that are read by their names.
    pub fn exact(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|pattern| match pattern {
            TopicPattern::Exact(name) => Some(name.as_str()),
            TopicPattern::Regex(_) => None,
        })
    }

    /// Whether all topics are known by their names.
    pub fn are_exact(&self) -> bool {
        self.0.iter().all(|pattern| matches!(pattern, TopicPattern::Exact(_)))
    }
}

impl FromIterator<TopicPattern> for TopicPatterns {
    fn from_iter<I: IntoIterator<Item = TopicPattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

impl fmt::Debug for TopicPatterns {
    /// As they are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(TopicPattern::text)).finish()
    }
}

/// Refuses what the C library and we would read differently.
fn check_common_ground(pattern: &str) -> Result<(), String> {
    let mut chars = pattern.chars().peekable();
    let mut after_repeat = false;
    while let Some(char) = chars.next() {
        let repeat = matches!(char, '*' | '+' | '?' | '}');
        if after_repeat && matches!(char, '*' | '+' | '?' | '{') {
            return Err("a repetition of a repetition (`*?`, `++`) means different things to \
                        different engines; write it as one"
                .into());
        }
        after_repeat = repeat;
        match char {
            '\\' => check_escape(chars.next())?,
            '(' if chars.peek() == Some(&'?') => {
                return Err(
                    "Kafka's client does not know groups that begin with `(?`; write plain \
                            groups"
                        .into(),
                );
            }
            '[' => check_brackets(&mut chars)?,
            other if !other.is_ascii() => {
                return Err("names of topics are ASCII, so the pattern is too".into());
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_escape(escaped: Option<char>) -> Result<(), String> {
    let Some(escaped) = escaped else {
        return Err("the pattern ends in a backslash; write `\\\\` for one".into());
    };
    let instead = match escaped {
        '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '\\'
        | '-' => {
            return Ok(());
        }
        'd' => "`[0-9]`",
        'w' => "`[A-Za-z0-9_]`",
        'D' => "`[^0-9]`",
        'W' => "`[^A-Za-z0-9_]`",
        _ => "the character itself, without the backslash",
    };
    Err(format!("Kafka's client does not know every escape that others know; write {instead}"))
}

fn check_brackets(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(), String> {
    chars.next_if_eq(&'^');
    // A bracket that stands first is a member of the set, to the C library.
    if chars.peek() == Some(&']') {
        return Err("write `\\]` outside of brackets for a closing bracket".into());
    }
    let mut before = None;
    while let Some(char) = chars.next() {
        match char {
            ']' => return Ok(()),
            '\\' => {
                return Err(
                    "a backslash within brackets is a backslash to Kafka's client; `.` and \
                            the like need none there, and `-` stands last"
                        .into(),
                );
            }
            '[' if chars.peek() == Some(&':') => {
                // `[:alpha:]`: to its end.
                while chars.next().is_some_and(|inner| inner != ']') {}
            }
            '[' => return Err("write brackets within brackets as two patterns".into()),
            '&' | '-' | '~' if before == Some(char) => {
                return Err("doubled `&`, `-` or `~` within brackets mean different things to \
                            different engines; write one"
                    .into());
            }
            other if !other.is_ascii() => {
                return Err("names of topics are ASCII, so the pattern is too".into());
            }
            _ => {}
        }
        before = Some(char);
    }
    Err("a `[` has no closing bracket".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_own_topics_are_read_only_by_their_exact_names() {
        let patterns = |texts: &[&str]| -> TopicPatterns {
            texts.iter().map(|text| TopicPattern::new(text).unwrap()).collect()
        };
        let wide = patterns(&["^.*", "logs"]);
        assert!(wide.reads("logs") && wide.reads("x") && !wide.reads("__consumer_offsets"));
        let exact = patterns(&["__consumer_offsets"]);
        assert!(exact.reads("__consumer_offsets") && !exact.reads("__consumer_offsets2"));
        assert!(exact.are_exact() && !wide.are_exact());
        assert_eq!(wide.exact().collect::<Vec<_>>(), ["logs"]);
        assert_eq!(format!("{wide:?}"), r#"["^.*", "logs"]"#);
    }
}
