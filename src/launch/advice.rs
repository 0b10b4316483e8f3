//! What to do where a start is refused: in the user's terms, by the facts that led there.

use crate::interpreter::InterpreterError;
use crate::launch::facts::source;
use crate::launch::{Invocation, LaunchError};
use crate::packaging::names::WheelName;
use crate::pex::Pex;
use crate::shown::line;
use crate::variables::Variables;

/// What to do about a refusal, a line for each way out; nothing where its own message says it.
#[cfg(feature = "cli")]
pub(super) fn advice(
    error: &LaunchError,
    invocation: &Invocation,
    pex: &Pex,
    variables: &Variables,
) -> Vec<String> {
    match error {
        LaunchError::Interpreter(InterpreterError::None { .. }) => no_python(pex, variables),
        LaunchError::Store(crate::store::StoreError::Root { .. }) => vec![
            "set PEX_ROOT to a directory that can be written".to_owned(),
            format!(
                "or fill a root as its owner, `pexboot warm --root DIR {}`, and set PEXBOOT_SEEDS=DIR/pexboot",
                invocation.pex.display()
            ),
        ],
        _ => Vec::new(),
    }
}

/// The refusal with what to do behind it: the words of the original first, which others look for.
pub(super) fn with(
    error: LaunchError,
    invocation: &Invocation,
    pex: &Pex,
    variables: &Variables,
) -> LaunchError {
    let LaunchError::Interpreter(InterpreterError::None { message }) = error else {
        return error;
    };
    let lines = no_python(pex, variables);
    let message = format!(
        "{message}\n\npexboot: {}; `pexboot explain {}` tells more",
        line(lines.join("; ")),
        line(invocation.pex.display())
    );
    LaunchError::Interpreter(InterpreterError::None { message })
}

/// No interpreter fits.
fn no_python(pex: &Pex, variables: &Variables) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, is_set) in [
        ("PEX_PYTHON", variables.python.is_some()),
        ("PEX_PYTHON_PATH", variables.python_path.is_some()),
    ] {
        if is_set {
            let source = source(variables, name);
            lines.push(format!(
                "take {name} out of {source}, or let it name a Python that fits"
            ));
        }
    }
    let wanted = pex.info.interpreter_constraints.join(" or ");
    let wanted = match wanted.is_empty() {
        false => format!("a Python that is {wanted}"),
        true => releases(pex),
    };
    let or = if lines.is_empty() { "" } else { "or " };
    lines.push(format!(
        "{or}install {wanted}, or set PEX_PYTHON to the path of one"
    ));
    lines.push("or build the PEX for a Python that is here (`pex --python PYTHON ...`)".to_owned());
    lines
}

/// The Pythons that the wheels are for, where their tags say so.
fn releases(pex: &Pex) -> String {
    let mut found: Vec<String> = Vec::new();
    for (name, _) in &pex.info.distributions {
        let tags = WheelName::parse(name).into_iter().flat_map(|name| {
            name.tags()
                .map(|tag| tag.split('-').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        });
        for tag in tags {
            let release = tag.strip_prefix("cp3").filter(|minor| !minor.is_empty());
            let release = release.map(|minor| format!("CPython 3.{minor}"));
            if let Some(release) = release.filter(|release| !found.contains(release)) {
                found.push(release);
            }
        }
    }
    match found.is_empty() {
        true => "a Python that fits".to_owned(),
        false => found.join(" or "),
    }
}
