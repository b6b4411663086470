//! `POST /v2/models/NAME/infer`: predictions by the Open Inference Protocol.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::answers::{Answer, HEADER_LENGTH};
use super::app::App;
use super::lines::{Input as KeptInput, Line};
use super::queue::{Input, Output};
use super::request::InferRequest;
use super::slots::{Served, probabilities};
use crate::registry::answer;
use crate::serve::answer::Problem;
use crate::serve::body;

/// The header with the id of a request, for logs and feedback.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The parameters of a path; a path that is not UTF-8 does not exist.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(found)| Self(found)).map_err(|_| Problem::not_found("address"))
    }
}

/// The version in production.
pub(super) fn served(app: &App) -> Result<Arc<Served>, Problem> {
    app.slots.production().ok_or_else(|| super::queue::Refusal::NotReady.problem())
}

/// Checks that a URL names the model and, if it names a version, the one in production.
pub(super) fn check_name(
    app: &App,
    served: &Served,
    name: &str,
    version: Option<&str>,
) -> Result<(), Problem> {
    let model = &app.predicting.model;
    if name != model {
        let text = format!("There is no such model; this server serves \"{model}\".");
        return Err(Problem::new(StatusCode::NOT_FOUND, text));
    }
    match version.filter(|version| *version != served.version) {
        None => Ok(()),
        Some(_) => {
            let text = format!("Only version {} is served.", served.version);
            Err(Problem::new(StatusCode::NOT_FOUND, text))
        }
    }
}

/// The handler of URLs without a version.
pub(super) async fn infer(
    State(app): State<Arc<App>>,
    Named(name): Named<String>,
    request: Request,
) -> Result<Response, Problem> {
    answered(&app, &name, None, request).await
}

/// The handler of URLs with a version.
pub(super) async fn infer_version(
    State(app): State<Arc<App>>,
    Named((name, version)): Named<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    answered(&app, &name, Some(&version), request).await
}

async fn answered(
    app: &App,
    name: &str,
    version: Option<&str>,
    request: Request,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let done = infer_images(app, name, version, request, began).await;
    count_refusal(app, done)
}

/// Counts refused requests.
pub(super) fn count_refusal<T>(app: &App, done: Result<T, Problem>) -> Result<T, Problem> {
    done.inspect_err(|problem| {
        let version = app.slots.production().map(|served| served.version.clone());
        app.metrics.refused(version.as_deref().unwrap_or_default(), problem.status.as_u16());
    })
}

async fn infer_images(
    app: &App,
    name: &str,
    version: Option<&str>,
    request: Request,
    began: Instant,
) -> Result<Response, Problem> {
    let now = served(app)?;
    check_name(app, &now, name, version)?;
    let header_bytes = match request.headers().get(HEADER_LENGTH) {
        None => None,
        Some(length) => {
            let length = length.to_str().ok().and_then(|length| length.trim().parse().ok());
            let text = "Inference-Header-Content-Length is not a number of bytes.";
            Some(length.ok_or_else(|| Problem::bad(text))?)
        }
    };
    check_encoding(&request)?;
    let received = body::read(&app.front, request, app.predicting.limits.body_bytes).await?;
    let shape = now.model.shape();
    let request =
        InferRequest::parse(&received.bytes, header_bytes, shape).map_err(Problem::bad)?;
    let (input, images) = (request.input.clone(), request.images);
    let asked = ImageBatch { input, images, shape, sizes: Vec::new() };
    let predicted = predict(app, asked, began).await?;
    if let Some(version) = version.filter(|version| *version != predicted.output.served.version) {
        // The version was replaced meanwhile.
        check_name(app, &predicted.output.served, name, Some(version))?;
    }
    let answer = Answer {
        model: &app.predicting.model,
        version: &predicted.output.served.version,
        logits: &predicted.output.logits,
        probabilities: &predicted.probabilities,
        classes: &predicted.classes,
    };
    Ok(with_id(answer.response(&request), &predicted.request))
}

/// Refuses compressed bodies, which may be decompression bombs.
pub(super) fn check_encoding(request: &Request) -> Result<(), Problem> {
    match request.headers().get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity") {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send the body uncompressed, without Content-Encoding.",
        )),
    }
}

/// Images of a request.
pub(super) struct ImageBatch {
    pub(super) input: Input,
    pub(super) images: usize,
    pub(super) shape: [usize; 3],
    /// Original heights and widths: an entry for each image, or none.
    pub(super) sizes: Vec<Option<[usize; 2]>>,
}

/// The predictions for the images of a request.
pub(super) struct Predicted {
    /// The id of the request.
    pub(super) request: String,
    pub(super) output: Output,
    /// `[images, classes]`.
    pub(super) probabilities: Vec<f32>,
    /// The most probable class of each image and its calibrated probability.
    pub(super) sure: Vec<(usize, f64)>,
    /// The class of each image; −1 for "unsure".
    pub(super) classes: Vec<i64>,
}

/// Classifies images, and passes the result on to the log, the counters, the candidate and the drift monitor.
pub(super) async fn predict(
    app: &App,
    asked: ImageBatch,
    began: Instant,
) -> Result<Predicted, Problem> {
    let ImageBatch { input, images, shape, sizes } = asked;
    let computed = app.queue.ask(input.clone(), images, shape).await;
    let output = computed.map_err(super::queue::Refusal::problem)?;
    let served = &output.served;
    let count = served.model.classes().len();
    let temperature = served.temperature();
    let rows = output.logits.chunks_exact(count.max(1));
    let sure: Vec<(usize, f64)> = rows.map(|row| answer(row, temperature)).collect();
    let is_sure = |confidence: f64| app.predicting.abstain.is_none_or(|least| confidence >= least);
    let classes: Vec<i64> = sure
        .iter()
        .map(|&(class, confidence)| if is_sure(confidence) { class as i64 } else { -1 })
        .collect();
    let unsure = classes.iter().filter(|class| **class < 0).count();
    let request = app.request_id();
    app.metrics.answered(&served.version, began.elapsed(), output.queued, unsure);
    if let Some(journal) = &app.journal {
        let mut inputs = Vec::new();
        for index in 0..images {
            if journal.wants_image() {
                inputs.push(kept_input(&input, index, shape));
            }
        }
        let line = Line {
            v: 1,
            at: Timestamp::now(),
            request: request.clone(),
            version: served.version.clone(),
            answers: sure.iter().map(|&(class, sure)| (class, sure as f32)).collect(),
            ms: (began.elapsed().as_secs_f64() * 1e3) as f32,
        };
        journal.tell(line, inputs);
    }
    app.drift.offer(served, &input, &sizes, &output.logits);
    let named = sure.iter().map(|(class, _)| *class).collect();
    app.shadow.offer(&app.slots, &app.metrics, &served.version, input, named);
    tracing::debug!(
        request,
        version = served.version,
        images,
        compute_ms = output.computed.as_secs_f64() * 1e3,
        "predicted"
    );
    let probabilities = probabilities(&output.logits, count);
    Ok(Predicted { request, probabilities, sure, classes, output })
}

fn kept_input(input: &Input, index: usize, shape: [usize; 3]) -> KeptInput {
    let len: usize = shape.iter().product();
    let pixels = match input {
        Input::Bytes(bytes) => {
            bytes.get(index * len..(index + 1) * len).unwrap_or_default().to_vec()
        }
        Input::Units(bytes) => {
            let own = bytes.get(4 * index * len..4 * (index + 1) * len).unwrap_or_default();
            let byte = |unit: &[u8]| {
                let unit = f32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]);
                (unit.clamp(0.0, 1.0) * 255.0).round() as u8
            };
            own.chunks_exact(4).map(byte).collect()
        }
    };
    KeptInput { index, shape, pixels }
}

/// A response with the id of its request.
pub(super) fn with_id(mut response: Response, request: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(request) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
