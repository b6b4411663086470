//! Tells the program which commit it was built from, where there is one to tell of.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/index");
    let commit = git(&["rev-parse", "HEAD"]).unwrap_or_default();
    let dirty = git(&["status", "--porcelain", "--untracked-files=no"]);
    let dirty = dirty.map_or("", |changes| if changes.is_empty() { "false" } else { "true" });
    println!("cargo:rustc-env=BURGEON_BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=BURGEON_BUILD_DIRTY={dirty}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
