//! The little JSON that is written here: members with a comma before them, and address texts.

use std::io::Write as _;
use std::net::IpAddr;

use serde::Serialize;

/// Writes the members that are present. Each has its comma before it, save the first after an
/// opening brace, so that what is written at the top level can be put behind any other member.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Members<'a> {
    /// Appends to `out`.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    pub(super) fn text(&mut self, name: &str, value: Option<&String>) {
        self.member(name, value);
    }

    pub(super) fn whole(&mut self, name: &str, value: Option<u32>) {
        self.member(name, value);
    }

    /// Under a name that is written as JSON has it, without its quotes.
    pub(super) fn raw(&mut self, name: &[u8], value: &impl Serialize) {
        self.name(name);
        append(self.out, value);
    }

    /// A number in its shortest form. JSON has no word for infinity: such a value is absent.
    pub(super) fn decimal(&mut self, name: &str, value: Option<f64>) {
        self.member(name, value.filter(|value| value.is_finite()));
    }

    /// A word of our own.
    pub(super) fn word(&mut self, name: &str, value: &str) {
        self.member(name, Some(value));
    }

    /// A list of objects; nothing at all when there are none.
    pub(super) fn list<T>(
        &mut self,
        name: &[u8],
        items: &[T],
        write: impl Fn(&mut Members<'_>, &T),
    ) {
        if items.is_empty() {
            return;
        }
        self.name(name);
        let mut before = b'[';
        for item in items {
            self.out.extend_from_slice(&[before, b'{']);
            write(self, item);
            self.out.push(b'}');
            before = b',';
        }
        self.out.push(b']');
    }

    /// An object; nothing at all when `inner` writes no member.
    pub(super) fn object(&mut self, name: &[u8], inner: impl FnOnce(&mut Members<'_>)) {
        let before = self.out.len();
        self.name(name);
        self.out.push(b'{');
        let open = self.out.len();
        inner(self);
        if self.out.len() == open {
            self.out.truncate(before);
        } else {
            self.out.push(b'}');
        }
    }

    fn member(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.raw(name.as_bytes(), &value);
        }
    }

    fn name(&mut self, name: &[u8]) {
        let before: &[u8] = if self.out.last() == Some(&b'{') { b"\"" } else { b",\"" };
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"\":");
    }
}

/// The JSON text of `value`, with quotes and escapes where it is a string.
pub(super) fn quoted(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, &value);
    out
}

/// The same without the quotes around it: what a name is written as.
pub(super) fn escaped(name: &str) -> Box<[u8]> {
    let quoted = quoted(name);
    quoted[1..quoted.len() - 1].into()
}

/// Appends the canonical text of an address, without quotes.
pub(super) fn append_address(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            // The formatting machinery costs ten times as much, and this is done for each record.
            let mut text = [0_u8; 16];
            let mut len = 0;
            for octet in ip.octets() {
                for (unit, shown) in [(100, octet >= 100), (10, octet >= 10), (1, true)] {
                    text[len] = b'0' + octet / unit % 10;
                    len += usize::from(shown);
                }
                text[len] = b'.';
                len += 1;
            }
            out.extend_from_slice(&text[..len - 1]);
        }
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_none() => append_v6(out, ip.segments()),
        IpAddr::V6(ip) => {
            // A Vec takes whatever is written to it.
            let _ = write!(out, "{ip}");
        }
    }
}

/// As RFC 5952 wants it: of the longest runs of zeros the first is left out.
fn append_v6(out: &mut Vec<u8>, segments: [u16; 8]) {
    let (mut run, mut left_out) = (0..0, 0..0);
    for (at, segment) in segments.iter().enumerate() {
        run = if *segment == 0 { run.start..at + 1 } else { at + 1..at + 1 };
        if run.len() > left_out.len().max(1) {
            left_out = run.clone();
        }
    }
    let mut text = [b':'; 40];
    let mut len = 0;
    for (at, segment) in segments.iter().enumerate() {
        if left_out.contains(&at) {
            // One before it and one behind it, of which the latter is the next segment's.
            len += usize::from(at == 0);
            len += usize::from(at + 1 == left_out.end);
            continue;
        }
        for shift in [12, 8, 4, 0] {
            text[len] = b"0123456789abcdef"[usize::from(segment >> shift & 0xf)];
            len += usize::from(segment >> shift != 0 || shift == 0);
        }
        if at < 7 {
            text[len] = b':';
            len += 1;
        }
    }
    out.extend_from_slice(&text[..len]);
}

fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    // A Vec takes whatever is written to it, and strings, numbers and flags are always JSON.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_their_comma_before_them_and_objects_without_members_are_left_out() {
        let mut out = Vec::new();
        let mut members = Members::new(&mut out);
        members.text("a", Some(&"x\"y\n\u{e9}".to_owned()));
        members.text("b", None);
        members.object(b"c", |c| c.decimal("d", Some(f64::NAN)));
        members.object(b"e", |e| {
            e.decimal("f", Some(-0.1));
            e.raw(b"g", &false);
            e.whole("h", Some(7));
        });
        members.list(b"i", &[0; 0], |item, value| item.whole("m", Some(*value)));
        members.raw(&escaped("j\""), &["k", "\""]);
        members.list(b"l", &[1, 2], |item, value| item.whole("m", Some(*value)));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            r#","a":"x\"y\né","e":{"f":-0.1,"g":false,"h":7},"j\"":["k","\""],"l":[{"m":1},{"m":2}]"#
        );
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        for text in [
            "0.0.0.0",
            "1.20.255.100",
            "255.255.255.255",
            "192.0.2.9",
            "2001:db8::1",
            "::",
            "fe80::a:0:b",
        ] {
            let mut out = Vec::new();
            append_address(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_address_of_version_6_is_too(
            bits: u128, zeros: u8, ones in 0..256u16,
        ) {
            let segment = |nth: usize| match (zeros >> nth & 1, ones >> nth & 1) {
                (1, _) => 0,
                (_, 1) => (bits >> (16 * nth)) as u16 & 0xf,
                _ => (bits >> (16 * nth)) as u16,
            };
            let ip = std::net::Ipv6Addr::from(std::array::from_fn::<u16, 8, _>(segment));
            let mut out = Vec::new();
            append_address(&mut out, ip.into());
            proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), ip.to_string());
        }
    }
}
