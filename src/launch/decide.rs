//! Deciding: how the PEX is to run, and every refusal that its settings and PEX-INFO give reason for, before any work.

use std::path::PathBuf;

use crate::launch::invocation::expand_user;
use crate::launch::open::Opened;
use crate::launch::{Invocation, LaunchError, handover, venv, zipapp};
use crate::pex::{Pex, PexError};
use crate::pex_info::InheritPath;
use crate::variables::Mode;

/// How the PEX is to run.
pub(super) struct Decision {
    /// What runs it.
    pub way: Way,
    /// Whether a virtual environment's Python is replaced by its base.
    pub base: bool,
    /// The members of PEX_PATH, with their fingerprints.
    pub members: Vec<(Pex, [u8; 32])>,
}

/// What runs a PEX.
pub(super) enum Way {
    /// The base interpreter, with a `sys.path` of our making.
    Zipapp(zipapp::Decision),
    /// A virtual environment.
    Venv(venv::Decision),
    /// The PEX's own bootstrap, for this reason.
    HandOver(String),
}

impl Way {
    /// Whether the launch is ours to prepare.
    pub fn is_native(&self) -> bool {
        !matches!(self, Way::HandOver(_))
    }
}

/// Decides.
///
/// # Errors
/// When the PEX, or how it was asked to run, is refused; when a member of PEX_PATH cannot be read.
pub(super) fn decide(
    invocation: &Invocation,
    opened: &mut Opened,
) -> Result<Decision, LaunchError> {
    let (info, variables) = (&opened.pex.info, &opened.variables);
    let inherit = match variables.inherit_path {
        None | Some(InheritPath::False) => info.inherit_path,
        Some(inherit) => inherit,
    };
    if invocation.importer().is_some() {
        variables.check(Mode::Zipapp)?;
        let way = Way::Zipapp(zipapp::for_import(info, variables, inherit)?);
        let members = members(invocation, opened)?;
        return Ok(Decision {
            way,
            base: false,
            members,
        });
    }
    let mode = venv::mode(info, variables, invocation, opened.seal.as_ref())?;
    if mode == Mode::Zipapp {
        // A virtual environment looks at the environment alone (launch/venv.rs).
        variables.check(mode)?;
    }
    // A virtual environment is always made from a base interpreter.
    let base = mode == Mode::Venv || inherit == InheritPath::False;
    if let Some(reason) = handover::reason(&opened.pex, variables, mode)? {
        return Ok(Decision {
            way: Way::HandOver(reason),
            base,
            members: Vec::new(),
        });
    }
    let way = match mode {
        Mode::Zipapp => Way::Zipapp(zipapp::decide(info, variables, inherit)?),
        Mode::Venv => Way::Venv(venv::decide(info, invocation)?),
    };
    let members = members(invocation, opened)?;
    Ok(Decision { way, base, members })
}

/// The members of PEX_PATH (reference 7.5).
pub(super) fn members(
    invocation: &Invocation,
    opened: &mut Opened,
) -> Result<Vec<(Pex, [u8; 32])>, LaunchError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let own = opened.pex.info.pex_paths.iter();
    if own.clone().any(|path| path.starts_with('~')) {
        let home = invocation.variable("HOME");
        opened.inputs.variable("HOME", home);
    }
    let own: Vec<PathBuf> = own.map(|path| expand_user(path)).collect();
    for path in own.into_iter().chain(opened.variables.path.iter().cloned()) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut members = Vec::new();
    for path in paths {
        opened.inputs.file(&path);
        let absolute = std::path::absolute(&path).map_err(|source| LaunchError::Io {
            path: path.display().to_string(),
            source,
        })?;
        if absolute == invocation.pex {
            continue;
        }
        let pex = Pex::open(&absolute).map_err(|error| match error {
            PexError::Io { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                LaunchError::Refused(format!(
                    "`{}`, named by PEX_PATH or the PEX's own `pex_paths`, does not exist",
                    path.display()
                ))
            }
            other => other.into(),
        })?;
        if pex.archive().is_none() {
            opened.inputs.file(&pex.path.join("PEX-INFO"));
        }
        let fingerprint = pex.fingerprint()?;
        members.push((pex, fingerprint));
    }
    Ok(members)
}
