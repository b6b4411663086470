//! How this program was built, as `build.rs` found it.

use serde::Serialize;

/// How this program was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The version.
    pub version: &'static str,
    /// The git commit of its sources, if that is known.
    pub commit: Option<&'static str>,
    /// Whether the sources differed from that commit, if that is known.
    pub dirty: Option<bool>,
    /// The cargo features that it was built with.
    pub features: Vec<&'static str>,
    /// What it was built for, such as `x86_64-unknown-linux-gnu`.
    pub target: &'static str,
    /// Whether it was optimized: `release` or `debug`.
    pub profile: &'static str,
    /// The compiler, such as `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub rustc: Option<&'static str>,
}

impl Build {
    /// The build of this program.
    pub fn current() -> Self {
        let known = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: known(env!("BURGEON_BUILD_COMMIT")),
            dirty: known(env!("BURGEON_BUILD_DIRTY")).map(|dirty| dirty == "true"),
            features: features(),
            target: env!("BURGEON_BUILD_TARGET"),
            profile: env!("BURGEON_BUILD_PROFILE"),
            rustc: known(env!("BURGEON_BUILD_RUSTC")),
        }
    }
}

fn features() -> Vec<&'static str> {
    let features = [
        ("cli", cfg!(feature = "cli")),
        ("containers", cfg!(feature = "containers")),
        ("cuda", cfg!(feature = "cuda")),
        ("detect", cfg!(feature = "detect")),
        ("fetch", cfg!(feature = "fetch")),
        ("mail", cfg!(feature = "mail")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("serve", cfg!(feature = "serve")),
        ("train", cfg!(feature = "train")),
        ("wgpu", cfg!(feature = "wgpu")),
    ];
    features.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
}
