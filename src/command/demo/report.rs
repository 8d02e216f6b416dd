//! What the demo says in figures: the live counters, and the summary at the end.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::progress::Progress;
use super::stand_ins::Asked;
use crate::command::say;
use crate::record::{Outcome, Reason};
use crate::telemetry::Metrics;

/// How often the line is redrawn on a terminal.
const REDRAWN: Duration = Duration::from_millis(100);
/// How often a new line is written otherwise.
const WRITTEN: Duration = Duration::from_secs(1);

/// What one address asked of a provider is taken to cost, in dollars.
pub(super) const PRICE: f64 = 0.001;

/// All that the line of counters shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// By the worker's own metrics.
    pub(super) counted: Counted,
    /// Records written to the input.
    pub(super) fed: u64,
    /// Records seen on the output.
    pub(super) out: u64,
    /// By the stand-ins of the providers.
    pub(super) asked: Asked,
    /// Addresses of global scope in what was fed. Without caches and batches each is a call.
    pub(super) carried: u64,
}

impl Figures {
    /// As of now.
    pub(super) fn of(metrics: &Metrics, progress: &Progress, asked: Asked) -> Self {
        Self {
            counted: Counted::of(metrics),
            fed: progress.fed(),
            out: progress.seen(),
            asked,
            carried: progress.carried.load(Ordering::Relaxed),
        }
    }

    /// Addresses in a call, on average.
    pub(super) fn a_call(&self) -> u64 {
        self.asked.addresses / self.asked.calls.max(1)
    }

    /// Dollars that a call for each address of each event would have cost beyond what was paid.
    pub(super) fn saved(&self) -> f64 {
        self.carried.saturating_sub(self.asked.addresses) as f64 * PRICE
    }
}

/// What the worker's own metrics say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) consumed: u64,
    pub(super) enriched: u64,
    pub(super) partial: u64,
    pub(super) unchanged: u64,
    /// Of these, records that are not JSON.
    pub(super) unparsable: u64,
}

impl Counted {
    /// As of now.
    pub(super) fn of(metrics: &Metrics) -> Self {
        let records = |outcome: Outcome| {
            metrics.records.get(&outcome.into()).map_or(0, |counter| counter.get())
        };
        let of_all_reasons = |outcome: fn(Reason) -> Outcome| {
            Reason::ALL.into_iter().map(outcome).map(records).sum()
        };
        let for_a_reason: u64 = of_all_reasons(|reason| Outcome::Unchanged(Some(reason)));
        Self {
            consumed: metrics.records_consumed.get(),
            enriched: records(Outcome::Enriched),
            partial: of_all_reasons(Outcome::Partial),
            unchanged: records(Outcome::Unchanged(None)) + for_a_reason,
            unparsable: records(Outcome::Unchanged(Some(Reason::Unparsable))),
        }
    }

    fn ended(&self) -> u64 {
        self.enriched + self.partial + self.unchanged
    }
}

/// One line that is redrawn, or a line now and then.
pub(super) struct Ticker {
    terminal: bool,
    begun: Instant,
    next: Instant,
    last: Option<(Instant, u64)>,
    /// None until there are two looks to be compared.
    rate: Option<f64>,
    drawn: bool,
}

impl Ticker {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            terminal: io::stderr().is_terminal(),
            begun: now,
            next: now,
            last: None,
            rate: None,
            drawn: false,
        }
    }

    /// Shows the counters if it is time to, and the worker has counted records that ended.
    pub(super) fn tick(&mut self, figures: &Figures) {
        let now = Instant::now();
        if now < self.next || figures.counted.ended() == 0 {
            return;
        }
        self.next = now + if self.terminal { REDRAWN } else { WRITTEN };
        self.draw(figures, now);
    }

    /// Shows the counters as they are at the end.
    pub(super) fn last(&mut self, figures: &Figures) {
        self.draw(figures, Instant::now());
        self.end();
    }

    fn draw(&mut self, figures: &Figures, now: Instant) {
        let Figures { counted, fed, out, asked, .. } = *figures;
        // The first line is the beginning: what went before it was the start of the process.
        let (at, before) = *self.last.get_or_insert((now, out));
        let since = now.duration_since(at).as_secs_f64();
        if since > 0.9 || (self.rate.is_none() && since > 0.2) {
            self.rate = Some((out - before) as f64 / since);
            self.last = Some((now, out));
        }
        let rate = self.rate.map_or_else(|| "-".to_owned(), |rate| grouped(rate as u64));
        let line = format!(
            "{:>4}s  in {}  out {}  enriched {}  partial {}  unchanged {}  lag {}  {}/s  \
             calls {} of {}  asked {}  saved ${:.2}",
            now.duration_since(self.begun).as_secs(),
            grouped(fed),
            grouped(out),
            grouped(counted.enriched),
            grouped(counted.partial),
            grouped(counted.unchanged),
            grouped(fed.saturating_sub(out)),
            rate,
            grouped(asked.calls),
            grouped(figures.a_call()),
            grouped(asked.distinct),
            figures.saved(),
        );
        if self.terminal {
            self.drawn = true;
            // From the line's beginning, and whatever was longer goes; what is too long for the
            // terminal is cut instead of wrapped. There is nobody to tell on failure.
            drop(write!(io::stderr().lock(), "\r\x1b[?7l{line}\x1b[K\x1b[?7h"));
        } else {
            say(&line);
        }
    }

    /// Ends the redrawn line.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.drawn) {
            say("");
        }
    }
}

/// What is known at the end.
#[derive(Debug)]
pub(super) struct Findings {
    /// Records that the input holds.
    pub(super) input: u64,
    /// Records that were asked for, if a number was.
    pub(super) asked: Option<u64>,
    /// Inputs without an output.
    pub(super) missing: u64,
    /// Outputs beyond the first of an input.
    pub(super) duplicates: u64,
    /// Outputs that name no input.
    pub(super) strays: u64,
    /// Input partitions, and what is wrong with the committed offsets of some.
    pub(super) partitions: usize,
    pub(super) uncommitted: Vec<String>,
    /// Why the run did not end as it should.
    pub(super) trouble: Option<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub(super) fn holds(&self) -> bool {
        self.asked.is_none_or(|asked| asked == self.input)
            && self.missing == 0
            && self.duplicates == 0
            && self.strays == 0
            && self.uncommitted.is_empty()
            && self.trouble.is_none()
    }

    /// The audit, in plain words on stderr.
    pub(super) fn say(&self) {
        say("\nAudit, read back from Kafka:");
        if let Some(asked) = self.asked.filter(|asked| *asked != self.input) {
            let (input, asked) = (grouped(self.input), grouped(asked));
            say(&format!("  FAILED   the input holds {input} events and not {asked}"));
        }
        let input = grouped(self.input);
        self.line(
            self.missing == 0,
            &match self.missing {
                0 => format!("each of the {input} inputs has its output"),
                missing => format!("{} of {input} inputs have no output", grouped(missing)),
            },
        );
        self.line(self.duplicates == 0, &format!("duplicates: {}", grouped(self.duplicates)));
        if self.strays > 0 {
            self.line(false, &format!("{} outputs name no input", grouped(self.strays)));
        }
        if self.uncommitted.is_empty() {
            let text = format!(
                "committed offsets stand at the end of the input in all {} partitions",
                self.partitions
            );
            self.line(true, &text);
        }
        for text in &self.uncommitted {
            self.line(false, text);
        }
        if let Some(trouble) = &self.trouble {
            self.line(false, trouble);
        }
        say(if self.holds() { "audit: it holds" } else { "audit: it does NOT hold" });
    }

    #[expect(clippy::unused_self, reason = "reads as a list of what was found")]
    fn line(&self, fine: bool, text: &str) {
        say(&format!("  {}   {text}", if fine { "ok    " } else { "FAILED" }));
    }
}

/// A number with a comma between each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Findings {
        Findings {
            input: 10,
            asked: Some(10),
            missing: 0,
            duplicates: 0,
            strays: 0,
            partitions: 6,
            uncommitted: Vec::new(),
            trouble: None,
        }
    }

    #[test]
    fn the_audit_holds_only_when_nothing_is_wrong() {
        assert!(good().holds());
        assert!(!Findings { input: 9, ..good() }.holds());
        assert!(!Findings { missing: 1, ..good() }.holds());
        assert!(!Findings { duplicates: 1, ..good() }.holds());
        assert!(!Findings { strays: 1, ..good() }.holds());
        assert!(!Findings { uncommitted: vec!["p 3".into()], ..good() }.holds());
        assert!(!Findings { trouble: Some("a worker failed".into()), ..good() }.holds());
    }

    #[test]
    fn what_is_saved_is_what_need_not_be_paid() {
        let counted = Counted { consumed: 0, enriched: 0, partial: 0, unchanged: 0, unparsable: 0 };
        let asked = Asked { calls: 4, addresses: 1000, distinct: 900 };
        let figures = Figures { counted, fed: 0, out: 0, asked, carried: 3000 };
        assert_eq!((figures.a_call(), figures.saved()), (250, 2.0));
        let nothing = Figures { asked: Asked::default(), carried: 0, ..figures };
        assert_eq!((nothing.a_call(), nothing.saved()), (0, 0.0));
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
