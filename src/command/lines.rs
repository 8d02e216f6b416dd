//! Events from a stream, a line each: every byte that is not an event comes out as it went in.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read, Write};

use crate::record::{Outcome, Reason};

/// A longer line is passed through unread.
const LONGEST_LINE_BYTES: u64 = 64 << 20;

/// How the events of a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Events: lines that are not blank.
    pub(super) events: u64,
    outcomes: BTreeMap<(&'static str, &'static str), u64>,
}

impl Tally {
    /// Whether any event could be read and had nothing to be looked up.
    pub(super) fn has_any_passed(&self) -> bool {
        let passed = Outcome::Unchanged(None);
        self.outcomes.contains_key(&(passed.name(), passed.why()))
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        self.events += 1;
        *self.outcomes.entry((outcome.name(), outcome.why())).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    /// `12 events: 9 enriched, 2 partial (not_found), 1 unchanged`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} event{}", self.events, if self.events == 1 { "" } else { "s" })?;
        for (at, ((outcome, reason), count)) in self.outcomes.iter().enumerate() {
            write!(f, "{}{count} {outcome}", if at == 0 { ": " } else { ", " })?;
            if !reason.is_empty() {
                write!(f, " ({reason})")?;
            }
        }
        Ok(())
    }
}

/// What can go wrong on the way.
#[derive(Debug)]
pub(super) enum StreamError {
    Read(io::Error),
    Write(io::Error),
}

/// Gives each event of `input` to `stamp`, which writes what becomes of it, and writes that with
/// the line's own end: `\n`, `\r\n` or, at the end of the input, none. Blank lines pass. Of a
/// dropped event nothing is written.
pub(super) fn stamp_lines(
    input: &mut impl BufRead,
    out: &mut impl Write,
    tally: &mut Tally,
    mut stamp: impl FnMut(&[u8], &mut Vec<u8>) -> Outcome,
) -> Result<(), StreamError> {
    let mut line = Vec::new();
    let mut stamped = Vec::new();
    loop {
        line.clear();
        let read = input.take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line);
        if read.map_err(StreamError::Read)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == LONGEST_LINE_BYTES && !line.ends_with(b"\n") {
            tally.count(Outcome::Unchanged(Some(Reason::TooLarge)));
            out.write_all(&line).map_err(StreamError::Write)?;
            copy_rest(input, out)?;
            continue;
        }
        let (event, end) = split_end(&line);
        if event.iter().all(u8::is_ascii_whitespace) {
            out.write_all(&line).map_err(StreamError::Write)?;
            continue;
        }
        stamped.clear();
        let outcome = stamp(event, &mut stamped);
        tally.count(outcome);
        if !matches!(outcome, Outcome::Dropped(_)) {
            stamped.extend_from_slice(end);
            out.write_all(&stamped).map_err(StreamError::Write)?;
        }
    }
}

/// The line and its end.
fn split_end(line: &[u8]) -> (&[u8], &[u8]) {
    let end = match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    line.split_at(line.len() - end)
}

/// Copies up to the end of the line.
fn copy_rest(input: &mut impl BufRead, out: &mut impl Write) -> Result<(), StreamError> {
    loop {
        let piece = input.fill_buf().map_err(StreamError::Read)?;
        let newline = memchr::memchr(b'\n', piece);
        let length = newline.map_or(piece.len(), |at| at + 1);
        out.write_all(&piece[..length]).map_err(StreamError::Write)?;
        let done = newline.is_some() || piece.is_empty();
        input.consume(length);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a star after each event.
    fn starred(input: &[u8]) -> (Vec<u8>, Tally) {
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let stamp = |event: &[u8], out: &mut Vec<u8>| {
            out.extend_from_slice(event);
            out.push(b'*');
            Outcome::Enriched
        };
        stamp_lines(&mut &input[..], &mut out, &mut tally, stamp).unwrap();
        (out, tally)
    }

    #[test]
    fn lines_keep_their_own_ends_and_blank_lines_pass() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"a\nb\n", b"a*\nb*\n"),
            (b"a\r\nb\n", b"a*\r\nb*\n"),
            (b"a\nb", b"a*\nb*"),
            (b"a\n\n\r\n  \nb\n", b"a*\n\n\r\n  \nb*\n"),
            (b"\n", b"\n"),
            (b"a\rb\n", b"a\rb*\n"),
            (b"\xff\x00\n", b"\xff\x00*\n"),
        ];
        for (input, expected) in cases {
            assert_eq!(starred(input).0, expected, "{input:?}");
        }
    }

    #[test]
    fn a_dropped_event_leaves_no_blank_line() {
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let input: &[u8] = b"keep\ndrop\nkeep\n";
        let stamp = |event: &[u8], out: &mut Vec<u8>| {
            out.extend_from_slice(event);
            if event == b"drop" { Outcome::Dropped(Reason::Unparsable) } else { Outcome::Enriched }
        };
        stamp_lines(&mut &input[..], &mut out, &mut tally, stamp).unwrap();
        assert_eq!(out, b"keep\nkeep\n");
        assert_eq!(tally.to_string(), "3 events: 1 dropped (unparsable), 2 enriched");
    }

    #[test]
    fn blank_lines_are_no_events() {
        assert_eq!(starred(b"\na\n\n").1.to_string(), "1 event: 1 enriched");
    }

    #[test]
    fn a_line_beyond_the_limit_passes_unread_and_the_next_one_is_read() {
        let mut input = vec![b'x'; LONGEST_LINE_BYTES as usize + 5];
        input.extend_from_slice(b"\na\n");
        let (out, tally) = starred(&input);
        assert_eq!(out.len(), input.len() + 1);
        assert!(out.ends_with(b"x\na*\n"));
        assert_eq!(tally.to_string(), "2 events: 1 enriched, 1 unchanged (too_large)");
    }
}
