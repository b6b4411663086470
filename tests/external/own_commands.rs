//! The commands of `examples/cluster` that hand trials to other machines: ssh for real, with a server of the test's own on this
//! machine, and Kubernetes behind a program that stands in for kubectl.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::skipping::{Group, tests};
use crate::support::{Bench, End, GROWING, expect_code, stdout};

const SSHD: &str = "/usr/sbin/sshd";

pub fn ssh_group() -> Group {
    let is_there = Path::new(SSHD).exists();
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let missing = match (is_there, root) {
        (false, _) => Some(format!("{SSHD} is not there (apt-get install openssh-server)")),
        (true, false) => Some("a server for ssh needs root here".into()),
        (true, true) => None,
    };
    Group {
        name: "own_commands",
        missing,
        tests: tests![trials_over_ssh_end_with_the_same_bits_as_in_one_process],
    }
}

pub fn kubernetes_group() -> Group {
    Group {
        name: "own_commands",
        missing: None,
        tests: tests![trials_as_kubernetes_jobs_end_with_the_same_bits_as_in_one_process],
    }
}

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Two trials at a time, all of which are trained to their ends.
fn study() -> String {
    let tune = "[tune]\njobs = 2\ngoal = \"best\"\nparameters = 3000\ntrials = 5\n";
    GROWING.replace("[tune]\ntrials = 6\n", tune).replace("train = 1200", "train = 300")
}

/// The study, by a script of the examples.
fn bench(script: &str) -> Bench {
    let script = of_repository("examples/cluster").join(script);
    let call = |what: &str| format!("{what} = \"sh {} {what}\"\n", script.display());
    let calls: String = ["submit", "state", "cancel"].map(call).concat();
    let study = study();
    Bench::with_study(&format!("{study}[run]\nvisibility = 2\n[run.on.command]\n{calls}"))
}

/// The nodes that the status of the run names must be these.
fn expect_the_same(bench: &Bench, nodes: &[&str]) {
    let alone = Bench::with_study(&study());
    expect_code(&alone.burgeon(&["tune", "study.toml"]), 0);
    assert!(End::of(&bench.run()) == End::of(&alone.run()), "other bits");
    let status = bench.burgeon(&["status", bench.run().to_str().unwrap()]);
    let status = stdout(&status);
    for node in nodes {
        assert!(status.contains(&format!(" {node} ")), "{node}: {status}");
    }
}

/// A server that is gone with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn trials_over_ssh_end_with_the_same_bits_as_in_one_process() {
    let bench = bench("ssh.sh");
    let at = |name: &str| bench.path().join(name);
    for key in ["host", "user"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at(key))
            .status();
        assert!(made.unwrap().success());
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nPidFile none\n",
        at("host").display(),
        at("user.pub").display(),
    );
    fs::write(at("sshd_config"), server).unwrap();
    fs::create_dir_all("/run/sshd").unwrap();
    let mut server = Command::new(SSHD);
    server.args(["-D", "-e", "-f"]).arg(at("sshd_config"));
    server.stderr(fs::File::create(at("sshd.log")).unwrap());
    let _server = Server(server.spawn().unwrap());
    // Two machines, which are this one.
    let client = format!(
        "Host alpha beta\nHostName 127.0.0.1\nPort {port}\nUser root\nIdentityFile {}\nStrictHostKeyChecking no\n\
         UserKnownHostsFile /dev/null\nLogLevel ERROR\n",
        at("user").display()
    );
    fs::write(at("ssh_config"), client).unwrap();
    let ssh = format!("ssh -F {} -o BatchMode=yes", at("ssh_config").display());
    let answers = || {
        let mut hello = Command::new("sh");
        hello
            .args(["-c", &format!("{ssh} beta true")])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    if !(0..50).any(|_| {
        answers() || {
            std::thread::sleep(Duration::from_millis(100));
            false
        }
    }) {
        panic!("no ssh: {}", fs::read_to_string(at("sshd.log")).unwrap());
    }
    let mut tune = bench.command(&["tune", "study.toml"]);
    tune.env("JOBS_HOSTS", "alpha beta").env("JOBS_SSH", &ssh).env("JOBS_DIR", at("jobs"));
    expect_code(&tune.output().unwrap(), 0);
    expect_the_same(&bench, &["alpha", "beta"]);
}

fn trials_as_kubernetes_jobs_end_with_the_same_bits_as_in_one_process() {
    let bench = bench("kubernetes.sh");
    let (programs, jobs) = (bench.path().join("programs"), bench.path().join("cluster"));
    fs::create_dir(&programs).unwrap();
    fs::create_dir(&jobs).unwrap();
    let kubectl = programs.join("kubectl");
    fs::copy(of_repository("tests/external/kubectl.sh"), &kubectl).unwrap();
    fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut tune = bench.command(&["tune", "study.toml"]);
    expect_code(&tune.env("PATH", path).env("KUBECTL", &jobs).output().unwrap(), 0);
    expect_the_same(&bench, &["pod-host"]);
    // What a real cluster is told.
    let manifests: Vec<PathBuf> =
        fs::read_dir(&jobs).unwrap().map(|entry| entry.unwrap().path()).collect();
    let manifest = manifests.iter().find(|path| path.extension().is_none()).unwrap();
    let manifest = fs::read_to_string(manifest).unwrap();
    for said in [
        "kind: Job",
        "backoffLimit: 0",
        "restartPolicy: Never",
        "cpu: \"1\"",
        "claimName: \"burgeon\"",
    ] {
        assert!(manifest.contains(said), "{said}: {manifest}");
    }
}
