//! Tests of `report::html`.

use super::super::samples::{accepted, hostile, records};
use super::*;

fn page(events: Vec<crate::ledger::Event>) -> String {
    Report::from_records(&records(events)).with_study("name = \"</pre>\"").to_html()
}

/// The tags that are open at the end; panics where one closes that is not the last opened.
fn open_tags(page: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
        } else if !tag.starts_with('!') && !tag.ends_with('/') {
            open.push(tag.split_once(' ').map_or(tag, |(name, _)| name).to_owned());
        }
    }
    open
}

#[test]
fn every_tag_closes_and_nothing_is_fetched() {
    for events in [accepted(), hostile(), Vec::new()] {
        let page = page(events);
        assert_eq!(open_tags(&page), Vec::<String>::new());
        for outside in ["<script", "src=", "url(", "@import", "<style", "style="] {
            assert!(!page.contains(outside), "{outside}");
        }
        let links: Vec<&str> = page.split("href=\"").skip(1).collect();
        assert!(matches!(links[..], [link] if link.starts_with("report/style.css\"")));
    }
}

#[test]
fn pictures_of_augmented_images_stand_beside_the_page() {
    let report = Report::from_records(&records(accepted())).with_augmented(vec![1, 3]);
    let page = report.to_html();
    assert!(page.contains("src=\"report/augmented-001.png\""), "{page}");
    assert!(page.contains("trial 3, and trials with") && page.contains("alt=\"training images"));
    open_tags(&page);
}

#[test]
fn hostile_text_is_shown_and_stays_text() {
    let page = page(hostile());
    let shown = page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count();
    // Name, run, device, hash, fallback, edit, reason, evidence, and so on.
    assert!(shown >= 12, "{shown}");
    assert!(page.contains("class=\"warning\" role=\"alert\""));
}

#[test]
fn what_is_odd_about_the_data_and_what_the_gate_missed_is_shown() {
    let page = page(super::super::samples::imbalanced());
    assert!(page.contains("<li>99.00 % of the training images are of class cat</li>"), "{page}");
    assert!(page.contains("least recall 0.00 % is below the gate of 50.00 %"), "{page}");
}

#[test]
fn a_cross_validated_study_shows_its_interval_and_every_fold() {
    let page = page(super::super::samples::cross_validated());
    let figure = "87.50 % (80.4 % to 92.3 %)";
    assert!(page.contains("<dt>cross-validated</dt>"), "{page}");
    assert!(
        page.contains(&format!("Accepted: trial 2, {figure} cross-validated over 3 folds")),
        "{page}"
    );
    assert!(page.contains("fold 2/3  validation 85.00 %"), "{page}");
}

#[test]
fn the_warning_is_there_only_where_the_data_fell_back() {
    assert!(!page(accepted()).contains("role=\"alert\""));
}
