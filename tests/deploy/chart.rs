//! The chart: each file of `ci/` is linted, rendered, valid for the API, and the program takes the
//! configuration that comes out of it, with the files that the pod has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipstamp::database::{Generation, MANIFEST, Manifest, Mirrored};
use serde_json::Value;

use super::root;
use super::tools::{home, missing, run, tool};
use super::yaml::documents;

/// The newest API for which `.ci/tools` has schemas.
const KUBERNETES: &str = "1.36.0";

/// The values files of `ci/`, a feature each, and the examples.
fn all_values() -> Vec<PathBuf> {
    let folders = ["helm/ipstamp/ci", "helm/ipstamp/examples"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root(folder)).unwrap());
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

fn helm(verb: &str) -> Option<Command> {
    let mut helm = tool("helm")?;
    helm.arg(verb);
    if verb == "template" {
        helm.args(["ipstamp", "--namespace", "streams", "--kube-version", KUBERNETES]);
    }
    helm.arg(root("helm/ipstamp"));
    Some(helm)
}

/// What comes of these values, as text.
fn rendered(values: &Path) -> Option<String> {
    let (well, text) = run(helm("template")?.arg("--values").arg(values));
    assert!(well, "{}: {text}", values.display());
    Some(text)
}

fn of_kind<'d>(documents: &'d [Value], kind: &str) -> Option<&'d Value> {
    documents.iter().find(|document| document["kind"] == kind)
}

fn workload(documents: &[Value]) -> &Value {
    let found = of_kind(documents, "Deployment").or_else(|| of_kind(documents, "StatefulSet"));
    found.unwrap()
}

#[test]
fn lint_finds_nothing_with_any_values() {
    for values in all_values() {
        let Some(mut helm) = helm("lint") else { return };
        let (well, text) = run(helm.arg("--strict").arg("--values").arg(&values));
        assert!(well && !text.contains("[ERROR]") && !text.contains("Fail:"), "{text}");
    }
}

#[test]
fn what_is_rendered_is_valid_for_the_api_and_for_the_custom_resources() {
    let schemas = home().join("schemas");
    let crd = schemas.join("crd/{{.ResourceKind}}{{.KindSuffix}}.json");
    for values in all_values() {
        let (Some(text), Some(mut conform)) = (rendered(&values), tool("kubeconform")) else {
            return;
        };
        if !schemas.is_dir() {
            return missing("the schemas of Kubernetes");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        conform.args(["-strict", "-summary", "-kubernetes-version", KUBERNETES]);
        conform.arg("-schema-location").arg(schemas.join("k8s"));
        conform.arg("-schema-location").arg(&crd).arg(file.path());
        let (well, said) = run(&mut conform);
        assert!(well && said.contains("Skipped: 0"), "{}: {said}", values.display());
    }
}

#[test]
fn the_units_of_the_chart_hold() {
    let Some(mut unittest) = tool("helm-unittest") else { return };
    let (well, said) = run(unittest.arg("--strict").arg(root("helm/ipstamp")));
    assert!(well, "{said}");
}

#[test]
fn a_key_that_there_is_not_is_refused_in_the_values_and_in_the_configuration() {
    for (set, said) in [
        ("replcas=3", "additional properties 'replcas' not allowed"),
        ("autoscaling.keda.lag=3", "additional properties 'lag' not allowed"),
        ("config.input.topic=logs", "additional properties 'topic' not allowed"),
        ("config.providers.ipinfo.tokn=x", "additional properties 'tokn' not allowed"),
        ("config.window.records=many", "config/window/records"),
        ("tenants.acme.wants=x", "additional properties 'wants' not allowed"),
        ("workload.kind=DaemonSet", "workload/kind"),
    ] {
        let Some(mut helm) = helm("template") else { return };
        helm.arg("--values").arg(root("helm/ipstamp/ci/plain-values.yaml"));
        let (well, text) = run(helm.args(["--set", set]));
        assert!(!well && text.contains(said), "{set}: {text}");
    }
}

/// A folder in which the pod's files are, and the text of its configuration with their places there.
struct Pod {
    folder: tempfile::TempDir,
    documents: Vec<Value>,
}

/// Where the pod has what, and where it is in the folder.
const PLACES: [(&str, &str); 4] = [
    ("/run/secrets/ipstamp", "secrets"),
    ("/etc/ipstamp-tenants", "tenants"),
    ("/var/lib/ipstamp", "lib"),
    ("/data", "data"),
];

impl Pod {
    /// With the secrets that its volume has, the tenants of their `ConfigMap` and, where it mounts
    /// `/data`, two databases.
    fn new(documents: Vec<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = &workload(&documents)["spec"]["template"]["spec"];
        let mounts: BTreeSet<&str> = spec["containers"][0]["volumeMounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mount| mount["mountPath"].as_str().unwrap())
            .collect();
        for (place, here) in PLACES {
            if mounts.contains(place) {
                fs::create_dir(folder.path().join(here)).unwrap();
            }
        }
        let volumes = spec["volumes"].as_array().unwrap();
        let secrets = volumes.iter().find(|volume| volume["name"] == "secrets");
        let sources = secrets.and_then(|volume| volume["projected"]["sources"].as_array());
        for source in sources.into_iter().flatten() {
            let file = source["secret"]["items"][0]["path"].as_str().unwrap();
            fs::write(folder.path().join("secrets").join(file), "there").unwrap();
        }
        if mounts.contains("/data") {
            // As something else puts them there, and as a fetching pod does.
            let data = folder.path().join("data");
            fs::create_dir_all(data.join("store/fetched")).unwrap();
            for name in ["city.mmdb", "asn.mmdb"] {
                let from = root("src/command/demo").join(name);
                for there in [data.join(name), data.join("store/fetched").join(name)] {
                    fs::copy(&from, there).unwrap();
                }
            }
        }
        let tenants = documents.iter().find(|it| it["metadata"]["name"] == "ipstamp-tenants");
        for (name, text) in tenants.iter().flat_map(|it| it["data"].as_object().unwrap()) {
            let text = placed(text.as_str().unwrap(), folder.path());
            fs::write(folder.path().join("tenants").join(name), text).unwrap();
        }
        Self { folder, documents }
    }

    /// A file of the `ConfigMap`.
    fn config(&self, key: &str) -> Option<PathBuf> {
        let mut maps = self.documents.iter().filter(|it| it["kind"] == "ConfigMap");
        let text = maps.find_map(|it| it["data"][key].as_str())?;
        let text = placed(text, self.folder.path());
        let path = self.folder.path().join(key);
        fs::write(&path, text).unwrap();
        Some(path)
    }
}

/// A text of the pod with the places of its files in the folder.
fn placed(text: &str, folder: &Path) -> String {
    PLACES.iter().fold(text.to_owned(), |text, (place, here)| {
        text.replace(place, folder.join(here).to_str().unwrap())
    })
}

fn ipstamp(arguments: &[&str], config: &Path) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
    // Kubernetes sets it.
    command.args(arguments).arg("--config").arg(config).env("HOSTNAME", "ipstamp-0");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn the_program_takes_the_configuration_with_the_files_that_the_pod_has() {
    let mut checked = 0;
    for values in all_values() {
        let Some(text) = rendered(&values) else { return };
        let pod = Pod::new(documents(&text));
        let Some(config) = pod.config("config.yaml") else {
            assert!(values.ends_with("existing-values.yaml"), "{}", values.display());
            continue;
        };
        let (code, said) = ipstamp(&["check", "--offline"], &config);
        let missing: Vec<_> = said.lines().filter(|line| line.starts_with("missing")).collect();
        let fetches = fs::read_to_string(&config).unwrap().contains("source:");
        // What `run` fetches by itself is not there yet, and so nobody answers.
        let is_to_come =
            |line: &&str| line.ends_with("not fetched yet") || line.starts_with("missing  want ");
        let sound = if fetches { missing.iter().all(is_to_come) } else { missing.is_empty() };
        assert!(sound && code < 2, "{}: {code}\n{said}", values.display());
        if let Some(fetch) = pod.config("fetch.yaml") {
            let (code, said) = ipstamp(&["config", "show"], &fetch);
            assert_eq!(code, 0, "{}: {said}", values.display());
        }
        checked += 1;
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn what_the_fetching_pod_brings_is_what_the_worker_reads() {
    let Some(text) = rendered(&root("helm/ipstamp/ci/init-values.yaml")) else { return };
    let pod = Pod::new(documents(&text));
    let data = pod.folder.path().join("data");
    let mirror = pod.folder.path().join("mirror");
    fs::rename(&data, &mirror).unwrap();
    fs::create_dir(&data).unwrap();
    let mut manifest = Manifest::default();
    for name in ["city", "asn"] {
        let file = format!("{name}.mmdb");
        let bytes = fs::read(mirror.join(&file)).unwrap();
        let sha256 = Generation::of(&bytes).to_string();
        let (size, kind, built) = (bytes.len() as u64, "GeoLite2".into(), "2026-01-01".into());
        let one = Mirrored { file, sha256, size, kind, built, licence: None, attribution: None };
        manifest.databases.insert(name.to_owned(), one);
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    fs::write(mirror.join(MANIFEST), manifest).unwrap();
    let fetch = pod.config("fetch.yaml").unwrap();
    let text = fs::read_to_string(&fetch).unwrap();
    fs::write(&fetch, text.replace("https://mirror.example.com/", mirror.to_str().unwrap()))
        .unwrap();

    // As the container's `args` have it.
    let spec = &workload(&pod.documents)["spec"]["template"]["spec"];
    let arguments: Vec<_> = spec["initContainers"][0]["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|argument| argument.as_str().unwrap())
        .collect();
    let ["db", "fetch", "--config", "/etc/ipstamp/fetch.yaml"] = arguments[..] else {
        panic!("{arguments:?}")
    };
    let (code, said) = ipstamp(&["db", "fetch"], &fetch);
    assert_eq!(code, 0, "{said}");
    let (code, said) = ipstamp(&["check", "--offline"], &pod.config("config.yaml").unwrap());
    assert_eq!(code, 0, "{said}");
}

/// All pods that these documents make, and the names of what makes them.
fn pods(documents: &[Value]) -> Vec<(&str, &Value)> {
    let pods = documents.iter().filter_map(|document| {
        let kind = document["kind"].as_str()?;
        let spec = match kind {
            "Pod" => &document["spec"],
            "Deployment" | "StatefulSet" | "Job" => &document["spec"]["template"]["spec"],
            "CronJob" => &document["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            _ => return None,
        };
        Some((kind, spec))
    });
    pods.collect()
}

#[test]
fn each_pod_keeps_to_the_restricted_standard_and_writes_nowhere_but_into_volumes() {
    for values in all_values() {
        let Some(text) = rendered(&values) else { return };
        let documents = documents(&text);
        for (kind, spec) in pods(&documents) {
            let place = format!("{}, {kind}", values.display());
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{place}");
            let profile = &spec["securityContext"]["seccompProfile"]["type"];
            assert_eq!(profile, "RuntimeDefault", "{place}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{place}");
            let first = spec["initContainers"].as_array().into_iter().flatten();
            for container in first.chain(spec["containers"].as_array().unwrap()) {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{place}");
                assert_eq!(context["capabilities"]["drop"][0], "ALL", "{place}");
                if container["image"].as_str().unwrap().contains("ipstamp") {
                    assert_eq!(context["readOnlyRootFilesystem"], true, "{place}");
                    assert!(container["resources"]["requests"].is_object(), "{place}");
                }
            }
        }
    }
}

#[test]
fn a_new_configuration_is_a_new_pod_and_new_tenants_are_none() {
    let template = |set: &str| {
        let mut helm = helm("template")?;
        helm.arg("--values").arg(root("helm/ipstamp/ci/tenants-values.yaml"));
        let (well, text) = run(helm.args(["--set", set]));
        assert!(well, "{text}");
        Some(workload(&documents(&text))["spec"]["template"].clone())
    };
    let Some(before) = template("replicas=2") else { return };
    let same = [
        "tenants.acme.want={geo}",
        "tenants.third.providers.ipbot.budget.day=7",
        "databases.cronJob.schedule=@daily",
    ];
    for set in same {
        assert_eq!(template(set).unwrap(), before, "{set}");
    }
    for set in ["config.deadline=3s", "config.output.topic=x", "resources.requests.cpu=2"] {
        assert_ne!(template(set).unwrap(), before, "{set}");
    }
}
