//! What contradicts itself in how the brokers are reached.

use super::error::Problem;
use crate::kafka::{Protocol, Security};

/// Where the brokers are, as they are named.
pub(super) fn brokers(brokers: &[String], problems: &mut Vec<Problem>) {
    if brokers.is_empty() {
        let message = "no broker is named; write [host:9092, …]";
        problems.push(Problem::with(&["kafka", "brokers"], message));
    }
    for (at, broker) in brokers.iter().enumerate() {
        let port = broker.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let at = at.to_string();
        if port.is_none_or(|port| port == 0) || broker.starts_with(':') {
            let message = "expected host:port, such as kafka-1:9092";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        } else if broker.contains([',', ' ']) {
            let message = "one broker per entry; write [kafka-1:9092, kafka-2:9092]";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        } else if broker.contains('@') {
            let message = "write host:port only; credentials are kafka.security.username and \
                           password";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        } else if broker.contains("://") {
            let message = "write host:port only; encryption is kafka.security.protocol";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        }
    }
}

/// What goes with the protocol, and what does not.
pub(super) fn security(security: &Security, problems: &mut Vec<Problem>) {
    let mut say = |key: &str, message: &str| {
        problems.push(Problem::with(&["kafka", "security", key], message));
    };
    let files =
        [("ca", &security.ca), ("certificate", &security.certificate), ("key", &security.key)];
    for (key, file) in files {
        // The content of a file would be printed as if it were its name.
        if file.as_ref().is_some_and(|file| file.to_string_lossy().contains(['\n', '\r'])) {
            say(key, "wants the name of a PEM file, not what stands in it");
        }
    }
    let sasl = matches!(security.protocol, Protocol::SaslPlaintext | Protocol::SaslSsl);
    let tls = matches!(security.protocol, Protocol::Ssl | Protocol::SaslSsl);
    if sasl {
        if security.mechanism.is_none() {
            say("mechanism", "is missing; write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
        }
        if security.username.is_none() {
            say("username", "is missing; the protocol wants a user name");
        }
        if security.password.is_none() {
            say("password", "is missing; the protocol wants a password");
        }
    } else {
        let unused = [
            ("mechanism", security.mechanism.is_some()),
            ("username", security.username.is_some()),
            ("password", security.password.is_some()),
        ];
        for (key, _) in unused.into_iter().filter(|(_, given)| *given) {
            say(key, "is of no use with this protocol; set protocol to sasl_ssl, or remove it");
        }
    }
    if !tls {
        let unused = [
            ("ca", security.ca.is_some()),
            ("certificate", security.certificate.is_some()),
            ("key", security.key.is_some()),
            ("key_password", security.key_password.is_some()),
        ];
        for (key, _) in unused.into_iter().filter(|(_, given)| *given) {
            say(key, "is of no use without TLS; set protocol to ssl or sasl_ssl, or remove it");
        }
    }
    match (&security.certificate, &security.key) {
        (Some(_), None) => say("certificate", "a certificate wants its key; set key too"),
        (None, Some(_)) => say("key", "a key wants its certificate; set certificate too"),
        _ => {}
    }
    if security.key_password.is_some() && security.key.is_none() {
        say("key_password", "there is no key that it could open; set key too");
    }
}
