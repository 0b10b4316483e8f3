//! Bytecode for an embedded file to bring along, so that its first start compiles little or nothing: made here, by the
//! interpreters that would run it.
//!
//! How it is kept in the file and found again is told in `unpack::bytecode`. Nothing of the PEX is run.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::EmbedError;
use crate::archive::Archive;
use crate::boot::Compiled;
use crate::interpreter::{self, Begins, Looked, Part, Record, Request, Scope};
use crate::launch::select;
use crate::pex::{Content, Layout, Pex, PexError, WheelSource};
use crate::store::Store;
use crate::unpack::bytecode::{self, BOOT, FRAME_MAX, INDEX, MAGIC, MODULES, NAMES, PREFIX};

/// Compression level: of what a file keeps for good, the smallest that decompresses as fast as any.
const LEVEL: i32 = 19;

/// Which bytecode is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of which modules.
    pub scope: Scope,
    /// For which interpreters: paths, or names on PATH. Without any, for the one that would run the PEX here.
    pub pythons: Vec<String>,
    /// Whether the file will start as a virtual environment whatever the PEX says.
    pub venv: bool,
    /// Modules that a run was seen to import (see [`super::Run`]).
    pub recorded: Vec<String>,
}

/// Bytecode to be put into an appendix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytecode {
    /// Entries in order, the index first.
    pub(super) entries: Vec<Entry>,
    /// What was compiled for each interpreter.
    pub made: Vec<Made>,
    /// What was asked for, for a later embedding to ask again.
    pub choice: Choice,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// Nothing: what the host that embeds makes of it.
    #[default]
    Auto,
    /// No bytecode.
    None,
    /// Of these modules; for these interpreters, without any for the one that would run the PEX.
    Of(Scope, Vec<String>),
}

impl Choice {
    /// The choice as a text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Choice::Auto => "auto".to_owned(),
            Choice::None => "none".to_owned(),
            Choice::Of(scope, pythons) => {
                let scope = match scope {
                    Scope::Imports => "imports",
                    Scope::All => "all",
                };
                let pythons = pythons.iter().map(|python| format!(" {python}"));
                scope.to_owned() + &pythons.collect::<String>()
            }
        }
    }

    /// Reads [`Choice::text`]; what is not understood is no choice.
    pub(super) fn read(text: &str) -> Choice {
        let mut words = text.split(' ');
        let scope = match words.next() {
            Some("none") => return Choice::None,
            Some("imports") => Scope::Imports,
            Some("all") => Scope::All,
            _ => return Choice::Auto,
        };
        Choice::Of(scope, words.map(str::to_owned).collect())
    }
}

/// An entry of the appendix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
    /// Whether it is as small as it gets already.
    pub(super) is_packed: bool,
}

/// What was compiled for one interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The interpreter.
    pub python: PathBuf,
    /// How many modules.
    pub modules: usize,
    /// Bytes that they add to the file.
    pub bytes: usize,
}

impl Bytecode {
    /// The same, with word of what was asked for.
    #[must_use]
    pub fn asked(self, choice: Choice) -> Bytecode {
        Bytecode { choice, ..self }
    }

    /// What the seal says of it: the digest of its index, zeros where there is none.
    pub(super) fn digest(&self) -> [u8; 32] {
        match self.entries.first() {
            Some(index) => Sha256::digest(&index.content).into(),
            None => [0; 32],
        }
    }

    /// Compiles modules of the PEX at `input`. Of interpreters that are not named, only Pythons on PATH are asked (see
    /// [`interpreter::look`]); `warn` takes a line for each other program that would have been.
    ///
    /// # Errors
    /// When an interpreter cannot be found, does not fit the PEX or fails, the PEX cannot be read, or its starts would not
    /// use bytecode: it is a directory, or runs as a virtual environment.
    pub fn compile(
        input: &Path,
        wanted: &Wanted,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Bytecode, EmbedError> {
        let failed = |why: String| EmbedError::Compile {
            path: input.to_path_buf(),
            why,
        };
        let pex = Pex::open(input)?;
        if pex.layout != Layout::Zipapp {
            return Err(EmbedError::DirectoryBytecode { path: pex.path });
        }
        if pex.info.venv || wanted.venv {
            return Err(EmbedError::VenvBytecode { path: pex.path });
        }
        let place = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let store = Store::scratch(place.path()).map_err(|error| failed(error.to_string()))?;
        let started_by = pex.started_by()?;
        let pythons: Vec<Option<&str>> = match &*wanted.pythons {
            [] => vec![None],
            named => named.iter().map(|name| Some(name.as_str())).collect(),
        };
        let mut index = MAGIC.to_vec();
        let mut bytecode = Bytecode::default();
        let mut tags: Vec<String> = Vec::new();
        for python in pythons {
            let request = Request {
                started_by,
                constraints: &pex.info.interpreter_constraints,
                strategy: pex.info.interpreter_selection_strategy,
                base: true,
                ..Request::default()
            };
            let fits = &mut |record: &Record| {
                select(&pex, pex.info.ignore_errors, record).map_err(Into::into)
            };
            let Looked {
                chosen, not_run, ..
            } = interpreter::look(&request, python, false, &store, fits);
            for program in not_run {
                warn(&format!(
                    "`{0}` was not run: it is not on PATH; `--python={0}` names it",
                    program.display()
                ));
            }
            let taken = chosen.map_err(|error| match python {
                // It is named by an option, and the words are the original's.
                Some(_) => failed(error.to_string().replace("PEX_PYTHON", "--python")),
                None => failed(error.to_string()),
            })?;
            let (record, selected) = (taken.python, taken.fit);
            let Some(tag) = record.tag().filter(|tag| !tags.contains(tag)) else {
                continue;
            };
            let (modules, boot) = compiled(&pex, &selected, &record, wanted, place.path())
                .map_err(|error| failed(format!("`{}`: {error}", record.binary.display())))?;
            let boot = bytecode::joined(&boot);
            let (names, frames) = packed(&modules);
            bytecode.made.push(Made {
                python: record.binary.clone(),
                modules: modules.len(),
                bytes: frames.len(),
            });
            for (name, content, is_packed) in [
                (BOOT, boot, false),
                (NAMES, names, false),
                (MODULES, frames, true),
            ] {
                let digest: [u8; 32] = Sha256::digest(&content).into();
                let name = format!("{tag}/{name}");
                index.extend(format!("{} {name}\0", pexboot_core::hex::hex(&digest)).bytes());
                bytecode.entries.push(Entry {
                    name: format!("{PREFIX}{name}"),
                    content,
                    is_packed,
                });
            }
            tags.push(tag);
        }
        if !bytecode.entries.is_empty() {
            let index = Entry {
                name: format!("{PREFIX}{INDEX}"),
                content: index,
                is_packed: false,
            };
            bytecode.entries.insert(0, index);
        }
        Ok(bytecode)
    }
}

/// The names of modules and the modules themselves, as the entries have them.
fn packed(modules: &[(String, Vec<u8>)]) -> (Vec<u8>, Vec<u8>) {
    let (mut names, mut all) = (Vec::new(), Vec::new());
    for (name, code) in modules {
        names.extend(format!("{} {name}\0", code.len()).bytes());
        all.extend(code);
    }
    let mut frames = Vec::new();
    for content in all.chunks(FRAME_MAX) {
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(content.len()));
        // The only error is one of room, and there is room for anything.
        zstd_safe::compress(&mut frame, content, LEVEL).expect("the bound is enough");
        for length in [frame.len(), content.len()] {
            frames.extend((length as u32).to_le_bytes());
        }
        frames.extend(frame);
    }
    (names, frames)
}

/// Modules by their names, in order, and the boot.
type Compilation = (Vec<(String, Vec<u8>)>, Compiled);

/// The modules of the scope and the boot, as this interpreter compiles them.
fn compiled(
    pex: &Pex,
    selected: &[crate::resolve::Selected],
    interpreter: &Record,
    wanted: &Wanted,
    place: &Path,
) -> Result<Compilation, PexError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| PexError::Io { path, source }
    };
    let place = tempfile::tempdir_in(place).map_err(io(place))?;
    let mut parts = Parts {
        place: place.path(),
        script: pex.info.script.as_deref(),
        list: Vec::new(),
    };
    for member in pex.user_code()? {
        let archive = pex.archive().map(AsRef::as_ref);
        parts.add("code", &member.path, &member.content, archive)?;
    }
    for wheel in selected {
        let root = format!("wheels/{}", wheel.name);
        match pex.wheel(&wheel.name)? {
            WheelSource::Chroot { archive, members } => {
                for member in members {
                    parts.add(&root, &member.path, &member.content, archive.as_deref())?;
                }
            }
            WheelSource::WheelFile { wheel, .. } => {
                for entry in wheel.entries().iter().filter(|entry| !entry.is_directory()) {
                    let content = Content::Entry(entry.clone());
                    let path = installed(&entry.name);
                    parts.add(&root, path, &content, Some(&wheel))?;
                }
            }
        }
    }
    let begins = Begins {
        entry_point: pex.info.entry_point.as_deref(),
        script: pex.info.script.as_deref(),
        recorded: &wanted.recorded,
    };
    let mut list = parts.list;
    list.sort_by(|one, other| one.name.cmp(&other.name));
    let told = place.path().join("list");
    let boot =
        interpreter::compile(interpreter, wanted.scope, begins, &list, &told).map_err(io(&told))?;
    let mut made = Vec::new();
    for part in list {
        let Some(target) = part.target else {
            continue;
        };
        match crate::regular::read(&target) {
            Ok(code) => made.push((part.name, code)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(&target)(error)),
        }
    }
    Ok((made, boot))
}

/// Where a file of a wheel is installed (PEP 427): what `NAME.data` has for the site goes to its top.
fn installed(path: &str) -> &str {
    let Some((data, below)) = path.split_once('/') else {
        return path;
    };
    let site = ["purelib/", "platlib/"];
    let found = site.iter().find_map(|scheme| below.strip_prefix(scheme));
    found.filter(|_| data.ends_with(".data")).unwrap_or(path)
}

/// The files of a PEX that decide what is compiled, written out for the interpreter to read.
struct Parts<'p> {
    place: &'p Path,
    script: Option<&'p str>,
    list: Vec<Part>,
}

impl Parts<'_> {
    /// Adds the file at `path` below `root`, if it is one of those.
    fn add(
        &mut self,
        root: &str,
        path: &str,
        content: &Content,
        archive: Option<&Archive>,
    ) -> Result<(), PexError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_module = name.ends_with(".py");
        let tells = name == "entry_points.txt" && above.ends_with(".dist-info")
            || name.ends_with(".pth") && above.is_empty()
            || self.script == Some(name) && matches!(above, ".prefix/bin" | "bin");
        if !is_module && !tells {
            return Ok(());
        }
        let number = self.list.len();
        let file = self.place.join(format!("{number}.py"));
        let io = |source| PexError::Io {
            path: file.clone(),
            source,
        };
        let mut out = File::create_new(&file).map_err(io)?;
        content.copy(archive, &mut out)?;
        out.flush().map_err(io)?;
        self.list.push(Part {
            file,
            name: format!("{root}/{path}"),
            target: is_module.then(|| self.place.join(format!("{number}.code"))),
        });
        Ok(())
    }
}
