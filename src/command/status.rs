//! Asks a provider what a licence may do and what is left of it, where that costs nothing.

use tokio::runtime::Runtime;

use super::calling::{is_off, send};
use crate::resolve::desk::Trouble;
use crate::resolve::provider::Licence;
use crate::resolve::{Status, Verdict};

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

/// Asks. Waits for the answer.
pub(super) fn ask(licence: &Licence<'_>, runtime: &Runtime) -> Told {
    if is_off(licence) {
        return Told::Off;
    }
    let Some(call) = licence.api.status_call() else { return Told::NoCall };
    match send(licence, licence.api.status_base_url(), &call, runtime, |reply| {
        licence.api.read_status(reply)
    }) {
        Ok(Ok(status)) => Told::Status(status),
        Ok(Err(Verdict::CredentialRefused(why))) => Told::Refused(why),
        Ok(Err(_)) => Told::Unclear,
        Err(trouble) => Told::Unreached(trouble),
    }
}
