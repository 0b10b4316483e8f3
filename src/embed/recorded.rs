//! What one run of an application imports: for modules that no look at its code finds (`embed --record`).
//!
//! The run is a first start of the very application, under a root of its own, and the launch pack that it leaves tells
//! what it has imported. So what counts is what a start of pexboot's imports, and nothing of the user's cache is touched.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use pexboot_core::seal::Options;

use super::{Bytecode, EmbedError, Parts, embed};
use crate::pack::Pack;
use crate::pex::{Layout, Pex};
use crate::store::{Kind, place};

/// A run whose imports are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The arguments of the application.
    pub args: Vec<OsString>,
    /// The Python that runs it, where it is not the one that a start would choose.
    pub python: Option<String>,
}

impl Run {
    /// Runs the application of the PEX at `input` to its end and gives the modules that it has imported. Its standard
    /// output goes where its errors go; `warn` takes a line where it does not end well.
    ///
    /// # Errors
    /// When it cannot be started, or has left no record: it was killed, became another program, or is one whose starts
    /// make no pack.
    pub fn imports(
        &self,
        input: &Path,
        options: Options,
        parts: &Parts<'_>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Vec<String>, EmbedError> {
        let failed = |why: String| EmbedError::Record {
            path: input.to_owned(),
            why,
        };
        let pex = Pex::open(input)?;
        if pex.layout != Layout::Zipapp {
            return Err(EmbedError::DirectoryBytecode { path: pex.path });
        }
        let aside = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let name = input.file_name().unwrap_or("app".as_ref());
        // A directory of its own: the file may have any name.
        let program = aside.path().join("file").join(name);
        let root = aside.path().join("root");
        for directory in [program.parent().unwrap_or(aside.path()), &root] {
            std::fs::create_dir(directory).map_err(|error| failed(error.to_string()))?;
        }
        embed(input, Some(&program), options, &Bytecode::default(), parts)?;
        let mut command = Command::new(&program);
        command
            .args(&self.args)
            .env("PEX_ROOT", &root)
            .env_remove("PEXBOOT_PACK")
            .env_remove("PEXBOOT_VENV")
            .env_remove("PYTHONDONTWRITEBYTECODE")
            .stdout(Stdio::from(std::io::stderr()));
        if let Some(python) = &self.python {
            command.env("PEX_PYTHON", python);
        }
        let status = command
            .status()
            .map_err(|error| failed(format!("it could not be started: {error}")))?;
        if !status.success() {
            let path = input.display();
            warn(&format!(
                "`{path}` ended with {status} while it was recorded; what it imported until then counts"
            ));
        }
        let launches = std::fs::read_dir(place(&root.join("pexboot"), Kind::Launches, ""));
        let launches = launches.into_iter().flatten().flatten();
        let packs = launches.filter_map(|launch| Pack::read(&launch.path().join("pack")));
        let names: Vec<String> = packs
            .flat_map(|pack| pack.modules)
            .map(|(name, _)| name)
            .collect();
        if names.is_empty() {
            return Err(failed(
                "the run left no record: it was killed, became another program, or runs without an entry point"
                    .to_owned(),
            ));
        }
        Ok(names)
    }
}
