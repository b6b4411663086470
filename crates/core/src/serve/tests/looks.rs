//! For people: serves a filled record, so that pages can be looked at.

use super::bench::Bench;

#[test]
#[ignore = "serves until its process is ended, for a person with a browser"]
fn serve_something_to_look_at() {
    let bench = Bench::open();
    bench.fill();
    eprintln!("http://{}/", bench.address);
    loop {
        std::thread::park();
    }
}
