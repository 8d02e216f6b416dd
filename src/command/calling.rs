//! One call to a provider, for commands that want something else of it than facts of addresses.

use std::time::SystemTime;

use tokio::runtime::Runtime;

use crate::resolve::desk::{Http, HttpSettings, Received, Trouble};
use crate::resolve::provider::Licence;
use crate::resolve::{Call, Reply, TokenPlace};

/// Whether a licence lacks the token that it needs.
pub(super) fn is_off(licence: &Licence<'_>) -> bool {
    let needs_token = licence.api.token_place() != TokenPlace::Nowhere;
    needs_token && licence.token.is_none_or(|token| token.expose().trim().is_empty())
}

/// Sends it and gives the reply to `read`. Waits for the answer. `elsewhere`: where it goes, if the
/// configuration does not name a place.
pub(super) fn send<T>(
    licence: &Licence<'_>,
    elsewhere: Option<&str>,
    call: &Call,
    runtime: &Runtime,
    read: impl FnOnce(&Reply<'_>) -> T,
) -> Result<T, Trouble> {
    let mut settings = HttpSettings::default();
    settings.total = licence.calls.timeout.unwrap_or(settings.total);
    let base = licence.base_url.or(elsewhere).unwrap_or(licence.api.default_base_url());
    let http = Http::new(base, &settings).map_err(|_| Trouble::Unwritable)?;
    let place = licence.api.token_place();
    let sent = http.send(call, &place, licence.token, settings.total);
    let Received { status, headers, body } = runtime.block_on(sent)?;
    Ok(read(&Reply { status, headers: &headers, body: &body, now: SystemTime::now() }))
}
