//! Interpreter records: made by one probe, kept in the store, believed only while the files they speak of are the same.
//!
//! What is stored is the interpreter's answer. What depends on more than its files (the kernel's release, the user's home,
//! what lies in site-packages) is filled in each time a record is read.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pexboot_core::checksum::checksum;
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Fields, Kernel, field};
use super::elf::Elf;
use super::witness::Witness;
use super::{Boots, Record, binary, probe};
use crate::boot::Compiled;
use crate::packaging::tags::{self, Traits};
use crate::store::Work;
use pexboot_core::hex::hex;

/// First line of a stored record; a new form gets a new number.
const HEADER: &[u8] = b"pexboot record 1\n";
/// A stored record is some tens of kilobytes.
const MAX_RECORD: u64 = 8 * 1024 * 1024;

/// The kernel and the user as this process sees them. An interpreter may see another kernel: one that runs under emulation
/// has a machine of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Platform {
    pub(super) kernel: Kernel,
    pub(super) machine: String,
    /// `PYTHONUSERBASE`, else `$HOME/.local`.
    pub(super) user_base: Option<PathBuf>,
}

impl Platform {
    /// As the kernel and the environment have it now.
    pub(super) fn here(variable: &dyn Fn(&str) -> Option<OsString>) -> Platform {
        let text = |value: &OsStr| value.to_string_lossy().into_owned();
        let set = |name| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let user_base = set("PYTHONUSERBASE").or_else(|| Some(set("HOME")?.join(".local")));
        match nix::sys::utsname::uname() {
            Ok(name) => Platform {
                kernel: Kernel {
                    system: text(name.sysname()),
                    release: text(name.release()),
                    version: text(name.version()),
                },
                machine: text(name.machine()),
                user_base,
            },
            Err(_) => Platform {
                user_base,
                ..Platform::default()
            },
        }
    }
}

/// What a stored record says, whether or not it still holds.
#[cfg(feature = "cli")]
pub(super) fn read(bytes: &[u8]) -> Option<Record> {
    let machine = Platform::here(&|name| std::env::var_os(name));
    Some(Stored::decode(bytes)?.record(&machine))
}

/// Reads what may be a record, for the fuzzer: as it is, and with the digest that it should have, which no mutation would
/// find.
#[cfg(any(feature = "cli", feature = "fuzzing"))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = Stored::decode(bytes);
    let mut fields = Fields(bytes.strip_prefix(HEADER).unwrap_or(bytes));
    let body = match fields.next() {
        Some(("sha256", _)) => fields.0,
        _ => bytes,
    };
    let mut sealed = HEADER.to_vec();
    field(&mut sealed, "sha256", &Sha256::digest(body));
    sealed.extend_from_slice(body);
    let _ = Stored::decode(&sealed);
}

/// What is stored of one interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    /// The binary first, then what it depends on.
    files: Vec<Witness>,
    elf: Elf,
    musl: Option<(u32, u32)>,
    /// Whether it saw another kernel than the process that asked.
    apart: bool,
    answer: Answer,
    raw: Vec<u8>,
}

impl Stored {
    /// Asks the interpreter at `binary`, a canonical path. `Ok(Err(path))` where it says that it is really another.
    fn ask(
        path: &Path,
        machine: &Platform,
        boots: Option<&Boots>,
    ) -> Result<Result<Stored, PathBuf>, String> {
        let (answer, raw) = probe::ask(path, boots)?;
        if !answer.executable.as_os_str().is_empty() {
            let real = binary::canonical(&answer.executable);
            if real != path {
                return Ok(Err(real));
            }
        }
        let elf = Elf::read(path).unwrap_or_default();
        let mut files = vec![path.to_owned()];
        files.extend(binary::pyvenv_cfg(path));
        files.extend(answer.libraries.iter().cloned());
        let mut musl = None;
        if let Some(loader) = &elf.loader
            && loader.windows(4).any(|window| window == b"musl")
        {
            let loader = PathBuf::from(OsString::from_vec(loader.clone()));
            musl = probe::musl_version(&loader);
            files.push(loader);
        }
        let files = files
            .iter()
            .map(|path| Witness::of(path).map_err(|error| format!("`{}`: {error}", path.display())))
            .collect::<Result<_, _>>()?;
        Ok(Ok(Stored {
            files,
            elf,
            musl,
            apart: answer.kernel != machine.kernel,
            answer,
            raw,
        }))
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.raw.len() + 1024);
        for file in &self.files {
            file.write(&mut body);
        }
        let Elf {
            narrow,
            machine,
            flags,
            ..
        } = self.elf;
        field(
            &mut body,
            "elf",
            format!("{} {machine} {flags}", u8::from(narrow)).as_bytes(),
        );
        if let Some((major, minor)) = self.musl {
            field(&mut body, "musl", format!("{major} {minor}").as_bytes());
        }
        if self.apart {
            field(&mut body, "apart", b"");
        }
        field(&mut body, "answer", &self.raw);
        let mut output = HEADER.to_vec();
        field(&mut output, "sha256", &Sha256::digest(&body));
        output.extend_from_slice(&body);
        output
    }

    /// Reads what [`Stored::encode`] wrote; `None` for anything else.
    fn decode(bytes: &[u8]) -> Option<Stored> {
        let mut fields = Fields(bytes.strip_prefix(HEADER)?);
        let (key, digest) = fields.next()?;
        if key != "sha256" || digest != &Sha256::digest(fields.0)[..] {
            return None;
        }
        let (mut files, mut elf, mut musl, mut raw) = (Vec::new(), Elf::default(), None, None);
        let mut apart = false;
        for (key, value) in &mut fields {
            match key {
                "file" => files.push(Witness::read(value)?),
                "elf" => {
                    let mut numbers = std::str::from_utf8(value).ok()?.split(' ');
                    elf.narrow = numbers.next()? == "1";
                    elf.machine = numbers.next()?.parse().ok()?;
                    elf.flags = numbers.next()?.parse().ok()?;
                }
                "musl" => {
                    let (major, minor) = std::str::from_utf8(value).ok()?.split_once(' ')?;
                    musl = Some((major.parse().ok()?, minor.parse().ok()?));
                }
                "apart" => apart = true,
                "answer" => raw = Some(value.to_vec()),
                _ => return None,
            }
        }
        let raw = raw?;
        let answer = Answer::parse(&raw).ok()?;
        (!files.is_empty()).then_some(Stored {
            files,
            elf,
            musl,
            apart,
            answer,
            raw,
        })
    }

    /// The record, with what only this moment can say.
    fn record(self, machine: &Platform) -> Record {
        let Stored {
            files,
            elf,
            musl,
            apart,
            mut answer,
            ..
        } = self;
        if !apart {
            // Another release since then is that of an update.
            answer.kernel = machine.kernel.clone();
        }
        let (major, minor, _) = answer.version;
        let mut proofs = Sha256::new();
        files.iter().for_each(|file| file.prove(&mut proofs));
        let mut files = files.into_iter().map(|file| file.path);
        let binary = files.next().unwrap_or_default();
        let cpython = answer.implementation == "cpython";
        let tags = tags::supported(&Traits {
            implementation: answer.implementation.clone(),
            version: (major, minor),
            free_threaded: answer.free_threaded,
            debug: answer.debug,
            ext_suffix: answer.ext_suffix.clone(),
            machine: answer.machine.clone(),
            narrow: answer.narrow,
            elf: elf.narrow.then_some((elf.machine, elf.flags)),
            glibc: answer.glibc,
            musl,
        });
        let user_site = match (&answer.user_site, &machine.user_base) {
            (Some(below), Some(base)) if answer.system_site => {
                Some(base.join(below.trim_start_matches("~/")))
            }
            _ => None,
        };
        Record {
            free_threaded: (cpython && (major, minor) >= (3, 13)).then_some(answer.free_threaded),
            // Tags are `python-abi-platform`.
            abi: tags
                .first()
                .and_then(|tag| tag.split('-').nth(1))
                .unwrap_or("none")
                .to_owned(),
            markers: markers(&answer),
            version: answer.version,
            tags,
            binary,
            implementation: answer.implementation,
            prefix: answer.prefix,
            base_prefix: answer.base_prefix,
            stdlib: answer.path,
            site_packages: answer.site,
            user_site,
            magic: answer.magic,
            cache_tag: answer.cache_tag,
            depends: files.collect(),
            compiled: answer.compiled,
            proof: proofs.finalize().to_vec(),
        }
    }
}

/// The marker environment, as `packaging.markers.default_environment()` has it.
fn markers(answer: &Answer) -> BTreeMap<String, String> {
    let python = match answer.implementation.as_str() {
        "cpython" => "CPython".to_owned(),
        "pypy" => "PyPy".to_owned(),
        other => other.to_owned(),
    };
    // A build from a checkout says `3.13.0+`, which PEP 440 does not know; `packaging` reads it as a local version.
    let full_version = match answer.full_version.strip_suffix('+') {
        Some(_) => format!("{}local", answer.full_version),
        None => answer.full_version.clone(),
    };
    let (major, minor, _) = answer.version;
    let Kernel {
        system,
        release,
        version,
    } = answer.kernel.clone();
    [
        ("implementation_name", answer.implementation.clone()),
        (
            "implementation_version",
            answer.implementation_version.clone(),
        ),
        ("os_name", "posix".to_owned()),
        ("platform_machine", answer.machine.clone()),
        ("platform_python_implementation", python),
        ("platform_release", release),
        ("platform_system", system),
        ("platform_version", version),
        ("python_full_version", full_version),
        ("python_version", format!("{major}.{minor}")),
        ("sys_platform", answer.platform.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The records of one choice: each interpreter is looked up once, and asked at most once.
pub(super) struct Records<'a> {
    machine: Platform,
    /// What the store has under a name.
    find: &'a dyn Fn(&str) -> Option<PathBuf>,
    /// Puts a record into the store; that it could not is no reason to fail a launch.
    save: &'a dyn Fn(&str, &[u8]),
    /// Waits for others that ask the same interpreter; see [`crate::store::Store::turn`].
    turn: Option<&'a Turn<'a>>,
    /// Which interpreters may be asked, by canonical path; any without it.
    may_ask: Option<&'a dyn Fn(&Path) -> bool>,
    /// The boot where it came compiled, which no interpreter is asked for then, and no record has.
    boots: Option<&'a Boots>,
    known: RefCell<HashMap<PathBuf, Result<Rc<Record>, String>>>,
}

/// Gives the turn to make what is kept under a name, unless it turns out to be there.
type Turn<'a> = dyn Fn(&str, &mut dyn FnMut() -> bool) -> Option<Work> + 'a;

impl<'a> Records<'a> {
    pub(super) fn new(
        machine: Platform,
        find: &'a dyn Fn(&str) -> Option<PathBuf>,
        save: &'a dyn Fn(&str, &[u8]),
    ) -> Records<'a> {
        Records {
            machine,
            find,
            save,
            turn: None,
            may_ask: None,
            boots: None,
            known: RefCell::default(),
        }
    }

    /// The same, asking an interpreter only when it is this process's turn.
    pub(super) fn in_turn(self, turn: &'a Turn<'a>) -> Records<'a> {
        Records {
            turn: Some(turn),
            ..self
        }
    }

    /// The same, of other interpreters than those that `may_ask` allows only what is stored.
    pub(super) fn asking_only(self, may_ask: &'a dyn Fn(&Path) -> bool) -> Records<'a> {
        Records {
            may_ask: Some(may_ask),
            ..self
        }
    }

    /// The same, for a file that brings these boots.
    pub(super) fn bringing(self, boots: Option<&'a Boots>) -> Records<'a> {
        Records { boots, ..self }
    }

    /// The record of the interpreter at `path`, or what is wrong with it.
    pub(super) fn get(&self, path: &Path) -> Result<Rc<Record>, String> {
        self.get_all(std::slice::from_ref(&path.to_owned()))
            .pop()
            .unwrap_or_else(|| Err("not looked at".to_owned()))
    }

    /// The same for many, those that must be asked side by side.
    pub(super) fn get_all(&self, paths: &[PathBuf]) -> Vec<Result<Rc<Record>, String>> {
        let canonical: Vec<PathBuf> = paths.iter().map(|path| binary::canonical(path)).collect();
        let mut unknown: Vec<PathBuf> = Vec::new();
        for path in &canonical {
            if self.known.borrow().contains_key(path) || unknown.contains(path) {
                continue;
            }
            match self.load(path) {
                Some(stored) => self.remember(path, Ok(stored)),
                None if self.may_ask.is_some_and(|may_ask| !may_ask(path)) => {
                    self.remember(path, Err("was not run: it is not on PATH".to_owned()));
                }
                None => unknown.push(path.clone()),
            }
        }
        // Several at once would have to be waited for in an order that all agree on.
        let mut _turn = None;
        if let ([path], Some(turn)) = (unknown.as_slice(), self.turn)
            && let Some(key) = self.key(path)
        {
            let mut made = None;
            _turn = turn(&key, &mut || {
                made = self.load(path);
                made.is_some()
            });
            if let Some(stored) = made.filter(|_| _turn.is_none()) {
                self.remember(path, Ok(stored));
                unknown.clear();
            }
        }
        for (path, asked) in unknown.iter().zip(self.ask_all(&unknown)) {
            match asked {
                Ok(Ok(stored)) => {
                    if let Some(key) = self.key(path) {
                        (self.save)(&key, &stored.encode());
                    }
                    self.remember(path, Ok(stored));
                }
                // A wrapper. Its answer may depend on anything, so what is remembered is the interpreter behind it.
                Ok(Err(real)) => {
                    let behind = match self.load(&real) {
                        Some(stored) => Ok(stored),
                        None => Stored::ask(&real, &self.machine, self.boots).and_then(|asked| {
                            asked.map_err(|other| {
                                format!(
                                    "`{}` says that it is `{}`",
                                    real.display(),
                                    other.display()
                                )
                            })
                        }),
                    };
                    if let (Ok(stored), Some(key)) = (&behind, self.key(&real)) {
                        (self.save)(&key, &stored.encode());
                    }
                    self.remember(path, behind);
                }
                Err(why) => self.remember(path, Err(why)),
            }
        }
        let known = self.known.borrow();
        canonical
            .iter()
            .map(|path| {
                known
                    .get(path)
                    .cloned()
                    .unwrap_or_else(|| Err("not looked at".to_owned()))
            })
            .collect()
    }

    fn remember(&self, path: &Path, stored: Result<Stored, String>) {
        let record = stored.map(|mut stored| {
            if stored.answer.lacks_boot() {
                stored.answer.compiled = self.came(&stored.answer).cloned().unwrap_or_default();
            }
            Rc::new(stored.record(&self.machine))
        });
        self.known.borrow_mut().insert(path.to_owned(), record);
    }

    /// The boot that came for the interpreter which says this of itself.
    fn came(&self, answer: &Answer) -> Option<&Compiled> {
        self.boots?.get(&answer.tag()?)
    }

    /// The stored record of a canonical binary, if there is one and every file it speaks of is the same.
    fn load(&self, path: &Path) -> Option<Stored> {
        let bytes = crate::regular::beginning(&(self.find)(&self.key(path)?)?, MAX_RECORD).ok()?;
        let stored = Stored::decode(&bytes)?;
        if stored.answer.lacks_boot() && self.came(&stored.answer).is_none() {
            // Made for a file that brought its own.
            return None;
        }
        let same = stored.files.first().is_some_and(|file| file.path == path)
            && stored.files.iter().all(Witness::holds)
            // A pyvenv.cfg that came later makes a virtual environment of it.
            && binary::pyvenv_cfg(path).is_none_or(|config| stored.files.iter().any(|file| file.path == config));
        same.then_some(stored)
    }

    /// Asks several interpreters, as many at a time as there are processors.
    fn ask_all(&self, paths: &[PathBuf]) -> Vec<Result<Result<Stored, PathBuf>, String>> {
        let (machine, boots) = (&self.machine, self.boots);
        let ask = |path: &PathBuf| Stored::ask(path, machine, boots);
        // Counting processors takes a dozen system calls, and there is usually one interpreter to ask.
        let width = match paths.len() {
            0 | 1 => 1,
            count => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(count),
        };
        if width == 1 {
            return paths.iter().map(ask).collect();
        }
        let mut answers = Vec::with_capacity(paths.len());
        for group in paths.chunks(width) {
            std::thread::scope(|scope| {
                let running: Vec<_> = group
                    .iter()
                    .map(|path| scope.spawn(move || ask(path)))
                    .collect();
                answers.extend(running.into_iter().map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|_| Err("could not be asked".to_owned()))
                }));
            });
        }
        answers
    }

    fn key(&self, path: &Path) -> Option<String> {
        key(path, &self.machine.machine)
    }
}

/// The name of an interpreter's record: its path and date, what it is asked, and the machine as this process sees it (a
/// personality, or emulation of the whole container, shows an interpreter another). Portable, so that a seed's records are
/// found on every machine; the witnesses inside decide whether it is believed.
fn key(path: &Path, machine: &str) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let mut hash = Sha256::new();
    for part in [HEADER, path.as_os_str().as_bytes(), machine.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    // All of this engine's own, and hashing it at each cold start would be most of looking a record up.
    hash.update(checksum(probe::SCRIPT.as_bytes()));
    hash.update(crate::boot::sources());
    hash.update(metadata.size().to_le_bytes());
    hash.update(metadata.mtime().to_le_bytes());
    Some(hex(&hash.finalize()))
}

#[cfg(test)]
#[path = "record_tests.rs"]
pub(super) mod record_tests;
