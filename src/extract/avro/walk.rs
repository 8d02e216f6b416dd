//! An event's bytes, walked once by the plan of its schema.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::plan::{AvroPlan, Node, NodeId};
use crate::extract::catalog::KindId;
use crate::extract::line::note_anywhere;
use crate::extract::parse::read_with;
use crate::extract::paths::End;
use crate::extract::several::Chains;
use crate::extract::text::{find, key_before};
use crate::extract::{ReadAs, Reading};
use crate::record::{Address, Length, Outline, Reason, Role, Sighting, Span};

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

/// Reads events. One per worker: it keeps its memory from event to event.
#[derive(Debug, Default)]
pub struct AvroReader {
    chains: Chains,
}

impl AvroReader {
    /// Reads `event` whole and notes in `outline`, which is cleared first, what it found. After an
    /// error the outline is empty.
    pub fn read(
        &mut self,
        plan: &AvroPlan,
        event: &[u8],
        outline: &mut Outline,
    ) -> Result<AvroEvent, NotAvro> {
        self.read_of(plan, None, event, outline)
    }

    /// The same for an event of a topic, of which the number is that of [`crate::extract::Extractor`].
    pub(crate) fn read_of(
        &mut self,
        plan: &AvroPlan,
        way: Option<u32>,
        event: &[u8],
        outline: &mut Outline,
    ) -> Result<AvroEvent, NotAvro> {
        outline.clear();
        if u32::try_from(event.len()).is_err() {
            return Err(NotAvro::TooLarge { size: event.len() });
        }
        self.chains.clear();
        let tree = plan.tree(way);
        let mut walk = Walk { plan, event, at: 0, chains: &mut self.chains, outline };
        let walked = walk.event(tree.root);
        if walked.is_err() {
            outline.clear();
            return walked;
        }
        if !tree.is_envelope {
            settle(plan, tree.kind, &self.chains, event, 0, outline);
        }
        if let Some(texts) = tree.texts.filter(|_| tree.always || outline.sightings.is_empty()) {
            // It was read whole before.
            Walk { plan, event, at: 0, chains: &mut self.chains, outline }.event(texts)?;
        }
        walked
    }
}

struct Walk<'a> {
    plan: &'a AvroPlan,
    event: &'a [u8],
    at: usize,
    chains: &'a mut Chains,
    outline: &'a mut Outline,
}

/// A block of items that are to be read.
struct Block {
    count: u64,
    /// Where it says how long it is, if it does, and where it ends by that.
    length: Option<(Span, usize)>,
    /// How many addresses there were before it.
    before: usize,
}

impl Walk<'_> {
    fn event(&mut self, root: NodeId) -> Result<AvroEvent, NotAvro> {
        let plan = self.plan;
        let mut last_field = None;
        match &plan.nodes[root as usize] {
            Node::Record(fields) => {
                for field in fields {
                    last_field = Some(self.at);
                    self.value(*field, 1)?;
                }
            }
            _ => self.value(root, 0)?,
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
            Node::Text { end, is_bytes } => self.text(*end, *is_bytes),
            Node::Integer { end, is_int } => self.integer(*end, *is_int),
            Node::Event { node, kind } => {
                let first = self.outline.sightings.len();
                self.chains.clear();
                self.value(*node, depth)?;
                settle(plan, *kind, self.chains, self.event, first, self.outline);
                Ok(())
            }
            Node::Octets { end, len } => {
                let start = self.at;
                self.skip(*len)?;
                if let Some(ip) = octets(&self.event[start..self.at]) {
                    self.sight(*end, Address::new(ip), self.span(start));
                }
                Ok(())
            }
            Node::Search { place, is_version } => self.search(*place, *is_version),
            Node::Union(branches) => {
                let (at, branch) = (self.at, self.number()?);
                let branch = usize::try_from(branch).ok().and_then(|nth| branches.get(nth));
                self.value(*branch.ok_or(NotAvro::Value { at })?, depth)
            }
            Node::Record(fields) => {
                let depth = self.deeper(depth)?;
                fields.iter().try_for_each(|field| self.value(*field, depth))
            }
            Node::Array { item, least } => {
                let depth = self.deeper(depth)?;
                while let Some(block) = self.block(*least)? {
                    for _ in 0..block.count {
                        self.value(*item, depth)?;
                    }
                    self.end_of(&block)?;
                }
                Ok(())
            }
            Node::Map { value, least, named } => {
                let depth = self.deeper(depth)?;
                while let Some(block) = self.block(*least)? {
                    for _ in 0..block.count {
                        let len = self.length()?;
                        let start = self.at;
                        self.skip(len)?;
                        let name = &self.event[start..self.at];
                        let to = named.iter().find(|(known, _)| **known == *name);
                        self.value(to.map_or(*value, |(_, to)| *to), depth)?;
                    }
                    self.end_of(&block)?;
                }
                Ok(())
            }
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, NotAvro> {
        let limit = self.plan.deepest;
        if depth < limit { Ok(depth + 1) } else { Err(NotAvro::TooDeep { at: self.at, limit }) }
    }

    /// Begins a block of an array or a map: how many items are to be read now; none at the end. Any
    /// number of items that have no bytes are passed over.
    ///
    /// A block that says how long it is could be passed over, too, if that were true: who believes it
    /// and who reads the items would then find the end of the event, and so the stamp, at two places.
    fn block(&mut self, least: usize) -> Result<Option<Block>, NotAvro> {
        loop {
            let (at, count) = (self.at, self.number()?);
            if count == 0 {
                return Ok(None);
            }
            let mut length = None;
            if count < 0 {
                let number = self.at;
                let len = self.length()?;
                length = Some((self.span(number), self.at.saturating_add(len)));
            }
            let count = count.unsigned_abs();
            let left = (self.event.len() - self.at) as u64;
            if count.saturating_mul(least as u64) > left {
                return Err(NotAvro::Value { at });
            }
            let block = Block { count, length, before: self.outline.sightings.len() };
            if least > 0 {
                return Ok(Some(block));
            }
            self.end_of(&block)?;
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

    /// An IPv4 address as a number. Whoever has but 32 bits with a sign writes half of them below zero.
    fn integer(&mut self, end: End, is_int: bool) -> Result<(), NotAvro> {
        let start = self.at;
        let number = self.number()?;
        let of_int = i32::try_from(number).ok().filter(|_| is_int).map(i32::cast_unsigned);
        let before = self.outline.sightings.len();
        match of_int.or_else(|| u32::try_from(number).ok()) {
            Some(ip) => self.sight(end, Address::new(Ipv4Addr::from(ip).into()), self.span(start)),
            None if end.optional => {}
            None => self.outline.unreadable += 1,
        }
        // It counts nothing, and may have to be written otherwise.
        self.note_length(Some(self.span(start)), before);
        Ok(())
    }

    fn text(&mut self, end: End, is_bytes: bool) -> Result<(), NotAvro> {
        let number = self.at;
        let len = self.length()?;
        let (length, start) = (self.span(number), self.at);
        self.skip(len)?;
        let before = self.outline.sightings.len();
        self.text_at(end, is_bytes, start);
        self.note_length(Some(length), before);
        Ok(())
    }

    /// Notes the addresses of a text that ends here.
    fn text_at(&mut self, end: End, is_bytes: bool, start: usize) {
        let (span, bytes) = (self.span(start), &self.event[start..self.at]);
        if matches!(end.read, ReadAs::Address | ReadAs::Last) {
            match read_with(bytes, self.plan.limits.decode) {
                Reading::Address(address) => return self.sight(end, address, span),
                Reading::Absent => return,
                Reading::Unreadable => {}
            }
            if let Some(ip) = octets(bytes).filter(|_| is_bytes) {
                return self.sight(end, Address::new(ip), span);
            }
        }
        self.text_otherwise(end, span);
    }

    /// Notes the addresses of a text that is none by itself.
    #[inline(never)]
    fn text_otherwise(&mut self, end: End, span: Span) {
        let noted = |outline: &Outline| outline.sightings.len() + outline.left_out as usize;
        let (event, limits) = (self.event, self.plan.limits);
        let (before, count) = (noted(self.outline), self.outline.sightings.len());
        let mut chains = std::mem::take(self.chains);
        let add = |address, span| self.sight(end, address, span);
        let is_fine = chains.read(event, span, end, limits, count, add);
        *self.chains = chains;
        let found = noted(self.outline) > before;
        if !is_fine && !found && !end.optional && end.read != ReadAs::Text {
            self.outline.unreadable += 1;
        }
    }

    /// Notes the addresses anywhere in a text.
    fn search(&mut self, place: u32, is_version: bool) -> Result<(), NotAvro> {
        let number = self.at;
        let len = self.length()?;
        let (length, start) = (self.span(number), self.at);
        self.skip(len)?;
        let before = self.outline.sightings.len();
        let Self { plan, event, outline, .. } = self;
        let text = &event[start..start + len];
        let words = &plan.catalog.kinds[usize::from(plan.catalog.any_line)];
        find(text, |found| {
            if is_version && found.start == 0 && found.ip.is_ipv4() {
                return;
            }
            // A whole value says nothing of its role.
            let keyed = (found.start > 0).then(|| words.keyed(key_before(text, found.start)));
            let role = keyed.flatten().map_or(Role::Unknown, |(_, role)| role);
            let place = plan.places[place as usize].as_bytes();
            let path = plan.catalog.anywhere();
            let address = Address::new(plan.limits.decode.meant(found.ip));
            let (from, to) = ((start + found.start) as u32, (start + found.end) as u32);
            let text = Span { start: from, end: to };
            let sighting = Sighting { role, path, address, text, name_steps: 1, home: 0 };
            note_anywhere(outline, sighting, plan.limits, |out| out.extend_from_slice(place));
        });
        self.note_length(Some(length), before);
        Ok(())
    }

    /// From there to here.
    fn span(&self, start: usize) -> Span {
        Span { start: start as u32, end: self.at as u32 }
    }

    /// The items of a block end here, and it must have said so.
    fn end_of(&mut self, block: &Block) -> Result<(), NotAvro> {
        let Some((number, end)) = block.length else { return Ok(()) };
        if end != self.at {
            return Err(NotAvro::Value { at: number.start as usize });
        }
        self.note_length(Some(number), block.before);
        Ok(())
    }

    /// What a length counts ends here. It is noted where addresses in it were, and may be written
    /// otherwise.
    fn note_length(&mut self, number: Option<Span>, before: usize) {
        let holds = self.plan.limits.every_place && self.outline.sightings.len() > before;
        if let Some(number) = number.filter(|_| holds) {
            self.outline.lengths.push(Length { number, end: self.at as u32 });
        }
    }

    fn sight(&mut self, end: End, address: Address, text: Span) {
        if self.outline.sightings.len() >= self.plan.limits.addresses {
            self.outline.left_out += 1;
            return;
        }
        let End { path, role, .. } = end;
        let sighting = Sighting { role, path, address, text, name_steps: 1, home: 0 };
        self.outline.sightings.push(sighting);
    }
}

/// Puts right what was found in an event of this kind, which is the last one that was read.
fn settle(
    plan: &AvroPlan,
    kind: KindId,
    chains: &Chains,
    event: &[u8],
    first: usize,
    outline: &mut Outline,
) {
    let kind = &plan.catalog.kinds[usize::from(kind)];
    if kind.settles {
        kind.settle(chains, (&plan.trust, plan.limits.every_place), event, first, outline);
    }
}

/// The address that these bytes are, where they are as many as one has.
fn octets(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}
