//! Publishing: the directory of a launch, named by what it is, and the plan that leads to it.
//!
//! A launch is named by the hash of all that makes a start what it is: boot, data, command and interpreter. So equal
//! launches of different copies, users and shells are one, and starts whose answers differ never meet. A plan is a line in
//! the file of its key ([`pexboot_core::key`]), which is replaced by a rename: who loses a race there has lost a plan that
//! the next start makes again.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::sys::memfd::{MFdFlags, memfd_create};
use pexboot_core::hex::hex;
use pexboot_core::note::Note;
use pexboot_core::plan::encode;
use sha2::{Digest as _, Sha256};

use crate::archive::Seal;
use crate::boot::Py;
use crate::interpreter::Record;
use crate::launch::choose::{self, Chosen};
use crate::launch::command::{Boot, Command};
use crate::launch::open::Opened;
use crate::launch::plans::record;
use crate::launch::{Invocation, LaunchError, Report, replay};
use crate::plan::{EnvChange, Exec, Identity, Input, Inputs, Plan, Value, place};
use crate::store::{IMPORTING, Store, StoreError};
use crate::trace;
use crate::unpack::bytecode::SHIPPED;

/// A launch that is ready.
#[derive(Debug)]
pub struct Prepared {
    /// The plan, with a command for this start alone.
    pub plan: Plan,
    /// The key under which it was published.
    pub key: [u8; 32],
    /// The root that holds the plan.
    pub store: Store,
    /// The seal of the file that was started.
    pub seal: Option<Seal>,
    /// The interpreter that was chosen.
    pub python: PathBuf,
    /// What the command reads where nothing could be published.
    #[allow(dead_code, reason = "open for as long as this value lives")]
    pub held: Vec<OwnedFd>,
}

impl Prepared {
    /// The launch that another copy of the file has.
    pub(super) fn joined(
        plan: Plan,
        key: [u8; 32],
        opened: Opened,
        elsewhere: Option<Store>,
    ) -> Prepared {
        Prepared {
            python: python(&plan.exec),
            plan,
            key,
            store: elsewhere.unwrap_or(opened.store),
            seal: opened.seal,
            held: Vec::new(),
        }
    }
}

/// The Python that a command starts: where something is put in front of it, it ends with `--` ([`choose::wrapped`]).
fn python(exec: &Exec) -> PathBuf {
    let front = exec.argv.iter().position(|word| word == b"--");
    let python = match front {
        Some(at) if exec.argv[0].ends_with(b"env") => &exec.argv[at + 1],
        _ => &exec.program,
    };
    PathBuf::from(OsStr::from_bytes(python))
}

/// Publishes a launch and its plan. Where nothing can be written, the launch is ready all the same, for this start alone.
///
/// # Errors
/// When the store can't be written.
pub(super) fn publish(
    chosen: Chosen<'_>,
    command: Command,
    elsewhere: Option<Store>,
    report: &mut dyn Report,
) -> Result<Prepared, LaunchError> {
    let _step = trace::step("plan");
    let mut env = chosen.variables_of_start();
    let Chosen {
        invocation,
        seal,
        identity,
        interpreter,
        started_by,
        members,
        store,
        inputs,
        ..
    } = chosen;
    if invocation.repair {
        tell_repaired(&store, report);
    } else if let [first, rest @ ..] = store.changed().as_slice() {
        report.warn(&format!(
            "`{}`{} was changed in the cache, as by pip in a virtual environment of another PEX; unpacked again",
            first.display(),
            and_more(rest.len())
        ));
    }
    let pex = &members[0].pex;
    // What was started of a directory is the file `pex` in it; PEX names the directory (reference 3.2).
    let named = match pex.archive() {
        Some(_) => Value::RealPex,
        None => {
            let real = pex.path.canonicalize();
            let real = real.unwrap_or_else(|_| pex.path.clone());
            Value::Text(real.into_os_string().into_vec())
        }
    };
    env.push(EnvChange::Set(b"PEX".to_vec(), named));
    env.extend(command.env);
    let argv = choose::wrapped(invocation, started_by.as_ref(), command.argv);
    let mut draft = Draft {
        key: replay::key(invocation, seal.as_ref()),
        fingerprint: members[0].fingerprint,
        identity,
        inputs,
        exec: Exec {
            program: argv[0].clone(),
            argv,
            interpreter: command.interpreter,
            env,
        },
        boots: false,
    };
    for path in &command.needs {
        draft.inputs.add(Input::Present(place(path), 0));
    }
    let store = elsewhere.unwrap_or(store);
    let mut held = Vec::new();
    let mut note = Note::default();
    if let Some(mut boot) = command.boot {
        // A bare PEX has no stub that its boot could start again: there the next start prepares anew.
        note.mends = seal.is_some() && !invocation.repair;
        let name = boot_name(invocation.name(), &interpreter);
        // PyPy knows bytecode by the name of a file alone, and a file in memory has none without /proc.
        // Another process cannot read there.
        let told = draft.exec.program.is_empty();
        let in_memory =
            interpreter.implementation == "cpython" && Path::new(HELD).is_dir() && !told;
        if store.lasting().is_none() && !in_memory {
            store.writable()?;
            boot.data.temporary = store.temporary().map(Into::into);
        }
        match draft.launch(&name, &boot, seal.is_some(), &interpreter, &store)? {
            Some(directory) => {
                report.say(1, &|| format!("launch: `{}`", directory.display()));
                draft.starts(&directory, &name);
            }
            None => {
                held = draft.hold(&name, &boot, &interpreter)?;
                report.say(1, &|| "nothing is published: nothing has to be".to_owned());
            }
        }
        let whole = Note {
            mends: seal.is_some(),
            first: false,
        };
        draft
            .exec
            .env
            .push(EnvChange::Set(Note::NAME.to_vec(), Value::Note(whole)));
    }
    let plan = draft.plan(&store);
    if held.is_empty() {
        record(&store, &draft.key, plan.clone())?;
    }
    // The start that follows here, and no later one, is told that it is the first.
    note.first = held.is_empty();
    Ok(Prepared {
        plan: with_note(plan, note),
        key: draft.key,
        store,
        seal,
        python: interpreter.binary,
        held,
    })
}

/// Publishes the plan of a start whose command is complete: the PEX's own bootstrap.
///
/// # Errors
/// When the store can't be written.
pub(super) fn publish_complete(
    invocation: &Invocation,
    opened: Opened,
    elsewhere: Option<Store>,
    exec: Exec,
    interpreter: &Record,
) -> Result<Prepared, LaunchError> {
    let draft = Draft {
        key: replay::key(invocation, opened.seal.as_ref()),
        fingerprint: opened.fingerprint,
        identity: opened.identity,
        inputs: opened.inputs,
        exec,
        boots: false,
    };
    let store = elsewhere.unwrap_or(opened.store);
    let plan = draft.plan(&store);
    record(&store, &draft.key, plan.clone())?;
    Ok(Prepared {
        plan,
        key: draft.key,
        store,
        seal: opened.seal,
        python: interpreter.binary.clone(),
        held: Vec::new(),
    })
}

/// Where an open file has a name.
const HELD: &str = "/proc/self/fd";

/// A plan in the making.
struct Draft {
    key: [u8; 32],
    fingerprint: [u8; 32],
    identity: Identity,
    inputs: Inputs,
    exec: Exec,
    boots: bool,
}

impl Draft {
    /// The directory of the launch, made where it is missing; `None` where it is, and nothing can be written.
    fn launch(
        &self,
        name: &str,
        boot: &Boot,
        sealed: bool,
        interpreter: &Record,
        store: &Store,
    ) -> Result<Option<PathBuf>, StoreError> {
        let data = boot.data.marshal();
        let shipped = boot.shipped.as_ref().map(Py::marshal);
        let code = interpreter.compiled.boot(&interpreter.magic);
        let mut files = vec![(name, code.as_slice()), ("data", &data)];
        files.extend(shipped.as_deref().map(|shipped| (SHIPPED, shipped)));
        let mut hash = Sha256::new();
        let mut add = |piece: &[u8]| {
            hash.update((piece.len() as u64).to_le_bytes());
            hash.update(piece);
        };
        add(b"pexboot launch 3");
        add(&encode(&[Plan {
            exec: self.exec.clone(),
            ..Plan::default()
        }]));
        add(&[u8::from(sealed)]);
        add(&interpreter.proof);
        add(&interpreter.compiled.identity());
        add(name.as_bytes());
        for (name, bytes) in files.iter().skip(1) {
            add(name.as_bytes());
            add(bytes);
        }
        let id = hex(&hash.finalize());
        store.launch(&id, &files, boot.importing.then_some(IMPORTING))
    }

    /// Lets the command start what lies there.
    fn starts(&mut self, directory: &Path, name: &str) {
        let boot = directory.join(OsStr::from_bytes(name.as_bytes()));
        // Python would say that it cannot open it, and nobody would mend that.
        self.inputs.add(Input::Present(place(&boot), 0));
        self.exec.argv.push(boot.into_os_string().into_vec());
        self.boots = true;
    }

    /// Lets the command start a boot that lies in memory, and gives what must stay open for it.
    fn hold(
        &mut self,
        name: &str,
        boot: &Boot,
        interpreter: &Record,
    ) -> Result<Vec<OwnedFd>, LaunchError> {
        let mut data = boot.data.clone();
        data.pack = None;
        let code = interpreter.compiled.boot(&interpreter.magic);
        let held = [(name, &code), ("data", &data.marshal())].map(|(name, bytes)| {
            let file = memfd_create(name, MFdFlags::empty())?;
            let mut out = std::fs::File::from(file);
            std::io::Write::write_all(&mut out, bytes)?;
            std::io::Seek::rewind(&mut out)?;
            Ok(OwnedFd::from(out))
        });
        let io = |source| LaunchError::Io {
            path: "memory file".to_owned(),
            source,
        };
        let [boot, data]: [std::io::Result<OwnedFd>; 2] = held;
        let (boot, data) = (boot.map_err(io)?, data.map_err(io)?);
        let path = format!("{HELD}/{}", boot.as_raw_fd());
        self.exec.argv.push(path.into_bytes());
        self.exec.env.push(EnvChange::Set(
            b"_PEXBOOT_DATA".to_vec(),
            Value::Text(data.as_raw_fd().to_string().into_bytes()),
        ));
        Ok(vec![boot, data])
    }

    fn plan(&self, store: &Store) -> Plan {
        Plan {
            files: vec![self.identity],
            fingerprint: self.fingerprint,
            portable: false,
            boots: self.boots,
            boot_id: store.boot_id().0,
            inputs: self.inputs.clone().into_list(),
            exec: self.exec.clone(),
        }
    }
}

/// The plan with another note for its boot, where it has one.
pub(super) fn with_note(mut plan: Plan, note: Note) -> Plan {
    for change in &mut plan.exec.env {
        if let EnvChange::Set(_, Value::Note(told)) = change {
            *told = note;
        }
    }
    plan
}

/// Says once what a repair has mended.
fn tell_repaired(store: &Store, report: &mut dyn Report) {
    let mut mended = store.discarded();
    mended.dedup();
    match mended.as_slice() {
        [] => report.warn(&format!(
            "files were missing in the cache `{}`; the launch was prepared again",
            store.root().display()
        )),
        [first, rest @ ..] => {
            report.warn(&format!(
                "`{}`{} was damaged; unpacked again",
                first.display(),
                and_more(rest.len())
            ));
        }
    }
}

fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}

/// The boot's file name: the application's own, so that `ps` shows it. PyPy knows bytecode by `.pyc` alone. A plan can
/// name any bytes, but the store's names are text; `ps` shows a mark for what is none.
fn boot_name(name: &OsStr, interpreter: &Record) -> String {
    let mut name = String::from_utf8_lossy(name.as_bytes()).into_owned();
    if crate::store::LAUNCH_FILES.contains(&name.as_str()) {
        name.push_str(".pex");
    }
    if interpreter.implementation != "cpython" && !name.ends_with(".pyc") {
        name.push_str(".pyc");
    }
    name
}
