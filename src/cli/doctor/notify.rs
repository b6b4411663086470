//! Whether the program of `[notify]` can be started.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::check::Check;
use crate::spec::NotifySpec;

const AREA: &str = "notify";

/// Checks the command of `[notify]`; `None` without one. It is not run.
pub fn notify(spec: &NotifySpec) -> Option<Check> {
    let program = spec.command.as_ref()?.first()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    Some(match find(program, &path) {
        Some(found) => Check::ok(AREA, format!("the command of [notify] is {}", found.display())),
        None => Check::fault(
            AREA,
            format!("the command of [notify], `{program}`, is no program that can be started"),
            "give its path, make it executable, or add its folder to PATH",
        ),
    })
}

/// As the system looks for a program.
fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_executable(path));
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_the_system_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, mode) in [("tell", 0o755), ("text", 0o644)] {
            std::fs::write(at(name), "").unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths(["/nowhere".into(), folder.path().to_owned()]).unwrap();
        assert_eq!(find("tell", &path), Some(at("tell")));
        assert_eq!(find("text", &path), None);
        assert_eq!(find(at("tell").to_str().unwrap(), OsStr::new("")), Some(at("tell")));
        assert_eq!(find("missing", &path), None);
        let spec =
            NotifySpec { command: Some(vec!["/nowhere/tell".into()]), ..NotifySpec::default() };
        assert!(notify(&spec).unwrap().remedy.is_some());
        assert_eq!(notify(&NotifySpec::default()), None);
    }
}
