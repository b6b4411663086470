//! `burgeon serve`: from a push to a published model and a mail.

mod grown;
mod kills;
mod site;
mod statuses;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::site::{Site, stage, study};

#[test]
fn a_push_is_pulled_trained_judged_published_and_told() {
    let mut site = Site::new("study = \"study.toml\"");
    let address = site.serve();
    let commit = site.push(&[("study.toml", &study(0.3, 1))]);
    let build = site.ended(1).remove(0);
    assert_eq!(ureq::get(format!("{address}/healthz")).call().unwrap().status(), 200);
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{}", site.build_log(&build));
    assert_eq!(
        (&build["commit"], &build["author"], &build["message"]),
        (&commit.as_str().into(), &"Ann".into(), &"a push".into())
    );
    assert!(build["accuracy"].as_f64().unwrap() >= 0.3 && build["threshold"] == 0.3, "{build:#}");
    for name in ["pull", "detect", "train", "judge", "publish"] {
        assert_eq!(stage(&build, name)["state"], "done", "{name}: {build:#}");
    }
    assert!(site.production().join("model.safetensors").is_file());
    assert!(site.production().join("report.md").is_file());
    let subject = site.mails(1).remove(0);
    assert!(subject.contains(&format!("digits main {} accepted", &commit[..10])), "{subject}");
    // The same push again starts nothing, and whoever wants it again says so.
    site.burgeon(&["chain", "trigger", "digits", "--commit", &commit]);
    assert_eq!(site.builds().len(), 1);
    site.burgeon(&["chain", "retry", "1"]);
    let again = site.ended(2).remove(1);
    assert_eq!((&again["cause"], &again["verdict"]), (&"retry".into(), &"accepted".into()));
}

#[test]
fn what_of_a_study_does_not_hold_is_said_in_the_log() {
    let mut site = Site::new("study = \"study.toml\"\ngate = 0.25");
    site.serve();
    let own = "[notify]\ncommand = [\"touch\", \"/tmp/burgeon-was-here\"]\n";
    let text = study(0.3, 1) + own;
    site.push(&[("study.toml", &text)]);
    let build = site.ended(1).remove(0);
    let log = site.build_log(&build);
    assert_eq!(
        (&build["verdict"], &build["threshold"]),
        (&"accepted".into(), &0.25.into()),
        "{log}"
    );
    for line in ["[train] [notify] of the study", "gate.accuracy is 0.25"] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn what_does_not_pass_what_breaks_and_what_is_unknown_are_three_ends() {
    let mut site = Site::new("");
    site.serve();
    site.push(&[("study.toml", &study(0.3, 1))]);
    site.ended(1);
    let good = site.production();
    site.push(&[("study.toml", &study(0.9999, 1))]);
    let weak = site.ended(2).remove(1);
    assert_eq!(
        (&weak["verdict"], &stage(&weak, "judge")["state"]),
        (&"not-passed".into(), &"failed".into()),
        "{weak:#}"
    );
    site.push(&[("study.toml", &study(0.3, 1).replace("units = 32", "units = 0"))]);
    let broken = site.ended(3).remove(2);
    assert_eq!(broken["verdict"], "failed");
    assert_eq!(stage(&broken, "detect")["state"], "failed", "{broken:#}");
    let why = broken["why"].as_str().unwrap();
    assert!(why.starts_with("study.toml: ") && why.contains("line 7"), "{why}");
    site.push(&[("study.toml", &study(0.3, 2))]);
    site.ended(4);
    let subjects = site.mails(4);
    for (subject, word) in subjects.iter().zip(["accepted", "rejected", "broken", "mended"]) {
        assert!(subject.contains(word), "{subjects:?}");
    }
    assert_ne!(site.production(), good);
    assert!(good.join("model.safetensors").is_file(), "the model before it stays");
}

#[test]
fn a_program_is_held_to_the_gate_by_what_it_writes_after_its_start() {
    let mut site = Site::new(
        "gate = 0.8\n[[rule]]\nframework = \"keras\"\nrun = \"process\"\n\
         command = [\"sh\", \"run.sh\", \"{entry}\"]\nmodel = [\"model.keras\"]\n",
    );
    site.serve();
    let keras = "from keras.models import Sequential\nfrom keras.layers import Conv2D, Dense\n\
                 model = Sequential([Conv2D(8, 3), Dense(10)])\nmodel.compile(loss='mse')\nmodel.fit([], [])\n";
    let good = "echo training $1\necho 91.5 > accuracy.txt\necho weights > model.keras\n";
    site.push(&[("train.py", keras), ("run.sh", good)]);
    let build = site.ended(1).remove(0);
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{}", site.build_log(&build));
    assert!((build["accuracy"].as_f64().unwrap() - 0.915).abs() < 1e-9);
    assert!(site.build_log(&build).contains("training train.py"));
    assert_eq!(fs::read_to_string(site.production().join("model.keras")).unwrap(), "weights\n");
    let published = site.production();
    // One that is in the repository already says nothing of this training.
    site.push(&[("accuracy.txt", "99\n"), ("run.sh", "echo done\n")]);
    let stale = site.ended(2).remove(1);
    assert_eq!(stale["verdict"], "failed", "{stale:#}");
    assert!(stale["why"].as_str().unwrap().contains("did not write accuracy.txt"), "{stale:#}");
    site.push(&[("run.sh", "echo it broke >&2\necho\nexit 7\n")]);
    let crashed = site.ended(3).remove(2);
    assert!(crashed["why"].as_str().unwrap().contains("exit code 7: it broke"), "{crashed:#}");
    assert_eq!(stage(&crashed, "train")["state"], "failed");
    site.push(&[("run.sh", "echo 79.9 > accuracy.txt\n")]);
    assert_eq!(site.ended(4).remove(3)["verdict"], "not-passed");
    assert_eq!(site.production(), published);
}

#[test]
fn a_hook_hears_of_its_branch_beside_names_in_any_encoding() {
    let site = Site::new("");
    let mut hook = Command::new(env!("CARGO_BIN_EXE_burgeon"))
        .args(["chain", "trigger", "digits", "--post-receive"])
        .env("BURGEON_CONFIG", site.at("server.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let commit = "0a".repeat(20);
    let mut lines = b"0 1 refs/heads/latin-\xfc\n".to_vec();
    lines.extend(format!("0 {commit} refs/heads/main\n").bytes());
    hook.stdin.take().unwrap().write_all(&lines).unwrap();
    let said = hook.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "queued build 1\n");
    // Not "no builds", which a mistyped name and the number of a build would look like.
    let status = site.burgeon(&["chain", "status", "1"]);
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    assert!(status.status.code() == Some(2) && said.contains("digits"), "{said}");
}

#[test]
fn a_push_that_nobody_told_of_is_found() {
    let mut site = Site::new("study = \"study.toml\"\npoll-seconds = 1\n");
    fs::remove_file(site.at("digits.git/hooks/post-receive")).unwrap();
    let commit = site.push(&[("study.toml", &study(0.3, 1))]);
    site.serve();
    let build = site.ended(1).remove(0);
    assert_eq!((&build["cause"], &build["commit"]), (&"poll".into(), &commit.into()));
    site.push(&[("study.toml", &study(0.3, 2))]);
    site.ended(2);
}

#[test]
fn a_running_build_is_cancelled_and_a_waiting_one_superseded() {
    let mut site = Site::new("study = \"study.toml\"");
    site.serve();
    let long = study(0.9999, 1).replace("epochs = 2", "epochs = 5000");
    site.push(&[("study.toml", &long)]);
    site.until(|builds| builds.iter().any(|build| !stage(build, "train").is_null()));
    site.push(&[("study.toml", &study(0.3, 2))]);
    site.push(&[("study.toml", &study(0.3, 3))]);
    let builds = site.until(|builds| builds.len() == 3);
    assert_eq!(
        (&builds[0]["state"], &builds[1]["verdict"]),
        (&"running".into(), &"superseded".into())
    );
    let output = site.burgeon(&["chain", "cancel", &builds[0]["id"].to_string()]);
    assert!(output.status.success());
    let builds = site.ended(3);
    let verdicts: Vec<&str> =
        builds.iter().map(|build| build["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["cancelled", "superseded", "accepted"]);
    site.mails(3);
    // What was stopped leaves no process behind.
    let left =
        Command::new("pgrep").args(["-f", site.at("state").to_str().unwrap()]).output().unwrap();
    let serving = site.service.as_ref().unwrap().id().to_string();
    let left: Vec<String> = String::from_utf8(left.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .filter(|pid| *pid != serving)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_second_service_on_the_same_folder_is_refused() {
    let mut site = Site::new("");
    site.serve();
    let output = site.burgeon(&["serve"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let wrong = Command::new(env!("CARGO_BIN_EXE_burgeon"))
        .args(["serve", "--config", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("/nowhere"));
}

#[test]
fn a_stop_is_quick_and_its_build_goes_on() {
    let mut site = Site::new("study = \"study.toml\"");
    site.serve();
    let slow = study(0.3, 1).replace("epochs = 2", "epochs = 300");
    site.push(&[("study.toml", &slow)]);
    site.until(|builds| builds.iter().any(|build| !stage(build, "train").is_null()));
    sleep(Duration::from_millis(700));
    let mut service = site.service.take().unwrap();
    let since = Instant::now();
    Command::new("kill").arg(service.id().to_string()).status().unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(143), "{}", site.log());
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
    let stopped = site.builds();
    assert_eq!(
        (&stopped[0]["state"], &stopped[0]["starts"]),
        (&"running".into(), &1.into()),
        "{stopped:#?}"
    );
    site.serve();
    let build = site.ended(1).remove(0);
    assert_eq!((&build["verdict"], &build["starts"]), (&"accepted".into(), &2.into()), "{build:#}");
}
