//! What a licence may spend: counted in the provider's own billing unit, reserved before a call and
//! settled after it, never passed, by however many processes share the licence. Pure: no I/O, and
//! the clock is passed in.
//!
//! Processes agree through a log of [`Entry`]s whose order nobody can change and everybody reads
//! alike: see [`Replay`]. A process claims a chunk there, and spends from its chunk without asking
//! anybody: see [`Budget::reserve`]. [`Books`] stands between the two: whoever keeps the log
//! appends what it hands out, and reads to it what the log says.
//!
//! The rules, in one place:
//! - A claim is granted if all that was granted before it in each of its periods, and it, fit.
//! - Where processes believe in different budgets, the smallest of those that have claimed in the
//!   period and have not left holds for all.
//! - Whoever has no limit by the day itself learns that another has one from the log, and gives its
//!   chunk back at midnight like it.
//! - What is reserved stays spent unless the provider's own figure says less, or nothing was sent.
//! - Unused rest is given back by its owner alone. The chunk of an owner that has crashed stays spent.
//! - Nothing is spent in the minute on each side of a period's end, where clocks may differ.
//! - A log that begins after a period did cannot say what was spent in it, so all of it was.

mod allowance;
mod books;
mod calendar;
mod config;
mod entry;
mod forecast;
mod purse;
mod replay;
#[cfg(test)]
mod tests;

pub use allowance::{Budget, Standing};
pub use books::Books;
pub use calendar::{MARGIN, Period, clock_time};
pub use config::{BudgetConfig, LimitedBudget, Limits, PeriodKind};
pub use entry::{Act, Entry, Unreadable};
pub use forecast::gone_at;
pub use purse::{Crossed, Reservation, Reserve};
pub use replay::{Bound, Decision, Replay};
