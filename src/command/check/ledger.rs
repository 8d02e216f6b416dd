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
    let is_unseen = matches!(found, LedgerTopic::Present { settings: None, .. });
    if problems.is_empty() && is_unseen {
        report.warning(
            subject.clone(),
            "one partition; its settings may not be read, so it is not known whether it is compacted \
             and how long entries are kept",
            "grant DescribeConfigs on it, or look at cleanup.policy and retention.ms by hand",
        );
    } else if problems.is_empty() {
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
    use crate::fleet::TopicSettings;

    fn said(found: &LedgerTopic, wanted: Option<Duration>) -> String {
        let mut report = Report::default();
        let start = |tool: &str| format!("{tool} --bootstrap-server k:1");
        judge("ledger", found, wanted, start, &mut report);
        report.to_string()
    }

    #[test]
    fn without_a_budget_no_ledger_is_missed() {
        assert_eq!(said(&LedgerTopic::Missing { brokers: 3 }, None), "");
    }

    #[test]
    fn what_is_wrong_with_it_has_the_command_that_mends_it() {
        let day = Duration::from_secs(86_400);
        let missing = said(&LedgerTopic::Missing { brokers: 3 }, Some(day));
        let command =
            "> kafka-topics --bootstrap-server k:1 --create --topic ledger --partitions 1";
        assert!(missing.contains(command), "{missing}");
    }

    #[test]
    fn what_may_not_be_read_is_not_said_to_be_sound() {
        let unseen = LedgerTopic::Present { partitions: 1, brokers: 3, settings: None };
        assert!(said(&unseen, None).starts_with("warning  ledger ledger: one partition"));
        let settings = TopicSettings { compacted: false, retention: None, bounded_in_size: false };
        let sound = LedgerTopic::Present { partitions: 1, brokers: 3, settings: Some(settings) };
        assert!(said(&sound, None).starts_with("ok       ledger ledger: one partition"));
    }
}
