//! What a program makes and does, library by library.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{DataNamed, Evidence, Gpu};
use super::link::Live;
use super::meaning::{
    Family, Framework, GpuSign, METHODS, Meaning, Part, gpu_sign, library, meanings,
};
use super::source::facts::{Call, Class};
use super::sources::Source;

/// What a program does with one library.
#[derive(Default)]
pub struct Tally {
    /// Layers by what they are made of, with the first of each.
    pub parts: BTreeMap<Part, (usize, Evidence)>,
    /// Whole models.
    pub models: BTreeMap<Family, (usize, Evidence)>,
    /// Where a model is put together.
    pub builds: Option<Evidence>,
    /// Where it is trained.
    pub trains: Option<Evidence>,
    /// Where one is used that was trained before.
    pub uses: Option<Evidence>,
    /// Whether a dense layer is made in a loop.
    pub dense_in_loop: bool,
}

/// What a whole program does.
#[derive(Default)]
pub struct Tallies {
    /// By library.
    pub frameworks: BTreeMap<Framework, Tally>,
    /// The data that it names.
    pub data: Vec<DataNamed>,
    /// Whether it wants a GPU.
    pub gpu: Option<(Gpu, Evidence)>,
    /// Libraries that it calls.
    pub libraries: BTreeSet<&'static str>,
    /// Calls of methods that train, of whatever library.
    methods: BTreeMap<&'static str, Evidence>,
    /// An own class for attention that is made.
    attention: Option<Evidence>,
    /// Activations that are mentioned without being called.
    mentions_activation: bool,
}

/// Names of data sets that are listed of one program.
const DATA_MOST: usize = 30;

impl Tallies {
    /// What the reached parts of these files do.
    pub fn of(sources: &[Source], live: &Live) -> Self {
        let mut all = Self::default();
        let files: BTreeSet<usize> = live.iter().map(|(file, _)| *file).collect();
        for file in files {
            let source = &sources[file];
            let is_live = |scope: usize| live.contains(&(file, scope));
            for call in source.facts.calls.iter().filter(|call| is_live(call.scope)) {
                all.call(source, call);
            }
            for class in source.facts.classes.iter().filter(|class| is_live(class.scope)) {
                all.class(source, class);
            }
            for (scope, _) in
                source.facts.scopes.iter().enumerate().filter(|(scope, _)| is_live(*scope))
            {
                let names = &source.facts.scopes[scope].mentions;
                all.mentions_activation |= ["relu", "tanh", "gelu", "elu", "leaky_relu"]
                    .iter()
                    .any(|name| names.contains(*name));
            }
        }
        all.conclude();
        all
    }

    fn call(&mut self, source: &Source, call: &Call) {
        let see = |means: &str| evidence(source, call.line, &call.saw, means);
        self.libraries.extend(library(&call.path));
        for meaning in meanings(call) {
            match meaning {
                Meaning::Layer(framework, part) => {
                    let tally = self.frameworks.entry(framework).or_default();
                    tally.dense_in_loop |= part == Part::Dense && call.in_loop;
                    let entry = tally.parts.entry(part);
                    entry.or_insert_with(|| (0, see(part_words(part)))).0 += 1;
                }
                Meaning::Model(framework, family) => {
                    let tally = self.frameworks.entry(framework).or_default();
                    let entry = tally.models.entry(family);
                    entry.or_insert_with(|| (0, see(&format!("a model: {}", family.words())))).0 +=
                        1;
                }
                Meaning::Builds(framework) => {
                    self.frameworks
                        .entry(framework)
                        .or_default()
                        .builds
                        .get_or_insert_with(|| see("a model is set up"));
                }
                Meaning::Trains(framework) => {
                    self.frameworks
                        .entry(framework)
                        .or_default()
                        .trains
                        .get_or_insert_with(|| see("a training"));
                }
                Meaning::Uses(framework) => {
                    let tally = self.frameworks.entry(framework).or_default();
                    tally.uses.get_or_insert_with(|| see("a trained model is loaded"));
                }
                Meaning::Data(datum) => {
                    let is_new = self.data.iter().all(|known| known.datum != datum);
                    if is_new && self.data.len() < DATA_MOST {
                        self.data.push(DataNamed { datum, evidence: see("data are named") });
                    }
                }
            }
        }
        if let Some(method) =
            METHODS.iter().find(|method| call.path.strip_prefix('.') == Some(method))
        {
            self.methods.entry(method).or_insert_with(|| see("a training"));
        }
        if let Some(sign) = gpu_sign(call) {
            self.gpu(sign, see("a GPU"));
        }
    }

    fn gpu(&mut self, sign: GpuSign, evidence: Evidence) {
        let wanted = match sign {
            GpuSign::Used => Gpu::Required,
            GpuSign::AskedFor => Gpu::Optional,
            GpuSign::Off => Gpu::None,
        };
        // Whoever asks whether there is one, or switches it off, runs without.
        let is_weaker = self.gpu.as_ref().is_none_or(|(known, _)| wanted < *known);
        if is_weaker {
            self.gpu = Some((wanted, evidence));
        }
    }

    fn class(&mut self, source: &Source, class: &Class) {
        let see = |means: &str| evidence(source, class.line, &class.saw, means);
        for base in &class.bases {
            let framework = match base.split('.').next().unwrap_or_default() {
                "keras" => Framework::Keras,
                "torch" if base.starts_with("torch.nn") => Framework::Pytorch,
                "lightning" => Framework::Pytorch,
                "flax" | "haiku" | "equinox" => Framework::Jax,
                "tensorflow" if base == "tensorflow.Module" => Framework::Tensorflow,
                _ => continue,
            };
            self.libraries.extend(library(base));
            let is_model = ["Model", "Module", "LightningModule", "Layer", "Sequential"]
                .iter()
                .any(|name| base.ends_with(name));
            if is_model {
                let tally = self.frameworks.entry(framework).or_default();
                tally.builds.get_or_insert_with(|| see("a model is set up"));
                let name = class.name.to_lowercase();
                if name.contains("attention") || name.contains("transformer") {
                    self.attention.get_or_insert_with(|| see("an own class for attention"));
                }
            }
        }
    }

    /// Concludes from what needs the whole program: methods of objects that are made elsewhere, own attention.
    fn conclude(&mut self) {
        for (framework, tally) in &mut self.frameworks {
            let makes =
                tally.builds.is_some() || !tally.parts.is_empty() || !tally.models.is_empty();
            let methods: &[&str] = match framework {
                Framework::Keras if makes => {
                    &["fit", "fit_generator", "train_on_batch", "apply_gradients"]
                }
                Framework::Keras => &["fit_generator"],
                Framework::Tensorflow if makes => {
                    &["minimize", "apply_gradients", "fit", "fit_generator"]
                }
                Framework::Pytorch => &["backward"],
                Framework::ScikitLearn
                | Framework::Xgboost
                | Framework::Lightgbm
                | Framework::Catboost
                    if makes =>
                {
                    &["fit", "train"]
                }
                _ => &[],
            };
            let method = methods.iter().find_map(|method| self.methods.get(method));
            tally.trains = tally.trains.take().or_else(|| method.cloned());
            let normalizes = tally.parts.contains_key(&Part::LayerNorm);
            if let (Some(seen), true) = (&self.attention, normalizes && framework.is_deep()) {
                tally.parts.entry(Part::Transformer).or_insert_with(|| (1, seen.clone()));
            }
            if self.mentions_activation
                && framework.is_deep()
                && tally.parts.contains_key(&Part::Dense)
            {
                let (_, dense) = tally.parts[&Part::Dense].clone();
                tally.parts.entry(Part::Activation).or_insert((1, dense));
            }
        }
    }
}

impl Tally {
    /// The kinds of models, the one that names it first.
    pub fn families(&self, framework: Framework) -> Vec<Family> {
        let count = |part| self.parts.get(&part).map_or(0, |(count, _)| *count);
        let mut found: Vec<Family> = Vec::new();
        if framework.is_deep() {
            let made = |family| self.models.contains_key(&family);
            let is_dense = count(Part::Dense) > 0;
            let is_single =
                count(Part::Dense) == 1 && !self.dense_in_loop && count(Part::Activation) == 0;
            let is = [
                (Family::Transformer, count(Part::Transformer) > 0),
                (Family::Graph, count(Part::Graph) > 0),
                (Family::Recurrent, count(Part::Recurrent) > 0),
                (Family::Cnn, count(Part::Convolution) > 0),
            ];
            found.extend(
                is.into_iter()
                    .filter(|(family, is)| *is || made(*family))
                    .map(|(family, _)| family),
            );
            if found.is_empty() && is_dense {
                found.push(if is_single { Family::Linear } else { Family::Mlp });
            }
        }
        let mut models: Vec<(&Family, usize)> =
            self.models.iter().map(|(family, (count, _))| (family, *count)).collect();
        models.sort_by_key(|(family, count)| (std::cmp::Reverse(*count), rank(**family)));
        found.extend(
            models
                .into_iter()
                .map(|(family, _)| *family)
                .filter(|family| !found.contains(family))
                .collect::<Vec<_>>(),
        );
        found
    }

    /// All that was seen, what tells most first.
    pub fn evidence(&self) -> Vec<Evidence> {
        let models = self.models.values().map(|(_, evidence)| evidence);
        let telling =
            |part: &Part| !matches!(part, Part::Other | Part::Activation | Part::LayerNorm);
        let parts =
            self.parts.iter().filter(|(part, _)| telling(part)).map(|(_, (_, evidence))| evidence);
        let rest = self.trains.iter().chain(&self.builds).chain(&self.uses);
        models.chain(parts).chain(rest).cloned().collect()
    }

    /// How many layers and models were seen.
    pub fn weight(&self) -> usize {
        let parts: usize = self.parts.values().map(|(count, _)| count).sum();
        let models: usize = self.models.values().map(|(count, _)| count).sum();
        parts + models
    }

    /// Whether there are products of matrices and no training, as in any computation.
    pub fn is_arithmetic(&self) -> bool {
        let is_plain = |part: &Part| matches!(part, Part::Dense | Part::Activation | Part::Other);
        let builds = self.builds.is_some() || self.trains.is_some() || !self.models.is_empty();
        !builds && self.parts.keys().all(is_plain)
    }

    /// Whether a model is made, rather than only loaded.
    pub fn makes(&self) -> bool {
        let telling = |part: &Part| !matches!(part, Part::Other | Part::Activation);
        !self.models.is_empty() || self.parts.keys().any(telling)
    }
}

/// Among models that are made equally often: what is usually meant to win.
fn rank(family: Family) -> u8 {
    match family {
        Family::Trees => 0,
        Family::Mlp => 1,
        Family::Kernel => 2,
        Family::Linear => 3,
        Family::Neighbours => 4,
        Family::Bayes => 5,
        _ => 6,
    }
}

fn part_words(part: Part) -> &'static str {
    match part {
        Part::Convolution => "a convolution",
        Part::Dense => "a dense layer",
        Part::Recurrent => "a recurrent layer",
        Part::Transformer => "attention",
        Part::LayerNorm => "layer normalization",
        Part::Graph => "a convolution over a graph",
        Part::Activation => "an activation",
        Part::Other => "a layer",
    }
}

/// What was seen, with its place; in a notebook, cell and line.
pub fn evidence(source: &Source, line: u32, saw: &str, means: &str) -> Evidence {
    let place = source.places.get((line as usize).saturating_sub(1));
    let (cell, line) = place.map_or((None, line), |(cell, line)| (Some(*cell), *line));
    Evidence { file: source.name.clone(), line, cell, saw: saw.to_owned(), means: means.to_owned() }
}
