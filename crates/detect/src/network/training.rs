//! How a program trains its network: optimizer, rate, epochs, batch size, and what of it a study has.

use super::find::Chain;
use super::interpreter::Interpreter;
use super::keras_layers::rounded;
use super::step::number;
use super::value::{Args, Made, Value};

/// `[train]` of a study, key by key, and the share that `validation_split` sets aside.
#[derive(Debug, Clone, Default)]
pub struct Training {
    /// Keys and values as TOML.
    pub keys: Vec<(&'static str, String)>,
    /// Share of the images that are set aside.
    pub validation: Option<f64>,
}

impl Training {
    fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.keys.retain(|(known, _)| *known != key);
        self.keys.push((key, value.into()));
    }

    /// Whether a key is set.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(known, _)| *known == key)
    }
}

impl Interpreter<'_> {
    pub(super) fn training(&mut self, chain: &Chain) -> Training {
        let mut training = Training::default();
        let events: Vec<_> = self
            .events
            .iter()
            .filter(|event| event.on == chain.model || event.method.starts_with("fit"))
            .cloned()
            .collect();
        if let Some(compile) =
            events.iter().rev().find(|event| event.method == "compile" && event.on == chain.model)
        {
            self.at = compile.place;
            let optimizer = compile.args.get(0, &["optimizer"]).cloned();
            self.optimizer(optimizer.as_ref(), &mut training);
            let loss = compile.args.get(1, &["loss"]).cloned();
            self.loss(loss.as_ref(), &mut training);
        } else if chain.is_keras
            && let Some(optimizer) = self.objects.iter().rposition(|made| {
                made.path.starts_with("keras.optimizers.")
                    && !made.path.contains(".schedules.")
                    && made.kind().starts_with(|c: char| c.is_uppercase())
            })
        {
            // A loop of its own that takes gradients compiles nothing.
            self.at = self.objects[optimizer].place;
            self.optimizer(Some(&Value::Made(optimizer)), &mut training);
        }
        let fit = events
            .iter()
            .rev()
            .find(|event| event.method.starts_with("fit") && event.on == chain.model);
        let wrapped = self
            .objects
            .iter()
            .rev()
            .find(|made| matches!(made.kind(), "KerasClassifier" | "Trainer"));
        let method = fit.map_or(String::new(), |event| event.method.clone());
        let fit = fit
            .map(|event| (event.args.clone(), event.place))
            .or(wrapped.map(|made| (made.args.clone(), made.place)));
        if let Some((args, place)) = fit {
            self.at = place;
            self.fit(&method, &args, chain.is_keras, &mut training);
        }
        if !chain.is_keras {
            self.torch(&mut training);
        }
        let batches = self.objects.iter().filter(|made| {
            matches!(
                made.kind(),
                "DataLoader"
                    | "flow_from_directory"
                    | "flow"
                    | "image_dataset_from_directory"
                    | "batch"
            )
        });
        let batches: Vec<_> = batches
            .filter_map(|made| {
                let at = match made.kind() {
                    "DataLoader" => 1,
                    "batch" => 0,
                    "flow" => 2,
                    _ => usize::MAX,
                };
                made.args.get(at, &["batch_size"]).cloned().zip(Some(made.place))
            })
            .collect();
        // The first of them is the one for training.
        if !training.has("batch-size")
            && let Some((size, place)) = batches.first()
        {
            self.at = *place;
            self.whole("batch-size", "batch_size", size, &mut training);
        }
        if !training.has("batch-size")
            && let Some((size, place)) = self.batch
        {
            self.at = place;
            self.whole("batch-size", "the batch", &Value::Int(size), &mut training);
        }
        if !training.has("batch-size")
            && chain.is_keras
            && events.iter().any(|event| event.method.starts_with("fit"))
        {
            training.set("batch-size", "32");
        }
        if !training.has("epochs")
            && let Some((epochs, _)) = self.epochs
        {
            training.set("epochs", epochs.clamp(1, 100_000).to_string());
        }
        training
    }

    fn whole(&mut self, key: &'static str, word: &str, value: &Value, training: &mut Training) {
        match value.int() {
            Some(number) if (1..=65_536).contains(&number) => training.set(key, number.to_string()),
            Some(number) => self.say(
                word,
                format!("it is {number}, which is out of range; burgeon's default was left"),
            ),
            None => {
                let why = self.why(value);
                self.say(word, format!("it cannot be told: {why}; burgeon's default was left"));
            }
        }
    }

    fn fit(&mut self, method: &str, args: &Args, is_keras: bool, training: &mut Training) {
        // Where Keras takes them without their names: `fit(x, y, 128, 12)`.
        let (size_at, epochs_at) = match method {
            "fit" if is_keras => (2, 3),
            "fit_generator" if is_keras => (usize::MAX, 2),
            _ => (usize::MAX, usize::MAX),
        };
        let epochs = args.get(epochs_at, &["epochs", "nb_epoch", "max_epochs"]).cloned();
        match epochs {
            Some(epochs) => self.whole("epochs", "epochs", &epochs, training),
            // Keras' default.
            None if is_keras => training.set("epochs", "1"),
            None => {}
        }
        if let Some(size) = args.get(size_at, &["batch_size"]).cloned()
            && size != Value::None
        {
            self.whole("batch-size", "batch_size", &size, training);
        }
        if let Some(share) = args.named(&["validation_split"]).and_then(Value::float)
            && share > 0.0
            && share < 1.0
        {
            training.validation = Some(share);
        }
        if args.named(&["class_weight"]).is_some_and(|value| *value != Value::None) {
            self.say("class_weight", "weights of classes have no counterpart in a study");
        }
        if args.named(&["steps_per_epoch"]).is_some_and(|value| *value != Value::None) {
            self.say("steps_per_epoch", "an epoch of a study is every training image once");
        }
        let callbacks = args.named(&["callbacks"]).cloned();
        for callback in callbacks.and_then(|list| self.iterated(&list)).unwrap_or_default() {
            let Value::Made(made) = callback else { continue };
            let (kind, args) =
                (self.objects[made].kind().to_owned(), self.objects[made].args.clone());
            match kind.as_str() {
                "EarlyStopping" => {
                    let patience = args
                        .get(2, &["patience"])
                        .and_then(Value::int)
                        .unwrap_or(0)
                        .clamp(1, 100_000);
                    training.set("early-stopping", format!("{{ patience = {patience} }}"));
                }
                "ReduceLROnPlateau" | "LearningRateScheduler" => {
                    self.at = self.objects[made].place;
                    self.say(
                        kind,
                        "this way of changing the rate has no counterpart; it stays constant",
                    );
                }
                _ => {}
            }
        }
    }

    /// Optimizer and loss of a training loop that is written out.
    fn torch(&mut self, training: &mut Training) {
        let optimizer = (0..self.objects.len()).rev().find(|made| {
            let made = &self.objects[*made];
            made.path.starts_with("torch.optim.")
                && !made.path.contains("lr_scheduler")
                && made.kind().starts_with(|c: char| c.is_uppercase())
        });
        if let Some(optimizer) = optimizer {
            self.at = self.objects[optimizer].place;
            self.optimizer(Some(&Value::Made(optimizer)), training);
        }
        let scheduler = (0..self.objects.len())
            .rev()
            .find(|made| self.objects[*made].path.contains("lr_scheduler."));
        if let Some(scheduler) = scheduler {
            self.at = self.objects[scheduler].place;
            match self.objects[scheduler].kind() {
                "CosineAnnealingLR" => training.set("schedule", "\"cosine\""),
                "OneCycleLR" => {
                    let peak =
                        self.objects[scheduler].args.get(1, &["max_lr"]).and_then(Value::float);
                    training.set("schedule", "\"one-cycle\"");
                    if let Some(peak) = peak.filter(|rate| *rate > 0.0 && *rate <= 1e6) {
                        training.set("learning-rate", number(peak));
                    }
                }
                kind => {
                    let kind = kind.to_owned();
                    self.say(
                        kind,
                        "this schedule of the rate has no counterpart; it stays constant",
                    );
                }
            }
        }
        let loss = self
            .objects
            .iter()
            .rev()
            .find(|made| made.path.starts_with("torch.nn.") && made.kind().ends_with("Loss"));
        if let Some(place) = loss.map(|made| made.place) {
            let loss = self
                .objects
                .iter()
                .rposition(|made| made.place == place && made.kind().ends_with("Loss"));
            self.at = place;
            self.loss(loss.map(Value::Made).as_ref(), training);
        }
    }

    fn loss(&mut self, loss: Option<&Value>, training: &mut Training) {
        let (name, args) = match loss {
            Some(Value::Text(name)) => (name.to_string(), Args::default()),
            Some(Value::Name(path)) => {
                (path.rsplit('.').next().unwrap_or_default().into(), Args::default())
            }
            Some(Value::Made(made)) => {
                (self.objects[*made].kind().to_owned(), self.objects[*made].args.clone())
            }
            Some(Value::None) | None => return,
            Some(value) => {
                let why = self.why(value);
                self.say(
                    "loss",
                    format!("it cannot be told ({why}); a study trains on cross-entropy"),
                );
                return;
            }
        };
        let plain = name.to_lowercase().replace('_', "");
        if let Some(smoothing) = args.named(&["label_smoothing"]).and_then(Value::float)
            && smoothing > 0.0
            && smoothing < 1.0
        {
            training.set("label-smoothing", number(smoothing));
        }
        if args.named(&["weight"]).is_some_and(|value| *value != Value::None) {
            self.say(&name, "weights of classes have no counterpart in a study");
        }
        if !plain.contains("crossentropy")
            && !matches!(plain.as_str(), "nllloss" | "bceloss" | "bcewithlogitsloss")
        {
            self.say(name, "a study trains on cross-entropy instead");
        }
    }

    fn optimizer(&mut self, optimizer: Option<&Value>, training: &mut Training) {
        let is_torch = matches!(optimizer, Some(Value::Made(made)) if self.objects[*made].path.starts_with("torch"));
        let (name, args) = match optimizer {
            Some(Value::Text(name)) => (name.to_string(), Args::default()),
            Some(Value::Name(path)) => {
                (path.rsplit('.').next().unwrap_or_default().into(), Args::default())
            }
            Some(Value::Made(made)) => {
                let Made { args, .. } = &self.objects[*made];
                (self.objects[*made].kind().to_owned(), args.clone())
            }
            Some(Value::None) | None => ("rmsprop".into(), Args::default()),
            Some(value) => {
                let why = self.why(value);
                self.say(
                    "optimizer",
                    format!("it cannot be told ({why}); burgeon's default was left"),
                );
                return;
            }
        };
        let plain = name.to_lowercase().trim_end_matches("optimizer").to_owned();
        let at = usize::from(is_torch);
        let float = |key: &[&str]| args.named(key).and_then(Value::float);
        let default_rate = match plain.as_str() {
            "sgd" => 0.01,
            "adadelta" if is_torch => 1.0,
            "adagrad" | "rprop" | "rmsprop" if is_torch => 0.01,
            "adamax" if is_torch => 0.002,
            _ => 0.001,
        };
        let mut rate = default_rate;
        match args.get(at, &["learning_rate", "lr"]).cloned() {
            None | Some(Value::None) => {}
            Some(Value::Made(made)) => {
                let (kind, args) =
                    (self.objects[made].kind().to_owned(), self.objects[made].args.clone());
                if let Some(first) = args.get(0, &["initial_learning_rate"]).and_then(Value::float)
                {
                    rate = first;
                }
                if kind == "CosineDecay" {
                    training.set("schedule", "\"cosine\"");
                } else {
                    self.say(
                        kind,
                        "this schedule of the rate has no counterpart; it stays constant",
                    );
                }
            }
            Some(value) => match value.float() {
                Some(number) => rate = number,
                None => {
                    let why = self.why(&value);
                    self.say(
                        "learning rate",
                        format!("it cannot be told ({why}); {default_rate} was taken"),
                    );
                }
            },
        }
        if !(rate > 0.0 && rate <= 1e6) {
            self.say(
                "learning rate",
                format!("it is {rate}, which is out of range; {default_rate} was taken"),
            );
            rate = default_rate;
        }
        training.set("learning-rate", number(rate));
        let mut decay =
            float(&["weight_decay"]).filter(|decay| (0.0..=1e6).contains(decay)).unwrap_or(0.0);
        match plain.as_str() {
            "sgd" => {
                let momentum =
                    args.get(at + 1, &["momentum"]).and_then(Value::float).unwrap_or(0.0);
                let momentum = if (0.0..1.0).contains(&momentum) { momentum } else { 0.0 };
                let nesterov = args.named(&["nesterov"]).and_then(Value::truth).unwrap_or(false)
                    && momentum > 0.0;
                let nesterov = if nesterov { ", nesterov = true" } else { "" };
                training.set(
                    "optimizer",
                    format!("{{ sgd = {{ momentum = {}{nesterov} }} }}", number(momentum)),
                );
            }
            "adam" | "adamw" => {
                let [mut one, mut two] = [float(&["beta_1"]), float(&["beta_2"])];
                if let Some([first, second]) =
                    args.named(&["betas"]).and_then(|value| self.elements(value))
                {
                    (one, two) = (first.float(), second.float());
                }
                let epsilon =
                    float(&["epsilon", "eps"]).unwrap_or(if is_torch { 1e-8 } else { 1e-7 });
                let share = |value: Option<f64>, default: f64| {
                    value.filter(|beta| (0.0..1.0).contains(beta)).unwrap_or(default)
                };
                let epsilon = if epsilon > 0.0 && epsilon <= 1.0 { epsilon } else { 1e-8 };
                training.set(
                    "optimizer",
                    format!(
                        "{{ {plain} = {{ beta-1 = {}, beta-2 = {}, epsilon = {} }} }}",
                        number(share(one, 0.9)),
                        number(share(two, 0.999)),
                        number(epsilon)
                    ),
                );
                if plain == "adamw" && args.named(&["weight_decay"]).is_none() {
                    decay = if is_torch { 0.01 } else { 0.004 };
                }
            }
            _ => {
                let mut at = format!("its rate of {rate}");
                if plain.contains("adadelta") && rate > 0.01 {
                    training.set("learning-rate", "0.001");
                    at = format!(
                        "its usual rate of 0.001, as adadelta's of {rate} is of another kind"
                    );
                }
                let why = format!("this optimizer has no counterpart; adam was taken at {at}");
                self.say(&name, why);
                training.set("optimizer", "\"adam\"");
            }
        }
        if decay > 0.0 {
            training.set("weight-decay", number(rounded(decay)));
        }
        for (key, word) in
            [("global_clipnorm", "norm"), ("clipnorm", "norm"), ("clipvalue", "value")]
        {
            if let Some(bound) = float(&[key]).filter(|bound| *bound > 0.0 && *bound <= 1e9) {
                training.set("gradient-clipping", format!("{{ {word} = {} }}", number(bound)));
                if key == "clipnorm" {
                    self.say(
                        key,
                        "Keras limits each array by itself; a study limits all gradients together",
                    );
                }
            }
        }
        if float(&["decay"]).is_some_and(|decay| decay > 0.0) {
            self.say("decay", "this schedule of the rate has no counterpart; it stays constant");
        }
    }
}
