//! Flat records about an owner: in these files `name`, `domain`, `type` and `country` are those of
//! the organisation and say nothing of where the address is.

use super::{Fields, Value, unless_empty};
use crate::record::{Abuse, AutonomousSystem, Carrier, Company, Enrichment, Network};

/// A record of a file of autonomous systems.
pub(super) fn read_autonomous_system(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        autonomous_system: unless_empty(AutonomousSystem {
            number: fields.as_number(&["asn"]),
            organization: fields.text(&["name"]),
            domain: fields.text(&["domain"]),
            kind: fields.text(&["type"]),
            country_iso_code: fields.two_letters(&["country"]),
            ..AutonomousSystem::default()
        }),
        network: unless_empty(Network { route: fields.text(&["route"]), ..Network::default() }),
        ..Enrichment::default()
    }
}

/// A record of a file of companies.
pub(super) fn read_company(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        company: unless_empty(Company {
            name: fields.text(&["name"]),
            domain: fields.text(&["domain"]),
            kind: fields.text(&["type"]),
        }),
        autonomous_system: unless_empty(AutonomousSystem {
            number: fields.as_number(&["asn"]),
            organization: fields.text(&["as_name"]),
            domain: fields.text(&["as_domain"]),
            kind: fields.text(&["as_type"]),
            ..AutonomousSystem::default()
        }),
        ..Enrichment::default()
    }
}

/// A record of a file of mobile carriers.
pub(super) fn read_carrier(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        carrier: unless_empty(Carrier {
            name: fields.text(&["name", "carrier"]),
            mcc: fields.code(&["mcc"]),
            mnc: fields.code(&["mnc"]),
        }),
        ..Enrichment::default()
    }
}

/// A record of a file of abuse contacts.
pub(super) fn read_abuse(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        abuse: unless_empty(Abuse {
            email: fields.text(&["email"]),
            name: fields.text(&["name"]),
            address: fields.text(&["address"]),
            country_iso_code: fields.two_letters(&["country"]),
            phone: fields.code(&["phone"]),
            network: fields.text(&["network"]),
            ..Abuse::default()
        }),
        ..Enrichment::default()
    }
}

/// A record of a file of what the registries say.
pub(super) fn read_whois(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        network: unless_empty(Network {
            owner: fields.text(&["name", "org_name"]),
            registered_country_iso_code: fields.two_letters(&["country"]),
            registry: fields.text(&["source"]).map(|registry| registry.to_lowercase()),
            ..Network::default()
        }),
        ..Enrichment::default()
    }
}
