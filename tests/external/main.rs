//! Tests that need what not every machine has: a browser, a disk to fill, MNIST, programs that are
//! built apart. Where it is missing they count as ignored, and what is missing is said.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod examples;
mod full_disk;
mod loaders;
mod mail;
mod mnist;
#[path = "../support/mnist_files.rs"]
mod mnist_files;
mod onnx;
#[path = "../support/predictions.rs"]
mod predictions;
mod public_surface;
mod report_page;
#[path = "../support/server.rs"]
mod server;
mod skipping;
#[path = "../support/mod.rs"]
mod support;

fn main() {
    skipping::main(&[
        examples::group(),
        full_disk::group(),
        loaders::group(),
        loaders::torch_group(),
        mail::group(),
        mnist::group(),
        onnx::group(),
        public_surface::group(),
        report_page::group(),
    ]);
}
