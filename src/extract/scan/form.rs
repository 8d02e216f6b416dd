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
use super::super::tokens::Tokens;
use super::pass::{Note, Opened, Pass};
use crate::record::Outline;

/// Forms that are kept: a topic's events are of a few.
const MOST_FORMS: usize = 8;
/// A form of more steps is not kept. It would take more than 32 KB, for as long as the worker lives.
const MOST_STEPS: usize = 1024;
/// Trust in forms, in eighths of what it costs to read an event whole. One of a form saves so much,
/// less an eighth for each eighth of it that was gone through by other forms before.
const HIT: i32 = 5;
/// One of none costs these tries, and the learning of its form.
const MISS: i32 = 40;
/// More is not gained, so that a change in what comes is noticed soon; where as much is lost, forms
/// rest.
const MOST_TRUST: i32 = 8 * MISS;
/// For so many events no form is tried once trust is lost.
const REST: u32 = 512;

/// Bytes that are compared in one go.
const WIDTH: usize = 16;

/// Bytes that come next in an event, and what to do behind them.
#[derive(Clone, Copy, Debug)]
struct Step {
    bytes: u8x16,
    /// A bit for each of these that counts, from the first on.
    counted: u16,
    /// How many these are.
    len: u8,
    then: Then,
}

/// Two of them are a line of the processor's cache.
const _: () = assert!(size_of::<Step>() == 32);

/// What stands behind some bytes, or is to be done there. Brackets stand so many bytes back.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// More bytes.
    Bytes,
    /// The text of a string, up to its closing quote; and the number of what is noted of it.
    Text(Option<u16>),
    /// A number, true, false or null; likewise.
    Scalar(Option<u16>),
    /// A container that paths go through begins.
    Open { back: u32, nth: u16 },
    /// It ends.
    Close { back: u32 },
    /// A container begins that is passed over, and is noted as a whole.
    From { back: u32 },
    /// It has ended.
    To { back: u32, note: Note },
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
    /// There are more than a form may have steps, or something was done that no step stands for.
    beyond_forms: bool,
}

impl Deeds {
    fn clear(&mut self) {
        self.all.clear();
        self.beyond_forms = false;
    }

    fn push(&mut self, at: usize, deed: Deed) {
        if self.all.len() < MOST_STEPS {
            self.all.push((at, deed));
        } else {
            self.beyond_forms = true;
        }
    }

    pub(super) fn value(&mut self, at: usize, noted: Noted) {
        if noted.end.is_some() || !noted.note.is_empty() {
            self.push(at, Deed::Value(noted));
        }
    }

    /// A container from its bracket to behind the one that closes it was passed over.
    pub(super) fn container(&mut self, start: usize, end: usize, noted: Noted) {
        // Where an address belongs it is counted as unreadable.
        self.beyond_forms |= noted.end.is_some();
        if !noted.note.is_empty() {
            self.push(start, Deed::From);
            self.push(end, Deed::To(noted.note));
        }
    }

    pub(super) fn open(&mut self, at: usize, opened: Opened) {
        self.push(at, Deed::Open(opened));
    }

    pub(super) fn close(&mut self, at: usize) {
        self.push(at, Deed::Close);
    }

    pub(super) fn forget(&mut self, at: usize, landmarks: u64) {
        if landmarks != 0 {
            self.push(at, Deed::Forget(landmarks));
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
    root_empty: bool,
    dotted: bool,
    scattered: bool,
    signs: Signs,
}

/// The forms that were met last.
#[derive(Debug, Default)]
pub(super) struct Forms {
    /// The last one first.
    all: Vec<Form>,
    /// Memory for the next one.
    spare: Form,
    /// Whether it is worth the time to try them, by what came of it of late.
    trust: i32,
    /// For so many events none is tried.
    rest: u32,
    pub(super) deeds: Deeds,
}

impl Forms {
    /// Begins with an event: whether it is to be held against the forms, and learnt where it is of
    /// none of them.
    pub(super) fn begin(&mut self) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        self.deeds.clear();
        true
    }

    /// Reads an event of a form that is known; its signs. None: it is of no such form, and nothing is
    /// noted of it.
    pub(super) fn read(
        &mut self,
        kind: KindId,
        stops: &Stops,
        pass: &mut Pass<'_>,
    ) -> Option<Signs> {
        let len = pass.tokens.event.len();
        // Bytes that were gone through for nothing.
        let mut wasted = 0;
        for (nth, form) in self.all.iter().enumerate() {
            if form.kind != kind {
                continue;
            }
            let mut at = 0;
            if pass.by_form(form, stops, &mut at).is_some() {
                let signs = form.signs;
                self.all[..=nth].rotate_right(1);
                self.change_trust(HIT - (8 * wasted / len) as i32);
                return Some(signs);
            }
            // Where the first bytes differ nothing was noted.
            if at > 0 {
                wasted += at;
                pass.forget();
            }
        }
        self.change_trust(-MISS);
        None
    }

    fn change_trust(&mut self, by: i32) {
        self.trust = (self.trust + by).min(MOST_TRUST);
        if self.trust < -MOST_TRUST {
            (self.trust, self.rest) = (0, REST);
        }
    }

    /// Keeps the form of an event that was read whole and is an object.
    pub(super) fn learn(
        &mut self,
        kind: KindId,
        (event, stops): (&[u8], &Stops),
        outline: &Outline,
        signs: Signs,
    ) {
        let form = &mut self.spare;
        if self.deeds.beyond_forms || form.learn(event, stops, &self.deeds.all).is_none() {
            return;
        }
        form.kind = kind;
        (form.root_open, form.root_empty) = (outline.root.open, outline.root.empty);
        (form.dotted, form.scattered) = (outline.dotted, outline.scattered);
        form.signs = signs;
        let oldest = if self.all.len() < MOST_FORMS { None } else { self.all.pop() };
        let newest = std::mem::replace(&mut self.spare, oldest.unwrap_or_default());
        self.all.insert(0, newest);
    }
}

impl Form {
    /// Makes the steps of a valid event. None where they are too many.
    fn learn(&mut self, event: &[u8], stops: &Stops, deeds: &[(usize, Deed)]) -> Option<()> {
        self.steps.clear();
        self.noted.clear();
        self.opened.clear();
        self.forgotten.clear();
        let tokens = Tokens::new(event, stops);
        let mut deeds = deeds.iter().peekable();
        // Where what stands between two values begins.
        let mut between = 0;
        let mut at = 0;
        while at < event.len() {
            let is_text = tokens.byte(at) == b'"';
            // A value's first byte, and the one behind its last.
            let (start, end) = match tokens.byte(at) {
                b'"' => {
                    let end = tokens.text_from(at + 1, stops)?.end;
                    let mut next = end + 1;
                    while is_white(tokens.byte(next)) {
                        next += 1;
                    }
                    if tokens.byte(next) == b':' {
                        at = next + 1;
                        continue;
                    }
                    (at + 1, end)
                }
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => (at, tokens.scalar(at).ok()?),
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.bytes(&event[between..start])?;
            let mut noted = None;
            while let Some((place, deed)) = deeds.next_if(|(place, _)| *place <= at) {
                self.deed(*deed, (start - place) as u32, &mut noted)?;
            }
            self.then(if is_text { Then::Text(noted) } else { Then::Scalar(noted) })?;
            // A string's closing quote belongs to what follows.
            between = end;
            at = end + usize::from(is_text);
        }
        self.bytes(&event[between..])?;
        for (place, deed) in deeds {
            self.deed(*deed, (event.len() - place) as u32, &mut None)?;
        }
        Some(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        for part in bytes.chunks(WIDTH) {
            let mut bytes = [0; WIDTH];
            bytes[..part.len()].copy_from_slice(part);
            let counted = u16::MAX >> (WIDTH - part.len());
            let (bytes, len) = (u8x16::new(bytes), part.len() as u8);
            self.push(Step { bytes, counted, len, then: Then::Bytes })?;
        }
        Some(())
    }

    fn push(&mut self, step: Step) -> Option<()> {
        let has_room = self.steps.len() < MOST_STEPS;
        has_room.then(|| self.steps.push(step))
    }

    /// What is done behind the last bytes, or behind what is done there.
    fn then(&mut self, then: Then) -> Option<()> {
        match self.steps.last_mut() {
            Some(step) if matches!(step.then, Then::Bytes) => {
                step.then = then;
                Some(())
            }
            _ => self.push(Step { bytes: u8x16::splat(0), counted: 0, len: 0, then }),
        }
    }

    /// Adds the step for a deed so many bytes back, or the number of what is noted of the next value.
    fn deed(&mut self, deed: Deed, back: u32, of_value: &mut Option<u16>) -> Option<()> {
        let then = match deed {
            Deed::Value(noted) => {
                *of_value = Some(number(&mut self.noted, noted)?);
                return Some(());
            }
            Deed::Open(opened) => Then::Open { back, nth: number(&mut self.opened, opened)? },
            Deed::Close => Then::Close { back },
            Deed::From => Then::From { back },
            Deed::To(note) => Then::To { back, note },
            Deed::Forget(landmarks) => Then::Forget(number(&mut self.forgotten, landmarks)?),
        };
        self.then(then)
    }
}

/// Adds something; its place.
fn number<T>(all: &mut Vec<T>, one: T) -> Option<u16> {
    let nth = u16::try_from(all.len()).ok()?;
    all.push(one);
    Some(nth)
}

impl Pass<'_> {
    /// Reads an event of this form. None: it is of another one, or there is something wrong with it.
    /// `at` says how far reading went.
    #[inline]
    fn by_form(&mut self, form: &Form, stops: &Stops, at: &mut usize) -> Option<()> {
        let event = self.tokens.event;
        let mut from = 0;
        for step in &form.steps {
            let same = next_bytes(event, *at).simd_eq(step.bytes).to_bitmask() as u16;
            if same & step.counted != step.counted {
                return None;
            }
            *at += usize::from(step.len);
            match step.then {
                Then::Bytes => {}
                Then::Text(noted) => {
                    let text = self.tokens.text_from(*at, stops)?;
                    if let Some(nth) = noted {
                        self.text_value(*at, text, form.noted.get(usize::from(nth))?);
                    }
                    *at = text.end;
                }
                Then::Scalar(noted) => {
                    let end = self.tokens.scalar(*at).ok()?;
                    if let Some(nth) = noted {
                        self.scalar_value(*at, end, form.noted.get(usize::from(nth))?);
                    }
                    *at = end;
                }
                Then::Open { back, nth } => {
                    let opened = form.opened.get(usize::from(nth))?;
                    self.push(*at - back as usize, *opened).ok()?;
                }
                Then::Close { back } => self.close(*at - back as usize),
                Then::From { back } => from = *at - back as usize,
                Then::To { back, note } => self.note(note, from, *at - back as usize),
                Then::Forget(nth) => {
                    self.forget_landmarks(*form.forgotten.get(usize::from(nth))?);
                }
            }
        }
        if *at < event.len() {
            return None;
        }
        (self.outline.root.open, self.outline.root.empty) = (form.root_open, form.root_empty);
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

#[inline(never)]
fn last_bytes(rest: &[u8]) -> u8x16 {
    let mut bytes = [0; WIDTH];
    bytes[..rest.len()].copy_from_slice(rest);
    u8x16::new(bytes)
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
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
            let landmarks = ["tags", "related.ip"].map(str::to_owned).to_vec();
            let needs = WritingNeeds { members: vec!["geo".into()], landmarks };
            let paths = Paths::compile(&paths, &needs, &[]).unwrap();
            Self { workshop: Workshop::default(), paths, limits: Limits::of(&config) }
        }

        fn read(&mut self, event: &str) -> Outline {
            let mut outline = Outline::default();
            outline.landmarks.resize(2, None);
            self.workshop.begin(event.as_bytes()).unwrap();
            let (paths, limits) = (&self.paths, self.limits);
            self.workshop.pass(event.as_bytes(), 0, paths, limits, &mut outline).unwrap();
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
    fn as_many_forms_as_are_kept_may_come_by_turns() {
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
    fn where_forms_differ_at_their_ends_only_they_are_not_tried_for_long() {
        let begin = r#""a":1,"#.repeat(100);
        for forms in 2..=MOST_FORMS {
            let mut reader = Reader::new();
            let mut rested = 0;
            for nth in 0..10_000 {
                reader.read(&format!(r#"{{{begin}"m{}":1}}"#, nth % forms));
                rested += usize::from(reader.workshop.forms.rest > 0);
            }
            assert!(rested > 7_000, "{forms}: {rested}");
        }
    }

    /// Guarantees: what is kept of an event is bounded, whatever a sender writes; and so are the
    /// numbers of its parts.
    #[test]
    fn a_form_of_too_many_steps_is_not_kept() {
        let mut reader = Reader::new();
        for event in [
            format!(r#"{{"m":[{}1]}}"#, "1,".repeat(MOST_STEPS)),
            format!(r#"{{"m":1,"{}":2}}"#, "n".repeat(WIDTH * MOST_STEPS)),
            format!(r#"{{"m":1,"{}":{{}}}}"#, "n".repeat(WIDTH * MOST_STEPS)),
            format!(r#"{{"host":{{"ip":[{}[]]}},"related":{{"ip":[]}}}}"#, "[],".repeat(65_531)),
            format!(r#"{{"host":{{"ip":[{}"8.8.8.8"]}}}}"#, "[],".repeat(MOST_STEPS)),
        ] {
            for _ in 0..2 {
                let outline = reader.read(&event);
                assert_eq!(outline.landmarks[1].is_some(), event.contains("related"));
                assert_eq!(reader.forms(), 0);
                let Forms { spare, deeds, .. } = &reader.workshop.forms;
                assert!(spare.steps.len() <= MOST_STEPS && deeds.all.len() <= MOST_STEPS);
            }
        }
    }
}
