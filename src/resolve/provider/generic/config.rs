//! How a service of one's own is described: where it is, how it is asked, what its answers mean.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Secret, UrlText};
use crate::resolve::provider::config::licence_config;

licence_config! {
    /// A service that answers over HTTP in JSON. Places in JSON are written as JSON pointers:
    /// `/data/city`; an empty one is the whole.
    pub struct Config {
        /// Where it is, whole: `https://intel.example.com/v1/{ip}`. `{ip}` is the address; with `batch`
        /// the addresses are in the body instead.
        pub url: UrlText,
        /// The token, where it needs one. One that is empty switches the service off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<Secret>,
        /// Where the token goes.
        #[serde(default)]
        pub token_in: TokenIn,
        /// Many addresses in one call, by POST.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub batch: Option<Batch>,
        /// Where the answer stands in the reply; with `batch` the list or the object of answers.
        #[serde(default)]
        pub answer: String,
        /// Where an answer repeats its address. A list needs it: what is not known to be of an address
        /// is not taken for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<String>,
        /// What is taken: a field by its name in `want`, and its place in an answer.
        /// `geo.location` is a text `latitude,longitude`, or it is two numbers: `geo.location.lat` and
        /// `geo.location.lon`.
        pub fields: BTreeMap<String, String>,
        /// What one address costs, in the units of the budget.
        #[serde(default = "one")]
        pub price: u64,
    }
}

/// Where a request carries the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenIn {
    /// `Authorization: Bearer …`.
    #[default]
    Bearer,
    /// The header of this name.
    Header(String),
    /// The query parameter of this name.
    Query(String),
}

/// How many addresses are asked for at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most so many in a call.
    pub most: usize,
    /// Where the list of addresses goes in the body: `/ips` sends `{"ips": […]}`, an empty one the
    /// list alone.
    #[serde(default)]
    pub send: String,
    /// How answers come.
    pub shape: Shape,
    /// What it means that an address is not among them.
    #[serde(default)]
    pub missing: Missing,
}

/// How the answers of a batch come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A list; each answer repeats its address.
    List,
    /// An object; the address is the name of its answer.
    Keyed,
}

/// What it means that an address is not among the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The service failed on it.
    #[default]
    Failed,
    /// Nothing is known of it.
    Unknown,
}

const fn one() -> u64 {
    1
}
