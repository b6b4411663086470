//! The stages of a build, each of which is recorded before it begins and can be restarted.

use std::path::Path;

use super::Chain;
use super::build::{Build, End, Stop, Target, Trained};
use super::git::{Git, GitError};
use super::log::BuildLog;
use super::store::{BuildRow, StageName, StageState, StoreError, Verdict};
use super::{detect_stage, grow, program, publish, training};
use crate::report::words::count;
use crate::sys::error_chain;

/// Runs or resumes a build until it has its verdict or the service stops.
pub(super) fn run(chain: &Chain, row: BuildRow) -> Result<(), StoreError> {
    let id = row.id;
    let end = match begin(chain, row) {
        Ok(mut build) => {
            let end = match build.stages() {
                Ok(sentence) => End::Verdict(Verdict::Accepted, sentence),
                Err(end) => end,
            };
            build.close(&end);
            end
        }
        Err(end) => end,
    };
    match end {
        End::Verdict(verdict, why) => chain.store.end(id, verdict, &why),
        End::Interrupted => Ok(()),
        End::Store(error) => Err(error),
    }
}

fn begin(chain: &Chain, row: BuildRow) -> Result<Build<'_>, End> {
    let Some(repository) = chain.config.repository(&row.repository) else {
        let why = format!("the repository {} is no longer in the configuration", row.repository);
        return Err(End::Verdict(Verdict::Failed, why));
    };
    let path = chain.places.log(row.id);
    let open = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        BuildLog::open(&path, u64::from(chain.config.keep.log_megabytes) << 20)
    };
    let log = open().map_err(|error| {
        End::Verdict(Verdict::Failed, format!("cannot write {}: {error}", path.display()))
    })?;
    let stop = Stop::new(chain, &row);
    Ok(Build { chain, repository, row, log, stop, at: StageName::Pull })
}

impl Build<'_> {
    fn stages(&mut self) -> Result<String, End> {
        // What an earlier start of this build left running.
        super::process::end_left_over(&self.process_file());
        self.stage(StageName::Pull, Self::pull)?;
        let target = self.stage(StageName::Detect, detect_stage::detect)?;
        let mut trained = self.stage(StageName::Train, |build| match &target {
            Target::Study { file, rule } => training::train(build, file, rule.as_deref()),
            Target::Program { command, rule, .. } => program::train(build, command, rule),
        })?;
        self.stage(StageName::Judge, |build| build.judge(&trained, &target))?;
        if !trained.passed {
            trained = grow::grow(self, &target, &trained)?;
        }
        self.stage(StageName::Publish, |build| publish::publish(build, &trained))?;
        Ok(trained.sentence)
    }

    /// Runs a stage, and records its outcome; returns what the next stages need.
    pub(super) fn stage<T>(
        &mut self,
        name: StageName,
        work: impl FnOnce(&mut Self) -> Result<(String, T), End>,
    ) -> Result<T, End> {
        if self.stop.is_asked() {
            return Err(self.stop.end());
        }
        self.chain.store.begin_stage(self.row.id, name)?;
        self.at = name;
        match work(self) {
            Ok((note, result)) => {
                self.log.say(name, &note);
                self.chain.store.end_stage(self.row.id, name, StageState::Done, &note)?;
                Ok(result)
            }
            Err(end) => {
                if let End::Verdict(_, why) = &end {
                    self.log.say(name, why);
                    self.chain.store.end_stage(self.row.id, name, StageState::Failed, why)?;
                }
                Err(end)
            }
        }
    }

    fn pull(&mut self) -> Result<(String, ()), End> {
        // A checkout from before a restart is complete, and a container may still read it.
        let pulled =
            self.chain.places.checkout(self.row.id).is_dir() && !self.row.commit_id.is_empty();
        if pulled && self.row.starts > 0 {
            return Ok((
                format!("{} at {}, already pulled", self.row.branch, self.row.commit_id),
                (),
            ));
        }
        let kept = self.chain.places.repository(&self.repository.name);
        let folder = self.chain.places.checkout(self.row.id);
        let stop = || self.stop.is_asked();
        let git = Git {
            url: &self.repository.url,
            branch: &self.row.branch,
            kept: &kept,
            megabytes: self.repository.checkout_megabytes,
            submodules: self.repository.submodules,
            stop: &stop,
        };
        let pulled = (|| {
            let commit = match self.row.commit_id.as_str() {
                "" => git.newest()?,
                commit => commit.to_owned(),
            };
            git.check_out(&commit, &folder)
        })();
        let checkout = pulled.map_err(|error| match error {
            GitError::Stopped => self.stop.end(),
            error => self.failed(error_chain(&error)),
        })?;
        self.chain.store.set_commit(
            self.row.id,
            &checkout.commit,
            &checkout.author,
            &checkout.message,
        )?;
        self.row.commit_id.clone_from(&checkout.commit);
        let tree = checkout.tree;
        let mut note = format!(
            "{} at {}: {}, {} bytes",
            self.row.branch,
            checkout.commit,
            count(tree.files, "file"),
            tree.bytes
        );
        if tree.links > 0 {
            note += &format!("; {} symbolic links were written as files", tree.links);
        }
        if tree.submodules > 0 && !self.repository.submodules {
            note += &format!("; {} submodules were left out", tree.submodules);
        }
        Ok((note, ()))
    }

    fn judge(&mut self, trained: &Trained, target: &Target) -> Result<(String, ()), End> {
        self.chain.store.set_accuracy(self.row.id, trained.accuracy, trained.threshold)?;
        let sentence = trained.sentence.clone();
        let not_passed = |sentence| Err(End::Verdict(Verdict::NotPassed, sentence));
        match target {
            _ if trained.passed => Ok((sentence, ())),
            Target::Program { library, .. } if self.repository.grow => match library {
                Some(_) => Ok((format!("{sentence} Its network will be grown."), ())),
                None => not_passed(format!(
                    "{sentence} It cannot be grown: only Keras and PyTorch programs can."
                )),
            },
            _ => not_passed(sentence),
        }
    }

    fn close(&mut self, end: &End) {
        if let End::Verdict(verdict, _) = end {
            self.log.say(StageName::Notify, &format!("the build ended: {}", verdict.word()));
            // The checkout can be pulled again; the run stays until old files are removed.
            let checkout = self.chain.places.checkout(self.row.id);
            remove(&checkout);
        }
    }
}

/// Removes a folder if it exists. What cannot be removed now is removed later with the whole build.
fn remove(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}
