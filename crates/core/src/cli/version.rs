//! `burgeon version`: how this program was built, and what it computes with here.

use std::fmt::Write;

use burgeon_kernel::Cpu;
use serde::Serialize;

use super::args::Common;
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use crate::model::{DeviceChoice, DeviceError};
use crate::study::Growth;
use crate::sys::build::Build;

#[derive(Debug, Serialize)]
struct Version {
    #[serde(flatten)]
    build: Build,
    /// The instruction set that is used; `None` if `BURGEON_CPU` names one that cannot be.
    instruction_set: Option<&'static str>,
    /// All that this processor has.
    instruction_sets: Vec<&'static str>,
    threads: Option<usize>,
    devices: Vec<Device>,
}

#[derive(Debug, Serialize)]
struct Device {
    device: String,
    usable: bool,
    /// Its name, or why it cannot be used.
    what: String,
}

/// Prints both.
pub fn version(common: &Common, output: &Output) -> Result<Exit, CliError> {
    let version = Version {
        build: Build::current(),
        instruction_set: Cpu::from_env().ok().map(Cpu::name),
        instruction_sets: Cpu::available().into_iter().map(Cpu::name).collect(),
        threads: launch(common, Growth::Off).workers().ok().map(|workers| workers.count()),
        devices: [
            DeviceChoice::Cpu,
            DeviceChoice::NdArray,
            DeviceChoice::Gpu(0),
            DeviceChoice::Cuda(0),
        ]
        .map(device)
        .into(),
    };
    match output.json {
        true => output.result_json(&version),
        false => output.result(&text(&version)),
    }
}

fn device(choice: DeviceChoice) -> Device {
    let (usable, what) = match choice.open() {
        Ok(device) => (true, device.name),
        Err(DeviceError::NotBuilt { feature, .. }) => {
            (false, format!("not built in (cargo feature `{feature}`)"))
        }
        Err(error) => (false, error.to_string()),
    };
    Device { device: choice.to_string(), usable, what }
}

fn text(version: &Version) -> String {
    let Version { build, instruction_set, instruction_sets, threads, devices } = version;
    let commit = match (build.commit, build.dirty) {
        (None, _) => "unknown".into(),
        (Some(commit), Some(true)) => format!("{commit}, with changes"),
        (Some(commit), _) => commit.to_owned(),
    };
    let set = instruction_set.unwrap_or("the one that BURGEON_CPU names cannot be used");
    let mut lines = vec![
        ("commit", commit),
        ("features", build.features.join(", ")),
        ("built for", format!("{}, {}", build.target, build.profile)),
        ("built by", build.rustc.unwrap_or("unknown").to_owned()),
        ("instruction set", format!("{set} (here: {})", instruction_sets.join(", "))),
        ("threads", threads.map_or("unknown".into(), |threads| threads.to_string())),
    ];
    lines.extend(
        devices.iter().map(|device| ("device", format!("{}: {}", device.device, device.what))),
    );
    let mut text = format!("burgeon {}\n", build.version);
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<16} {value}");
    }
    text
}
