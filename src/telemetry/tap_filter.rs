//! Which of the records that pass somebody wants to see.

use memchr::memmem::Finder;

use super::taps::PassingRecord;

/// See the head of the file. All that is named has to hold.
#[derive(Clone, Debug, Default)]
pub struct TapFilter {
    /// Where it was read, or to which it goes.
    pub topic: Option<String>,
    /// How it ends: the name of an outcome, of a reason or of a class of dead letters.
    pub outcome: Option<String>,
    /// In the key or in the value.
    pub text: Option<TapText>,
}

impl TapFilter {
    pub(super) fn fits(&self, record: &PassingRecord<'_>) -> bool {
        let is_outcome = |wanted: &String| {
            let is = |outcome: crate::record::Outcome| [outcome.name(), outcome.why()];
            record.outcome.is_some_and(|outcome| is(outcome).contains(&wanted.as_str()))
        };
        self.topic.as_ref().is_none_or(|topic| topic == record.topic)
            && self.outcome.as_ref().is_none_or(is_outcome)
            && self.text.as_ref().is_none_or(|text| text.is_in(record))
    }
}

/// A text that is looked for byte for byte.
#[derive(Clone, Debug)]
pub struct TapText(Finder<'static>);

impl TapText {
    /// This text.
    pub fn new(text: &str) -> Self {
        Self(Finder::new(text).into_owned())
    }

    fn is_in(&self, record: &PassingRecord<'_>) -> bool {
        let mut texts = [record.value, record.key].into_iter().flatten();
        texts.any(|text| self.0.find(text).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Reason};

    #[test]
    fn all_that_is_named_has_to_hold() {
        let record = PassingRecord {
            topic: "logs",
            partition: Some(0),
            offset: Some(7),
            timestamp: None,
            outcome: Some(Outcome::Partial(Reason::Budget)),
            key: Some(b"gate-7"),
            value: Some(b"{\"source\":{\"ip\":\"192.0.2.1\"}}"),
            is_again: false,
        };
        let filter = |topic: &str, outcome: &str, text: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (topic, outcome) = (some(topic), some(outcome));
            TapFilter { topic, outcome, text: some(text).map(|text| TapText::new(&text)) }
        };
        for (topic, outcome, text, fits) in [
            ("", "", "", true),
            ("logs", "partial", "192.0.2.1", true),
            ("", "budget", "gate-7", true),
            ("log", "", "", false),
            ("", "enriched", "", false),
            ("", "", "192.0.2.2", false),
            ("logs", "partial", "GATE", false),
        ] {
            let fitted = filter(topic, outcome, text).fits(&record);
            assert_eq!(fitted, fits, "{topic:?} {outcome:?} {text:?}");
        }
        let coming = PassingRecord { outcome: None, value: None, key: None, ..record };
        assert!(filter("logs", "", "").fits(&coming), "a record without anything");
        assert!(!filter("", "partial", "").fits(&coming), "nothing has become of it yet");
        assert!(!filter("", "", "1").fits(&coming), "there is no text");
    }
}
