//! The figures of a process at one moment, read from the lines of its metrics, and what comes of two of
//! them. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a series.
pub(super) type Labels = BTreeMap<String, String>;

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Figures {
    at_ms: u64,
    series: BTreeMap<String, Vec<(Labels, f64)>>,
}

impl Figures {
    /// Of the lines with values. One that cannot be read is left out.
    pub(super) fn read(at_ms: u64, text: &str) -> Self {
        let mut series: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (name, labels, value) in text.lines().filter_map(line) {
            series.entry(name.to_owned()).or_default().push((labels, value));
        }
        Self { at_ms, series }
    }

    fn of<'f>(&'f self, name: &str, with: &[(&str, &str)]) -> impl Iterator<Item = f64> + use<'f> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let with: Vec<_> = with.iter().map(owned).collect();
        let all = self.series.get(name).into_iter().flatten();
        let fits =
            move |labels: &Labels| with.iter().all(|(name, value)| labels.get(name) == Some(value));
        all.filter(move |(labels, _)| fits(labels)).map(|(_, value)| *value)
    }

    /// The sum of the series that have these labels.
    pub(super) fn sum(&self, name: &str, with: &[(&str, &str)]) -> f64 {
        // Of nothing the sum of floats is -0.
        self.of(name, with).fold(0.0, |sum, value| sum + value)
    }

    /// The largest of them; none where there is none.
    pub(super) fn most(&self, name: &str, with: &[(&str, &str)]) -> Option<f64> {
        self.of(name, with).reduce(f64::max)
    }

    /// What a label is in the series of this metric.
    pub(super) fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        let all = self.series.get(name).into_iter().flatten();
        all.filter_map(|(labels, _)| labels.get(label).cloned()).collect()
    }

    /// All label sets of this metric.
    pub(super) fn labels(&self, name: &str) -> Vec<Labels> {
        let all = self.series.get(name).into_iter().flatten();
        all.map(|(labels, _)| labels.clone()).collect()
    }

    /// By how much it has grown in a second since `before`. A process that began anew counts from nought.
    pub(super) fn rate(&self, before: &Self, name: &str, with: &[(&str, &str)]) -> f64 {
        let (then, now) = (before.sum(name, with), self.sum(name, with));
        let grown = if now < then { now } else { now - then };
        let seconds = self.at_ms.saturating_sub(before.at_ms).max(1) as f64 / 1000.0;
        grown / seconds
    }

    /// Which part of a counter's growth has this label besides; none where it has not grown.
    pub(super) fn share(
        &self,
        before: &Self,
        name: &str,
        with: &[(&str, &str)],
        part: (&str, &str),
    ) -> Option<f64> {
        let all = self.rate(before, name, with);
        (all > 0.0).then(|| self.rate(before, name, &[with, &[part]].concat()) / all)
    }
}

/// The name, labels and value of a line such as `a_total{b="c",d="e"} 1.5`.
fn line(text: &str) -> Option<(&str, Labels, f64)> {
    let (series, value) = text.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some((series, Labels::new(), value));
    };
    let mut rest = labels.strip_suffix('}')?;
    let mut found = Labels::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (mut text, mut end) = (String::new(), None);
        let mut chars = quoted.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    end = Some(at);
                    break;
                }
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        found.insert(label.to_owned(), text);
        rest = &quoted[end? + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some((name, found, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_labels_whatever_these_are() {
        let figures = Figures::read(
            0,
            "a_total 3\nb{x=\"1\",y=\"a \\\"b\\\" {c} \\\\\"} 1.5\nb{x=\"2\",y=\"\"} 2\nbroken\nc{x=1} 1\n",
        );
        let sums = [("a_total", &[][..]), ("b", &[]), ("b", &[("x", "2")])];
        let sums = sums.map(|(name, with)| Some(figures.sum(name, with)));
        assert_eq!(sums, [Some(3.0), Some(3.5), Some(2.0)]);
        assert_eq!(figures.most("b", &[]), Some(2.0));
        assert_eq!(figures.most("c", &[]), None);
        assert!(figures.values("b", "y").contains("a \"b\" {c} \\"));
    }

    #[test]
    fn what_has_grown_is_by_the_second_and_what_begins_anew_counts_from_nought() {
        let of = |at, hits, misses| {
            let text = format!("a_total{{r=\"hit\"}} {hits}\na_total{{r=\"miss\"}} {misses}\n");
            Figures::read(at, &text)
        };
        let (before, now) = (of(1000, 10, 10), of(3000, 40, 20));
        assert_eq!(Some(now.rate(&before, "a_total", &[])), Some(20.0));
        assert_eq!(now.share(&before, "a_total", &[], ("r", "hit")), Some(0.75));
        assert_eq!(now.share(&now, "a_total", &[], ("r", "hit")), None);
        assert_eq!(Some(of(4000, 5, 0).rate(&now, "a_total", &[])), Some(5.0));
    }
}
