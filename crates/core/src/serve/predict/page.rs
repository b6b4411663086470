//! The page: draw a digit or drop a picture, and see the prediction; drift, versions and promotions. Its script requests
//! all data with the rights of the session.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;

use crate::serve::answer::{Problem, html, set, typed};
use crate::serve::assets;

/// `GET /`.
pub(super) async fn page() -> Response {
    let page = include_str!("assets/page.html");
    html(StatusCode::OK, page.replace("STYLE_SHEET", &assets::style_sheet()))
}

/// `GET /assets/NAME`.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let mut answer = match name.as_str() {
        "page.css" => {
            typed(StatusCode::OK, "text/css; charset=utf-8", include_str!("assets/page.css"))
        }
        "page.js" => {
            typed(StatusCode::OK, "text/javascript; charset=utf-8", include_str!("assets/page.js"))
        }
        "drift.js" => {
            typed(StatusCode::OK, "text/javascript; charset=utf-8", include_str!("assets/drift.js"))
        }
        // The styles shared by all pages.
        _ => return assets::asset(Path(name)).await,
    };
    set(&mut answer, CACHE_CONTROL, "no-cache");
    Ok(answer)
}
