//! A schema and the configured paths, compiled: what is to be passed over, how, and where an address
//! may stand.
//!
//! A place in an event is a type of the schema together with how far the paths have got to there, so a
//! record that is used in several places, or in itself, has a node for each state it is met in. A path
//! is one step further with each name, so that even a recursive schema has few nodes.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema::{
    InnerDecimalSchema, Name, NamesRef, RecordSchema, ResolvedSchema, UuidSchema,
};

use crate::extract::catalog::{Catalog, Kind, KindId, Route};
use crate::extract::chain::Trust;
use crate::extract::paths::End;
use crate::extract::scan::Limits;
use crate::extract::text::is_version_word;
use crate::extract::{Config, Discover, ExtractConfigError, ReadAs};
use crate::record::WritingNeeds;

/// A node's number.
pub(super) type NodeId = u32;

/// How one value is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// So many bytes.
    Fixed(usize),
    /// A number of varying length.
    Number,
    /// Bytes with their count before them.
    Sized,
    /// The same where an address may stand; bytes may be those of which it consists.
    Text { end: End, is_bytes: bool },
    /// An address as the bytes of which it consists.
    Octets { end: End, len: usize },
    /// A number that stands for an address; whether its type has 32 bits.
    Integer { end: End, is_int: bool },
    /// One of the events of an envelope.
    Event { node: NodeId, kind: KindId },
    /// A text that is searched; its place, and whether its name says that it is a version.
    Search { place: u32, is_version: bool },
    /// One of these, by its number.
    Union(Box<[NodeId]>),
    /// Items of a kind, in blocks.
    Array { item: NodeId, least: usize },
    /// Names and values, in blocks. Under some names an address may stand.
    Map { value: NodeId, least: usize, named: Box<[(Box<[u8]>, NodeId)]> },
    /// One after the other.
    Record(Box<[NodeId]>),
}

/// A schema that no event can be read by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvroPlanError {
    /// It is no Avro schema.
    #[error("the schema is no Avro schema: {0}")]
    NoSchema(String),
    /// A name in it that it does not define.
    #[error("the schema names a type that neither it nor its references define: {0}")]
    Unresolved(String),
    /// It has too many types.
    #[error("the schema has too many types for these paths (more than {})", AvroPlan::MOST_NODES)]
    TooLarge,
    /// What is configured of paths and presets makes no sense.
    #[error(transparent)]
    Addresses(#[from] ExtractConfigError),
}

/// How events of one schema are walked. Shared by all who read such.
#[derive(Debug)]
pub struct AvroPlan {
    pub(super) catalog: Arc<Catalog>,
    pub(super) nodes: Vec<Node>,
    /// Where the texts stand that are searched.
    pub(super) places: Vec<Box<str>>,
    pub(super) limits: Limits,
    pub(super) trust: Trust,
    pub(super) deepest: usize,
    /// By [`Route::way`]; the first is that of topics of no preset of their own.
    trees: Vec<(u32, Tree)>,
    record: Option<String>,
}

/// How events are walked that are read as one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree {
    pub(super) kind: KindId,
    pub(super) root: NodeId,
    /// Where the second walk begins, which searches texts.
    pub(super) texts: Option<NodeId>,
    /// That one is made of every event, not only where the first one found nothing.
    pub(super) always: bool,
    /// It holds several events.
    pub(super) is_envelope: bool,
}

/// How far the paths have got to.
#[derive(Default)]
struct Step {
    next: Vec<(String, usize)>,
    end: Option<End>,
}

/// A step of the paths; none where no path leads on.
type State = Option<usize>;

struct Compiler<'a> {
    names: NamesRef<'a>,
    steps: Vec<Step>,
    nodes: Vec<Node>,
    records: HashMap<(&'a Name, State), NodeId>,
    depth: usize,
    /// In an envelope: where the paths have got to at its events, and their kind.
    events: Option<(usize, KindId)>,
    /// While texts are looked for: the names that lead to here, and the records around it.
    texts: Option<(Vec<&'a str>, Vec<&'a Name>)>,
    places: Vec<Box<str>>,
}

impl AvroPlan {
    const MOST_NODES: usize = 1 << 16;
    /// Up to so many a record has nodes of its own at each place at which texts are searched in it.
    const MANY_NODES: usize = 1 << 12;
    /// Each level costs some of the thread's stack.
    const DEEPEST: usize = 512;

    /// Compiles a schema. `references` are those that it takes types from.
    pub fn new(
        schema: &str,
        references: &[String],
        config: &Config,
    ) -> Result<Self, AvroPlanError> {
        let no_schema = |error: apache_avro::Error| AvroPlanError::NoSchema(error.to_string());
        let (schema, others) =
            Schema::parse_str_with_list(schema, references).map_err(no_schema)?;
        // What is referred to stands before what refers to it.
        let all = others.iter().chain([&schema]).collect();
        let resolved = ResolvedSchema::new_with_schemata(all).map_err(no_schema)?;
        let catalog = Catalog::of(config, &WritingNeeds::default())?;
        let mut compiler = Compiler {
            names: resolved.get_names().clone(),
            depth: 0,
            events: None,
            steps: Vec::new(),
            nodes: Vec::new(),
            records: HashMap::new(),
            texts: None,
            places: Vec::new(),
        };
        let mut trees: Vec<(u32, Tree)> = Vec::new();
        let routes = std::iter::once(catalog.main).chain(catalog.topics.iter().map(|(_, it)| *it));
        for route in routes {
            if trees.iter().all(|(known, _)| *known != route.way()) {
                let tree = compiler.tree(&schema, route, &catalog, config.discover())?;
                trees.push((route.way(), tree));
            }
        }
        let record = match &schema {
            Schema::Record(record) => Some(record.name.to_string()),
            _ => None,
        };
        Ok(Self {
            nodes: compiler.nodes,
            places: compiler.places,
            limits: Limits::of(config),
            trust: Trust::of(config),
            deepest: usize::from(config.max_depth).min(Self::DEEPEST),
            trees,
            record,
            catalog,
        })
    }

    /// How events are walked that are read in this way.
    #[inline]
    pub(super) fn tree(&self, way: Option<u32>) -> Tree {
        let of_way = self.trees.iter().find(|(known, _)| Some(*known) == way);
        // There is one at least: that of the main route.
        of_way.unwrap_or(&self.trees[0]).1
    }

    /// The full name of the outermost record; none where there is another type.
    pub fn record(&self) -> Option<&str> {
        self.record.as_deref()
    }
}

/// The paths of a kind as a tree; `within`: the member from which they lead on.
fn steps(kind: &Kind, within: Option<&str>) -> Vec<Step> {
    let mut steps = vec![Step::default()];
    for (number, path) in &kind.paths {
        let names = within.into_iter().chain(path.path.split('.'));
        let end = names.fold(0, |at, name| {
            let known = steps[at].next.iter().find(|(known, _)| known == name);
            if let Some((_, to)) = known {
                return *to;
            }
            let to = steps.len();
            steps[at].next.push((name.to_owned(), to));
            steps.push(Step::default());
            to
        });
        let (path, role, read, optional) = (*number, path.role, path.read, path.optional);
        steps[end].end = Some(End { path, role, read, optional });
    }
    steps
}

impl<'a> Compiler<'a> {
    /// The walks through events of one kind, which the names of the schema decide where the route leaves
    /// it open.
    fn tree(
        &mut self,
        schema: &'a Schema,
        route: Route,
        catalog: &Catalog,
        discover: Discover,
    ) -> Result<Tree, AvroPlanError> {
        let decide = |record: Option<&'a RecordSchema>| {
            let fields = record.map(|record| record.fields.as_slice()).unwrap_or_default();
            catalog.decide_by_names(fields.iter().map(|field| field.name.as_str()))
        };
        let outer = self.record(schema);
        let mut kind = match route {
            Route::Auto => decide(outer),
            Route::Kind(kind) => kind,
        };
        let mut within = None;
        let member = catalog.kinds[usize::from(kind)].elements.as_deref();
        if let Some(member) = member {
            let field = outer.and_then(|record| record.fields.iter().find(|it| it.name == member));
            let inner = field.and_then(|field| self.record(&field.schema));
            kind = decide(inner);
            within = inner.map(|_| member);
            // An envelope within another, or around nothing.
            if within.is_none() || catalog.kinds[usize::from(kind)].elements.is_some() {
                kind = catalog.discover;
            }
        }
        let of_kind = &catalog.kinds[usize::from(kind)];
        self.steps = steps(of_kind, within);
        let at_events = within.and_then(|member| self.next(0, member));
        self.events = at_events.map(|at| (at, kind));
        self.records.clear();
        let root = self.node(schema, Some(0))?;
        let always = discover == Discover::Always;
        let searches = always || discover == Discover::Fallback && of_kind.discover;
        let texts = if searches {
            self.records.clear();
            self.texts = Some(Default::default());
            let texts = self.node(schema, None);
            self.texts = None;
            Some(texts?)
        } else {
            None
        };
        Ok(Tree { kind, root, texts, always, is_envelope: within.is_some() })
    }

    /// The record that values of a type are, be it that there may be none, or several.
    fn record(&self, schema: &'a Schema) -> Option<&'a RecordSchema> {
        match self.resolved(schema).ok()? {
            Schema::Record(record) => Some(record),
            Schema::Array(array) => self.record(&array.items),
            Schema::Union(union) => {
                let mut all = union.variants().iter().filter_map(|branch| self.record(branch));
                all.next().filter(|_| all.next().is_none())
            }
            _ => None,
        }
    }

    /// A text that is searched.
    fn search(&mut self) -> Option<Node> {
        let (names, _) = self.texts.as_ref()?;
        let place = names.join(".").into_boxed_str();
        let known = self.places.iter().position(|known| *known == place);
        let place = known.unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        });
        let name = names.last().copied().unwrap_or_default();
        let is_version = is_version_word(name.as_bytes());
        Some(Node::Search { place: place as u32, is_version })
    }

    /// The node of a record that has one already, where it is good for this place too.
    fn known_record(&self, name: &'a Name, state: State) -> Option<NodeId> {
        let known = self.records.get(&(name, state)).copied();
        known.filter(|_| {
            self.texts.as_ref().is_none_or(|(_, around)| {
                around.contains(&name) || self.nodes.len() > AvroPlan::MANY_NODES
            })
        })
    }

    fn add(&mut self, node: Node) -> Result<NodeId, AvroPlanError> {
        if self.nodes.len() >= AvroPlan::MOST_NODES {
            return Err(AvroPlanError::TooLarge);
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as NodeId)
    }

    fn node(&mut self, schema: &'a Schema, state: State) -> Result<NodeId, AvroPlanError> {
        if self.depth >= AvroPlan::DEEPEST {
            return Err(AvroPlanError::TooLarge);
        }
        self.depth += 1;
        let resolved = self.resolved(schema)?;
        let node = self.node_of(resolved, state);
        self.depth -= 1;
        let of_event = self.events.filter(|(at, _)| state == Some(*at));
        match of_event.filter(|_| matches!(resolved, Schema::Record(_))) {
            Some((_, kind)) => node.and_then(|node| self.add(Node::Event { node, kind })),
            None => node,
        }
    }

    fn node_of(&mut self, schema: &'a Schema, state: State) -> Result<NodeId, AvroPlanError> {
        let end = state.and_then(|state| self.steps[state].end);
        let node = match schema {
            Schema::Null => Node::Fixed(0),
            Schema::Boolean => Node::Fixed(1),
            Schema::Float => Node::Fixed(4),
            Schema::Double => Node::Fixed(8),
            Schema::Int | Schema::Long => match end {
                Some(end) if end.read == ReadAs::Integer => {
                    Node::Integer { end, is_int: matches!(schema, Schema::Int) }
                }
                _ => Node::Number,
            },
            Schema::Enum(_)
            | Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Node::Number,
            Schema::Bytes | Schema::String => match end {
                Some(end) => Node::Text { end, is_bytes: matches!(schema, Schema::Bytes) },
                None => self.search().unwrap_or(Node::Sized),
            },
            Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes | UuidSchema::String) => {
                Node::Sized
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => Node::Sized,
                InnerDecimalSchema::Fixed(fixed) => Node::Fixed(fixed.size),
            },
            Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Duration(fixed) => {
                Node::Fixed(fixed.size)
            }
            Schema::Fixed(fixed) => match end {
                Some(end) if matches!(fixed.size, 4 | 16) => Node::Octets { end, len: fixed.size },
                _ => Node::Fixed(fixed.size),
            },
            Schema::Array(array) => {
                let item = self.node(&array.items, state)?;
                let least = self.least(&array.items, &mut Vec::new());
                Node::Array { item, least }
            }
            Schema::Map(map) => self.map(&map.types, state)?,
            Schema::Union(union) => {
                let branches = union.variants().iter();
                let branches: Result<_, _> =
                    branches.map(|branch| self.node(branch, state)).collect();
                Node::Union(branches?)
            }
            Schema::Record(record) => {
                if let Some(known) = self.known_record(&record.name, state) {
                    return Ok(known);
                }
                // Its number first: a record may stand in itself.
                let id = self.add(Node::Record([].into()))?;
                self.records.insert((&record.name, state), id);
                if let Some((_, around)) = &mut self.texts {
                    around.push(&record.name);
                }
                let fields = record.fields.iter().map(|field| {
                    let state = state.and_then(|state| self.next(state, &field.name));
                    if let Some((names, _)) = &mut self.texts {
                        names.push(&field.name);
                    }
                    let node = self.node(&field.schema, state);
                    if let Some((names, _)) = &mut self.texts {
                        names.pop();
                    }
                    node
                });
                let fields: Result<Box<[_]>, _> = fields.collect();
                if let Some((_, around)) = &mut self.texts {
                    around.pop();
                }
                self.nodes[id as usize] = Node::Record(fields?);
                return Ok(id);
            }
            Schema::Ref { name } => return Err(AvroPlanError::Unresolved(name.to_string())),
        };
        self.add(node)
    }

    /// Names in a map have been chosen by nobody who writes schemas: they may have dots in them, and
    /// spell several steps.
    fn map(&mut self, types: &'a Schema, state: State) -> Result<Node, AvroPlanError> {
        let value = self.node(types, None)?;
        let least = 1 + self.least(types, &mut Vec::new());
        let mut named: Vec<(Box<[u8]>, NodeId)> = Vec::new();
        let mut open: Vec<(String, usize)> =
            state.map(|state| self.steps[state].next.clone()).unwrap_or_default();
        while let Some((name, to)) = open.pop() {
            let node = self.node(types, Some(to))?;
            let further = self.steps[to].next.iter();
            open.extend(further.map(|(step, to)| (format!("{name}.{step}"), *to)));
            named.push((name.into_bytes().into(), node));
        }
        Ok(Node::Map { value, least, named: named.into() })
    }

    fn next(&self, state: usize, name: &str) -> State {
        self.steps[state].next.iter().find(|(step, _)| step == name).map(|(_, to)| *to)
    }

    fn resolved(&self, schema: &'a Schema) -> Result<&'a Schema, AvroPlanError> {
        match schema {
            Schema::Ref { name } => {
                let known = self.names.get(name).copied();
                known.ok_or_else(|| AvroPlanError::Unresolved(name.to_string()))
            }
            _ => Ok(schema),
        }
    }

    /// How many bytes a value has at least. Of none at all there may be any number, and nothing is to
    /// be walked.
    fn least(&self, schema: &'a Schema, within: &mut Vec<&'a Name>) -> usize {
        let Ok(schema) = self.resolved(schema) else { return 0 };
        match schema {
            Schema::Null => 0,
            Schema::Float => 4,
            Schema::Double => 8,
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed)) => fixed.size,
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => 1,
                InnerDecimalSchema::Fixed(fixed) => fixed.size,
            },
            Schema::Record(record) => {
                // One that stands in itself without a choice has no values.
                if within.contains(&&record.name) || within.len() > 64 {
                    return 0;
                }
                within.push(&record.name);
                let fields = record.fields.iter();
                let least = fields.fold(0_usize, |all, field| {
                    all.saturating_add(self.least(&field.schema, within))
                });
                within.pop();
                least
            }
            _ => 1,
        }
    }
}
