//! What a check says of the ledger's topic, where there is one.

use std::time::Duration;

use super::report::Report;
use crate::fleet::LedgerTopic;

/// Says what is wrong with the topic. `wanted`: how long entries are to be kept; None when no budget
/// is limited: then a topic that is missing is not missed.
pub(super) fn judge(
    topic: &str,
    found: &LedgerTopic,
    wanted: Option<Duration>,
    start: impl Fn(&str) -> String,
    report: &mut Report,
) {
    if wanted.is_none() && !matches!(found, LedgerTopic::Present { .. }) {
        return;
    }
    let subject = format!("ledger {topic}");
    let problems = found.problems(topic, wanted.unwrap_or_default());
    if problems.is_empty() {
        report.ok(subject.clone(), "one partition, and entries are kept for long enough");
    }
    for problem in problems {
        let (tool, arguments) = problem.remedy;
        report.missing(subject.clone(), problem.found, format!("{} {arguments}", start(tool)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(found: &LedgerTopic, wanted: Option<Duration>) -> String {
        let mut report = Report::default();
        let start = |tool: &str| format!("{tool} --bootstrap-server k:1");
        judge("ledger", found, wanted, start, &mut report);
        report.to_string()
    }

    #[test]
    fn without_a_budget_no_ledger_is_missed() {
        assert_eq!(said(&LedgerTopic::Missing, None), "");
    }

    #[test]
    fn what_is_wrong_with_it_has_the_command_that_mends_it() {
        let day = Duration::from_secs(86_400);
        let missing = said(&LedgerTopic::Missing, Some(day));
        let command =
            "> kafka-topics --bootstrap-server k:1 --create --topic ledger --partitions 1";
        assert!(missing.contains(command), "{missing}");
        let sound = LedgerTopic::Present { partitions: 1, settings: None };
        assert!(said(&sound, Some(day)).starts_with("ok       ledger ledger: one partition"));
    }
}
