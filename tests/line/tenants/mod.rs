//! The program with tenants: each one's records are answered by his own licences and by nobody else's,
//! whatever names him, and while files come, change and go.

mod files;
mod keeping;
mod serving;
pub(crate) mod stage;
