//! What a check says of the answers topic, where one is named.

use super::report::Report;
use crate::fleet::{LedgerTopic, problems_of_answers};
use crate::record::FactGroup;
use crate::resolve::CacheConfig;

/// Says what is wrong with the topic, and the command that mends it.
pub(super) fn judge(
    config: &CacheConfig,
    topic: &str,
    found: &LedgerTopic,
    start: impl Fn(&str) -> String,
    report: &mut Report,
) {
    let lifetimes = config.lifetimes();
    let longest = FactGroup::ALL.map(|group| lifetimes.of(group)).into_iter().max();
    // Twice as long, so that neither jitter nor clocks matter.
    let longest = longest.unwrap_or_default() * 2 + config.serve_stale.unwrap_or_default();
    let subject = format!("answers {topic}");
    let problems = problems_of_answers(found, topic, longest);
    if problems.is_empty() {
        report.ok(subject.clone(), "compacted: the fleet shares what it pays for");
    }
    for problem in problems {
        let (tool, arguments) = problem.remedy;
        report.missing(subject.clone(), problem.found, format!("{} {arguments}", start(tool)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(found: &LedgerTopic) -> String {
        let mut report = Report::default();
        let start = |tool: &str| format!("{tool} --bootstrap-server k:1");
        judge(&CacheConfig::default(), "answers", found, start, &mut report);
        report.to_string()
    }

    #[test]
    fn what_is_wrong_with_it_has_the_command_that_mends_it() {
        let missing = said(&LedgerTopic::Missing { brokers: 3 });
        let command = "> kafka-topics --bootstrap-server k:1 --create --topic answers";
        assert!(missing.contains(command), "{missing}");
        assert!(missing.contains("retention.ms=172800000"), "twice a day's life: {missing}");
        let sound = LedgerTopic::Present { partitions: 1, brokers: 3, settings: None };
        assert!(said(&sound).starts_with("ok       answers answers: compacted"));
    }
}
