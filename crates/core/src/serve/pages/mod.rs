//! The pages: rendered here, readable without scripts, by keyboard, and on a phone.

mod build;
mod builds;
mod deliveries;
mod history;
mod jobs;
mod login;
mod passes;
mod repository;
mod retraining;
mod shell;
mod stages;
mod waiting;
mod words;

pub(super) use self::build::build;
pub(super) use self::builds::builds;
pub(super) use self::deliveries::deliveries;
pub(super) use self::login::{login, login_address, login_again, safe_target};
pub(super) use self::passes::Pass;
pub(super) use self::repository::repository;
pub(super) use self::retraining::{retraining, retraining_json};
pub(super) use self::shell::{FORM_TOKEN, problem};
