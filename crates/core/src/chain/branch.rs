//! Names of branches, checked before they reach Git.

/// Whether text can be the name of a branch: the rules of `git check-ref-format`, and nothing that Git could take
/// for an option.
pub fn is_branch(name: &str) -> bool {
    let is_allowed = |c: char| !c.is_control() && !" ~^:?*[\\\u{7f}".contains(c);
    (1..=200).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.starts_with(['-', '/'])
        && !name.ends_with(['/', '.'])
        && name != "@"
        && !["..", "//", "@{"].iter().any(|part| name.contains(part))
        && name.split('/').all(|part| !part.starts_with('.') && !part.ends_with(".lock"))
}

/// Whether text is the full name of a commit: 40 or 64 hexadecimal digits.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests;
