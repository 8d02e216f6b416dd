//! YAML text to a tree in which every node knows its line and column.

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use super::error::Problem;

/// A file has at most so many nodes, aliases written out: more is a mistake or an attack.
const MOST_NODES: usize = 100_000;
/// And at most so many levels.
const MOST_LEVELS: usize = 64;

/// A place in the file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    fn at(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value of the file.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Kind {
    /// Text, number, truth value or nothing: which of them is decided when it is read.
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as it stands in the file.
#[derive(Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes, so that it may be a number, a truth value or nothing.
    pub(super) plain: bool,
    /// Whether a variable or a file was put in: such a value is never shown.
    pub(super) interpolated: bool,
}

impl Scalar {
    /// Whether it says that there is no value.
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// Whether nothing was written at all.
    pub(super) fn is_left_out(&self) -> bool {
        self.plain && !self.interpolated && self.text.is_empty()
    }
}

/// A key and its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Node,
}

impl Node {
    /// What it is, in words.
    pub(super) fn kind_in_words(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_null() => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map of keys",
        }
    }

    /// The place of the node that `path` leads to, or of the last one on the way there.
    pub(super) fn place_of(&self, path: &[String]) -> Place {
        let Some((step, rest)) = path.split_first() else { return self.place };
        match &self.kind {
            Kind::Map(entries) => match entries.iter().find(|entry| entry.key == *step) {
                Some(entry) if rest.is_empty() => entry.key_place,
                Some(entry) => entry.value.place_of(rest),
                None => self.place,
            },
            Kind::List(items) => step
                .parse::<usize>()
                .ok()
                .and_then(|at| items.get(at))
                .map_or(self.place, |item| item.place_of(rest)),
            Kind::Scalar(_) => self.place,
        }
    }
}

/// Reads one YAML document.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut builder =
        Builder { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let found = builder.document();
    found.map_err(|problem| explain_tab(text, problem))
}

/// A tab where YAML wants spaces gives the parser's error a strange name: says what it is.
fn explain_tab(text: &str, problem: Problem) -> Problem {
    let Some(place) = problem.place else { return problem };
    // The parser complains at the tab or at the line after it.
    let around = text.lines().enumerate().skip(place.line.saturating_sub(2)).take(2);
    for (number, line) in around {
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = indent.find('\t') {
            let place = Place { line: number + 1, column: indent[..tab].chars().count() + 1 };
            return Problem::at(place, "a tab stands where YAML wants spaces; indent with spaces");
        }
    }
    problem
}

struct Builder<'input> {
    events: Parser<'input, saphyr_parser::StrInput<'input>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'input> Builder<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Marker), Problem> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Ok((Event::StreamEnd, Marker::new(0, 1, 0))),
        }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        let root = loop {
            match self.next()? {
                (Event::StreamEnd, marker) => {
                    let place = Place::at(&marker);
                    let text = "the file is empty; `ipstamp config schema` says what can stand in \
                                it (with --tenant, in a tenant's file, which may be `{}`)";
                    return Err(Problem::at(place, text));
                }
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (event, marker) => break self.node(event, marker, 0)?,
            }
        };
        loop {
            match self.next()? {
                (Event::DocumentStart(_), marker) => {
                    let text = "a second document begins here; a configuration is one document";
                    return Err(Problem::at(Place::at(&marker), text));
                }
                (Event::StreamEnd, _) => return Ok(root),
                _ => {}
            }
        }
    }

    fn node(
        &mut self,
        event: Event<'input>,
        marker: Marker,
        level: usize,
    ) -> Result<Node, Problem> {
        let place = Place::at(&marker);
        self.nodes += 1;
        if self.nodes > MOST_NODES || level > MOST_LEVELS {
            return Err(Problem::at(place, "the file is too large or too deep"));
        }
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain, interpolated: false };
                (Kind::Scalar(scalar), anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(level)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(level)?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, place),
            _ => return Err(Problem::at(place, "this is not readable as YAML")),
        };
        let node = Node { place, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, level: usize) -> Result<Kind, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, marker) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Kind::List(items));
            }
            items.push(self.node(event, marker, level + 1)?);
        }
    }

    fn map(&mut self, level: usize) -> Result<Kind, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, marker) = self.next()?;
            let key_place = Place::at(&marker);
            let key = match event {
                Event::MappingEnd => return Ok(Kind::Map(entries)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Problem::at(key_place, "a key must be a single word")),
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let line = first.key_place.line;
                let text = format!("the key stands twice; it is already on line {line}");
                return Err(Problem::at(key_place, &text).about(&key));
            }
            let (event, marker) = self.next()?;
            let value = self.node(event, marker, level + 1)?;
            entries.push(Entry { key, key_place, value });
        }
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<Node, Problem> {
        let Some(mut node) = self.anchors.get(&anchor).cloned() else {
            return Err(Problem::at(place, "this alias refers to nothing before it"));
        };
        self.nodes += count(&node);
        node.place = place;
        Ok(node)
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| count(&entry.value)).sum(),
    }
}

/// The parser's words name structure, never a value.
fn not_yaml(error: &ScanError) -> Problem {
    let text = format!("this is not readable as YAML: {}", error.info());
    Problem::at(Place::at(error.marker()), &text)
}
