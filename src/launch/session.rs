//! What the boot is told in any mode; the interactive session of a PEX, and where its history lies.

use std::path::{Path, PathBuf};

use crate::boot::{Data, Interactive, Run, Session, SysPath};
use crate::launch::choose::Chosen;

impl Chosen<'_> {
    /// What the boot gets in any mode; with the PEX's `inject_args` where they belong to what runs. The rest is the mode's
    /// to say.
    pub fn data(&self, path: SysPath, run: Run, inject: bool) -> Data {
        let info = &self.main().pex.info;
        let venv = match &path {
            SysPath::Venv { path, .. } => Some(path.as_path()),
            SysPath::Zipapp { .. } => None,
        };
        Data {
            session: self.session(&run, venv),
            path,
            run,
            strip: info.strip_pex_env,
            inject_env: info.inject_env.clone(),
            bind: info.bind_resource_paths.clone(),
            inject_args: match inject {
                true => info.inject_args.clone(),
                false => Vec::new(),
            },
            temporary: self.store.temporary().map(Into::into),
            for_site: false,
            extra: Vec::new(),
            import_lines: Vec::new(),
            main: PathBuf::new(),
            entries: Vec::new(),
            pack: None,
        }
    }

    /// The interactive session, where there may be one; in a virtual environment of that path.
    fn session(&self, run: &Run, venv: Option<&Path>) -> Option<Interactive> {
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
            told: session.json(),
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
