//! Flat records about what an address hides and how dangerous it is. Flags are bools in newer files
//! and text in older ones, where an empty text says nothing.

use super::{Fields, Value, unless_empty};
use crate::record::{Enrichment, Privacy, Threat};

/// A record of a privacy file.
pub(super) fn read(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        privacy: unless_empty(Privacy {
            anonymous: fields.flag(&["anonymous", "is_anonymous"]),
            vpn: fields.flag(&["vpn", "is_vpn"]),
            proxy: fields.flag(&["proxy", "is_proxy"]),
            residential_proxy: fields.flag(&["residential_proxy", "is_residential_proxy"]),
            tor: fields.flag(&["tor", "is_tor"]),
            relay: fields.flag(&["relay", "is_relay"]),
            hosting: fields.flag(&["hosting", "is_hosting", "is_cloud_provider"]),
            service: fields.text(&["service", "vpn_name"]),
            last_seen: fields.text(&["last_seen"]),
            // `confidence` is left out: its scale is not ours, and nobody documents it.
            confidence: None,
            first_seen: fields.text(&["first_seen"]),
            proxy_type: fields.text(&["proxy_type"]),
            ..Privacy::default()
        }),
        threat: unless_empty(Threat {
            score: fields.percent(&["threat_score"]),
            is_attacker: fields.flag(&["is_known_attacker"]),
            is_bot: fields.flag(&["is_bot"]),
            is_spam: fields.flag(&["is_spam", "isSpam"]),
            ..Threat::default()
        }),
        ..Enrichment::default()
    }
}

/// A record of a list of residential proxies: that it is there is the fact.
pub(super) fn read_residential(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        privacy: Some(Privacy {
            residential_proxy: Some(true),
            service: fields.text(&["service", "provider_name"]),
            last_seen: fields.text(&["last_seen", "network_last_seen"]),
            days_seen_percent: fields.percent(&["percent_days_seen"]),
            confidence: fields.percent(&["anonymizer_confidence"]),
            ..Privacy::default()
        }),
        ..Enrichment::default()
    }
}
