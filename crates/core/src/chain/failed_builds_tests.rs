//! A chain of which builds have failed, for tests.

use std::path::Path;

use super::{BuildRequest, Cause, Chain, Config, Queued, Verdict};

/// A chain in this folder with these settings, whose builds 1 and 2 of the repository `digits` have failed.
pub(super) fn chain_with_failed_builds(folder: &Path, settings: &str) -> Chain {
    let config = Config::parse(Path::new("server.toml"), folder, settings).unwrap();
    let chain = Chain::open(config, "burgeon".into()).unwrap();
    for commit in ["a", "b"] {
        let asked =
            BuildRequest { repository: "digits", branch: "main", commit, cause: Cause::Push };
        let Queued::New(id) = chain.store.enqueue(asked).unwrap() else { panic!() };
        chain.store.start(id).unwrap();
        chain.store.end(id, Verdict::Failed, "broken").unwrap();
    }
    chain
}
