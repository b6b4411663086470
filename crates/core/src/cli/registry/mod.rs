//! `burgeon registry`: versions of accepted models, and which of them serves.

mod add;
mod shown;

use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "serve")]
pub(super) use self::add::version_of;
#[cfg(feature = "serve")]
pub(super) use self::shown::decision_text;
use self::shown::{list_json, list_text, promotion_json, promotion_text};
use super::args::{Common, RegistryArguments, RegistryCommand};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::registry::{Action, Force, Registry, RegistryError, Writer, parse_version};
use crate::study::LaunchError;
use crate::sys::clock::RealClock;
use crate::sys::files::real_files;
use crate::sys::process::ProcessName;

const COMMAND: &str = "burgeon registry";

/// Does what is asked of a registry.
pub fn registry(
    arguments: &RegistryArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let folder = &arguments.registry;
    match &arguments.command {
        RegistryCommand::Add(add) => add::add(folder, add, common, output),
        RegistryCommand::List => {
            let registry = open(folder)?;
            match output.json {
                true => output.result_json(&list_json(&registry)?),
                false => output.result(&list_text(&registry)?),
            }
        }
        RegistryCommand::Promote { name, version, force } => {
            let version = parse_version(version)?;
            let force = if *force { Force::Yes } else { Force::No };
            let writer = writer(&open(folder)?, COMMAND)?;
            let promotion = writer.promote(name, version, force)?;
            let refused = promotion.record.action == Action::Refused;
            match output.json {
                true => output.result_json(&promotion_json(&promotion))?,
                false => output.result(&promotion_text(&promotion))?,
            };
            Ok(if refused { Exit::Refused } else { Exit::Success })
        }
        RegistryCommand::Rollback { name } => {
            let promotion = writer(&open(folder)?, COMMAND)?.roll_back(name)?;
            match output.json {
                true => output.result_json(&promotion_json(&promotion)),
                false => output.result(&promotion_text(&promotion)),
            }
        }
        RegistryCommand::Verify => {
            let found = open(folder)?.verify()?;
            match output.json {
                true => output.result_json(&found)?,
                false => output.result(&shown::verification_text(&found))?,
            };
            Ok(if found.faults.is_empty() { Exit::Success } else { Exit::Failed })
        }
        #[cfg(feature = "serve")]
        RegistryCommand::Feedback { output: folder_to, requests } => {
            let requests = match requests {
                Some(requests) => requests.clone(),
                None => open(folder)?.requests(),
            };
            let exported = crate::serve::predict::export_feedback(&requests, folder_to);
            let (images, without) = exported.map_err(CliError::File)?;
            match output.json {
                true => output.result_json(
                    &serde_json::json!({ "images": images, "labels_without_image": without }),
                ),
                false => output.result(&format!(
                    "{images} images in {}; {without} labels have no kept image\n",
                    folder_to.display()
                )),
            }
        }
        RegistryCommand::Clear => {
            let cleared = writer(&open(folder)?, COMMAND)?.clear()?;
            match output.json {
                true => output.result_json(&serde_json::json!({ "cleared": cleared })),
                false => output.result(&shown::cleared_text(&cleared)),
            }
        }
    }
}

fn open(folder: &Path) -> Result<Registry, CliError> {
    let files = real_files().map_err(LaunchError::from)?;
    Ok(Registry::open(files, folder)?)
}

/// A writer in the name of the user.
pub(super) fn writer(registry: &Registry, command: &str) -> Result<Writer, RegistryError> {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let by = format!("{}@{}", user.unwrap_or("somebody".into()), ProcessName::current().host);
    Writer::open(registry, Arc::new(RealClock::default()), &by, command)
}
