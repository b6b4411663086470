//! Retraining that is killed at random moments.

use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use super::*;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}

#[test]
fn killed_at_random_moments_it_promotes_once_and_the_same_model() {
    let kills = std::env::var("BURGEON_RETRAIN_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let filled = drifted(|_, class| class.into());
    let model =
        |registry: &Path| fs::read(registry.join("versions/000002/model.safetensors")).unwrap();
    let fresh = |name: &str| {
        let registry = filled.path().join(name);
        copy(&filled.path().join("registry"), &registry);
        registry
    };
    let start = |registry: &str| {
        let mut command = filled.command(&["retrain", "--registry", registry]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let whole = fresh("whole");
    let began = Instant::now();
    expect_code(&start("whole").wait_with_output().unwrap(), 0);
    let takes = began.elapsed().as_millis() as u32;
    let expected = model(&whole);
    let mut rng = CounterRng::new(counter_seed(5, 0, Purpose::Policy, 0, 0));
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        let name = format!("cut-{round}");
        let registry = fresh(&name);
        for _ in 0..[1, 2, 5][round % 3] {
            let mut child = start(&name);
            std::thread::sleep(Duration::from_millis(u64::from(rng.below(takes))));
            child.kill().unwrap();
            killed += usize::from(child.wait().unwrap().code().is_none());
        }
        let output = start(&name).wait_with_output().unwrap();
        expect_code(&output, 0);
        assert_eq!(promotions(&registry).len(), 1, "after {killed} kills");
        assert!(model(&registry) == expected, "another model after {killed} kills");
        let verified = filled.burgeon(&["registry", "verify", "--registry", &name]);
        expect_code(&verified, 0);
        fs::remove_dir_all(&registry).unwrap();
        round += 1;
    }
    eprintln!("{killed} kills in {round} circles");
}
