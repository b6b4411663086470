//! Repositories of all kinds, hostile ones among them, fetched from a real Git.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::git::{Checkout, Git, GitError};
use super::tree::TreeError;
use super::url::GitUrl;

/// A bare repository, and where it is checked out.
struct Site {
    folder: tempfile::TempDir,
    submodules: bool,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), submodules: false };
        site.git(&["init", "-q", "-b", "main", "work"], ".");
        site.git(&["init", "-q", "--bare", "-b", "main", "served.git"], ".");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn git(&self, args: &[&str], folder: &str) -> String {
        let mut command = Command::new("git");
        command
            .current_dir(self.path(folder))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args([
                "-c",
                "user.name=Ann",
                "-c",
                "user.email=ann@example.org",
                "-c",
                "protocol.file.allow=always",
            ])
            .args(args)
            .stderr(Stdio::inherit());
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, file: &str, content: &[u8]) {
        let path = self.path("work").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits all that is in the working tree and pushes it; the commit's name.
    fn push(&self, message: &str) -> String {
        self.git(&["add", "-A"], "work");
        self.git(&["commit", "-q", "--allow-empty", "-m", message], "work");
        self.git(&["push", "-q", "-f", "../served.git", "main"], "work");
        self.git(&["rev-parse", "HEAD"], "work")
    }

    /// A tree that is made by hand, as no honest Git would; lines as of `git mktree`.
    fn tree(&self, lines: &str) -> String {
        use std::io::Write as _;
        let mut made = Command::new("git")
            .current_dir(self.path("served.git"))
            .args(["mktree", "--missing"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        made.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        String::from_utf8(made.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    }

    /// Pushes a commit of such a tree.
    fn push_tree(&self, lines: &str) -> String {
        let commit = self.git(&["commit-tree", &self.tree(lines), "-m", "by hand"], "served.git");
        self.git(&["update-ref", "refs/heads/main", &commit], "served.git");
        commit
    }

    fn blob(&self, content: &str) -> String {
        std::fs::write(self.path("blob"), content).unwrap();
        self.git(&["hash-object", "-w", "../blob"], "served.git")
    }

    fn check_out_with(&self, commit: Option<&str>, megabytes: u32) -> Result<Checkout, GitError> {
        let url = GitUrl::try_from(self.path("served.git").to_str().unwrap().to_owned()).unwrap();
        let kept = self.path("state/kept.git");
        let git = Git {
            url: &url,
            branch: "main",
            kept: &kept,
            megabytes,
            submodules: self.submodules,
            stop: &|| false,
        };
        let commit = match commit {
            Some(commit) => commit.to_owned(),
            None => git.newest()?,
        };
        git.check_out(&commit, &self.path("state/checkout"))
    }

    fn check_out(&self) -> Result<Checkout, GitError> {
        self.check_out_with(None, 50)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path("state/checkout").join(file)).unwrap()
    }

    /// Nothing but the service's own folder has changed beside the repositories.
    fn is_untouched(&self) -> bool {
        let mut names: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "blob")
            .collect();
        names.sort();
        names == ["served.git", "state", "work"]
    }
}

#[test]
fn a_commit_is_checked_out_with_its_author_and_message() {
    let site = Site::new();
    site.write("study.toml", b"[model]\n");
    site.write("src/ein ä\n.py", b"x");
    let first = site.push("First: <b>\u{1b}[1m words");
    site.write("study.toml", b"[model]\nlayers = []\n");
    let second = site.push("second");
    let checkout = site.check_out().unwrap();
    assert_eq!((checkout.commit.as_str(), checkout.author.as_str()), (second.as_str(), "Ann"));
    assert_eq!(site.read("study.toml"), "[model]\nlayers = []\n");
    assert!(!site.path("state/checkout/.git").exists());
    // An older one is fetched by its name, and takes the place of what was there.
    let checkout = site.check_out_with(Some(&first), 50).unwrap();
    assert_eq!((checkout.message.as_str(), checkout.tree.files), ("First: <b> [1m words", 2));
    assert_eq!(site.read("study.toml"), "[model]\n");
}

#[test]
fn what_is_not_there_is_said() {
    let site = Site::new();
    let error = site.check_out().unwrap_err();
    assert!(matches!(error, GitError::NoBranch { .. }), "{error}");
    site.push("one");
    let error = site.check_out_with(Some(&"0a".repeat(20)), 50).unwrap_err();
    assert!(error.to_string().contains("does not contain the commit"), "{error}");
    std::fs::remove_dir_all(site.path("served.git")).unwrap();
    let error = site.check_out().unwrap_err();
    assert!(error.to_string().contains("git ls-remote failed"), "{error}");
    assert!(error.to_string().contains("does not appear to be a git repository"), "{error}");
}

#[test]
fn symbolic_links_become_files_and_lead_nowhere() {
    let site = Site::new();
    std::fs::write(site.path("work/../secret"), "canary").unwrap();
    symlink("/etc/passwd", site.path("work/passwd")).unwrap();
    symlink("../secret", site.path("work/up")).unwrap();
    symlink("..", site.path("work/folder")).unwrap();
    site.push("links");
    std::fs::remove_file(site.path("secret")).unwrap();
    let checkout = site.check_out().unwrap();
    assert_eq!(checkout.tree.links, 3);
    for (name, target) in [("passwd", "/etc/passwd"), ("up", "../secret"), ("folder", "..")] {
        assert!(!site.path("state/checkout").join(name).is_symlink());
        assert_eq!(site.read(name), target);
    }
    assert!(site.is_untouched());
}

#[test]
fn nothing_that_a_repository_holds_is_run() {
    let site = Site::new();
    let touch = format!("touch {}", site.path("ran").display());
    // Hooks, filters, attributes, settings, of the repository and of the one that it is fetched from.
    site.write(
        ".gitattributes",
        b"* filter=evil ident merge=evil diff=evil working-tree-encoding=UTF-8\n",
    );
    site.write(
        ".gitconfig",
        format!("[filter \"evil\"]\nsmudge = {touch}\nclean = {touch}\n").as_bytes(),
    );
    site.write(".lfsconfig", b"[lfs]\nurl = http://127.0.0.1:9/\n");
    site.write("hooks/post-checkout", format!("#!/bin/sh\n{touch}\n").as_bytes());
    site.push("settings");
    for hook in [
        "post-checkout",
        "pre-receive",
        "post-update",
        "reference-transaction",
        "post-index-change",
    ] {
        let path = site.path("served.git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    site.check_out().unwrap();
    assert!(site.is_untouched(), "something ran");
}

#[test]
fn submodules_are_left_out_wherever_they_lead() {
    let site = Site::new();
    for url in
        ["file:///etc", "ext::sh -c touch% ran", "--upload-pack=touch ran", "../../secret", "-u./x"]
    {
        let text = format!("[submodule \"m\"]\n\tpath = m\n\turl = {url}\n");
        let file = site.blob(&text);
        let lines =
            format!("100644 blob {file}\t.gitmodules\n160000 commit {}\tm\n", "0a".repeat(20));
        site.push_tree(&lines);
        match site.check_out() {
            Ok(checkout) => assert_eq!(checkout.tree.submodules, 1, "{url}"),
            // Git itself refuses some of these addresses.
            Err(error) => assert!(error.to_string().contains("git fetch failed"), "{url}: {error}"),
        }
        assert!(site.is_untouched(), "{url}");
    }
}

#[test]
fn submodules_come_along_where_that_is_asked_for() {
    let mut site = Site::new();
    site.submodules = true;
    site.git(&["init", "-q", "-b", "main", "../library"], "work");
    std::fs::write(site.path("library/code.py"), "x = 1\n").unwrap();
    site.git(&["add", "-A"], "library");
    site.git(&["commit", "-q", "-m", "library"], "library");
    let commit = site.git(&["rev-parse", "HEAD"], "library");
    let named = |url: &str| {
        let file = site.blob(&format!("[submodule \"m\"]\n\tpath = libs\n\turl = {url}\n"));
        site.push_tree(&format!("100644 blob {file}\t.gitmodules\n160000 commit {commit}\tlibs\n"));
        site.check_out()
    };
    named("../library").unwrap();
    assert_eq!(site.read("libs/code.py"), "x = 1\n");
    for url in ["/etc", "../../library", "file:///etc", "ext::sh -c x"] {
        let error = named(url).unwrap_err();
        assert!(
            matches!(error, GitError::Submodule { .. } | GitError::Failed { .. }),
            "{url}: {error}"
        );
    }
}

#[test]
fn a_repository_of_which_some_submodules_would_be_left_out_is_refused() {
    let mut site = Site::new();
    let commit = site.push_tree(&format!("100644 blob {}\tcode.py\n", site.blob("x = 1\n")));
    let lines = (0..51).map(|module| format!("160000 commit {commit}\tlib-{module:02}\n"));
    site.push_tree(&lines.collect::<String>());
    assert_eq!(site.check_out().unwrap().tree.submodules, 51);
    site.submodules = true;
    let error = site.check_out().unwrap_err();
    assert!(matches!(error, GitError::Submodules { read: 50, all: 51 }), "{error}");
}

#[test]
fn a_submodule_removes_no_folder_of_the_repository_and_counts_against_its_limit() {
    let mut site = Site::new();
    site.submodules = true;
    site.git(&["init", "-q", "-b", "main", "../library"], "work");
    std::fs::write(site.path("library/zeros"), vec![0; 700_000]).unwrap();
    site.git(&["add", "-A"], "library");
    site.git(&["commit", "-q", "-m", "library"], "library");
    let commit = site.git(&["rev-parse", "HEAD"], "library");
    let named = site.blob("[submodule \"m\"]\n\tpath = libs\n\turl = ../library\n");
    let file = site.blob("y = 2\n");
    let (own, index) = (site.tree(&format!("100644 blob {file}\tcode.py\n")), site.blob("z = 3\n"));
    let lines = |zeros: usize| {
        let zeros = site.blob(&"0".repeat(zeros));
        format!(
            "100644 blob {named}\t.gitmodules\n160000 commit {commit}\tlibs\n040000 tree {own}\tlibs.new\n\
             100644 blob {index}\tlibs.index\n100644 blob {zeros}\tzeros\n"
        )
    };
    site.push_tree(&lines(10));
    site.check_out_with(None, 1).unwrap();
    assert_eq!(site.read("libs.new/code.py"), "y = 2\n");
    assert_eq!(site.read("libs.index"), "z = 3\n");
    assert_eq!(site.read("libs/zeros").len(), 700_000);
    site.push_tree(&lines(700_000));
    let error = site.check_out_with(None, 1).unwrap_err();
    assert!(matches!(error, GitError::Tree(TreeError::Bytes { .. })), "{error}");
    let mut left: Vec<_> = std::fs::read_dir(site.path("state")).unwrap().flatten().collect();
    left.retain(|entry| entry.file_name() == "submodule");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn paths_that_lead_outside_are_refused() {
    let site = Site::new();
    let file = site.blob("evil");
    let inner = |name: &str| site.tree(&format!("100644 blob {file}\t{name}\n"));
    let (config, plain) = (inner("config"), inner("evil"));
    for lines in [
        format!("040000 tree {config}\t.git\n"),
        format!("040000 tree {config}\t.GIT\n"),
        format!("040000 tree {config}\tgit~1\n"),
        format!("040000 tree {config}\t.g\u{200c}it\n"),
        format!("040000 tree {plain}\t..\n"),
        format!("040000 tree {plain}\t.\n"),
    ] {
        site.push_tree(&lines);
        let error = site.check_out().unwrap_err();
        assert!(matches!(error, GitError::Failed { .. } | GitError::Tree(_)), "{lines}: {error}");
        assert!(!site.path("state/checkout").exists() && site.is_untouched(), "{lines}");
    }
}

#[test]
fn a_name_that_is_an_option_is_a_name() {
    let site = Site::new();
    let file = site.blob("x");
    site.push_tree(&format!("100644 blob {file}\t--output=ran\n100644 blob {file}\t-rf\n"));
    assert_eq!(site.check_out().unwrap().tree.files, 2);
    assert_eq!(site.read("--output=ran"), "x");
    assert!(site.is_untouched());
}

#[test]
fn what_is_too_large_is_refused_before_it_is_written() {
    let site = Site::new();
    // Packs to next to nothing.
    site.write("zeros.bin", &vec![0; 3 << 20]);
    site.push("a bomb");
    let error = site.check_out_with(None, 2).unwrap_err();
    assert!(matches!(error, GitError::Tree(TreeError::Bytes { .. })), "{error}");
    assert!(!site.path("state/checkout").exists());
    assert!(site.check_out_with(None, 5).is_ok());
}

#[test]
fn what_earlier_commits_left_does_not_count_against_the_limit() {
    let site = Site::new();
    let mut state = 1_u64;
    for message in ["one", "two", "three"] {
        // Cannot be compressed.
        let noise: Vec<u8> = (0..600_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        site.write("noise.bin", &noise);
        site.push(message);
        site.check_out_with(None, 1).unwrap();
    }
    site.write("more.bin", &vec![7; 2 << 20]);
    assert!(site.check_out_with(Some(&site.push("four")), 1).is_err());
}

#[test]
fn a_tree_of_trees_that_never_ends_is_refused() {
    let site = Site::new();
    let file = site.blob("x");
    let mut lines: String = (0..10).map(|name| format!("100644 blob {file}\t{name}\n")).collect();
    for level in 0..9 {
        let tree = site.tree(&lines);
        lines = (0..10).map(|name| format!("040000 tree {}\t{level}{name}\n", tree)).collect();
    }
    site.push_tree(&lines);
    let error = site.check_out().unwrap_err();
    assert!(matches!(error, GitError::Tree(TreeError::Files { .. })), "{error}");
}

#[test]
fn paths_without_end_are_refused() {
    let site = Site::new();
    site.write(&format!("{}file", "d/".repeat(100)), b"x");
    site.push("deep");
    let error = site.check_out().unwrap_err();
    assert!(matches!(error, GitError::Tree(TreeError::Path { .. })), "{error}");
    assert!(!Path::new(&site.path("state/checkout")).exists());
}

#[test]
fn a_fetch_that_was_killed_does_not_hold_up_the_next() {
    let site = Site::new();
    site.push("one");
    site.check_out().unwrap();
    for lock in ["shallow.lock", "config.lock", "packed-refs.lock"] {
        std::fs::write(site.path("state/kept.git").join(lock), "").unwrap();
    }
    std::fs::create_dir_all(site.path("state/checkout.new/half")).unwrap();
    site.write("more", b"x");
    let second = site.push("two");
    assert_eq!(site.check_out().unwrap().commit, second);
}
