//! What says that a program wants a GPU.

use crate::source::facts::{Call, Value};

/// What a place in a program says about a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuSign {
    /// It is used.
    Used,
    /// It is asked for whether there is one, so that the program runs without too.
    AskedFor,
    /// It is switched off.
    Off,
}

/// What a call says about a GPU.
pub fn gpu_sign(call: &Call) -> Option<GpuSign> {
    let path = call.path.as_str();
    match path {
        "torch.cuda.is_available"
        | "torch.cuda.device_count"
        | "tensorflow.test.is_gpu_available"
        | "tensorflow.config.list_physical_devices"
        | "tensorflow.config.experimental.list_physical_devices"
        | "jax.devices"
        | "jax.default_backend"
        | "tensorflow.config.list_logical_devices"
        | "r:cuda_is_available"
        | "torch.accelerator.is_available" => Some(GpuSign::AskedFor),
        ".cuda"
        | "keras.utils.multi_gpu_model"
        | "keras.utils.training_utils.multi_gpu_model"
        | "keras.layers.CuDNNLSTM"
        | "keras.layers.CuDNNGRU"
        | "torch.cuda.set_device"
        | "torch.cuda.amp.GradScaler" => Some(GpuSign::Used),
        "os.environ.set" | "os.environ.setdefault" | "os.putenv" => environment(call),
        "torch.device" | "tensorflow.device" | "r:torch_device" => {
            call.arg(0, &["device", "type"]).and_then(device)
        }
        ".to" | "torch.nn.Module.to" => call.arg(0, &["device"]).and_then(device),
        _ if path.starts_with("rust:burn") => {
            let backend = ["Cuda", "Wgpu", "CudaJit", "Rocm"]
                .iter()
                .any(|name| path.contains(&format!("::{name}")));
            backend.then_some(GpuSign::Used)
        }
        _ => by_keyword(call),
    }
}

fn environment(call: &Call) -> Option<GpuSign> {
    let key = call.at(0)?.texts();
    if key != ["CUDA_VISIBLE_DEVICES"] {
        return None;
    }
    match call.at(1)?.texts().first()?.trim() {
        "" | "-1" => Some(GpuSign::Off),
        _ => Some(GpuSign::Used),
    }
}

fn device(value: &Value) -> Option<GpuSign> {
    let texts = value.texts();
    let names_gpu = |text: &String| {
        let text = text.to_lowercase();
        text.starts_with("cuda") || text.contains("gpu:") || text == "gpu"
    };
    if !texts.iter().any(names_gpu) {
        return None;
    }
    // `"cuda" if … else "cpu"`
    let has_other = matches!(value, Value::OneOf(texts) if texts.len() > 1);
    Some(if has_other { GpuSign::AskedFor } else { GpuSign::Used })
}

/// `Trainer(accelerator="gpu")`, `XGBClassifier(tree_method="gpu_hist")`.
fn by_keyword(call: &Call) -> Option<GpuSign> {
    for (name, value) in call.args.iter().filter_map(|arg| Some((arg.name.as_deref()?, &arg.value)))
    {
        let says = |wanted: &[&str]| {
            value.texts().iter().any(|text| wanted.contains(&text.to_lowercase().as_str()))
        };
        let is_gpu = match name {
            "tree_method" => says(&["gpu_hist", "gpu_exact"]),
            "task_type" | "accelerator" | "device_type" => says(&["gpu", "cuda"]),
            "device" => return device(value),
            "gpus" => {
                matches!(value, Value::Literal(number) if !["0", "None", "False"].contains(&number.as_str()))
            }
            _ => false,
        };
        if is_gpu {
            return Some(GpuSign::Used);
        }
    }
    None
}
