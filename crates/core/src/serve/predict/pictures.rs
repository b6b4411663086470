//! `POST /predict`: classifies a picture file in the body, or several in a form.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::app::App;
use super::infer::{ImageBatch, check_encoding, count_refusal, predict, served, with_id};
use super::model::Prepared;
use super::multipart;
use super::queue::Input;
use super::slots::Served;
use crate::serve::answer::{self, Problem};
use crate::serve::body;

/// Longest file name that is repeated in the response.
const NAME_CHARACTERS_MAX: usize = 200;

/// Classifies pictures.
pub(super) async fn pictures(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let done = classify(&app, request).await;
    count_refusal(&app, done)
}

async fn classify(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let began = Instant::now();
    let now = served(app)?;
    check_encoding(&request)?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = kind.and_then(multipart::boundary).map(str::to_owned);
    let received = body::read(&app.front, request, app.predicting.limits.body_bytes).await?;
    let bytes = received.bytes.clone();
    let turn = Arc::clone(&app.decoders).acquire_owned().await;
    let turn = turn.map_err(|_| Problem::busy())?;
    let (model, pixels_max) = (Arc::clone(&now), app.predicting.limits.pixels);
    let decoded = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        decode(&model, &bytes, boundary.as_deref(), pixels_max)
    });
    let decoded = decoded.await.map_err(|error| {
        tracing::error!(%error, "decoding a picture panicked");
        Problem::bad("The picture cannot be decoded.")
    })?;
    drop(received);
    let files = decoded.map_err(Problem::bad)?;
    let decoded = || files.iter().filter_map(|(_, image)| image.as_ref().ok());
    let images: Vec<u8> = decoded().flat_map(|image| &image.pixels).copied().collect();
    let sizes: Vec<_> = decoded().map(|image| image.size).collect();
    let count = sizes.len();
    if count == 0 {
        let why = files.into_iter().find_map(|(_, image)| image.err());
        return Err(Problem::bad(why.unwrap_or("The request contains no picture.".into())));
    }
    let shape = now.model.shape();
    let asked = ImageBatch { input: Input::Bytes(images.into()), images: count, shape, sizes };
    let predicted = predict(app, asked, began).await?;
    let names = predicted.output.served.model.classes();
    let rows = predicted.probabilities.chunks_exact(names.len().max(1));
    let mut answers = rows.zip(&predicted.sure).zip(&predicted.classes).enumerate();
    let mut predictions = Vec::with_capacity(files.len());
    for (file, image) in &files {
        let mut entry = Map::new();
        if let Some(file) = file {
            entry.insert("file".into(), file.as_str().into());
        }
        match (image, image.is_ok().then(|| answers.next()).flatten()) {
            (Ok(_), Some((index, ((row, &(class, sure)), &answered)))) => {
                let all: Map<String, Value> =
                    names.iter().cloned().zip(row.iter().map(|&share| share.into())).collect();
                // The number of the image, for feedback.
                entry.insert("index".into(), index.into());
                entry.insert("class".into(), names.get(class).cloned().unwrap_or_default().into());
                entry.insert("probability".into(), row.get(class).copied().unwrap_or(0.0).into());
                entry.insert("confidence".into(), sure.into());
                entry.insert("unsure".into(), (answered < 0).into());
                entry.insert("probabilities".into(), all.into());
            }
            (Err(why), _) => drop(entry.insert("error".into(), why.as_str().into())),
            (Ok(_), None) => return Err(Problem::bad("The picture was not classified.")),
        }
        predictions.push(Value::Object(entry));
    }
    let value = json!({
        "model": app.predicting.model,
        "version": predicted.output.served.version,
        "request": predicted.request,
        "predictions": predictions,
    });
    Ok(with_id(answer::json(StatusCode::OK, &value), &predicted.request))
}

type Decoded = (Option<String>, Result<Prepared, String>);

fn decode(
    served: &Served,
    body: &[u8],
    boundary: Option<&str>,
    pixels_max: u64,
) -> Result<Vec<Decoded>, String> {
    let Some(boundary) = boundary else {
        return Ok(vec![(None, served.model.prepare(body, pixels_max))]);
    };
    let parts = multipart::parts(body, boundary)?;
    let decoded = parts.into_iter().map(|part| {
        let name = part.name.chars().take(NAME_CHARACTERS_MAX).collect();
        (Some(name), served.model.prepare(part.content, pixels_max))
    });
    Ok(decoded.collect())
}
