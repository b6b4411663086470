//! Responses of the Open Inference Protocol.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::request::{Encoding, InferRequest, OutputName};

/// The header with the length of the JSON, if tensors follow it.
pub(super) const HEADER_LENGTH: HeaderName =
    HeaderName::from_static("inference-header-content-length");

/// The predictions for a request.
pub(super) struct Answer<'a> {
    pub(super) model: &'a str,
    pub(super) version: &'a str,
    /// `[images, classes]`.
    pub(super) logits: &'a [f32],
    /// `[images, classes]`.
    pub(super) probabilities: &'a [f32],
    /// `[images]`; −1 for "unsure".
    pub(super) classes: &'a [i64],
}

#[derive(Serialize)]
struct Json<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Tensor<'a>>,
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'static str,
    datatype: &'static str,
    shape: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
struct Parameters {
    binary_data_size: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Floats(&'a [f32]),
    Integers(&'a [i64]),
}

impl Answer<'_> {
    /// The response in the format that the request asks for.
    pub(super) fn response(&self, request: &InferRequest) -> Response {
        let mut binary = Vec::new();
        let mut has_binary = false;
        let mut outputs = Vec::new();
        for &(output, encoding) in &request.outputs {
            let (data, shape) = match output {
                OutputName::Probabilities => (Data::Floats(self.probabilities), self.shape()),
                OutputName::Logits => (Data::Floats(self.logits), self.shape()),
                OutputName::Class => (Data::Integers(self.classes), vec![self.classes.len()]),
            };
            let (name, datatype) = (output.name(), output.datatype());
            let (parameters, data) = match encoding {
                Encoding::Json => (None, Some(data)),
                Encoding::Binary => {
                    let from = binary.len();
                    has_binary = true;
                    match data {
                        Data::Floats(values) => {
                            values.iter().for_each(|value| binary.extend(value.to_le_bytes()));
                        }
                        Data::Integers(values) => {
                            values.iter().for_each(|value| binary.extend(value.to_le_bytes()));
                        }
                    }
                    (Some(Parameters { binary_data_size: binary.len() - from }), None)
                }
            };
            outputs.push(Tensor { name, datatype, shape, parameters, data });
        }
        let json = Json {
            model_name: self.model,
            model_version: self.version,
            id: request.id.as_deref(),
            outputs,
        };
        // Cannot fail: it contains no maps.
        let mut bytes = serde_json::to_vec(&json).unwrap_or_default();
        let length = bytes.len();
        bytes.extend(binary);
        let kind = if has_binary { "application/octet-stream" } else { "application/json" };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if has_binary {
            headers.insert(HEADER_LENGTH, HeaderValue::from(length as u64));
        }
        response
    }

    fn shape(&self) -> Vec<usize> {
        let images = self.classes.len();
        vec![images, self.logits.len() / images.max(1)]
    }
}
