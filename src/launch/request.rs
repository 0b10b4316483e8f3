//! The question that a launch has for the choice of an interpreter.

use crate::interpreter::Request;
use crate::launch::Invocation;
use crate::pex::{Pex, StartedBy};
use crate::variables::Variables;

/// What the choice of an interpreter depends on besides the machine.
pub(super) fn request<'a>(
    invocation: &'a Invocation,
    pex: &'a Pex,
    variables: &'a Variables,
    base: bool,
    started_by: Option<&'a StartedBy>,
) -> Request<'a> {
    if let Some(importer) = invocation.importer() {
        // This one or none, whatever the PEX says of Pythons: it runs already.
        return Request {
            current: Some(&importer.python),
            python: importer.python.to_str(),
            ..Request::default()
        };
    }
    Request {
        started_by,
        current: invocation
            .current
            .as_ref()
            .map(|current| current.python.as_path()),
        constraints: &pex.info.interpreter_constraints,
        strategy: pex.info.interpreter_selection_strategy,
        python: variables.python.as_deref(),
        python_path: variables.python_path.as_deref(),
        base,
        boots: None,
    }
}
