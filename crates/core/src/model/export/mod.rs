//! Trained models for other libraries: each exporter turns weights, layers and a preparation into files.
//!
//! | for | file | made by |
//! | --- | --- | --- |
//! | ONNX Runtime and others, in 32 or 8 bits | `model.onnx`, `model-int8.onnx`, … | [`to_onnx`] |
//! | PyTorch | `model.py`, `pytorch.safetensors` | [`to_pytorch`] |
//! | Keras | `keras_model.py`, `keras.npz` | [`to_keras`] |
//!
//! `study::export` decides which of them are written where; `model::import` reads PyTorch's weights.

pub(crate) mod evaluation;
pub(crate) mod keras;
mod npz;
pub(crate) mod onnx;
mod python;
pub(crate) mod pytorch;

pub(crate) use keras::{KERAS_FILE, KERAS_PY, to_keras};
pub(crate) use onnx::{OnnxExport, OnnxInput, to_onnx};
pub(crate) use pytorch::{MODEL_PY, PYTORCH_FILE, to_pytorch};
