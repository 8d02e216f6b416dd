//! The name that was probably meant by somebody who wrote another one.

use std::fmt;

/// Before the name.
const WORDS: &str = "did you mean";

/// Behind what is wrong with a name: `; did you mean `geo`?`, and nothing where no known one is like it.
#[derive(Clone, Copy, Debug)]
pub struct DidYouMean<'n>(pub Option<&'n str>);

impl DidYouMean<'_> {
    /// Whether a text says so.
    pub fn is_said_in(text: &str) -> bool {
        text.contains(WORDS)
    }
}

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "; {WORDS} `{name}`?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_said_and_none_is_passed_over() {
        let said = format!("unknown key{}", DidYouMean(Some("want")));
        assert_eq!(said, "unknown key; did you mean `want`?");
        assert!(DidYouMean::is_said_in(&said));
        assert_eq!(format!("unknown key{}", DidYouMean(None)), "unknown key");
    }
}
