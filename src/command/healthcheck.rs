//! `healthcheck`: asks the admin port of a process that runs whether it is well, where there is no
//! shell and no curl: in a container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use reqwest::redirect::Policy;

use super::output::print;
use super::run::start_runtime;
use super::{Exit, Failure, Source};
use crate::config::Config;

/// A process that is well answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// A report has a line per problem; what is longer is none of ours.
const MOST_BYTES: usize = 64 << 10;

/// Ask a running ipstamp whether it is well
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp healthcheck                         whether it lives, at `admin.listen` of the configuration
  ipstamp healthcheck --ready --at :9464      whether it is ready, and what stands in the way

Exit codes: 0 it is well, 1 it is not, 69 it does not answer.")]
pub(super) struct HealthcheckArgs {
    /// Ask whether it is ready, and not only whether it lives
    #[arg(long)]
    ready: bool,
    /// Where its admin port is; without a host on this machine. Default: `admin.listen` of the configuration
    #[arg(long, value_name = "HOST:PORT")]
    at: Option<String>,
}

/// Asks, and prints what it says when it is not well.
pub(super) fn healthcheck(source: &Source, args: &HealthcheckArgs) -> Result<Exit, Failure> {
    let at = match &args.at {
        Some(at) if at.starts_with(':') => format!("127.0.0.1{at}"),
        Some(at) => at.clone(),
        None => configured(&Config::from(source.load()?))?.to_string(),
    };
    let path = if args.ready { "readyz" } else { "livez" };
    let runtime = start_runtime()?;
    let (well, said) =
        runtime.block_on(ask(&format!("http://{at}/{path}"), MOST_BYTES)).map_err(|error| {
            let why = if error.is_timeout() { "no answer in 3 s" } else { "no answer" };
            Failure::new(Exit::Unavailable, format_args!("{at}: {why}; does ipstamp run there?"))
        })?;
    if well {
        return Ok(Exit::Done);
    }
    print(&said)?;
    Ok(Exit::Findings)
}

/// Where a process with this configuration is asked from the machine that it runs on.
pub(super) fn configured(config: &Config) -> Result<SocketAddr, Failure> {
    let Some(mut address) = config.admin else {
        let message = "admin.listen is off: there is no port to ask";
        return Err(Failure::new(Exit::Config, message));
    };
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

/// Whether the answer is 200, and what it says, up to so many bytes.
pub(super) async fn ask(url: &str, most_bytes: usize) -> reqwest::Result<(bool, Vec<u8>)> {
    let client =
        reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE).build()?;
    let mut reply = client.get(url).send().await?;
    let well = reply.status().is_success();
    let mut said = Vec::new();
    while let Some(chunk) = reply.chunk().await? {
        said.extend_from_slice(&chunk);
        if said.len() > most_bytes {
            said.truncate(most_bytes);
            break;
        }
    }
    Ok((well, said))
}
