//! The fact groups: what can be known of an address, in groups that are asked and answered as one.

use std::fmt;

/// A group of facts. The order is the order in which groups are written.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FactGroup {
    /// Where the address is.
    Geo,
    /// The autonomous system that announces it.
    As,
    /// Route, allocation, anycast, connection type.
    Network,
    /// Who uses it.
    Company,
    /// VPN, proxy, Tor, relay, hosting.
    Privacy,
    /// How dangerous it is held to be.
    Threat,
    /// Known crawlers.
    Crawler,
    /// Whom to write to about abuse.
    Abuse,
    /// The mobile carrier.
    Carrier,
    /// Its name in DNS.
    Hostname,
}

impl FactGroup {
    /// All groups, in writing order.
    pub const ALL: [Self; 10] = [
        Self::Geo,
        Self::As,
        Self::Network,
        Self::Company,
        Self::Privacy,
        Self::Threat,
        Self::Crawler,
        Self::Abuse,
        Self::Carrier,
        Self::Hostname,
    ];

    /// The name in config, metrics and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Geo => "geo",
            Self::As => "as",
            Self::Network => "network",
            Self::Company => "company",
            Self::Privacy => "privacy",
            Self::Threat => "threat",
            Self::Crawler => "crawler",
            Self::Abuse => "abuse",
            Self::Carrier => "carrier",
            Self::Hostname => "hostname",
        }
    }

    /// The group of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for FactGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of fact groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct GroupSet(u16);

impl GroupSet {
    /// No group.
    pub const EMPTY: Self = Self(0);
    /// What each address of the internet has, so that "nothing known" of it is a gap. Of the others
    /// it is an answer: no VPN, no carrier, no name.
    pub const OF_EACH_ADDRESS: Self = Self::EMPTY.with(FactGroup::Geo).with(FactGroup::As);

    /// The set with `group` in it too.
    #[must_use]
    pub const fn with(self, group: FactGroup) -> Self {
        Self(self.0 | group.bit())
    }

    /// Whether `group` is in the set.
    pub const fn contains(self, group: FactGroup) -> bool {
        self.0 & group.bit() != 0
    }

    /// Whether no group is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many groups are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// A bit for each group, in writing order from the lowest on.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set of these bits; those of no group are left out.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << FactGroup::ALL.len()) - 1))
    }

    /// The groups in writing order.
    pub fn iter(self) -> impl Iterator<Item = FactGroup> {
        FactGroup::ALL.into_iter().filter(move |group| self.contains(*group))
    }
}

impl FromIterator<FactGroup> for GroupSet {
    fn from_iter<I: IntoIterator<Item = FactGroup>>(groups: I) -> Self {
        groups.into_iter().fold(Self::EMPTY, Self::with)
    }
}
