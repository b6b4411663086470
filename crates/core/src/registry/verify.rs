//! Verifies that a registry is unchanged: every file of every version, the chain of records, and the aliases.

use serde::Serialize;

use super::error::RegistryError;
use super::folder::Registry;
use super::record::Action;
use crate::sys::error_chain;

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Verification {
    /// The number of verified versions.
    pub versions: u64,
    /// The number of verified records.
    pub records: u64,
    /// The number of verified aliases.
    pub aliases: u64,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

impl Registry {
    /// Verifies everything, and changes nothing.
    ///
    /// # Errors
    ///
    /// If a folder cannot be listed; problems with individual files are faults.
    pub fn verify(&self) -> Result<Verification, RegistryError> {
        let mut found = Verification::default();
        let mut fault = |error: &RegistryError| found.faults.push(error_chain(error));
        if let Err(error) = self.settings() {
            fault(&error);
        }
        if let Err(error) = self.held_out() {
            fault(&error);
        }
        for version in self.versions()? {
            found.versions += 1;
            if let Err(error) = self.verified(version, None) {
                found.faults.push(format!("version {version}: {}", error_chain(&error)));
            }
        }
        self.verify_records(&mut found)?;
        match self.aliases() {
            Err(error) => found.faults.push(error_chain(&error)),
            Ok(aliases) => {
                for alias in aliases {
                    found.aliases += 1;
                    let moved = self.record(alias.record).map(|(record, _)| record);
                    let is_decided = moved.as_ref().is_ok_and(|record| {
                        record.action.moves()
                            && record.alias.as_ref() == Some(&alias.alias)
                            && record.to == Some(alias.version)
                            && record.manifest.as_ref() == Some(&alias.manifest)
                    });
                    if !is_decided {
                        let (name, record) = (&alias.alias, alias.record);
                        found.faults.push(format!(
                            "{name} points to version {}, but record {record} did not decide that",
                            alias.version
                        ));
                    }
                    let hash = self.manifest(alias.version).map(|(_, hash)| hash);
                    match hash {
                        Ok(hash) if hash == alias.manifest => {}
                        Ok(_) => found.faults.push(format!(
                            "version {} was changed since {} was moved to it",
                            alias.version, alias.alias
                        )),
                        Err(error) => {
                            found.faults.push(format!("{}: {}", alias.alias, error_chain(&error)))
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn verify_records(&self, found: &mut Verification) -> Result<(), RegistryError> {
        let mut previous = String::new();
        for (place, number) in self.records()?.into_iter().enumerate() {
            found.records += 1;
            if number != place as u64 + 1 {
                found.faults.push(format!("record {} is missing", place + 1));
                return Ok(());
            }
            match self.record(number) {
                Err(error) => {
                    found.faults.push(error_chain(&error));
                    return Ok(());
                }
                Ok((record, hash)) => {
                    if record.previous != previous {
                        found
                            .faults
                            .push(format!("the record preceding record {number} was changed"));
                    }
                    let added = record.to.filter(|_| record.action == Action::Added);
                    if let Some(version) = added
                        && let Ok((_, now)) = self.manifest(version)
                        && record.manifest.is_some_and(|then| then != now)
                    {
                        found
                            .faults
                            .push(format!("version {version} was changed since it was added"));
                    }
                    previous = hash;
                }
            }
        }
        Ok(())
    }
}
