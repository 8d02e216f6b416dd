//! Kinds of events that a first configuration is made for, with one of them.

use crate::encode::Profile;

/// A kind of events.
pub(super) struct Preset {
    /// Its name on the command line, which is that of the preset.
    pub(super) name: &'static str,
    /// What is to be known of its addresses.
    pub(super) about: &'static str,
    /// An event.
    pub(super) event: &'static str,
    /// The address in it of which the case has facts.
    pub(super) address: &'static str,
    /// The object or the path that it stands in.
    stands: Stands,
}

/// How an address stands in an event.
#[derive(Clone, Copy)]
enum Stands {
    /// As `ip` in this object; its role.
    In(&'static str, &'static str),
    /// Under another name in the object that ECS has for its role.
    Named(&'static str),
    /// Elsewhere; its role.
    Elsewhere(&'static str),
}

/// All of them.
pub(super) const PRESETS: [Preset; 7] = [
    Preset {
        name: "ecs",
        about: "Where the Elastic Common Schema has addresses.",
        event: r#"{"@timestamp": "2026-08-21T07:12:44.120Z", "event": {"action": "deny"}, "source": {"ip": "81.2.69.142", "port": 27304}, "destination": {"ip": "10.20.0.8", "port": 443}}"#,
        address: "81.2.69.142",
        stands: Stands::In("source", "source"),
    },
    Preset {
        name: "ocsf",
        about: "Where the Open Cybersecurity Schema Framework has addresses.",
        event: r#"{"class_uid": 4001, "category_uid": 4, "activity_id": 1, "type_uid": 400101, "severity_id": 1, "time": 1787296364120, "metadata": {"version": "1.8.0", "product": {"vendor_name": "Example"}}, "src_endpoint": {"ip": "81.2.69.142", "port": 27304}, "dst_endpoint": {"ip": "10.20.0.8", "port": 443}}"#,
        address: "81.2.69.142",
        stands: Stands::In("src_endpoint", "source"),
    },
    Preset {
        name: "cloudtrail",
        about: "AWS CloudTrail. A name of a service in the place of an address is counted, and no fault.",
        event: r#"{"eventVersion": "1.11", "eventTime": "2026-08-21T07:12:44Z", "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "awsRegion": "eu-west-1", "sourceIPAddress": "81.2.69.142", "userAgent": "Mozilla/5.0", "responseElements": {"ConsoleLogin": "Success"}}"#,
        address: "81.2.69.142",
        stands: Stands::Elsewhere("source"),
    },
    Preset {
        name: "okta",
        about: "Okta's system log; the chain has the client first and then each proxy.",
        event: r#"{"eventType": "user.session.start", "published": "2026-08-21T07:12:44.120Z", "client": {"ipAddress": "81.2.69.142", "userAgent": {"os": "Mac OS X"}}, "outcome": {"result": "SUCCESS"}}"#,
        address: "81.2.69.142",
        stands: Stands::Named("client"),
    },
    Preset {
        name: "zeek",
        about: "Zeek's conn log in JSON; the names have dots in them.",
        event: r#"{"ts": 1787296364.12, "uid": "CHhAvVGS1DHFjwGM9", "id.orig_h": "81.2.69.142", "id.orig_p": 27304, "id.resp_h": "10.20.0.8", "id.resp_p": 443, "proto": "tcp"}"#,
        address: "81.2.69.142",
        stands: Stands::Elsewhere("source"),
    },
    Preset {
        name: "suricata",
        about: "Suricata's EVE.",
        event: r#"{"timestamp": "2026-08-21T07:12:44.120943+0000", "event_type": "alert", "src_ip": "81.2.69.142", "src_port": 27304, "dest_ip": "10.20.0.8", "dest_port": 443, "proto": "TCP", "alert": {"signature_id": 2001219}}"#,
        address: "81.2.69.142",
        stands: Stands::Elsewhere("source"),
    },
    Preset {
        name: "cloudflare",
        about: "Cloudflare's HTTP requests.",
        event: r#"{"ClientIP": "81.2.69.142", "ClientRequestHost": "example.com", "ClientRequestMethod": "GET", "EdgeResponseStatus": 200, "OriginIP": "10.20.0.8", "EdgeStartTimestamp": "2026-08-21T07:12:44Z"}"#,
        address: "81.2.69.142",
        stands: Stands::Elsewhere("client"),
    },
];

impl Preset {
    /// What a profile writes of the case's facts, by path.
    pub(super) fn expected(&self, profile: &Profile) -> Vec<(String, &'static str)> {
        let (object, role) = match self.stands {
            Stands::In(object, role) => (Some(object), role),
            Stands::Named(role) | Stands::Elsewhere(role) => (None, role),
        };
        let ocsf_object = match role {
            "source" | "client" => "src_endpoint",
            _ => "dst_endpoint",
        };
        let (in_role, in_ocsf) = (object.unwrap_or(role), object.unwrap_or(ocsf_object));
        match profile {
            Profile::Ecs => vec![
                (format!("{in_role}.geo.country_iso_code"), "GB"),
                (format!("{in_role}.as.number"), "20712"),
                ("ipstamp.outcome".to_owned(), "enriched"),
            ],
            Profile::Ocsf => vec![
                (format!("{in_ocsf}.location.country"), "GB"),
                (format!("{in_ocsf}.autonomous_system.number"), "20712"),
                ("unmapped.ipstamp.outcome".to_owned(), "enriched"),
            ],
            Profile::Splunk => vec![
                ("src_Country".to_owned(), "United Kingdom"),
                ("src_asn".to_owned(), "20712"),
                ("ipstamp.outcome".to_owned(), "enriched"),
            ],
            Profile::Otel => vec![
                (format!("{role}.geo.country.iso_code"), "GB"),
                (format!("{role}.as.number"), "20712"),
                ("ipstamp.outcome".to_owned(), "enriched"),
            ],
            Profile::Flat => vec![
                (format!("{in_role}.geoip.country_iso_code"), "GB"),
                (format!("{in_role}.geoip.asn"), "20712"),
                ("ipstamp.outcome".to_owned(), "enriched"),
            ],
            Profile::Headers => vec![
                ("addresses.0.geo.country_iso_code".to_owned(), "GB"),
                ("addresses.0.as.number".to_owned(), "20712"),
                ("outcome".to_owned(), "enriched"),
            ],
            Profile::Native | Profile::File { .. } => vec![
                ("ipstamp.addresses.0.geo.country_iso_code".to_owned(), "GB"),
                ("ipstamp.addresses.0.as.number".to_owned(), "20712"),
                ("ipstamp.outcome".to_owned(), "enriched"),
            ],
        }
    }
}
