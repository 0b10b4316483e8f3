//! What the interactive session of a PEX is told, and where its history lies.

use std::path::Path;

use crate::boot::{Interactive, Run, Session};
use crate::launch::choose::Chosen;

impl Chosen<'_> {
    /// The interactive session, where there may be one; in a virtual environment of that path.
    pub fn session(&self, run: &Run, venv: Option<&Path>) -> Option<Interactive> {
        if *run != Run::Interpreter {
            return None;
        }
        let mut requirements: Vec<&str> = Vec::new();
        let mut wheels: Vec<&str> = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            // Of an environment's members the wheels count alone.
            if venv.is_none() || index == 0 {
                requirements.extend(member.pex.info.requirements.iter().map(String::as_str));
            }
            wheels.extend(member.selected.iter().map(|wheel| wheel.name.as_str()));
        }
        let session = Session {
            info: &self.main().pex.info,
            requirements: &once(requirements),
            wheels: &once(wheels),
            venv,
            root: self.store.root(),
        };
        Some(Interactive {
            told: session.to_json(),
            history: self.variables.interpreter_history.unwrap_or_default(),
            history_file: self.variables.interpreter_history_file.clone(),
        })
    }
}

/// Each one once, where it comes first.
fn once(items: Vec<&str>) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    items
        .into_iter()
        .filter(|item| seen.insert(*item))
        .collect()
}
