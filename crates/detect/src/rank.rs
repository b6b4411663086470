//! Programs → findings: what each holds, which file is most probably run, and in what order they are told.

use std::collections::BTreeMap;

use super::entry;
use super::finding::{
    Confidence, Entry, Environment, Evidence, Finding, Gpu, Kind, Language, LookedAt,
};
use super::limits::Limits;
use super::link::{Links, live};
use super::meaning::{Family, Framework};
use super::sources::Source;
use super::tally::{Tallies, Tally};

/// Places that are told of one finding.
const EVIDENCE_MOST: usize = 12;
/// Other entries that are told of one finding.
const OTHERS_MOST: usize = 50;

/// The findings of all programs, the most probable first.
pub fn findings(
    sources: &[Source],
    environment: &[Environment],
    limits: &Limits,
    looked: &mut LookedAt,
) -> Vec<Finding> {
    let weights: Vec<usize> = sources.iter().map(|source| source.facts.weight() + 1).collect();
    let mut left = limits.followed;
    let links = Links::of(sources);
    let mut grouped: BTreeMap<(Kind, Language, Framework, Option<Family>, bool), Finding> =
        BTreeMap::new();
    for file in 0..sources.len() {
        // A heavy module that many programs import is followed anew from each of them.
        let work: usize = links.reach(file).iter().map(|&file| weights[file]).sum();
        let Some(rest) = left.checked_sub(work) else {
            looked.limit(format!("only {} names and calls are followed", limits.followed));
            break;
        };
        left = rest;
        if links.is_imported(file)
            && sources[file].facts.main_guard.is_none()
            && !links.is_circular(file)
        {
            continue;
        }
        for finding in program(sources, &links, file, environment) {
            let key =
                (finding.kind, finding.language, finding.framework, finding.family, finding.is_own);
            match grouped.get_mut(&key) {
                None => {
                    grouped.insert(key, finding);
                }
                Some(known) => merge(known, finding),
            }
        }
    }
    let mut found: Vec<Finding> = grouped.into_values().collect();
    found.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.entry.file.cmp(&b.entry.file)));
    let trains: Vec<Framework> =
        found.iter().filter(|it| it.trains && it.is_own).map(|it| it.framework).collect();
    // A module that is never trained says nothing beside a program of the same library that is.
    found.retain(|finding| finding.trains || !trains.contains(&finding.framework));
    found
}

/// Keeps the better entry, and names the other.
fn merge(known: &mut Finding, other: Finding) {
    let (mut best, rest) =
        if other.score > known.score { (other, known.clone()) } else { (known.clone(), other) };
    let names = std::iter::once(rest.entry.file).chain(rest.others);
    best.others.extend(names);
    best.others.truncate(OTHERS_MOST);
    *known = best;
}

/// What the program that starts in this file holds, a finding for each library.
fn program(
    sources: &[Source],
    links: &Links,
    file: usize,
    environment: &[Environment],
) -> Vec<Finding> {
    let source = &sources[file];
    let reach = links.reach(file);
    let mut tallies = Tallies::of(sources, &live(sources, &reach));
    if !tallies.frameworks.values().any(Tally::makes) {
        // What nothing reaches by its name may be reached by what was not understood.
        let all = reach.iter().flat_map(|&file| {
            (0..sources[file].facts.scopes.len()).map(move |scope| (file, scope))
        });
        tallies = Tallies::of(sources, &all.collect());
    }
    let makes_keras = tallies.frameworks.get(&Framework::Keras).is_some_and(Tally::makes);
    let mut found = Vec::new();
    for (&framework, tally) in &tallies.frameworks {
        // A program of Keras may use TensorFlow beside it.
        if framework == Framework::Tensorflow && makes_keras {
            continue;
        }
        let is_arithmetic =
            matches!(framework, Framework::Tensorflow | Framework::Jax) && tally.is_arithmetic();
        let counts =
            (tally.makes() && !is_arithmetic) || (tally.builds.is_some() && tally.trains.is_some());
        let continues = tally.uses.is_some() && tally.trains.is_some();
        if counts || continues {
            found.push(finding(
                source,
                links.is_imported(file),
                framework,
                tally,
                &tallies,
                environment,
            ));
        }
    }
    found
}

fn finding(
    source: &Source,
    is_imported: bool,
    framework: Framework,
    tally: &Tally,
    tallies: &Tallies,
    environment: &[Environment],
) -> Finding {
    let families = tally.families(framework);
    let family = families.first().copied();
    let trains = tally.trains.is_some();
    let mut evidence = tally.evidence();
    evidence.truncate(EVIDENCE_MOST);
    let is_own = !source.is_aside;
    let confidence = match (is_own, trains, family.is_some()) {
        (true, true, true) => Confidence::High,
        (true, true, false) | (true, false, true) => Confidence::Medium,
        _ => Confidence::Low,
    };
    let (points, why) = entry::points(source, is_imported, environment);
    let weight = i64::try_from(tally.weight().min(10)).unwrap_or(10);
    let deep = if framework.is_deep() && tally.weight() > 1 { 5 } else { 0 };
    let score =
        points + weight + deep + if trains { 40 } else { 10 } - if is_own { 0 } else { 100 };
    let (gpu, gpu_evidence) = gpu(tallies, environment);
    Finding {
        kind: if source.is_notebook { Kind::Notebook } else { Kind::Program },
        language: source.language,
        framework,
        libraries: tallies.libraries.iter().map(|name| (*name).to_owned()).collect(),
        family,
        families,
        trains,
        is_own,
        confidence,
        reason: reason(framework, family, trains, is_own),
        entry: Entry {
            file: source.name.clone(),
            is_exact: source.path.to_str() == Some(source.name.as_str()),
            line: starts_at(source, tally),
            why,
        },
        others: Vec::new(),
        data: tallies.data.clone(),
        gpu,
        gpu_evidence,
        evidence,
        study: None,
        score,
    }
}

/// The main guard, or the line of the file itself that trains.
fn starts_at(source: &Source, tally: &Tally) -> Option<u32> {
    let trains =
        tally.trains.as_ref().filter(|seen| seen.file == source.name && seen.cell.is_none());
    source.facts.main_guard.filter(|_| !source.is_notebook).or(trains.map(|seen| seen.line))
}

fn reason(framework: Framework, family: Option<Family>, trains: bool, is_own: bool) -> String {
    let what = match family {
        Some(family) => format!("it makes {} with {}", family.one(), framework.words()),
        None => format!("it sets up a model with {} whose kind was not seen", framework.words()),
    };
    let how = if trains { " and trains it" } else { "; no training of it was seen" };
    let aside = if is_own { "" } else { ", in a test or in a copy of somebody else's code" };
    format!("{what}{how}{aside}")
}

/// What the program says, or else what it is installed with.
fn gpu(tallies: &Tallies, environment: &[Environment]) -> (Gpu, Option<Evidence>) {
    let said = tallies.gpu.clone();
    if let Some((Gpu::Required, seen)) = &said {
        return (Gpu::Required, Some(seen.clone()));
    }
    if said.as_ref().is_none_or(|(gpu, _)| *gpu == Gpu::Optional)
        && let Some(seen) = environment.iter().find_map(|file| file.gpu.clone())
    {
        return (Gpu::Required, Some(seen));
    }
    said.map_or((Gpu::None, None), |(gpu, seen)| (gpu, Some(seen)))
}
