//! What the answers topic has to be, what is wrong with one, and the command that mends it.

use std::time::Duration;

use crate::fleet::topic::{forbidden, replication};
use crate::fleet::{LedgerTopic, TopicProblem};

/// What is wrong with the topic; `longest` is how long the longest-lived answer may be used.
pub fn problems_of_answers(
    found: &LedgerTopic,
    topic: &str,
    longest: Duration,
) -> Vec<TopicProblem> {
    let retention = longest.as_millis();
    let settings = match found {
        LedgerTopic::Missing { brokers } => return vec![missing(topic, retention, *brokers)],
        LedgerTopic::Forbidden => return vec![forbidden(topic)],
        LedgerTopic::Present { settings: None, .. } => return Vec::new(),
        LedgerTopic::Present { settings: Some(settings), .. } => settings,
    };
    if settings.compacted {
        return Vec::new();
    }
    let arguments = format!(
        "--alter --entity-type topics --entity-name {topic} --add-config \
         cleanup.policy=[compact,delete],retention.ms={retention}"
    );
    let found =
        "it is not compacted, so it keeps every answer that ever was, and a start reads them \
                 all"
        .to_owned();
    vec![TopicProblem { found, remedy: ("kafka-configs", arguments) }]
}

fn missing(topic: &str, retention: u128, brokers: usize) -> TopicProblem {
    let arguments = format!(
        "--create --topic {topic} --partitions 6 {} --config cleanup.policy=compact,delete --config \
         retention.ms={retention}",
        replication(brokers)
    );
    TopicProblem { found: "does not exist".into(), remedy: ("kafka-topics", arguments) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::TopicSettings;

    fn remedies(found: &LedgerTopic) -> Vec<String> {
        let problems = problems_of_answers(found, "answers", Duration::from_secs(172_800));
        problems.into_iter().map(|problem| problem.remedy.1).collect()
    }

    fn present(compacted: bool) -> LedgerTopic {
        let settings = TopicSettings { compacted, retention: None, bounded_in_size: false };
        LedgerTopic::Present { partitions: 6, brokers: 3, settings: Some(settings) }
    }

    #[test]
    fn a_compacted_topic_is_sound_and_each_fault_has_the_command_that_mends_it() {
        assert!(remedies(&present(true)).is_empty());
        assert_eq!(
            remedies(&present(false)),
            ["--alter --entity-type topics --entity-name answers --add-config \
              cleanup.policy=[compact,delete],retention.ms=172800000"]
        );
        assert!(
            remedies(&LedgerTopic::Missing { brokers: 3 })[0]
                .starts_with("--create --topic answers ")
        );
        assert!(remedies(&LedgerTopic::Forbidden)[0].contains("--topic answers"));
        let unseen = LedgerTopic::Present { partitions: 6, brokers: 3, settings: None };
        assert!(remedies(&unseen).is_empty(), "what cannot be seen is not held against it");
    }
}
