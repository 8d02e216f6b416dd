//! Presets of one's own, from files that have one each.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Preset;
use crate::extract::{Config, ExtractConfigError};
use crate::record::yaml_value;

/// The ends of the names of such files.
const ENDS: [&str; 3] = ["yaml", "yml", "json"];

impl Config {
    /// The presets of one's own: those of the files, and those in the configuration, which have the say
    /// over a file of the same name.
    pub fn own_presets(&self) -> Result<BTreeMap<String, Preset>, ExtractConfigError> {
        let mut all = BTreeMap::new();
        for path in &self.preset_files {
            for file in files(path)? {
                let refused = |message: String| refused(&file, message);
                let name = file.file_stem().and_then(OsStr::to_str);
                let name = name.ok_or_else(|| refused("its name is no text".to_owned()))?;
                if all.contains_key(name) {
                    return Err(refused(format!("another file has a preset {name} already")));
                }
                all.insert(name.to_owned(), read(&file).map_err(refused)?);
            }
        }
        all.extend(self.presets.clone());
        Ok(all)
    }

    /// The same configuration with what its files hold in it, so that all who read by it read alike,
    /// whatever becomes of the files.
    pub fn with_files_read(self) -> Result<Self, ExtractConfigError> {
        let presets = self.own_presets()?;
        Ok(Self { presets, preset_files: Vec::new(), ..self })
    }
}

fn refused(path: &Path, message: String) -> ExtractConfigError {
    ExtractConfigError::PresetFile { path: path.to_owned(), message }
}

fn read(file: &Path) -> Result<Preset, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let preset: Preset = serde_json::from_value(yaml_value(&text)?).map_err(|error| {
        format!("{error}; `ipstamp presets show cloudtrail` prints how one is written")
    })?;
    let finds = !preset.paths.is_empty() || preset.elements.is_some() || preset.discover;
    if finds { Ok(preset) } else { Err("nothing in it finds an address".to_owned()) }
}

/// The file, or those in the folder that are named like such, in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, ExtractConfigError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(path, format!("cannot be listed: {error}")))?;
    let is_preset = |path: &PathBuf| {
        let end = path.extension().and_then(OsStr::to_str);
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        end.is_some_and(|end| ENDS.contains(&end)) && !is_hidden
    };
    let mut all: Vec<_> = entries.iter().map(std::fs::DirEntry::path).filter(is_preset).collect();
    all.sort();
    if all.is_empty() {
        return Err(refused(path, "the folder has no file that ends with .yaml or .json".into()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &[&Path]) -> Config {
        let preset_files = files.iter().map(|path| (*path).to_owned()).collect();
        Config { preset_files, ..Config::default() }
    }

    #[test]
    fn a_folder_has_a_preset_in_each_file_and_the_configuration_has_the_last_word() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("door.yaml", "about: The lock\nwhen: {all: [door]}\npaths: [{path: reader}]\n");
        write("gate.json", r#"{"about": "The gate", "paths": [{"path": "ip", "role": "host"}]}"#);
        write(".door.yaml.swp", "x");
        write("notes.txt", "x");
        let mut config = config(&[folder.path()]);
        let all = config.own_presets().unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["door", "gate"]);
        assert_eq!(all["door"].paths[0].path, "reader");
        let mine = Preset { about: "mine".into(), ..Preset::default() };
        config.presets.insert("gate".into(), mine);
        assert_eq!(config.own_presets().unwrap()["gate"].about, "mine");
        config.preset_files.push(folder.path().join("door.yaml"));
        let error = config.own_presets().unwrap_err().to_string();
        assert!(error.contains("another file has a preset door already"), "{error}");
    }

    /// Guarantees: who reads by a configuration later, as an Avro schema that comes next week, reads by
    /// what the files held at the start.
    #[test]
    fn what_files_held_at_the_start_holds_whatever_becomes_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("door.yaml");
        std::fs::write(&file, "about: x\nwhen: {all: [door]}\npaths: [{path: reader}]\n").unwrap();
        let config = config(&[&file]).with_files_read().unwrap();
        let names = crate::extract::path_names(&config).unwrap();
        std::fs::write(&file, "about: x\npaths: [{path: other}, {path: reader}]\n").unwrap();
        assert_eq!(crate::extract::path_names(&config).unwrap(), names);
        std::fs::remove_file(&file).unwrap();
        let schema = r#"{"type":"record","name":"E","fields":[
            {"name":"door","type":"string"},{"name":"reader","type":"string"}]}"#;
        let plan = crate::extract::AvroPlan::new(schema, &[], &config).unwrap();
        let mut outline = crate::record::Outline::default();
        let event = b"\x02a\x0e9.9.9.9";
        crate::extract::AvroReader::default().read(&plan, event, &mut outline).unwrap();
        assert_eq!(names[usize::from(outline.sightings[0].path)], "reader");
    }

    #[test]
    fn a_file_that_is_no_preset_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("door.yaml");
        for (text, said) in [
            ("about: x", "nothing in it finds an address"),
            ("path: [x]", "unknown field `path`"),
            ("paths: [{path: x, role: thief}]", "unknown variant `thief`"),
            ("{", "door.yaml"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = config(&[&file]).own_presets().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        let gone = folder.path().join("gone.yaml");
        let error = config(&[&gone]).own_presets().unwrap_err().to_string();
        assert!(error.contains("gone.yaml: cannot be read"), "{error}");
        std::fs::remove_file(&file).unwrap();
        let error = config(&[folder.path()]).own_presets().unwrap_err().to_string();
        assert!(error.contains("has no file that ends with"), "{error}");
    }
}
