//! What a run found out, as it is kept: `results.json`, with every sample. Tables and charts are made of nothing else,
//! so that they can be made again, and a run that was interrupted goes on where it was.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use pexboot::internals::bench::{
    App, BenchError, Comparison, Host, Measure, Series, State, Subject, Workshop, from_json,
    geometric_mean, to_json,
};
use serde_json::{Map, Value, json};

use crate::peers::{BASELINE, TOOLS};

/// The file's name in a run's directory.
const FILE: &str = "results.json";

/// What the raw figures of one target are called, and their samples.
pub type Figures = BTreeMap<String, Vec<f64>>;

/// A variant that was left out.
#[derive(Debug)]
pub struct Omission {
    /// The application.
    pub app: String,
    /// The variant.
    pub variant: String,
    /// The reason.
    pub why: String,
}

/// How many bytes a variant has.
#[derive(Debug)]
pub struct Size {
    /// The application.
    pub app: String,
    /// The variant.
    pub variant: String,
    /// Those of its one file; of a virtual environment those of all its files, less pip's and setuptools'.
    pub bytes: u64,
}

/// Everything that a run found out.
#[derive(Debug)]
pub struct Record {
    /// The samples.
    pub comparisons: Vec<Comparison>,
    /// What was left out.
    pub omissions: Vec<Omission>,
    /// How large the variants are.
    pub sizes: Vec<Size>,
    /// The wheels of each application, by file name.
    pub wheels: BTreeMap<String, Vec<String>>,
    /// Figures of targets that no start alone tells.
    pub targets: BTreeMap<String, Figures>,
    /// Where it was measured.
    pub host: Host,
    /// With which Python.
    pub python: String,
    /// With which packagers, `name==version`.
    pub tools: Vec<String>,
    /// Of which pexboot.
    pub version: String,
}

impl Record {
    /// A record without any samples yet.
    pub fn new(host: Host, workshop: &Workshop) -> Result<Record, Box<dyn Error>> {
        let version = Command::new(workshop.python()).arg("-VV").output()?;
        let python = workshop.python().display();
        let version = String::from_utf8_lossy(&version.stdout);
        Ok(Record {
            comparisons: Vec::new(),
            omissions: Vec::new(),
            sizes: Vec::new(),
            wheels: BTreeMap::new(),
            targets: BTreeMap::new(),
            host,
            python: format!("{python}: {}", version.trim()),
            tools: tools(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Reads the record in `directory`; none when there is none.
    pub fn read(directory: &Path) -> Result<Option<Record>, Box<dyn Error>> {
        let path = directory.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let record = Record::from_json(&serde_json::from_str(&text)?);
        let explain = || format!("`{}` is no record of this bench", path.display());
        Ok(Some(record.ok_or_else(explain)?))
    }

    /// Writes it into `directory`, less the paths in `hide`, which are nobody's business.
    pub fn write(&self, directory: &Path, hide: &[(&str, &str)]) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(directory)?;
        let mut text = format!("{:#}\n", self.to_json());
        for (path, name) in hide {
            text = text.replace(path, name);
        }
        Ok(fs::write(directory.join(FILE), text)?)
    }

    fn to_json(&self) -> Value {
        let mut document = to_json(&self.comparisons, &self.host);
        document["pexboot"] = json!(self.version);
        document["python"] = json!(self.python);
        document["tools"] = json!(self.tools);
        document["targets"] = json!(self.targets);
        document["wheels"] = json!(self.wheels);
        let sizes = self.sizes.iter();
        document["sizes"] = sizes
            .map(|size| json!({"app": size.app, "variant": size.variant, "bytes": size.bytes}))
            .collect();
        let omissions = self.omissions.iter();
        document["left_out"] = omissions
            .map(|one| json!({"app": one.app, "variant": one.variant, "why": one.why}))
            .collect();
        document
    }

    fn from_json(document: &Value) -> Option<Record> {
        let sizes = document["sizes"].as_array()?.iter().map(|size| {
            Some(Size {
                app: text(&size["app"])?,
                variant: text(&size["variant"])?,
                bytes: size["bytes"].as_u64()?,
            })
        });
        let omissions = document["left_out"].as_array()?.iter().map(|one| {
            Some(Omission {
                app: text(&one["app"])?,
                variant: text(&one["variant"])?,
                why: text(&one["why"])?,
            })
        });
        let figures = |figures: &Value| map(figures, |numbers| list(numbers, Value::as_f64));
        Some(Record {
            comparisons: from_json(document)?,
            omissions: omissions.collect::<Option<_>>()?,
            sizes: sizes.collect::<Option<_>>()?,
            wheels: map(&document["wheels"], |names| list(names, text))?,
            targets: map(&document["targets"], figures)?,
            host: Host::from_json(&document["machine"])?,
            python: text(&document["python"])?,
            tools: list(&document["tools"], text)?,
            version: text(&document["pexboot"])?,
        })
    }

    /// Notes how large a variant is.
    pub fn note_size(&mut self, app: &App, subject: &Subject) -> std::io::Result<()> {
        let file = &subject.program;
        let bytes = match (subject.name.as_str(), file.parent().and_then(Path::parent)) {
            (BASELINE, Some(environment)) => tree_size(environment)?,
            _ => fs::metadata(file)?.len(),
        };
        self.sizes.push(Size {
            app: app.name.to_owned(),
            variant: subject.name.clone(),
            bytes,
        });
        Ok(())
    }

    /// Notes that a variant is left out because of `error`.
    pub fn note_omission(&mut self, app: &App, variant: &str, error: &BenchError) {
        let why = reason(error);
        eprintln!("{}: {variant} is left out: {why}", app.name);
        self.omissions.push(Omission {
            app: app.name.to_owned(),
            variant: variant.to_owned(),
            why,
        });
    }

    /// Notes the wheels that an application consists of.
    pub fn note_wheels(&mut self, app: &App, directory: &Path) -> std::io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        self.wheels.insert(app.name.to_owned(), names);
        Ok(())
    }

    /// Forgets all about an application.
    pub fn forget(&mut self, app: &App) {
        self.comparisons.retain(|one| one.title != app.name);
        self.omissions.retain(|one| one.app != app.name);
        self.sizes.retain(|one| one.app != app.name);
        self.wheels.remove(app.name);
    }

    /// Whether an application's starts are all there.
    pub fn has(&self, app: &App) -> bool {
        [State::Cold, State::Warm].iter().all(|&state| {
            let comparison = |one: &Comparison| one.title == app.name && one.state == state;
            self.comparisons.iter().any(comparison)
        })
    }

    /// The applications, in the order in which they were measured.
    pub fn apps(&self) -> Vec<&str> {
        let mut apps = Vec::new();
        for comparison in &self.comparisons {
            if !apps.contains(&comparison.title.as_str()) {
                apps.push(&comparison.title);
            }
        }
        apps
    }

    /// The samples of one variant.
    pub fn series(&self, app: &str, state: State, variant: &str) -> Option<&Series> {
        let comparison = self
            .comparisons
            .iter()
            .find(|one| one.title == app && one.state == state)?;
        comparison
            .series
            .iter()
            .find(|series| series.subject.name == variant)
    }

    /// One variant's figure as a multiple of another's, each in a state of its own.
    pub fn ratio(
        &self,
        app: &str,
        (state, variant): (State, &str),
        (other_state, other): (State, &str),
        measure: Measure,
    ) -> Option<f64> {
        let base = measure.of(self.series(app, other_state, other)?);
        let figure = measure.of(self.series(app, state, variant)?);
        (base > 0.0).then_some(figure / base)
    }

    /// The same to the plain virtual environment's warm start.
    pub fn multiple(
        &self,
        app: &str,
        state: State,
        variant: &str,
        measure: Measure,
    ) -> Option<f64> {
        let baseline = (State::Warm, BASELINE);
        self.ratio(app, (state, variant), baseline, measure)
    }

    /// The geometric mean of these over `apps`; none when one is missing.
    pub fn mean_multiple(
        &self,
        apps: &[&str],
        state: State,
        variant: &str,
        measure: Measure,
    ) -> Option<f64> {
        let multiples = apps
            .iter()
            .map(|app| self.multiple(app, state, variant, measure));
        geometric_mean(multiples.collect::<Option<Vec<f64>>>()?)
    }

    /// Samples of a target's figure.
    pub fn figure(&self, target: &str, name: &str) -> Option<&[f64]> {
        Some(self.targets.get(target)?.get(name)?)
    }
}

/// What a lock pins and a report names: the packagers, not what they need.
fn tools() -> Vec<String> {
    let wanted = ["pex==", "shiv==", "pyinstaller=="];
    let mut tools: Vec<String> = TOOLS
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    tools.push("xar==20.12.2".to_owned());
    tools
}

/// A failed step's last words, or the first line of a shorter message.
fn reason(error: &BenchError) -> String {
    match error {
        BenchError::SetUp { tail, .. } => {
            let last = tail.lines().last().unwrap_or_default().trim();
            format!("cannot be built here: {last}")
        }
        BenchError::ExitCode { got, tail, .. } => {
            let last = tail.lines().last().unwrap_or_default().trim();
            format!("ends with {got}: {last}")
        }
        error => {
            let text = error.to_string();
            text.lines()
                .next()
                .unwrap_or_default()
                .trim_end_matches(':')
                .to_owned()
        }
    }
}

/// What a new virtual environment has without being asked.
const INSTALLERS: [&str; 4] = ["pip", "setuptools", "pkg_resources", "_distutils_hack"];

/// The bytes of all files below `directory`, links not followed, the installers left out.
fn tree_size(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let project = name.split_once('-').map_or(&*name, |(project, _)| project);
        if INSTALLERS.contains(&project) && directory.ends_with("site-packages") {
            continue;
        }
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            tree_size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(read).collect()
}

fn map<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<BTreeMap<String, T>> {
    let object: &Map<String, Value> = value.as_object()?;
    let pairs = object
        .iter()
        .map(|(name, value)| Some((name.clone(), read(value)?)));
    pairs.collect()
}
