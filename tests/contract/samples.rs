//! The folder of the makers' own documents and files, which `IPSTAMP_SAMPLE_DATA` names.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Once;

/// The folder; none, said so that nobody overlooks it, when the tests are to do without.
pub(crate) fn samples() -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let folder = std::env::var_os("IPSTAMP_SAMPLE_DATA").map(PathBuf::from);
    if folder.is_none() {
        // Past the capture of tests that pass.
        SAID.call_once(|| {
            let text = "SKIPPED: ALL TESTS WITH THE MAKERS' OWN FILES: IPSTAMP_SAMPLE_DATA names no \
                        folder of them\n";
            drop(std::io::stderr().write_all(text.as_bytes()));
        });
    }
    folder
}
