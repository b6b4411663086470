//! Parses `multipart/form-data` (RFC 7578): the files of a body in memory, in order.

/// Most parts of a request.
const PARTS_MAX: usize = 64;

/// A file of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The name given by the client.
    pub(super) name: &'a str,
    pub(super) content: &'a [u8],
}

/// The boundary in a content type; `None` for other types.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    (1..=70).contains(&value.len()).then_some(value)
}

/// The files of a form.
///
/// # Errors
///
/// A sentence about what is wrong with the form.
pub(super) fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, String> {
    let cut = || "The form ends in the middle of a part.".to_owned();
    let first = format!("--{boundary}");
    let next = format!("\r\n--{boundary}");
    let start = find(body, first.as_bytes())
        .ok_or("The boundary of the form does not occur in its body.")?;
    let mut rest = &body[start + first.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let head = rest.strip_prefix(b"\r\n").ok_or_else(cut)?;
        let head_end = find(head, b"\r\n\r\n").ok_or_else(cut)?;
        let content = &head[head_end + 4..];
        let end = find(content, next.as_bytes()).ok_or_else(cut)?;
        if parts.len() == PARTS_MAX {
            return Err(format!("The form has more than {PARTS_MAX} parts."));
        }
        let name = std::str::from_utf8(&head[..head_end]).ok().and_then(file_name);
        parts.push(Part { name: name.unwrap_or_default(), content: &content[..end] });
        rest = &content[end + next.len()..];
    }
    Ok(parts)
}

/// The file name or, without one, the field name of a part with these headers.
fn file_name(head: &str) -> Option<&str> {
    let line = head.lines().find(|line| {
        line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:"))
    })?;
    let quoted = |key: &str| {
        let (_, after) = line.split_once(key)?;
        after.split_once('"').map(|(value, _)| value)
    };
    quoted("; filename=\"").or_else(|| quoted("; name=\""))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests;
