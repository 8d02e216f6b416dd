//! What a check found, and how it is printed.

use std::fmt;

use serde::Serialize;

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// It cannot be seen without changing something.
    Unseen,
    /// `run` works, but not as one may expect.
    Warning,
    /// `run` would not work.
    Missing,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Item {
    pub(super) state: State,
    /// What was looked at.
    pub(super) subject: String,
    /// What was found.
    pub(super) found: String,
    /// What to do: words, or a command that is ready to be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// All findings, in the order of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Report(pub(super) Vec<Item>);

impl Report {
    pub(super) fn ok(&mut self, subject: impl Into<String>, found: impl Into<String>) {
        self.add(State::Ok, subject, found, None);
    }

    pub(super) fn warning(
        &mut self,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(State::Warning, subject, found, Some(remedy.into()));
    }

    pub(super) fn unseen(
        &mut self,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(State::Unseen, subject, found, Some(remedy.into()));
    }

    pub(super) fn missing(
        &mut self,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(State::Missing, subject, found, Some(remedy.into()));
    }

    fn add(
        &mut self,
        state: State,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.0.push(Item { state, subject: subject.into(), found: found.into(), remedy });
    }

    /// Whether something keeps `run` from working.
    pub(super) fn has_missing(&self) -> bool {
        self.0.iter().any(|item| item.state == State::Missing)
    }

    /// For programs: a line with an array of all.
    pub(super) fn as_json(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl fmt::Display for Report {
    /// For people: a line each, the remedy below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.0 {
            let state = match item.state {
                State::Ok => "ok",
                State::Unseen => "unseen",
                State::Warning => "warning",
                State::Missing => "missing",
            };
            writeln!(f, "{state:<8} {}: {}", item.subject, item.found)?;
            for line in item.remedy.iter().flat_map(|remedy| remedy.lines()) {
                writeln!(f, "         > {line}")?;
            }
        }
        Ok(())
    }
}
