//! What is run: entry point, script, or the PEX as an interpreter (reference 6.2).

use crate::boot::Run;
use crate::launch::LaunchError;
use crate::packaging::entry_points::EntryPoint;
use crate::pex_info::PexInfo;
use crate::variables::Variables;

/// What was asked for, before scripts are looked up in wheels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An entry point: `module` or `module:attr.attr`.
    Entry(String),
    /// A console, gui or data script by its name.
    Script(String),
    /// The PEX as an interpreter.
    Interpreter,
}

/// What was asked for, and whether the PEX's `inject_args` belong to it.
///
/// # Errors
/// When script and entry point are both named.
pub fn target(info: &PexInfo, variables: &Variables) -> Result<(Target, bool), LaunchError> {
    if variables.interpreter == Some(true) {
        return Ok((Target::Interpreter, false));
    }
    let both =
        || LaunchError::Refused("Cannot specify both script and entry_point for a PEX!".to_owned());
    let module = variables
        .module
        .as_ref()
        .filter(|module| !module.is_empty());
    let script = variables
        .script
        .as_ref()
        .filter(|script| !script.is_empty());
    match (script, module) {
        (Some(_), Some(_)) => return Err(both()),
        (Some(script), None) => return Ok((Target::Script(script.clone()), false)),
        (None, Some(module)) => return Ok((Target::Entry(module.clone()), false)),
        (None, None) => {}
    }
    match (&info.script, &info.entry_point) {
        (Some(_), Some(_)) => Err(both()),
        (Some(script), None) => Ok((Target::Script(script.clone()), true)),
        (None, Some(entry)) => Ok((Target::Entry(entry.clone()), true)),
        (None, None) => Ok((Target::Interpreter, false)),
    }
}

/// An entry point's parts: the text before `[`, blanks trimmed, split at the colon.
///
/// # Errors
/// When there is no module, or a colon and nothing behind it.
pub fn entry_point(text: &str) -> Result<Run, LaunchError> {
    EntryPoint::parse(text).map(Run::from).ok_or_else(|| {
        LaunchError::Refused(format!(
            "`{}` is not an entry point: must be `module` or `module:attribute`",
            crate::shown::line(text)
        ))
    })
}

impl From<EntryPoint> for Run {
    fn from(entry: EntryPoint) -> Run {
        if entry.attributes.is_empty() {
            Run::Module(entry.module)
        } else {
            Run::Call(entry.module, entry.attributes)
        }
    }
}
