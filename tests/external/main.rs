//! Tests that need what not every machine has: a browser, a disk to fill, MNIST, programs that are
//! built apart. Where it is missing they count as ignored, and what is missing is said.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(all(unix, feature = "serve"))]
mod browser;
#[cfg(all(unix, feature = "serve"))]
mod chain;
#[cfg(all(unix, feature = "serve"))]
mod chain_kills;
mod examples;
mod full_disk;
mod loaders;
mod mail;
mod mnist;
#[path = "../support/mnist_files.rs"]
mod mnist_files;
mod onnx;
#[cfg(unix)]
mod own_commands;
#[cfg(unix)]
mod postfix;
#[cfg(all(unix, feature = "serve"))]
mod predicting_page;
#[path = "../support/predictions.rs"]
mod predictions;
mod programs;
mod public_surface;
mod report_page;
#[path = "../support/server.rs"]
mod server;
#[cfg(all(unix, feature = "serve"))]
mod site;
mod skipping;
#[cfg(all(target_os = "linux", feature = "serve"))]
mod slurm;
#[path = "../support/mod.rs"]
mod support;
mod tracking;
#[cfg(all(unix, feature = "serve"))]
mod view;

fn main() {
    skipping::main(&[
        #[cfg(all(unix, feature = "serve"))]
        chain::group(),
        #[cfg(all(unix, feature = "serve"))]
        chain::keras_group(),
        #[cfg(all(unix, feature = "serve"))]
        chain::growing_group(),
        #[cfg(all(unix, feature = "serve"))]
        chain::torch_growing_group(),
        #[cfg(all(unix, feature = "serve"))]
        chain_kills::group(),
        examples::group(),
        full_disk::group(),
        loaders::group(),
        loaders::torch_group(),
        loaders::keras_group(),
        mail::group(),
        mnist::group(),
        onnx::group(),
        #[cfg(unix)]
        own_commands::ssh_group(),
        #[cfg(unix)]
        own_commands::kubernetes_group(),
        #[cfg(unix)]
        postfix::group(),
        #[cfg(all(unix, feature = "serve"))]
        predicting_page::group(),
        public_surface::group(),
        report_page::group(),
        #[cfg(all(target_os = "linux", feature = "serve"))]
        slurm::group(),
        #[cfg(all(target_os = "linux", feature = "serve"))]
        slurm::late_group(),
        tracking::tensorboard_group(),
        tracking::mlflow_group(),
        #[cfg(all(unix, feature = "serve"))]
        view::group(),
    ]);
}
