//! Which instruction set the kernels use: detected at run time, or forced through `BURGEON_CPU`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The environment variable that forces an instruction set: `portable`, `avx2` or `avx512`.
pub const CPU_VARIABLE: &str = "BURGEON_CPU";

/// An instruction set that every kernel is compiled for.
///
/// Values other than [`Cpu::PORTABLE`] exist only on machines that can execute them: the fields are private to this
/// module, so [`Cpu::detect`] and [`Cpu::require`] are the only sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Why an instruction set cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CpuError {
    /// The name is none of those that exist.
    #[error(
        "unknown instruction set `{name}`: {CPU_VARIABLE} takes `portable`, `avx2` or `avx512`"
    )]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The machine, or the architecture this program was built for, lacks it.
    #[error("this machine cannot execute `{name}` code (it can: {available})")]
    Unavailable {
        /// The name as given.
        name: String,
        /// The names of those that would work.
        available: String,
    },
}

impl Cpu {
    /// The instruction set that runs everywhere.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The instruction set named by `BURGEON_CPU`, or the best one of this machine where the variable is unset or
    /// empty.
    ///
    /// # Errors
    /// The variable names an unknown instruction set, or one that this machine lacks.
    pub fn from_env() -> Result<Self, CpuError> {
        match std::env::var_os(CPU_VARIABLE) {
            Some(name) if !name.is_empty() => Self::require(&name.to_string_lossy()),
            _ => Ok(Self::detect()),
        }
    }

    /// The best instruction set of this machine.
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::PORTABLE)
    }

    /// Every instruction set of this machine, slowest first.
    pub fn available() -> Vec<Self> {
        [Self::PORTABLE].into_iter().chain(extensions()).collect()
    }

    /// The instruction set called `name`, if this machine has it.
    ///
    /// # Errors
    /// The name is unknown, or this machine cannot execute that instruction set.
    pub fn require(name: &str) -> Result<Self, CpuError> {
        if !["portable", "avx2", "avx512"].contains(&name) {
            return Err(CpuError::Unknown { name: name.to_owned() });
        }
        let available = Self::available();
        let found = available.iter().copied().find(|cpu| cpu.name() == name);
        found.ok_or_else(|| CpuError::Unavailable {
            name: name.to_owned(),
            available: available.iter().map(|cpu| cpu.name()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The name that `BURGEON_CPU` knows it by.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// What this machine has beyond the portable set, slowest first.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn extensions() -> Vec<Cpu> {
    let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let has_avx512 = has_avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    let levels = [(has_avx2, Level::Avx2), (has_avx512, Level::Avx512)];
    levels.into_iter().filter(|(is_there, _)| *is_there).map(|(_, level)| Cpu(level)).collect()
}

/// Nothing: there are kernels for no other architecture, and Miri interprets no vectors beyond SSE2.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn extensions() -> Vec<Cpu> {
    Vec::new()
}

impl FromStr for Cpu {
    type Err = CpuError;

    fn from_str(name: &str) -> Result<Self, CpuError> {
        Self::require(name)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused() {
        let error = Cpu::require("sse9").unwrap_err();
        assert_eq!(error, CpuError::Unknown { name: "sse9".to_owned() });
    }

    #[test]
    fn the_portable_set_is_always_there() {
        assert_eq!(Cpu::require("portable"), Ok(Cpu::PORTABLE));
        assert_eq!(Cpu::available().first(), Some(&Cpu::PORTABLE));
    }

    #[test]
    fn every_available_set_can_be_required_by_its_name() {
        for cpu in Cpu::available() {
            assert_eq!(Cpu::require(cpu.name()), Ok(cpu));
        }
    }
}
