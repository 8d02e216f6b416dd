//! Telemetry's section of the configuration: where traces go.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Secret;

/// What is told to others over the network. Metrics are asked for at the admin port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// The collector that takes traces. Default: the one that the variables `OTEL_EXPORTER_OTLP_…`
    /// name, and none where they name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<OtlpConfig>,
}

/// An OpenTelemetry collector, spoken to over HTTP in Protobuf. What is not said here is taken from the
/// variables `OTEL_…`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// Its base URL, such as `http://collector:4318`; `/v1/traces` is put behind it.
    pub endpoint: String,
    /// Headers that it wants, such as `authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
}

impl OtlpConfig {
    /// What is wrong with the endpoint.
    pub fn problem(&self) -> Option<&'static str> {
        let url = reqwest::Url::parse(&self.endpoint).ok();
        let sound = url.is_some_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        (!sound).then_some(
            "expected a URL such as http://collector:4318; what it is told to keep secret belongs \
             into telemetry.otlp.headers",
        )
    }
}
