//! Tests of `report::network`.

use super::*;
use crate::spec::{Conv, Layer as Described, Pool, StudyFile};

pub(in crate::report) fn grown() -> Networks {
    let network = |trial, layers| {
        let spec = Spec::new(StudyFile::new("net", layers), InputShape::MNIST).unwrap();
        Network::of(trial, &spec)
    };
    let pool = || Described::MaxPool(Pool::of(2));
    let parent = network(1, vec![Described::Conv(Conv::same(4, 3)), pool()]);
    let conv = |filters| Described::Conv(Conv::same(filters, 3));
    Networks { parent: Some(parent), best: network(2, vec![conv(8), pool(), conv(16), pool()]) }
}

#[test]
fn layers_that_stayed_stand_side_by_side() {
    let networks = grown();
    let rows = networks.rows();
    let told: Vec<[&str; 2]> = rows
        .iter()
        .map(|row| {
            [row.before, row.after].map(|layer| layer.map_or("–", |layer| layer.name.as_str()))
        })
        .collect();
    assert!(told[0][0].starts_with("conv 4") && told[0][1].starts_with("conv 8"), "{told:?}");
    assert_eq!(told.last().unwrap()[0], told.last().unwrap()[1], "the head: {told:?}");
    assert_eq!(rows.iter().filter(|row| row.before.is_none()).count(), 2, "{told:?}");
    assert_eq!(rows.iter().filter(|row| row.is_changed()).count(), 3, "{told:?}");
}

#[test]
fn a_first_trial_stands_alone() {
    let networks = Networks { parent: None, ..grown() };
    assert!(networks.rows().iter().all(|row| row.before.is_none() && row.after.is_some()));
}
