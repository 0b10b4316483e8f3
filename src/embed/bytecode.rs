//! `embed --compile`: bytecode of everything in a PEX, for interpreters that are named, made before anyone starts it.
//!
//! How it is kept in the file and found again is told in `unpack::bytecode`. The PEX is unpacked into a directory that
//! goes away again, by the code that a first start runs, so that each module lies where it will lie then.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::EmbedError;
use crate::interpreter::{self, Looked, Module, Record, Request};
use crate::launch::select;
use crate::pex::Pex;
use crate::store::Store;
use crate::unpack::{self, bytecode};

/// Bytecode to be put into an appendix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytecode {
    /// Entries in order, the index first: name and content.
    pub(super) entries: Vec<(String, Vec<u8>)>,
}

impl Bytecode {
    /// What the seal says of it: the digest of its index, zeros where there is none.
    pub(super) fn digest(&self) -> [u8; 32] {
        match self.entries.first() {
            Some((_, index)) => Sha256::digest(index).into(),
            None => [0; 32],
        }
    }

    /// Compiles every module of the PEX at `input` for each of `pythons`: paths, or names on PATH. Without any, for the
    /// interpreter that would run it here. Of those that are not named, only Pythons on PATH are asked (see
    /// [`interpreter::look`]); `warn` takes a line for each other program that would have been.
    ///
    /// # Errors
    /// When an interpreter cannot be found, does not fit the PEX or fails, or the PEX cannot be unpacked.
    pub fn compile(
        input: &Path,
        pythons: &[String],
        warn: &mut dyn FnMut(&str),
    ) -> Result<Bytecode, EmbedError> {
        let failed = |why: String| EmbedError::Compile {
            path: input.to_path_buf(),
            why,
        };
        let pex = Pex::open(input)?;
        let place = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let store = Store::scratch(place.path()).map_err(|error| failed(error.to_string()))?;
        let started_by = pex.started_by()?;
        let fingerprint = pex.fingerprint()?;
        let code =
            unpack::code(&pex, &fingerprint, &store).map_err(|error| failed(error.to_string()))?;

        let pythons: Vec<Option<&str>> = match pythons {
            [] => vec![None],
            named => named.iter().map(|name| Some(name.as_str())).collect(),
        };
        let mut modules: Vec<(String, Vec<u8>)> = Vec::new();
        for python in pythons {
            let wanted = Request {
                started_by: started_by.as_ref(),
                constraints: &pex.info.interpreter_constraints,
                strategy: pex.info.interpreter_selection_strategy,
                base: true,
                ..Request::default()
            };
            let fits = &mut |record: &Record| {
                select(&pex, pex.info.ignore_errors, record).map_err(Into::into)
            };
            let Looked { chosen, not_run } = interpreter::look(&wanted, python, &store, fits);
            for program in not_run {
                warn(&format!(
                    "`{0}` was not run: it is not on PATH; `--compile={0}` names it",
                    program.display()
                ));
            }
            let (record, selected) = chosen.map_err(|error| failed(error.to_string()))?;
            let Some(tag) = bytecode::tag(&record) else {
                continue;
            };
            if modules
                .iter()
                .any(|(name, _)| name.starts_with(&format!("{tag}/")))
            {
                continue;
            }
            let wheels = unpack::wheels(&pex, &selected, &store, false)
                .map_err(|error| failed(error.to_string()))?;
            let trees = wheels
                .iter()
                .map(|wheel| (format!("wheels/{}", wheel.name), wheel.path.clone()))
                .chain([("code".to_owned(), code.clone())]);
            let mut sources = Vec::new();
            for (name, root) in trees {
                list(&root, &name, &mut sources).map_err(|error| failed(error.to_string()))?;
            }
            sources.sort();
            let made = compiled(&record, sources, place.path())
                .map_err(|error| failed(format!("`{}`: {error}", record.binary.display())))?;
            modules.extend(
                made.into_iter()
                    .map(|(name, bytes)| (format!("{tag}/{name}"), bytes)),
            );
        }
        modules.sort();
        let mut index = bytecode::MAGIC.to_vec();
        for (name, bytes) in &modules {
            let digest: [u8; 32] = Sha256::digest(bytes).into();
            index.extend(pexboot_core::hex::hex(&digest).bytes());
            index.extend([b" ", name.as_bytes(), b"\0"].concat());
        }
        let prefix = bytecode::PREFIX;
        let files = modules
            .into_iter()
            .map(|(name, bytes)| (format!("{prefix}{name}c"), bytes));
        Ok(Bytecode {
            entries: std::iter::once((format!("{prefix}{}", bytecode::INDEX), index))
                .chain(files)
                .collect(),
        })
    }
}

/// Adds the modules below `root`, which is called `name`: their names and files.
fn list(root: &Path, name: &str, sources: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        // Any other name cannot be imported, nor be an entry's.
        let Ok(file) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{name}/{file}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &name, sources)?;
        } else if file.ends_with(".py") && entry.file_type()?.is_file() {
            sources.push((name, entry.path()));
        }
    }
    Ok(())
}

/// The bytecode of each source that compiles.
fn compiled(
    interpreter: &Record,
    sources: Vec<(String, PathBuf)>,
    place: &Path,
) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let place = tempfile::tempdir_in(place)?;
    let modules: Vec<Module> = sources
        .into_iter()
        .enumerate()
        .map(|(number, (name, source))| Module {
            source,
            name,
            target: place.path().join(number.to_string()),
        })
        .collect();
    interpreter::compile(interpreter, &modules, &place.path().join("list"))?;
    let mut made = Vec::new();
    for module in modules {
        match crate::regular::read(&module.target) {
            Ok(bytes) => made.push((module.name, bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}
