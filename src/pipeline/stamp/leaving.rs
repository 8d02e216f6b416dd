//! What is still missing of a record that goes out as it is, and where in it: for its late answers.

use std::net::IpAddr;

use super::Stamper;
use crate::record::{Address, GroupSet, Places, Role};

/// Where in a record an address stands.
#[derive(Debug)]
pub struct AddressPlaces {
    /// The number of each path, and the role.
    pub paths: Box<[(u16, Role)]>,
    /// What was found at no path has numbers behind those of the paths, in the order of these.
    pub found_in: Places,
}

impl Stamper {
    /// Of the event that was stamped last, when it is partial: what is missing of each address, and
    /// where in the event it stands.
    pub fn still_missing(&self) -> impl Iterator<Item = (Address, GroupSet, AddressPlaces)> + '_ {
        // A file's caller may have left an address there twice.
        let first = |nth: usize, ip: IpAddr| !self.missing[..nth].iter().any(|(it, _)| *it == ip);
        let missing = self.missing.iter().enumerate();
        missing
            .filter(move |(nth, (ip, _))| first(*nth, *ip))
            .map(move |(_, (ip, groups))| (Address::new(*ip), *groups, self.places_of(*ip)))
    }

    /// Where an address stands in the event that was stamped last.
    fn places_of(&self, ip: IpAddr) -> AddressPlaces {
        let (mut places, mut found_in) = (Vec::new(), Places::default());
        for outline in self.read[self.last].outlines() {
            for sighting in outline.sightings.iter().filter(|it| it.address.ip() == ip) {
                let nth = usize::from(sighting.path).checked_sub(self.paths);
                // Those of each event in an envelope are counted from the same number on.
                let place = nth.and_then(|nth| outline.places.get(nth));
                let number = place.and_then(|place| found_in.add(|out| out.extend(place)));
                let path = number.map_or(sighting.path, |nth| {
                    u16::try_from(self.paths + usize::from(nth)).unwrap_or(u16::MAX)
                });
                places.push((path, sighting.role));
            }
        }
        AddressPlaces { paths: places.into(), found_in }
    }
}
