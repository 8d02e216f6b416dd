//! The last of what was logged as a warning or an error, kept for whoever looks at the process itself.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// So many are kept; what is said again is kept once.
const MOST: usize = 20;
/// Of one of them, in bytes.
const LONGEST: usize = 600;

/// Something that was said and is no good news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// When it was last said, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether a person must act.
    pub is_error: bool,
    /// As in the log.
    pub text: String,
    /// How often it was said.
    pub times: u64,
}

/// The last of them, oldest first.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<VecDeque<Trouble>>);

impl Troubles {
    /// All that are kept, the last one first.
    pub fn latest(&self) -> Vec<Trouble> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().cloned().collect()
    }

    fn note(&self, is_error: bool, text: String) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.iter().position(|trouble| trouble.text == text);
        let before = before.and_then(|at| kept.remove(at)).map_or(0, |trouble| trouble.times);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        let at_ms = at.as_millis() as u64;
        kept.push_back(Trouble { at_ms, is_error, text, times: before + 1 });
    }
}

/// Hears what is logged. What the log leaves out it does not hear.
pub(super) struct Listener(pub(super) Arc<Troubles>);

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        self.0.note(level == Level::ERROR, words.text());
    }
}

/// The message, and what stands beside it.
#[derive(Default)]
struct Words {
    message: String,
    beside: String,
}

impl Words {
    fn text(self) -> String {
        let mut text = self.message + &self.beside;
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
            text.push('…');
        }
        text
    }
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.beside, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_once_each_and_the_last_comes_first() {
        let troubles = Arc::new(Troubles::default());
        let hears = tracing_subscriber::registry().with(Listener(Arc::clone(&troubles)));
        tracing::subscriber::with_default(hears, || {
            tracing::info!("all is well");
            tracing::warn!(worker = 1, "trouble with the brokers");
            tracing::error!("a partition stands still");
            tracing::warn!(worker = 1, "trouble with the brokers");
        });
        let kept = troubles.latest();
        let told: Vec<_> =
            kept.iter().map(|it| (it.text.as_str(), it.is_error, it.times)).collect();
        let brokers = ("trouble with the brokers worker=1", false, 2);
        assert_eq!(told, [brokers, ("a partition stands still", true, 1)]);
    }

    #[test]
    fn so_many_are_kept_and_of_each_so_much() {
        let troubles = Troubles::default();
        (0..100).for_each(|number| troubles.note(false, number.to_string()));
        let kept = troubles.latest();
        assert_eq!((kept.len(), kept[0].text.as_str()), (MOST, "99"));
        let long = Words { message: "ä".repeat(LONGEST), ..Words::default() }.text();
        assert!(long.len() <= LONGEST + '…'.len_utf8() && long.ends_with('…'));
    }
}
