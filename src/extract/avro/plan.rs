//! A schema and the configured paths, compiled: what is to be passed over, how, and where an address
//! may stand.
//!
//! A place in an event is a type of the schema together with how far the paths have got to there, so a
//! record that is used in several places, or in itself, has a node for each state it is met in. A path
//! is one step further with each name, so that even a recursive schema has few nodes.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, Name, NamesRef, ResolvedSchema, UuidSchema};

use crate::extract::{AddressPath, Config, path_names};
use crate::record::Role;

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
    /// The same where an address may stand.
    Address { path: u16, role: Role },
    /// An address as the bytes of which it consists.
    Octets { path: u16, role: Role, len: usize },
    /// One of these, by its number.
    Union(Box<[NodeId]>),
    /// Items of a kind, in blocks.
    Array { item: NodeId, least: usize, wanted: bool },
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
}

/// How events of one schema are walked. Shared by all who read such.
#[derive(Debug)]
pub struct AvroPlan {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    pub(super) limit: usize,
    pub(super) deepest: usize,
    record: Option<String>,
}

/// How far the paths have got to.
#[derive(Default)]
struct Step {
    next: Vec<(String, usize)>,
    end: Option<(u16, Role)>,
}

/// A step of the paths; none where no path leads on.
type State = Option<usize>;

struct Compiler<'a> {
    names: NamesRef<'a>,
    steps: Vec<Step>,
    nodes: Vec<Node>,
    records: HashMap<(&'a Name, State), NodeId>,
    depth: usize,
}

impl AvroPlan {
    const MOST_NODES: usize = 1 << 16;
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
        let mut compiler = Compiler {
            names: resolved.get_names().clone(),
            depth: 0,
            steps: steps(config),
            nodes: Vec::new(),
            records: HashMap::new(),
        };
        let root = compiler.node(&schema, Some(0))?;
        let record = match &schema {
            Schema::Record(record) => Some(record.name.to_string()),
            _ => None,
        };
        Ok(Self {
            nodes: compiler.nodes,
            root,
            limit: usize::from(config.limit),
            deepest: usize::from(config.max_depth).min(Self::DEEPEST),
            record,
        })
    }

    /// The full name of the outermost record; none where there is another type.
    pub fn record(&self) -> Option<&str> {
        self.record.as_deref()
    }
}

/// The configured paths as a tree; they have been checked. Without one, those of the Elastic Common
/// Schema. They are numbered as all paths are.
fn steps(config: &Config) -> Vec<Step> {
    let mut steps = vec![Step::default()];
    let names = path_names(config).unwrap_or_default();
    let ecs = Config::ecs().paths;
    let paths = if config.paths.is_empty() { &ecs } else { &config.paths };
    for AddressPath { path, role, .. } in paths {
        let Some(number) = names.iter().position(|name| name == path) else { continue };
        let end = path.split('.').fold(0, |at, name| {
            let known = steps[at].next.iter().find(|(known, _)| known == name);
            if let Some((_, to)) = known {
                return *to;
            }
            let to = steps.len();
            steps[at].next.push((name.to_owned(), to));
            steps.push(Step::default());
            to
        });
        steps[end].end = Some((number as u16, *role));
    }
    steps
}

impl<'a> Compiler<'a> {
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
        let node = self.node_of(self.resolved(schema)?, state);
        self.depth -= 1;
        node
    }

    fn node_of(&mut self, schema: &'a Schema, state: State) -> Result<NodeId, AvroPlanError> {
        let end = state.and_then(|state| self.steps[state].end);
        let node = match schema {
            Schema::Null => Node::Fixed(0),
            Schema::Boolean => Node::Fixed(1),
            Schema::Float => Node::Fixed(4),
            Schema::Double => Node::Fixed(8),
            Schema::Int
            | Schema::Long
            | Schema::Enum(_)
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
                Some((path, role)) => Node::Address { path, role },
                None => Node::Sized,
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
                Some((path, role)) if matches!(fixed.size, 4 | 16) => {
                    Node::Octets { path, role, len: fixed.size }
                }
                _ => Node::Fixed(fixed.size),
            },
            Schema::Array(array) => {
                let item = self.node(&array.items, state)?;
                let least = self.least(&array.items, &mut Vec::new());
                Node::Array { item, least, wanted: state.is_some() }
            }
            Schema::Map(map) => self.map(&map.types, state)?,
            Schema::Union(union) => {
                let branches = union.variants().iter();
                let branches: Result<_, _> =
                    branches.map(|branch| self.node(branch, state)).collect();
                Node::Union(branches?)
            }
            Schema::Record(record) => {
                if let Some(known) = self.records.get(&(&record.name, state)) {
                    return Ok(*known);
                }
                // Its number first: a record may stand in itself.
                let id = self.add(Node::Record([].into()))?;
                self.records.insert((&record.name, state), id);
                let fields = record.fields.iter().map(|field| {
                    let state = state.and_then(|state| self.next(state, &field.name));
                    self.node(&field.schema, state)
                });
                let fields: Result<Box<[_]>, _> = fields.collect();
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
