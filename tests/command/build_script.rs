//! What `build.rs` finds out about the commit that is built, in a checkout, a package, an archive, and sources that
//! merely lie inside of another repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    fn compiled() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/build.rs");
        let program = folder.path().join("build");
        let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
        let mut command = Command::new(rustc);
        command.args(["--edition", "2024", "-o"]).arg(&program).arg(source);
        assert!(command.status().unwrap().success());
        Self { folder }
    }

    fn sources(&self, name: &str) -> PathBuf {
        let sources = self.folder.path().join(name);
        fs::create_dir_all(&sources).unwrap();
        sources
    }

    /// The commit and whether it was changed, for sources in this folder.
    fn told(&self, sources: &Path, profile: &str, given: &str) -> [String; 2] {
        self.told_in(&package(sources), profile, given)
    }

    /// The same, for the package in this folder.
    fn told_in(&self, package: &Path, profile: &str, given: &str) -> [String; 2] {
        let mut command = Command::new(self.folder.path().join("build"));
        command.env("CARGO_MANIFEST_DIR", package).env("PROFILE", profile);
        command.env("TARGET", "here").env("RUSTC", "rustc").env("BURGEON_COMMIT", given);
        let output = command.current_dir(package).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        ["COMMIT", "DIRTY"].map(|name| {
            let start = format!("cargo:rustc-env=BURGEON_BUILD_{name}=");
            text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
        })
    }
}

/// Where in the sources the package is that is built by it.
fn package(sources: &Path) -> PathBuf {
    let package = sources.join("crates/core");
    fs::create_dir_all(&package).unwrap();
    package
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
    let mut command = Command::new("git");
    let output = command.current_dir(folder).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_commit_is_that_of_the_sources_and_of_no_repository_around_them() {
    let script = Script::compiled();
    let unknown = [String::new(), String::new()];
    let around = script.sources("around");
    assert_eq!(script.told(&around, "release", ""), unknown, "no repository");

    git(&around, &["init", "-q"]);
    fs::write(around.join("file"), "1").unwrap();
    git(&around, &["add", "."]);
    git(&around, &["commit", "-q", "-m", "one"]);
    let head = git(&around, &["rev-parse", "HEAD"]);
    assert_eq!(script.told(&around, "release", ""), [head.clone(), "false".into()]);
    fs::write(around.join("file"), "2").unwrap();
    assert_eq!(script.told(&around, "release", ""), [head, "true".into()]);
    let vendored = script.sources("around/vendor/burgeon-core");
    assert_eq!(script.told_in(&vendored, "release", ""), unknown, "the repository is another's");
    assert_eq!(
        script.told(&around, "debug", ""),
        unknown,
        "or it would be compiled anew each time"
    );

    let inside = script.sources("around/unpacked");
    assert_eq!(script.told(&inside, "release", ""), unknown, "it is no part of that repository");
    let archived = inside.join(".git-archive-commit");
    fs::write(&archived, "$Format:%H$\n").unwrap();
    assert_eq!(script.told(&inside, "release", ""), unknown);
    fs::write(&archived, format!("{COMMIT}\n")).unwrap();
    assert_eq!(script.told(&inside, "release", ""), [COMMIT.into(), String::new()]);
    let packaged = package(&inside).join(".cargo_vcs_info.json");
    let other = "f".repeat(40);
    for (dirty, told) in [("", "false"), (",\n  \"dirty\": true", "true")] {
        let info = format!(
            "{{\n  \"git\": {{\n  \"sha1\": \"{other}\"{dirty}\n}},\n\"path_in_vcs\": \"\"\n}}"
        );
        fs::write(&packaged, info).unwrap();
        assert_eq!(script.told(&inside, "release", ""), [other.clone(), told.into()]);
    }
    fs::write(&packaged, "{\"git\":{\"sha1\":\"$(rm)\"}}").unwrap();
    assert_eq!(script.told(&inside, "release", "")[0], COMMIT, "what is no hash is passed over");
    assert_eq!(script.told(&inside, "debug", &other), [other, String::new()], "as it was said");
}

#[test]
fn an_archive_of_the_repository_names_its_commit() {
    let script = Script::compiled();
    let repository = script.sources("repository");
    let attributes = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gitattributes");
    fs::copy(attributes, repository.join(".gitattributes")).unwrap();
    fs::write(repository.join(".git-archive-commit"), "$Format:%H$\n").unwrap();
    git(&repository, &["init", "-q"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "one"]);
    git(&repository, &["archive", "-o", "../archive.tar", "HEAD"]);
    let unpacked = script.sources("unpacked");
    let mut tar = Command::new("tar");
    assert!(tar.args(["-xf", "../archive.tar"]).current_dir(&unpacked).status().unwrap().success());
    let head = git(&repository, &["rev-parse", "HEAD"]);
    assert_eq!(script.told(&unpacked, "release", ""), [head, String::new()]);
}
