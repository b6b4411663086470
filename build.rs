//! Tells the program which commit it was built from, where there is one to tell of.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Builds for trying something do not compile the crate again for every commit.
    let tells = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    for watched in ["HEAD", "index"].iter().filter(|_| tells) {
        // In a linked worktree `.git` is a file, and these lie elsewhere.
        if let Some(path) = git(&["rev-parse", "--git-path", watched]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let told = |arguments: &[&str]| git(arguments).filter(|_| tells);
    let commit = told(&["rev-parse", "HEAD"]).unwrap_or_default();
    let dirty = told(&["status", "--porcelain", "--untracked-files=no"]);
    let dirty = dirty.map_or("", |changes| if changes.is_empty() { "false" } else { "true" });
    println!("cargo:rustc-env=BURGEON_BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=BURGEON_BUILD_DIRTY={dirty}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
