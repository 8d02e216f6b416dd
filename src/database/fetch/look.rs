//! One look at the source of one database: is there a newer file, bring it, verify it, put it in its
//! place or into quarantine.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::checksum::Checksum;
use super::download::{Got, Known, Witness};
use super::error::{FetchError, system};
use super::judge::{Beside, judge};
use super::lease::Lease;
use super::origin::{Authorization, Call};
use super::state::{State, Validators};
use super::unpack::{UnpackError, unpack};
use super::{Fetcher, MANIFEST, Origin, Outcome, Progress, Wanted, manifest};
use crate::database::generation::Generation;
use crate::database::open::Verified;
use crate::database::put::{Readers, put};
use crate::database::versioned;
use crate::record::Day;
use crate::resolve::DatabaseSet;

/// Of a hash, in the names of files in quarantine.
const HASH_DIGITS: usize = 12;

/// One look at one database, under its lease.
pub(super) struct Look<'a, 'p> {
    pub(super) fetcher: &'a Fetcher,
    pub(super) wanted: &'a Wanted,
    pub(super) state: State,
    pub(super) lease: &'a Lease,
    pub(super) progress: &'a mut Progress<'p>,
}

impl Look<'_, '_> {
    /// Does it. `force`: whatever comes is compared with nothing.
    pub(super) fn run(
        &mut self,
        force: bool,
        set: Option<&Arc<DatabaseSet>>,
    ) -> Result<Outcome, FetchError> {
        // What was refused is there, too: it need not come again to be judged again.
        let is_refused = self.state.refused.is_some() && self.in_quarantine()?.is_some();
        let has_file = (self.wanted.source.is_usable() || is_refused) && !force;
        let (calls, mut expected) = self.expected()?;
        if has_file && expected.is_some() && self.state.checksum == shown(expected.as_ref()) {
            return self.nothing_new(set);
        }
        if let Some(expected) = shown(expected.as_ref()).filter(|_| !force)
            && self.state.is_wrong(&expected, SystemTime::now())
        {
            return Err(FetchError::StillWrong { expected });
        }
        let brought = self.bring(calls, has_file);
        let part = self.part();
        if brought.as_ref().is_err_and(FetchError::is_of_room) {
            // What cannot become whole takes room from others.
            drop(fs::remove_file(&part));
        }
        let Some(content) = brought? else { return self.nothing_new(set) };
        self.state.part = None;
        let candidate = self.fetcher.file(self.wanted, "candidate");
        let found = Checksum::of(&part).map_err(system(&part))?;
        if let Some(said) = expected.as_ref().filter(|said| **said != found)
            && !self.holds(&part, &candidate, said)?
        {
            // The file may have been replaced between the two calls.
            expected = self.expected()?.1;
            if let Some(said) = expected.as_ref().filter(|said| **said != found)
                && !self.holds(&part, &candidate, said)?
            {
                self.quarantine(&part, "packed", &found.to_string())?;
                let [expected, found] = [said, &found].map(ToString::to_string);
                self.state.came_wrong(&expected, SystemTime::now());
                return Err(FetchError::Checksum { expected, found });
            }
        }
        self.state.wrong = None;
        let member = self.wanted.member.as_deref();
        let unpacked = unpack(&part, &candidate, member, self.wanted.limit);
        let known = (content, shown(expected.as_ref().or(Some(&found))));
        if let Err(error) = unpacked {
            let error = of_what_came(error, &part, &candidate)?;
            drop(fs::remove_file(&candidate));
            self.quarantine(&part, "packed", &found.to_string())?;
            (self.state.validators, self.state.checksum) = known;
            self.state.refused = Some(error.to_string());
            return Err(error.into());
        }
        drop(fs::remove_file(&part));
        self.state.refused = None;
        let put = self.put(&candidate, force, set);
        // What could not be put in its place is not known, so that it comes again.
        if matches!(put, Ok(_) | Err(FetchError::Unusable { .. })) {
            (self.state.validators, self.state.checksum) = known;
        }
        put
    }

    /// Whether what is packed in it has this checksum: not every source says that of what it sends.
    fn holds(&self, part: &Path, candidate: &Path, said: &Checksum) -> Result<bool, FetchError> {
        let unpacked = unpack(part, candidate, self.wanted.member.as_deref(), self.wanted.limit);
        let inside = unpacked.is_ok().then(|| Checksum::of(candidate));
        drop(fs::remove_file(candidate));
        if let Err(error) = unpacked {
            of_what_came(error, part, candidate)?;
        }
        let inside = inside.transpose().map_err(system(candidate))?;
        Ok(inside.is_some_and(|inside| inside == *said))
    }

    /// Puts what came in its place, or into quarantine.
    fn put(
        &mut self,
        candidate: &Path,
        force: bool,
        set: Option<&Arc<DatabaseSet>>,
    ) -> Result<Outcome, FetchError> {
        let map_above = self.wanted.source.map_above();
        let bytes = self.fetcher.store.content(candidate, map_above)?;
        let generation = Generation::of(&bytes);
        let beside = if force { Beside::Nothing } else { Beside::of(set) };
        match judge(&self.wanted.source, &self.fetcher.store, bytes, &beside) {
            Ok(Verified { database, too_few }) => {
                self.lease.confirm()?;
                if force {
                    // Before it is in its place, so that nobody who follows that refuses it.
                    let now = SystemTime::now();
                    self.fetcher.store.put_by_hand(&database, generation, now)?;
                }
                let path = self.wanted.path();
                fs::rename(candidate, path).map_err(system(path))?;
                Ok(Outcome::Put { generation, too_few })
            }
            Err(source) => {
                let quarantine = self.quarantine(candidate, "mmdb", &generation.to_string())?;
                self.state.refused = Some(source.to_string());
                Err(FetchError::Unusable { source: Box::new(source), quarantine })
            }
        }
    }

    /// What is known is the newest. If it was refused it is judged again: canaries and limits may have
    /// been changed, and other addresses are seen.
    fn nothing_new(&mut self, set: Option<&Arc<DatabaseSet>>) -> Result<Outcome, FetchError> {
        let Some(why) = self.state.refused.take() else { return Ok(Outcome::Current) };
        let Some(file) = self.in_quarantine()? else {
            self.state.refused = Some(why.clone());
            return Ok(Outcome::StillRefused(why));
        };
        let candidate = self.fetcher.file(self.wanted, "candidate");
        if file.extension() == Some("packed".as_ref()) {
            let member = self.wanted.member.as_deref();
            if let Err(error) = unpack(&file, &candidate, member, self.wanted.limit) {
                drop(fs::remove_file(&candidate));
                self.state.refused = Some(error.to_string());
                return Ok(Outcome::StillRefused(error.to_string()));
            }
        } else {
            anew(&candidate, || fs::copy(&file, &candidate)).map_err(system(&file))?;
        }
        match self.put(&candidate, false, set) {
            Err(FetchError::Unusable { source, quarantine }) => {
                if quarantine != file {
                    drop(fs::remove_file(&file));
                }
                Ok(Outcome::StillRefused(source.to_string()))
            }
            Err(error) => {
                self.state.refused = Some(why);
                Err(error)
            }
            done => {
                drop(fs::remove_file(&file));
                done
            }
        }
    }

    /// Whom to ask, and what should come.
    fn expected(&self) -> Result<(Vec<Call>, Option<Checksum>), FetchError> {
        match &self.wanted.origin {
            Origin::Server(server) => {
                // What does not make a call was said when the configuration was checked.
                let calls = server.calls(Day::of(SystemTime::now()));
                let calls = calls.map_err(|_| FetchError::NotThere { status: 0 })?;
                let said = calls.checksum.map(|call| self.fetcher.downloader.small(&call));
                let file = calls.files.first().and_then(|call| call.url.path_segments());
                let file = file.and_then(|mut path| path.next_back()).unwrap_or_default();
                let checksum = said.transpose()?.map(|reply| Checksum::said(&reply, file));
                let checksum = checksum.map(|found| found.ok_or(FetchError::NoChecksum));
                Ok((calls.files, checksum.transpose()?))
            }
            Origin::Mirror { base, file, token } => {
                let call = |file: &str| {
                    let mut url = base.clone();
                    url.set_path(&format!("{}{file}", base.path()));
                    let authorization = token.clone().map(Authorization::Bearer);
                    Call { url, authorization }
                };
                let manifest = self.fetcher.downloader.small(&call(MANIFEST))?;
                let (file, checksum) = manifest::expected(&manifest, file)?;
                Ok((vec![call(&file)], Some(checksum)))
            }
            Origin::Folder { path, file } => {
                let path = path.join(MANIFEST);
                let manifest = fs::read(&path).map_err(system(&path))?;
                Ok((Vec::new(), Some(manifest::expected(&manifest, file)?.1)))
            }
        }
    }

    /// Brings what is to be had to the part; None when it is what is known.
    fn bring(
        &mut self,
        calls: Vec<Call>,
        has_file: bool,
    ) -> Result<Option<Validators>, FetchError> {
        let part = self.part();
        if let Origin::Folder { path, file } = &self.wanted.origin {
            let manifest = path.join(MANIFEST);
            let bytes = fs::read(&manifest).map_err(system(&manifest))?;
            let from = path.join(manifest::expected(&bytes, file)?.0);
            let size = fs::metadata(&from).map_err(system(&from))?.len();
            if size > self.wanted.limit {
                return Err(FetchError::TooLarge { limit: self.wanted.limit });
            }
            fs::copy(&from, &part).map_err(system(&from))?;
            return Ok(Some(Validators::default()));
        }
        let validators = self.state.validators.clone();
        let limit = self.wanted.limit;
        let (mut last, fetcher) = (FetchError::NotThere { status: 0 }, self.fetcher);
        for call in calls {
            let whole = has_file.then_some(&validators);
            let known = Known { whole, part: self.state.part.clone() };
            match fetcher.downloader.file(&call, &part, known, limit, self) {
                Err(error @ FetchError::NotThere { .. }) => last = error,
                Err(error) => return Err(error),
                Ok(Got::Same) => return Ok(None),
                Ok(Got::File(content)) => return Ok(Some(content)),
            }
        }
        Err(last)
    }

    fn part(&self) -> PathBuf {
        self.fetcher.file(self.wanted, "part")
    }

    /// What of this database is in quarantine.
    fn in_quarantine(&self) -> Result<Option<PathBuf>, FetchError> {
        let dir = self.fetcher.store.quarantine();
        let begin = format!("{}-", self.wanted.name);
        let entries = fs::read_dir(&dir).map_err(system(&dir))?.flatten();
        let mut files = entries.map(|entry| entry.path()).filter(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            name.strip_prefix(&begin).is_some_and(|hash| hash.len() == HASH_DIGITS)
        });
        Ok(files.next())
    }

    /// Takes a file out of the way, where a person can look at it. The last one is kept.
    fn quarantine(&self, file: &Path, kind: &str, hash: &str) -> Result<PathBuf, FetchError> {
        if let Some(before) = self.in_quarantine()? {
            drop(fs::remove_file(before));
        }
        let name = format!("{}-{}.{kind}", self.wanted.name, &hash[..HASH_DIGITS]);
        let path = self.fetcher.store.quarantine().join(name);
        // What was copied has the rights that it had elsewhere.
        let only_ours = fs::Permissions::from_mode(0o600);
        fs::set_permissions(file, only_ours).map_err(system(file))?;
        fs::rename(file, &path).map_err(system(&path))?;
        Ok(path)
    }

    /// Remembers what is known.
    pub(super) fn save(&self) -> Result<(), FetchError> {
        let path = self.fetcher.file(self.wanted, "json");
        let text = versioned::write(&self.state);
        put(&path, &text, Readers::Owner).map_err(system(&path))
    }
}

impl Witness for Look<'_, '_> {
    fn begins(&mut self) -> Result<(), FetchError> {
        let limit = self.wanted.downloads_per_day;
        let taken = self.state.take(SystemTime::now(), limit);
        taken.map_err(|until| FetchError::Spent { limit, until })?;
        // A process that is killed in the middle has downloaded all the same.
        self.save()
    }

    fn was_none(&mut self) -> Result<(), FetchError> {
        self.state.give_back();
        self.save()
    }

    fn is_of(&mut self, content: &Validators) -> Result<(), FetchError> {
        self.state.part = Some(content.clone());
        self.save()
    }

    fn has(&mut self, bytes: u64, of: Option<u64>) -> Result<(), FetchError> {
        if !self.lease.holds() {
            return Err(FetchError::LeaseLost);
        }
        if (self.progress)(bytes, of) { Ok(()) } else { Err(FetchError::Stopped) }
    }
}

/// Copies to where nothing stands: what stood there may still be mapped.
fn anew(path: &Path, copy: impl FnOnce() -> io::Result<u64>) -> io::Result<u64> {
    drop(fs::remove_file(path));
    copy()
}

fn shown(checksum: Option<&Checksum>) -> Option<String> {
    checksum.map(ToString::to_string)
}

/// That what came cannot be unpacked, where it is its own fault. A full disk says nothing of it, and is an
/// error: what takes room goes, and it comes again.
fn of_what_came(
    error: UnpackError,
    part: &Path,
    candidate: &Path,
) -> Result<UnpackError, FetchError> {
    if !error.is_of_the_system() {
        return Ok(error);
    }
    drop(fs::remove_file(part));
    drop(fs::remove_file(candidate));
    Err(error.into())
}
