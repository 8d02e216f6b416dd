//! Processes that do not outlive the tests, however the tests end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Waits for the end of its standard input (signals to the whole process group do not hurry it), which is the end of the test process at the latest, and
/// kills then. The program takes the shell's place, so that its process id and exit code are its own.
const LEASH: &str = "exec 3<&0; me=$$; \
    (trap '' INT TERM HUP; read -r _ <&3; kill -9 $me) >/dev/null 2>&1 & \
    exec 3<&- </dev/null; exec \"$@\"";

/// A program that is killed when this value goes, or when the test process does.
pub(crate) struct Leashed {
    child: Child,
    // `Child::wait` would close it, and so kill what it waits for.
    _leash: Option<ChildStdin>,
}

impl Leashed {
    /// Starts `program`; `prepare` adds arguments, environment and where its output goes.
    pub(crate) fn start(program: impl AsRef<OsStr>, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "leash"]).arg(program.as_ref()).stdin(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let leash = child.stdin.take();
        Self { child, _leash: leash }
    }

    /// The program's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(status.unwrap().success(), "kill -{name} {} failed", self.pid());
    }

    /// The exit status, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Removes a folder at the end of its standard input. What still writes there is killed at the same
/// moment: it tries until the folder is gone.
const BROOM: &str = "trap '' INT TERM HUP; read -r _; for _ in 1 2 3 4 5; do rm -rf \"$1\" && exit; sleep 0.5; done";

/// A folder that is removed when this value goes, or when the test process does.
pub(crate) struct Folder {
    path: PathBuf,
    broom: Child,
}

impl Folder {
    /// Makes a new folder below `parent`.
    pub(crate) fn new(parent: &Path, prefix: &str) -> Self {
        let path = tempfile::Builder::new().prefix(prefix).tempdir_in(parent).unwrap().keep();
        let broom = Command::new("sh")
            .args(["-c", BROOM, "broom"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { path, broom }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Waiting closes its input.
        drop(self.broom.wait());
    }
}
