//! What the configuration and the variables of OpenTelemetry say together about traces.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::super::config::TelemetryConfig;

/// How long a collector may take where nothing is said, as OpenTelemetry has it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Spans that may wait for a collector where nothing is said, as OpenTelemetry has it.
const QUEUED: usize = 2048;
/// The room for all that may wait is taken at once, half a kilobyte for each.
const MOST_QUEUED: u64 = 65_536;
/// How long they wait for others where nothing is said, as OpenTelemetry has it.
const DELAY: Duration = Duration::from_secs(5);
/// The samplers that the SDK has.
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// Where traces go, and how. What is not here is read by OpenTelemetry's own SDK: sampler, limits, sizes
/// and times of batches, resource, compression, headers.
#[derive(Clone, Debug)]
pub struct TracesSettings {
    /// The whole URL, where the configuration has one; otherwise the SDK takes it from its variables.
    pub(super) url: Option<String>,
    /// Headers of the configuration, with their secrets.
    pub(super) headers: Headers,
    /// How long one call may take.
    pub(super) timeout: Duration,
    /// How many spans may wait.
    pub(super) queued: usize,
    /// How long they wait for others to be sent with.
    pub(super) delay: Duration,
    /// Whether `traceparent` of a record is read and written.
    pub(super) propagates: bool,
    /// Whether the variables name the service.
    pub(super) is_named: bool,
    /// Roots to be trusted beside the system's.
    pub(super) roots: Option<PathBuf>,
    /// A certificate of one's own and its key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// Headers with secrets in them.
#[derive(Clone)]
pub(super) struct Headers(pub(super) HashMap<String, String>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Decision {
    /// Where traces go; None is nowhere.
    pub settings: Option<TracesSettings>,
    /// What a person should know of it: variables that ask for what there is not.
    pub words: Vec<String>,
}

impl TracesSettings {
    /// Decides. `variable` looks a variable up; an empty one is none, as OpenTelemetry has it.
    pub fn decide(config: &TelemetryConfig, variable: impl Fn(&str) -> Option<String>) -> Decision {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        // Of this signal first, then of all.
        let of_traces = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let mut words = Vec::new();
        if variable("OTEL_EXPORTER_PROMETHEUS_PORT").is_some() {
            words.push(
                "OTEL_EXPORTER_PROMETHEUS_PORT is not read by itself: where metrics are read stands in the \
                 configuration; write admin: {listen: \"127.0.0.1:${OTEL_EXPORTER_PROMETHEUS_PORT}\"}"
                    .into(),
            );
        }
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Decision { settings: None, words };
        }
        if config.otlp.is_none() && of_traces("ENDPOINT").is_none() {
            return Decision { settings: None, words };
        }
        for (name, instead) in [
            ("METRICS", "metrics are read at admin.listen by Prometheus"),
            ("LOGS", "log lines are written to stderr"),
        ] {
            let name = format!("OTEL_{name}_EXPORTER");
            let asked = variable(&name).unwrap_or_default();
            if asked.split(',').any(|one| one.trim() == "otlp") {
                words.push(format!(
                    "{name} asks for otlp, which only traces are sent by; {instead}"
                ));
            }
        }
        if let Some(exporters) = variable("OTEL_TRACES_EXPORTER")
            && !exporters.split(',').any(|one| one.trim() == "otlp")
        {
            if exporters.trim() != "none" {
                words.push(
                    "no traces: OTEL_TRACES_EXPORTER knows otlp and none, and names neither".into(),
                );
            }
            return Decision { settings: None, words };
        }
        if config.otlp.is_none()
            && let Some(protocol) = of_traces("PROTOCOL")
            && protocol.trim() != "http/protobuf"
        {
            words.push(
                "no traces: OTEL_EXPORTER_OTLP_PROTOCOL wants a protocol that is not spoken here; \
                 set it to http/protobuf, and the endpoint to the port for that, mostly 4318"
                    .into(),
            );
            return Decision { settings: None, words };
        }
        let mut number = |name: &str, most: u64| {
            let text = variable(name)?;
            let number = text.trim().parse().ok().filter(|number| (1..=most).contains(number));
            if number.is_none() {
                words.push(format!(
                    "{name} is no whole number from 1 to {most}, and so counts as not set"
                ));
            }
            number
        };
        let millis = number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", u64::MAX)
            .or_else(|| number("OTEL_EXPORTER_OTLP_TIMEOUT", u64::MAX));
        let queued = number("OTEL_BSP_MAX_QUEUE_SIZE", MOST_QUEUED);
        let delay = number("OTEL_BSP_SCHEDULE_DELAY", u64::MAX);
        // Read by the SDK, which says nothing.
        let _ = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", MOST_QUEUED);
        words.extend(words_of_sampler(&variable));
        let propagators = variable("OTEL_PROPAGATORS");
        let propagates = propagators
            .as_deref()
            .is_none_or(|names| names.split(',').any(|one| one.trim() == "tracecontext"));
        if !propagates {
            words.push(
                "OTEL_PROPAGATORS does not name tracecontext, the only one that is spoken here: no record's trace \
                 is continued"
                    .into(),
            );
        }
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let is_named = variable("OTEL_SERVICE_NAME").is_some()
            || attributes.split(',').any(|one| one.trim().starts_with("service.name="));
        let file = |name| of_traces(name).map(PathBuf::from);
        let otlp = config.otlp.as_ref();
        let headers = otlp.into_iter().flat_map(|otlp| &otlp.headers);
        let settings = Self {
            url: otlp.map(|otlp| format!("{}/v1/traces", otlp.endpoint.trim_end_matches('/'))),
            headers: Headers(
                headers.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
            ),
            timeout: millis.map_or(TIMEOUT, Duration::from_millis),
            queued: queued.map_or(QUEUED, |queued| queued as usize),
            delay: delay.map_or(DELAY, Duration::from_millis),
            propagates,
            is_named,
            roots: file("CERTIFICATE"),
            identity: file("CLIENT_CERTIFICATE").zip(file("CLIENT_KEY")),
        };
        Decision { settings: Some(settings), words }
    }
}

/// What the SDK does not say of the sampler that is asked for.
fn words_of_sampler(variable: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let sampler = variable("OTEL_TRACES_SAMPLER")?;
    if !SAMPLERS.contains(&sampler.as_str()) {
        return Some(format!(
            "OTEL_TRACES_SAMPLER names none of {}: every record with a sampled context and every batch is \
             traced",
            SAMPLERS.join(", ")
        ));
    }
    let ratio = variable("OTEL_TRACES_SAMPLER_ARG")
        .and_then(|ratio| ratio.parse().ok())
        .filter(|ratio: &f64| (0.0..=1.0).contains(ratio));
    (sampler.ends_with("traceidratio") && ratio.is_none()).then(|| {
        "OTEL_TRACES_SAMPLER wants a part from 0 to 1 in OTEL_TRACES_SAMPLER_ARG, and without one \
         takes all"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::config::OtlpConfig;
    use super::*;
    use crate::record::Secret;

    fn decide(otlp: Option<&str>, variables: &[(&str, &str)]) -> Decision {
        let headers = [("authorization".to_owned(), Secret::new("Bearer hidden"))].into();
        let otlp = otlp.map(|endpoint| OtlpConfig { endpoint: endpoint.into(), headers });
        TracesSettings::decide(&TelemetryConfig { otlp }, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        assert!(decide(None, &[]).settings.is_none());
        assert!(decide(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).settings.is_none());
        assert!(decide(None, &[("OTEL_SERVICE_NAME", "x")]).settings.is_none());
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            let decision = decide(None, &[(name, "http://c:4318")]);
            assert!(decision.settings.is_some_and(|settings| settings.url.is_none()), "{name}");
        }
        let settings = decide(Some("http://c:4318/"), &[]).settings.unwrap();
        assert_eq!(settings.url.as_deref(), Some("http://c:4318/v1/traces"));
    }

    #[test]
    fn the_variables_can_switch_it_off() {
        for (name, value, words) in [
            ("OTEL_SDK_DISABLED", "true", 0),
            ("OTEL_TRACES_EXPORTER", "none", 0),
            ("OTEL_TRACES_EXPORTER", "zipkin", 1),
        ] {
            let decision = decide(Some("http://c:4318"), &[(name, value)]);
            assert!(decision.settings.is_none(), "{name}={value}");
            assert_eq!(decision.words.len(), words, "{name}={value}");
        }
        let both = [("OTEL_TRACES_EXPORTER", "console, otlp")];
        assert!(decide(Some("http://c:4318"), &both).settings.is_some());
    }

    #[test]
    fn a_port_for_metrics_is_said_to_stand_in_the_configuration() {
        let decision = decide(None, &[("OTEL_EXPORTER_PROMETHEUS_PORT", "9464")]);
        assert!(decision.settings.is_none());
        let [words] = &decision.words[..] else { panic!("{:?}", decision.words) };
        assert!(words.contains("admin: {listen:"), "{words}");
    }

    #[test]
    fn another_protocol_is_said_and_costs_the_traces_only() {
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        let decision = decide(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"), grpc]);
        assert!(decision.settings.is_none());
        assert!(decision.words[0].contains("http/protobuf"), "{:?}", decision.words);
        let own = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
        let decision = decide(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), grpc, own]);
        assert!(decision.settings.is_some());
    }

    #[test]
    fn what_is_said_of_traces_comes_before_what_is_said_of_all() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "7000"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "300"),
            ("OTEL_PROPAGATORS", "baggage,b3"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=stamper"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ];
        let settings = decide(Some("https://c"), &variables).settings.unwrap();
        assert_eq!(settings.timeout, Duration::from_millis(300));
        assert!(!settings.propagates && settings.is_named);
        assert_eq!(settings.roots, Some("/ca.pem".into()));
        assert!(decide(Some("https://c"), &[]).settings.unwrap().propagates);
    }

    #[test]
    fn what_a_variable_says_in_vain_is_said() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        for (variables, words) in [
            (&[("OTEL_TRACES_SAMPLER", "sometimes")][..], "names none of always_on"),
            (&[("OTEL_TRACES_SAMPLER", "traceidratio")], "OTEL_TRACES_SAMPLER_ARG"),
            (
                &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1 %")],
                "OTEL_TRACES_SAMPLER_ARG",
            ),
            (
                &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "5")],
                "OTEL_TRACES_SAMPLER_ARG",
            ),
            (&[("OTEL_BSP_SCHEDULE_DELAY", "1s")], "OTEL_BSP_SCHEDULE_DELAY"),
            (&[("OTEL_BSP_SCHEDULE_DELAY", "0")], "OTEL_BSP_SCHEDULE_DELAY"),
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")], "OTEL_EXPORTER_OTLP_TIMEOUT"),
            (&[("OTEL_BSP_MAX_QUEUE_SIZE", "0")], "OTEL_BSP_MAX_QUEUE_SIZE"),
            (&[("OTEL_BSP_MAX_QUEUE_SIZE", "100000000")], "from 1 to 65536"),
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")], "OTEL_EXPORTER_OTLP_TIMEOUT"),
            (&[("OTEL_BSP_MAX_QUEUE_SIZE", "many")], "OTEL_BSP_MAX_QUEUE_SIZE"),
        ] {
            let decision = decide(None, &[variables, &[endpoint]].concat());
            assert!(decision.settings.is_some(), "{variables:?}");
            let [said] = &decision.words[..] else { panic!("{variables:?}: {:?}", decision.words) };
            assert!(said.contains(words), "{said}");
        }
        let sound = [
            endpoint,
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ];
        let decision = decide(None, &sound);
        assert!(decision.words.is_empty(), "{:?}", decision.words);
        assert_eq!(decision.settings.unwrap().queued, 100);
    }

    #[test]
    fn secrets_of_headers_are_not_printed() {
        let text = format!("{:?}", decide(Some("https://c"), &[]));
        assert!(text.contains("authorization") && !text.contains("hidden"), "{text}");
    }
}
