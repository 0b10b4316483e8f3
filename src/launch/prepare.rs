//! Prepare: everything that turns a PEX and its settings into a launch plan.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pexboot_core::hex::hex;
use pexboot_core::options;

use crate::archive::Seal;
use crate::boot::Py;
use crate::interpreter::{self, Record};
use crate::launch::invocation::expand_user;
use crate::launch::replay::launch_key;
use crate::launch::request::request;
use crate::launch::{Invocation, LaunchError, Report, handover, venv, zipapp};
use crate::pex::{Pex, PexError};
use crate::pex_info::InheritPath;
use crate::plan::{EnvChange, Exec, Input, Inputs, Plan, Value, identity, place};
use crate::resolve::{self, Selected};
use crate::store::{IMPORTING, Kind, Store};
use crate::trace;
use crate::unpack::bytecode::SHIPPED;
use crate::unpack::{self, Unpacked};
use crate::variables::{Mode, Variables};

/// A launch that is ready.
#[derive(Debug)]
pub struct Prepared {
    /// The plan, as it was published.
    pub plan: Plan,
    /// Where it was published, below `launches/` of `store`.
    pub directory: PathBuf,
    /// The root that holds the plan.
    pub store: Store,
    /// The interpreter that was chosen.
    pub python: PathBuf,
    /// The seal of the PEX, when it is one embedded file.
    pub seal: Option<Seal>,
    /// The PEXes whose requirements were resolved: the one that was started, then the members of its PEX_PATH.
    pub pexes: Vec<PathBuf>,
}

/// A PEX that takes part in a launch: the one that was started, or a member of its PEX_PATH.
pub(super) struct Member {
    pub pex: Pex,
    pub fingerprint: [u8; 32],
    pub selected: Vec<Selected>,
    /// Wheels that were unpacked before it was known that they are selected.
    pub ahead: Vec<Unpacked>,
}

/// What both modes start from.
pub(super) struct Parts<'a> {
    pub invocation: &'a Invocation,
    pub variables: &'a Variables,
    pub interpreter: &'a Record,
    /// The PEX that was started, then the members of its PEX_PATH.
    pub members: Vec<Member>,
    pub store: Store,
}

/// How the application is started.
pub(super) struct Start {
    /// The command, up to where the boot follows.
    pub argv: Vec<Vec<u8>>,
    /// Changes to the environment.
    pub env: Vec<EnvChange>,
    /// Whether the PEX acts as an interpreter.
    pub interpreter: bool,
    /// What the boot reads; `None` where the command is complete without it.
    pub data: Option<Py>,
    /// Where it finds bytecode that the PEX brings.
    pub shipped: Option<Py>,
    /// Whether others may be waiting for what this start imports.
    pub importing: bool,
    /// What must be there for the command to work.
    pub needs: Vec<PathBuf>,
}

impl Parts<'_> {
    /// The PEX that was started.
    pub fn main(&self) -> &Member {
        &self.members[0]
    }

    /// The selected wheels of all members, unpacked, each once.
    pub fn wheels(&self) -> Result<Vec<Unpacked>, LaunchError> {
        let _step = trace::step("unpack");
        let mut wheels: Vec<Unpacked> = Vec::new();
        let watched = is_watched(self.variables);
        for member in &self.members {
            let known = unpack::rest(
                &member.pex,
                &member.selected,
                &member.ahead,
                &self.store,
                watched,
            )?;
            for wheel in known {
                if !wheels.contains(&wheel) {
                    wheels.push(wheel);
                }
            }
        }
        Ok(wheels)
    }

    /// Python's options that are not the mode's: those of the PEX, and those that the user gave a Python which ran it.
    /// Without `-x`: it is about the first line of a file, and Python has no such file to read.
    pub fn options(&self) -> Vec<Vec<u8>> {
        let current = self.invocation.current.iter();
        let given = current.flat_map(|current| &current.options);
        let injected = self.main().pex.info.inject_python_args.iter();
        let all: Vec<&[u8]> = injected
            .map(|arg| arg.as_bytes())
            .chain(given.map(|option| option.as_bytes()))
            .collect();
        options::split(&all).options
    }
}

/// Whether somebody at a terminal is to see how far unpacking is. Lines that explain the launch and one that is drawn over
/// do not go together.
fn is_watched(variables: &Variables) -> bool {
    variables.verbose <= 0 && std::io::stderr().is_terminal()
}

/// What can be done in the root while a Python is asked what it is.
pub(super) type Meanwhile<'a> = dyn Fn(Option<&Seal>, &Store) + Sync + 'a;

/// Prepares the launch and publishes its plan.
///
/// # Errors
/// When anything it needs is missing, damaged or refused; nothing half-made is left behind.
pub fn prepare(invocation: &Invocation, report: &mut dyn Report) -> Result<Prepared, LaunchError> {
    prepare_meanwhile(invocation, report, None)
}

/// As [`prepare`], with something that is done beside the choice of the interpreter, which may have to wait for one. It
/// is left out where the root is not the one that the stub looks in, and must be done after all then.
pub(super) fn prepare_meanwhile(
    invocation: &Invocation,
    report: &mut dyn Report,
    meanwhile: Option<&Meanwhile<'_>>,
) -> Result<Prepared, LaunchError> {
    let mut inputs = Inputs::default();
    let pex = trace::timed("archive", || Pex::open(&invocation.pex))?;
    let metadata = std::fs::metadata(&invocation.pex).map_err(|source| LaunchError::Io {
        path: invocation.pex.display().to_string(),
        source,
    })?;
    inputs.add(Input::Pex(identity(&metadata)));
    if pex.archive().is_none() {
        // What was started says nothing of a directory's content; PEX-INFO tells the wheels.
        inputs.file(&pex.path.join("PEX-INFO"));
    }
    let variables = trace::timed("settings", || {
        Variables::read(&invocation.env, &invocation.pex, &mut inputs)
    })?;
    for path in &variables.untrusted_rc {
        report.say(1, &|| {
            format!(
                "`{}` is passed over: others than you and root can write to it, or to a directory above it",
                path.display()
            )
        });
    }
    let fingerprint = trace::timed("fingerprint", || pex.fingerprint())?;
    report.say(1, &|| {
        format!(
            "`{}` has fingerprint {}",
            invocation.pex.display(),
            hex(&fingerprint)
        )
    });

    let mut store = trace::timed("root", || open_store(&pex, &variables, report))?;
    if invocation.repair {
        store.distrust();
    }
    report.say(1, &|| format!("root: `{}`", store.root().display()));

    let inherit = match variables.inherit_path {
        None | Some(InheritPath::False) => pex.info.inherit_path,
        Some(inherit) => inherit,
    };
    let mode = venv::mode(&pex.info, &variables)?;
    if mode == Mode::Zipapp {
        // A virtual environment looks at the environment alone (launch/venv.rs).
        variables.check(mode)?;
    }
    // A virtual environment is always made from a base interpreter.
    let base = mode == Mode::Venv || inherit == InheritPath::False;
    let step = trace::step("interpreter");
    // What the PEX's own bootstrap does needs no wheel unpacked, and a repair tells what it has mended in order.
    let early =
        !invocation.repair && matches!(handover::reason(&pex, &variables, mode, None), Ok(None));
    let (ahead, stop) = (OnceLock::new(), AtomicBool::new(false));
    let (interpreter, selected) = std::thread::scope(|scope| {
        if early {
            let _ = std::thread::Builder::new().spawn_scoped(scope, || {
                let _step = trace::step("unpack ahead");
                let shebang = pex.shebang().unwrap_or_default();
                let request = request(invocation, &pex, &variables, base, shebang.as_deref());
                let certain = resolve::certain(&pex.info, &request);
                let watched = is_watched(&variables);
                ahead.set(unpack::ahead(&pex, &certain, &store, watched, &stop))
            });
        }
        if let Some(meanwhile) = meanwhile.filter(|_| !variables.from_rc.contains("PEX_ROOT")) {
            // Where no thread can be had, it is done later.
            let _ =
                std::thread::Builder::new().spawn_scoped(scope, || meanwhile(pex.seal(), &store));
        }
        let chosen = choose(invocation, &pex, &variables, base, &store, &mut inputs);
        stop.store(chosen.is_err(), Ordering::Relaxed);
        if let (true, Mode::Zipapp, Ok((python, _))) = (early, mode, &chosen)
            && let Ok(None) = handover::reason(&pex, &variables, mode, Some(python))
        {
            // Others unpack; whoever has asked the interpreter would wait for them.
            let _step = trace::step("bytecode ahead");
            unpack::bytecode::ahead(&pex, python, &store);
        }
        chosen
    })?;
    drop(step);
    report.say(1, &|| {
        format!("interpreter: `{}`", interpreter.binary.display())
    });

    if let Some(reason) = handover::reason(&pex, &variables, mode, Some(&interpreter))? {
        report.say(1, &|| {
            format!("{reason} is left to the PEX's own bootstrap")
        });
        let _step = trace::step("hand over");
        let exec = handover::exec(
            invocation,
            &pex,
            &interpreter,
            &variables,
            &store,
            &mut inputs,
        )?;
        let home = launch_store(&pex, &variables, store, report)?;
        let key = launch_key(invocation, seal(&pex), metadata.ino());
        return without_boot(exec, inputs, &key, home, &interpreter, &[&pex]);
    }

    let main = Member {
        pex,
        fingerprint,
        selected,
        ahead: ahead.into_inner().unwrap_or_default(),
    };
    let others = members(invocation, &main.pex, &variables, &interpreter, &mut inputs)?;
    let parts = Parts {
        invocation,
        variables: &variables,
        interpreter: &interpreter,
        members: std::iter::once(main).chain(others).collect(),
        store,
    };
    warn_noexec(&parts, report);
    let start = match mode {
        Mode::Zipapp => zipapp::start(&parts, inherit, report)?,
        Mode::Venv => venv::start(&parts, report)?,
    };
    publish(parts, start, inputs, metadata.ino(), report)
}

/// Says before a native library fails to load that none can be loaded from the root.
fn warn_noexec(parts: &Parts<'_>, report: &mut dyn Report) {
    use nix::sys::statvfs::{FsFlags, statvfs};
    // The tag says it.
    let native = |member: &Member| {
        let mut names = member.selected.iter().map(|wheel| &wheel.name);
        names.any(|name| !name.ends_with("-any.whl"))
    };
    let root = parts.store.root();
    if parts.members.iter().any(native)
        && statvfs(root).is_ok_and(|found| found.flags().contains(FsFlags::ST_NOEXEC))
    {
        report.warn(&format!(
            "root `{}` is mounted noexec: native libraries cannot be loaded from there; set PEX_ROOT to a directory on \
             another file system",
            root.display()
        ));
    }
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
            let others = match rest.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            report.warn(&format!(
                "`{}`{others} was damaged; unpacked again",
                first.display()
            ));
        }
    }
}

/// Writes the launch's directory: the plan, the boot under the application's name, and what the boot reads.
fn publish(
    parts: Parts<'_>,
    start: Start,
    mut inputs: Inputs,
    ino: u64,
    report: &mut dyn Report,
) -> Result<Prepared, LaunchError> {
    let _step = trace::step("plan");
    let Parts {
        invocation,
        variables,
        interpreter,
        members,
        store,
    } = parts;
    let pex = &members[0].pex;
    let pexes: Vec<&Pex> = members.iter().map(|member| &member.pex).collect();
    for path in &start.needs {
        inputs.add(Input::Present(place(path), 0));
    }
    if invocation.repair {
        tell_repaired(&store, report);
    }
    let key = launch_key(invocation, seal(pex), ino);
    let name = boot_name(invocation.name(), interpreter);
    let home = launch_store(pex, variables, store, report)?;
    let directory = home
        .root()
        .join(crate::store::FORMAT)
        .join("launches")
        .join(&key);
    // What was started of a directory is the file `pex` in it; PEX names the directory (reference 3.2).
    let named = match pex.archive() {
        Some(_) => Value::RealPex,
        None => {
            let real = pex.path.canonicalize();
            let real = real.unwrap_or_else(|_| pex.path.clone());
            Value::Text(real.into_os_string().into_vec())
        }
    };
    let mut exec = Exec {
        program: start.argv[0].clone(),
        argv: start.argv,
        interpreter: start.interpreter,
        env: vec![EnvChange::Set(b"PEX".to_vec(), named)],
    };
    exec.env.extend(start.env);
    let Some(data) = start.data else {
        return without_boot(exec, inputs, &key, home, interpreter, &pexes);
    };
    exec.argv.push(
        directory
            .join(OsStr::from_bytes(&name))
            .into_os_string()
            .into_vec(),
    );
    // Python would say that it cannot open it, and nobody would mend that.
    inputs.add(Input::Present(
        place(&directory.join(OsStr::from_bytes(&name))),
        0,
    ));
    let plan = |exec: Exec| Plan {
        boot_id: home.boot_id().0,
        inputs: inputs.clone().into_list(),
        exec,
    };
    // A plan that says "repaired" (1, 3) keeps the boot from repairing. A bare PEX has no stub that it could start again:
    // there the next start prepares anew, and this one fails as Python does. The start that follows here, and no later
    // one, is told that it is the first (2, 3).
    let (whole, first) = match seal(pex) {
        Some(_) if !invocation.repair => ("0", "2"),
        Some(_) => ("0", "3"),
        None => ("1", "3"),
    };
    let note = |repaired: &str| {
        let mut exec = exec.clone();
        exec.env.push(EnvChange::Set(
            b"_PEXBOOT".to_vec(),
            Value::InvokedPex(repaired.as_bytes().to_vec()),
        ));
        plan(exec)
    };
    let name = String::from_utf8_lossy(&name).into_owned();
    let (data, encoded) = (data.marshal(), note(whole).encode());
    let shipped = start.shipped.map(|shipped| shipped.marshal());
    let mut files = vec![
        (name.as_str(), interpreter.boot.as_slice()),
        ("data", &data),
    ];
    files.extend(shipped.as_deref().map(|shipped| (SHIPPED, shipped)));
    files.extend(start.importing.then_some((IMPORTING, &b""[..])));
    files.push(("plan", &encoded));
    home.replace(Kind::Launches, &key, &files)?;
    report.say(1, &|| format!("launch plan: `{}`", directory.display()));
    Ok(Prepared {
        plan: note(first),
        directory,
        store: home,
        python: interpreter.binary.clone(),
        seal: seal(pex).cloned(),
        pexes: pexes.iter().map(|pex| pex.path.clone()).collect(),
    })
}

/// Publishes a launch whose command is complete without the boot.
fn without_boot(
    exec: Exec,
    inputs: Inputs,
    key: &str,
    store: Store,
    interpreter: &Record,
    pexes: &[&Pex],
) -> Result<Prepared, LaunchError> {
    let plan = Plan {
        boot_id: store.boot_id().0,
        inputs: inputs.into_list(),
        exec,
    };
    let directory = store.replace(Kind::Launches, key, &[("plan", &plan.encode())])?;
    Ok(Prepared {
        plan,
        directory,
        store,
        python: interpreter.binary.clone(),
        seal: pexes.first().and_then(|pex| seal(pex)).cloned(),
        pexes: pexes.iter().map(|pex| pex.path.clone()).collect(),
    })
}

/// The root that PEX_ROOT or PEX-INFO names, else the user's.
pub(super) fn open_store(
    pex: &Pex,
    variables: &Variables,
    report: &mut dyn Report,
) -> Result<Store, LaunchError> {
    let explicit = variables
        .root
        .clone()
        .or_else(|| pex.info.pex_root.as_deref().map(expand_user));
    Ok(Store::open(explicit.as_deref(), &mut |line| {
        report.warn(line)
    })?)
}

/// Where the stub will look for the plan: it reads no rc files, so a root named there holds everything but the plan.
fn launch_store(
    pex: &Pex,
    variables: &Variables,
    store: Store,
    report: &mut dyn Report,
) -> Result<Store, LaunchError> {
    if variables.from_rc.contains("PEX_ROOT") {
        let mut without = variables.clone();
        without.root = None;
        return open_store(pex, &without, report);
    }
    Ok(store)
}

/// The interpreter, and the wheels of the main PEX that it activates.
pub(super) fn choose(
    invocation: &Invocation,
    pex: &Pex,
    variables: &Variables,
    base: bool,
    store: &Store,
    inputs: &mut Inputs,
) -> Result<(Record, Vec<Selected>), LaunchError> {
    let shebang = match pex.archive() {
        Some(_) => pex.shebang()?,
        // A directory need not have the file that would say it.
        None => pex.shebang().unwrap_or_default(),
    };
    let request = request(invocation, pex, variables, base, shebang.as_deref());
    let ignore_errors = variables.ignore_errors.unwrap_or(pex.info.ignore_errors);
    Ok(interpreter::choose(
        &request,
        store,
        inputs,
        &mut |record| select(pex, ignore_errors, record).map_err(|error| error.to_string()),
    )?)
}

/// The wheels of a PEX that this interpreter activates.
pub(crate) fn select(
    pex: &Pex,
    ignore_errors: bool,
    interpreter: &Record,
) -> Result<Vec<Selected>, resolve::ResolveError> {
    let _step = trace::step("resolve");
    let label = pex.path.display().to_string();
    resolve::resolve(&pex.info, ignore_errors, interpreter, &label, &mut |name| {
        pex.metadata(name).map_err(|error| error.to_string())
    })
}

/// The members of PEX_PATH, each resolved on its own (reference 7.5).
fn members(
    invocation: &Invocation,
    main: &Pex,
    variables: &Variables,
    interpreter: &Record,
    inputs: &mut Inputs,
) -> Result<Vec<Member>, LaunchError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in main
        .info
        .pex_paths
        .iter()
        .map(|path| expand_user(path))
        .chain(variables.path.iter().cloned())
    {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut members = Vec::new();
    for path in paths {
        inputs.file(&path);
        let absolute = if path.is_absolute() {
            path
        } else {
            std::env::current_dir()
                .map_err(|source| LaunchError::Io {
                    path: ".".to_owned(),
                    source,
                })?
                .join(path)
        };
        if absolute == invocation.pex {
            continue;
        }
        let pex = Pex::open(&absolute).map_err(|error| match error {
            PexError::Io { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                LaunchError::Refused(format!(
                    "`{}`, named by PEX_PATH or the PEX's own `pex_paths`, does not exist",
                    path.display()
                ))
            }
            other => other.into(),
        })?;
        let fingerprint = pex.fingerprint()?;
        let ignore_errors = variables.ignore_errors.unwrap_or(pex.info.ignore_errors);
        let selected = select(&pex, ignore_errors, interpreter)?;
        members.push(Member {
            pex,
            fingerprint,
            selected,
            ahead: Vec::new(),
        });
    }
    Ok(members)
}

pub(super) fn seal(pex: &Pex) -> Option<&Seal> {
    pex.archive().and_then(|archive| archive.seal())
}

/// The boot's file name: the application's own, so that `ps` shows it. PyPy knows bytecode by `.pyc` alone.
fn boot_name(name: &OsStr, interpreter: &Record) -> Vec<u8> {
    let mut name = name.as_bytes().to_vec();
    if matches!(
        name.as_slice(),
        b"data" | b"plan" | b"pack" | b"shipped" | b"importing"
    ) {
        name.extend(b".pex");
    }
    if interpreter.implementation != "cpython" && !name.ends_with(b".pyc") {
        name.extend(b".pyc");
    }
    // A plan can name any bytes, but the store's names are text; `ps` shows a mark for what is none.
    String::from_utf8_lossy(&name).into_owned().into_bytes()
}
