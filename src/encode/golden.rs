//! Events before and after, as text. Long values have short names: see [`becomes`].

use super::try_out::{Book, encode, encoder};
use super::{Config, Existing, Profile};
use crate::record::{Outcome, Reason};

#[track_caller]
fn check(profile: Profile, existing: Existing, before: &str, after: &str) {
    let after = after
        .replace("@GEO", r#"{"location":{"lat":47.5,"lon":-0.1},"city_name":"Bü\"0"}"#)
        .replace("@AS", r#"{"number":64500,"organization":{"name":"Org"}}"#)
        .replace("@LU", r#"{"country_iso_code":"LU"}"#)
        .replace("@TRAITS", r#"{"country_in_european_union":true,"anonymous_vpn":false}"#)
        .replace("@END", r#""ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18"}}"#);
    assert_eq!(encode(profile, existing, before), after);
}

/// Checks the profile `ecs`. 192.0.2.* has `@GEO` and `@AS`, 198.51.100.* only `@AS`, 203.0.113.*
/// has `@LU` and `@TRAITS`, all others nothing.
#[track_caller]
fn becomes(before: &str, after: &str) {
    check(Profile::Ecs, Existing::Keep, before, after);
}

#[track_caller]
fn with_replace_becomes(before: &str, after: &str) {
    check(Profile::Ecs, Existing::Replace, before, after);
}

#[track_caller]
fn natively_becomes(before: &str, after: &str) {
    check(Profile::Native, Existing::Keep, before, after);
}

#[test]
fn facts_go_beside_the_address_and_nothing_else_changes() {
    becomes(
        r#"{"n":1.50,"source":{"ip":"192.0.2.1","port":1e3},"n":2}"#,
        r#"{"n":1.50,"source":{"ip":"192.0.2.1","port":1e3,"geo":@GEO,"as":@AS},"n":2,"related":{"ip":["192.0.2.1"]},@END}"#,
    );
}

#[test]
fn white_space_stays_and_additions_follow_the_last_member() {
    becomes(
        "{\n  \"source\": {\n    \"ip\": \"192.0.2.1\"\n  },\n  \"related\": { }\n}\n",
        "{\n  \"source\": {\n    \"ip\": \"192.0.2.1\",\"geo\":@GEO,\"as\":@AS\n  },\n  \"related\": {\"ip\":[\"192.0.2.1\"] },@END\n}\n",
    );
}

#[test]
fn each_object_of_an_array_has_its_own_facts() {
    becomes(
        r#"{"source":[{"ip":"198.51.100.1"},{"ip":"10.0.0.1"},{"ip":"198.51.100.1"}]}"#,
        r#"{"source":[{"ip":"198.51.100.1","as":@AS},{"ip":"10.0.0.1"},{"ip":"198.51.100.1","as":@AS}],"related":{"ip":["198.51.100.1","10.0.0.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
}

#[test]
fn what_ecs_has_no_field_for_goes_to_ip_traits() {
    becomes(
        r#"{"source":{"ip":"203.0.113.1"}}"#,
        r#"{"source":{"ip":"203.0.113.1","geo":@LU,"ip_traits":@TRAITS},"related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
}

#[test]
fn host_has_no_as_in_ecs_so_it_goes_to_ip_traits() {
    becomes(
        r#"{"host":{"ip":"192.0.2.1","as":1}}"#,
        r#"{"host":{"ip":"192.0.2.1","as":1,"geo":@GEO,"ip_traits":{"as":@AS}},"related":{"ip":["192.0.2.1"]},@END}"#,
    );
}

#[test]
fn the_first_address_with_facts_speaks_for_its_home_and_the_others_are_listed_once() {
    becomes(
        r#"{"host":{"ip":["10.0.0.1","198.51.100.1","192.0.2.1","198.51.100.1","192.0.2.1"]}}"#,
        r#"{"host":{"ip":["10.0.0.1","198.51.100.1","192.0.2.1","198.51.100.1","192.0.2.1"],"ip_traits":{"as":@AS}},"related":{"ip":["10.0.0.1","198.51.100.1","192.0.2.1"]},"ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18"},"also":[{"path":"host.ip","ip":"192.0.2.1","geo":@GEO,"as":@AS}]}}"#,
    );
}

#[test]
fn a_group_that_the_event_has_is_kept_whole_with_what_belongs_to_it() {
    becomes(
        r#"{"source":{"geo":{},"ip":"203.0.113.1"}}"#,
        r#"{"source":{"geo":{},"ip":"203.0.113.1","ip_traits":{"anonymous_vpn":false}},"related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
    becomes(
        r#"{"source":{"geo":{"name":"x"},"ip":"192.0.2.1","as":[]}}"#,
        r#"{"source":{"geo":{"name":"x"},"ip":"192.0.2.1","as":[]},"related":{"ip":["192.0.2.1"]},"ipstamp":{"outcome":"enriched","sources":{}}}"#,
    );
    becomes(
        r#"{"source":{"ip":"203.0.113.1","ip_traits":{"mine":1}}}"#,
        r#"{"source":{"ip":"203.0.113.1","ip_traits":{"mine":1},"geo":@LU},"related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
}

#[test]
fn a_group_is_replaced_whole_when_told_so_and_only_by_the_same_group() {
    with_replace_becomes(
        r#"{"source":{"geo":{"name":"x"} ,"as":7,"ip_traits":{"y":1},"ip":"192.0.2.1"}}"#,
        r#"{"source":{"geo":@GEO ,"as":@AS,"ip_traits":{"y":1},"ip":"192.0.2.1"},"related":{"ip":["192.0.2.1"]},@END}"#,
    );
    with_replace_becomes(
        r#"{"source":{"geo":"x","ip":"198.51.100.1"}}"#,
        r#"{"source":{"geo":"x","ip":"198.51.100.1","as":@AS},"related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    with_replace_becomes(
        r#"{"source":{"ip_traits":{"y":1},"ip":"203.0.113.1","geo":1}}"#,
        r#"{"source":{"ip_traits":@TRAITS,"ip":"203.0.113.1","geo":@LU},"related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
}

#[test]
fn null_counts_as_nothing() {
    becomes(
        r#"{"source":{"geo":null,"ip":"203.0.113.1","as": null,"ip_traits":null},"related":null,"ipstamp":null}"#,
        r#"{"source":{"geo":@LU,"ip":"203.0.113.1","as": null,"ip_traits":@TRAITS},"related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
    becomes(
        r#"{"related":{"ip":null},"source":{"ip":"198.51.100.1"}}"#,
        r#"{"related":{"ip":["198.51.100.1"]},"source":{"ip":"198.51.100.1","as":@AS},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
}

#[test]
fn related_ip_is_completed_and_left_alone_when_it_has_another_shape() {
    becomes(
        r#"{"source":{"ip":"198.51.100.1"},"related":{"ip":["::1", "198.51.100.1" ],"x":1},"device":{"ip":["::FFFF:10.0.0.1","2001:DB8::0:1"]}}"#,
        r#"{"source":{"ip":"198.51.100.1","as":@AS},"related":{"ip":["::1", "198.51.100.1","10.0.0.1","2001:db8::1" ],"x":1},"device":{"ip":["::FFFF:10.0.0.1","2001:DB8::0:1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    for (before, after) in [
        (r#"{"ip":["198.51.100.1"]}"#, r#"{"ip":["198.51.100.1"]}"#),
        (r#"{"ip":[ ]}"#, r#"{"ip":["198.51.100.1" ]}"#),
        (r#"{"hosts":[]}"#, r#"{"hosts":[],"ip":["198.51.100.1"]}"#),
        (r#"{"ip":"198.51.100.9"}"#, r#"{"ip":"198.51.100.9"}"#),
        ("[]", "[]"),
    ] {
        becomes(
            &format!(r#"{{"source":{{"ip":"198.51.100.1"}},"related":{before}}}"#),
            &format!(
                r#"{{"source":{{"ip":"198.51.100.1","as":@AS}},"related":{after},"ipstamp":{{"outcome":"enriched","sources":{{"asn":"2025-11-18"}}}}}}"#
            ),
        );
    }
}

#[test]
fn an_event_that_was_stamped_before_has_its_stamp_replaced_whole() {
    let once = r#"{"source":{"ip":"192.0.2.1","geo":@GEO,"as":@AS},"related":{"ip":["192.0.2.1"]},"ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18"}}}"#;
    becomes(r#"{"source":{"ip":"192.0.2.1"}}"#, once);
    let before = encode(Profile::Ecs, Existing::Keep, r#"{"source":{"ip":"192.0.2.1"}}"#);
    with_replace_becomes(&before, once);
    becomes(
        r#"{"ipstamp":{"sources":{},"also":[{"x":{}}],"outcome":"partial"},"source":{"ip":"192.0.2.1"}}"#,
        r#"{@END,"source":{"ip":"192.0.2.1","geo":@GEO,"as":@AS},"related":{"ip":["192.0.2.1"]}}"#,
    );
    natively_becomes(
        r#"{"ipstamp":{"outcome":"enriched","sources":["x"],"addresses":[]} }"#,
        r#"{"ipstamp":{"outcome":"enriched","sources":{},"addresses":[]} }"#,
    );
}

#[test]
fn a_member_ipstamp_that_is_no_stamp_is_kept_and_replaced_when_told_so() {
    for theirs in [
        "7",
        r#""enriched""#,
        "[]",
        "{}",
        r#"{"outcome":"enriched"}"#,
        r#"{"outcome":"lost","sources":{}}"#,
        r#"{"outcome":"enriched","sources":"x"}"#,
        r#"{"sources":["x"]}"#,
        r#"{"x":{"outcome":"enriched","sources":{}}}"#,
    ] {
        let before = format!(r#"{{"ipstamp":{theirs},"plain":"192.0.2.1"}}"#);
        becomes(
            &before,
            &format!(
                r#"{{"ipstamp":{theirs},"plain":"192.0.2.1","related":{{"ip":["192.0.2.1"]}}}}"#
            ),
        );
        natively_becomes(&before, &before);
        with_replace_becomes(
            &before,
            r#"{"ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18"},"also":[{"path":"plain","ip":"192.0.2.1","geo":@GEO,"as":@AS}]},"plain":"192.0.2.1","related":{"ip":["192.0.2.1"]}}"#,
        );
        check(
            Profile::Native,
            Existing::Replace,
            &format!(r#"{{"ipstamp":{theirs}}}"#),
            r#"{"ipstamp":{"outcome":"enriched","sources":{},"addresses":[]}}"#,
        );
    }
}

#[test]
fn an_object_in_two_spellings_is_one_place() {
    becomes(
        r#"{"source":{"ip":"198.51.100.1"},"source.ip":"192.0.2.1","source":{"ip":"198.51.100.1"}}"#,
        r#"{"source":{"ip":"198.51.100.1","as":@AS},"source.ip":"192.0.2.1","source":{"ip":"198.51.100.1"},"related":{"ip":["198.51.100.1","192.0.2.1"]},"ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18"},"also":[{"path":"source.ip","ip":"192.0.2.1","geo":@GEO,"as":@AS}]}}"#,
    );
    // What is in an array is another place.
    becomes(
        r#"{"source":[{"ip":"198.51.100.1"}],"source.ip":"198.51.100.2"}"#,
        r#"{"source":[{"ip":"198.51.100.1","as":@AS}],"source.ip":"198.51.100.2","source.as":@AS,"related":{"ip":["198.51.100.1","198.51.100.2"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
}

#[test]
fn a_group_that_the_event_has_in_another_spelling_is_kept_whole() {
    for theirs in [
        r#""geo.city_name":"x""#,
        r#""geo":null,"geo.location.lat":1"#,
        r#""g\u0065o.city_name":"x""#,
        r#""geo.":1"#,
    ] {
        becomes(
            &format!(r#"{{"source":{{{theirs},"ip":"192.0.2.1"}}}}"#),
            &format!(
                r#"{{"source":{{{theirs},"ip":"192.0.2.1","as":@AS}},"related":{{"ip":["192.0.2.1"]}},"ipstamp":{{"outcome":"enriched","sources":{{"asn":"2025-11-18"}}}}}}"#
            ),
        );
    }
    for theirs in [
        r#""source.geo.city_name":"x""#,
        r#""source.geo":{}"#,
        r#""source":{"geo":{"city_name":"x"}}"#,
        r#""source":{"geo.city_name":"x"}"#,
    ] {
        becomes(
            &format!(r#"{{{theirs},"source.ip":"192.0.2.1"}}"#),
            &format!(
                r#"{{{theirs},"source.ip":"192.0.2.1","source.as":@AS,"related":{{"ip":["192.0.2.1"]}},"ipstamp":{{"outcome":"enriched","sources":{{"asn":"2025-11-18"}}}}}}"#
            ),
        );
    }
    // From outside of the object, and all that belongs to the group.
    becomes(
        r#"{"source":{"ip":"203.0.113.1"},"source.geo.city_name":"x"}"#,
        r#"{"source":{"ip":"203.0.113.1","ip_traits":{"anonymous_vpn":false}},"source.geo.city_name":"x","related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
    becomes(
        r#"{"a":{"b":{"ip":"203.0.113.1"},"b.ip_traits.x":1}}"#,
        r#"{"a":{"b":{"ip":"203.0.113.1","geo":@LU},"b.ip_traits.x":1},"related":{"ip":["203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}"#,
    );
    // Of one object in an array, and not of the next.
    becomes(
        r#"{"source":[{"ip":"198.51.100.1","as.number":1},{"ip":"198.51.100.2"}]}"#,
        r#"{"source":[{"ip":"198.51.100.1","as.number":1},{"ip":"198.51.100.2","as":@AS}],"related":{"ip":["198.51.100.1","198.51.100.2"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    // What only sounds like it.
    becomes(
        r#"{"source":{"ip":"198.51.100.1","as_x.y":1,"x.as":1},"destination.as":1,"as.number":1}"#,
        r#"{"source":{"ip":"198.51.100.1","as_x.y":1,"x.as":1,"as":@AS},"destination.as":1,"as.number":1,"related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
}

#[test]
fn a_group_in_another_spelling_makes_way_whole_when_told_so() {
    const END: &str = r#""related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}"#;
    for (before, after) in [
        (
            r#"{"source":{"as.number":1,"ip":"198.51.100.1"}}"#,
            r#"{"source":{ "ip":"198.51.100.1","as":@AS},@R}"#,
        ),
        (
            r#"{"source":{"ip":"198.51.100.1" , "as.number" : 1 , "as.organization.name":"x" }}"#,
            r#"{"source":{"ip":"198.51.100.1" ,"as":@AS },@R}"#,
        ),
        (
            r#"{"source":{"as.number":1,"ip":"198.51.100.1","as.x":{"y":[2]},"port":1}}"#,
            r#"{"source":{ "ip":"198.51.100.1" ,"port":1,"as":@AS},@R}"#,
        ),
        (
            r#"{"source":{"as":{"number":7},"as.number":1,"ip":"198.51.100.1"}}"#,
            r#"{"source":{"as":@AS ,"ip":"198.51.100.1"},@R}"#,
        ),
        (
            r#"{"source":{"ip":"198.51.100.1"},"source.as":1,"x":2}"#,
            r#"{"source":{"ip":"198.51.100.1","as":@AS} ,"x":2,@R}"#,
        ),
        (
            r#"{"source.as.number":1,"source.ip":"198.51.100.1","source":{"as":2}}"#,
            r#"{ "source.ip":"198.51.100.1","source":{ },"source.as":@AS,@R}"#,
        ),
        // Only by facts of the same group.
        (
            r#"{"source":{"geo.name":"x","ip":"198.51.100.1"}}"#,
            r#"{"source":{"geo.name":"x","ip":"198.51.100.1","as":@AS},@R}"#,
        ),
    ] {
        with_replace_becomes(before, &after.replace("@R", END));
    }
    // Several groups of several addresses, one behind the other.
    with_replace_becomes(
        r#"{"source.geo.x":1,"destination.as.y":2,"source.as.z":3,"source.ip":"192.0.2.1","destination.ip":"198.51.100.1","destination.geo":4}"#,
        r#"{ "source.ip":"192.0.2.1","destination.ip":"198.51.100.1","destination.geo":4,"source.geo":@GEO,"source.as":@AS,"destination.as":@AS,"related":{"ip":["192.0.2.1","198.51.100.1"]},@END}"#,
    );
    // Nothing but null is nothing, and makes way without being told.
    becomes(
        r#"{"source":{"as.number":null,"ip":"198.51.100.1"}}"#,
        &r#"{"source":{ "ip":"198.51.100.1","as":@AS},@R}"#.replace("@R", END),
    );
}

#[test]
fn dotted_names_are_answered_with_dotted_names() {
    becomes(
        r#"{"source.ip":"192.0.2.1","destination.ip":"203.0.113.1","source.as":{"number":1}}"#,
        r#"{"source.ip":"192.0.2.1","destination.ip":"203.0.113.1","source.as":{"number":1},"source.geo":@GEO,"destination.geo":@LU,"destination.ip_traits":@TRAITS,"related":{"ip":["192.0.2.1","203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","anonymous":"2025-11-18"}}}"#,
    );
    becomes(
        r#"{"a":{"b.ip":"198.51.100.1"},"related.ip":["198.51.100.1"]}"#,
        r#"{"a":{"b.ip":"198.51.100.1","b.as":@AS},"related.ip":["198.51.100.1"],"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    with_replace_becomes(
        r#"{"x":"source.as","source.as":{"number":1},"source.ip":["198.51.100.1"],"related.ip":[]}"#,
        r#"{"x":"source.as","source.as":@AS,"source.ip":["198.51.100.1"],"related.ip":["198.51.100.1"],"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
}

#[test]
fn an_address_that_is_no_ip_member_gets_an_object_of_its_role_where_there_is_room() {
    becomes(
        r#"{"sourceIPAddress":"198.51.100.1"}"#,
        r#"{"sourceIPAddress":"198.51.100.1","source":{"address":"198.51.100.1","ip":"198.51.100.1","as":@AS},"related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    becomes(
        r#"{"sourceIPAddress":"198.51.100.1","source":{}}"#,
        r#"{"sourceIPAddress":"198.51.100.1","source":{},"related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"},"also":[{"path":"sourceIPAddress","ip":"198.51.100.1","as":@AS}]}}"#,
    );
    // The same, spelt with dots.
    becomes(
        r#"{"sourceIPAddress":"198.51.100.1","source.geo.name":"x"}"#,
        r#"{"sourceIPAddress":"198.51.100.1","source.geo.name":"x","related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"},"also":[{"path":"sourceIPAddress","ip":"198.51.100.1","as":@AS}]}}"#,
    );
    // Named like its role, so the object is the role's.
    becomes(
        r#"{"client":{"address":"198.51.100.1"}}"#,
        r#"{"client":{"address":"198.51.100.1","ip":"198.51.100.1","as":@AS},"related":{"ip":["198.51.100.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    // No role, no object.
    becomes(
        r#"{"plain":["198.51.100.1","198.51.100.1","203.0.113.1"]}"#,
        r#"{"plain":["198.51.100.1","198.51.100.1","203.0.113.1"],"related":{"ip":["198.51.100.1","203.0.113.1"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18","anonymous":"2025-11-18"},"also":[{"path":"plain","ip":"198.51.100.1","as":@AS},{"path":"plain","ip":"203.0.113.1","geo":@LU,"ip_traits":@TRAITS}]}}"#,
    );
}

#[test]
fn natively_all_facts_are_in_one_list_with_an_item_per_path_and_address() {
    natively_becomes(
        r#"{"source":{"ip":"192.0.2.1","geo":1},"host":{"ip":["203.0.113.1","203.0.113.1"]},"device":{"ip":"203.0.113.1"}}"#,
        r#"{"source":{"ip":"192.0.2.1","geo":1},"host":{"ip":["203.0.113.1","203.0.113.1"]},"device":{"ip":"203.0.113.1"},"ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18","anonymous":"2025-11-18"},"addresses":[{"path":"source.ip","role":"source","ip":"192.0.2.1","scope":"documentation","geo":{"city_name":"Bü\"0","location":{"lat":47.5,"lon":-0.1}},"as":{"number":64500,"organization":"Org"}},{"path":"host.ip","role":"host","ip":"203.0.113.1","scope":"documentation","geo":{"country_iso_code":"LU","is_eu":true},"privacy":{"vpn":false}},{"path":"device.ip","role":"unknown","ip":"203.0.113.1","scope":"documentation","geo":{"country_iso_code":"LU","is_eu":true},"privacy":{"vpn":false}}]}}"#,
    );
    natively_becomes("{ }", r#"{"ipstamp":{"outcome":"enriched","sources":{},"addresses":[]} }"#);
}

#[test]
fn natively_an_address_without_facts_is_listed_when_it_is_global() {
    natively_becomes(
        r#"{"host":{"ip":["10.0.0.1","8.8.8.8","fe80::1"]}}"#,
        r#"{"host":{"ip":["10.0.0.1","8.8.8.8","fe80::1"]},"ipstamp":{"outcome":"enriched","sources":{},"addresses":[{"path":"host.ip","role":"host","ip":"8.8.8.8","scope":"global"}]}}"#,
    );
}

#[test]
fn the_stamp_says_why_something_is_missing() {
    let mut book = Book { epoch: 0, asked: 0 };
    let outcome = Outcome::Partial(Reason::NotFound);
    let mut encoder = encoder(Profile::Ecs, Existing::Keep);
    assert_eq!(
        encoder.encode(&mut book, r#"{"source":{"ip":"8.8.8.8"}}"#, outcome),
        r#"{"source":{"ip":"8.8.8.8"},"related":{"ip":["8.8.8.8"]},"ipstamp":{"outcome":"partial","reason":"not_found","sources":{}},"tags":["_ipstamp_not_found"]}"#
    );
}

#[test]
fn facts_are_rendered_once_until_their_numbers_have_a_new_meaning() {
    let mut book = Book { epoch: 1, asked: 0 };
    let mut encoder = encoder(Profile::Ecs, Existing::Keep);
    let event = r#"{"source":{"ip":"192.0.2.1"},"destination":{"ip":"192.0.2.2"}}"#;
    let mut run = |book: &mut Book| encoder.encode(book, event, Outcome::Enriched);
    let first = run(&mut book);
    assert_eq!(run(&mut book), first);
    assert_eq!(book.asked, 2);
    book.epoch = 2;
    assert_eq!(run(&mut book), first.replace("\\\"1", "\\\"2"));
    assert_eq!(book.asked, 4);
}

#[test]
fn what_is_in_use_is_not_rendered_again_when_the_memory_is_full() {
    let mut book = Book { epoch: 1, asked: 0 };
    let mut encoder = super::try_out::TryOut::remembering(&Config::default(), 100);
    let event = r#"{"source":{"ip":"192.0.2.1"}}"#;
    let mut run = |book: &mut Book| encoder.encode(book, event, Outcome::Enriched);
    assert_eq!(run(&mut book), run(&mut book));
    assert_eq!(run(&mut book), run(&mut book));
    assert_eq!(book.asked, 2);
}
