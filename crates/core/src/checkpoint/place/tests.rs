//! Tests of `checkpoint::place`.

use super::*;

#[test]
fn a_place_reads_back_as_written() {
    for (place, name) in [
        (Place { epoch: 3, step: 412, attempt: 1 }, "e0003-s000412"),
        (Place { epoch: 3, step: 412, attempt: 2 }, "e0003-s000412-2"),
        (Place { epoch: 12_345, step: 12_345_678, attempt: 1 }, "e12345-s12345678"),
    ] {
        assert_eq!(place.to_string(), name);
        assert_eq!(name.parse(), Ok(place));
    }
}

#[test]
fn other_names_are_no_places() {
    for name in ["", "e1-s1", "e0001-s000001-1", "e0001-s000001-x", ".tmp-e0001-s000001"] {
        assert_eq!(name.parse::<Place>(), Err(NotAPlace), "{name}");
    }
}

#[test]
fn later_places_are_greater() {
    let places = ["e0001-s000009", "e0002-s000001", "e0002-s000001-2", "e0002-s000002"];
    let read: Vec<Place> = places.iter().map(|name| name.parse().unwrap()).collect();
    assert!(read.is_sorted());
}
