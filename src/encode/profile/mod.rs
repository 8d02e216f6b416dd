//! Profiles as data: what is written of facts, under which names, and where. Each is a YAML file;
//! those that ipstamp knows by name are compiled in.

mod error;
mod fields;
mod file;
mod layout;
mod target;

pub use error::ProfileError;
pub use fields::check_fields;
pub(super) use file::{Each, Placing, ProfileFile};
pub(super) use layout::{Choice, Layout, List, Member, Piece, native, opening};
pub(super) use target::Spot;

use super::Profile;
use super::facts::{FIELDS, Field};

/// The text of a profile that is known by name and is data.
pub(super) fn built_in(profile: &Profile) -> Option<&'static str> {
    match profile {
        Profile::Ecs => Some(include_str!("ecs.yaml")),
        Profile::Ocsf => Some(include_str!("ocsf.yaml")),
        Profile::Splunk => Some(include_str!("splunk.yaml")),
        Profile::Otel => Some(include_str!("otel.yaml")),
        Profile::Flat => Some(include_str!("flat.yaml")),
        Profile::Native | Profile::Headers | Profile::File { .. } => None,
    }
}

impl Profile {
    /// Which schema it follows, in words.
    pub fn title(&self) -> Result<String, ProfileError> {
        Ok(match (built_in(self), self) {
            (Some(text), _) => ProfileFile::parse(text)?.title,
            (None, Self::Headers) => {
                "what native has, in the header `ipstamp`; the value stays as it is".to_owned()
            }
            (None, _) => "ipstamp's own names, one list under `ipstamp`".to_owned(),
        })
    }

    /// Its data, as the file that would do the same; of those in ipstamp's own names, the fields.
    pub fn data(&self) -> String {
        if let Some(text) = built_in(self) {
            return text.to_owned();
        }
        let fields = FIELDS.iter().filter(|field| !field.is_derived());
        let line =
            |field: &Field| format!("{}.{}: {}\n", field.group, field.native, field.kind.name());
        let lines: String = fields.map(line).collect();
        format!("# The fields of an address, by group and name, and what each is.\n{lines}")
    }
}
