//! The folder of the tenants' files: which there are. It is read anew at each look and by way of
//! whatever links stand there, so that a folder that Kubernetes swaps is read as it is now.

use std::io;
use std::path::{Path, PathBuf};

use super::name::TenantName;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantPath {
    /// Whose it is, by the file's name; an error where that cannot be a tenant's.
    pub name: Result<TenantName, &'static str>,
    /// Where it stands.
    pub path: PathBuf,
}

/// Why the folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: the folder of tenants cannot be read ({source}); mount it, or change tenants.dir", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: io::Error,
}

/// All files that end in `.yaml` or `.yml`, by name. Hidden ones, such as Kubernetes' own, are none.
pub fn tenant_files(folder: &Path) -> Result<Vec<TenantPath>, FolderError> {
    let failed = |source| FolderError { path: folder.into(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if is_yaml && !stem.starts_with('.') {
            found.push(TenantPath { name: TenantName::new(&stem), path });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let files = tenant_files(folder).unwrap().into_iter();
        files.map(|file| file.name.map_or("?".into(), |name| name.to_string())).collect()
    }

    #[test]
    fn a_folder_that_is_swapped_by_a_link_is_read_as_it_is_now() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        for (version, tenants) in [("..1", &["acme", "globex"][..]), ("..2", &["acme"])] {
            std::fs::create_dir(folder.join(version)).unwrap();
            for tenant in tenants {
                let file = folder.join(version).join(format!("{tenant}.yaml"));
                std::fs::write(file, version).unwrap();
            }
        }
        let data = folder.join("..data");
        std::os::unix::fs::symlink("..1", &data).unwrap();
        for tenant in ["acme", "globex"] {
            let file = format!("{tenant}.yaml");
            std::os::unix::fs::symlink(Path::new("..data").join(&file), folder.join(&file))
                .unwrap();
        }
        assert_eq!(names(folder), ["acme", "globex"]);
        std::os::unix::fs::symlink("..2", folder.join("..new")).unwrap();
        std::fs::rename(folder.join("..new"), &data).unwrap();
        let files = tenant_files(folder).unwrap();
        assert_eq!(std::fs::read_to_string(&files[0].path).unwrap(), "..2");
        assert!(std::fs::read(&files[1].path).is_err(), "its link leads nowhere now");
    }

    #[test]
    fn other_files_are_no_tenants_and_a_strange_name_is_said() {
        let home = tempfile::tempdir().unwrap();
        for file in ["acme.yml", "notes.txt", ".hidden.yaml", "a b.yaml"] {
            std::fs::write(home.path().join(file), "").unwrap();
        }
        assert_eq!(names(home.path()), ["?", "acme"]);
        assert!(tenant_files(&home.path().join("gone")).is_err());
    }
}
