//! What the interactive session of a PEX is told: its banner, what `pex` shows there, where its history lies.

use crate::boot::{self, Py};
use crate::launch::dispatch::Run;
use crate::launch::prepare::{Member, Parts};

impl Parts<'_> {
    /// The lines of the interactive session: its banner, and what `pex` tells there; with the history's settings.
    pub fn session(&self, run: &Run) -> [(&'static str, Py); 5] {
        let repl = *run == Run::Interpreter;
        let file = self.variables.interpreter_history_file.as_ref();
        [
            ("repl", if repl { Py::str(boot::REPL) } else { Py::None }),
            ("banner", Py::str(&banner(self.main()))),
            ("summary", Py::str(&summary(self.main()))),
            (
                "history",
                Py::Bool(self.variables.interpreter_history.unwrap_or_default()),
            ),
            ("history_file", file.map_or(Py::None, |path| Py::path(path))),
        ]
    }
}

fn banner(main: &Member) -> String {
    let version = main.pex.info.pex_version.as_deref().unwrap_or("");
    let (requirements, wheels) = (main.pex.info.requirements.len(), main.selected.len());
    if wheels == 0 {
        return format!("Pex {version} hermetic environment with no dependencies.");
    }
    let plural =
        |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!(
        "Pex {version} hermetic environment with {} and {}.",
        plural(requirements, "requirement"),
        plural(wheels, "activated distribution")
    )
}

fn summary(main: &Member) -> String {
    let mut lines = vec!["Running from PEX file: {pex}".to_owned()];
    if !main.selected.is_empty() {
        lines.push("Requirements:".to_owned());
        lines.extend(
            main.pex
                .info
                .requirements
                .iter()
                .map(|requirement| format!("  {requirement}")),
        );
        lines.push("Activated Distributions:".to_owned());
        lines.extend(
            main.selected
                .iter()
                .map(|wheel| format!("  {}", wheel.name)),
        );
    }
    lines.join("\n")
}
