//! Tests of `job`.

use super::*;

/// A job of folders that exist.
pub fn job() -> Job {
    Job {
        label: "build-7/train".into(),
        image: "debian:12".into(),
        command: vec!["true".into()],
        environment: vec![("SEED".into(), "1".into())],
        checkout: "/usr".into(),
        output: "/tmp".into(),
        more_mounts: Vec::new(),
        user: (1000, 1000),
        limits: Limits {
            cpus: 1.5,
            memory_bytes: 1 << 30,
            processes: 64,
            seconds: Some(60),
            hang: HangLimits::default(),
        },
        network: false,
        gpus: Gpus::None,
    }
}

fn wrong(change: impl FnOnce(&mut Job)) -> String {
    let mut job = job();
    change(&mut job);
    job.check().unwrap_err().to_string()
}

#[test]
fn a_job_that_is_in_order_passes() {
    job().check().unwrap();
}

#[test]
fn labels_and_images_that_would_change_a_request_are_refused() {
    for label in ["", "a b", "a\nb", "ä", &"a".repeat(201)] {
        assert!(wrong(|job| job.label = label.into()).contains("a label has"), "{label:?}");
    }
    for image in ["", "/x", "a/../b", "a?b", "a b", "-x", "a//b", "a#b", "a%2e"] {
        let said = wrong(|job| job.image = image.into());
        assert!(said.contains("is not the name of an image"), "{image:?}: {said}");
    }
    for image in ["debian", "ghcr.io/a/b-c:1.2", "localhost:5000/a@sha256:00ff"] {
        assert!(is_image(image), "{image}");
    }
}

#[test]
fn limits_that_are_none_are_refused() {
    for cpus in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(wrong(|job| job.limits.cpus = cpus).contains("processors"));
    }
    assert!(wrong(|job| job.limits.memory_bytes = 0).contains("16 MiB"));
    assert!(wrong(|job| job.limits.memory_bytes = u64::MAX).contains("16 MiB"));
    assert!(wrong(|job| job.limits.processes = 0).contains("2 or more"));
    assert!(wrong(|job| job.limits.seconds = Some(0)).contains("1 or more"));
}

#[test]
fn mounts_that_are_not_there_or_would_cover_others_are_refused() {
    assert!(wrong(|job| job.checkout = "src".into()).contains("not an absolute path"));
    assert!(wrong(|job| job.output = "/does/not/exist".into()).contains("/does/not/exist"));
    assert!(wrong(|job| job.checkout = "/etc/passwd".into()).contains("is not a folder"));
    for target in ["data", "/", "/proc/1", "/a/../etc", "/tmp", "/tmp/", "/checkout", "/dev/shm"] {
        let mount = Mount { source: "/usr".into(), target: target.into(), read_only: true };
        let said = wrong(|job| job.more_mounts.push(mount));
        assert!(said.contains("not a place for a mount"), "{target}: {said}");
    }
    let mount = Mount { source: "/usr".into(), target: "/data".into(), read_only: true };
    let said = wrong(|job| job.more_mounts = vec![mount.clone(), mount]);
    assert!(said.contains("two mounts are at `/data`"), "{said}");
}

#[test]
fn an_environment_that_would_be_read_otherwise_is_refused() {
    for name in ["", "A=B", "A\0"] {
        let said = wrong(|job| job.environment.push((name.into(), "x".into())));
        assert!(said.contains("the environment variable"), "{said}");
    }
}
