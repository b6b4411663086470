//! Kills at random moments of whatever takes part: the service, a container, or a process in one, while pushes queue and
//! their studies train in containers.
//!
//! `BURGEON_CONTAINER_KILLS` says how many; 5 unless said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::chain::{missing, study_rule};
use crate::site::Site;
use crate::skipping::{Group, tests};

pub fn group() -> Group {
    Group {
        name: "chain_kills",
        missing: missing(),
        tests: tests![kills_change_no_verdict_no_mail_and_no_bit_of_a_model],
    }
}

const NAMES: [&str; 2] = ["one", "two"];
/// Studies that differ, so that none is mistaken for another one's.
const SEEDS: [u32; 3] = [1, 2, 3];

fn study(seed: u32) -> String {
    format!(
        "name = \"seed-{seed}\"\n[data]\nsource = \"mnist\"\ntrain = 20000\n\
         [model]\nlayers = [{{ dense = {{ units = 64 }} }}]\n\
         [train]\nseed = {seed}\nepochs = 12\ncheckpoint = {{ every-steps = 50 }}\n[tune]\ntrials = 1\n"
    )
}

fn kills_change_no_verdict_no_mail_and_no_bit_of_a_model() {
    let kills =
        std::env::var("BURGEON_CONTAINER_KILLS").ok().map_or(5, |kills| kills.parse().unwrap());
    let mut undisturbed = Site::new(&NAMES[..1], "", &study_rule());
    let mut models = BTreeMap::new();
    let since = Instant::now();
    for seed in SEEDS {
        fs::write(undisturbed.work(NAMES[0]).join("study.toml"), study(seed)).unwrap();
        let (build, log) = undisturbed.built(NAMES[0]);
        assert_eq!(build["verdict"], "accepted", "{build:#}\n{log}");
        models.insert(seed, model(&undisturbed, &build));
    }
    drop(undisturbed);
    // Kills that come faster than a training gets anywhere would never let one end.
    let training_ms = since.elapsed().as_millis() as u64 / SEEDS.len() as u64;

    let mut site = Site::new(&NAMES, "", &study_rule());
    let mut killer = Killer { random: 0x9e37_79b9_7f4a_7c15, done: BTreeMap::new() };
    let mut pushes = 0;
    let since = Instant::now();
    while killer.done.values().sum::<usize>() < kills {
        // Two for each repository: the second waits for the first, or takes its place.
        for (place, name) in NAMES.iter().cycle().take(2 * NAMES.len()).enumerate() {
            let seed = SEEDS[(pushes + place) % SEEDS.len()];
            fs::write(site.work(name).join("study.toml"), study(seed)).unwrap();
            site.push(name);
        }
        pushes += 2 * NAMES.len();
        while site.builds().iter().any(|build| build["state"] != "ended") {
            assert!(since.elapsed() < Duration::from_secs(7200), "{:#?}", site.builds());
            sleep(Duration::from_millis(200 + killer.next() % training_ms));
            if killer.done.values().sum::<usize>() < kills {
                killer.kill_something(&mut site);
            }
        }
    }
    println!("{} pushes, {:.0} s, kills: {:?}", pushes, since.elapsed().as_secs_f64(), killer.done);

    let builds = site.builds();
    assert_eq!(builds.len(), pushes, "one build a push: {builds:#?}");
    for build in &builds {
        let verdict = build["verdict"].as_str().unwrap();
        assert!(matches!(verdict, "accepted" | "superseded"), "{build:#}\n{}", site.log_of(build));
        if verdict == "accepted" {
            let seed = SEEDS.iter().find(|seed| run(build).contains(&format!("seed-{seed}-")));
            let is_same = models[seed.unwrap()] == model(&site, build);
            assert!(is_same, "other bits: {build:#}\n{}", site.log_of(build));
        }
    }
    let last = |name: &&str| builds.iter().find(|build| build["repository"] == **name).cloned();
    for build in NAMES.iter().filter_map(last) {
        assert_eq!(build["verdict"], "accepted", "{build:#}\n{}", site.log_of(&build));
    }
    expect_one_mail_each(&site, &builds);
    assert!(site.containers(&["--all"]).is_empty(), "no container is left");
}

/// The run of a build, relative to its folder.
fn run(build: &Value) -> &str {
    build["run"].as_str().unwrap()
}

/// The bits of the model that a build trained.
fn model(site: &Site, build: &Value) -> Vec<u8> {
    fs::read(site.of_build(build, run(build)).join("best/model.safetensors")).unwrap()
}

/// A message may come twice if a kill comes between the server's answer and the note of it; then under the same name.
fn expect_one_mail_each(site: &Site, builds: &[Value]) {
    let since = Instant::now();
    let told = || builds.iter().all(|_| site.mail.taken() >= builds.len());
    while !told() {
        assert!(since.elapsed() < Duration::from_secs(120), "{} mails", site.mail.taken());
        sleep(Duration::from_millis(200));
    }
    sleep(Duration::from_secs(3));
    let mails = site.mail.taken();
    let header = |number: usize, name: &str| {
        site.mail.parsed(number)["headers"][name].as_str().unwrap().to_owned()
    };
    let names: BTreeSet<_> = (1..=mails).map(|number| header(number, "Message-ID")).collect();
    assert_eq!(names.len(), builds.len(), "as many messages as builds");
    println!("{mails} mails, of which {} came again", mails - names.len());
    let subjects: BTreeSet<_> = (1..=mails).map(|number| header(number, "Subject")).collect();
    for build in builds {
        let (name, commit) = (&build["repository"], &build["commit"].as_str().unwrap()[..10]);
        let words = format!(
            "{} main {commit} {}",
            name.as_str().unwrap(),
            build["verdict"].as_str().unwrap()
        );
        let about = subjects.iter().filter(|subject| subject.contains(&words)).count();
        assert_eq!(about, 1, "{words}: {subjects:#?}");
    }
}

/// Kills, and counts what.
struct Killer {
    random: u64,
    done: BTreeMap<String, usize>,
}

impl Killer {
    fn next(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    fn kill_something(&mut self, site: &mut Site) {
        let what = match self.next() % 3 {
            0 => {
                site.kill();
                sleep(Duration::from_millis(self.next() % 800));
                site.serve();
                Some("service".to_owned())
            }
            1 => self
                .container(site)
                .filter(|id| docker(&["kill", id]).is_some())
                .map(|_| "container".into()),
            _ => self.process(site),
        };
        if let Some(what) = what {
            println!("killed: {what}");
            *self.done.entry(what).or_default() += 1;
        }
    }

    /// One of the containers that run.
    fn container(&mut self, site: &Site) -> Option<String> {
        let mut ids = site.containers(&[]);
        (!ids.is_empty()).then(|| ids.swap_remove(self.next() as usize % ids.len()))
    }

    /// Kills a process of a container: its first one, the supervisor or the trainer.
    fn process(&mut self, site: &Site) -> Option<String> {
        let id = self.container(site)?;
        let processes = docker(&["top", &id, "-o", "pid,etimes,args"])?;
        let processes: Vec<Vec<&str>> = processes
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            // Three failures before the first step are a crash loop, which rightly ends.
            .filter(|words: &Vec<&str>| {
                words.len() > 2 && words[1].parse().is_ok_and(|age: u64| age >= 2)
            })
            .collect();
        let process =
            (!processes.is_empty()).then(|| &processes[self.next() as usize % processes.len()])?;
        let kill = Command::new("kill").args(["-9", process[0]]).status().ok()?;
        kill.success().then(|| match process[2..].contains(&"supervise") {
            true if process[2].contains("init") => "first process".to_owned(),
            true => "supervisor".to_owned(),
            false => "trainer".to_owned(),
        })
    }
}

fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
