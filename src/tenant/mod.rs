//! Whose records these are: a tenant's name, what names him, and the folder of the tenants' files.
//! What is done for a tenant, `pipeline` and `command` know.

mod config;
mod folder;
mod name;
mod selector;

pub use config::{By, TenantsConfig, Unknown};
pub use folder::{FolderError, TenantPath, tenant_files};
pub use name::TenantName;
pub use selector::{Selector, SelectorError};
