//! A tiny image, and jobs that run a line of shell in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use burgeon::unstable::container::{Ended, Engine, Gpus, HangLimits, Job, LABEL, Limits};

/// Busybox and nothing else.
pub const IMAGE: &str = "burgeon-test/busybox:2";

/// What the tests here lack, if anything.
pub fn missing() -> Option<String> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let look = || {
        let engine = match Engine::connect(None) {
            Ok(engine) => engine,
            Err(error) => return Some(error.to_string()),
        };
        match engine.image_exists(IMAGE) {
            Ok(true) => None,
            Ok(false) => import().err(),
            Err(error) => Some(error.to_string()),
        }
    };
    MISSING.get_or_init(look).clone()
}

/// Makes the image of this machine's own busybox.
fn import() -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy("/bin/busybox", bin.join("busybox"))
        .map_err(|error| format!("no /bin/busybox (apt-get install busybox-static): {error}"))?;
    for program in
        ["sh", "echo", "sleep", "cat", "ls", "head", "tail", "id", "dd", "touch", "ps", "env"]
    {
        std::os::unix::fs::symlink("busybox", bin.join(program)).unwrap();
    }
    let mut tar = Command::new("tar")
        .args(["-C", folder.path().to_str().unwrap(), "-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("no tar: {error}"))?;
    let imported = Command::new("docker")
        .args(["import", "-", IMAGE])
        .stdin(tar.stdout.take().unwrap())
        .output()
        .map_err(|error| format!("no docker command: {error}"))?;
    tar.wait().unwrap();
    match imported.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&imported.stderr).into_owned()),
    }
}

/// Folders of a job, and what removes its container in the end.
pub struct Bench {
    pub engine: Engine,
    pub job: Job,
    folder: tempfile::TempDir,
}

impl Bench {
    /// A job of its own label that runs this line.
    pub fn new(name: &str, line: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let label = format!("test-{name}-{}", std::process::id());
        let job = job(&label, folder.path(), line);
        for folder in [&job.checkout, &job.output] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(job.checkout.join("file"), "from the checkout").unwrap();
        give(&job.output, job.user);
        Self { engine: Engine::connect(None).unwrap(), job, folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs it to its end.
    pub fn run(&self) -> (Ended, String) {
        self.run_while(&|| false)
    }

    /// Runs it until `stop` says so.
    pub fn run_while(&self, stop: &dyn Fn() -> bool) -> (Ended, String) {
        let mut output = Vec::new();
        let mut log = |bytes: &[u8]| output.extend_from_slice(bytes);
        let ended = self.engine.run(&self.job, &mut log, stop).unwrap();
        (ended, String::from_utf8_lossy(&output).into_owned())
    }

    pub fn error(&self) -> String {
        self.engine.run(&self.job, &mut |_| (), &|| false).unwrap_err().to_string()
    }

    /// A file that the program wrote.
    pub fn written(&self, name: &str) -> PathBuf {
        self.job.output.join(name)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.engine.remove(&self.job.label);
    }
}

/// Whom programs run as: nobody of this machine, or, without root, the engine's own user, whom a container without root
/// knows as its root.
pub fn user() -> (u32, u32) {
    if is_root() { (12345, 54321) } else { (0, 0) }
}

pub fn is_root() -> bool {
    let process = std::fs::metadata("/proc/self").unwrap();
    std::os::unix::fs::MetadataExt::uid(&process) == 0
}

/// Makes a folder a user's, as far as this process may.
pub fn give(folder: &Path, (user, group): (u32, u32)) {
    if is_root() {
        std::os::unix::fs::chown(folder, Some(user), Some(group)).unwrap();
    }
}

/// A job in a folder that has a checkout and an output.
pub fn job(label: &str, folder: &Path, line: &str) -> Job {
    Job {
        label: label.into(),
        image: IMAGE.into(),
        command: ["sh", "-c", line].map(String::from).to_vec(),
        environment: vec![("COLOUR".into(), "blue".into())],
        checkout: folder.join("checkout"),
        output: folder.join("output"),
        more_mounts: Vec::new(),
        user: user(),
        limits: Limits {
            cpus: 1.0,
            memory_bytes: 64 << 20,
            processes: 16,
            seconds: Some(60),
            hang: HangLimits::default(),
        },
        network: false,
        gpus: Gpus::None,
    }
}

/// The containers of a label, as the engine's own command counts them.
pub fn containers_of(label: &str) -> usize {
    docker(&["ps", "-aq", "--filter", &format!("label={LABEL}={label}")]).lines().count()
}

/// Runs the engine's own command.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
