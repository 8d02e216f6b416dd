//! The SHA-256 of a file as its source says it, and as it is. Pure but for reading the file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use openssl::sha::Sha256;
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

    /// What a reply says: IPinfo's object, or the line that `sha256sum` writes.
    pub(super) fn said(reply: &[u8]) -> Option<Self> {
        if let Ok(value) = serde_json::from_slice::<Value>(reply) {
            let found = value.pointer("/checksums/sha256").or_else(|| value.get("sha256"));
            return found.and_then(Value::as_str).and_then(Self::new);
        }
        let text = std::str::from_utf8(reply).ok()?;
        text.split_whitespace().find_map(Self::new)
    }

    /// Of the bytes of a file.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => hash.update(&piece[..read]),
            }
        }
        Ok(Self(Generation::of_hash(hash.finish()).to_string()))
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
        for reply in [
            format!(r#"{{"checksums": {{"md5": "x", "sha256": "{digits}"}}}}"#),
            format!(r#"{{"sha256": "{digits}"}}"#),
            format!("{digits}  GeoLite2-City_20260101.tar.gz\n"),
            format!("SHA256 (city.mmdb) = {upper}\n"),
            digits.to_owned(),
        ] {
            assert_eq!(Checksum::said(reply.as_bytes()).unwrap().to_string(), digits, "{reply}");
        }
        for reply in [&b"<html>sign in</html>"[..], b"", br#"{"checksums": {}}"#, b"\xff", b"123"] {
            assert_eq!(Checksum::said(reply), None);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(Checksum::of(&path).unwrap().to_string(), digits);
    }
}
