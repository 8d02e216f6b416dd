//! What contradicts itself in what is written of facts and of addresses.

use super::error::Problem;
use super::file::Output;
use crate::encode::{AddressPrivacy, SHORTEST_ADDRESS_KEY, check_fields};

/// What is written of facts, and of addresses. A profile's file is read by those who use it.
pub(super) fn writing(output: &Output, problems: &mut Vec<Problem>) {
    for (at, entry) in output.fields.iter().enumerate() {
        if let Err(error) = check_fields(std::slice::from_ref(entry)) {
            let at = at.to_string();
            problems.push(Problem::with(&["output", "fields", &at], error.to_string()));
        }
    }
    let wanted = output.address == AddressPrivacy::Hmac;
    let key = output.address_key.as_ref();
    let message = match (wanted, key) {
        (true, Some(key)) if key.expose().len() < SHORTEST_ADDRESS_KEY => {
            "is too short: a key of less than 16 characters could be tried out"
        }
        (true, None) => {
            "is missing; `address: hmac` wants a secret of at least 16 characters, such as \
             \"${file:/run/secrets/address-key}\""
        }
        (false, Some(_)) => "is of no use without `address: hmac`; set that, or remove the key",
        _ => return,
    };
    problems.push(Problem::with(&["output", "address_key"], message));
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io;
    use std::path::Path;

    use crate::config::{Environment, parse};

    struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, _: &str) -> Option<OsString> {
            None
        }

        fn file(&self, _: &Path) -> io::Result<String> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn said(output: &str) -> String {
        let text = format!(
            "kafka: {{brokers: ['localhost:9092']}}\ninput: {{topics: [a], group: g}}\n\
             output: {{topic: b, {output}}}\n"
        );
        let problems = parse(text.as_bytes(), &Nothing).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_key_and_no_key_is_shown() {
        assert_eq!(said("fields: [geo, as.number], profile: {file: x.yaml}"), "");
        assert!(said("fields: [geo.cty_name]").starts_with("output.fields[0]: `geo.cty_name`"));
        assert!(said("address: hmac").starts_with("output.address_key: is missing"));
        let short = said("address: hmac, address_key: hunter2");
        assert!(short.contains("too short") && !short.contains("hunter2"), "{short}");
        assert!(said("address_key: 0123456789abcdef").contains("of no use"));
        assert_eq!(said("address: hmac, address_key: 0123456789abcdef"), "");
        assert!(said("profile: ecz").contains("did you mean `ecs`?"), "{}", said("profile: ecz"));
        assert!(said("profile: {fil: x}").contains("did you mean `file`?"));
    }
}
