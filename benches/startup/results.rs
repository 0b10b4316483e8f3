//! What a run leaves: `results.md` to read, `results.json` with every sample, and charts. Ratios are to the plain
//! virtual environment's warm start, for cold starts too: the question is what a user pays for a single file.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pexboot::bench::{
    Align, App, Bar, BenchError, Chart, Comparison, Group, Machine, Measure, Role, Series, State,
    Subject, Table, Workshop, comparison_chart, comparison_table, geometric_mean, milliseconds,
    to_json,
};
use serde_json::{Value, json};

use crate::peers::{BASELINE, TOOLS};

/// A variant that was left out.
pub struct Omission {
    app: &'static str,
    variant: String,
    why: String,
}

impl Omission {
    /// Left out because of `error`.
    pub fn new(app: &App, variant: &str, error: &BenchError) -> Omission {
        Omission {
            app: app.name,
            variant: variant.to_owned(),
            why: reason(error),
        }
    }
}

/// A failed step's last words, or the whole of a shorter message.
fn reason(error: &BenchError) -> String {
    let message = match error {
        BenchError::SetUp { tail, .. } => tail.lines().last().unwrap_or_default().trim(),
        _ => return error.to_string(),
    };
    format!("cannot be built here: {message}")
}

/// How many bytes a variant's one file has.
pub struct Size {
    app: &'static str,
    variant: String,
    bytes: u64,
}

impl Size {
    /// The size of what `subject` starts; for a virtual environment that of all its files.
    pub fn of(app: &App, subject: &Subject) -> Result<Size, Box<dyn Error>> {
        let file = &subject.program;
        let bytes = match (subject.name.as_str(), file.parent().and_then(Path::parent)) {
            (BASELINE, Some(environment)) => tree_size(environment)?,
            _ => fs::metadata(file)?.len(),
        };
        Ok(Size {
            app: app.name,
            variant: subject.name.clone(),
            bytes,
        })
    }
}

/// Everything that a run found out.
pub struct Results {
    /// The samples.
    pub comparisons: Vec<Comparison>,
    /// What was left out.
    pub omissions: Vec<Omission>,
    /// How large the variants are.
    pub sizes: Vec<Size>,
    /// Where each application's wheels lie: their names are the exact versions.
    pub wheels: Vec<(&'static str, PathBuf)>,
    machine: Machine,
    python: String,
    rounds: usize,
    cold_rounds: usize,
    /// The cache directory, whose path is nobody's business.
    cache: String,
}

impl Results {
    /// Results without any yet.
    pub fn new(
        machine: Machine,
        workshop: &Workshop,
        cache: &Path,
        rounds: usize,
        cold_rounds: usize,
    ) -> Result<Results, Box<dyn Error>> {
        let version = Command::new(workshop.python()).arg("-VV").output()?;
        let python = format!(
            "{}: {}",
            workshop.python().display(),
            String::from_utf8_lossy(&version.stdout).trim()
        );
        Ok(Results {
            comparisons: Vec::new(),
            omissions: Vec::new(),
            sizes: Vec::new(),
            wheels: Vec::new(),
            machine,
            python,
            rounds,
            cold_rounds,
            cache: cache.display().to_string(),
        })
    }

    /// Writes all files into `directory`.
    pub fn write(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(directory)?;
        let json = format!("{:#}\n", self.json()?);
        for (name, text) in [("results.md", self.markdown()), ("results.json", json)] {
            fs::write(directory.join(name), text.replace(&self.cache, "CACHE"))?;
        }
        fs::write(directory.join("overview.svg"), self.overview().to_svg())?;
        for state in [State::Warm, State::Cold] {
            let name = state.name();
            fs::write(
                directory.join(format!("{name}.svg")),
                self.chart(state).to_svg(),
            )?;
        }
        Ok(())
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# Start-up, {}\n\n{}.\n\n",
            self.versions(),
            self.conditions()
        );
        for (state, measure, title) in [
            (
                State::Warm,
                Measure::WallMedian,
                "Warm start, median wall time in ms",
            ),
            (
                State::Warm,
                Measure::CpuMinimum,
                "Warm start, minimum CPU time in ms",
            ),
            (
                State::Cold,
                Measure::WallMedian,
                "Cold start, median wall time in ms",
            ),
        ] {
            let table = self.matrix(state, measure).to_markdown();
            let _ = write!(
                text,
                "## {title}\n\nIn brackets: as a multiple of the plain venv's warm start.\n\n{table}\n"
            );
        }
        let _ = write!(
            text,
            "## Size in bytes\n\n{}\n",
            self.size_table().to_markdown()
        );
        if !self.omissions.is_empty() {
            text.push_str("## Left out\n\n");
            for Omission { app, variant, why } in &self.omissions {
                let first = why.lines().next().unwrap_or_default();
                let _ = writeln!(text, "- {app}, {variant}: {first}");
            }
            text.push('\n');
        }
        let all = comparison_table(&self.comparisons).to_markdown();
        let _ = write!(
            text,
            "## Everything\n\nRatios are to the first variant of each group.\n\n{all}"
        );
        text
    }

    fn json(&self) -> Result<Value, Box<dyn Error>> {
        let mut wheels = serde_json::Map::new();
        for (app, directory) in &self.wheels {
            let mut names = Vec::new();
            for entry in fs::read_dir(directory)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort_unstable();
            wheels.insert((*app).to_owned(), json!(names));
        }
        let mut document = to_json(&self.comparisons, &self.machine);
        document["python"] = json!(self.python);
        document["tools"] = json!(TOOLS);
        document["wheels"] = Value::Object(wheels);
        let sizes = self
            .sizes
            .iter()
            .map(|size| json!({"app": size.app, "variant": size.variant, "bytes": size.bytes}));
        document["sizes"] = sizes.collect();
        let omissions = self.omissions.iter();
        document["left_out"] = omissions
            .map(|one| json!({"app": one.app, "variant": one.variant, "why": one.why}))
            .collect();
        Ok(document)
    }

    fn versions(&self) -> String {
        format!(
            "pexboot {}, {}",
            env!("CARGO_PKG_VERSION"),
            TOOLS.join(", ").replace("==", " ")
        )
    }

    fn conditions(&self) -> String {
        format!(
            "{}. {}. {} warm and {} cold runs of each variant, interleaved in random order, same output and exit code \
             every time; cold: all caches in directories that never existed before, files in the page cache",
            self.machine.line(),
            self.python,
            self.rounds,
            self.cold_rounds,
        )
    }

    /// Names of applications and of variants, each in the order of their first appearance.
    fn names(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut apps, mut variants) = (Vec::new(), Vec::new());
        for comparison in &self.comparisons {
            push_new(&mut apps, comparison.title.as_str());
        }
        for size in &self.sizes {
            push_new(&mut variants, size.variant.as_str());
        }
        (apps, variants)
    }

    fn series(&self, app: &str, state: State, variant: &str) -> Option<&Series> {
        let comparison = self
            .comparisons
            .iter()
            .find(|one| one.title == app && one.state == state)?;
        comparison
            .series
            .iter()
            .find(|series| series.subject.name == variant)
    }

    fn ratio(&self, app: &str, state: State, variant: &str, measure: Measure) -> Option<f64> {
        let baseline = measure.of(self.series(app, State::Warm, BASELINE)?);
        (baseline > 0.0).then_some(measure.of(self.series(app, state, variant)?) / baseline)
    }

    /// The geometric mean of a variant's ratios over all applications; none when it is missing for one.
    fn mean_ratio(&self, state: State, variant: &str, measure: Measure) -> Option<f64> {
        let (apps, _) = self.names();
        let ratios: Option<Vec<f64>> = apps
            .iter()
            .map(|app| self.ratio(app, state, variant, measure))
            .collect();
        geometric_mean(ratios?)
    }

    /// A row per variant, a column per application.
    fn matrix(&self, state: State, measure: Measure) -> Table {
        let (apps, variants) = self.names();
        let columns = apps.iter().map(|&app| (app, Align::Right));
        let columns = [("", Align::Left)]
            .into_iter()
            .chain(columns)
            .chain([("geometric mean", Align::Right)]);
        let mut table = Table::new(columns);
        for variant in variants {
            let cell = |app: &&str| {
                let figure = self
                    .series(app, state, variant)
                    .map(|series| milliseconds(measure.of(series)))?;
                Some(format!(
                    "{figure} ({:.2})",
                    self.ratio(app, state, variant, measure)?
                ))
            };
            let mut row = vec![variant.to_owned()];
            row.extend(
                apps.iter()
                    .map(|app| cell(app).unwrap_or_else(|| "–".to_owned())),
            );
            row.push(
                self.mean_ratio(state, variant, measure)
                    .map_or("–".to_owned(), |mean| format!("{mean:.2}")),
            );
            table.row(row);
        }
        table
    }

    fn size_table(&self) -> Table {
        let (apps, variants) = self.names();
        let mut table = Table::new(
            [("", Align::Left)]
                .into_iter()
                .chain(apps.iter().map(|&app| (app, Align::Right))),
        );
        for variant in variants {
            let find = |app: &str| {
                self.sizes
                    .iter()
                    .find(|size| size.app == app && size.variant == variant)
            };
            let cells = apps
                .iter()
                .map(|app| find(app).map_or("–".to_owned(), |size| size.bytes.to_string()));
            table.row([variant.to_owned()].into_iter().chain(cells));
        }
        table
    }

    /// One chart for all: geometric means over the applications.
    fn overview(&self) -> Chart {
        let (apps, variants) = self.names();
        let group = |state: State| Group {
            label: format!("{} start", state.name()),
            bars: variants
                .iter()
                .filter_map(|variant| self.mean_bar(state, variant))
                .collect(),
        };
        Chart {
            title: "Starting Python applications".to_owned(),
            note: format!(
                "Wall time as a multiple of the warm start of the same application in a plain virtual environment; \
                 geometric mean over {}. {}. {}",
                apps.join(", "),
                self.versions(),
                self.machine.line(),
            ),
            groups: vec![group(State::Warm), group(State::Cold)],
        }
    }

    fn mean_bar(&self, state: State, variant: &str) -> Option<Bar> {
        let value = self.mean_ratio(state, variant, Measure::WallMedian)?;
        let text = format!("{value:.2}×");
        Some(Bar {
            label: variant.to_owned(),
            value,
            text,
            detail: String::new(),
            role: role(variant),
        })
    }

    fn chart(&self, state: State) -> Chart {
        let comparisons: Vec<Comparison> = self
            .comparisons
            .iter()
            .filter(|one| one.state == state)
            .cloned()
            .collect();
        let measure = Measure::WallMedian;
        let title = match state {
            State::Cold => "Cold start",
            State::Warm => "Warm start",
        };
        let note = format!(
            "{} in ms, each application to its own scale. {}",
            measure.name(),
            self.conditions()
        );
        comparison_chart(title, &note, measure, &comparisons, role)
    }
}

fn role(variant: &str) -> Role {
    match variant {
        BASELINE => Role::Baseline,
        name if name.starts_with("pexboot") => Role::Ours,
        _ => Role::Other,
    }
}

fn push_new<'a>(names: &mut Vec<&'a str>, name: &'a str) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// The bytes of all files below `directory`, links not followed.
fn tree_size(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            tree_size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
