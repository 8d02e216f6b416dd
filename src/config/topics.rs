//! Where inputs are written to, and whether what is written would be read again.
//!
//! Whether a pattern reads its own output is decided, not guessed at: of a pattern that reads and a
//! template `prefix{topic}suffix`, one automaton reads a name, a second one the prefix and then the
//! same name; where the first matches and the second matches after the suffix, the name is a
//! witness. All pairs of states that names can lead to are visited, in the order of the names'
//! lengths, so that the witness is a short one and none is overlooked.

use std::collections::{HashMap, HashSet, VecDeque};

use regex::Regex;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

use crate::record::TopicPattern;

/// Bytes of an automaton. A pattern of topic names takes a few thousand.
const LARGEST_AUTOMATON: usize = 1 << 20;
/// Pairs of states to visit.
const MOST_PAIRS: usize = 200_000;
/// The stand-in for the input topic's name.
const TOPIC: &str = "{topic}";

/// `output.topic` or `output.dead_letter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template<'a> {
    prefix: &'a str,
    /// What follows the input topic's name; None when the name is the same for all inputs.
    suffix: Option<&'a str>,
}

impl<'a> Template<'a> {
    /// Reads a template. The error says what is wrong and what to write.
    pub(super) fn new(text: &'a str) -> Result<Self, String> {
        let (prefix, suffix) = match text.split_once(TOPIC) {
            Some((prefix, suffix)) => (prefix, Some(suffix)),
            None => (text, None),
        };
        let template = Self { prefix, suffix };
        if suffix == Some("") && prefix.is_empty() {
            return Err("this is the input topic itself; add something, as in \
                        `{topic}.enriched`"
                .into());
        }
        if text.contains("${") {
            return Err("write `{topic}` without a dollar for the input topic's name".into());
        }
        if suffix.is_some_and(|suffix| suffix.contains(TOPIC)) {
            return Err("`{topic}` may stand once".into());
        }
        if text.replace(TOPIC, "").contains(['{', '}']) {
            return Err("only `{topic}` can be put in, for the input topic's name".into());
        }
        TopicPattern::check_name(&template.of("t"))?;
        Ok(template)
    }

    /// The topic for what was read from `input`.
    pub(super) fn of(&self, input: &str) -> String {
        match self.suffix {
            Some(suffix) => format!("{}{input}{suffix}", self.prefix),
            None => self.prefix.into(),
        }
    }
}

/// An input topic whose output would be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    /// This one, for instance.
    Example(String),
    /// The patterns are too large to tell.
    TooComplex,
}

/// Looks for a topic that `source` reads and whose output by `template` is read by `target`.
pub(super) fn find_loop(
    source: &TopicPattern,
    template: &Template<'_>,
    target: &TopicPattern,
) -> Option<Loop> {
    match (source, template.suffix, target) {
        (TopicPattern::Exact(name), ..) => {
            target.reads(&template.of(name)).then(|| Loop::Example(name.clone()))
        }
        (TopicPattern::Regex(regex), None, _) => {
            if !target.reads(template.prefix) {
                return None;
            }
            // Whatever it reads goes there: any name will do.
            witness(regex, &Template { prefix: "", suffix: Some("") }, regex)
        }
        (TopicPattern::Regex(regex), Some(suffix), TopicPattern::Exact(name)) => {
            let input = name.strip_prefix(template.prefix)?.strip_suffix(suffix)?;
            (!input.is_empty() && regex.is_match(input)).then(|| Loop::Example(input.into()))
        }
        (TopicPattern::Regex(source), Some(_), TopicPattern::Regex(target)) => {
            witness(source, template, target)
        }
    }
}

/// How far a pattern has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Progress {
    /// It has matched; the rest of the name does not matter.
    Matched,
    At(StateID),
}

struct Walker(dense::DFA<Vec<u32>>);

impl Walker {
    fn new(regex: &Regex) -> Option<Self> {
        dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Unanchored)
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(LARGEST_AUTOMATON))
                    .determinize_size_limit(Some(8 * LARGEST_AUTOMATON)),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(LARGEST_AUTOMATON)))
            .build(regex.as_str())
            .ok()
            .map(Self)
    }

    fn start(&self) -> Option<Progress> {
        let config = start::Config::new().anchored(Anchored::No);
        self.0.start_state(&config).ok().map(Progress::At)
    }

    fn step(&self, from: Progress, byte: u8) -> Progress {
        let Progress::At(state) = from else { return from };
        let next = self.0.next_state(state, byte);
        // A match shows one byte late.
        if self.0.is_match_state(next) { Progress::Matched } else { Progress::At(next) }
    }

    fn walk(&self, from: Progress, text: &str) -> Progress {
        text.bytes().fold(from, |progress, byte| self.step(progress, byte))
    }

    fn matches_at_end(&self, progress: Progress) -> bool {
        match progress {
            Progress::Matched => true,
            Progress::At(state) => self.0.is_match_state(self.0.next_eoi_state(state)),
        }
    }
}

/// The shortest name that `source` matches and whose output `target` matches.
fn witness(source: &Regex, template: &Template<'_>, target: &Regex) -> Option<Loop> {
    let (Some(first), Some(second)) = (Walker::new(source), Walker::new(target)) else {
        return Some(Loop::TooComplex);
    };
    let (Some(first_start), Some(second_start)) = (first.start(), second.start()) else {
        return Some(Loop::TooComplex);
    };
    let suffix = template.suffix.unwrap_or_default();
    let begin = (first_start, second.walk(second_start, template.prefix));
    let mut came_from: HashMap<(Progress, Progress), ((Progress, Progress), u8)> = HashMap::new();
    let mut seen = HashSet::from([begin]);
    let mut queue = VecDeque::from([begin]);
    while let Some(pair) = queue.pop_front() {
        for &byte in TopicPattern::ALPHABET {
            let next = (first.step(pair.0, byte), second.step(pair.1, byte));
            let is_new = seen.insert(next);
            if is_new {
                came_from.insert(next, (pair, byte));
            }
            let both =
                first.matches_at_end(next.0) && second.matches_at_end(second.walk(next.1, suffix));
            if both {
                let mut name = vec![byte];
                let mut at = pair;
                while at != begin {
                    let Some(&(before, byte)) = came_from.get(&at) else { break };
                    name.push(byte);
                    at = before;
                }
                name.reverse();
                return Some(Loop::Example(String::from_utf8_lossy(&name).into_owned()));
            }
            if is_new {
                queue.push_back(next);
            }
        }
        if seen.len() > MOST_PAIRS {
            return Some(Loop::TooComplex);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All names of up to four of these letters.
    fn names() -> Vec<String> {
        let mut names = vec![String::new()];
        for length in 0..4 {
            let longest: Vec<_> = names.iter().filter(|n| n.len() == length).cloned().collect();
            for name in longest {
                names.extend(["a", "b", ".", "x"].map(|letter| format!("{name}{letter}")));
            }
        }
        names.retain(|name| !name.is_empty());
        names
    }

    /// Patterns out of the pieces that such names can tell apart.
    fn pattern() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a", "b", "x", r"\.", ".", "[ab]", "[^a]", "a*", "b+", "(a|x)", "a?", ".*", "(ab)*",
            "b{1,2}", "$",
        ]);
        prop::collection::vec(piece, 1..5).prop_map(|pieces| format!("^{}", pieces.concat()))
    }

    fn template() -> impl Strategy<Value = String> {
        let side = || prop::sample::select(vec!["", "a", "b", ".x", "x.", "ab"]);
        (side(), side()).prop_map(|(before, after)| format!("{before}{{topic}}{after}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The walk finds a loop wherever trying all short names finds one, and what it names is
        /// one.
        #[test]
        fn a_loop_is_found_when_there_is_one_and_only_then(
            source in pattern(),
            target in pattern(),
            template in template(),
        ) {
            let (Ok(source), Ok(target)) = (TopicPattern::new(&source), TopicPattern::new(&target)) else {
                return Ok(());
            };
            let Ok(template) = Template::new(&template) else { return Ok(()) };
            let loops = |name: &str| source.reads(name) && target.reads(&template.of(name));
            match find_loop(&source, &template, &target) {
                Some(Loop::Example(name)) => prop_assert!(loops(&name), "{} is no loop", name),
                Some(Loop::TooComplex) => prop_assert!(false, "too complex"),
                None => {
                    for name in names() {
                        prop_assert!(!loops(&name), "{} is overlooked", name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_pattern_too_large_to_tell_is_said_to_be_so() {
        let source = TopicPattern::new("^[ab]*a[ab]{18}$").unwrap();
        let target = TopicPattern::new("^x").unwrap();
        let template = Template::new("y{topic}").unwrap();
        assert_eq!(find_loop(&source, &template, &target), Some(Loop::TooComplex));
    }
}
