//! The kinds of logs of one configuration, and how an event's kind is decided. Shared by all who read by
//! that configuration: of a thousand tenants each has readers of his own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::config::{AddressPath, Config, ReadAs};
use super::paths::{ExtractConfigError, Paths, Signs};
use super::preset::{Line, Preset};
use crate::record::{Role, TopicPattern, WritingNeeds};

/// The number of a kind.
pub(super) type KindId = u16;

/// Which kind an event is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// That which its shape says.
    Auto,
    /// This one.
    Kind(KindId),
}

impl Route {
    /// A number for it.
    pub(super) fn way(self) -> u32 {
        match self {
            Self::Auto => u32::MAX,
            Self::Kind(kind) => u32::from(kind),
        }
    }
}

/// A kind of log, with the configured paths and those of its preset.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) discover: bool,
    pub(super) elements: Option<String>,
    pub(super) line: Option<Line>,
    /// By number.
    pub(super) paths: Vec<(u16, AddressPath)>,
    /// What is to be put right once all addresses are known.
    pub(super) settles: bool,
    compiled: OnceLock<Paths>,
}

/// What is told of the outermost object.
#[derive(Debug)]
struct Signature {
    all: Signs,
    any: Signs,
    none: Signs,
}

/// All kinds.
#[derive(Debug)]
pub(super) struct Catalog {
    needs: WritingNeeds,
    pub(super) kinds: Vec<Kind>,
    /// The names of all paths. The last one is for what is found at none in a line.
    pub(super) names: Vec<String>,
    signs: Vec<String>,
    /// In the order in which an event is tried.
    signatures: Vec<(KindId, Signature)>,
    pub(super) topics: Vec<(TopicPattern, Route)>,
    pub(super) main: Route,
    /// What becomes of an event of no known kind, of a line of none, and without presets.
    pub(super) discover: KindId,
    pub(super) any_line: KindId,
}

/// What stands at no path in a line that has become a `message`.
const MESSAGE: &str = "message";

impl Catalog {
    /// The catalog of this configuration, made if nobody has it yet.
    pub(super) fn of(
        config: &Config,
        needs: &WritingNeeds,
    ) -> Result<Arc<Self>, ExtractConfigError> {
        type Made = Vec<(Config, WritingNeeds, Weak<Catalog>)>;
        static MADE: Mutex<Made> = Mutex::new(Vec::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(.., catalog)| catalog.strong_count() > 0);
        let same = made.iter().find(|(of, for_needs, _)| of == config && for_needs == needs);
        if let Some(catalog) = same.and_then(|(.., catalog)| catalog.upgrade()) {
            return Ok(catalog);
        }
        let catalog = Arc::new(Self::make(config, needs)?);
        made.push((config.clone(), needs.clone(), Arc::downgrade(&catalog)));
        Ok(catalog)
    }

    fn make(config: &Config, needs: &WritingNeeds) -> Result<Self, ExtractConfigError> {
        let of_ones_own = config.own_presets()?;
        let presets = Preset::all(&of_ones_own);
        let mut catalog = Self {
            needs: needs.clone(),
            kinds: Vec::new(),
            names: Vec::new(),
            signs: Vec::new(),
            signatures: Vec::new(),
            topics: Vec::new(),
            main: Route::Auto,
            discover: 0,
            any_line: 0,
        };
        for path in &config.paths {
            if catalog.names.contains(&path.path) {
                return Err(ExtractConfigError::Twice { path: path.path.clone() });
            }
            catalog.names.push(path.path.clone());
        }
        let own: Vec<_> = (0..).zip(config.paths.iter().cloned()).collect();
        for (name, preset) in presets {
            catalog.add(name, preset, &own)?;
        }
        let nothing =
            Preset { line: Some(Line { keys: true, ..Line::default() }), ..Preset::default() };
        catalog.add(Config::NO_PRESET.to_owned(), nothing, &own)?;
        catalog.names.push(MESSAGE.to_owned());
        catalog.discover = catalog.kind(Preset::DISCOVER)?;
        catalog.any_line = catalog.kind(Preset::ANY_LINE)?;
        catalog.main = catalog.route(config.preset())?;
        for one in &config.topics {
            let topic = one.topic.clone();
            let pattern = TopicPattern::new(&topic)
                .map_err(|message| ExtractConfigError::Topic { topic, message })?;
            let route = catalog.route(&one.preset)?;
            catalog.topics.push((pattern, route));
        }
        // What is wrong with the configured paths is said now, and not at the first event.
        catalog.paths(catalog.kind(Config::NO_PRESET)?)?;
        for name in of_ones_own.keys() {
            let kind = catalog.kind(name)?;
            catalog.paths(kind).map_err(|error| ExtractConfigError::Preset {
                name: name.clone(),
                message: error.to_string(),
            })?;
        }
        Ok(catalog)
    }

    fn add(
        &mut self,
        name: String,
        preset: Preset,
        own: &[(u16, AddressPath)],
    ) -> Result<(), ExtractConfigError> {
        let refused = |message: &str| ExtractConfigError::Preset {
            name: name.clone(),
            message: message.into(),
        };
        let id = self.kinds.len() as KindId;
        if let Some(when) = &preset.when {
            let mut bits = |names: &[String]| {
                names.iter().try_fold(0, |bits, name| Some(bits | 1 << self.sign(name)?))
            };
            let (all, any, none) = (bits(&when.all), bits(&when.any), bits(&when.none));
            let (Some(all), Some(any), Some(none)) = (all, any, none) else {
                return Err(refused("there are more names in `when`, of all presets, than 128"));
            };
            self.signatures.push((id, Signature { all, any, none }));
        }
        if let Some(columns) = preset.line.as_ref().and_then(|line| line.columns.as_ref())
            && columns.separator.len() != 1
        {
            return Err(refused("line.columns.separator is one character, such as \",\""));
        }
        let mut paths = own.to_vec();
        for path in preset.paths {
            if own.iter().any(|(_, own)| own.path == path.path) {
                continue;
            }
            let number = self.number(&path.path);
            paths.push((number, path));
        }
        let settles = paths.iter().any(|(_, path)| {
            let AddressPath { read, instead_of, zero_is_none, .. } = path;
            let chain = matches!(read, ReadAs::XForwardedFor | ReadAs::Forwarded | ReadAs::Last);
            chain || instead_of.is_some() || *zero_is_none
        });
        self.kinds.push(Kind {
            name,
            discover: preset.discover,
            elements: preset.elements,
            line: preset.line,
            paths,
            settles,
            compiled: OnceLock::new(),
        });
        Ok(())
    }

    /// The number of a path: the same for all presets.
    fn number(&mut self, path: &str) -> u16 {
        let known = self.names.iter().position(|known| known == path);
        known.unwrap_or_else(|| {
            self.names.push(path.to_owned());
            self.names.len() - 1
        }) as u16
    }

    fn sign(&mut self, name: &str) -> Option<usize> {
        let known = self.signs.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            self.signs.push(name.to_owned());
            self.signs.len() - 1
        });
        (at < Signs::BITS as usize).then_some(at)
    }

    fn kind(&self, name: &str) -> Result<KindId, ExtractConfigError> {
        let at = self.kinds.iter().position(|kind| kind.name == name);
        at.map(|at| at as KindId)
            .ok_or_else(|| ExtractConfigError::UnknownPreset { name: name.into() })
    }

    fn route(&self, name: &str) -> Result<Route, ExtractConfigError> {
        if name == Config::AUTO { Ok(Route::Auto) } else { self.kind(name).map(Route::Kind) }
    }

    /// How the events within an envelope are read: which kinds are in it, it does not say.
    pub(super) fn within(&self, route: Route) -> Route {
        match route {
            Route::Kind(kind) if self.kinds[usize::from(kind)].elements.is_none() => route,
            _ => Route::Auto,
        }
    }

    /// The paths of a kind, compiled when they are first wanted.
    pub(super) fn paths(&self, kind: KindId) -> Result<&Paths, ExtractConfigError> {
        let kind = &self.kinds[usize::from(kind)];
        if let Some(paths) = kind.compiled.get() {
            return Ok(paths);
        }
        // Nobody asks for signs where nothing is to be recognised.
        let mut routes = self.topics.iter().map(|(_, route)| *route).chain([self.main]);
        let is_auto = routes.any(|route| self.within(route) == Route::Auto);
        let signs = if is_auto { &self.signs[..] } else { &[] };
        let paths = Paths::compile(&kind.paths, &self.needs, signs)?;
        Ok(kind.compiled.get_or_init(|| paths))
    }

    /// The kind of an event with these signs.
    pub(super) fn decide(&self, signs: Signs) -> KindId {
        let fits = |signature: &Signature| {
            signs & signature.all == signature.all
                && (signature.any == 0 || signs & signature.any != 0)
                && signs & signature.none == 0
        };
        let found = self.signatures.iter().find(|(_, signature)| fits(signature));
        found.map_or(self.discover, |(kind, _)| *kind)
    }

    /// The kind of events whose outermost members have these names.
    pub(super) fn decide_by_names<'n>(&self, names: impl Iterator<Item = &'n str>) -> KindId {
        let sign = |name: &str| self.signs.iter().position(|sign| sign == name);
        let known = names.filter_map(sign).filter(|at| *at < Signs::BITS as usize);
        self.decide(known.fold(0, |signs, at| signs | 1 << at))
    }

    /// The number of what stands at no path of a line.
    pub(super) fn message(&self) -> u16 {
        (self.names.len() - 1) as u16
    }

    /// The first number of what stands at no path of an event.
    pub(super) fn anywhere(&self) -> u16 {
        self.names.len() as u16
    }

    /// How many landmarks the profile has.
    pub(super) fn landmarks(&self) -> usize {
        self.needs.landmarks.len()
    }
}

impl Kind {
    /// The path of this number.
    pub(super) fn path(&self, number: u16) -> Option<&AddressPath> {
        self.paths.iter().find(|(known, _)| *known == number).map(|(_, path)| path)
    }

    /// The number of a path of this name.
    pub(super) fn number(&self, name: &str) -> Option<u16> {
        self.paths.iter().find(|(_, path)| path.path == name).map(|(number, _)| *number)
    }

    /// The path and role that one of these keys means.
    pub(super) fn keyed(&self, keys: [&[u8]; 2]) -> Option<(u16, Role)> {
        keys.into_iter().filter(|key| !key.is_empty()).find_map(|key| {
            let named = |(_, path): &&(u16, AddressPath)| path.path.as_bytes() == key;
            self.paths.iter().find(named).map(|(number, path)| (*number, path.role))
        })
    }
}
