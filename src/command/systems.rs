//! `lookup AS64500`: what IPBot knows of autonomous systems, by their numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ipbot::Ipbot;
use super::lookup::flatten;
use super::output::{Format, print};
use super::{Failure, Source};
use crate::record::AutonomousSystem;

/// The number of a system that is written as `AS64500`.
pub(super) fn number(text: &str) -> Option<u32> {
    let (letters, digits) = text.split_at_checked(2)?;
    let is_number =
        letters.eq_ignore_ascii_case("as") && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Asks for each of them once, and prints what is known in the order of the numbers given.
pub(super) fn systems(
    source: &Source,
    tenant: Option<&str>,
    numbers: &[u32],
    format: Format,
) -> Result<(), Failure> {
    let ipbot = Ipbot::of(source, tenant, "an autonomous system is asked by its number of")?;
    let mut distinct = numbers.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let answers = ipbot.ask(
        |api| distinct.iter().filter_map(|number| api.system_call(*number)).collect(),
        |api, at, reply| api.read_system(distinct[at], reply),
    )?;
    let known: BTreeMap<u32, Option<AutonomousSystem>> =
        distinct.into_iter().zip(answers).collect();
    let written = |number: &u32| {
        let facts = known.get(number).and_then(Option::as_ref).map(facts);
        match format {
            Format::Text => as_text(*number, facts.as_ref()),
            Format::Json => format!("{}\n", as_json(*number, facts)),
        }
    };
    print(numbers.iter().map(written).collect::<String>().as_bytes())
}

/// By name, without the absent ones.
fn facts(system: &AutonomousSystem) -> Value {
    let mut facts = serde_json::to_value(system).unwrap_or_default();
    if let Some(fields) = facts.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    facts
}

fn as_text(number: u32, facts: Option<&Value>) -> String {
    let mut named = Vec::new();
    if let Some(facts) = facts {
        flatten("", facts, &mut named);
    }
    if named.is_empty() {
        return format!("AS{number}\n  nothing known\n");
    }
    format!("AS{number}\n  as       {}  [ipbot]\n", named.join(", "))
}

fn as_json(number: u32, facts: Option<Value>) -> Value {
    match facts {
        Some(facts) => json!({"asn": number, "as": facts, "sources": {"as": "ipbot"}}),
        None => json!({"asn": number, "sources": {}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_written_with_its_letters_and_nothing_else_is_one() {
        assert_eq!(number("AS64500"), Some(64_500));
        assert_eq!(number("as4294967295"), Some(u32::MAX));
        for other in
            ["64500", "AS", "AS-1", "AS+1", "AS4294967296", "ASN64500", "8.8.8.8", "", "ä1"]
        {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let organization = Some("Example".to_owned());
        let system = AutonomousSystem { number: Some(64_500), organization, ..Default::default() };
        let facts = facts(&system);
        let expected = "AS64500\n  as       number: 64500, organization: Example  [ipbot]\n";
        assert_eq!(as_text(64_500, Some(&facts)), expected);
        assert_eq!(as_text(64_500, None), "AS64500\n  nothing known\n");
        assert_eq!(as_json(7, None), json!({"asn": 7, "sources": {}}));
        assert_eq!(as_json(64_500, Some(facts))["as"]["organization"], "Example");
    }
}
