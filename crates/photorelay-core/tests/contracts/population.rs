//! The list of users: with its members in segments, and as it was before.

use photorelay_core::contract::{
    self, ContractError, Population, PopulationQuery, PopulationSegment, SegmentLink, UnreferencedSegments, V1, V1OrV2,
};
use photorelay_core::id::{Digest, UserId};

use crate::{golden, time, user};

fn population(v: V1OrV2) -> Population {
    Population {
        v,
        taken_at: time(),
        delta_link: "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=opaque".to_owned(),
        domains: Vec::new(),
        cloud_managed: false,
        members: Vec::new(),
        segments: Vec::new(),
        unreferenced: None,
    }
}

fn query(v: V1OrV2) -> PopulationQuery {
    PopulationQuery {
        v,
        began_at: time(),
        next_link: "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=opaque".to_owned(),
        pages: 3,
        is_full_list: true,
        domains: Vec::new(),
        cloud_managed: false,
        members: Vec::new(),
        segments: Vec::new(),
    }
}

fn segment(first: UserId, last: UserId, count: u32) -> SegmentLink {
    SegmentLink { sha256: Digest::of(b"segment"), first, last, count }
}

#[test]
fn the_list_and_its_segments_are_as_agreed() {
    let segments = vec![segment(user(), user(), 1)];
    let unreferenced = Some(UnreferencedSegments { seen_at: time(), segments: vec![Digest::of(b"segment")] });
    let list = Population { segments: segments.clone(), unreferenced, ..population(V1OrV2::V2) };
    golden("population-v2.json", &list);
    golden("population-query-v2.json", &PopulationQuery { segments, ..query(V1OrV2::V2) });
    golden("population-segment.json", &PopulationSegment { v: V1, members: vec![user()] });
}

#[test]
fn a_list_that_holds_its_members_itself_is_read() {
    golden("population.json", &Population { members: vec![user()], ..population(V1OrV2::V1) });
    golden("population-query.json", &PopulationQuery { members: vec![user()], ..query(V1OrV2::V1) });
}

#[test]
fn a_list_whose_segments_cannot_be_right_is_refused() {
    let id = |number: u128| UserId::from_uuid(uuid::Uuid::from_u128(number));
    let read = |segments: Vec<SegmentLink>| {
        let list = Population { segments, ..population(V1OrV2::V2) };
        contract::parse::<Population>(&contract::to_bytes(&list))
    };
    assert!(read(vec![segment(id(1), id(4), 2), segment(id(5), id(5), 1)]).is_ok());
    for wrong in [
        vec![segment(id(1), id(4), 0)],
        vec![segment(id(1), id(4), 1)],
        vec![segment(id(4), id(4), 2)],
        vec![segment(id(4), id(1), 2)],
        vec![segment(id(1), id(4), u32::MAX)],
        vec![segment(id(1), id(4), 2), segment(id(4), id(5), 2)],
        vec![segment(id(5), id(6), 2), segment(id(1), id(4), 2)],
    ] {
        assert!(matches!(read(wrong.clone()), Err(ContractError::Invalid(_))), "{wrong:?}");
    }
    let both = Population { members: vec![id(1)], segments: vec![segment(id(1), id(1), 1)], ..population(V1OrV2::V2) };
    assert!(contract::parse::<Population>(&contract::to_bytes(&both)).is_err());
    assert!(contract::parse::<Population>(&contract::to_bytes(&Population { v: V1OrV2::V1, ..both })).is_err());
    for members in [vec![], vec![id(2), id(1)], vec![id(1), id(1)]] {
        let segment = contract::to_bytes(&PopulationSegment { v: V1, members });
        assert!(contract::parse::<PopulationSegment>(&segment).is_err());
    }
}
