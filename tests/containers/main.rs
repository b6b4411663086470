//! Programs in real containers. Without a container engine and a static busybox these tests count as ignored.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod ends;
mod limits;
mod returns;
#[path = "../external/skipping.rs"]
mod skipping;

fn main() {
    if returns::is_child() {
        return returns::child();
    }
    skipping::main(&[ends::group(), limits::group(), returns::group()]);
}
