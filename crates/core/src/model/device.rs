//! Compute devices: parses `--device` and opens the device.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

/// The choice of a device, as `--device` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The CPU, which for small networks is the fastest device on most machines.
    #[default]
    Auto,
    /// The CPU, with burn's flex backend, which every build has.
    Cpu,
    /// The GPU of this number, counted from 0, through Vulkan, Metal or DirectX 12 (cargo feature `wgpu`).
    Gpu(usize),
    /// The NVIDIA GPU of this number, counted from 0 (cargo feature `cuda`).
    Cuda(usize),
    /// The CPU, with burn's older ndarray backend (cargo feature `ndarray`).
    NdArray,
}

/// Why a device cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// `--device` names no known device.
    #[error("`{0}` is not a device; use auto, cpu, gpu, gpu:N, cuda, cuda:N or ndarray")]
    Unknown(String),
    /// This program was built without the backend.
    #[error(
        "this program was built without support for `{device}`; build it with `cargo build --release --features {feature}`"
    )]
    NotBuilt {
        /// The requested device.
        device: String,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// The machine has no such device.
    #[error("`{device}` was not found: {found}")]
    NotThere {
        /// The requested device.
        device: String,
        /// The devices that exist, or what would help.
        found: String,
    },
}

/// An open device.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// burn's handle, without autodiff.
    pub device: Device,
    /// Its name, for messages and the provenance.
    pub name: String,
    /// Whether it computes while the CPU continues, as GPUs do; reading a value then waits for it.
    pub is_asynchronous: bool,
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NotBuilt`] or [`DeviceError::NotThere`], with what would help.
    pub fn open(self) -> Result<OpenDevice, DeviceError> {
        match self {
            Self::Auto | Self::Cpu => Ok(OpenDevice {
                device: Device::flex(),
                name: "cpu (burn flex)".into(),
                is_asynchronous: false,
            }),
            Self::Gpu(index) => open_gpu(index),
            Self::Cuda(index) => open_cuda(index),
            Self::NdArray => open_ndarray(),
        }
    }
}

#[cfg(feature = "ndarray")]
fn open_ndarray() -> Result<OpenDevice, DeviceError> {
    Ok(OpenDevice {
        device: Device::ndarray(),
        name: "cpu (burn ndarray)".into(),
        is_asynchronous: false,
    })
}

#[cfg(not(feature = "ndarray"))]
fn open_ndarray() -> Result<OpenDevice, DeviceError> {
    Err(not_built(DeviceChoice::NdArray, "ndarray"))
}

#[cfg(feature = "wgpu")]
fn open_gpu(index: usize) -> Result<OpenDevice, DeviceError> {
    use burn::tensor::DeviceType;
    let devices = Device::enumerate(DeviceType::Wgpu).into_vec();
    pick(DeviceChoice::Gpu(index), index, devices, "install a Vulkan driver, or use --device cpu")
}

#[cfg(not(feature = "wgpu"))]
fn open_gpu(index: usize) -> Result<OpenDevice, DeviceError> {
    Err(not_built(DeviceChoice::Gpu(index), "wgpu"))
}

#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<OpenDevice, DeviceError> {
    use burn::tensor::DeviceType;
    // Without a driver the CUDA loader panics instead of returning an error.
    let devices = std::panic::catch_unwind(|| Device::enumerate(DeviceType::Cuda).into_vec());
    let devices = devices.unwrap_or_default();
    pick(DeviceChoice::Cuda(index), index, devices, "install NVIDIA's driver, or use --device cpu")
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(index: usize) -> Result<OpenDevice, DeviceError> {
    Err(not_built(DeviceChoice::Cuda(index), "cuda"))
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn pick(
    choice: DeviceChoice,
    index: usize,
    devices: Vec<Device>,
    remedy: &str,
) -> Result<OpenDevice, DeviceError> {
    let count = devices.len();
    let device = devices.into_iter().nth(index).ok_or_else(|| DeviceError::NotThere {
        device: choice.to_string(),
        found: match count {
            0 => format!("no such device exists; {remedy}"),
            1 => "only number 0 exists".into(),
            count => format!("only numbers 0 to {} exist", count - 1),
        },
    })?;
    Ok(OpenDevice { name: format!("{choice} ({device:?})"), device, is_asynchronous: true })
}

#[cfg(not(all(feature = "wgpu", feature = "cuda", feature = "ndarray")))]
fn not_built(choice: DeviceChoice, feature: &'static str) -> DeviceError {
    DeviceError::NotBuilt { device: choice.to_string(), feature }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(index) => write!(f, "gpu:{index}"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::NdArray => f.write_str("ndarray"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let (name, index) = text.split_once(':').unwrap_or((text, "0"));
        let unknown = || DeviceError::Unknown(text.into());
        let index = index.parse().map_err(|_| unknown())?;
        match (name, text.contains(':')) {
            ("auto", false) => Ok(Self::Auto),
            ("cpu", false) => Ok(Self::Cpu),
            ("ndarray", false) => Ok(Self::NdArray),
            ("gpu", _) => Ok(Self::Gpu(index)),
            ("cuda", _) => Ok(Self::Cuda(index)),
            _ => Err(unknown()),
        }
    }
}
