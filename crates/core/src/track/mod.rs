//! What a run records, for the tools that people watch trainings with: TensorBoard and MLflow.
//!
//! Everything is read from the run's event log, by a thread of its own for each tool: training neither waits for one nor
//! knows of it. The same code sends a whole run afterwards. What was written or sent before, by a process that was
//! killed as well, is recognized and not repeated.

mod confusion;
mod error;
mod figures;
mod follow;
mod mlflow;
mod sink;
mod tail;
mod tensorboard;

use std::path::PathBuf;

pub(crate) use self::error::{MlflowError, TrackError};
pub(crate) use self::follow::Followers;
pub(crate) use self::mlflow::Server;
use self::sink::Sink;
use self::tail::Tail;
use self::tensorboard::TensorBoard;
use crate::ledger::RunFolder;

/// Where a run is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Targets {
    /// The folder that TensorBoard is pointed at.
    pub(crate) tensorboard: Option<PathBuf>,
    /// The tracking server.
    pub(crate) mlflow: Option<Server>,
}

impl Targets {
    fn sinks(&self, run: &RunFolder) -> Vec<Box<dyn Sink>> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(folder) = &self.tensorboard {
            sinks.push(Box::new(TensorBoard::new(folder, run.clone())));
        }
        if let Some(server) = &self.mlflow {
            sinks.push(Box::new(mlflow::Run::new(server.clone(), run.clone())));
        }
        sinks
    }

    /// Shows all that a run has recorded so far.
    ///
    /// # Errors
    ///
    /// When the record cannot be read, or a tool does not take it.
    pub(crate) fn show(&self, run: &RunFolder) -> Result<(), TrackError> {
        for mut sink in self.sinks(run) {
            let mut tail = Tail::new(run.clone());
            loop {
                let records = tail.next()?;
                if records.is_empty() {
                    break;
                }
                for record in &records {
                    sink.take(record)?;
                }
            }
        }
        Ok(())
    }

    /// Begins to show a run while it trains.
    pub(crate) fn follow(&self, run: &RunFolder) -> Followers {
        Followers::start(self.sinks(run), run)
    }
}
