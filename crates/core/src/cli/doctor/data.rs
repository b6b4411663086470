//! Whether the images are there.

use std::path::PathBuf;

use super::check::Check;
use crate::cli::args::Common;
use crate::data::mnist::{Search, search};
use crate::data::{Download, Places};
use crate::sys::error_chain;

const AREA: &str = "data";

/// Looks for MNIST where a study would, and verifies it.
pub fn mnist(common: &Common, download: &Download) -> Check {
    let places = Places::default_folders(common.data.clone(), |name| std::env::var_os(name));
    let named = places.named.as_ref().map(|named| {
        let variable = std::env::var_os("BURGEON_DATA").map(PathBuf::from);
        let by = if variable.as_ref() == Some(named) { "BURGEON_DATA" } else { "--data" };
        format!("{}, as {by} says", named.display())
    });
    match search(&places) {
        Ok(Search::Found { dir, .. }) => {
            let place = named.unwrap_or_else(|| dir.display().to_string());
            Check::ok(AREA, format!("MNIST is in {place}, and is what was published"))
        }
        Ok(Search::Absent { searched }) => Check::warning(
            AREA,
            format!("MNIST was not found: {}", searched.join(", ")),
            match (download, &places.cache) {
                (Download::From { mirrors, .. }, Some(cache)) => format!(
                    "a study that asks for it downloads it (11 MB) from {} to {}; without a network, put its four \
                     files into data/ or set BURGEON_DATA to their folder",
                    mirrors.first().map_or("a mirror", String::as_str),
                    cache.display()
                ),
                _ => "put its four files into data/, or set BURGEON_DATA to their folder; it cannot be downloaded, \
                      because neither XDG_CACHE_HOME nor HOME is set"
                    .into(),
            },
        ),
        Err(error) => Check::fault(
            AREA,
            match &named {
                Some(named) => format!("MNIST is read from {named}, but: {}", error_chain(&error)),
                None => error_chain(&error),
            },
            "set BURGEON_DATA (or --data) to the folder with MNIST's four files, or unset it, so that the usual \
             places are searched",
        ),
    }
}
