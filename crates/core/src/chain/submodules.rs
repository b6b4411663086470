//! URLs of submodules, which are untrusted, as the repository names them.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use sha2::{Digest, Sha256};

use super::url::GitUrl;

/// The URLs in `.gitmodules` by path, from the output of `git config --null --list`.
pub fn urls(listed: &str) -> BTreeMap<String, String> {
    let mut modules: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (key, value) in listed.split('\0').filter_map(|entry| entry.split_once('\n')) {
        let Some((name, key)) =
            key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.'))
        else {
            continue;
        };
        let module = modules.entry(name).or_default();
        match key {
            "path" => module.0 = Some(value),
            "url" => module.1 = Some(value),
            _ => {}
        }
    }
    modules
        .into_values()
        .filter_map(|(path, url)| Some((path?.to_owned(), url?.to_owned())))
        .collect()
}

/// The URL of a submodule of the repository at `base`: over the network or, for a repository on this machine, in the
/// same folder as that repository.
///
/// # Errors
///
/// What is wrong with the URL.
pub fn resolved(base: &GitUrl, url: &str) -> Result<GitUrl, String> {
    let text = match url.starts_with("./") || url.starts_with("../") {
        true => relative(base.as_str(), url)?,
        false => url.to_owned(),
    };
    let url = GitUrl::try_from(text).map_err(|error| error.to_string())?;
    let parent = |url: &GitUrl| Path::new(url.as_str()).parent().map(Path::to_path_buf);
    let is_plain = Path::new(url.as_str()).components().all(|part| part != Component::ParentDir);
    match (base.transport(), url.transport()) {
        ("file", "file") if is_plain && parent(base) == parent(&url) => Ok(url),
        (_, "file") => Err("is on this machine, outside the folder of its repository".into()),
        _ => Ok(url),
    }
}

/// Resolves a relative URL against that of the repository, as Git does.
fn relative(base: &str, url: &str) -> Result<String, String> {
    let mut base = base.trim_end_matches('/');
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            let cut = base.rfind(['/', ':']).filter(|cut| !base[..*cut].ends_with('/'));
            base = &base[..cut
                .ok_or_else(|| format!("has the URL {url:?}, which leads above the root"))?];
            rest = after;
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            return Ok(format!("{base}/{rest}"));
        }
    }
}

/// The name of the folder that a URL is fetched into.
pub fn folder(url: &GitUrl) -> String {
    format!("{}.git", hex::encode(&Sha256::digest(url.as_str())[..8]))
}

#[cfg(test)]
mod tests;
