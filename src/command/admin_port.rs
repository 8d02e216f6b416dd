//! The admin port of a process that runs, asked for what goes on: `tap` and `top`.

use std::ops::ControlFlow;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};

use super::{Exit, Failure, Source, healthcheck};
use crate::config::Config;
use crate::record::Secret;

/// Something comes every second.
const PATIENCE: Duration = Duration::from_secs(10);
/// The port sends shorter ones.
const LONGEST_LINE: usize = 8 << 20;

/// Where it is: as named, or by the configuration.
pub(super) fn url(source: &Source, named: Option<&str>) -> Result<String, Failure> {
    match named {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => of(&Config::from(source.load()?)),
    }
}

/// The same of a process with this configuration.
pub(super) fn of(config: &Config) -> Result<String, Failure> {
    Ok(format!("http://{}", healthcheck::configured(config)?))
}

/// Asks for something that goes on.
pub(super) async fn ask(
    admin: &str,
    path: &str,
    token: Option<&Secret>,
) -> Result<Response, Failure> {
    let unreached = |error: reqwest::Error| {
        let why = if error.is_builder() { "that is no URL" } else { "does ipstamp run there?" };
        Failure::new(Exit::Unavailable, format_args!("{admin}: no answer; {why}"))
    };
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none());
    let client = client.connect_timeout(PATIENCE).read_timeout(PATIENCE).build();
    let mut ask = client.map_err(unreached)?.get(format!("{admin}{path}"));
    if let Some(token) = token {
        ask = ask.bearer_auth(token.expose());
    }
    let reply = ask.send().await.map_err(unreached)?;
    if reply.status().is_success() { Ok(reply) } else { Err(refused(admin, reply).await) }
}

async fn refused(admin: &str, reply: Response) -> Failure {
    let status = reply.status();
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NoPermission,
        StatusCode::BAD_REQUEST => Exit::Usage,
        _ => Exit::Unavailable,
    };
    let words = reply.text().await.unwrap_or_default();
    let words = words.lines().next().unwrap_or_default().replace(char::is_control, "\u{fffd}");
    Failure::new(exit, format_args!("{admin}: {status}: {words}"))
}

/// Gives each line that is not empty to `each`, as it comes, until that has had enough. False when the
/// reply ended before.
pub(super) async fn lines(
    mut reply: Response,
    mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, Failure>,
) -> Result<bool, Failure> {
    let mut rest = Vec::new();
    while let Ok(Some(chunk)) = reply.chunk().await {
        rest.extend_from_slice(&chunk);
        let Some(end) = memchr::memrchr(b'\n', &rest) else {
            if rest.len() > LONGEST_LINE {
                return Ok(false);
            }
            continue;
        };
        for line in rest[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if each(line)?.is_break() {
                return Ok(true);
            }
        }
        rest.drain(..=end);
    }
    Ok(false)
}
