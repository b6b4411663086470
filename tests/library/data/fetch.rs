//! Downloads from servers that behave, and from those that don't.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{gzipped, sha256, small_set, some_images};
use crate::mnist_files::NAMES;
use crate::server::{Server, send, serve};
use burgeon::unstable::data::fetch::{FetchLimits, fetch, fetch_onto};
use burgeon::unstable::data::{DataError, Progress};
use burgeon::unstable::sys::faults::{Fault, FaultKind, FaultyFiles, OnCrash};
use burgeon::unstable::sys::files::{Files, RealFiles};
use tempfile::TempDir;

/// Serves the small set, gzipped.
fn good() -> Server {
    let files = small_set().map(|content| gzipped(&content));
    serve(move |name, stream| {
        let index = NAMES.iter().position(|known| name == format!("{known}.gz"));
        send(stream, &files[index.unwrap()])
    })
}

fn impatient() -> FetchLimits {
    FetchLimits {
        connect_time_max: Duration::from_secs(2),
        silence_time_max: Duration::from_millis(300),
        body_time_max: Duration::from_secs(5),
        download_bytes_max: 1 << 20,
        inflated_bytes_max: 1 << 20,
    }
}

fn fetch_small(dir: &Path, mirrors: &[&Server]) -> Result<Vec<String>, DataError> {
    let mirrors: Vec<String> = mirrors.iter().map(|server| server.address.clone()).collect();
    let hashes = small_set().map(|content| sha256(&content));
    fetch(dir, &mirrors, &hashes.each_ref().map(String::as_str), impatient(), &mut |_| {})
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A server that does not deliver: the error says so, nothing is left behind, and the next mirror is asked.
fn assert_passed_over(bad: &Server, reason: &str) {
    let dir = TempDir::new().unwrap();
    let error = fetch_small(dir.path(), &[bad]).unwrap_err().to_string();
    assert!(error.contains(reason) && error.contains(&bad.address), "{error}");
    assert_eq!(names_in(dir.path()), Vec::<String>::new());

    let good = good();
    let asked_before = bad.requests.load(Ordering::Relaxed);
    let addresses = fetch_small(dir.path(), &[bad, &good]).unwrap();
    assert!(addresses.iter().all(|address| address.starts_with(&good.address)), "{addresses:?}");
    assert_eq!(names_in(dir.path()).len(), 4);
    let asked = bad.requests.load(Ordering::Relaxed) - asked_before;
    assert!(asked <= 1, "a mirror that failed was asked {asked} times");
}

#[test]
fn files_arrive_verified_and_are_not_fetched_twice() {
    let (dir, server) = (TempDir::new().unwrap(), good());
    let cache = dir.path().join("deep/cache");
    assert_eq!(fetch_small(&cache, &[&server]).unwrap().len(), 4);
    let mut expected = NAMES.map(|name| format!("{name}.gz"));
    expected.sort();
    assert_eq!(names_in(&cache), expected);
    assert_eq!(fetch_small(&cache, &[&server]).unwrap(), Vec::<String>::new());
    assert_eq!(server.requests.load(Ordering::Relaxed), 4);
}

#[test]
fn what_a_killed_download_left_is_removed_by_the_next_one_and_nothing_else() {
    let (dir, server) = (TempDir::new().unwrap(), good());
    let left = [format!(".tmp-{}-4711-0", NAMES[0]), format!(".tmp-{}-1-12", NAMES[3])];
    let others = [".tmp-notes", ".tmp-train-images-idx3-ubyte", ".tmp-t10k-labels-idx1-ubyte-x-1"];
    for name in left.iter().map(String::as_str).chain(others) {
        fs::write(dir.path().join(name), b"half").unwrap();
    }
    fetch_small(dir.path(), &[&server]).unwrap();
    let names = names_in(dir.path());
    assert!(left.iter().all(|name| !names.contains(name)), "{names:?}");
    assert!(others.iter().all(|name| names.iter().any(|found| found == name)), "{names:?}");
}

#[test]
fn a_download_leaves_those_beside_it_alone() {
    let (dir, server) = (TempDir::new().unwrap(), good());
    let partials = || names_in(dir.path()).into_iter().filter(|name| name.starts_with(".tmp-"));
    // While the first one downloads, a second begins and ends.
    let begun = AtomicUsize::new(0);
    let hashes = small_set().map(|content| sha256(&content));
    let mut progress = |progress: Progress<'_>| {
        if let Progress::Downloading { received: 1.., .. } = progress
            && begun.fetch_add(1, Ordering::Relaxed) == 0
        {
            assert_eq!(partials().count(), 1);
            fetch_small(dir.path(), &[&server]).unwrap();
            assert_eq!(partials().count(), 1, "the first one's file is still there");
        }
    };
    let mirrors = [server.address.clone()];
    let hashes = hashes.each_ref().map(String::as_str);
    fetch(dir.path(), &mirrors, &hashes, impatient(), &mut progress).unwrap();
    assert!(begun.load(Ordering::Relaxed) > 0);
    assert_eq!(partials().count(), 0);
}

#[test]
fn a_damaged_file_in_the_cache_is_replaced() {
    let (dir, server) = (TempDir::new().unwrap(), good());
    fetch_small(dir.path(), &[&server]).unwrap();
    fs::write(dir.path().join(NAMES[1]), b"not labels").unwrap();
    assert_eq!(fetch_small(dir.path(), &[&server]).unwrap().len(), 1);
    assert_eq!(names_in(dir.path()).len(), 4);
    assert_eq!(fetch_small(dir.path(), &[&server]).unwrap().len(), 0);
}

#[test]
fn files_that_a_mirror_serves_inflated_are_right_too() {
    let files = small_set();
    let server = serve(move |name, stream| {
        send(stream, &files[NAMES.iter().position(|known| name == format!("{known}.gz")).unwrap()])
    });
    let dir = TempDir::new().unwrap();
    fetch_small(dir.path(), &[&server]).unwrap();
    let mut expected = NAMES;
    expected.sort_unstable();
    assert_eq!(names_in(dir.path()), expected);
}

#[test]
fn a_file_of_other_content_is_refused() {
    let other = gzipped(&some_images(20, 6, 6));
    let server = serve(move |_, stream| send(stream, &other));
    assert_passed_over(&server, "not the published");
}

#[test]
fn an_error_page_is_refused() {
    assert_passed_over(
        &serve(|_, stream| send(stream, b"<html>log in first</html>")),
        "is not the expected file",
    );
}

#[test]
fn a_missing_file_is_passed_over() {
    let server = serve(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    assert_passed_over(&server, "404");
}

#[test]
fn a_transfer_that_breaks_off_is_passed_over() {
    let server = serve(|_, stream| {
        let body = gzipped(&small_set()[0]);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body[..body.len() / 2])
    });
    assert_passed_over(&server, "interrupted");
}

#[test]
fn a_whole_transfer_of_half_a_file_is_refused() {
    let server = serve(|_, stream| {
        let body = gzipped(&small_set()[0]);
        send(stream, &body[..body.len() / 2])
    });
    assert_passed_over(&server, "is not the expected file");
}

#[test]
fn an_endless_body_is_cut_off() {
    let server = serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            stream.write_all(b"1000\r\n")?;
            stream.write_all(&[7; 0x1000])?;
            stream.write_all(b"\r\n")?;
        }
    });
    assert_passed_over(&server, "more than the limit of 1048576 bytes");
}

#[test]
fn a_length_beyond_the_limit_is_not_even_begun() {
    let server = serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")?;
        thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    assert_passed_over(&server, "more than the limit of 1048576 bytes");
}

#[test]
fn a_bomb_is_not_inflated() {
    let server = serve(|_, stream| send(stream, &gzipped(&some_images(2, 1024, 1024))));
    assert_passed_over(&server, "more than the limit of 1048576");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let server = serve(|_, _| {
        thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    assert_passed_over(&server, "timeout");
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n1234")?;
        thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    assert_passed_over(&server, "was interrupted after 4 bytes");
}

#[test]
fn nobody_at_the_address_is_passed_over() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    assert_passed_over(
        &Server { address: format!("http://127.0.0.1:{port}/"), requests },
        "refused",
    );
}

#[test]
fn progress_counts_up_to_the_length_that_the_server_names() {
    let (dir, server) = (TempDir::new().unwrap(), good());
    let hashes = small_set().map(|content| sha256(&content));
    let mut last = (0, None);
    let mut follow = |progress: Progress<'_>| {
        if let Progress::Downloading { received, total, .. } = progress {
            last = (received, total);
        }
    };
    let mirrors = [server.address.clone()];
    fetch(dir.path(), &mirrors, &hashes.each_ref().map(String::as_str), impatient(), &mut follow)
        .unwrap();
    assert_eq!(last.1, Some(last.0));
}

/// Whatever step on disk fails, and however, no file is taken for the data set that is not wholly there, and the next
/// attempt mends it.
#[test]
fn a_disk_that_fails_at_any_step_leaves_nothing_that_is_taken_for_data() {
    let server = good();
    let hashes = small_set().map(|content| sha256(&content));
    let hashes = hashes.each_ref().map(String::as_str);
    let mirrors = [server.address.clone()];
    let fetch_with = |files: &dyn Files, dir: &Path| {
        fetch_onto(files, dir, &mirrors, &hashes, impatient(), &mut |_| {}, &|| true)
    };
    let mut failed = 0;
    for kind in [FaultKind::Crash, FaultKind::NoSpace] {
        for at in 1..200 {
            let dir = TempDir::new().unwrap();
            let fault = Fault { kind, at };
            let files = FaultyFiles::new(Arc::new(RealFiles), fault, OnCrash::FailFromThenOn);
            let ended = fetch_with(&files, dir.path());
            for name in names_in(dir.path()).iter().filter(|name| !name.starts_with('.')) {
                let index = NAMES.iter().position(|known| *name == format!("{known}.gz")).unwrap();
                let whole = gzipped(&small_set()[index]);
                assert_eq!(fs::read(dir.path().join(name)).unwrap(), whole, "{kind:?}@{at}");
            }
            if ended.is_ok() {
                assert!(at > 8, "{kind:?}@{at} went round the disk");
                break;
            }
            failed += 1;
            fetch_with(&RealFiles, dir.path()).unwrap();
            let data = names_in(dir.path()).into_iter().filter(|name| !name.starts_with('.'));
            assert_eq!(data.count(), 4);
        }
    }
    assert!(failed > 30, "only {failed} steps could fail");
}
