//! The commands that mend what is missing, for this cluster and who logs in there.

use crate::config::Config;
use crate::kafka::Operation;

/// How commands address the cluster.
pub(super) struct Commands<'a> {
    pub(super) config: &'a Config,
}

impl Commands<'_> {
    pub(super) fn start(&self, tool: &str) -> String {
        let broker = self.config.kafka.brokers.first().map_or("localhost:9092", String::as_str);
        let login = match self.config.kafka.security.protocol.name() {
            "plaintext" => "",
            _ => " --command-config admin.properties",
        };
        format!("{tool} --bootstrap-server {broker}{login}")
    }

    pub(super) fn grant(&self, operations: &[Operation], resource: &str) -> String {
        let principal = match (&self.config.kafka.security.username, &self.config.kafka.security) {
            (Some(username), _) => format!("User:{username}"),
            (None, security) if security.certificate.is_some() => {
                "User:SUBJECT-OF-THE-CERTIFICATE".into()
            }
            _ => "User:ANONYMOUS".into(),
        };
        let operations = operations.iter().map(|operation| operation.name());
        let operations = operations.collect::<Vec<_>>().join(" --operation ");
        let start = self.start("kafka-acls");
        format!("{start} --add --allow-principal '{principal}' --operation {operations} {resource}")
    }

    pub(super) fn create(&self, topic: &str, partitions: usize, replication: usize) -> String {
        let start = self.start("kafka-topics");
        format!(
            "{start} --create --topic {topic} --partitions {partitions} --replication-factor \
             {replication}"
        )
    }
}

/// How a command for this cluster begins: the tool and where the brokers are.
pub(in crate::command::check) fn command_start(config: &Config, tool: &str) -> String {
    Commands { config }.start(tool)
}
