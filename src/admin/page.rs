//! The page at `/`: one answer with all that is in it, which asks for nothing from anywhere else.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use openssl::base64::encode_block;
use openssl::sha::sha256;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const FRAME: &str = include_str!("page.html");

/// The page, and what it may do: run its own script, wear its own style, and ask this port.
struct Page {
    text: String,
    policy: String,
}

fn whole() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| {
        let hash = |text: &str| encode_block(&sha256(text.as_bytes()));
        Page {
            text: FRAME.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT),
            policy: format!(
                "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                hash(SCRIPT),
                hash(STYLE)
            ),
        }
    })
}

pub(super) async fn page() -> impl IntoResponse {
    let Page { text, policy } = whole();
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
    ];
    (headers, text.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::telemetry::METRICS;

    #[test]
    fn the_page_is_small_and_asks_for_nothing_from_elsewhere() {
        let Page { text, policy } = whole();
        assert!(text.len() < 60_000, "{} bytes", text.len());
        assert!(!text.contains("/*S"), "something was not put in");
        for foreign in ["http:", "https:", "//cdn", "@import", "url(", "src=\"", " style=", " on"] {
            let found = text.find(foreign).map(|at| &text[at..text.len().min(at + 60)]);
            // ` on` is a word; ` onclick=` would be a script that the policy forbids.
            let is_script = |found: &str| foreign != " on" || found[..20].contains("=\"");
            assert!(!found.is_some_and(is_script), "{foreign}: {found:?}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_page_shows_only_metrics_that_are_declared() {
        let words = SCRIPT.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        let shown: BTreeSet<_> = words.filter(|word| word.starts_with("ipstamp_")).collect();
        assert!(shown.len() > 20, "{shown:?}");
        for name in shown {
            let parts = ["", "_sum", "_count"].into_iter();
            let mut declared = parts.filter_map(|part| name.strip_suffix(part));
            let is_declared = |name| METRICS.iter().any(|(known, _)| *known == name);
            assert!(declared.any(is_declared), "{name} is not declared");
        }
    }
}
