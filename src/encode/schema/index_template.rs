//! Elasticsearch component templates and the notes for Splunk and OCSF, made from the profiles' data:
//! a test says when one of the kept files is out of date.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::encode::facts::{Field, Kind};
use crate::encode::profile::{Choice, Layout, ProfileFile, built_in};
use crate::encode::render::Rule;
use crate::encode::{Profile, Tags};
use crate::record::Role;

fn layout(profile: &Profile) -> Layout {
    let file = ProfileFile::parse(built_in(profile).unwrap()).unwrap();
    Layout::new(&file, &Choice::default()).unwrap()
}

/// What a field is in an index.
fn mapping(rule: &Rule) -> Value {
    let keyword = |name: &str| match name {
        // ECS has it for search in words, too.
        "organization" => json!({"properties": {"name": {"type": "keyword", "fields": {
            "text": {"type": "match_only_text"}}}}}),
        _ => json!({"type": "keyword"}),
    };
    match rule {
        Rule::Field { field, .. } => match field.kind {
            Kind::Text | Kind::Texts => keyword(""),
            Kind::Whole => json!({"type": "long"}),
            Kind::Decimal => json!({"type": "float"}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Objects => json!({"type": "flattened"}),
        },
        Rule::Object { inner, .. } => {
            let paths: Vec<String> = rule.fields().into_iter().map(Field::path).collect();
            if paths == ["geo.location.lat", "geo.location.lon"] {
                return json!({"type": "geo_point"});
            }
            if paths == ["as.organization"] {
                return keyword("organization");
            }
            json!({"properties": properties(inner)})
        }
    }
}

fn properties(rules: &[Rule]) -> Map<String, Value> {
    rules.iter().map(|rule| (rule.name(), mapping(rule))).collect()
}

/// The members beside an address of a role; of none, all.
fn members(layout: &Layout, role: Option<Role>) -> Map<String, Value> {
    let mut all = Map::new();
    let rest: Vec<_> = layout
        .rest
        .iter()
        .filter(|(_, gate)| gate.is_open(&layout.members, 0, role))
        .flat_map(|(slice, _)| &layout.rendering.slices[*slice])
        .collect();
    for (nth, member) in layout.members.iter().enumerate() {
        if layout.rest_member == Some(nth) {
            let rest: Map<_, _> = rest.iter().map(|rule| (rule.name(), mapping(rule))).collect();
            all.insert(member.name.clone(), json!({"properties": rest}));
        } else if member.is_allowed(role) {
            let rules = &layout.rendering.slices[member.slice];
            if member.is_joined {
                let inner = properties(rules);
                all.insert(member.name.clone(), json!({"properties": inner}));
            } else {
                all.extend(properties(rules));
            }
        }
    }
    all
}

/// A component template for what a profile writes.
fn template(profile: &Profile) -> Value {
    let layout = layout(profile);
    let mut all = Map::new();
    for role in Role::ALL {
        let Some(object) = &layout.roles[role as usize] else { continue };
        let mut there = Map::new();
        there.insert("ip".into(), json!({"type": "ip"}));
        if layout.raw.is_some() {
            there.insert("address".into(), json!({"type": "keyword"}));
        }
        there.extend(members(&layout, Some(role)));
        all.insert(object.clone(), json!({"properties": there}));
    }
    if layout.lists.iter().any(|list| !list.by_path) {
        all.insert("related".into(), json!({"properties": {"ip": {"type": "ip"}}}));
    }
    all.insert("tags".into(), json!({"type": "keyword"}));
    let mut also = Map::new();
    also.insert("path".into(), json!({"type": "keyword"}));
    also.insert("ip".into(), json!({"type": "ip"}));
    also.extend(members(&layout, None));
    all.insert(
        "ipstamp".into(),
        json!({"properties": {
            "outcome": {"type": "keyword"},
            "reason": {"type": "keyword"},
            "sources": {"type": "flattened"},
            "age": {"type": "long"},
            "stale": {"type": "keyword"},
            "attribution": {"type": "keyword"},
            "left_out": {"type": "long"},
            "also": {"properties": also},
        }}),
    );
    json!({
        "template": {"mappings": {"properties": all}},
        "_meta": {"description": format!(
            "What ipstamp writes with output.profile: {}", profile.name()
        )},
    })
}

/// The names of a slice, each with the field that it has.
fn rows(rules: &[Rule], before: &str, to: &mut Vec<(String, &'static Field)>) {
    for rule in rules {
        let name = format!("{before}{}", rule.name());
        match rule {
            Rule::Field { field, .. } => to.push((name, field)),
            Rule::Object { inner, .. } => rows(inner, &format!("{name}."), to),
        }
    }
}

fn table(rules: impl Iterator<Item = (String, &'static Field)>) -> String {
    let mut text = String::from("| name | fact | is |\n|---|---|---|\n");
    for (name, field) in rules {
        let _ = writeln!(text, "| `{name}` | `{}` | {} |", field.path(), field.kind.name());
    }
    text
}

/// By role, the name of its object, or what stands before the names.
fn roles(layout: &Layout) -> String {
    let mut text = String::new();
    for role in Role::ALL {
        if let Some(name) = &layout.roles[role as usize] {
            let _ = writeln!(text, "| `{}` | `{name}` |", role.name());
        }
    }
    text
}

fn tags() -> String {
    let Tags { not_found, lookup_failure, invalid_ip, stale } = Tags::default();
    format!("`{not_found}`, `{lookup_failure}`, `{invalid_ip}`, `{stale}`")
}

fn splunk_notes() -> String {
    let layout = layout(&Profile::Splunk);
    let mut all = Vec::new();
    for member in &layout.members {
        rows(&layout.rendering.slices[member.slice], "", &mut all);
    }
    let prefixes = roles(&layout);
    format!(
        "# Splunk\n\nWhat `output.profile: splunk` writes into the outermost object of an event. The names are those of \
         `iplocation`,\nbehind the prefix that the Common Information Model gives the role:\n\n| role | prefix |\n|---|---|\n{prefixes}\n\
         {}\nA search such as `src_Country=\"United Kingdom\" src_is_tor=true` needs no lookup any more. The first \
         address of a prefix\nspeaks for it; further ones are in `ipstamp.also{{}}`. `ipstamp.outcome`, `ipstamp.reason` \
         and `ipstamp.sources` say how it\nended, and the field `tags` has {} where something is missing.\n\n\
         With Splunk Connect for Kafka, or any reader of JSON, in `props.conf`:\n\n```ini\n[ipstamp]\nKV_MODE = json\n\
         FIELDALIAS-src = src_ip AS src\nFIELDALIAS-dest = dest_ip AS dest\n```\n",
        table(all.into_iter()),
        tags(),
    )
}

fn ocsf_notes() -> String {
    let layout = layout(&Profile::Ocsf);
    let mut there = Vec::new();
    for member in &layout.members {
        rows(&layout.rendering.slices[member.slice], "<endpoint>.", &mut there);
    }
    let mut rest = Vec::new();
    for (slice, gate) in &layout.rest {
        if gate.is_open(&layout.members, 0, None) {
            rows(&layout.rendering.slices[*slice], "enrichments[].data.", &mut rest);
        }
    }
    let objects = roles(&layout);
    format!(
        "# OCSF 1.8\n\nWhat `output.profile: ocsf` writes. `<endpoint>` is the object that the address stands in as `ip`. \
         One that stands\nelsewhere gets the object of its role, where the event has none:\n\n| role | object |\n|---|---|\n{objects}\n\
         {}\nA `location` is written only with one of city, country, region or postal code, as the schema wants it. A \
         `device` has\nneither `autonomous_system` nor `isp`; there they are in `enrichments[].data`. What OCSF has no attribute \
         for is in\n`enrichments`, an item for each address: `name` is its path, `value` the address, `provider` is ipstamp.\n\n\
         {}\n`enrichments[].reputation` has `base_score` from `threat.score`, and a tenth of it as `score_id` and \
         `score`. With\n`output.observables: true` each address is an item of `observables`, of `type_id` 2.\n\n\
         `unmapped.ipstamp` has `outcome`, `reason` and `sources`; `metadata.labels` has {}\nwhere something is missing.\n",
        table(there.into_iter()),
        table(rest.into_iter()),
        tags(),
    )
}

#[test]
fn the_kept_schemas_of_indexes_and_notes_are_those_of_the_profiles() {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
    let all = [
        ("elasticsearch/ecs.json", pretty(&template(&Profile::Ecs))),
        ("elasticsearch/flat.json", pretty(&template(&Profile::Flat))),
        ("splunk.md", splunk_notes()),
        ("ocsf.md", ocsf_notes()),
    ];
    for (name, text) in all {
        super::kept(name, &text);
    }
}
