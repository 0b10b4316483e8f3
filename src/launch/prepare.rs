//! Prepare: everything that turns a PEX and its settings into a launch plan.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::archive::Seal;
use crate::boot::{self, Py};
use crate::interpreter::{self, Record, Request};
use crate::launch::dispatch::{self, Run, Target};
use crate::launch::replay::{hex, launch_key};
use crate::launch::{Invocation, LaunchError, Report, handover};
use crate::pex::Pex;
use crate::pex_info::InheritPath;
use crate::plan::{EnvChange, Exec, Input, Inputs, Plan, Value, identity, place};
use crate::resolve::{self, Selected};
use crate::site;
use crate::store::{Kind, Store};
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
}

/// A PEX that takes part in a launch: the one that was started, or a member of its PEX_PATH.
struct Member {
    pex: Pex,
    fingerprint: [u8; 32],
    selected: Vec<Selected>,
}

/// Prepares the launch and publishes its plan.
///
/// # Errors
/// When anything it needs is missing, damaged or refused; nothing half-made is left behind.
pub fn prepare(invocation: &Invocation, report: &mut dyn Report) -> Result<Prepared, LaunchError> {
    let mut inputs = Inputs::default();
    let pex = Pex::open(&invocation.pex)?;
    let metadata = std::fs::metadata(&invocation.pex).map_err(|source| LaunchError::Io {
        path: invocation.pex.display().to_string(),
        source,
    })?;
    inputs.add(Input::Pex(identity(&metadata)));
    let variables = Variables::read(&invocation.env, &invocation.pex, &mut inputs)?;
    let fingerprint = pex.fingerprint()?;
    report.say(1, &|| {
        format!(
            "`{}` has fingerprint {}",
            invocation.pex.display(),
            hex(&fingerprint)
        )
    });

    let store = open_store(&pex, &variables, report)?;
    report.say(1, &|| format!("root: `{}`", store.root().display()));

    let inherit = match variables.inherit_path {
        None | Some(InheritPath::False) => pex.info.inherit_path,
        Some(inherit) => inherit,
    };
    let (interpreter, selected) =
        choose(invocation, &pex, &variables, inherit, &store, &mut inputs)?;
    report.say(1, &|| {
        format!("interpreter: `{}`", interpreter.binary.display())
    });

    if let Some(reason) = handover::reason(&pex, &variables)? {
        report.say(1, &|| {
            format!("{reason} is left to the PEX's own bootstrap")
        });
        let (exec, tree) = handover::exec(invocation, &pex, &interpreter, &store)?;
        if let Some(tree) = tree {
            inputs.add(Input::Present(place(&tree), 0));
        }
        let home = launch_store(&pex, &variables, store, report)?;
        let key = launch_key(invocation, seal(&pex), metadata.ino());
        let plan = Plan {
            boot_id: home.boot_id().0,
            inputs: inputs.into_list(),
            exec,
        };
        let directory = home.replace(Kind::Launches, &key, &[("plan", &plan.encode())])?;
        return Ok(Prepared {
            plan,
            directory,
            store: home,
        });
    }

    let main = Member {
        pex,
        fingerprint,
        selected,
    };
    let others = members(invocation, &main.pex, &variables, &interpreter, &mut inputs)?;
    let all: Vec<&Member> = std::iter::once(&main).chain(&others).collect();

    let mut wheels: Vec<Unpacked> = Vec::new();
    let mut code = Vec::new();
    for member in &all {
        let unpacked = unpack::wheels(&member.pex, &member.selected, &store)?;
        wheels.extend(
            unpacked
                .into_iter()
                .filter(|wheel| !wheels.contains(wheel))
                .collect::<Vec<_>>(),
        );
        code.insert(0, unpack::code(&member.pex, &member.fingerprint, &store)?);
    }
    if inherit == InheritPath::Fallback {
        // Each entry goes in front of all the others there, so the last one is first (reference 6.5).
        wheels.reverse();
        wheels.iter_mut().for_each(|wheel| wheel.entries.reverse());
    }
    let site = site::assemble(&wheels, &interpreter, &store)?;

    let (target, inject) = dispatch::target(&main.pex.info, &variables)?;
    let run = match target {
        Target::Interpreter => Run::Interpreter,
        Target::Entry(entry) => dispatch::entry_point(&entry)?,
        Target::Script(name) => script(&name, &all, &wheels)?,
    };

    let hermetic = inherit == InheritPath::False;
    let python_path = invocation.variable("PYTHONPATH").is_some();
    let isolated =
        hermetic && python_path && variables.inherit_path.unwrap_or_default() == InheritPath::False;
    let host_site = host_site(invocation, &main.pex);
    let info = &main.pex.info;

    let data = Py::Dict(vec![
        ("code", Py::paths(&code)),
        ("extra", Py::strs(&variables.extra_sys_path)),
        ("site", Py::paths(&site.entries)),
        (
            "inherit",
            Py::str(match inherit {
                InheritPath::False => "false",
                InheritPath::Prefer => "prefer",
                InheritPath::Fallback => "fallback",
            }),
        ),
        (
            "import_lines",
            Py::List(
                site.import_lines
                    .iter()
                    .map(|(directory, line)| Py::List(vec![Py::path(directory), Py::str(line)]))
                    .collect(),
            ),
        ),
        ("strip", Py::Bool(info.strip_pex_env)),
        ("inject_env", Py::pairs(&info.inject_env)),
        ("bind", Py::pairs(&info.bind_resource_paths)),
        (
            "inject_args",
            Py::strs(if inject {
                info.inject_args.as_slice()
            } else {
                &[]
            }),
        ),
        ("run", run.to_py()),
        (
            "main",
            Py::path(
                &code
                    .last()
                    .map(|code| code.join("__main__.py"))
                    .unwrap_or_default(),
            ),
        ),
        ("argv0", Py::None),
        (
            "entries",
            Py::paths(
                wheels
                    .iter()
                    .map(|wheel| &wheel.path)
                    .chain(&code)
                    .chain(&site.entries),
            ),
        ),
        (
            "repl",
            if run == Run::Interpreter {
                Py::str(boot::REPL)
            } else {
                Py::None
            },
        ),
        ("banner", Py::str(&banner(&main))),
        ("summary", Py::str(&summary(&main))),
        (
            "history",
            Py::Bool(variables.interpreter_history.unwrap_or_default()),
        ),
        (
            "history_file",
            match &variables.interpreter_history_file {
                Some(path) => Py::path(path),
                None => Py::None,
            },
        ),
    ]);

    let mut argv = vec![interpreter.binary.clone().into_os_string().into_vec()];
    argv.extend(
        info.inject_python_args
            .iter()
            .map(|arg| arg.clone().into_bytes()),
    );
    if let Some(current) = &invocation.current {
        argv.extend(
            current
                .options
                .iter()
                .map(|option| option.as_bytes().to_vec()),
        );
    }
    if isolated {
        argv.push(b"-I".to_vec());
    }
    if hermetic && !host_site {
        argv.push(b"-S".to_vec());
    }

    for path in code
        .iter()
        .chain(&site.entries)
        .chain(wheels.iter().map(|wheel| &wheel.path))
    {
        inputs.add(Input::Present(place(path), 0));
    }
    let key = launch_key(invocation, seal(&main.pex), metadata.ino());
    let name = boot_name(invocation.name(), &interpreter);
    let home = launch_store(&main.pex, &variables, store, report)?;
    let directory = home
        .root()
        .join(crate::store::FORMAT)
        .join("launches")
        .join(&key);
    argv.push(
        directory
            .join(OsStr::from_bytes(&name))
            .into_os_string()
            .into_vec(),
    );
    let plan = Plan {
        boot_id: home.boot_id().0,
        inputs: inputs.into_list(),
        exec: Exec {
            program: argv[0].clone(),
            argv,
            interpreter: run == Run::Interpreter,
            env: vec![
                EnvChange::Set(b"PEX".to_vec(), Value::RealPex),
                EnvChange::Set(
                    b"_PEXBOOT".to_vec(),
                    Value::InvokedPex(if invocation.repair {
                        b"1".to_vec()
                    } else {
                        b"0".to_vec()
                    }),
                ),
            ],
        },
    };
    // A plan that says "repaired" would keep the boot from repairing ever again.
    let mut lasting = plan.clone();
    if let Some(EnvChange::Set(_, value)) = lasting.exec.env.last_mut() {
        *value = Value::InvokedPex(b"0".to_vec());
    }
    let name = String::from_utf8_lossy(&name).into_owned();
    home.replace(
        Kind::Launches,
        &key,
        &[
            (&name, interpreter.boot.as_slice()),
            ("data", &data.marshal()),
            ("plan", &lasting.encode()),
        ],
    )?;
    report.say(1, &|| format!("launch plan: `{}`", directory.display()));
    Ok(Prepared {
        plan,
        directory,
        store: home,
    })
}

/// The root that PEX_ROOT or PEX-INFO names, else the user's.
fn open_store(
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

/// `~` and `~/x` by HOME; anything else as it is.
fn expand_user(path: &str) -> PathBuf {
    let home = || {
        std::env::var_os("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from)
    };
    match path.strip_prefix('~') {
        Some("") => home().unwrap_or_else(|| path.into()),
        Some(rest) if rest.starts_with('/') => {
            home().map_or_else(|| path.into(), |home| home.join(&rest[1..]))
        }
        _ => path.into(),
    }
}

/// The interpreter, and the wheels of the main PEX that it activates.
fn choose(
    invocation: &Invocation,
    pex: &Pex,
    variables: &Variables,
    inherit: InheritPath,
    store: &Store,
    inputs: &mut Inputs,
) -> Result<(Record, Vec<Selected>), LaunchError> {
    let shebang = match pex.archive() {
        Some(archive) => archive.shebang().map_err(crate::pex::PexError::from)?,
        None => None,
    };
    let request = Request {
        shebang: shebang.as_deref(),
        current: invocation
            .current
            .as_ref()
            .map(|current| current.python.as_path()),
        constraints: &pex.info.interpreter_constraints,
        strategy: pex.info.interpreter_selection_strategy,
        python: variables.python.as_deref(),
        python_path: variables.python_path.as_deref(),
        base: inherit == InheritPath::False,
    };
    let ignore_errors = variables.ignore_errors.unwrap_or(pex.info.ignore_errors);
    Ok(interpreter::choose(
        &request,
        store,
        inputs,
        &mut |record| select(pex, ignore_errors, record).map_err(|error| error.to_string()),
    )?)
}

fn select(
    pex: &Pex,
    ignore_errors: bool,
    interpreter: &Record,
) -> Result<Vec<Selected>, resolve::ResolveError> {
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
        let pex = Pex::open(&absolute)?;
        let fingerprint = pex.fingerprint()?;
        let ignore_errors = variables.ignore_errors.unwrap_or(pex.info.ignore_errors);
        let selected = select(&pex, ignore_errors, interpreter)?;
        members.push(Member {
            pex,
            fingerprint,
            selected,
        });
    }
    Ok(members)
}

/// The script of that name: console and gui scripts of the selected wheels, then files (reference 6.2).
fn script(name: &str, members: &[&Member], wheels: &[Unpacked]) -> Result<Run, LaunchError> {
    let selected: Vec<Selected> = members
        .iter()
        .flat_map(|member| member.selected.clone())
        .collect();
    let found = resolve::entry_points::script(name, Mode::Zipapp, &selected, &mut |wheel| {
        let of = |member: &&&Member| member.selected.iter().any(|one| one.name == wheel);
        match members.iter().find(of) {
            Some(member) => member
                .pex
                .entry_points(wheel)
                .map_err(|error| error.to_string()),
            None => Ok(None),
        }
    })
    .map_err(|error| LaunchError::Refused(error.to_string()))?;
    if let Some(entry) = found {
        return Ok(entry.into());
    }
    for wheel in wheels {
        for stash in [".prefix/bin", "bin"] {
            let path = wheel.path.join(stash).join(name);
            if path.is_file() {
                return Ok(Run::Script(name.to_owned(), path));
            }
        }
    }
    Err(LaunchError::Refused(format!(
        "Could not find script '{name}' in pex!"
    )))
}

/// Whether the host's `site` is to run, as the original lets it.
fn host_site(invocation: &Invocation, pex: &Pex) -> bool {
    let sealed = seal(pex).is_some_and(|seal| seal.options.host_site);
    match invocation
        .variable("PEXBOOT_HOST_SITE")
        .map(OsStrExt::as_bytes)
    {
        None | Some(b"") => sealed,
        Some(value) => value != b"0" && !value.eq_ignore_ascii_case(b"false"),
    }
}

fn seal(pex: &Pex) -> Option<&Seal> {
    pex.archive().and_then(|archive| archive.seal())
}

/// The boot's file name: the application's own, so that `ps` shows it. PyPy knows bytecode by `.pyc` alone.
fn boot_name(name: &OsStr, interpreter: &Record) -> Vec<u8> {
    let mut name = name.as_bytes().to_vec();
    if name == b"data" || name == b"plan" {
        name.extend(b".pex");
    }
    if interpreter.implementation != "cpython" && !name.ends_with(b".pyc") {
        name.extend(b".pyc");
    }
    name
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
