//! What a schema registry is asked, and under which names.

use std::path::PathBuf;
use std::time::Duration;

use ipstamp::record::{SchemaId, Secret};
use ipstamp::registry::{
    Output, Registry, RegistryConfig, RegistryConfigError, RegistryError, SchemaKind, SubjectNames,
};

use crate::certificates::Certificates;
use crate::registry_double::{RegistryDouble, guid};

fn config(url: &str) -> RegistryConfig {
    RegistryConfig {
        urls: vec![url.to_owned()],
        username: None,
        password: None,
        token: None,
        ca: None,
        certificate: None,
        key: None,
        plaintext: false,
        timeout: Duration::from_secs(5),
        subject: SubjectNames::TopicName,
        auto_register: true,
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

const OUTPUT: Output<'_> =
    Output { topic: "logs.out", record: "shop.Event", text: "\"string\"", references: &[] };

#[test]
fn a_schema_is_named_as_configured_and_registered_once() {
    let double = RegistryDouble::start();
    double.associate("logs.out", "somebody's name");
    for (subject, name) in [
        (SubjectNames::TopicName, "logs.out-value"),
        (SubjectNames::RecordName, "shop.Event"),
        (SubjectNames::TopicRecordName, "logs.out-shop.Event"),
        (SubjectNames::AssociatedName, "somebody's name"),
    ] {
        let registry = Registry::new(&RegistryConfig { subject, ..config(&double.url) }).unwrap();
        assert_eq!(run(registry.subject(OUTPUT)), Ok(name.to_owned()));
        let elsewhere = Output { topic: "other", ..OUTPUT };
        if subject == SubjectNames::AssociatedName {
            assert_eq!(run(registry.subject(elsewhere)), Ok("other-value".to_owned()));
        }
    }
    let registry = Registry::new(&config(&double.url)).unwrap();
    let ids = (SchemaId::Number(1), Some(SchemaId::Guid(guid(1))));
    assert_eq!(run(registry.id(OUTPUT)), Ok(ids));
    assert_eq!(run(registry.id(OUTPUT)), Ok(ids));
    assert_eq!(double.under("logs.out-value"), [1]);
    assert_eq!(double.asked("/subjects/logs.out-value/versions"), 1);
    let schema = run(registry.schema(SchemaId::Guid(guid(1)))).unwrap();
    assert_eq!((schema.kind, schema.text.as_str()), (SchemaKind::Avro, "\"string\""));
    assert_eq!(run(registry.schema(SchemaId::Number(2))), Err(RegistryError::NotFound));
    double.close();
    let other = Output { text: "\"int\"", ..OUTPUT };
    assert_eq!(run(registry.id(other)), Err(RegistryError::Refused { status: 403 }));
    let careful = RegistryConfig { auto_register: false, ..config(&double.url) };
    assert_eq!(run(Registry::new(&careful).unwrap().id(other)), Err(RegistryError::NotFound));
}

#[test]
fn who_asks_is_said_and_an_answer_is_waited_for_no_longer_than_it_may_take() {
    let double = RegistryDouble::start();
    double.ask_for("Bearer s3cret");
    let registry = Registry::new(&config(&double.url)).unwrap();
    assert_eq!(run(registry.greet()), Err(RegistryError::Refused { status: 401 }));
    let token = Some(Secret::new("s3cret"));
    let known = RegistryConfig { token, ..config(&double.url) };
    assert_eq!(run(Registry::new(&known).unwrap().greet()), Ok(()));
    // It takes connections and says nothing.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let hasty = RegistryConfig { timeout: Duration::from_millis(200), ..config(&url) };
    let said = run(Registry::new(&hasty).unwrap().greet()).unwrap_err();
    assert!(said.is_passing(), "{said}");
    assert!(!said.to_string().contains("127.0.0.1"), "{said}");
}

/// Guarantees: a registry with a certificate of an authority of one's own is trusted where that is
/// named, and nowhere else; another authority's is not.
#[test]
fn a_registry_is_called_by_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Certificates::of_authority(folder.path(), "ours");
    let others = Certificates::of_authority(folder.path(), "others");
    ours.sign("registry", "IP:127.0.0.1", 30);
    ours.sign("elsewhere", "DNS:registry.example", 30);
    let double =
        RegistryDouble::start_with_tls(&ours.certificate("registry"), &ours.key("registry"));
    let greet = |url: &str, ca: Option<String>| {
        let config = RegistryConfig { ca: ca.map(PathBuf::from), ..config(url) };
        run(Registry::new(&config).unwrap().greet())
    };
    assert_eq!(greet(&double.url, Some(ours.authority())), Ok(()));
    for ca in [None, Some(others.authority())] {
        let said = greet(&double.url, ca).unwrap_err();
        assert!(matches!(said, RegistryError::Trouble(_)), "{said}");
    }
    let named_otherwise =
        RegistryDouble::start_with_tls(&ours.certificate("elsewhere"), &ours.key("elsewhere"));
    assert!(greet(&named_otherwise.url, Some(ours.authority())).is_err());
    assert_eq!(double.asked("/schemas/types"), 1);
}

#[test]
fn a_new_token_is_asked_with_from_then_on() {
    let double = RegistryDouble::start();
    double.ask_for("Bearer new");
    let with =
        |token: &str| RegistryConfig { token: Some(Secret::new(token)), ..config(&double.url) };
    let registry = Registry::new(&with("old")).unwrap();
    assert_eq!(run(registry.greet()), Err(RegistryError::Refused { status: 401 }));
    assert_eq!(registry.authorize(&with("old")), Ok(false));
    assert_eq!(registry.authorize(&with("new")), Ok(true));
    assert_eq!(run(registry.greet()), Ok(()));
    assert!(registry.authorize(&with("no\nheader")).is_err());
    assert_eq!(run(registry.greet()), Ok(()), "what cannot be used changes nothing");
}

#[test]
fn files_that_are_none_are_said_with_their_key() {
    let wrong = |change: &dyn Fn(&mut RegistryConfig)| {
        let mut config = config("https://registry:8081");
        change(&mut config);
        Registry::new(&config).err()
    };
    let here = || Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
    let found = wrong(&|config| config.ca = Some("/nowhere.pem".into()));
    assert!(matches!(found, Some(RegistryConfigError::Unreadable { key: "ca", .. })), "{found:?}");
    let found = wrong(&|config| config.ca = here());
    assert_eq!(found, Some(RegistryConfigError::NoPem { key: "ca" }));
    let found = wrong(&|config| (config.certificate, config.key) = (here(), here()));
    assert_eq!(found, Some(RegistryConfigError::NoPem { key: "certificate" }));
    let found = wrong(&|config| config.urls = vec!["http://registry:8081".into()]);
    assert!(matches!(found, Some(RegistryConfigError::Url(_))), "{found:?}");
}
