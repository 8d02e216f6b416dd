//! An event's bytes, walked once by the plan of its schema.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::plan::{AvroPlan, Node, NodeId};
use crate::extract::{Reading, read};
use crate::record::{Address, Outline, Reason, Role, Sighting, Span};

/// What an event was found to be, beside its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvroEvent {
    /// Where the last field of the outermost record begins; of what is no record, its end.
    pub last_field: usize,
}

/// Why an event cannot be read by its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAvro {
    /// It ends in the middle of a value.
    #[error("the event ends too early, at byte {at}")]
    End {
        /// Bytes from its start.
        at: usize,
    },
    /// A number that is too long, a negative length, a branch that there is not.
    #[error("what stands at byte {at} is not what the schema says")]
    Value {
        /// Bytes from its start.
        at: usize,
    },
    /// Something follows the end of the event.
    #[error("something follows the end of the event at byte {at}")]
    Trailing {
        /// Bytes from its start.
        at: usize,
    },
    /// It is nested deeper than the limit.
    #[error("nested deeper than {limit} at byte {at}; input.addresses.max_depth sets the limit")]
    TooDeep {
        /// Bytes from its start.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// It is larger than 4 GiB, which no Kafka message is.
    #[error("{size} bytes are more than can be read")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
}

impl NotAvro {
    /// The reason that the record's outcome carries.
    pub const fn reason(self) -> Reason {
        match self {
            Self::End { .. } | Self::Value { .. } | Self::Trailing { .. } => Reason::Unparsable,
            Self::TooDeep { .. } => Reason::TooDeep,
            Self::TooLarge { .. } => Reason::TooLarge,
        }
    }
}

impl AvroPlan {
    /// Reads `event` whole and notes in `outline`, which is cleared first, what it found. After an
    /// error the outline is empty.
    pub fn walk(&self, event: &[u8], outline: &mut Outline) -> Result<AvroEvent, NotAvro> {
        outline.clear();
        if u32::try_from(event.len()).is_err() {
            return Err(NotAvro::TooLarge { size: event.len() });
        }
        let mut walk = Walk { plan: self, event, at: 0, outline };
        let walked = walk.event();
        if walked.is_err() {
            outline.clear();
        }
        walked
    }
}

struct Walk<'a> {
    plan: &'a AvroPlan,
    event: &'a [u8],
    at: usize,
    outline: &'a mut Outline,
}

impl Walk<'_> {
    fn event(&mut self) -> Result<AvroEvent, NotAvro> {
        let plan = self.plan;
        let mut last_field = None;
        match &plan.nodes[plan.root as usize] {
            Node::Record(fields) => {
                for field in fields {
                    last_field = Some(self.at);
                    self.value(*field, 1)?;
                }
            }
            _ => self.value(plan.root, 0)?,
        }
        if self.at < self.event.len() {
            return Err(NotAvro::Trailing { at: self.at });
        }
        Ok(AvroEvent { last_field: last_field.unwrap_or(self.at) })
    }

    fn value(&mut self, node: NodeId, depth: usize) -> Result<(), NotAvro> {
        let plan = self.plan;
        match &plan.nodes[node as usize] {
            Node::Fixed(len) => self.skip(*len),
            Node::Number => self.number().map(drop),
            Node::Sized => {
                let len = self.length()?;
                self.skip(len)
            }
            Node::Address { path, role } => self.address(*path, *role),
            Node::Octets { path, role, len } => {
                let start = self.at;
                self.skip(*len)?;
                if let Some(ip) = octets(&self.event[start..self.at]) {
                    self.sight(*path, *role, Address::new(ip), start);
                }
                Ok(())
            }
            Node::Union(branches) => {
                let (at, branch) = (self.at, self.number()?);
                let branch = usize::try_from(branch).ok().and_then(|nth| branches.get(nth));
                self.value(*branch.ok_or(NotAvro::Value { at })?, depth)
            }
            Node::Record(fields) => {
                let depth = self.deeper(depth)?;
                fields.iter().try_for_each(|field| self.value(*field, depth))
            }
            Node::Array { item, least, wanted } => {
                let depth = self.deeper(depth)?;
                while let Some(count) = self.block(*least, !wanted)? {
                    for _ in 0..count {
                        self.value(*item, depth)?;
                    }
                }
                Ok(())
            }
            Node::Map { value, least, named } => {
                let depth = self.deeper(depth)?;
                while let Some(count) = self.block(*least, named.is_empty())? {
                    for _ in 0..count {
                        let len = self.length()?;
                        let start = self.at;
                        self.skip(len)?;
                        let name = &self.event[start..self.at];
                        let to = named.iter().find(|(known, _)| **known == *name);
                        self.value(to.map_or(*value, |(_, to)| *to), depth)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, NotAvro> {
        let limit = self.plan.deepest;
        if depth < limit { Ok(depth + 1) } else { Err(NotAvro::TooDeep { at: self.at, limit }) }
    }

    /// Begins a block of an array or a map: how many items are to be read now; none at the end. Blocks
    /// that say how long they are, and hold nothing `idle`, are passed over, and so are any number of
    /// items that have no bytes.
    fn block(&mut self, least: usize, idle: bool) -> Result<Option<u64>, NotAvro> {
        loop {
            let (at, count) = (self.at, self.number()?);
            if count == 0 {
                return Ok(None);
            }
            if count < 0 {
                let len = self.length()?;
                if idle {
                    self.skip(len)?;
                    continue;
                }
            }
            let count = count.unsigned_abs();
            let left = (self.event.len() - self.at) as u64;
            if count.saturating_mul(least as u64) > left {
                return Err(NotAvro::Value { at });
            }
            if least > 0 {
                return Ok(Some(count));
            }
        }
    }

    #[inline]
    fn skip(&mut self, len: usize) -> Result<(), NotAvro> {
        if len > self.event.len() - self.at {
            return Err(NotAvro::End { at: self.event.len() });
        }
        self.at += len;
        Ok(())
    }

    /// A length, which is not negative.
    #[inline]
    fn length(&mut self) -> Result<usize, NotAvro> {
        let at = self.at;
        usize::try_from(self.number()?).map_err(|_| NotAvro::Value { at })
    }

    /// A number: seven bits a byte, the lowest first, and its sign in the lowest of all.
    #[inline]
    fn number(&mut self) -> Result<i64, NotAvro> {
        let Some(first) = self.event.get(self.at) else {
            return Err(NotAvro::End { at: self.at });
        };
        if *first < 0x80 {
            self.at += 1;
            let bits = i64::from(*first);
            return Ok(bits >> 1 ^ -(bits & 1));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<i64, NotAvro> {
        let (mut bits, mut shift) = (0_u64, 0);
        let rest = &self.event[self.at..];
        for (nth, byte) in rest.iter().enumerate().take(10) {
            // Of the tenth byte there is room for one bit.
            if nth == 9 && *byte > 1 {
                break;
            }
            bits |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                self.at += nth + 1;
                return Ok((bits >> 1) as i64 ^ -((bits & 1) as i64));
            }
        }
        let at = self.at;
        if rest.len() < 10 {
            Err(NotAvro::End { at: self.event.len() })
        } else {
            Err(NotAvro::Value { at })
        }
    }

    fn address(&mut self, path: u16, role: Role) -> Result<(), NotAvro> {
        let len = self.length()?;
        let start = self.at;
        self.skip(len)?;
        let bytes = &self.event[start..self.at];
        let reading = std::str::from_utf8(bytes).map_or(Reading::Unreadable, read);
        match (reading, octets(bytes)) {
            (Reading::Address(address), _) => self.sight(path, role, address, start),
            (Reading::Absent, _) => {}
            (Reading::Unreadable, Some(ip)) => self.sight(path, role, Address::new(ip), start),
            (Reading::Unreadable, None) => self.outline.unreadable += 1,
        }
        Ok(())
    }

    fn sight(&mut self, path: u16, role: Role, address: Address, start: usize) {
        if self.outline.sightings.len() >= self.plan.limit {
            self.outline.left_out += 1;
            return;
        }
        let text = Span { start: start as u32, end: self.at as u32 };
        let sighting = Sighting { role, path, address, text, name_steps: 1, home: 0 };
        self.outline.sightings.push(sighting);
    }
}

/// The address that these bytes are, where they are as many as one has.
fn octets(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}
