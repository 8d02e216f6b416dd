//! Words that products write where an address belongs, to say that there is none or that it is not
//! told: absent, and no fault.

/// In lower case, without what [`is_absent`] takes off.
const WORDS: [&str; 36] = [
    "",
    "-",
    "--",
    "?",
    "*",
    "any",
    "all",
    "unknown",
    "null",
    "nil",
    "none",
    "no",
    "undefined",
    "undef",
    "n/a",
    "na",
    "n.a.",
    "not available",
    "not applicable",
    "unavailable",
    "unresolved",
    "private",
    "internal",
    "hidden",
    "redacted",
    "anonymous",
    "empty",
    "localhost",
    "localhost.localdomain",
    "local",
    "console",
    "system",
    "gce-internal-ip",
    "aws internal",
    "unspecified",
    "0",
];

/// What products write when they have no address or do not tell it.
pub(super) fn is_absent(text: &str) -> bool {
    let bare = bare(text);
    WORDS.iter().any(|word| bare.eq_ignore_ascii_case(word))
        // RFC 7239: a name made up for one hop.
        || text.starts_with('_')
        || is_aws_service(text)
}

/// `<nil>`, `(none)`, `[null]`.
fn bare(text: &str) -> &str {
    let pairs = [('<', '>'), ('(', ')'), ('[', ']')];
    let inner = pairs.iter().find_map(|(open, close)| {
        text.strip_prefix(*open)?.strip_suffix(*close).filter(|inner| !inner.is_empty())
    });
    inner.unwrap_or(text)
}

/// A service that called on somebody's behalf: `ec2.amazonaws.com`.
fn is_aws_service(text: &str) -> bool {
    const DOMAIN: &str = ".amazonaws.com";
    let Some(at) = text.len().checked_sub(DOMAIN.len()) else { return false };
    at > 0 && text.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(DOMAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_none_is_told_in_all_spellings() {
        for text in ["None", "(none)", "<nil>", "LOCALHOST", "[null]", "N/A", "UNKNOWN", "_x", "-"]
        {
            assert!(is_absent(text), "{text}");
        }
        for text in ["localhost2", "[]", "()", "unknown.example", "1.2.3.4", "none of these"] {
            assert!(!is_absent(text), "{text}");
        }
    }
}
