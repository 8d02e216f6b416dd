//! What no single value can say of the admin port: how long and of what its token is.

use super::error::Problem;
use super::file::Admin;

/// The shortest `admin.token`, in characters: it is all that stands before the port.
const SHORTEST_TOKEN: usize = 16;

pub(super) fn admin(admin: &Admin, problems: &mut Vec<Problem>) {
    let Some(token) = &admin.token else { return };
    if token.expose().chars().count() < SHORTEST_TOKEN {
        let message = format!(
            "shorter than {SHORTEST_TOKEN} characters: it could be guessed; make one with `openssl \
             rand -hex 16`"
        );
        problems.push(Problem::with(&["admin", "token"], message));
    } else if !token.expose().chars().all(|char| char.is_ascii_graphic()) {
        let message = "a header holds only visible ASCII characters; use no others";
        problems.push(Problem::with(&["admin", "token"], message));
    }
}
