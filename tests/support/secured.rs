//! A real broker that asks who comes: by password, by certificate, and for rights.

use std::path::Path;
use std::sync::OnceLock;

use super::broker::{self, Broker, Setup, say};
use super::certificates::{self, Certificates};
use super::leash::Folder;

/// Passwords over TLS.
pub(crate) const LOGIN: &str = "LOGIN";
/// Passwords in the open.
pub(crate) const BARE: &str = "BARE";
/// TLS with a certificate on both sides.
pub(crate) const MUTUAL: &str = "MUTUAL";
/// TLS with a certificate that has expired.
pub(crate) const EXPIRED: &str = "EXPIRED";
/// TLS with a certificate made out to another host.
pub(crate) const ELSEWHERE: &str = "ELSEWHERE";

/// Who may do everything, by password.
pub(crate) const MASTER: &str = "wanda";
/// Who may do nothing, by password, unless it is granted.
pub(crate) const SERVANT: &str = "wilma";
/// Who may do everything, by certificate.
pub(crate) const BEARER: &str = "walter";
/// The password of all.
pub(crate) const PASSWORD: &str = "open-sesame";

/// The broker and what opens it.
pub(crate) struct Secured {
    /// Its plain listener is for those who set the scene: they may do everything.
    pub(crate) broker: Broker,
    /// Of the authority that it trusts, and that has signed its own.
    pub(crate) ours: Certificates,
    /// Of another authority.
    pub(crate) others: Certificates,
    _folder: Folder,
}

/// The one that the tests of this binary share; none where it cannot be had, which has been said.
pub(crate) fn shared() -> Option<&'static Secured> {
    static SHARED: OnceLock<Option<Secured>> = OnceLock::new();
    SHARED.get_or_init(start).as_ref()
}

fn start() -> Option<Secured> {
    if !certificates::can_be_made() {
        say("SKIPPED: ALL TESTS OF TLS AND LOGINS: `openssl` does not run");
        return None;
    }
    let folder = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "certificates-");
    let ours = Certificates::of_authority(folder.path(), "ours");
    let others = Certificates::of_authority(folder.path(), "others");
    ours.sign("broker", "IP:127.0.0.1", 30);
    ours.sign("expired", "IP:127.0.0.1", -1);
    ours.sign("elsewhere", "DNS:elsewhere.example", 30);
    ours.sign(BEARER, "DNS:walter.example", 30);
    others.sign(BEARER, "DNS:walter.example", 30);
    let broker = broker::own_with(|| setup(&ours))?;
    Some(Secured { broker, ours, others, _folder: folder })
}

fn setup(ours: &Certificates) -> Setup {
    let listeners = vec![
        (LOGIN, "SASL_SSL"),
        (BARE, "SASL_PLAINTEXT"),
        (MUTUAL, "SSL"),
        (EXPIRED, "SSL"),
        (ELSEWHERE, "SSL"),
    ];
    let of =
        |listener: &str, name: &str| format!("listener.name.{}.{name}", listener.to_lowercase());
    let mut settings: Vec<(String, String)> = [
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", ours.store("broker")),
        ("ssl.truststore.type", "PEM".into()),
        ("ssl.truststore.location", ours.authority()),
        ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-512".into()),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".into()),
        ("super.users", format!("User:ANONYMOUS;User:{MASTER};User:CN={BEARER}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    settings.push((of(MUTUAL, "ssl.client.auth"), "required".into()));
    for (listener, name) in [(EXPIRED, "expired"), (ELSEWHERE, "elsewhere")] {
        settings.push((of(listener, "ssl.keystore.type"), "PEM".into()));
        settings.push((of(listener, "ssl.keystore.location"), ours.store(name)));
    }
    for listener in [LOGIN, BARE] {
        let security = "org.apache.kafka.common.security";
        let plain = format!(
            "{security}.plain.PlainLoginModule required user_{MASTER}=\"{PASSWORD}\" \
             user_{SERVANT}=\"{PASSWORD}\";"
        );
        let scram = format!("{security}.scram.ScramLoginModule required;");
        settings.push((of(listener, "plain.sasl.jaas.config"), plain));
        settings.push((of(listener, "scram-sha-512.sasl.jaas.config"), scram));
    }
    let user = |name| format!("SCRAM-SHA-512=[name={name},password={PASSWORD}]");
    Setup { listeners, settings, users: [MASTER, SERVANT].map(user).into() }
}
