//! The rows of a table of networks, whatever they were written in: gathered with all that is wrong
//! with them, and put into a database.

use std::collections::HashMap;
use std::fmt;
use std::time::SystemTime;

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Ipv4Aliasing, MergeStrategy, Writer};
use serde_json::Value as Json;

use super::{NETWORKS, NetworksError};
use crate::record::GroupSet;
use crate::resolve::database::Database;
use crate::resolve::layout::own;

/// What is wrong with so many lines is said; a table of another kind would be wrong in every line.
const MOST_SAID: usize = 20;

/// The rows of a table.
#[derive(Default)]
pub(super) struct Rows {
    placed: Vec<Placed>,
    /// The line of each network.
    seen: HashMap<IpNet, u64>,
    covers: GroupSet,
    wrong: Vec<NetworksError>,
    /// So many are wrong beside these.
    more: usize,
}

/// What is known of a network.
struct Placed {
    line: u64,
    network: IpNet,
    record: Json,
}

/// A network that lies in another one: it has the say in its fact groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The smaller one, and its line.
    pub inner: (IpNet, u64),
    /// The smallest of those that it lies in, and its line.
    pub outer: (IpNet, u64),
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner: (inner, line), outer: (outer, outer_line) } = self;
        write!(f, "{inner} (line {line}) lies in {outer} (line {outer_line})")
    }
}

impl Rows {
    /// Adds what one line says of networks.
    pub(super) fn add(&mut self, line: u64, networks: Vec<IpNet>, record: &Json) {
        for network in networks {
            match self.seen.insert(network, line) {
                Some(first) => self.refuse(NetworksError::Twice { line, first, network }),
                None => self.placed.push(Placed { line, network, record: record.clone() }),
            }
        }
    }

    /// Says of which groups the rows may have something.
    pub(super) fn cover(&mut self, groups: GroupSet) {
        self.covers = self.covers.or(groups);
    }

    /// Takes down what is wrong with a line.
    pub(super) fn refuse(&mut self, error: NetworksError) {
        if self.wrong.len() < MOST_SAID {
            self.wrong.push(error);
        } else {
            self.more += 1;
        }
    }

    /// All rows, when nothing is wrong with any.
    pub(super) fn whole(mut self) -> Result<Self, NetworksError> {
        match (self.wrong.len(), self.more) {
            (0, _) if self.placed.is_empty() => Err(NetworksError::Empty),
            (0, _) => Ok(self),
            (1, 0) => Err(self.wrong.remove(0)),
            (_, more) => Err(NetworksError::Several { first: self.wrong, more }),
        }
    }

    /// Which networks lie in which.
    pub(super) fn overlaps(&self) -> Vec<Overlap> {
        let mut networks: Vec<_> = self.placed.iter().map(|row| (row.network, row.line)).collect();
        // Those around a network stand before it.
        networks.sort_by_key(|(network, _)| (network.network(), network.prefix_len()));
        let (mut around, mut overlaps) = (Vec::<(IpNet, u64)>::new(), Vec::new());
        for inner in networks {
            while around.pop_if(|outer| !outer.0.contains(&inner.0)).is_some() {}
            overlaps.extend(around.last().map(|outer| Overlap { inner, outer: *outer }));
            around.push(inner);
        }
        overlaps
    }

    /// A database of them.
    pub(super) fn database(mut self, built: SystemTime) -> Result<Database, NetworksError> {
        // The larger ones first: what is put in later lies above.
        self.placed.sort_by_key(|Placed { network, .. }| {
            network.prefix_len() + 96 * u8::from(matches!(network, IpNet::V4(_)))
        });
        // An address that only contains an IPv4 address is told of by its own networks.
        let mut writer = Writer::builder(format!("{} {NETWORKS}", own::TYPE))
            .ip_version(IpVersion::V6)
            .ipv4_aliasing(Ipv4Aliasing::Disabled)
            .build_epoch(built)
            .build();
        for Placed { line, network, record } in &self.placed {
            writer
                .insert_merged(*network, record, MergeStrategy::TopLevelMerge)
                .map_err(|error| NetworksError::Row { line: *line, what: error.to_string() })?;
        }
        let bytes = writer.to_bytes().map_err(|error| NetworksError::Table(error.to_string()))?;
        Ok(Database::new(NETWORKS, bytes)?.covering(self.covers))
    }
}
