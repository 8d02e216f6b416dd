//! A generation: one version of a database, by the hash of its bytes.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use openssl::sha::Sha256;

use super::background::{Resting, rest};

/// So many digits are enough to tell the generations of a database apart.
const SHORT: usize = 12;
/// So much of a file is in memory at a time.
const PIECE: usize = 1 << 20;

/// The SHA-256 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation([u8; 32]);

impl Generation {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for piece in bytes.chunks(PIECE) {
            hash.update(piece);
            rest();
        }
        Self(hash.finish())
    }

    /// Of the bytes of a file.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Self::through(&mut File::open(path)?, io::sink())
    }

    /// Of everything that is there, and is written on.
    pub(super) fn through(from: &mut impl Read, mut to: impl Write) -> io::Result<Self> {
        let (mut from, mut hash) = (Resting(from), Sha256::new());
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece)? {
                0 => return Ok(Self(hash.finish())),
                read => {
                    hash.update(&piece[..read]);
                    to.write_all(&piece[..read])?;
                }
            }
        }
    }

    /// The beginning of it, for people.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT);
        text
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Generation {
    type Err = ();

    /// From all 64 digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(drop)?;
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_the_sha_256_and_is_read_as_it_was_written() {
        let generation = Generation::of(b"abc");
        assert_eq!(generation.short(), "ba7816bf8f01");
        assert_eq!(generation.to_string().parse(), Ok(generation));
        assert_eq!("ba7816bf8f01".parse::<Generation>(), Err(()));
    }
}
