//! Records of IPGeolocation.io's newer files: nested places whose names are maps of languages, and
//! whose numbers are text. The older files are flat, and read as such.

use super::{Fields, Value, location, region_iso_code, unless_empty};
use crate::record::{Enrichment, Geo, Network};

/// The facts of one record.
pub(super) fn read(record: &Value<'_>) -> Enrichment {
    let top = Fields(record);
    let place = record.get("location").map(|place| geo(place, top)).unwrap_or_default();
    Enrichment {
        geo: unless_empty(place),
        network: unless_empty(Network {
            connection_type: top.text(&["connection_type"]).map(|kind| kind.to_lowercase()),
            ..Network::default()
        }),
        ..Enrichment::default()
    }
}

fn geo(place: &Value<'_>, top: Fields<'_, '_>) -> Geo {
    let nothing = Value::Other;
    let part = |key: &str| place.get(key).unwrap_or(&nothing);
    let (country, state, degrees) = (part("country"), part("state"), Fields(part("coordinates")));
    let continent = Fields(country.get("continent").unwrap_or(&nothing));
    let currency = Fields(country.get("currency").unwrap_or(&nothing));
    let (country, state, whole) = (Fields(country), Fields(state), Fields(place));
    let country_iso_code = country.two_letters(&["code2"]);
    Geo {
        continent_code: continent.two_letters(&["code"]),
        continent_name: continent.name(&["name"]),
        region_iso_code: region_iso_code(country_iso_code.as_deref(), state.text(&["code"])),
        country_iso_code,
        country_name: country.name(&["name"]),
        region_name: state.name(&["name"]),
        city_name: Fields(part("city")).name(&["name"]),
        postal_code: whole.code(&["zipcode"]),
        timezone: top.text(&["time_zone"]),
        location: location(degrees.number(&["latitude"]), degrees.number(&["longitude"])),
        geoname_id: whole.whole(&["geoname_id"]),
        currency_code: currency.text(&["code"]),
        ..Geo::default()
    }
}
