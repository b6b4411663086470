//! What computes.

use burgeon_kernel::Cpu;

use super::check::Check;
use crate::cli::args::Common;
use crate::model::{DeviceChoice, DeviceError};
use crate::study::Settings;
use crate::sys::error_chain;
use crate::sys::limits::Limits;

const AREA: &str = "device";

/// The instruction set, the threads, the graphics processors, and the device that was asked for.
pub fn devices(common: &Common, settings: &Settings, limits: &Limits) -> Vec<Check> {
    let mut checks = vec![cpu(settings)];
    checks.extend(threads(common, limits));
    for choice in [DeviceChoice::Gpu(0), DeviceChoice::Cuda(0)] {
        let (name, text) = (choice.to_string(), |found| format!("{choice}: {found}"));
        checks.push(match open(choice) {
            Ok(name) => Check::ok(AREA, text(name)),
            Err(DeviceError::NotBuilt { feature, .. }) => {
                Check::ok(AREA, format!("{name}: not built in (cargo feature `{feature}`)"))
            }
            Err(error) => Check::ok(AREA, error.to_string()),
        });
    }
    if !matches!(common.device, DeviceChoice::Auto | DeviceChoice::Cpu)
        && let Err(error) = open(common.device)
    {
        checks.push(Check::fault(
            AREA,
            format!("--device {} cannot be used: {error}", common.device),
            "choose another one with --device or BURGEON_DEVICE",
        ));
    }
    checks
}

fn open(choice: DeviceChoice) -> Result<String, DeviceError> {
    choice.open().map(|device| device.name)
}

fn cpu(settings: &Settings) -> Check {
    let available = Cpu::available().iter().map(|cpu| cpu.name()).collect::<Vec<_>>().join(", ");
    match (Cpu::from_env(), settings.workers()) {
        (Err(error), _) => Check::fault(
            AREA,
            error.to_string(),
            format!("unset BURGEON_CPU, or set it to one of {available}"),
        ),
        (_, Err(error)) => {
            Check::fault(AREA, error_chain(&error), "use fewer threads with --threads")
        }
        (Ok(cpu), Ok(workers)) => {
            Check::ok(AREA, format!("cpu: {cpu} (of {available}), {} threads", workers.count()))
        }
    }
}

/// A warning, if more threads were asked for than can run at a time.
fn threads(common: &Common, limits: &Limits) -> Option<Check> {
    let threads = usize::from(common.threads?);
    let cores = std::thread::available_parallelism().ok()?.get();
    let most = limits.group_cpus.map_or(cores, |cpus| cores.min((cpus.ceil() as usize).max(1)));
    (threads > most).then(|| {
        Check::warning(
            AREA,
            format!("{threads} threads were asked for, but only {most} can run at a time"),
            format!("use --threads {most}, or leave it out: more only wait for each other"),
        )
    })
}
