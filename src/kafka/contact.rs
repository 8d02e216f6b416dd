//! Reaching the brokers for the first time: what librdkafka's words mean when that fails, and what
//! is to be done about it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataBroker};

/// How long the brokers have for their first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// And how long when it is known by then why they do not answer.
const REASON_KNOWN: Duration = Duration::from_secs(4);

/// The broker to ask further: the one that gave this answer or, where librdkafka does not know which of
/// the bootstrap servers that was (it says −1), the first one that it names.
pub fn answering_broker(metadata: &Metadata) -> Option<i32> {
    let named = metadata.brokers().iter().map(MetadataBroker::id);
    [metadata.orig_broker_id()].into_iter().chain(named).find(|broker| *broker >= 0)
}

/// What stands between us and a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The user name, the password or the mechanism is refused.
    Credentials,
    /// The brokers do not offer the mechanism.
    Mechanism,
    /// The brokers' certificate does not hold.
    Certificate,
    /// The brokers want a certificate of ours, or do not take the one that they get.
    OurCertificate,
    /// The port does not speak TLS.
    NoTls,
    /// The port hangs up on us: it may expect TLS or a login.
    HangsUp,
    /// The host's name is not known.
    Name,
    /// Nothing listens there.
    Nobody,
    /// Nothing comes back.
    Silence,
    /// Anything else.
    Other,
}

impl Obstacle {
    /// By librdkafka's words for a failed connection.
    pub fn of(words: &str) -> Self {
        let words = words.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        if has(&["unsupported sasl mechanism", "unsupported mechanism"]) {
            Self::Mechanism
        } else if has(&["authentication error", "authentication failed"]) {
            Self::Credentials
        } else if has(&["certificate verify failed", "unable to get local issuer"]) {
            Self::Certificate
        } else if has(&[
            "certificate required",
            "bad certificate",
            "handshake failure",
            "client ssl authentication might be required",
            "alert unknown ca",
            "alert certificate",
        ]) {
            Self::OurCertificate
        } else if has(&[
            "plaintext broker listener",
            "wrong version number",
            "packet length too long",
        ]) {
            Self::NoTls
        } else if has(&["security.protocol", "disconnected"]) {
            Self::HangsUp
        } else if has(&["resolve"]) {
            Self::Name
        } else if has(&["refused"]) {
            Self::Nobody
        } else if has(&["timed out"]) {
            Self::Silence
        } else {
            Self::Other
        }
    }

    /// What to do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Credentials => {
                "the user name, the password or the mechanism is refused: check kafka.security"
            }
            Self::Mechanism => {
                "the brokers do not offer this mechanism: check kafka.security.mechanism"
            }
            Self::Certificate => {
                "the brokers' certificate does not hold here: its authority is not the one in \
                 kafka.security.ca, or it has expired, or it is made out to other names than those \
                 in kafka.brokers; `openssl s_client -connect HOST:PORT -CAfile CA` shows which"
            }
            Self::OurCertificate => {
                "the brokers want a client's certificate of an authority that they trust: set \
                 kafka.security.certificate and key"
            }
            Self::NoTls => {
                "this port does not speak TLS: take the TLS port, or set kafka.security.protocol \
                 to plaintext or sasl_plaintext"
            }
            Self::HangsUp => {
                "this port expects TLS or a login: set kafka.security.protocol to ssl, sasl_ssl or \
                 sasl_plaintext, or take another port"
            }
            Self::Name => "the name is not known here: check kafka.brokers and the DNS",
            Self::Nobody => "nothing listens there: check host and port in kafka.brokers",
            Self::Silence => {
                "nothing comes back: check host and port, and whether a firewall stands between"
            }
            Self::Other => "check kafka.brokers and kafka.security",
        }
    }

    /// Whether the brokers hear us and do not want us.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Credentials)
    }

    /// How long it may last before waiting on is of no use, when nothing was ever reached. None:
    /// whoever is not there may still come, such as a broker that begins after us. A port that hangs
    /// up may do so because what stands before the broker does not reach it yet.
    pub const fn patience(self) -> Option<Duration> {
        match self {
            Self::Credentials
            | Self::Mechanism
            | Self::Certificate
            | Self::OurCertificate
            | Self::NoTls => Some(Duration::from_secs(30)),
            Self::HangsUp => Some(Duration::from_secs(60)),
            Self::Name | Self::Nobody | Self::Silence | Self::Other => None,
        }
    }
}

/// Why no broker answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreached {
    /// What librdkafka said on the way, each thing once.
    pub words: Vec<String>,
}

impl Unreached {
    /// What stands between, for each of the words.
    pub fn obstacles(&self) -> impl Iterator<Item = Obstacle> {
        self.words.iter().map(|words| Obstacle::of(words))
    }

    /// Whether the brokers hear us and do not want us.
    pub fn is_refusal(&self) -> bool {
        self.obstacles().any(Obstacle::is_refusal)
    }

    /// What to do about each of the words; about the whole when there are none.
    pub fn remedies(&self) -> Vec<&'static str> {
        if self.words.is_empty() {
            return vec!["check kafka.brokers, and whether a firewall stands between"];
        }
        self.obstacles().map(Obstacle::remedy).collect()
    }
}

/// Waits until a broker answers, or it is clear that none will.
pub fn reach(consumer: &BaseConsumer<Listener>) -> Result<(), Unreached> {
    let began = Instant::now();
    loop {
        // A topic that nobody has: the answer is small.
        let asked = consumer.fetch_metadata(Some("__ipstamp_check"), Duration::from_secs(1));
        if asked.is_ok() {
            return Ok(());
        }
        // Errors are served by polling.
        drop(consumer.poll(Duration::from_millis(100)));
        let unreached = Unreached { words: consumer.context().words() };
        let patience = if unreached.words.is_empty() { FIRST_ANSWER } else { REASON_KNOWN };
        if unreached.is_refusal() || began.elapsed() > patience {
            return Err(unreached);
        }
    }
}

/// Keeps what librdkafka says of its connections, each thing once, and logs nothing.
#[derive(Default)]
pub struct Listener(Mutex<Vec<String>>);

impl Listener {
    /// What was said.
    pub fn words(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, text: &str) {
        /// What is said after this much is said again.
        const MOST: usize = 16;
        // "[thrd:sasl_ssl://kafka-1:9092/bootstrap]: …", and "(after 3ms in state …)".
        let text = text.split_once("]: ").map_or(text, |(_, rest)| rest);
        let text = text.split(" (after ").next().unwrap_or(text).trim();
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < MOST && !words.iter().any(|known| known == text) {
            words.push(text.into());
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let matters = matches!(facility, "FAIL" | "ERROR" | "SSL" | "SASL");
        if matters && (level as u8) <= RDKafkaLogLevel::Info as u8 {
            self.note(text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let nothing = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if !nothing && !is_end(&error) {
            self.note(reason);
        }
    }
}

impl ConsumerContext for Listener {}

/// Whether it says only that a partition was read to its end, which librdkafka tells as an error.
pub fn is_end(error: &KafkaError) -> bool {
    matches!(error, KafkaError::PartitionEOF(_))
        || error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_partition_is_no_trouble() {
        let listener = Listener::default();
        listener.error(KafkaError::Global(RDKafkaErrorCode::PartitionEOF), "at the end");
        listener.error(KafkaError::PartitionEOF(0), "at the end");
        assert!(listener.words().is_empty());
        listener.error(KafkaError::Global(RDKafkaErrorCode::Authentication), "refused");
        assert_eq!(listener.words(), ["refused"]);
    }

    #[test]
    fn the_words_of_librdkafka_are_understood() {
        for (words, obstacle) in [
            (
                "sasl_ssl://k:1/bootstrap: SASL authentication error: Authentication failed during \
                 authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512",
                Obstacle::Credentials,
            ),
            (
                "k:1: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: \
              broker's supported mechanisms: SCRAM-SHA-512",
                Obstacle::Mechanism,
            ),
            (
                "ssl://k:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate \
                 verify failed: broker certificate could not be verified",
                Obstacle::Certificate,
            ),
            (
                "ssl://k:1/1: SSL handshake failed: error:0A00045C:SSL routines::tlsv13 alert \
                 certificate required: SSL alert number 116",
                Obstacle::OurCertificate,
            ),
            (
                "ssl://k:1/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong \
                 version number: connecting to a PLAINTEXT broker listener?",
                Obstacle::NoTls,
            ),
            (
                "k:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by \
                 incorrect security.protocol configuration (connecting to a SSL listener?)",
                Obstacle::HangsUp,
            ),
            (
                "k:1/1: Disconnected: verify that security.protocol is correctly configured, broker \
                 might require SASL authentication",
                Obstacle::HangsUp,
            ),
            ("k:1/bootstrap: Failed to resolve 'k:1': Name or service not known", Obstacle::Name),
            ("k:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused", Obstacle::Nobody),
            ("k:1: Connection setup timed out in state CONNECT", Obstacle::Silence),
        ] {
            assert_eq!(Obstacle::of(words), obstacle, "{words}");
        }
    }
}
