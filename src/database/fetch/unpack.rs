//! Takes the one database out of what came: as it is, or out of `.gz`, `.zip` or `.tar.gz`, which are
//! known by their first bytes and not by a name. Nothing is written but this one file, under our own
//! name, and no more of it than is allowed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::checksum::Checksum;
use crate::database::background::Resting;

const GZIP: &[u8] = b"\x1f\x8b";
const ZIP: &[u8] = b"PK\x03\x04";
/// Stands in the first block of a tar.
const TAR: (usize, &[u8]) = (257, b"ustar");
const TAR_BLOCK: usize = 512;
/// So much of an archive may be skipped beside the file, which is unpacked too.
const SKIPPED: u64 = 1 << 20;
/// No vendor's archive has as many files.
const MOST_FILES: usize = 1000;
/// No name is as long, nor what else is said of a file before it.
const MOST_NAME: u64 = 64 << 10;

/// Why there is no file in it.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is larger than it may be.
    #[error("unpacks to more than {limit} bytes; raise `limit` if that is right")]
    TooLarge {
        /// So many bytes are allowed.
        limit: u64,
    },
    /// No file of an archive is a database.
    #[error("no file of the archive ends in .mmdb, or is called as `member` says")]
    NoMember,
    /// More than one is.
    #[error("several files of the archive end in .mmdb ({0}); say which one with `member`")]
    Several(String),
    /// It cannot be read or written.
    #[error("cannot be unpacked ({0}); the archive is damaged, or the disk is full")]
    Io(#[from] io::Error),
    /// A checksum in the archive says otherwise.
    #[error("not what the checksum beside it in the archive says; fetch it again")]
    Checksum,
    /// It is no zip.
    #[error("cannot be unpacked ({0}); the archive is damaged")]
    Zip(#[from] zip::result::ZipError),
}

impl UnpackError {
    /// Whether it is about this machine, and not about what came.
    pub(super) fn is_of_the_system(&self) -> bool {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
        let Self::Io(error) = self else { return false };
        !matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof)
    }
}

/// Writes the database in `packed` to `into`, for its owner alone.
pub(super) fn unpack(
    packed: &Path,
    into: &Path,
    member: Option<&str>,
    limit: u64,
) -> Result<(), UnpackError> {
    let mut file = File::open(packed)?;
    let mut begin = Vec::with_capacity(TAR_BLOCK);
    Read::by_ref(&mut file).take(TAR_BLOCK as u64).read_to_end(&mut begin)?;
    file.seek(SeekFrom::Start(0))?;
    let job = Job { into, member, limit };
    if begin.starts_with(ZIP) {
        return job.zip(file);
    }
    if !begin.starts_with(GZIP) {
        return if is_tar(&begin) { job.tar(file) } else { job.write(file) };
    }
    let unpacked = || File::open(packed).map(|file| MultiGzDecoder::new(BufReader::new(file)));
    let mut inner = Vec::with_capacity(TAR_BLOCK);
    unpacked()?.take(TAR_BLOCK as u64).read_to_end(&mut inner)?;
    if is_tar(&inner) { job.tar(unpacked()?) } else { job.write(unpacked()?) }
}

fn is_tar(begin: &[u8]) -> bool {
    begin.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1))
}

struct Job<'a> {
    into: &'a Path,
    member: Option<&'a str>,
    limit: u64,
}

impl Job<'_> {
    fn write(&self, from: impl Read) -> Result<(), UnpackError> {
        // Another file than what stood there, which may still be mapped.
        drop(std::fs::remove_file(self.into));
        let mut into = OpenOptions::new();
        let mut into = into.write(true).create_new(true).mode(0o600).open(self.into)?;
        let written = io::copy(&mut Resting(from).take(self.limit.saturating_add(1)), &mut into)?;
        if written > self.limit {
            return Err(UnpackError::TooLarge { limit: self.limit });
        }
        into.flush()?;
        into.sync_all()?;
        Ok(())
    }

    /// Whether the file of this name is meant.
    fn is_meant(&self, name: &str) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        match self.member {
            Some(member) => member == file || member == name,
            None => file.strip_suffix(".mmdb").is_some(),
        }
    }

    fn zip(&self, file: File) -> Result<(), UnpackError> {
        let mut archive = ZipArchive::new(BufReader::new(file))?;
        let mut names = Vec::new();
        for name in archive.file_names() {
            names.push(name?.into_owned());
        }
        let (names, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.is_meant(name));
        let name = match names.as_slice() {
            [] => return Err(UnpackError::NoMember),
            [name] => name,
            several => return Err(UnpackError::Several(shown(several))),
        };
        self.write(archive.by_name(name)?)?;
        let file = name.rsplit('/').next().unwrap_or(name);
        for beside in others.iter().filter(|name| name.to_ascii_lowercase().contains("sha256")) {
            let mut text = Vec::new();
            archive.by_name(beside)?.take(SKIPPED).read_to_end(&mut text)?;
            if let Some(expected) = said_of(file, beside, &text) {
                let found = Checksum::of(self.into)?;
                if found != expected {
                    return Err(UnpackError::Checksum);
                }
            }
        }
        Ok(())
    }

    /// A tar is read from its beginning to its end: the file is written as it goes by.
    fn tar(&self, from: impl Read) -> Result<(), UnpackError> {
        let mut archive =
            tar::Archive::new(from.take(self.limit.saturating_mul(2).saturating_add(SKIPPED)));
        let (mut found, mut named): (Vec<String>, _) = (Vec::new(), None);
        // The library itself would take a name of any length into memory.
        for entry in archive.entries()?.raw(true).take(MOST_FILES) {
            let entry = entry?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                named = name_of_next(entry)?.or(named);
                continue;
            }
            let name = named.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            let name = String::from_utf8_lossy(&name).into_owned();
            if kind.is_file() && self.is_meant(&name) {
                if found.is_empty() {
                    self.write(entry)?;
                }
                found.push(name);
            }
        }
        // Behind the last file is what says that all of it came whole.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        match found.as_slice() {
            [] => Err(UnpackError::NoMember),
            [_] => Ok(()),
            several => Err(UnpackError::Several(shown(several))),
        }
    }
}

/// What an entry that is no file says that the next one is called.
fn name_of_next(entry: tar::Entry<'_, impl Read>) -> io::Result<Option<Vec<u8>>> {
    let is_name = entry.header().entry_type().is_gnu_longname();
    let mut text = Vec::new();
    entry.take(MOST_NAME + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MOST_NAME {
        return Err(io::Error::other("a name without end"));
    }
    if is_name {
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        text.truncate(end);
        return Ok(Some(text));
    }
    let mut said = tar::PaxExtensions::new(&text).flatten();
    let path = said.find(|one| one.key_bytes() == b"path");
    Ok(path.map(|path| path.value_bytes().to_vec()))
}

/// What a list of checksums beside it says of a file: the line that names it, or all of a list that is
/// named after it.
fn said_of(file: &str, list: &str, text: &[u8]) -> Option<Checksum> {
    let named = Checksum::named(&String::from_utf8_lossy(text), file);
    named.or_else(|| Checksum::said(text, file).filter(|_| list.contains(file)))
}

/// Names from an archive, for people.
fn shown(names: &[String]) -> String {
    let names = names.iter().take(8).map(|name| name.escape_debug().to_string());
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut packed = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            packed.start_file(*name, SimpleFileOptions::default()).unwrap();
            packed.write_all(bytes).unwrap();
        }
        packed.finish().unwrap().into_inner()
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut packed = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            // Written as it is: the library itself would refuse a way out of the folder.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            packed.append(&header, *bytes).unwrap();
        }
        packed.into_inner().unwrap()
    }

    fn unpacked(bytes: &[u8], member: Option<&str>, limit: u64) -> Result<Vec<u8>, UnpackError> {
        let folder = tempfile::tempdir().unwrap();
        let [packed, into] = ["packed", "into"].map(|name| folder.path().join(name));
        std::fs::write(&packed, bytes).unwrap();
        unpack(&packed, &into, member, limit)?;
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "nothing is written beside it");
        assert_eq!(std::fs::metadata(&into).unwrap().permissions().mode() & 0o777, 0o600);
        Ok(std::fs::read(into).unwrap())
    }

    #[test]
    fn the_database_is_found_however_it_is_packed() {
        let files: [(&str, &[u8]); 2] =
            [("City_20260101/LICENSE.txt", b"words"), ("City_20260101/City.mmdb", b"database")];
        for packed in [
            b"database".to_vec(),
            gz(b"database"),
            zip(&files),
            tar(&files),
            gz(&tar(&files)),
            gz(&tar(&[("../../City.mmdb", b"database")])),
            zip(&[("../../City.mmdb", b"database")]),
        ] {
            assert_eq!(
                unpacked(&packed, None, 8).unwrap_or_else(|error| panic!("{error}")),
                b"database"
            );
        }
    }

    #[test]
    fn a_long_name_in_a_tar_is_read_and_one_without_end_is_refused() {
        let file = "f".repeat(120) + ".mmdb";
        let mut packed = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(8);
        header.set_cksum();
        packed.append_data(&mut header, &file, &b"database"[..]).unwrap();
        let by_gnu = packed.into_inner().unwrap();
        assert!(by_gnu.len() > 2048, "the name stands before it");
        let mut packed = tar::Builder::new(Vec::new());
        packed.append_pax_extensions([("path", file.as_bytes()), ("mtime", b"1.5")]).unwrap();
        let named_otherwise = tar(&[("other", b"database")]);
        let by_pax = [packed.into_inner().unwrap()[..1024].to_vec(), named_otherwise].concat();
        for packed in [gz(&by_gnu), gz(&by_pax)] {
            assert_eq!(unpacked(&packed, None, 4096).unwrap(), b"database");
        }
        let mut packed = tar::Builder::new(Vec::new());
        let endless = vec![b'n'; 1 << 20];
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(endless.len() as u64);
        header.set_cksum();
        packed.append(&header, endless.as_slice()).unwrap();
        let error = unpacked(&gz(&packed.into_inner().unwrap()), None, 8 << 20).unwrap_err();
        assert!(error.to_string().contains("a name without end"), "{error}");
    }

    #[test]
    fn a_checksum_beside_the_file_holds() {
        let hash = "d126671b5ac11d59bbdb12e3a4d7a8be6bf6e28a9ee6ff2ef5a3e6b9ac1ed0d6";
        let right = Checksum::of_bytes(b"database").to_string();
        for (list, text, holds) in [
            ("db/City.mmdb.sha256", right.clone(), true),
            ("db/City.mmdb.sha256", hash.to_owned(), false),
            ("SHA256SUMS", format!("{hash}  other.csv\n{right}  City.mmdb\n"), true),
            ("SHA256SUMS", format!("{right}  other.csv\n{hash}  City.mmdb\n"), false),
            ("SHA256SUMS", format!("{hash}  other.csv\n"), true),
        ] {
            let packed = zip(&[("db/City.mmdb", b"database"), (list, text.as_bytes())]);
            assert_eq!(unpacked(&packed, None, 4096).is_ok(), holds, "{list}: {text}");
        }
    }

    #[test]
    fn of_several_one_must_be_meant() {
        let files: [(&str, &[u8]); 2] =
            [("db/geo.mmdb", b"geo"), ("db/security.mmdb", b"security")];
        for packed in [zip(&files), gz(&tar(&files))] {
            let several = unpacked(&packed, None, 4096).unwrap_err();
            assert!(matches!(several, UnpackError::Several(_)), "{several}");
            assert_eq!(unpacked(&packed, Some("security.mmdb"), 4096).unwrap(), b"security");
            let none = unpacked(&packed, Some("other.mmdb"), 4096).unwrap_err();
            assert!(matches!(none, UnpackError::NoMember), "{none}");
        }
    }

    #[test]
    fn no_more_is_unpacked_than_is_allowed() {
        let large = vec![0; 1 << 20];
        let files: [(&str, &[u8]); 1] = [("a.mmdb", &large)];
        for packed in [gz(&large), zip(&files), gz(&tar(&files))] {
            assert!(packed.len() < 1 << 14);
            let error = unpacked(&packed, None, 1 << 16).unwrap_err();
            assert!(matches!(error, UnpackError::TooLarge { .. } | UnpackError::Io(_)), "{error}");
        }
    }

    #[test]
    fn a_damaged_archive_is_an_error() {
        let files: [(&str, &[u8]); 1] = [("a.mmdb", b"database that is long enough")];
        for packed in [gz(b"database"), zip(&files), gz(&tar(&files))] {
            let cut = &packed[..packed.len() - 6];
            assert!(unpacked(cut, None, 1 << 16).is_err(), "{packed:?}");
        }
    }
}
