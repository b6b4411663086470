//! A service whose repositories train on the cluster: its page shows what became of each trial's job.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::study;

/// Ends with this value.
struct Service {
    process: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

impl Service {
    fn start(folder: &Path, cluster: &Cluster) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_burgeon"))
            .args(["serve", "--config", "server.toml"])
            .current_dir(folder)
            .env("SLURM_CONF", cluster.conf())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("service.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap_or_else(|| panic!("{line}"));
        let ends = |character: char| character == '/' || character.is_whitespace();
        let address = address.split(ends).next().unwrap().to_owned();
        Self { process, address }
    }

    fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"];
    let done = Command::new("git").args(who).args(arguments).current_dir(folder).status().unwrap();
    assert!(done.success(), "{arguments:?}");
}

pub fn the_service_trains_on_the_cluster_and_its_page_shows_the_jobs() {
    let cluster = Cluster::start(3);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    git(folder, &["init", "--quiet", "--initial-branch", "main", "work"]);
    fs::write(folder.join("work/study.toml"), study("grow", 6)).unwrap();
    git(&folder.join("work"), &["add", "study.toml"]);
    git(&folder.join("work"), &["commit", "--quiet", "--message", "a study"]);
    // A [run] of the repository's own does not count; the service's does.
    let config = format!(
        "listen = \"127.0.0.1:0\"\nfolder = \"state\"\n[[repository]]\nname = \"digits\"\nurl = \"{}\"\npoll-seconds = 1\n\
         run = {{ on = \"slurm\", partition = \"low\", visibility = 2 }}\n",
        folder.join("work").display()
    );
    fs::write(folder.join("server.toml"), config).unwrap();
    let service = Service::start(folder, &cluster);
    let began = Instant::now();
    let (mut page, mut was_running) = (String::new(), false);
    while !page.contains("Build this commit again") {
        let log = fs::read_to_string(folder.join("service.log")).unwrap();
        assert!(began.elapsed() < Duration::from_secs(300), "{page}\n{log}");
        std::thread::sleep(Duration::from_millis(300));
        page = service.page("/builds/1");
        was_running |= page.contains("Jobs on the cluster") && page.contains("<td>running");
    }
    assert!(was_running, "no job was shown while it ran");
    assert!(page.contains("accepted") || page.contains("not passed"), "{page}");
    for said in ["Jobs on the cluster", "<td>n1</td>", "<td>finished</td>", "Total node time"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let report = fs::read_to_string(folder.join("state/builds/1/runs/growing-0001/report.html"));
    let report = report.unwrap();
    assert!(report.contains("6 jobs held nodes for") && report.contains("Node n1: "), "{report}");
}
