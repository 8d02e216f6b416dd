//! The name of an output topic, made from the input topic's.

use crate::record::Topic;

/// A topic name in which `{topic}` stands for the input topic's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTemplate(String);

const PLACEHOLDER: &str = "{topic}";

impl TopicTemplate {
    /// A template of this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The output topic for an input topic.
    pub fn output_of(&self, input: &str) -> Topic {
        Topic::new(&self.0.replace(PLACEHOLDER, input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_topic_stands_where_the_template_says() {
        let output = |template: &str| TopicTemplate::new(template).output_of("logs.web");
        assert_eq!(output("{topic}.enriched").as_str(), "logs.web.enriched");
        assert_eq!(output("dlq.{topic}").as_str(), "dlq.logs.web");
        assert_eq!(output("all").as_str(), "all");
    }
}
