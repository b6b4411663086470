//! The style sheet and the script of the pages, embedded in the program.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;

use super::answer::{Problem, set, typed};

/// The styles of reports, parts of which pages show, and of pages.
static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}\n{}", crate::report::STYLE, include_str!("assets/style.css")));
const SCRIPT: &str = include_str!("assets/live.js");

/// A hash of the assets, so that browsers can cache them forever.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    (&*STYLE, SCRIPT).hash(&mut hasher);
    format!("{:x}", hasher.finish())
});

/// The URL of the style sheet.
pub(super) fn style_sheet() -> String {
    format!("/assets/style.css?{}", *VERSION)
}

/// The URL of the script.
pub(super) fn script() -> String {
    format!("/assets/live.js?{}", *VERSION)
}

/// `GET /assets/NAME`.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let mut answer = match name.as_str() {
        "style.css" => typed(StatusCode::OK, "text/css; charset=utf-8", STYLE.as_str()),
        "live.js" => typed(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT),
        _ => return Err(Problem::not_found("file")),
    };
    set(&mut answer, CACHE_CONTROL, "public, max-age=31536000, immutable");
    Ok(answer)
}
