//! `tap`: shows records of a running ipstamp as they pass, by its admin port.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::output::{counted, print};
use super::run::start_runtime;
use super::{Exit, Failure, Source, healthcheck, say};
use crate::config::Config;
use crate::record::Secret;

/// Where nothing passes an empty line comes every second.
const PATIENCE: Duration = Duration::from_secs(10);
/// The port sends shorter ones.
const LONGEST_LINE: usize = 4 << 20;

/// Show records of a running ipstamp as they pass
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp tap --stage in --limit 10        what is read, at `admin.listen` of the configuration
  ipstamp tap --stage out | jq .value.source
  ipstamp tap --stage dead --admin http://127.0.0.1:9464 --token-file token

The records show addresses: the port has to have a token (admin.token), and it is sent. The pipeline waits for
nobody who looks on: what he is too slow for passes by, and is counted on stderr at the end.")]
pub(super) struct TapArgs {
    /// Where on their way: as they are read, as they go to the output, or to the dead letters
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(["in", "out", "dead"]))]
    stage: String,
    /// So many, up to 100000
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Where its admin port is. Default: `admin.listen` of the configuration
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// A file with the token. Default: `admin.token` of the configuration
    #[arg(long, value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
}

/// The last line of the port.
#[derive(Deserialize)]
struct Ended {
    ended: String,
    records: u64,
    missed: u64,
}

/// Asks, and prints what passes until there was enough.
pub(super) fn tap(source: &Source, args: &TapArgs) -> Result<Exit, Failure> {
    let (admin, token) = whom(source, args)?;
    let url = format!("{admin}/tap?stage={}&limit={}", args.stage, args.limit);
    start_runtime()?.block_on(show(&admin, &url, &token))
}

/// Where to ask, and with which token.
fn whom(source: &Source, args: &TapArgs) -> Result<(String, Secret), Failure> {
    let unreadable = |path: &std::path::Path, error| {
        Failure::new(Exit::Config, format_args!("{}: {error}", path.display()))
    };
    let given = match &args.token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
            Some(Secret::new(text.trim()))
        }
        None => None,
    };
    if let (Some(admin), Some(token)) = (&args.admin, &given) {
        return Ok((admin.trim_end_matches('/').to_owned(), token.clone()));
    }
    let config = Config::from(source.load()?);
    let admin = match &args.admin {
        Some(admin) => admin.trim_end_matches('/').to_owned(),
        None => format!("http://{}", healthcheck::configured(&config)?),
    };
    let token = given.or(config.admin_token).ok_or_else(|| {
        let message = "records are shown only to who has the token: set admin.token in the \
                       configuration and restart, or name a file with it by --token-file";
        Failure::new(Exit::NoPermission, message)
    })?;
    Ok((admin, token))
}

async fn show(admin: &str, url: &str, token: &Secret) -> Result<Exit, Failure> {
    let unreached = |error: reqwest::Error| {
        let why = if error.is_builder() { "that is no URL" } else { "does ipstamp run there?" };
        Failure::new(Exit::Unavailable, format_args!("{admin}: no answer; {why}"))
    };
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none());
    let client = client.connect_timeout(PATIENCE).read_timeout(PATIENCE).build();
    let ask = client.map_err(unreached)?.get(url).bearer_auth(token.expose());
    let reply = ask.send().await.map_err(unreached)?;
    if !reply.status().is_success() {
        return Err(refused(admin, reply).await);
    }
    let ended = print_lines(reply).await?.ok_or_else(|| {
        let message =
            format_args!("{admin}: it broke off; did ipstamp end, or were it ten minutes?");
        Failure::new(Exit::Unavailable, message)
    })?;
    let seen = counted(ended.records, "record", "records");
    let why =
        if ended.ended == "limit" { "" } else { ", which is as much as the port shows at once" };
    let missed = match ended.missed {
        0 => String::new(),
        missed => format!("; {} passed by meanwhile", counted(missed, "more", "more")),
    };
    say(&format!("{seen}{why}{missed}"));
    Ok(Exit::Done)
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

/// Prints lines as they come; what the last one says, if it came.
async fn print_lines(mut reply: Response) -> Result<Option<Ended>, Failure> {
    let mut rest = Vec::new();
    while let Ok(Some(chunk)) = reply.chunk().await {
        rest.extend_from_slice(&chunk);
        let Some(end) = memchr::memrchr(b'\n', &rest) else {
            if rest.len() > LONGEST_LINE {
                return Ok(None);
            }
            continue;
        };
        for line in rest[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if line.starts_with(b"{\"ended\"") {
                return Ok(serde_json::from_slice(line).ok());
            }
            print(&[line, b"\n"].concat())?;
        }
        rest.drain(..=end);
    }
    Ok(None)
}
