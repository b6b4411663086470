//! A service whose processes are killed reaches the same verdicts and models as one that runs undisturbed.
//!
//! `BURGEON_SERVICE_KILLS=60 cargo test --test command service::kills::` is the long form.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::site::{Site, study};

/// The weights of each accepted build, by the seed of its study.
fn models(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut models = BTreeMap::new();
    for build in site.builds() {
        let commit = build["commit"].as_str().unwrap().to_owned();
        let folder =
            site.at("state/models/digits").join(format!("{}-{}", build["id"], &commit[..12]));
        if build["verdict"] == "accepted" {
            let seed = fs::read_to_string(folder.join("spec.toml")).unwrap();
            let seed = seed.lines().find(|line| line.starts_with("seed")).unwrap().to_owned();
            models.insert(seed, fs::read(folder.join("model.safetensors")).unwrap());
        }
    }
    models
}

#[test]
fn killed_at_any_moment_every_push_gets_one_verdict_and_one_mail() {
    let kills: u64 =
        std::env::var("BURGEON_SERVICE_KILLS").map_or(4, |kills| kills.parse().unwrap());
    // One at a time, each pushed when the one before it has ended, so that none is superseded.
    let mut calm = Site::new("study = \"study.toml\"");
    let mut rough = Site::new("study = \"study.toml\"");
    calm.serve();
    rough.serve();
    let pushes = 1 + (kills as usize) / 6;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut killed = 0;
    for push in 0..pushes {
        let text = study(0.3, push as u64).replace("epochs = 2", "epochs = 20");
        calm.push(&[("study.toml", &text)]);
        rough.push(&[("study.toml", &text)]);
        calm.ended(push + 1);
        let mut trained = false;
        while killed < kills * (push as u64 + 1) / pushes as u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sleep(Duration::from_millis((state >> 33) % 1200));
            killed += 1;
            // The service; or its training, with or without what supervises it.
            match (state >> 20) % 3 {
                0 => {
                    rough.kill();
                    rough.serve();
                }
                1 => rough.kill_training("supervise -- tune"),
                // Three times at the same step, and its supervisor gives up.
                _ if !trained => {
                    trained = true;
                    rough.kill_training("burgeon tune");
                }
                _ => rough.kill_training("tune"),
            }
        }
        rough.ended(push + 1);
    }
    let builds = rough.ended(pushes);
    assert!(builds.iter().all(|build| build["verdict"] == "accepted"), "{builds:#?}");
    assert_eq!(models(&rough), models(&calm), "the same bits");
    assert_eq!(models(&calm).len(), pushes);
    rough.mails(pushes);
    // Time for one that should not come.
    sleep(Duration::from_millis(500));
    let identifiers: Vec<String> =
        rough.mail.deliveries().iter().map(|mail| mail.header("Message-ID")).collect();
    let different: BTreeSet<&String> = identifiers.iter().collect();
    assert_eq!(different.len(), pushes, "{identifiers:?}");
    assert!(Path::new(&rough.at("state/models/digits/production")).exists());
}
