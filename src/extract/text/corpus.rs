//! Precision and recall over lines as products write them: `tests/data/addresses/texts.tsv` has of each
//! line the addresses that are in it, or `-`. The lines are of our own making, after the products'
//! documentation, and hold what is no address although it looks like one, and the other way round.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use super::find;

const LINES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/addresses/texts.tsv"));

#[test]
fn nearly_every_address_in_the_texts_of_products_is_found_and_hardly_anything_else() {
    let (mut right, mut wrong, mut missed, mut count) = (0, 0, 0, 0);
    let mut said = String::new();
    for line in LINES.lines().filter(|line| !line.starts_with('#')) {
        let (expected, text) = line.split_once('\t').unwrap();
        let expected: BTreeSet<IpAddr> =
            expected.split(' ').filter(|ip| *ip != "-").map(|ip| ip.parse().unwrap()).collect();
        let mut found = BTreeSet::new();
        find(text.as_bytes(), |one| {
            found.insert(one.ip);
        });
        count += 1;
        right += found.intersection(&expected).count();
        wrong += found.difference(&expected).count();
        missed += expected.difference(&found).count();
        if found != expected {
            writeln!(said, "{text}\n  expected {expected:?}\n  found    {found:?}").unwrap();
        }
    }
    let precision = right as f64 / (right + wrong) as f64;
    let recall = right as f64 / (right + missed) as f64;
    eprintln!(
        "{said}{count} texts, {right} addresses: precision {precision:.4}, recall {recall:.4}"
    );
    assert!(count >= 400, "{count} texts are too few to tell");
    assert!(precision >= 0.99, "precision {precision:.4}\n{said}");
    assert!(recall >= 0.99, "recall {recall:.4}\n{said}");
}
