//! What IPBot's error codes mean. The status is coarse; the code decides.

use super::{MODULES, RDAP};
use crate::resolve::provider::reply::{by_status, wait};
use crate::resolve::provider::{Modules, Reply, Verdict};
use serde_json::Value as Json;

/// All codes of its table.
#[cfg(test)]
pub(super) const CODES: [(u16, &str); 14] = [
    (400, "INVALID_IP"),
    (400, "INVALID_FIELDS"),
    (400, "INVALID_INCLUDE"),
    (400, "INVALID_ASN"),
    (400, "NO_CLIENT_IP"),
    (401, "UNAUTHORIZED"),
    (401, "INVALID_API_KEY"),
    (403, "FORBIDDEN"),
    (403, "PRO_REQUIRED"),
    (404, "NOT_FOUND"),
    (429, "RATE_LIMITED"),
    (500, "INTERNAL_ERROR"),
    (503, "AUTH_DISABLED"),
    (200, "RATE_LIMITED"),
];

/// What an error means.
pub(super) enum Meaning {
    /// It does not know what was asked about.
    NothingKnown,
    /// Something is to be done.
    Do(Verdict),
}

/// What a reply means that is no answer; None for one that is.
pub(super) fn meaning(reply: &Reply<'_>, modules: Modules) -> Option<Meaning> {
    let body: Option<Json> = serde_json::from_slice(reply.body).ok();
    let code = body.as_ref().and_then(|body| body.get("code")?.as_str()).unwrap_or_default();
    let verdict = match code {
        "NOT_FOUND" if matches!(reply.status, 200 | 404) => return Some(Meaning::NothingKnown),
        "PRO_REQUIRED" | "INVALID_INCLUDE" if modules.has(RDAP) => Verdict::ModuleRefused {
            module: RDAP,
            why: format!(
                "the key has no {}: abuse contacts are not asked for",
                MODULES[RDAP as usize]
            ),
        },
        "PRO_REQUIRED" | "INVALID_INCLUDE" | "INVALID_IP" | "INVALID_FIELDS" | "INVALID_ASN"
        | "NO_CLIENT_IP" => {
            Verdict::Rejected(format!("status {}: it does not accept the request", reply.status))
        }
        "UNAUTHORIZED" | "INVALID_API_KEY" | "FORBIDDEN" => {
            Verdict::CredentialRefused(format!("status {}: the key is refused", reply.status))
        }
        "AUTH_DISABLED" => Verdict::CredentialRefused(format!(
            "status {}: it takes no keys at present",
            reply.status
        )),
        "RATE_LIMITED" => Verdict::Pause(wait(reply)),
        "INTERNAL_ERROR" => Verdict::Retry(format!("status {}: it failed", reply.status)),
        // An address that it does not know is a 404; so is a place that is not its own.
        _ => match by_status(reply)? {
            Verdict::Rejected(_) if reply.status == 404 => {
                Verdict::Rejected("status 404: there is no such service at this address".to_owned())
            }
            verdict => verdict,
        },
    };
    Some(Meaning::Do(verdict))
}
