//! What of the host would run in a PEX if it were let (`pexboot info`). Chooses an interpreter as a launch would, of those
//! that may be asked by someone who only looks (see `interpreter::look`). Launches nothing and makes nothing.

use std::path::{Path, PathBuf};

use crate::interpreter::{self, Looked};
use crate::launch::choose::select;
use crate::launch::request::request;
use crate::launch::{Console, Invocation, LaunchError, Report as _, open, venv, zipapp};
use crate::pex::Pex;
use crate::pex_info::InheritPath;
use crate::plan::Inputs;
use crate::store::Store;
use crate::variables::{Mode, Variables};

/// The interpreter that a start of this PEX would choose here and now, and its hooks that would not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The interpreter.
    pub python: PathBuf,
    /// `.pth` files, `sitecustomize` and `usercustomize` of the host, in the order in which `site` comes to them.
    pub silent: Vec<PathBuf>,
}

/// What this host is to the PEX.
#[derive(Debug, Default)]
pub struct Host {
    /// `None` where `site` runs anyway.
    pub hooks: Option<Hooks>,
    /// Why no interpreter could be chosen.
    pub refused: Option<LaunchError>,
    /// Programs that a start would ask what they are, and that were not run.
    pub not_run: Vec<PathBuf>,
}

/// The host's hooks that a start of the PEX leaves out, on `python` where the user has named one.
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
    if venv::mode(&pex.info, &variables, &invocation, seal.as_ref())? == Mode::Venv
        || !hermetic
        || zipapp::host_site(&invocation, seal.as_ref())
    {
        return Ok(Host::default());
    }
    let mut console = Console::new();
    let named = open::named(&pex, &variables);
    let store = Store::look(named, &mut |line| console.warn(line));
    let started_by = pex.started_by()?;
    let request = request(&invocation, &pex, &variables, true, started_by.as_ref());
    let ignore_errors = variables.ignore_errors.unwrap_or(pex.info.ignore_errors);
    let Looked { chosen, not_run } = interpreter::look(&request, python, &store, &mut |record| {
        select(&pex, ignore_errors, record).map_err(Into::into)
    });
    let (hooks, refused) = match chosen {
        Ok((interpreter, _)) => {
            let hooks = Hooks {
                python: interpreter.binary,
                silent: interpreter.host_hooks,
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
