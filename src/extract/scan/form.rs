//! Events that look like one before them: only their values are read.
//!
//! A machine writes its events by one pattern: the same names in the same order, and the same bytes
//! between one value and the next. Of an event that was read whole such a [`Form`] is kept. Where
//! the bytes between the values of another event are those of a form, there is nothing to be found
//! out about them: they are valid as they were valid there, and what was to be noted at a place then
//! is to be noted now. The values themselves are checked and read as ever. At the first byte that
//! differs the event is none of that form, and is read whole.

#![expect(clippy::inline_always, reason = "asked for each value of an event")]

use wide::u8x16;

use super::super::catalog::KindId;
use super::super::paths::{End, Signs};
use super::super::stops::Stops;
use super::pass::{Note, Opened, Pass};
use crate::record::Outline;

/// Forms that are kept: a topic's events are of a few.
const MOST_FORMS: usize = 8;
/// A form of more steps is not kept: it would cost more memory than it saves time.
const MOST_STEPS: usize = 1024;
/// What an event of a known form is worth, of one that is of none, and how much is kept of that.
const HIT: i32 = 1;
const MISS: i32 = -8;
const MOST_TRUST: i32 = 64;
/// For so many events no form is tried after events went on having none.
const REST: u32 = 512;

/// Bytes that are compared in one go.
const WIDTH: usize = 16;

/// Bytes that come next in an event, and what to do behind them.
#[derive(Clone, Copy, Debug)]
struct Step {
    bytes: u8x16,
    /// A bit for each of these that counts, from the first on.
    counted: u32,
    /// How many these are.
    len: u8,
    then: Then,
}

/// What stands behind some bytes, or is to be done there. Brackets stand so many bytes back.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// More bytes.
    Bytes,
    /// The text of a string, up to its closing quote.
    Text,
    /// A number, true, false or null.
    Scalar,
    /// The same, and something is noted of it.
    NotedText(u16),
    NotedScalar(u16),
    /// A container that paths go through begins.
    Open {
        back: u32,
        nth: u16,
    },
    /// It ends.
    Close {
        back: u32,
    },
    /// A container begins that is passed over, and is noted as a whole.
    From {
        back: u32,
    },
    /// It has ended.
    To {
        back: u32,
        note: Note,
    },
    /// Earlier values of these landmarks are gone: the number of the set.
    Forget(u16),
}

/// What is noted of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    pub(super) end: Option<End>,
    pub(super) name_steps: u8,
    pub(super) note: Note,
}

/// What reading an event whole did at a place in it.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Value(Noted),
    Open(Opened),
    Close,
    From,
    To(Note),
    Forget(u64),
}

/// What reading an event whole did, in the order of the event; of an event that is to be learnt.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    all: Vec<(usize, Deed)>,
    /// An object or array stands where an address belongs: that is counted by no step.
    is_odd: bool,
}

impl Deeds {
    pub(super) fn value(&mut self, at: usize, noted: Noted) {
        if noted.end.is_some() || !noted.note.is_empty() {
            self.all.push((at, Deed::Value(noted)));
        }
    }

    /// A container from its bracket to behind the one that closes it was passed over.
    pub(super) fn container(&mut self, start: usize, end: usize, noted: Noted) {
        self.is_odd |= noted.end.is_some();
        if !noted.note.is_empty() {
            self.all.push((start, Deed::From));
            self.all.push((end, Deed::To(noted.note)));
        }
    }

    pub(super) fn open(&mut self, at: usize, opened: Opened) {
        self.all.push((at, Deed::Open(opened)));
    }

    pub(super) fn close(&mut self, at: usize) {
        self.all.push((at, Deed::Close));
    }

    pub(super) fn forget(&mut self, at: usize, landmarks: u64) {
        if landmarks != 0 {
            self.all.push((at, Deed::Forget(landmarks)));
        }
    }
}

/// How events of one pattern are read.
#[derive(Debug, Default)]
struct Form {
    kind: KindId,
    steps: Vec<Step>,
    noted: Vec<Noted>,
    opened: Vec<Opened>,
    forgotten: Vec<u64>,
    /// What is the same of all of them.
    root_open: u32,
    is_empty: bool,
    dotted: bool,
    scattered: bool,
    signs: Signs,
}

/// The forms that were met last, and whether it is worth the time to try them.
#[derive(Debug, Default)]
pub(super) struct Forms {
    /// The last one first.
    all: Vec<Form>,
    /// How often that has been so of late.
    trust: i32,
    /// For so many events none is tried.
    rest: u32,
    pub(super) deeds: Deeds,
}

impl Forms {
    /// Whether the next event is to be held against the forms, and learnt where it has none of them.
    pub(super) fn are_tried(&mut self) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        self.deeds.all.clear();
        self.deeds.is_odd = false;
        true
    }

    /// Reads an event of a form that is known; its signs. None: it is of no such form, and what the
    /// pass has noted is to be forgotten.
    pub(super) fn read(
        &mut self,
        kind: KindId,
        stops: &Stops,
        pass: &mut Pass<'_>,
    ) -> Option<Signs> {
        for nth in 0..self.all.len() {
            let form = &self.all[nth];
            if form.kind != kind {
                continue;
            }
            if pass.by_form(form, stops).is_some() {
                let signs = form.signs;
                self.all[..=nth].rotate_right(1);
                self.trust = (self.trust + HIT).min(MOST_TRUST);
                return Some(signs);
            }
            pass.forget();
        }
        self.trust += MISS;
        if self.trust < -MOST_TRUST {
            self.trust = 0;
            self.rest = REST;
        }
        None
    }

    /// Keeps the form of an event that was read whole and is an object.
    pub(super) fn learn(&mut self, kind: KindId, event: &[u8], outline: &Outline, signs: Signs) {
        if self.deeds.is_odd {
            return;
        }
        let mut form = if self.all.len() < MOST_FORMS {
            Form::default()
        } else {
            self.all.pop().unwrap_or_default()
        };
        form.kind = kind;
        form.root_open = outline.root.open;
        form.is_empty = outline.root.empty;
        (form.dotted, form.scattered) = (outline.dotted, outline.scattered);
        form.signs = signs;
        if form.learn(event, &self.deeds.all).is_some() {
            self.all.insert(0, form);
        }
    }
}

impl Form {
    /// Makes the steps of a valid event. None where they are too many.
    fn learn(&mut self, event: &[u8], deeds: &[(usize, Deed)]) -> Option<()> {
        self.steps.clear();
        self.noted.clear();
        self.opened.clear();
        self.forgotten.clear();
        let mut deeds = deeds.iter().peekable();
        let byte = |at: usize| event.get(at).copied().unwrap_or(0);
        // Where what stands between two values begins.
        let mut between = 0;
        let mut at = 0;
        while at < event.len() {
            // A value's first byte, and the one behind its last.
            let (start, end) = match byte(at) {
                b'"' => {
                    let end = string_end(event, at);
                    let next = (end + 1..event.len()).find(|at| !is_white(byte(*at)))?;
                    if byte(next) == b':' {
                        at = next + 1;
                        continue;
                    }
                    (at + 1, end)
                }
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                    let ends =
                        |at: &usize| matches!(byte(*at), b',' | b']' | b'}') || is_white(byte(*at));
                    (at, (at..event.len()).find(ends)?)
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.bytes(&event[between..start]);
            let mut noted = None;
            while let Some((place, deed)) = deeds.next_if(|(place, _)| *place <= at) {
                noted = self.deed(*deed, (start - place) as u32).or(noted);
            }
            self.then(match (byte(at) == b'"', noted) {
                (true, None) => Then::Text,
                (true, Some(nth)) => Then::NotedText(nth),
                (false, None) => Then::Scalar,
                (false, Some(nth)) => Then::NotedScalar(nth),
            });
            // A string's closing quote belongs to what follows.
            between = end;
            at = if byte(at) == b'"' { end + 1 } else { end };
            if self.steps.len() > MOST_STEPS {
                return None;
            }
        }
        self.bytes(&event[between..]);
        for (place, deed) in deeds {
            self.deed(*deed, (event.len() - place) as u32);
        }
        Some(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(WIDTH) {
            let mut bytes = [0; WIDTH];
            bytes[..part.len()].copy_from_slice(part);
            let counted = (1 << part.len()) - 1;
            let (bytes, len) = (u8x16::new(bytes), part.len() as u8);
            self.steps.push(Step { bytes, counted, len, then: Then::Bytes });
        }
    }

    /// What is done behind the last bytes, or behind what is done there.
    fn then(&mut self, then: Then) {
        match self.steps.last_mut() {
            Some(step) if matches!(step.then, Then::Bytes) => step.then = then,
            _ => {
                let nothing = u8x16::splat(0);
                self.steps.push(Step { bytes: nothing, counted: 0, len: 0, then });
            }
        }
    }

    /// Adds the step for a deed so many bytes back; the number of what is noted of the next value.
    fn deed(&mut self, deed: Deed, back: u32) -> Option<u16> {
        let then = match deed {
            Deed::Value(noted) => {
                self.noted.push(noted);
                return Some((self.noted.len() - 1) as u16);
            }
            Deed::Open(opened) => {
                self.opened.push(opened);
                Then::Open { back, nth: (self.opened.len() - 1) as u16 }
            }
            Deed::Close => Then::Close { back },
            Deed::From => Then::From { back },
            Deed::To(note) => Then::To { back, note },
            Deed::Forget(landmarks) => {
                self.forgotten.push(landmarks);
                Then::Forget((self.forgotten.len() - 1) as u16)
            }
        };
        self.then(then);
        None
    }
}

impl Pass<'_> {
    /// Reads an event of this form. None: it is of another one, or there is something wrong with it.
    fn by_form(&mut self, form: &Form, stops: &Stops) -> Option<()> {
        let event = self.tokens.event;
        let mut at = 0;
        let mut from = 0;
        for step in &form.steps {
            if next_bytes(event, at).simd_eq(step.bytes).to_bitmask() & step.counted != step.counted
            {
                return None;
            }
            at += usize::from(step.len);
            match step.then {
                Then::Bytes => {}
                Then::Text => at = self.tokens.text_from(at, stops)?.end,
                Then::Scalar => at = self.tokens.scalar(at).ok()?,
                Then::NotedText(nth) => {
                    let text = self.tokens.text_from(at, stops)?;
                    let noted = form.noted.get(usize::from(nth))?;
                    self.text_value(at, text, noted);
                    at = text.end;
                }
                Then::NotedScalar(nth) => {
                    let end = self.tokens.scalar(at).ok()?;
                    let noted = form.noted.get(usize::from(nth))?;
                    self.scalar_value(at, end, noted);
                    at = end;
                }
                Then::Open { back, nth } => {
                    let opened = form.opened.get(usize::from(nth))?;
                    self.push(at - back as usize, *opened).ok()?;
                }
                Then::Close { back } => self.close(at - back as usize),
                Then::From { back } => from = at - back as usize,
                Then::To { back, note } => self.note(note, from, at - back as usize),
                Then::Forget(nth) => {
                    self.forget_landmarks(*form.forgotten.get(usize::from(nth))?);
                }
            }
        }
        if at < event.len() {
            return None;
        }
        (self.outline.root.open, self.outline.root.empty) = (form.root_open, form.is_empty);
        (self.outline.dotted, self.outline.scattered) = (form.dotted, form.scattered);
        Some(())
    }
}

/// The bytes at `at`; what stands behind the end is 0, which stands nowhere in JSON.
#[inline(always)]
fn next_bytes(event: &[u8], at: usize) -> u8x16 {
    let rest = event.get(at..).unwrap_or_default();
    rest.first_chunk().map_or_else(|| last_bytes(rest), |bytes| u8x16::new(*bytes))
}

#[cold]
fn last_bytes(rest: &[u8]) -> u8x16 {
    let mut bytes = [0; WIDTH];
    bytes[..rest.len()].copy_from_slice(rest);
    u8x16::new(bytes)
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Where the closing quote of the string stands whose opening one is at `at`.
fn string_end(event: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = event.get(end).filter(|byte| **byte != b'"') {
        end += if *byte == b'\\' { 2 } else { 1 };
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::super::config::Config;
    use super::super::{Limits, Workshop};
    use super::*;
    use crate::extract::paths::Paths;
    use crate::record::WritingNeeds;

    /// A workshop and what it reads by.
    struct Reader {
        workshop: Workshop,
        paths: Paths,
        limits: Limits,
    }

    impl Reader {
        fn new() -> Self {
            let config = Config::ecs();
            let paths: Vec<_> = (0..).zip(config.paths.clone()).collect();
            let needs =
                WritingNeeds { members: vec!["geo".into()], landmarks: vec!["tags".into()] };
            let paths = Paths::compile(&paths, &needs, &[]).unwrap();
            Self { workshop: Workshop::default(), paths, limits: Limits::of(&config) }
        }

        fn read(&mut self, event: &str) -> Outline {
            let mut outline = Outline::default();
            outline.landmarks.resize(2, None);
            self.workshop.begin(event.as_bytes()).unwrap();
            let (paths, limits) = (&self.paths, self.limits);
            self.workshop.pass(event.as_bytes(), (0, paths), limits, &mut outline).unwrap();
            outline
        }

        fn forms(&self) -> usize {
            self.workshop.forms.all.len()
        }
    }

    fn event(nth: usize) -> String {
        let number = 10_usize.pow(nth as u32 % 9);
        let text = r#"a\"b "#.repeat(nth % 40);
        format!(
            r#"{{"m":"{text}","source":{{"ip":"8.8.8.{nth}","port":{number}}},"tags":["{text}"],"n":{{"x":[{number},true]}}}}"#
        )
    }

    #[test]
    fn events_that_differ_in_their_values_are_of_one_form() {
        let mut reader = Reader::new();
        for nth in 0..200 {
            let event = event(nth);
            let outline = reader.read(&event);
            let ip = outline.sightings[0].address.ip().to_string();
            assert_eq!(ip, format!("8.8.8.{nth}"));
            let tags = outline.landmarks[0].unwrap();
            assert!(event[..tags.start as usize].ends_with(r#""tags":"#), "{event}");
            assert!(event[tags.end as usize..].starts_with(r#","n""#), "{event}");
        }
        assert_eq!(reader.forms(), 1);
        assert_eq!(reader.workshop.forms.trust, MOST_TRUST);
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts_in_a_known_form_too() {
        let mut reader = Reader::new();
        for nth in 0..3 {
            let event = format!(r#"{{"related":{{"ip":["{nth}"]}},"related":{{"x":{nth}}}}}"#);
            assert_eq!(reader.read(&event).landmarks, [None, None], "{event}");
        }
        assert_eq!(reader.forms(), 1);
    }

    #[test]
    fn what_comes_again_is_kept_and_what_is_most_asked_for_is_tried_first() {
        let mut reader = Reader::new();
        for round in 0..50 {
            for nth in 0..MOST_FORMS {
                reader.read(&format!(r#"{{"m{nth}":{round}}}"#));
            }
        }
        assert_eq!(reader.forms(), MOST_FORMS);
        assert_eq!(reader.workshop.forms.trust, MOST_TRUST);
    }

    #[test]
    fn where_no_event_is_like_another_none_is_held_against_forms_for_a_while() {
        let mut reader = Reader::new();
        let mut rested = 0;
        for nth in 0..10_000 {
            reader.read(&format!(r#"{{"m{nth}":1}}"#));
            rested += usize::from(reader.workshop.forms.rest > 0);
            assert!(reader.forms() <= MOST_FORMS);
        }
        assert!(rested > 9_500, "{rested}");
        // And when they are alike again, that is found out.
        for nth in 0..1000 {
            reader.read(&event(nth % 200));
        }
        assert!(reader.workshop.forms.trust > 0);
    }

    #[test]
    fn a_form_of_too_many_steps_is_not_kept() {
        let mut reader = Reader::new();
        reader.read(&format!(r#"{{"m":[{}1]}}"#, "1,".repeat(MOST_STEPS)));
        assert_eq!(reader.forms(), 0);
    }
}
