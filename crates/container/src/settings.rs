//! A job as the engine is told it: what its program may do, and how much of it.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HealthConfig, HostConfig, HostConfigLogConfig,
    Mount as EngineMount, MountType, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use sha2::{Digest, Sha256};

use super::error::ContainerError;
use super::job::{CHECKOUT, Gpus, Job, Mount, OUTPUT};

/// The label that all containers of burgeon carry, with [`Job::label`] as its value.
pub const LABEL: &str = "io.burgeon.build";

/// Most bytes in `/tmp` and in `/dev/shm`.
const TEMPORARY_BYTES_MAX: u64 = 1 << 30;

/// Whose interface it is: they ask for GPUs in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    Docker,
    Podman,
}

/// A name that only this label's container has, so that the engine refuses a second one, even if the request
/// for the first is still under way.
pub(super) fn name(label: &str) -> String {
    format!("burgeon-{}", hex::encode(&Sha256::digest(label)[..8]))
}

/// The request that makes the container.
pub(super) fn settings(job: &Job, maker: Maker) -> ContainerCreateBody {
    let environment = job.environment.iter().map(|(name, value)| format!("{name}={value}"));
    // Programs keep caches in their home, and the rest is read-only.
    let home =
        (!job.environment.iter().any(|(name, _)| name == "HOME")).then(|| "HOME=/tmp".into());
    let (user, group) = job.user;
    ContainerCreateBody {
        image: Some(job.image.clone()),
        cmd: (!job.command.is_empty()).then(|| job.command.clone()),
        env: Some(environment.chain(home).collect()),
        user: Some(format!("{user}:{group}")),
        working_dir: Some(OUTPUT.into()),
        labels: Some(HashMap::from([(LABEL.into(), job.label.clone())])),
        // Of the image's maker; nobody asks for its answer here.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
        host_config: Some(host(job, maker)),
        ..Default::default()
    }
}

fn host(job: &Job, maker: Maker) -> HostConfig {
    let memory = saturating(job.limits.memory_bytes);
    let temporary = (job.limits.memory_bytes / 2).min(TEMPORARY_BYTES_MAX);
    HostConfig {
        privileged: Some(false),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        // It reaps orphans and passes signals on.
        init: Some(true),
        ipc_mode: Some("private".into()),
        network_mode: Some(if job.network { "default" } else { "none" }.into()),
        mounts: Some(mounts(job)),
        // Executable, as compilers of kernels and native modules load there what they made.
        tmpfs: Some(HashMap::from([(
            "/tmp".into(),
            format!("rw,exec,nosuid,nodev,mode=1777,size={temporary}"),
        )])),
        shm_size: Some(saturating(temporary)),
        memory: Some(memory),
        // Memory and swap together: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(nano_cpus(job)),
        pids_limit: Some(job.limits.processes.into()),
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("core".into()),
            soft: Some(0),
            hard: Some(0),
        }]),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        auto_remove: Some(false),
        // Whatever the engine's default is: output is read back from it, and bounded on disk.
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([
                ("max-size".into(), "64m".into()),
                ("max-file".into(), "2".into()),
            ])),
        }),
        device_requests: gpus(job.gpus, maker).map(|request| vec![request]),
        ..Default::default()
    }
}

fn gpus(gpus: Gpus, maker: Maker) -> Option<DeviceRequest> {
    if gpus == Gpus::None {
        return None;
    }
    Some(match maker {
        Maker::Docker => DeviceRequest {
            count: Some(match gpus {
                Gpus::First(number) => number.into(),
                Gpus::None | Gpus::All => -1,
            }),
            capabilities: Some(vec![vec!["gpu".into()]]),
            ..Default::default()
        },
        // By the names that `nvidia-ctk cdi generate` gives them, as it does not know Docker's way.
        Maker::Podman => DeviceRequest {
            driver: Some("cdi".into()),
            device_ids: Some(match gpus {
                Gpus::First(number) => {
                    (0..number).map(|at| format!("nvidia.com/gpu={at}")).collect()
                }
                Gpus::None | Gpus::All => vec!["nvidia.com/gpu=all".into()],
            }),
            ..Default::default()
        },
    })
}

fn mounts(job: &Job) -> Vec<EngineMount> {
    let own = [(&job.checkout, CHECKOUT, true), (&job.output, OUTPUT, false)];
    let more = job
        .more_mounts
        .iter()
        .map(|Mount { source, target, read_only }| (source, target.as_str(), *read_only));
    own.into_iter()
        .chain(more)
        .map(|(source, target, read_only)| EngineMount {
            typ: Some(MountType::BIND),
            // A checked job has paths in UTF-8 alone.
            source: Some(source.to_string_lossy().into_owned()),
            target: Some(target.into()),
            read_only: Some(read_only),
            ..Default::default()
        })
        .collect()
}

/// That the engine took the limits: where the kernel lacks them, some engines leave them out with a warning.
pub(super) fn check_limits(job: &Job, made: &HostConfig) -> Result<(), ContainerError> {
    let is = |value: Option<i64>, wanted: i64| value == Some(wanted);
    // Some engines keep quota and period instead.
    let cpus = is(made.nano_cpus, nano_cpus(job)) || made.cpu_quota.is_some_and(|quota| quota > 0);
    let missing = if !is(made.memory, saturating(job.limits.memory_bytes)) {
        ("memory", "memory")
    } else if !is(made.pids_limit, job.limits.processes.into()) {
        ("processes", "pids")
    } else if !cpus {
        ("processors", "cpu")
    } else {
        return Ok(());
    };
    let (limit, controller) = missing;
    Err(ContainerError::Unlimited { label: job.label.clone(), limit, controller })
}

fn nano_cpus(job: &Job) -> i64 {
    (job.limits.cpus * 1e9).round() as i64
}

fn saturating(bytes: u64) -> i64 {
    bytes.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
