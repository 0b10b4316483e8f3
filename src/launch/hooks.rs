//! What of the host would run in a PEX if it were let (`pexboot info`). Chooses an interpreter as a launch would, and
//! launches nothing.

use std::path::{Path, PathBuf};

use crate::launch::choose::python;
use crate::launch::open::open_store;
use crate::launch::{Console, Invocation, LaunchError, venv, zipapp};
use crate::pex::Pex;
use crate::pex_info::InheritPath;
use crate::plan::Inputs;
use crate::variables::{Mode, Variables};

/// The interpreter that a start of this PEX would choose here and now, and its hooks that would not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The interpreter.
    pub python: PathBuf,
    /// `.pth` files, `sitecustomize` and `usercustomize` of the host, in the order in which `site` comes to them.
    pub silent: Vec<PathBuf>,
}

/// The host's hooks that a start of the PEX leaves out; `None` where `site` runs anyway.
///
/// # Errors
/// When the PEX cannot be read, its settings are refused or no interpreter fits.
pub fn hooks(path: &Path) -> Result<Option<Hooks>, LaunchError> {
    let io = |source| LaunchError::Io {
        path: path.display().to_string(),
        source,
    };
    let invocation = Invocation::new(path, Vec::new()).map_err(io)?;
    let pex = Pex::open(&invocation.pex)?;
    let mut inputs = Inputs::default();
    let variables = Variables::read(&invocation.env, &invocation.pex, &mut inputs)?;
    let inherit = variables
        .inherit_path
        .filter(|inherit| *inherit != InheritPath::False);
    let hermetic = inherit.unwrap_or(pex.info.inherit_path) == InheritPath::False;
    if venv::mode(&pex.info, &variables)? == Mode::Venv
        || !hermetic
        || zipapp::host_site(&invocation, &pex)
    {
        return Ok(None);
    }
    let store = open_store(&pex, &variables, &mut Console::new())?;
    let (interpreter, _) = python(&invocation, &pex, &variables, true, &store, &mut inputs)?;
    Ok(Some(Hooks {
        python: interpreter.binary,
        silent: interpreter.host_hooks,
    }))
}
