//! A lease on one database: of all processes that share the folder one fetches, and the others wait.
//!
//! It is a file that is made only where there is none, which holds on a disk of another machine too,
//! and that its holder touches again and again. No clocks are compared: a lease is over when whoever
//! waits has seen nothing of it change for so long by his own clock. Two processes may take over the
//! same dead lease; each looks whether it holds what it took, and whoever lost it stops. Were both to
//! go on for a moment, that costs a download: what is put in place is whole and verified.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{FetchError, system};

/// How often a holder shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Nothing seen of it for so long, and it is over.
pub(super) const EXPIRY: Duration = Duration::from_secs(60);

/// Who holds a lease; for people, but for `owner`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    owner: String,
    host: String,
    process: u32,
    /// Where that number is one: the machine since it was started, and the container.
    of: String,
    /// So long after its last change it is over.
    expires_after_seconds: u64,
}

impl Holder {
    /// Whether it was a process beside this one, and is no more: nobody need wait for its end.
    fn is_gone(&self) -> bool {
        self.of == here() && !Path::new("/proc").join(self.process.to_string()).exists()
    }

    fn shown(&self) -> String {
        format!("{} on {}", self.process, self.host.escape_debug())
    }
}

/// What nobody else has.
static ALONE: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().to_string());

/// Tells processes whose numbers can be compared from others; alone where that is not known.
fn here() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let container = fs::read_link("/proc/self/ns/pid");
    match (boot, container) {
        (Ok(boot), Ok(container)) => format!("{} {}", boot.trim(), container.display()),
        _ => ALONE.clone(),
    }
}

/// A lease that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
    owner: String,
    lost: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    heart: Option<JoinHandle<()>>,
}

/// What a waiting process has seen of another one's lease.
#[derive(Debug, Default)]
pub struct Watched {
    seen: Option<(Option<Holder>, Option<SystemTime>)>,
    since: Option<Instant>,
}

impl Watched {
    /// Whether nothing of the lease has changed for so long.
    fn is_over(&mut self, now_seen: (Option<Holder>, Option<SystemTime>), now: Instant) -> bool {
        if self.seen.as_ref() != Some(&now_seen) {
            self.seen = Some(now_seen);
            self.since = Some(now);
        }
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= EXPIRY)
    }
}

impl Lease {
    /// Takes the lease, or says who has it. `watched`: of the tries before.
    pub(super) fn take(
        path: &Path,
        watched: &mut Watched,
        now: Instant,
    ) -> Result<Self, FetchError> {
        match Self::make(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map_err(system(path)),
        }
        let holder = read(path);
        let changed = fs::metadata(path).and_then(|found| found.modified()).ok();
        let name = holder.as_ref().map_or_else(|| "unknown".to_owned(), Holder::shown);
        let is_gone = holder.as_ref().is_some_and(Holder::is_gone);
        if !is_gone && !watched.is_over((holder.clone(), changed), now) {
            return Err(FetchError::Busy(name));
        }
        // Of several who take it away one gets it.
        let aside = path.with_extension(format!("over-{}", Uuid::new_v4()));
        if fs::rename(path, &aside).is_err() {
            return Err(FetchError::Busy(name));
        }
        let taken = read(&aside);
        if taken != holder {
            // Somebody else has taken it over since it was looked at: it is put back where no third
            // one has made another. If that fails, its holder finds it lost and stops.
            drop(fs::hard_link(&aside, path));
            drop(fs::remove_file(&aside));
            return Err(FetchError::Busy(name));
        }
        drop(fs::remove_file(&aside));
        Self::make(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => FetchError::Busy(name),
            _ => system(path)(error),
        })
    }

    fn make(path: &Path) -> io::Result<Self> {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let holder = Holder {
            owner: Uuid::new_v4().to_string(),
            host: host.trim().to_owned(),
            process: std::process::id(),
            of: here(),
            expires_after_seconds: EXPIRY.as_secs(),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let text = serde_json::to_vec(&holder).unwrap_or_default();
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_all()) {
            // Others would wait for a holder that there is not.
            drop(fs::remove_file(path));
            return Err(error);
        }
        let lost = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let (beaten, is_lost, owner) = (path.to_owned(), Arc::clone(&lost), holder.owner.clone());
        let heart = std::thread::Builder::new().name("lease".into()).spawn(move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                if !beat(&beaten, &owner) {
                    is_lost.store(true, Ordering::Relaxed);
                    return;
                }
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            owner: holder.owner,
            lost,
            stop: Some(stop),
            heart: Some(heart),
        })
    }

    /// Whether it is still ours, as far as is known.
    pub(super) fn holds(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    /// The same, looked at now: before something is put in place.
    pub(super) fn confirm(&self) -> Result<(), FetchError> {
        if self.holds() && beat(&self.path, &self.owner) {
            return Ok(());
        }
        self.lost.store(true, Ordering::Relaxed);
        Err(FetchError::LeaseLost)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(heart) = self.heart.take() {
            drop(heart.join());
        }
        if read(&self.path).is_some_and(|holder| holder.owner == self.owner) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Shows that the holder lives; false when the lease is not his any more. A disk that does not answer
/// takes no lease away.
fn beat(path: &Path, owner: &str) -> bool {
    match fs::read(path) {
        Ok(bytes) => {
            let holder: Option<Holder> = serde_json::from_slice(&bytes).ok();
            if holder.is_none_or(|holder| holder.owner != owner) {
                return false;
            }
        }
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    }
    let touched = File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_times(FileTimes::new().set_modified(SystemTime::now())));
    touched.map_err(|error| error.kind()) != Err(io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(path: &Path, watched: &mut Watched, now: Instant) -> Option<Lease> {
        match Lease::take(path, watched, now) {
            Ok(lease) => Some(lease),
            Err(FetchError::Busy(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// A lease whose holder is no more.
    fn dead(path: &Path) {
        let mut lease = Lease::make(path).unwrap();
        drop(lease.stop.take());
        drop(lease.heart.take().unwrap().join());
        std::mem::forget(lease);
    }

    #[test]
    fn one_holds_it_and_the_next_takes_it_when_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.lease");
        let (mut watched, now) = (Watched::default(), Instant::now());
        let lease = take(&path, &mut watched, now).unwrap();
        assert!(take(&path, &mut watched, now).is_none());
        lease.confirm().unwrap();
        drop(lease);
        assert!(!path.exists());
        assert!(take(&path, &mut watched, now).is_some());
    }

    #[test]
    fn a_dead_ones_lease_is_over_when_nothing_of_it_has_changed_for_long_and_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.lease");
        dead(&path);
        let (mut first, mut second, now) = (Watched::default(), Watched::default(), Instant::now());
        assert!(take(&path, &mut first, now).is_none());
        assert!(take(&path, &mut second, now).is_none());
        let almost = now + EXPIRY.mul_f64(0.9);
        assert!(take(&path, &mut first, almost).is_none());
        let lease = take(&path, &mut first, now + EXPIRY).unwrap();
        assert!(take(&path, &mut second, now + EXPIRY).is_none(), "it is another one's now");
        lease.confirm().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
    }

    #[test]
    fn nobody_waits_for_a_process_beside_this_one_that_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.lease");
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let holder = |of: String| Holder {
            owner: "another".into(),
            host: "here".into(),
            process: ended.id(),
            of,
            expires_after_seconds: EXPIRY.as_secs(),
        };
        let elsewhere = serde_json::to_vec(&holder("another machine".into())).unwrap();
        fs::write(&path, elsewhere).unwrap();
        assert!(take(&path, &mut Watched::default(), Instant::now()).is_none());
        fs::write(&path, serde_json::to_vec(&holder(here())).unwrap()).unwrap();
        assert!(take(&path, &mut Watched::default(), Instant::now()).is_some());
    }

    #[test]
    fn a_lease_that_is_touched_goes_on_and_one_that_was_taken_away_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.lease");
        let lease = Lease::make(&path).unwrap();
        let (mut watched, now) = (Watched::default(), Instant::now());
        assert!(take(&path, &mut watched, now).is_none());
        let later = FileTimes::new().set_modified(SystemTime::now() + Duration::from_secs(9));
        File::options().write(true).open(&path).unwrap().set_times(later).unwrap();
        assert!(take(&path, &mut watched, now + EXPIRY).is_none());
        fs::remove_file(&path).unwrap();
        let other = Lease::make(&path).unwrap();
        assert!(matches!(lease.confirm(), Err(FetchError::LeaseLost)));
        drop(lease);
        other.confirm().unwrap();
    }
}
