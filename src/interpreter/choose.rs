//! The choice (reference 4.2, 4.5, 4.6): current where it will do, else the first by strategy of all that will.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Unfit;
use super::candidate::{Candidates, Verdict};
use super::constraint::Constraints;
use super::messages::Report;
use super::record::Records;
use super::search::{self, Names, Where};
use super::shims::{self, Shim};
use super::surroundings::Surroundings;
use super::{Cause, InterpreterError, Record, Request, Taken, binary, stand_in};
use crate::pex_info::SelectionStrategy;
use crate::plan::Inputs;
use crate::shown::line;

/// See [`super::choose()`]; surroundings and records are lent.
pub(super) fn choose<T>(
    request: &Request<'_>,
    surroundings: &Surroundings,
    records: &Records<'_>,
    inputs: &mut Inputs,
    judged: &mut Candidates,
    fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
) -> Result<Taken<T>, InterpreterError> {
    let constraints = Constraints::parse(request.constraints)?;
    let mut choice = Choice {
        request,
        surroundings,
        records,
        constraints,
        report: Report::default(),
        judged,
        unread: None,
        running: OnceCell::new(),
    };
    let chosen = choice.run(inputs, fits);
    if let Some(cause) = choice.unread.take() {
        return Err(InterpreterError::Unread(cause));
    }
    let (record, fit) = chosen?;
    let record = if request.base {
        choice.base(record, inputs)?
    } else {
        record
    };
    inputs.file(&record.binary);
    for file in &record.depends {
        inputs.file(file);
    }
    let running = choice.running(inputs);
    Ok(Taken {
        runs: running
            .filter(|path| binary::canonical(path) == record.binary)
            .cloned(),
        python: Rc::unwrap_or_clone(record),
        fit,
    })
}

/// A choice under way.
struct Choice<'a> {
    request: &'a Request<'a>,
    surroundings: &'a Surroundings,
    records: &'a Records<'a>,
    constraints: Constraints,
    report: Report,
    judged: &'a mut Candidates,
    /// What kept the PEX from being read.
    unread: Option<Cause>,
    /// By which path a Python runs already, once that was looked for.
    running: OnceCell<Option<PathBuf>>,
}

impl Choice<'_> {
    fn run<T>(
        &mut self,
        inputs: &mut Inputs,
        fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
    ) -> Result<(Rc<Record>, T), InterpreterError> {
        let python = self.request.python.filter(|python| !python.is_empty());
        let python_path = self.request.python_path.filter(|items| !items.is_empty());
        // As they are written: a relative one is each working directory's own, and a link may come to lead elsewhere.
        for item in python_path.into_iter().flatten() {
            inputs.file(item);
        }
        let absolute = python.map(Path::new).filter(|python| python.is_absolute());

        let preferred = match absolute {
            Some(path) => Some(self.identify(path, inputs)?),
            None => None,
        };
        let current = if preferred.is_some() {
            None
        } else {
            self.current(inputs)
        };

        let (place, names, preamble) = match (python, python_path) {
            (Some(python), None) => {
                let preamble = format!("Failed to find a compatible PEX_PYTHON={python}.");
                match absolute {
                    Some(path) => (Where::items(&[path.to_owned()]), Names::Usual, preamble),
                    None => {
                        let name = python.rsplit('/').next().unwrap_or(python);
                        (Where::Path, Names::Exactly(name), preamble)
                    }
                }
            }
            (_, items) => {
                let list = match items {
                    Some(items) => items
                        .iter()
                        .map(|item| item.display().to_string())
                        .collect::<Vec<_>>()
                        .join(":"),
                    None => self
                        .surroundings
                        .path()
                        .map_or("(The PATH is empty!)".into(), |path| {
                            path.to_string_lossy().into_owned()
                        }),
                };
                let preamble = format!("Failed to find compatible interpreter on path {list}.");
                (
                    items.map_or(Where::Path, Where::items),
                    Names::Usual,
                    preamble,
                )
            }
        };

        let first = preferred.as_ref().or(current.as_ref());
        let picked = self.pick(first, &place, names, inputs, fits);
        match (picked, preferred) {
            (Ok(Some((record, fit))), Some(preferred)) if record.binary != preferred.binary => {
                drop(fit);
                Err(self.excluded(&preferred, Some(&record)))
            }
            (Ok(Some(picked)), _) => Ok(picked),
            (Ok(None), Some(preferred)) => Err(self.excluded(&preferred, None)),
            (Ok(None), None) => {
                // Nothing was asked for that could be named, and still nothing was found.
                let preamble = if python_path.is_some() {
                    "Could not find a compatible interpreter."
                } else {
                    &preamble
                };
                if let (Some(_), Some(current)) = (python_path, &current) {
                    self.report.examined(current);
                }
                self.report.constraints = self.asked_for();
                Err(self.failure(preamble))
            }
            (Err(()), _) => Err(self.failure(&preamble)),
        }
    }

    /// `PEX_PYTHON`, given as a path (E1 where it is not a Python).
    fn identify(
        &mut self,
        path: &Path,
        inputs: &mut Inputs,
    ) -> Result<Rc<Record>, InterpreterError> {
        inputs.file(path);
        let record = match shims::resolve(path, self.surroundings, inputs) {
            Shim::Inactive => Err(format!(
                "the shim at `{}` is not active; name a Python itself",
                path.display()
            )),
            _ if !path.exists() => Err(format!(
                "The interpreter path {} does not exist.",
                path.display()
            )),
            Shim::Active(python) => self.records.get(&python),
            Shim::No => self.records.get(path),
        };
        record.map_err(|why| {
            self.broken(path, why);
            self.failure(&format!(
                "The specified PEX_PYTHON={} could not be identified as a valid Python interpreter.",
                path.display()
            ))
        })
    }

    /// The path by which a Python runs already, or its stand-in does.
    fn running(&self, inputs: &mut Inputs) -> Option<&PathBuf> {
        let look = || {
            let path = match self.request.current {
                Some(path) => path.to_owned(),
                None => stand_in::find(
                    self.request.started_by,
                    &self.constraints,
                    self.surroundings,
                    inputs,
                )?,
            };
            note(&path, inputs);
            Some(path)
        };
        self.running.get_or_init(look).as_ref()
    }

    /// The Python that runs already, or its stand-in. One that cannot be used is no reason not to search.
    fn current(&mut self, inputs: &mut Inputs) -> Option<Rc<Record>> {
        let path = self.running(inputs)?.to_owned();
        match self.records.get(&path) {
            Ok(record) => Some(record),
            Err(why) => {
                self.broken(&path, why);
                None
            }
        }
    }

    /// Walks the candidates. `Ok(None)`: none is valid, with nothing asked for that could be named; `Err`: none is
    /// valid, and the report says why.
    fn pick<T>(
        &mut self,
        first: Option<&Rc<Record>>,
        place: &Where,
        names: Names<'_>,
        inputs: &mut Inputs,
        fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
    ) -> Result<Option<(Rc<Record>, T)>, ()> {
        let mut refused = Vec::new();
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut valid: Vec<(Rc<Record>, T)> = Vec::new();
        if let Some(first) = first {
            let by_name = matches!(names, Names::Usual) || names.accept(&first.binary);
            if by_name && place.admits(&first.binary) {
                seen.push(first.binary.clone());
                if let Some(fit) = self.examine(first, fits, &mut refused) {
                    let why = self.first_choice();
                    self.judged.judge(first, Verdict::Taken, why);
                    return Ok(Some((Rc::clone(first), fit)));
                }
            } else {
                let why = if by_name {
                    "PEX_PYTHON_PATH does not name it"
                } else {
                    "PEX_PYTHON asks for another name"
                };
                self.judged.judge(first, Verdict::Passed, why);
            }
        }

        let paths = search::candidates(place, names, self.surroundings, inputs);
        let mut releases = Vec::new();
        for (path, record) in paths.iter().zip(self.records.get_all(&paths)) {
            let record = match record {
                Ok(record) => record,
                Err(why) => {
                    self.broken(path, why);
                    continue;
                }
            };
            // One of each release will do, and what is older than anything a PEX supports is not worth a word.
            let release = (record.version, record.abi.clone());
            let known = seen.contains(&record.binary);
            if releases.contains(&release) || !is_supported(record.version) {
                if !known {
                    let why = match is_supported(record.version) {
                        true => "another of the same release comes before it",
                        false => "it is older than what PEXes run on",
                    };
                    self.judged.judge(&record, Verdict::Passed, why);
                }
                continue;
            }
            releases.push(release);
            if seen.contains(&record.binary) {
                continue;
            }
            seen.push(record.binary.clone());
            if let Some(fit) = self.examine(&record, fits, &mut refused) {
                if first.is_some_and(|first| first.binary == record.binary) {
                    let why = self.first_choice();
                    self.judged.judge(&record, Verdict::Taken, why);
                    return Ok(Some((record, fit)));
                }
                valid.push((record, fit));
            }
        }

        let best = match self.request.strategy {
            SelectionStrategy::Oldest => first_min(&valid, |(major, minor, patch)| {
                (major, minor, Reverse(patch))
            }),
            SelectionStrategy::Newest => first_min(&valid, |(major, minor, patch)| {
                (Reverse(major), Reverse(minor), Reverse(patch))
            }),
        };
        if let Some(index) = best {
            let picked = valid.swap_remove(index);
            let why = match (valid.len(), self.request.strategy) {
                (0, _) => "no other fits",
                (_, SelectionStrategy::Oldest) => "the oldest release of those that fit",
                (_, SelectionStrategy::Newest) => "the newest release of those that fit",
            };
            self.judged.judge(&picked.0, Verdict::Taken, why);
            return Ok(Some(picked));
        }
        if !refused.is_empty() {
            self.report.constraints = refused;
        } else {
            let exactly = if let Names::Exactly(name) = names {
                Some(line(format!("Basename is {name}")))
            } else {
                None
            };
            self.report.constraints = self.versions().into_iter().chain(exactly).collect();
            if self.report.constraints.is_empty() {
                return Ok(None);
            }
        }
        Err(())
    }

    /// Whether the candidate is valid: constraints first, then the resolve.
    fn examine<T>(
        &mut self,
        record: &Record,
        fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
        refused: &mut Vec<String>,
    ) -> Option<T> {
        self.report.examined(record);
        if !self.constraints.accept(record) {
            let why = format!("the PEX is for {}", self.constraints);
            self.judged.judge(record, Verdict::Rejected, why);
            return None;
        }
        match fits(record) {
            Ok(fit) => {
                self.judged.judge(record, Verdict::Fits, "");
                Some(fit)
            }
            Err(Unfit::Verdict { message, short }) => {
                self.judged.judge(record, Verdict::Rejected, short);
                refused.push(message);
                None
            }
            Err(Unfit::Unread(cause)) => {
                self.unread.get_or_insert(cause);
                None
            }
        }
    }

    /// Why a Python that fits was taken without a search.
    fn first_choice(&self) -> &'static str {
        match (self.request.python, self.request.current) {
            (Some(python), _) if python.starts_with('/') => "PEX_PYTHON names it",
            (_, Some(_)) => "it runs the PEX already",
            _ => "the PEX is started by it",
        }
    }

    fn broken(&mut self, python: &Path, why: String) {
        let python = binary::canonical(python);
        self.judged.broken(&python, &why);
        self.report.broken(python, why);
    }

    /// The interpreter that a virtual environment was made from (reference 4.6).
    fn base(
        &mut self,
        picked: Rc<Record>,
        inputs: &mut Inputs,
    ) -> Result<Rc<Record>, InterpreterError> {
        let mut record = Rc::clone(&picked);
        // An environment made from one that was made from one: more than a few is a circle.
        for _ in 0..16 {
            if record.prefix == record.base_prefix {
                return Ok(record);
            }
            inputs.file(&record.binary);
            record.depends.iter().for_each(|file| inputs.file(file));
            let (major, minor, _) = record.version;
            let name = if record.implementation == "pypy" {
                "pypy"
            } else {
                "python"
            };
            let threads = if record.free_threaded == Some(true) {
                "t"
            } else {
                ""
            };
            let bin = record.base_prefix.join("bin");
            let base = [
                format!("{name}{major}.{minor}{threads}"),
                format!("{name}{major}{threads}"),
                name.to_owned(),
            ]
            .iter()
            .map(|name| bin.join(name))
            .filter(|path| {
                inputs.file(path);
                binary::is_executable(path)
            })
            .filter_map(|path| self.records.get(&path).ok())
            .find(|base| base.version == picked.version && base.abi == picked.abi);
            match base {
                Some(base) => {
                    self.judged
                        .judge(&record, Verdict::Fits, "a virtual environment of the next");
                    self.judged
                        .judge(&base, Verdict::Taken, "the base of the virtual environment");
                    record = base;
                }
                None => break,
            }
        }
        Err(InterpreterError::None {
            message: format!(
                "Failed to resolve the base interpreter for the virtual environment at {}.\n\
                 Search of base_prefix {} found no equivalent interpreter for {}.\n\
                 Make the virtual environment anew, or set PEX_PYTHON to another Python.",
                line(picked.prefix.display()),
                line(record.base_prefix.display()),
                line(picked.binary.display())
            ),
        })
    }

    /// E4: something was found, but not what PEX_PYTHON names.
    fn excluded(&mut self, preferred: &Record, found: Option<&Record>) -> InterpreterError {
        self.report = Report::default();
        self.report.examined(preferred);
        if let Some(found) = found {
            self.judged
                .judge(found, Verdict::Passed, "PEX_PYTHON names another");
        }
        found
            .into_iter()
            .for_each(|found| self.report.examined(found));
        self.report.constraints = self.asked_for();
        let python = self.request.python.unwrap_or_default();
        self.failure(&format!(
            "The specified PEX_PYTHON={python} did not meet other constraints."
        ))
    }

    /// Everything that was asked for.
    fn asked_for(&self) -> Vec<String> {
        let mut items = Vec::new();
        if let Some(python) = self.request.python.filter(|python| !python.is_empty()) {
            items.push(line(format!("PEX_PYTHON={python}")));
        }
        if let Some(path) = self.request.python_path.filter(|items| !items.is_empty()) {
            let list: Vec<String> = path
                .iter()
                .map(|item| format!("'{}'", item.display()))
                .collect();
            let comma = if list.len() == 1 { "," } else { "" };
            items.push(line(format!(
                "PEX_PYTHON_PATH=({}{comma})",
                list.join(", ")
            )));
        }
        items.extend(self.versions());
        items
    }

    fn versions(&self) -> Option<String> {
        (!self.constraints.is_empty()).then(|| format!("Version matches {}", self.constraints))
    }

    fn failure(&self, preamble: &str) -> InterpreterError {
        InterpreterError::None {
            message: self.report.message(&line(preamble)),
        }
    }
}

/// Notes a Python that was named, and what would make it one of a virtual environment.
fn note(path: &Path, inputs: &mut Inputs) {
    inputs.file(path);
    if path.is_symlink() && binary::pyvenv_cfg(path).is_none() {
        for directory in path
            .parent()
            .into_iter()
            .flat_map(|bin| [Some(bin), bin.parent()])
            .flatten()
        {
            inputs.file(&directory.join("pyvenv.cfg"));
        }
    }
}

/// Whether a release is one that a PEX can be for.
fn is_supported((major, minor, _): (u32, u32, u32)) -> bool {
    (major == 2 && minor >= 7) || (major == 3 && minor >= 5) || major > 3
}

/// The place of the smallest by `key`; of equals the first.
fn first_min<T, K: Ord>(
    list: &[(Rc<Record>, T)],
    key: impl Fn((u32, u32, u32)) -> K,
) -> Option<usize> {
    (0..list.len()).min_by_key(|&index| (key(list[index].0.version), index))
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod choose_tests;
