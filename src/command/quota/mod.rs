//! `quota`: what of each licence's budget is used, by the ledger that the fleet shares, and what is left by
//! the providers' own count. Reads only.

mod providers;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use rdkafka::error::RDKafkaErrorCode as Code;
use serde::Serialize;

use self::providers::OwnCount;
use super::output::{Format, print, say};
use super::tenants::tenants_budgets;
use super::{Exit, Failure, Source};
use crate::config::Config;
use crate::fleet::{Found, LedgerError, read_all};
use crate::kafka::Fault;
use crate::record::Day;
use crate::resolve::budget::{Bound, Limits, PeriodKind, Replay, clock_time, gone_at};

/// How long the brokers may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where nothing here is in their ledger.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// Say what of each licence's budget is used, and what is left by the provider's count
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp quota --config ipstamp.yaml
  ipstamp quota --config ipstamp.yaml --format json

Used is what all processes that share the ledger have claimed and not given back. Calls that are made
with the licence outside of ipstamp are not in it. They are in the provider's own count, which is shown
where the provider says it without being paid for it.

Exit codes: 0 there is something left of every budget, 1 one is spent, 69 no broker answers or there
is no ledger, 77 the brokers refuse us, 78 the configuration is refused.")]
pub(super) struct QuotaArgs {
    /// How it is printed: text for people, json for programs
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// One limit of one licence.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Quota {
    licence: String,
    period: PeriodKind,
    /// The first day, UTC.
    first: String,
    /// The day after the last.
    end: String,
    limit: u64,
    used: u64,
    remaining: u64,
    /// Whether the ledger goes back to the period's beginning; if not, all counts as used.
    known: bool,
    /// Seconds since 1970; None when it lasts.
    gone_at: Option<u64>,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Printed<'q> {
    /// By the ledger.
    budgets: &'q [Quota],
    /// By their own count.
    providers: &'q [OwnCount],
}

/// Reads the ledger, asks the providers, and prints what they say.
pub(super) fn quota(source: &Source, args: &QuotaArgs) -> Result<Exit, Failure> {
    let config = Config::from(source.load()?);
    let limited = config.budgets.iter().cloned().chain(tenants_budgets(&config));
    let budgets: Vec<_> = limited.map(|of| (of.budget, of.limits)).collect();
    let patience = if budgets.is_empty() { SHORT_PATIENCE } else { PATIENCE };
    let found = match read_all(&config.kafka.client(), &config.ledger.topic, patience) {
        Err(LedgerError::Missing { .. } | LedgerError::Silent { .. }) if budgets.is_empty() => {
            say(
                "no provider here has a limited budget, and there is no ledger that can be read; a budget \
                 is set with providers.NAME.budget",
            );
            Found { replay: Replay::new(), unreadable: 0 }
        }
        found => found.map_err(failure)?,
    };
    let own_counts = providers::ask(&config.providers)?;
    if found.unreadable > 0 {
        say(&format!("{} records of the ledger are no entries of this version", found.unreadable));
    }
    let now = SystemTime::now();
    let quotas = quotas(&found.replay, &budgets, now);
    let text = match args.format {
        Format::Text => text(&quotas, now) + &providers::text(&own_counts, now),
        Format::Json => {
            let printed = Printed { budgets: &quotas, providers: &own_counts };
            serde_json::to_string(&printed).unwrap_or_default() + "\n"
        }
    };
    print(text.as_bytes())?;
    let spent = quotas.iter().any(|quota| quota.remaining == 0);
    Ok(if spent { Exit::Findings } else { Exit::Done })
}

/// The limits in force today, by licence, whether configured here or said in the ledger by others;
/// of each kind the narrowest.
fn quotas(replay: &Replay, configured: &[(String, Limits)], now: SystemTime) -> Vec<Quota> {
    let today = Day::of(now);
    let here = configured.iter().map(|(licence, _)| licence.as_str());
    let licences: BTreeSet<&str> = replay.licences().chain(here).collect();
    let mut quotas = Vec::new();
    for licence in licences {
        let own = configured.iter().filter(|(name, _)| name == licence);
        let own = own.flat_map(|(_, limits)| replay.bounds(licence, *limits, today));
        let bounds: Vec<_> = replay.bounds_said(licence, today).chain(own).collect();
        for kind in [PeriodKind::Day, PeriodKind::Month] {
            let of_kind = bounds.iter().filter(|bound| bound.kind == kind);
            let narrowest = of_kind.min_by_key(|bound| bound.remaining());
            quotas.extend(narrowest.map(|bound| of(licence, bound, replay, now)));
        }
    }
    quotas
}

fn of(licence: &str, bound: &Bound, replay: &Replay, now: SystemTime) -> Quota {
    let (units, span) = replay.recent(licence, now);
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |at| at.as_secs());
    Quota {
        licence: licence.into(),
        period: bound.kind,
        first: bound.period.first.to_string(),
        end: bound.period.end.to_string(),
        limit: bound.limit,
        used: bound.limit - bound.remaining().min(bound.limit),
        remaining: bound.remaining(),
        known: bound.whole,
        gone_at: gone_at(now, bound, units, span).map(seconds),
    }
}

fn text(quotas: &[Quota], now: SystemTime) -> String {
    if quotas.is_empty() {
        return "nothing is claimed of any budget in the present periods\n".into();
    }
    let widest = quotas.iter().map(|quota| quota.licence.len()).max().unwrap_or(0).max(7);
    let mut text = format!(
        "{:<widest$}  {:<6}  {:<10}  {:>10}  {:>10}  {:>10}  outlook\n",
        "licence", "period", "since", "limit", "used", "left"
    );
    for quota in quotas {
        let outlook = match quota.gone_at {
            _ if !quota.known => "spent: the ledger does not go back so far".into(),
            _ if quota.remaining == 0 => format!("spent until {}", quota.end),
            Some(at) => {
                let gone = UNIX_EPOCH + Duration::from_secs(at);
                format!("gone at {}", clock_time(gone, now))
            }
            None => "lasts".into(),
        };
        let Quota { licence, period, first, limit, used, remaining, .. } = quota;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{licence:<widest$}  {:<6}  {first}  {limit:>10}  {used:>10}  {remaining:>10}  {outlook}",
            period.name()
        );
    }
    text
}

fn failure(error: LedgerError) -> Failure {
    let refused = |fault: Fault| {
        matches!(fault.code(), Code::TopicAuthorizationFailed | Code::Authentication)
    };
    match &error {
        LedgerError::Silent { fault, .. } if refused(*fault) => {
            Failure::new(Exit::NoPermission, error)
        }
        LedgerError::Client(_) => Failure::new(Exit::Config, error),
        LedgerError::Silent { .. } => {
            Failure::new(Exit::Unavailable, format!("{error}; `ipstamp check` finds out why"))
        }
        LedgerError::Missing { .. } => Failure::new(
            Exit::Unavailable,
            format!("{error}; `ipstamp check` prints the command that makes it"),
        ),
        LedgerError::System(_) => Failure::new(Exit::Internal, error),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::resolve::budget::{Act, Entry};

    fn replay(units: u64) -> (Replay, SystemTime) {
        let now = Day(20_417).start() + Duration::from_secs(12 * 3600);
        let mut replay = Replay::new();
        let limits = Limits { day: Some(100), month: Some(3000), resets_on: 12 };
        let entry = Entry {
            id: Uuid::from_u128(1),
            owner: Uuid::from_u128(1),
            licence: "main".into(),
            day: Day::of(now),
            act: Act::Claim { units, limits },
        };
        replay.read(&entry, now - Duration::from_secs(60));
        (replay, now)
    }

    #[test]
    fn each_limit_has_a_line_with_what_is_left_and_how_long_it_lasts() {
        let (replay, now) = replay(80);
        let idle = Limits { day: Some(500), month: None, resets_on: 1 };
        let said = text(&quotas(&replay, &[("idle".into(), idle)], now), now);
        let expected = "\
licence  period  since            limit        used        left  outlook
idle     day     2025-11-25         500           0         500  lasts
main     day     2025-11-25         100          80          20  gone at 12:15 UTC
main     month   2025-11-12        3000          80        2920  gone at 2025-11-27 00:30 UTC
";
        assert_eq!(said, expected);
    }

    #[test]
    fn a_budget_that_is_gone_is_said_to_be() {
        let (replay, now) = replay(100);
        assert!(
            text(&quotas(&replay, &[], now), now).contains("           0  spent until 2025-11-26")
        );
    }

    #[test]
    fn an_empty_ledger_is_no_table() {
        let now = SystemTime::now();
        assert!(quotas(&Replay::new(), &[], now).is_empty());
        assert!(text(&[], now).starts_with("nothing is claimed"));
    }
}
