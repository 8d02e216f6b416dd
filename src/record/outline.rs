//! What one pass over an event's bytes notes: the addresses, and where something may be written.

use super::{Address, Places};

/// A piece of the event, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The part that an address plays in the event. A closed set: it is also a metric's label.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Where the traffic comes from.
    Source,
    /// Where it goes.
    Destination,
    /// Who asks.
    Client,
    /// Who answers.
    Server,
    /// The machine that the event is about.
    Host,
    /// What watched the event.
    Observer,
    /// A hop between client and server, of a chain that proxies wrote.
    Proxy,
    /// None of these, or not known.
    Unknown,
}

impl Role {
    /// All roles, for metrics that are declared once.
    pub const ALL: [Self; 8] = [
        Self::Source,
        Self::Destination,
        Self::Client,
        Self::Server,
        Self::Host,
        Self::Observer,
        Self::Proxy,
        Self::Unknown,
    ];

    /// The name in config, output and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Client => "client",
            Self::Server => "server",
            Self::Host => "host",
            Self::Observer => "observer",
            Self::Proxy => "proxy",
            Self::Unknown => "unknown",
        }
    }
}

/// One address found in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The part it plays.
    pub role: Role,
    /// Which path found it: its place in the list of paths, which has those of all presets. What was
    /// found at no path at all has numbers from there on, in the order of [`Outline::places`].
    pub path: u16,
    /// The address, canonical and classified.
    pub address: Address,
    /// Where it was read: a whole value without its quotes, or the address alone within a longer text.
    /// In an event that was no JSON, a place in its `message`.
    pub text: Span,
    /// How many of the path's steps the member's own name spells: 1 in `{"source": {"ip": …}}`,
    /// 2 in `{"source.ip": …}`. What is written beside the address is named likewise.
    pub name_steps: u8,
    /// The object that the value is a member of (an array between them is looked through): its
    /// place in [`Outline::homes`]. Of what was found at no path it is the outermost object.
    pub home: u16,
}

/// A JSON object in the event that something may be written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Home {
    /// Where its opening brace stands.
    pub open: u32,
    /// Where its closing brace stands: what is added goes before it.
    pub close: u32,
    /// Whether it has no member, so that no comma is wanted.
    pub empty: bool,
    /// The values of the members that are named like [`WritingNeeds::members`], in that order. Of
    /// members with equal names it is the last, which is the one that readers take.
    pub taken: [Option<Span>; Home::MOST_MEMBERS],
}

impl Home {
    /// A profile may ask for so many member names.
    pub const MOST_MEMBERS: usize = 8;
}

/// What a profile wants the scanner to note, beside the addresses. Names are matched as written
/// in the event, after unescaping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WritingNeeds {
    /// Member names that matter in an object that holds an address: `geo`, `as`, …. Of what is
    /// spelt otherwise (`geo.name`, `source.geo`) only [`Outline::scattered`] tells.
    pub members: Vec<String>,
    /// Members of the event's outermost object that matter, as dotted paths of at most two steps:
    /// `related.ip`, `ipstamp`. Tried nested only.
    pub landmarks: Vec<String>,
}

/// A number in an event that is no text: it says how many of the bytes behind it belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// The number itself.
    pub number: Span,
    /// Where what it counts ends.
    pub end: u32,
}

/// What one pass over an event noted. Made once per worker and cleared for each event, so that a
/// scan allocates nothing in steady state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The addresses, in the order of the event. Doubles are kept.
    pub sightings: Vec<Sighting>,
    /// The objects that hold one, each once.
    pub homes: Vec<Home>,
    /// The outermost object; its `taken` is unused.
    pub root: Home,
    /// The value of each of [`WritingNeeds::landmarks`], where the event has it.
    pub landmarks: Vec<Option<Span>>,
    /// Whether a name with dots in it spells several steps of a path: then two objects may be one and
    /// the same to whoever reads the event.
    pub dotted: bool,
    /// Whether something of [`WritingNeeds::members`] may stand elsewhere than in [`Home::taken`]:
    /// under a name with dots in it (`geo.name`, `source.geo`), or nested while the address is named
    /// with dots. Rare; whoever writes then has to look for it.
    pub scattered: bool,
    /// Addresses that do not count because another path says more; only where something may stand for
    /// addresses, so that they do not stay where they are.
    pub passed_over: Vec<Sighting>,
    /// Who came through proxies: the client of a chain that they wrote.
    pub forwarded: Option<Address>,
    /// The lengths of what holds an address, the inner before the outer; only where something may
    /// stand for it, so that they change.
    pub lengths: Vec<Length>,
    /// Where those stand that were found at no path.
    pub places: Places,
    /// Values at configured paths that are no address.
    pub unreadable: u32,
    /// Addresses beyond the limit per record.
    pub left_out: u32,
}

impl Outline {
    /// All addresses that something may stand for.
    pub fn all_to_hide(&self) -> impl Iterator<Item = &Sighting> {
        self.sightings.iter().chain(&self.passed_over)
    }

    /// Forgets the last event and keeps the memory.
    pub fn clear(&mut self) {
        self.sightings.clear();
        self.homes.clear();
        self.root = Home::default();
        self.landmarks.clear();
        self.dotted = false;
        self.scattered = false;
        self.passed_over.clear();
        self.forwarded = None;
        self.lengths.clear();
        self.places.clear();
        self.unreadable = 0;
        self.left_out = 0;
    }
}
