//! The folder of the makers' own documents and files, which `IPSTAMP_SAMPLE_DATA` names.

use std::path::PathBuf;

#[expect(clippy::print_stdout, reason = "a test that skips says so")]
/// The folder; none, said plainly, when the tests are to do without.
pub(crate) fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("IPSTAMP_SAMPLE_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: IPSTAMP_SAMPLE_DATA names no folder of samples");
    }
    folder
}
