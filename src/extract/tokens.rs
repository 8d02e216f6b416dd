//! The pieces of JSON: white space, strings, numbers, literals, and whole values that are passed
//! over. Everything is checked, for what is spliced into a broken text makes it worse.

#![expect(
    clippy::inline_always,
    reason = "a token costs a few nanoseconds, and so would a call of it"
)]

use super::stops::{Stops, Walk};
use super::unreadable::Flaw;

/// Why reading ended, and where.
pub(super) type Stop = (usize, Trouble);

/// What ended the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Not JSON.
    Flaw(Flaw),
    /// One bracket too many.
    Depth,
}

/// Where a string's text ends, and whether it has escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// Where the closing quote stands.
    pub(super) end: usize,
    /// Whether the text is to be unescaped before it is compared.
    pub(super) escaped: bool,
}

/// The event, read from its start to its end, and its stops. Positions are bytes from the event's
/// start.
///
/// All functions that take a position and change the walk (`&mut self`) are called in the order of
/// the event, so that of the stops only the next one matters: it is the first at or after the
/// position.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) event: &'a [u8],
    /// The stops at or after the present position.
    stops: Walk<'a>,
}

/// What stands between a name and its value, behind a string, and between two members or strings
/// where nothing is written that is not needed: most events are. A look at these bytes together
/// is one load, one check for the end of the event, and one branch.
const NAME_END: u32 = u32::from_le_bytes(*b"\":\0\0");
const STRING_THEN_QUOTE: u32 = u32::from_le_bytes(*b"\",\"\0");
const COMMA_QUOTE: u32 = u32::from_le_bytes(*b",\"\0\0");

#[cold]
fn flaw<T>(at: usize, flaw: Flaw) -> Result<T, Stop> {
    Err((at, Trouble::Flaw(flaw)))
}

impl<'a> Tokens<'a> {
    /// Begins at the start of `event`, whose stops these are.
    pub(super) fn new(event: &'a [u8], stops: &'a Stops) -> Self {
        Self { event, stops: stops.walk() }
    }

    /// The byte at `at`; 0, which stands nowhere in JSON, behind the end.
    #[inline(always)]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.event.get(at).copied().unwrap_or(0)
    }

    /// The four bytes at `at`, the first the lowest; 0 where fewer are left.
    #[inline(always)]
    fn four(&self, at: usize) -> u32 {
        self.event
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |four| u32::from_le_bytes(*four))
    }

    /// Whether another member follows at once on a value that ends before `at`.
    #[inline(always)]
    pub(super) fn goes_on(&self, at: usize) -> bool {
        self.four(at) & 0xffff == COMMA_QUOTE
    }

    /// Fails with what is wrong about the byte at `at`.
    #[cold]
    #[inline(never)]
    pub(super) fn unexpected<T>(&self, at: usize) -> Result<T, Stop> {
        flaw(at, if at >= self.event.len() { Flaw::End } else { Flaw::Byte })
    }

    /// The first place at or after `at` that is no white space.
    #[inline(always)]
    pub(super) fn skip_white(&mut self, at: usize) -> usize {
        // Most events are written without any.
        if self.byte(at) > b' ' { at } else { self.skip_long_white(at) }
    }

    #[inline(always)]
    fn skip_long_white(&mut self, mut at: usize) -> usize {
        loop {
            match self.byte(at) {
                b' ' => {}
                b'\n' | b'\r' | b'\t' => {
                    self.stops.take();
                }
                _ => return at,
            }
            at += 1;
        }
    }

    /// Reads a string whose opening quote stands at `at`.
    #[inline(always)]
    pub(super) fn string(&mut self, at: usize) -> Result<Text, Stop> {
        let end = self.open(at);
        self.text(end)
    }

    /// The first stop in or behind the string whose opening quote stands at `at`.
    #[inline(always)]
    fn open(&mut self, at: usize) -> usize {
        debug_assert_eq!(self.stops.clone().take(), at, "the opening quote is the next stop");
        self.stops.leave_out();
        self.stops.take()
    }

    /// The string whose first stop stands at `end`.
    #[inline(always)]
    fn text(&mut self, end: usize) -> Result<Text, Stop> {
        if self.byte(end) == b'"' {
            return Ok(Text { end, escaped: false });
        }
        let (text, stops) = string_with_escapes(self.event, self.stops, end)?;
        self.stops = stops;
        Ok(text)
    }

    /// The string whose text begins at `start`, wherever reading has arrived; none where it does not
    /// end, or has something in it that no string may have.
    #[inline(always)]
    pub(super) fn text_from(&self, start: usize, stops: &Stops) -> Option<Text> {
        let mut walk = stops.walk_from(start);
        let end = walk.take();
        if self.byte(end) == b'"' {
            return Some(Text { end, escaped: false });
        }
        string_with_escapes(self.event, walk, end).ok().map(|(text, _)| text)
    }

    /// Reads a member's name and its colon; `at` is where the name's quote must stand. Returns
    /// the name and where the value begins.
    #[inline(always)]
    pub(super) fn name(&mut self, at: usize) -> Result<(Text, usize), Stop> {
        if self.byte(at) != b'"' {
            return self.unexpected(at);
        }
        self.name_of(at)
    }

    /// The same, where a quote is known to stand at `at`.
    #[inline(always)]
    fn name_of(&mut self, at: usize) -> Result<(Text, usize), Stop> {
        let end = self.open(at);
        let four = self.four(end);
        if four & 0xffff == NAME_END && four >> 16 & 0xff > u32::from(b' ') {
            return Ok((Text { end, escaped: false }, end + 2));
        }
        let name = self.text(end)?;
        let colon = self.skip_white(name.end + 1);
        if self.byte(colon) != b':' {
            return self.unexpected(colon);
        }
        Ok((name, self.skip_white(colon + 1)))
    }

    /// Passes over a number, `true`, `false` or `null`.
    #[inline(always)]
    pub(super) fn scalar(&self, at: usize) -> Result<usize, Stop> {
        match self.byte(at) {
            b'-' | b'0'..=b'9' => self.number(at),
            b't' => self.literal(at, *b"true"),
            b'f' => self.literal(at + 1, *b"alse"),
            b'n' => self.literal(at, *b"null"),
            _ => self.unexpected(at),
        }
    }

    #[inline(always)]
    fn literal(&self, at: usize, text: [u8; 4]) -> Result<usize, Stop> {
        match self.event.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            Some(found) if *found == text => Ok(at + 4),
            _ => flaw(at, Flaw::Literal),
        }
    }

    #[inline(always)]
    fn digits(&self, mut at: usize) -> usize {
        // Eight at a time, since how many there are is what a processor cannot foresee.
        while let Some(bytes) = self.event.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let values = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
            // The high bit of each byte that is no digit; right up to the first such byte.
            let others =
                (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
            if others != 0 {
                return at + others.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    }

    /// Passes over a number. Its value does not matter, so that `1e400` is one like another.
    #[inline(always)]
    fn number(&self, at: usize) -> Result<usize, Stop> {
        let first = at + usize::from(self.byte(at) == b'-');
        let mut end = match self.byte(first) {
            b'0' => first + 1,
            b'1'..=b'9' => self.digits(first),
            _ => return flaw(first, Flaw::Number),
        };
        if matches!(self.byte(end), b'.' | b'e' | b'E') {
            end = self.fraction(end)?;
        }
        Ok(end)
    }

    /// Passes over what follows a number's whole part.
    #[inline(never)]
    fn fraction(&self, mut at: usize) -> Result<usize, Stop> {
        if self.byte(at) == b'.' {
            let end = self.digits(at + 1);
            if end == at + 1 {
                return flaw(end, Flaw::Number);
            }
            at = end;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let first = at + 1 + usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            at = self.digits(first);
            if at == first {
                return flaw(at, Flaw::Number);
            }
        }
        Ok(at)
    }

    /// Passes over any value; `room` says how many brackets deep it may be. `open` is memory that
    /// is used again.
    #[inline(always)]
    pub(super) fn skip(
        &mut self,
        at: usize,
        room: usize,
        open: &mut Vec<u8>,
    ) -> Result<usize, Stop> {
        match self.byte(at) {
            b'"' => Ok(self.string(at)?.end + 1),
            b'{' | b'[' => self.skip_container(at, room, open),
            _ => self.scalar(at),
        }
    }

    /// Passes over an object or an array, without recursion.
    #[inline(never)]
    fn skip_container(
        &mut self,
        at: usize,
        room: usize,
        open: &mut Vec<u8>,
    ) -> Result<usize, Stop> {
        // Worked on by value, so that it stays in registers.
        let mut tokens = *self;
        let end = tokens.container(at, room, open)?;
        *self = tokens;
        Ok(end)
    }

    /// The same, on a copy.
    #[inline(always)]
    fn container(&mut self, at: usize, room: usize, open: &mut Vec<u8>) -> Result<usize, Stop> {
        open.clear();
        let mut at = at;
        // The bracket that closes the container in which `at` stands; those around it are `open`.
        let mut close = 0;
        loop {
            // At the first byte of a value.
            match self.byte(at) {
                b'"' => {
                    let end = self.open(at);
                    if self.four(end) & 0xff_ffff == STRING_THEN_QUOTE {
                        at = end + 2;
                        if close == b'}' {
                            at = self.name_of(at)?.1;
                        }
                        continue;
                    }
                    at = self.text(end)?.end + 1;
                }
                bracket @ (b'{' | b'[') => {
                    if open.len() >= room {
                        return Err((at, Trouble::Depth));
                    }
                    open.push(close);
                    // In ASCII, both closing brackets stand two behind the opening ones.
                    close = bracket + 2;
                    at = self.skip_white(at + 1);
                    if self.byte(at) != close {
                        if bracket == b'{' {
                            at = self.name(at)?.1;
                        }
                        continue;
                    }
                }
                _ => at = self.scalar(at)?,
            }
            // Behind a value, or at the bracket that closes an empty container.
            loop {
                at = self.skip_white(at);
                let byte = self.byte(at);
                if byte == b',' {
                    at = self.skip_white(at + 1);
                    if close == b'}' {
                        at = self.name(at)?.1;
                    }
                    break;
                }
                if byte != close {
                    return self.unexpected(at);
                }
                at += 1;
                close = open.pop().unwrap_or(0);
                if open.is_empty() {
                    return Ok(at);
                }
            }
        }
    }
}

/// Reads on in a string from a stop in it that is not its closing quote; returns also the stops
/// behind the string.
#[inline(never)]
fn string_with_escapes<'a>(
    event: &[u8],
    mut stops: Walk<'a>,
    mut at: usize,
) -> Result<(Text, Walk<'a>), Stop> {
    loop {
        match event.get(at) {
            Some(b'"') => return Ok((Text { end: at, escaped: true }, stops)),
            Some(b'\\') => check_escape(event, at)?,
            Some(_) => return flaw(at, Flaw::Control),
            None => return flaw(event.len(), Flaw::End),
        }
        if let Some(b'"' | b'\\') = event.get(at + 1) {
            stops.take();
        }
        at = stops.take();
    }
}

/// Checks the escape whose backslash stands at `at`.
#[inline(always)]
fn check_escape(event: &[u8], at: usize) -> Result<(), Stop> {
    match event.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
        Some(b'u') => match event.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(()),
            Some(_) => flaw(at, Flaw::Escape),
            None => flaw(event.len(), Flaw::End),
        },
        Some(_) => flaw(at, Flaw::Escape),
        None => flaw(event.len(), Flaw::End),
    }
}

/// The longest text that [`unescape`] gives.
pub(super) const LONGEST: usize = 256;

/// The text of a valid JSON string without its escapes, in `buffer`. None when it is longer than
/// the buffer or has half a surrogate pair, which is no text.
pub(super) fn unescape<'b>(raw: &[u8], buffer: &'b mut [u8; LONGEST]) -> Option<&'b [u8]> {
    let mut length = 0;
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        let mut encoded = [byte, 0, 0, 0];
        let mut size = 1;
        if byte == b'\\' {
            encoded[0] = match *raw.get(at)? {
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => {
                    let mut point = unit(raw, at + 1)?;
                    if (0xd800..0xdc00).contains(&point) && raw.get(at + 5..at + 7)? == b"\\u" {
                        let low = unit(raw, at + 7)?.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
                        point = 0x1_0000 + ((point - 0xd800) << 10) + low;
                        at += 6;
                    }
                    at += 4;
                    size = char::from_u32(point)?.encode_utf8(&mut encoded).len();
                    encoded[0]
                }
                other => other,
            };
            at += 1;
        }
        buffer.get_mut(length..length + size)?.copy_from_slice(&encoded[..size]);
        length += size;
    }
    Some(&buffer[..length])
}

/// The four hexadecimal digits at `at`.
fn unit(raw: &[u8], at: usize) -> Option<u32> {
    raw.get(at..at + 4)?
        .iter()
        .try_fold(0, |unit, digit| char::from(*digit).to_digit(16).map(|value| unit << 4 | value))
}
