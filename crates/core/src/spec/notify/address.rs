//! Mail addresses, each with or without a name to show.

use super::host::is_domain;
use crate::spec::check::Check;

/// An address of mail: a name to show, and the address itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailAddress<'a> {
    /// Empty if none is given.
    pub(crate) name: &'a str,
    pub(crate) local: &'a str,
    pub(crate) domain: &'a str,
}

const ADDRESS_RULE: &str = "use one such as \"ann@example.org\" or \"Ann Lee <ann@example.org>\"";

/// Reports text that is no address.
pub(super) fn check_address(check: &mut Check, key: &str, address: &str) {
    if mail_address(address).is_none() {
        check.problem(key, format!("{address:?} is not a mail address"), ADDRESS_RULE);
    }
}

/// Reads an address. What is read has neither control characters nor anything that would need quoting in
/// the address itself.
pub(crate) fn mail_address(text: &str) -> Option<MailAddress<'_>> {
    if text.len() > 512 || text.contains(|c: char| c.is_control() || is_separator(c)) {
        return None;
    }
    let (name, address) = match text.strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<').map(|(name, address)| (name.trim(), address))?,
        None => ("", text),
    };
    let (local, domain) = address.split_once('@')?;
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    let fits = local.len() <= 64 && local.split('.').all(is_atom) && is_domain(domain);
    fits.then_some(MailAddress { name, local, domain })
}

/// Unicode's line and paragraph separators, which some programs take for the end of a line.
pub(crate) fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}
