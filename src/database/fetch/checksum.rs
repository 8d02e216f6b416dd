//! The SHA-256 of a file as its source says it, and as it is. Pure but for reading the file.

use std::fmt;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::database::generation::Generation;

/// 64 digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Checksum(String);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Checksum {
    /// Of this text, in whichever case.
    pub(super) fn new(text: &str) -> Option<Self> {
        let is_one = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_ascii_lowercase()))
    }

    /// What a reply says of the file of this name: IPinfo's object, or what `sha256sum` writes. Of one
    /// that has several checksums it is that of the line that names the file, or what is packed in it.
    pub(super) fn said(reply: &[u8], file: &str) -> Option<Self> {
        if let Ok(value) = serde_json::from_slice::<Value>(reply) {
            let found = value.pointer("/checksums/sha256").or_else(|| value.get("sha256"));
            return found.and_then(Value::as_str).and_then(Self::new);
        }
        let text = std::str::from_utf8(reply).ok()?;
        let inner = file.strip_suffix(".gz").unwrap_or(file);
        let mut all = text.split_whitespace().filter_map(Self::word);
        let only = all.next().filter(|one| all.all(|other| other == *one));
        only.or_else(|| Self::named(text, file)).or_else(|| Self::named(text, inner))
    }

    /// That of the line of a list that names the file.
    pub(super) fn named(list: &str, file: &str) -> Option<Self> {
        let names = |line: &&str| {
            let before = line.trim_end().strip_suffix(file);
            let is_all = before.is_some_and(|it| it.ends_with([' ', '\t', '*', '/']));
            is_all || line.contains(&format!("({file})"))
        };
        list.lines().filter(names).find_map(|line| line.split_whitespace().find_map(Self::word))
    }

    fn word(word: &str) -> Option<Self> {
        Self::new(word.strip_prefix("sha256:").unwrap_or(word))
    }

    /// Of the bytes of a file.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self(Generation::of_file(path)?.to_string()))
    }
}

#[cfg(test)]
impl Checksum {
    /// Of these bytes.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Generation::of(bytes).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_read_as_vendors_say_it() {
        let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let upper = digits.to_ascii_uppercase();
        let other = "0".repeat(64);
        for reply in [
            format!(r#"{{"checksums": {{"md5": "x", "sha256": "{digits}"}}}}"#),
            format!(r#"{{"sha256": "{digits}"}}"#),
            format!("{digits}  GeoLite2-City_20260101.tar.gz\n"),
            format!("SHA256 (city.mmdb) = {upper}\n"),
            digits.to_owned(),
            format!("sha256:{digits}\n"),
            format!("{other}  my-city.mmdb\n{other}  city.mmdb.sig\n{digits}  city.mmdb\n"),
            format!("{other} *asn.mmdb\r\n{upper} *./city.mmdb\r\n"),
            format!("SHA256 (asn.mmdb) = {other}\nSHA256 (city.mmdb) = {digits}\n"),
        ] {
            for file in ["city.mmdb", "city.mmdb.gz"] {
                let said = Checksum::said(reply.as_bytes(), file);
                assert_eq!(said.unwrap().to_string(), digits, "{reply}");
            }
        }
        let list = format!("{other}  asn.mmdb\n{digits}  my-city.mmdb\n");
        for reply in
            [b"<html>sign in</html>", &b""[..], br#"{"checksums": {}}"#, b"\xff", list.as_bytes()]
        {
            assert_eq!(Checksum::said(reply, "city.mmdb"), None);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(Checksum::of(&path).unwrap().to_string(), digits);
    }
}
