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
        assert!(!policy.contains("-inline") && !policy.contains("-eval"), "{policy}");
    }

    /// The luminance of `#rgb` or `#rrggbb`, as the Web Content Accessibility Guidelines reckon it.
    fn luminance(colour: &str) -> f64 {
        let digits = colour.trim_start_matches('#');
        let size = digits.len() / 3;
        let part = |nth: usize| {
            let text = digits[nth * size..(nth + 1) * size].repeat(3 - size);
            let value = f64::from(u8::from_str_radix(&text, 16).unwrap()) / 255.0;
            if value <= 0.039_28 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
    }

    #[test]
    fn in_both_themes_every_text_stands_out_from_what_is_behind_it() {
        let themes: Vec<_> = STYLE.split(":root {").skip(1).collect();
        assert_eq!(themes.len(), 2);
        for theme in themes {
            let of = |name: &str| {
                let rest = theme.split_once(&format!("--{name}: ")).unwrap().1;
                luminance(rest.split_once(';').unwrap().0)
            };
            for text in ["text", "soft", "good", "bad", "warn", "mark"] {
                for behind in ["page", "card"] {
                    let (one, other) = (of(text) + 0.05, of(behind) + 0.05);
                    let contrast = one.max(other) / one.min(other);
                    assert!(contrast >= 4.5, "{text} on {behind}: {contrast}");
                }
            }
        }
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
