use sha2::{Digest, Sha256};

use super::*;

fn label(source: &str, image: usize, class: u16) -> Label {
    let image = Sha256::digest(image.to_le_bytes()).into();
    Label { source: source.into(), image, class }
}

fn names() -> Vec<String> {
    (0..10).map(|class| class.to_string()).collect()
}

fn settings() -> RetrainSettings {
    RetrainSettings { least: 100, ..RetrainSettings::default() }
}

/// As many of each of these sources.
fn of(sources: &[(&str, usize)]) -> Vec<Label> {
    let mut labels = Vec::new();
    for (source, count) in sources {
        let first = labels.len();
        labels.extend((first..first + count).map(|at| label(source, at, (at % 10) as u16)));
    }
    labels
}

#[test]
fn parts_are_divided_by_content_whatever_comes_later() {
    let mut labels = of(&[("a", 500), ("b", 500)]);
    let first = select(&labels, &settings(), &names()).unwrap();
    assert_eq!(first.train.len() + first.validation.len() + first.held_out.len(), 1000);
    assert!((150..250).contains(&first.held_out.len()), "{}", first.held_out.len());
    labels.extend((1000..1400).map(|at| label(["a", "b"][at % 2], at, (at % 10) as u16)));
    let more = select(&labels, &settings(), &names()).unwrap();
    for (first, more) in [(&first.train, &more.train), (&first.held_out, &more.held_out)] {
        assert!(first.iter().all(|index| more.contains(index)), "an image has changed its part");
    }
}

#[test]
fn no_source_gives_more_than_its_share() {
    let labels = of(&[("loud", 5000), ("b", 90), ("c", 60)]);
    let selected = select(&labels, &settings(), &names()).unwrap();
    assert_eq!(selected.sources["loud"], 150, "{:?}", selected.sources);
    assert_eq!((selected.sources["b"], selected.sources["c"]), (90, 60));
    let alone = select(&of(&[("loud", 5000)]), &settings(), &names());
    let Err(Shortage::TooFew(why)) = alone else { panic!("{alone:?}") };
    assert!(why.contains("0 of 100") && why.contains("no source may give more than 50 %"), "{why}");
    let trusted = RetrainSettings { source_max: 1.0, ..settings() };
    assert_eq!(select(&of(&[("one", 5000)]), &trusted, &names()).unwrap().sources["one"], 5000);
}

#[test]
fn one_class_is_no_basis_and_is_named() {
    let labels: Vec<Label> = (0..300)
        .map(|at| label(["a", "b", "c"][at % 3], at, if at < 290 { 7 } else { 1 }))
        .collect();
    let refused = select(&labels, &settings(), &names());
    let Err(Shortage::Implausible(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("290 of 300") && why.contains("class 7"), "{why}");
}

#[test]
fn copies_count_once_and_an_image_of_two_classes_not_at_all() {
    let mut labels = of(&[("a", 100), ("b", 100)]);
    labels.extend(of(&[("c", 100)]));
    labels.push(label("d", 150, 9));
    labels.push(label("d", 151, 2));
    let taken = bounded(&labels, 1.0);
    // Those of c are copies; 150 is a 0 and a 9, 151 a 1 and a 2.
    assert_eq!(taken.len(), 198);
}
