//! Where a list of the whole event stands, and what has to be written to add to it.

use super::ProfileError;
use crate::encode::encoder::Event;
use crate::encode::json::quoted;
use crate::encode::members;
use crate::encode::stamp::StampPlace;
use crate::record::Span;

/// What the scanner is to note of the outermost object.
#[derive(Debug, Default)]
pub(in crate::encode) struct Landmarks {
    /// Their paths, of one or two steps.
    pub(in crate::encode) names: Vec<String>,
}

impl Landmarks {
    /// The number of a landmark.
    pub(in crate::encode) fn note(&mut self, path: &str) -> usize {
        let known = self.names.iter().position(|name| name == path);
        known.unwrap_or_else(|| {
            self.names.push(path.to_owned());
            self.names.len() - 1
        })
    }

    /// The stamp at a path.
    pub(in crate::encode) fn stamp(&mut self, path: &str) -> Result<StampPlace, ProfileError> {
        let (outer, name) = steps(path)?;
        let outer = outer.map(|outer| (self.note(outer), outer));
        Ok(StampPlace::new(outer, self.note(path), name))
    }

    /// A list at a path.
    pub(in crate::encode) fn target(&mut self, path: &str) -> Result<Target, ProfileError> {
        self.place(path, true)
    }

    /// A single value at a path.
    pub(in crate::encode) fn single(&mut self, path: &str) -> Result<Target, ProfileError> {
        self.place(path, false)
    }

    fn place(&mut self, path: &str, is_list: bool) -> Result<Target, ProfileError> {
        let (outer, name) = steps(path)?;
        let name = [&*quoted(name), if is_list { &b":["[..] } else { b":" }].concat();
        Ok(Target {
            in_outer: outer.map(|outer| [&*quoted(outer), b":{"].concat()),
            outer: outer.map(|outer| self.note(outer)),
            list: self.note(path),
            dotted: outer.map(|_| quoted(path)),
            name,
            is_list,
        })
    }
}

/// The object that something stands in, unless that is the outermost one, and its name there.
fn steps(path: &str) -> Result<(Option<&str>, &str), ProfileError> {
    let steps: Vec<&str> = path.split('.').collect();
    match steps[..] {
        [name] if !name.is_empty() => Ok((None, name)),
        [outer, name] if !outer.is_empty() && !name.is_empty() => Ok((Some(outer), name)),
        _ => Err(ProfileError::TooDeep { path: path.to_owned() }),
    }
}

/// The place of a list, or of a single value.
#[derive(Debug)]
pub(in crate::encode) struct Target {
    /// The landmark of the object that it stands in, unless that is the outermost one.
    outer: Option<usize>,
    /// `"related":{`
    in_outer: Option<Vec<u8>>,
    /// It is no single value.
    is_list: bool,
    /// The landmark of the list itself.
    list: usize,
    /// `"ip":[`
    name: Vec<u8>,
    /// `"related.ip"`
    dotted: Option<Vec<u8>>,
}

/// Where the items go in an event.
#[derive(Clone, Copy)]
pub(in crate::encode) enum Spot {
    /// Behind the items of an array that the event has.
    Array(Span),
    /// A new array for a value that is null.
    Null(Span),
    /// A new member of an object that the event has.
    Object(Span),
    /// A new object for a value that is null.
    NullObject(Span),
    /// A new member of the outermost object.
    Root,
}

impl Target {
    /// None when the event has something else there, which is left alone. `dotted`: the event spells
    /// names with dots in them, so that it may have a literal `related.ip`.
    pub(in crate::encode) fn spot(&self, event: Event<'_>, dotted: bool) -> Option<Spot> {
        let first_byte = |value: Span| event.bytes.get(value.start as usize).copied();
        let array = |value: Span| match first_byte(value) {
            Some(b'[') if self.is_list => Some(Spot::Array(value)),
            Some(b'n') => Some(Spot::Null(value)),
            _ => None,
        };
        if dotted
            && let Some(name) = &self.dotted
            && let Some(value) = members::find(event.bytes, &event.outline.root, name)
        {
            return array(value);
        }
        let Some(outer) = self.outer else {
            return match event.landmark(self.list) {
                Some(value) => array(value),
                None => Some(Spot::Root),
            };
        };
        let Some(outer) = event.landmark(outer) else { return Some(Spot::Root) };
        match first_byte(outer) {
            // Of two members `related` the last counts, so its `ip` must be inside of it.
            Some(b'{') => match event.landmark(self.list).filter(|list| list.start > outer.start) {
                Some(value) => array(value),
                None => Some(Spot::Object(outer)),
            },
            Some(b'n') => Some(Spot::NullObject(outer)),
            _ => None,
        }
    }

    /// Appends what stands before the first item.
    pub(in crate::encode) fn open(&self, spot: Spot, out: &mut Vec<u8>) {
        let outer: &[u8] = self.in_outer.as_deref().unwrap_or_default();
        let pieces: [&[u8]; 3] = match spot {
            Spot::Array(_) => [b",", b"", b""],
            Spot::Null(_) if self.is_list => [b"[", b"", b""],
            Spot::Null(_) => [b"", b"", b""],
            Spot::Object(_) => [b",", &self.name, b""],
            Spot::NullObject(_) => [b"{", &self.name, b""],
            Spot::Root => [b",", outer, &self.name],
        };
        for piece in pieces {
            out.extend_from_slice(piece);
        }
    }

    /// What stands behind the last item.
    pub(in crate::encode) fn close(&self, spot: Spot) -> &'static [u8] {
        if !self.is_list {
            return match spot {
                Spot::NullObject(_) => b"}",
                Spot::Root if self.outer.is_some() => b"}",
                _ => b"",
            };
        }
        match spot {
            Spot::Array(_) => b"",
            Spot::NullObject(_) => b"]}",
            Spot::Root if self.outer.is_some() => b"]}",
            Spot::Null(_) | Spot::Object(_) | Spot::Root => b"]",
        }
    }
}
