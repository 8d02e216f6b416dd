//! What the configuration says of writing, compiled once for all encoders.

use std::sync::Arc;

use memchr::memmem;

use super::config::{Config, Existing, Profile};
use super::native;
use super::privacy::Hiding;
use super::profile::{self, Choice, Layout, ProfileError, ProfileFile};
use super::render::Rendering;
use crate::record::WritingNeeds;

/// How facts are written. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writing {
    names: Names,
    /// The allow-list.
    fields: Arc<[String]>,
    existing: Existing,
    tags: Arc<Tags>,
    hiding: Hiding,
}

/// What the names come from.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// A profile's data.
    Mapped(Arc<Layout>),
    /// ipstamp's own, in the event.
    Native(Arc<Rendering>),
    /// The same beside the event.
    Headers(Arc<Rendering>),
}

/// The tags.
#[derive(Debug)]
pub(super) struct Tags {
    pub(super) not_found: Tag,
    pub(super) lookup_failure: Tag,
    pub(super) invalid_ip: Tag,
    pub(super) stale: Tag,
}

/// A tag as a JSON string, ready to be looked for; empty where it is off.
#[derive(Debug)]
pub(super) struct Tag(memmem::Finder<'static>);

impl Tag {
    fn new(tag: &str) -> Self {
        let text = if tag.is_empty() { Vec::new() } else { super::json::quoted(tag) };
        Self(memmem::Finder::new(&text).into_owned())
    }

    pub(super) fn text(&self) -> &[u8] {
        self.0.needle()
    }

    /// Whether a list holds it, given as the event has it.
    pub(super) fn is_in(&self, list: &[u8]) -> bool {
        self.0.find(list).is_some()
    }
}

impl Writing {
    /// Compiles the configuration; reads the profile's file, where it is one of the operator's own.
    pub fn new(config: &Config) -> Result<Self, ProfileError> {
        profile::check_fields(&config.fields)?;
        let choice = Choice { fields: &config.fields, observables: config.observables };
        let own;
        let text = match &config.profile {
            Profile::File { file } => {
                own = std::fs::read_to_string(file)
                    .map_err(|source| ProfileError::Unreadable { path: file.clone(), source })?;
                Some(own.as_str())
            }
            named => profile::built_in(named),
        };
        let names = match (text, &config.profile) {
            (Some(text), _) => {
                let layout = Layout::new(&ProfileFile::parse(text)?, &choice)?;
                Names::Mapped(Arc::new(layout))
            }
            (None, Profile::Headers) => Names::Headers(Arc::new(profile::native(&choice))),
            (None, _) => Names::Native(Arc::new(profile::native(&choice))),
        };
        let hiding = Hiding::new(config.address, config.address_key.as_ref());
        let hiding = hiding.ok_or(ProfileError::NoKey)?;
        let tags = Tags {
            not_found: Tag::new(&config.tags.not_found),
            lookup_failure: Tag::new(&config.tags.lookup_failure),
            invalid_ip: Tag::new(&config.tags.invalid_ip),
            stale: Tag::new(&config.tags.stale),
        };
        let fields = config.fields.clone().into();
        Ok(Self { names, fields, existing: config.existing, tags: Arc::new(tags), hiding })
    }

    /// The same in ipstamp's own names, for what is no event.
    #[must_use]
    pub fn natively(&self) -> Self {
        let choice = Choice { fields: &self.fields, observables: false };
        let names = Names::Native(Arc::new(profile::native(&choice)));
        Self { names, existing: Existing::Keep, ..self.clone() }
    }

    /// The same beside the event, for one that has no place for facts.
    #[must_use]
    pub fn beside(&self) -> Self {
        match &self.names {
            Names::Headers(_) => self.clone(),
            Names::Mapped(_) | Names::Native(_) => {
                let choice = Choice { fields: &self.fields, observables: false };
                let names = Names::Headers(Arc::new(profile::native(&choice)));
                Self { names, ..self.clone() }
            }
        }
    }

    /// Whether what is written goes beside the event, as a header, and the event stays as it is.
    pub fn is_beside_the_event(&self) -> bool {
        matches!(self.names, Names::Headers(_))
    }

    /// Whether something stands for addresses, so that no event with one goes out as it came.
    pub fn hides_addresses(&self) -> bool {
        !self.hiding.keeps() && !self.is_beside_the_event()
    }

    /// What the scanner is to note.
    pub fn needs(&self) -> WritingNeeds {
        match &self.names {
            Names::Mapped(layout) => layout.needs(),
            Names::Native(_) | Names::Headers(_) => native::needs(),
        }
    }

    /// The allow-list; all fields where it is empty.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn existing(&self) -> Existing {
        self.existing
    }

    pub(super) fn tags(&self) -> &Tags {
        &self.tags
    }

    pub(super) fn hiding(&self) -> &Hiding {
        &self.hiding
    }

    pub(super) fn rendering(&self) -> Arc<Rendering> {
        match &self.names {
            Names::Mapped(layout) => Arc::clone(&layout.rendering),
            Names::Native(rendering) | Names::Headers(rendering) => Arc::clone(rendering),
        }
    }
}
