//! `top`: how a running ipstamp does, once a second, by its admin port: a screen, or lines where there is no
//! terminal.

mod figures;
mod screen;

use std::io::{IsTerminal as _, stdout};
use std::ops::ControlFlow;

use clap::Args;

use self::figures::Figures;
use self::screen::{Moment, line, screen};
use super::output::print;
use super::run::start_runtime;
use super::{Exit, Failure, Source, admin_port};

/// To the upper left, and away with what stands below.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Show once a second how a running ipstamp does
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp top                               a screen, until Ctrl-C
  ipstamp top --admin http://127.0.0.1:9464 --count 60 > minute.txt    a line for each second")]
pub(super) struct TopArgs {
    /// Where its admin port is. Default: `admin.listen` of the configuration
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// Asks, and prints until there was enough.
pub(super) fn top(source: &Source, args: &TopArgs) -> Result<Exit, Failure> {
    let admin = admin_port::url(source, args.admin.as_deref())?;
    let is_screen = stdout().is_terminal();
    let (mut before, mut left) = (None, args.count);
    let runtime = start_runtime()?;
    // The port ends each connection in time; whoever does not answer any more ends this.
    loop {
        let mut any = false;
        let told = async {
            let reply = admin_port::ask(&admin, "/events", None).await?;
            let each = |told: &[u8]| {
                any |= told.starts_with(b"data: {");
                show(told, &mut before, &mut left, is_screen)
            };
            admin_port::lines(reply, each).await
        };
        if runtime.block_on(told)? {
            return Ok(Exit::Done);
        }
        if !any {
            let words = "what answers at /events says nothing of a running ipstamp; is it another program's port?";
            return Err(Failure::new(Exit::Unavailable, words));
        }
    }
}

fn show(
    told: &[u8],
    before: &mut Option<Figures>,
    left: &mut Option<u64>,
    is_screen: bool,
) -> Result<ControlFlow<()>, Failure> {
    let told = told.strip_prefix(b"data: ").and_then(|told| serde_json::from_slice(told).ok());
    let Some::<Moment>(moment) = told else { return Ok(ControlFlow::Continue(())) };
    let now = Figures::read(moment.at_ms, &moment.metrics);
    let text = before.as_ref().map(|before| {
        if is_screen {
            CLEAR.to_owned() + &screen(&moment, before, &now)
        } else {
            line(&moment, before, &now)
        }
    });
    *before = Some(now);
    // With the first there is nothing to compare with.
    let Some(text) = text else { return Ok(ControlFlow::Continue(())) };
    print(text.as_bytes())?;
    *left = left.map(|left| left - 1);
    Ok(if *left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}
