//! Asks a provider what a licence may do and what is left of it, where that costs nothing.

use std::time::SystemTime;

use tokio::runtime::Runtime;

use crate::resolve::desk::{Http, HttpSettings, Trouble};
use crate::resolve::provider::Licence;
use crate::resolve::{Reply, Status, TokenPlace, Verdict};

/// What came of it.
pub(super) enum Told {
    /// Its token is empty, so it is switched off.
    Off,
    /// It has no call for that.
    NoCall,
    /// This.
    Status(Status),
    /// It refuses the token; words for people.
    Refused(String),
    /// What it answered says nothing.
    Unclear,
    /// It could not be asked.
    Unreached(Trouble),
}

/// Whether a licence lacks the token that it needs.
pub(super) fn is_off(licence: &Licence<'_>) -> bool {
    let needs_token = licence.api.token_place() != TokenPlace::Nowhere;
    needs_token && licence.token.is_none_or(|token| token.expose().trim().is_empty())
}

/// Asks. Waits for the answer.
pub(super) fn ask(licence: &Licence<'_>, runtime: &Runtime) -> Told {
    if is_off(licence) {
        return Told::Off;
    }
    runtime.block_on(answer(licence)).unwrap_or_else(Told::Unreached)
}

async fn answer(licence: &Licence<'_>) -> Result<Told, Trouble> {
    let Some(call) = licence.api.status_call() else { return Ok(Told::NoCall) };
    let settings = HttpSettings::default();
    let base = licence.base_url.unwrap_or(licence.api.default_base_url());
    let http = Http::new(base, &settings).map_err(|_| Trouble::Unwritable)?;
    let place = licence.api.token_place();
    let received = http.send(&call, &place, licence.token, settings.total).await?;
    let reply = Reply {
        status: received.status,
        headers: &received.headers,
        body: &received.body,
        now: SystemTime::now(),
    };
    Ok(match licence.api.read_status(&reply) {
        Ok(status) => Told::Status(status),
        Err(Verdict::CredentialRefused(why)) => Told::Refused(why),
        Err(_) => Told::Unclear,
    })
}
