//! The path of a sighting as it is written.

use crate::record::{Outline, Sighting};

/// What stands for the path where the record has left and nobody knows the place any more.
const ANYWHERE: &[u8] = b"*";

/// Where an address stands that was found at no path, escaped as in JSON; `paths`: how many there are.
pub(super) fn place<'o>(outline: &'o Outline, paths: usize, sighting: &Sighting) -> &'o [u8] {
    let nth = usize::from(sighting.path).checked_sub(paths);
    let place = nth.and_then(|nth| outline.places.get(nth));
    // The outermost object has no name.
    place.filter(|place| !place.is_empty()).unwrap_or(ANYWHERE)
}

/// Appends the path as a JSON string; `paths` are the configured ones, as such.
#[inline]
pub(super) fn append_path(
    paths: &[Vec<u8>],
    outline: &Outline,
    sighting: &Sighting,
    out: &mut Vec<u8>,
) {
    if let Some(path) = paths.get(usize::from(sighting.path)) {
        out.extend_from_slice(path);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(place(outline, paths.len(), sighting));
    out.push(b'"');
}
