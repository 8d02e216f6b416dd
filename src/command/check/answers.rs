//! What a check says of the answers topic, where one is named.

use super::report::Report;
use crate::fleet::{LedgerTopic, problems_of_answers};
use crate::record::FactGroup;
use crate::resolve::{CacheConfig, Ttl};

/// Says what is wrong with the topic, and the command that mends it. `licences`: how long what each
/// licence's provider says is used, as far as it has its own say.
pub(super) fn judge(
    config: &CacheConfig,
    licences: &[Ttl],
    topic: &str,
    found: &LedgerTopic,
    start: impl Fn(&str) -> String,
    report: &mut Report,
) {
    let without = Ttl::default();
    let lifetimes = licences.iter().chain([&without]).map(|own| config.lifetimes(own));
    let lives = lifetimes.flat_map(|all| FactGroup::ALL.map(|group| all.of(group)));
    let longest = lives.max();
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
    use std::time::Duration;

    use super::*;
    use crate::resolve::Life;

    fn said(found: &LedgerTopic, licences: &[Ttl]) -> String {
        let mut report = Report::default();
        let start = |tool: &str| format!("{tool} --bootstrap-server k:1");
        judge(&CacheConfig::default(), licences, "answers", found, start, &mut report);
        report.to_string()
    }

    #[test]
    fn what_is_wrong_with_it_has_the_command_that_mends_it() {
        let missing = said(&LedgerTopic::Missing { brokers: 3 }, &[]);
        let command = "> kafka-topics --bootstrap-server k:1 --create --topic answers";
        assert!(missing.contains(command), "{missing}");
        assert!(missing.contains("retention.ms=172800000"), "twice a day's life: {missing}");
        let sound = LedgerTopic::Present { partitions: 1, brokers: 3, settings: None };
        assert!(said(&sound, &[]).starts_with("ok       answers answers: compacted"));
    }

    #[test]
    fn it_keeps_answers_for_as_long_as_the_licence_with_the_longest_life() {
        let days = |days: u64| Ttl::All(Life(Duration::from_secs(days * 86_400)));
        let said = said(&LedgerTopic::Missing { brokers: 3 }, &[days(2), days(10)]);
        assert!(said.contains("retention.ms=1728000000"), "twice ten days: {said}");
    }
}
