//! The exit codes, and what is made of them elsewhere.

use std::collections::BTreeMap;

use super::*;

/// The exit codes that a failure policy names, by what it does.
fn policy(manifest: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut action = String::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- action: ") {
            name.clone_into(&mut action);
            found.entry(action.clone()).or_default();
        } else if let Some(values) = line.strip_prefix("values: [") {
            let values = values.trim_end_matches(']').split(", ");
            let codes = found.get_mut(&action).expect("an action comes before its values");
            codes.extend(values.map(|code| code.parse::<u8>().unwrap()));
        }
    }
    found
}

#[test]
fn the_policy_of_the_kubernetes_job_agrees_with_the_exit_codes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kubernetes");
    for file in ["job.yaml", "cronjob.yaml"] {
        let manifest = std::fs::read_to_string(format!("{folder}/{file}")).unwrap();
        let policy = policy(&manifest);
        // Whatever a training answers for the same study again.
        let settled = [Exit::Usage, Exit::GateNotPassed].map(Exit::code);
        assert_eq!(policy["FailJob"], settled, "{file}");
        let again = [Exit::Failed, Exit::Locked, Exit::Interrupted, Exit::Terminated];
        for exit in again {
            assert!(
                policy["Count"].contains(&exit.code()),
                "{exit:?} is not tried again in {file}"
            );
        }
        // SIGKILL, which no program answers itself.
        assert!(policy["Count"].contains(&137), "{file}");
        assert_eq!(policy["Count"].len(), again.len() + 1, "{file}");
        assert!(policy["Ignore"].is_empty() && manifest.contains("type: DisruptionTarget"));
        // Success is no failure, and never in a policy.
        assert!(policy.values().flatten().all(|code| *code != Exit::Success.code()));
        for setting in
            ["podReplacementPolicy: Failed", "\"--resume\", \"auto\"", "restartPolicy: Never"]
        {
            assert!(manifest.contains(setting), "{setting} is not in {file}");
        }
    }
}
