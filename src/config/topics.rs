//! Which topics are read and written, and whether what is written would be read again.
//!
//! A pattern is searched in the topic's name by librdkafka with the C library's extended regular
//! expressions. Ours is another engine, so a pattern may only use what both understand alike.
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

/// Bytes of an automaton. A pattern of topic names takes a few thousand.
const LARGEST_AUTOMATON: usize = 1 << 20;
/// Pairs of states to visit.
const MOST_PAIRS: usize = 200_000;
/// What Kafka allows in the name of a topic.
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/// How the names of topics for Kafka's own needs begin: read only when named exactly.
const INTERNAL: &str = "__";

/// The stand-in for the input topic's name.
const TOPIC: &str = "{topic}";

/// One entry of `input.topics`.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// This topic.
    Exact(String),
    /// All that match, but for Kafka's own.
    Regex(Regex),
}

impl Pattern {
    /// Reads an entry. The error says what is wrong and what to write.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if !text.starts_with('^') {
            check_name(text)?;
            return Ok(Self::Exact(text.into()));
        }
        check_common_ground(text)?;
        let compiled = regex::RegexBuilder::new(text).size_limit(LARGEST_AUTOMATON).build();
        compiled.map(Self::Regex).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("the pattern cannot be read: {reason}")
        })
    }

    /// Whether a topic of this name is read.
    pub(super) fn reads(&self, topic: &str) -> bool {
        match self {
            Self::Exact(name) => name == topic,
            Self::Regex(regex) => !topic.starts_with(INTERNAL) && regex.is_match(topic),
        }
    }
}

/// What Kafka takes as the name of a topic.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if let Some(odd) = name.bytes().find(|byte| !ALPHABET.contains(byte)) {
        let odd = char::from(odd);
        let pattern = if "*+[]()|^$\\?".contains(odd) { "; a pattern begins with ^" } else { "" };
        return Err(format!(
            "the name of a topic is made of letters, digits, `.`, `_` and `-`{pattern}"
        ));
    }
    match name.len() {
        0 => Err("the name of a topic is missing".into()),
        1..=249 if name != "." && name != ".." => Ok(()),
        1..=249 => Err("Kafka does not allow this name of a topic".into()),
        _ => Err("the name of a topic has at most 249 characters".into()),
    }
}

/// Refuses what the C library and we would read differently.
fn check_common_ground(pattern: &str) -> Result<(), String> {
    let mut chars = pattern.chars().peekable();
    let mut after_repeat = false;
    while let Some(char) = chars.next() {
        let repeat = matches!(char, '*' | '+' | '?' | '}');
        if after_repeat && matches!(char, '*' | '+' | '?' | '{') {
            return Err("a repetition of a repetition (`*?`, `++`) means different things to \
                        different engines; write it as one"
                .into());
        }
        after_repeat = repeat;
        match char {
            '\\' => check_escape(chars.next())?,
            '(' if chars.peek() == Some(&'?') => {
                return Err(
                    "Kafka's client does not know groups that begin with `(?`; write plain \
                            groups"
                        .into(),
                );
            }
            '[' => check_brackets(&mut chars)?,
            other if !other.is_ascii() => {
                return Err("names of topics are ASCII, so the pattern is too".into());
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_escape(escaped: Option<char>) -> Result<(), String> {
    let Some(escaped) = escaped else {
        return Err("the pattern ends in a backslash; write `\\\\` for one".into());
    };
    let instead = match escaped {
        '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '\\'
        | '-' => {
            return Ok(());
        }
        'd' => "`[0-9]`",
        'w' => "`[A-Za-z0-9_]`",
        'D' => "`[^0-9]`",
        'W' => "`[^A-Za-z0-9_]`",
        _ => "the character itself, without the backslash",
    };
    Err(format!("Kafka's client does not know every escape that others know; write {instead}"))
}

fn check_brackets(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(), String> {
    chars.next_if_eq(&'^');
    // A bracket that stands first is a member of the set, to the C library.
    if chars.peek() == Some(&']') {
        return Err("write `\\]` outside of brackets for a closing bracket".into());
    }
    let mut before = None;
    while let Some(char) = chars.next() {
        match char {
            ']' => return Ok(()),
            '\\' => {
                return Err(
                    "a backslash within brackets is a backslash to Kafka's client; `.` and \
                            the like need none there, and `-` stands last"
                        .into(),
                );
            }
            '[' if chars.peek() == Some(&':') => {
                // `[:alpha:]`: to its end.
                while chars.next().is_some_and(|inner| inner != ']') {}
            }
            '[' => return Err("write brackets within brackets as two patterns".into()),
            '&' | '-' | '~' if before == Some(char) => {
                return Err("doubled `&`, `-` or `~` within brackets mean different things to \
                            different engines; write one"
                    .into());
            }
            other if !other.is_ascii() => {
                return Err("names of topics are ASCII, so the pattern is too".into());
            }
            _ => {}
        }
        before = Some(char);
    }
    Err("a `[` has no closing bracket".into())
}

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
        check_name(&template.of("t"))?;
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
    source: &Pattern,
    template: &Template<'_>,
    target: &Pattern,
) -> Option<Loop> {
    match (source, template.suffix, target) {
        (Pattern::Exact(name), ..) => {
            target.reads(&template.of(name)).then(|| Loop::Example(name.clone()))
        }
        (Pattern::Regex(regex), None, _) => {
            if !target.reads(template.prefix) {
                return None;
            }
            // Whatever it reads goes there: any name will do.
            witness(regex, &Template { prefix: "", suffix: Some("") }, regex)
        }
        (Pattern::Regex(regex), Some(suffix), Pattern::Exact(name)) => {
            let input = name.strip_prefix(template.prefix)?.strip_suffix(suffix)?;
            (!input.is_empty() && regex.is_match(input)).then(|| Loop::Example(input.into()))
        }
        (Pattern::Regex(source), Some(_), Pattern::Regex(target)) => {
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
        for &byte in ALPHABET {
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
            let (Ok(source), Ok(target)) = (Pattern::new(&source), Pattern::new(&target)) else {
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
        let source = Pattern::new("^[ab]*a[ab]{18}$").unwrap();
        let target = Pattern::new("^x").unwrap();
        let template = Template::new("y{topic}").unwrap();
        assert_eq!(find_loop(&source, &template, &target), Some(Loop::TooComplex));
    }
}
