//! A limit on lines that repeat: a fault that comes with every record fills no disk and hides no other.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Within this time …
const PERIOD: Duration = Duration::from_secs(10);
/// … one place in the code may write so many lines.
const MOST_LINES: u32 = 20;

/// Writes events as `inner` does, and of those that one place repeats only the first of each period.
/// What is left out is counted, and said before that place's next line. Debugging is not limited.
pub(super) struct Limited<F> {
    pub(super) inner: F,
    pub(super) json: bool,
    places: Mutex<HashMap<Identifier, Place>>,
}

/// What one place in the code has written.
struct Place {
    since: Instant,
    lines: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    LeftOut,
    /// It is written, and so many before it were not.
    Written(u64),
}

impl Place {
    fn turn(&mut self, now: Instant) -> Turn {
        if now.duration_since(self.since) >= PERIOD {
            let left_out = self.left_out;
            *self = Self { since: now, lines: 1, left_out: 0 };
            return Turn::Written(left_out);
        }
        if self.lines < MOST_LINES {
            self.lines += 1;
            return Turn::Written(0);
        }
        self.left_out += 1;
        Turn::LeftOut
    }
}

impl<F> Limited<F> {
    pub(super) fn new(inner: F, json: bool) -> Self {
        Self { inner, json, places: Mutex::default() }
    }

    fn turn(&self, place: Identifier, now: Instant) -> Turn {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(place).or_insert(Place { since: now, lines: 0, left_out: 0 });
        place.turn(now)
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        if *metadata.level() <= Level::INFO {
            match self.turn(metadata.callsite(), Instant::now()) {
                Turn::LeftOut => return Ok(()),
                Turn::Written(0) => {}
                Turn::Written(left_out) => {
                    let words = format!("{left_out} lines like the next were left out");
                    if self.json {
                        let line = serde_json::json!({
                            "level": metadata.level().as_str(),
                            "message": words,
                            "left_out": left_out,
                            "target": metadata.target(),
                        });
                        writeln!(writer, "{line}")?;
                    } else {
                        writeln!(writer, "{words}")?;
                    }
                }
            }
        }
        self.inner.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_written_so_often_counted_and_said_later() {
        let began = Instant::now();
        let mut place = Place { since: began, lines: 0, left_out: 0 };
        let at = |millis| began + Duration::from_millis(millis);
        for line in 0..MOST_LINES {
            assert_eq!(place.turn(at(u64::from(line))), Turn::Written(0));
        }
        for line in 0..7 {
            assert_eq!(place.turn(at(100 + line)), Turn::LeftOut);
        }
        let later = at(PERIOD.as_millis() as u64);
        assert_eq!(place.turn(later), Turn::Written(7));
        assert_eq!(place.turn(later), Turn::Written(0));
    }
}
