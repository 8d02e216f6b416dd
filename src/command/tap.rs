//! `tap`: shows records of a running ipstamp as they pass, by its admin port.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;

use super::output::{counted, print};
use super::run::start_runtime;
use super::{Exit, Failure, Source, admin_port, say};
use crate::config::Config;
use crate::record::Secret;

/// Show records of a running ipstamp as they pass
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp tap --stage in --limit 10        what is read, at `admin.listen` of the configuration
  ipstamp tap --stage out | jq .value.source
  ipstamp tap --stage out --match 192.0.2.7 --limit 1     waits for a record with this text
  ipstamp tap --stage out --outcome budget --every 100    each hundredth that the budget left out
  ipstamp tap --stage dead --admin http://127.0.0.1:9464 --token-file token

A record is searched as its bytes stand there, in key and value, and what does not fit is not
sent. The records show addresses: the port has to have a token (admin.token), and it is sent.
The pipeline waits for nobody who looks on: what he is too slow for passes by, and is counted
on stderr at the end.")]
pub(super) struct TapArgs {
    /// Where on their way: as they are read, as they go to the output, or to the dead letters
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(["in", "out", "dead"]))]
    stage: String,
    /// So many, up to 100000
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Only those with this text in their key or value, letter for letter
    #[arg(long = "match", value_name = "TEXT")]
    text: Option<String>,
    /// Only those of this topic, or to it
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Only those that end so: an outcome such as `partial`, a reason such as `budget`, or a class of dead letters
    #[arg(long, value_name = "NAME")]
    outcome: Option<String>,
    /// Of those only each N-th
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: u64,
    /// Where its admin port is. Default: `admin.listen` of the configuration
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// A file with the token. Default: `admin.token` of the configuration
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The last line of the port.
#[derive(Deserialize)]
struct Ended {
    #[serde(rename = "ended")]
    why: String,
    records: u64,
    missed: u64,
}

/// Asks, and prints what passes until there was enough.
pub(super) fn tap(source: &Source, args: &TapArgs) -> Result<Exit, Failure> {
    let (admin, token) = whom(source, args)?;
    start_runtime()?.block_on(show(&admin, &path(args), &token))
}

fn path(args: &TapArgs) -> String {
    const PATH: &str = "/tap?";
    let mut query = form_urlencoded::Serializer::for_suffix(PATH.to_owned(), PATH.len());
    query.append_pair("stage", &args.stage).append_pair("limit", &args.limit.to_string());
    query.append_pair("every", &args.every.to_string());
    let named = [("match", &args.text), ("topic", &args.topic), ("outcome", &args.outcome)];
    for (name, value) in named {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// Where to ask, and with which token.
fn whom(source: &Source, args: &TapArgs) -> Result<(String, Secret), Failure> {
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Secret::new(text.trim())),
        Err(error) => Err(Failure::new(Exit::Config, format_args!("{}: {error}", path.display()))),
    };
    if let (Some(admin), Some(path)) = (&args.admin, &args.token_file) {
        return Ok((admin_port::url(source, Some(admin))?, read(path)?));
    }
    let config = Config::from(source.load()?);
    let admin = match &args.admin {
        Some(admin) => admin_port::url(source, Some(admin))?,
        None => admin_port::of(&config)?,
    };
    let given = args.token_file.as_ref().map(read).transpose()?;
    let token = given.or(config.admin_token).ok_or_else(|| {
        let message = "records are shown only to who has the token: set admin.token in the \
                       configuration and restart, or name a file with it by --token-file";
        Failure::new(Exit::NoPermission, message)
    })?;
    Ok((admin, token))
}

async fn show(admin: &str, path: &str, token: &Secret) -> Result<Exit, Failure> {
    let reply = admin_port::ask(admin, path, Some(token)).await?;
    let mut ended = None;
    admin_port::lines(reply, |line| {
        if line.starts_with(b"{\"ended\"") {
            ended = serde_json::from_slice::<Ended>(line).ok();
            return Ok(ControlFlow::Break(()));
        }
        print(&[line, b"\n"].concat())?;
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    let Some(ended) = ended else {
        let text = format_args!("{admin}: it broke off; did ipstamp end, or were it ten minutes?");
        return Err(Failure::new(Exit::Unavailable, text));
    };
    let seen = counted(ended.records, "record", "records");
    let why = if ended.why == "limit" { "" } else { ", as much as the port shows at once" };
    let missed = match ended.missed {
        0 => String::new(),
        missed => format!("; {missed} more passed by meanwhile"),
    };
    say(&format!("{seen}{why}{missed}"));
    Ok(Exit::Done)
}
