//! What the host has for `site` to run, and what of it runs in a PEX (`pexboot info`). Chooses an interpreter as a launch
//! would, of those that may be asked by someone who only looks (see `interpreter::look`). Launches nothing and makes
//! nothing.

use std::path::{Path, PathBuf};

use crate::interpreter::{self, Hook, Looked};
use crate::launch::choose::{Hops, given, options, select};
use crate::launch::host::HostSite;
use crate::launch::request::request;
use crate::launch::{Console, Invocation, LaunchError, Report as _, open, venv};
use crate::pex::Pex;
use crate::pex_info::InheritPath;
use crate::plan::Inputs;
use crate::store::Store;
use crate::variables::{Mode, Variables};

/// The interpreter that a start of this PEX would choose here and now, and what its `site` would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The interpreter.
    pub python: PathBuf,
    /// Whether its `site` runs.
    pub site: bool,
    /// The word of user or packager that decides, where there is one.
    pub told_by: Option<&'static str>,
    /// `.pth` and `.start` files, `sitecustomize` and `usercustomize` of the host, in the order in which `site` comes to
    /// them; what comes of each.
    pub found: Vec<(Hook, &'static str)>,
}

/// What this host is to the PEX.
#[derive(Debug, Default)]
pub struct Host {
    /// `None` where `site` runs anyway: the PEX is not hermetic, or a virtual environment.
    pub hooks: Option<Hooks>,
    /// Why no interpreter could be chosen.
    pub refused: Option<LaunchError>,
    /// Programs that a start would ask what they are, and that were not run.
    pub not_run: Vec<PathBuf>,
}

/// The host's hooks, and what a start of the PEX does with them, on `python` where the user has named one.
///
/// # Errors
/// When the PEX cannot be read or its settings are refused.
pub fn host(path: &Path, python: Option<&str>) -> Result<Host, LaunchError> {
    let io = |source| LaunchError::Io {
        path: path.display().to_string(),
        source,
    };
    let invocation = Invocation::new(path, Vec::new()).map_err(io)?;
    let pex = Pex::open(&invocation.pex)?;
    let variables = Variables::read(&invocation.env, &invocation.pex, &mut Inputs::default())?;
    let inherit = variables
        .inherit_path
        .filter(|inherit| *inherit != InheritPath::False);
    let seal = open::seal_of(&invocation.pex, &pex);
    let hermetic = inherit.unwrap_or(pex.info.inherit_path) == InheritPath::False;
    let mode = venv::mode(&pex.info, &variables, &invocation, seal.as_ref())?;
    if mode == Mode::Venv || !hermetic {
        return Ok(Host::default());
    }
    let mut console = Console::new();
    let named = open::named(&pex, &variables);
    let store = Store::look(named, &mut |line| console.warn(line));
    let started_by = pex.started_by()?;
    let request = request(&invocation, &pex, &variables, true, started_by);
    let ignore_errors = variables.ignore_errors.unwrap_or(pex.info.ignore_errors);
    let Looked {
        chosen, not_run, ..
    } = interpreter::look(&request, python, false, &store, &mut |record| {
        select(&pex, ignore_errors, record).map_err(Into::into)
    });
    let (hooks, refused) = match chosen {
        Ok(taken) => {
            let interpreter = taken.python;
            let hops = Hops::of(&pex, Hops::Some);
            let options = options(&pex.info, given(&invocation, started_by, hops));
            let site = HostSite::decide(
                &invocation,
                seal.as_ref(),
                &interpreter,
                &options,
                true,
                &mut Inputs::default(),
            );
            let outcome = |hook: &Hook| (hook.clone(), site.outcome(hook));
            let hooks = Hooks {
                python: interpreter.binary,
                site: site.runs,
                told_by: site.told_by,
                found: site.hooks.found.iter().map(outcome).collect(),
            };
            (Some(hooks), None)
        }
        Err(error) => (None, Some(error.into())),
    };
    Ok(Host {
        hooks,
        refused,
        not_run,
    })
}
