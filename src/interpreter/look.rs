//! The choice for someone who looks at a PEX and does not start it: `pexboot info`, `pexboot embed --compile`.
//!
//! Guarantees that no program is run because a PEX or an rc file names it. What is asked is a Python on PATH, one that the
//! user names for this, or the one that such a virtual environment was made from; of any other only a record speaks.
//!
//! Programs are compared by canonical path. That two names lead to one file is not enough: where a Python is started from
//! decides where it takes its modules from.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::Unfit;
use super::candidate::Candidates;
use super::search::{self, Names, Where};
use super::surroundings::Surroundings;
use super::{InterpreterError, Record, Request, Taken, Verdict, binary};
use crate::plan::Inputs;
use crate::store::Store;

/// What the choice came to.
#[derive(Debug)]
pub struct Looked<T> {
    /// The interpreter, or why there is none.
    pub chosen: Result<Taken<T>, InterpreterError>,
    /// Programs that a start would have asked what they are, and that were not run.
    pub not_run: Vec<PathBuf>,
    /// The Pythons that were looked at.
    pub judged: Candidates,
}

/// Chooses as [`super::choose()`] does; of `named`, a path or a name on PATH, where the user has named one. With
/// `vouched`, what PEX_PYTHON and PEX_PYTHON_PATH name is the user's own word, and may be asked.
pub fn look<T>(
    request: &Request<'_>,
    named: Option<&str>,
    vouched: bool,
    store: &Store,
    fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
) -> Looked<T> {
    let surroundings = Surroundings::here();
    let named = named.map(|name| {
        if name.contains('/') {
            binary::absolute(Path::new(name))
                .to_string_lossy()
                .into_owned()
        } else {
            name.to_owned()
        }
    });
    let request = match &named {
        Some(python) => Request {
            python: Some(python),
            python_path: None,
            current: None,
            ..request.clone()
        },
        None => request.clone(),
    };
    let mut allowed = allowed(named.as_deref(), &surroundings);
    if vouched {
        let python = request
            .python
            .map(Path::new)
            .filter(|path| path.is_absolute());
        allowed.extend(python.map(binary::canonical));
        if let Some(items) = request.python_path {
            let place = Where::items(items);
            let inputs = &mut Inputs::default();
            let found = search::candidates(&place, Names::Usual, &surroundings, inputs);
            allowed.extend(found.iter().map(|path| binary::canonical(path)));
        }
    }
    let not_run = RefCell::new(Vec::new());
    let may_ask = |python: &Path| {
        let may = allowed.iter().any(|one| one == python);
        if !may {
            not_run.borrow_mut().push(python.to_owned());
        }
        may
    };
    let mut judged = Candidates::default();
    let chosen = super::choose_asking(
        &request,
        &surroundings,
        store,
        &mut Inputs::default(),
        &mut judged,
        fits,
        Some(&may_ask),
    );
    let not_run = not_run.into_inner();
    for candidate in &mut judged.0 {
        if not_run.contains(&candidate.python) {
            candidate.verdict = Verdict::NotAsked;
            candidate.why = "it is not on PATH, and no setting of yours names it".to_owned();
        }
    }
    Looked {
        chosen,
        not_run,
        judged,
    }
}

/// The canonical paths of the Pythons that may be asked.
fn allowed(named: Option<&str>, surroundings: &Surroundings) -> Vec<PathBuf> {
    let inputs = &mut Inputs::default();
    let mut found = search::candidates(&Where::Path, Names::Usual, surroundings, inputs);
    found.retain(|python| is_of_path(python, surroundings));
    match named {
        Some(path) if path.contains('/') => found.push(path.into()),
        Some(name) => found.extend(surroundings.on_path(name)),
        None => {}
    }
    let canonical = found.iter().map(|path| binary::canonical(path));
    // The link of a virtual environment leads to the Python that it was made from.
    let bases = found.iter().filter_map(|path| path.canonicalize().ok());
    canonical.chain(bases).collect()
}

/// Whether a Python that was found by PATH lies there, or in the directory of the version manager whose shim lies there.
/// What else a shim stands for is named by a version file (`path:/somewhere`), which may be anybody's.
fn is_of_path(python: &Path, surroundings: &Surroundings) -> bool {
    let python = binary::absolute(python);
    let own = surroundings.variable("PYENV_ROOT").map(PathBuf::from);
    surroundings.search_path().iter().any(|directory| {
        let manager = directory.ends_with("shims").then(|| directory.parent());
        let mut managers = manager.flatten().into_iter().chain(own.as_deref());
        python.parent() == Some(&binary::absolute(directory))
            || managers.any(|manager| python.starts_with(binary::absolute(manager)))
    })
}
