//! Authorities and certificates that live as long as a test, made by `openssl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder of certificates of one authority, each with its key.
pub(crate) struct Certificates {
    folder: PathBuf,
}

/// Whether `openssl` runs here.
pub(crate) fn can_be_made() -> bool {
    let tried = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

impl Certificates {
    /// Makes an authority of this name.
    pub(crate) fn of_authority(folder: &Path, name: &str) -> Self {
        let certificates = Self { folder: folder.join(name) };
        fs::create_dir(&certificates.folder).unwrap();
        certificates.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "30",
            "-subj",
            &format!("/CN={name}"),
        ]);
        certificates
    }

    /// Signs a certificate made out to `name`, for a host, that holds for so many days from now; for
    /// none when there are fewer than none.
    pub(crate) fn sign(&self, name: &str, host: &str, days: i32) {
        let (key, request, out) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            &format!("/CN={name}"),
        ]);
        fs::write(self.folder.join("names"), format!("subjectAltName={host}\n")).unwrap();
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            &days.to_string(),
            "-extfile",
            "names",
            "-out",
            &out,
        ]);
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap();
        // Key and chain in one file, as Java reads them.
        let store = [read(&key), read(&out), read("ca.pem")].concat();
        fs::write(self.folder.join(format!("{name}.store")), store).unwrap();
    }

    /// The authority's own certificate.
    pub(crate) fn authority(&self) -> String {
        self.file("ca.pem")
    }

    /// The certificate of a name.
    pub(crate) fn certificate(&self, name: &str) -> String {
        self.file(&format!("{name}.crt"))
    }

    /// Its key.
    pub(crate) fn key(&self, name: &str) -> String {
        self.file(&format!("{name}.key"))
    }

    /// Both, and the authority's, in one file.
    pub(crate) fn store(&self, name: &str) -> String {
        self.file(&format!("{name}.store"))
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(&self.folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
    }
}
