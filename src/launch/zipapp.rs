//! Zipapp mode: the base interpreter, with user code and the site of the wheels on `sys.path`.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::boot::{Data, Py, Run, SysPath};
use crate::launch::choose::{Chosen, Hops, Member};
use crate::launch::command::{Boot, Command};
use crate::launch::dispatch::{self, Target};
use crate::launch::host::{self, HostSite, has_flag};
use crate::launch::{LaunchError, Report};
use crate::lexical;
use crate::pex::{Layout, Pex};
use crate::pex_info::{InheritPath, PexInfo};
use crate::resolve::{self, Selected};
use crate::site::{self, Site};
use crate::trace;
use crate::unpack::{self, Shipped, Unpacked};
use crate::variables::Variables;

/// How it is to run.
pub(super) struct Decision {
    inherit: InheritPath,
    what: What,
    /// Whether the PEX's `inject_args` belong to what runs.
    inject: bool,
}

impl Decision {
    /// Whether anything runs: a Python that goes on by itself needs no bytecode that came with the PEX.
    pub fn runs(&self) -> bool {
        !matches!(self.what, What::Run(Run::Import))
    }
}

/// What is to run.
enum What {
    /// This.
    Run(Run),
    /// The script of that name, which a wheel may bring.
    Script(String),
}

/// Decides what runs.
///
/// # Errors
/// When script and entry point are both named, or an entry point is none.
pub(super) fn decide(
    info: &PexInfo,
    variables: &Variables,
    inherit: InheritPath,
) -> Result<Decision, LaunchError> {
    let (target, inject) = dispatch::target(info, variables)?;
    let what = match target {
        Target::Interpreter => What::Run(Run::Interpreter),
        Target::Entry(entry) => What::Run(dispatch::entry_point(&entry)?),
        Target::Script(name) => What::Script(name),
    };
    Ok(Decision {
        inherit,
        what,
        inject,
    })
}

/// The same for a Python that goes on by itself.
///
/// # Errors
/// When it would have to go on in a virtual environment: that is left to the original.
pub(super) fn for_import(
    info: &PexInfo,
    variables: &Variables,
    inherit: InheritPath,
) -> Result<Decision, LaunchError> {
    if variables.venv.unwrap_or(info.venv) {
        let why = "a virtual environment is left to the PEX's own `__pex__`";
        return Err(LaunchError::Refused(why.to_owned()));
    }
    Ok(Decision {
        inherit,
        what: What::Run(Run::Import),
        inject: false,
    })
}

/// What was brought into the store for it.
pub(super) struct Fetched {
    wheels: Vec<Unpacked>,
    /// Directories of user code, first to last, and those of them that hold no module.
    code: Vec<PathBuf>,
    empty: Vec<PathBuf>,
    /// Those of them that a repair can make again.
    unpacked: Vec<PathBuf>,
    site: Site,
    /// Where bytecode lies that came with the PEX, and what the boot reads of it.
    bytecode: Option<(PathBuf, Py)>,
}

/// Brings wheels, user code, site and bytecode into the store.
///
/// # Errors
/// When something is damaged, or the store can't be written.
pub(super) fn fetch(chosen: &Chosen<'_>, decision: &Decision) -> Result<Fetched, LaunchError> {
    let mut wheels = chosen.wheels()?;
    let (main, store) = (chosen.main(), &chosen.store);
    let step = trace::step("code");
    let mut shipped = match decision.runs() {
        true => Shipped::find(&main.pex, &chosen.interpreter)?,
        false => None,
    };
    if let Some(shipped) = &mut shipped {
        // The wheels of the PEX that was started come first.
        for wheel in wheels.iter().take(main.selected.len()) {
            shipped.lies(&wheel.name, &wheel.path);
        }
    }
    let (mut code, mut empty) = (Vec::new(), Vec::new());
    let mut unpacked = Vec::new();
    for (index, member) in chosen.members.iter().enumerate() {
        if let Some(directory) = in_place(&member.pex) {
            code.insert(0, directory);
            continue;
        }
        let directory = unpack::code(&member.pex, &member.fingerprint, store)?;
        if let (0, Some(shipped)) = (index, &mut shipped) {
            shipped.code_seen(&directory);
        }
        unpacked.push(directory.clone());
        if member.pex.user_code()?.is_empty() {
            empty.push(directory.clone());
        }
        code.insert(0, directory);
    }
    if decision.inherit == InheritPath::Fallback {
        // Each entry goes in front of all the others there, so the last one is first (reference 6.5).
        wheels.reverse();
        wheels.iter_mut().for_each(|wheel| wheel.entries.reverse());
    }
    drop(step);
    let site = trace::timed("site", || {
        let (major, minor, _) = chosen.interpreter.version;
        site::assemble(&wheels, (major, minor), store, &mut |seen, source| {
            if let Some(shipped) = &mut shipped {
                shipped.seen(seen, source);
            }
        })
    })?;
    let _step = trace::step("bytecode");
    // Without it Python compiles.
    let bytecode = match shipped.filter(|shipped| shipped.can_be_had(store)) {
        Some(shipped) => Some(shipped.keep(store)?),
        None => None,
    };
    Ok(Fetched {
        wheels,
        code,
        empty,
        unpacked,
        site,
        bytecode,
    })
}

/// How the application is started.
///
/// # Errors
/// When there is no such script.
pub(super) fn command(
    chosen: &mut Chosen<'_>,
    decision: Decision,
    fetched: Fetched,
    report: &mut dyn Report,
) -> Result<Command, LaunchError> {
    let Fetched {
        wheels,
        code,
        empty,
        unpacked,
        site,
        bytecode,
    } = fetched;
    let python_path = chosen.variable("PYTHONPATH");
    let Line {
        mut argv,
        site_runs,
        for_site,
    } = self::line(chosen, &decision, report);
    let run = match decision.what {
        What::Run(run) => run,
        What::Script(name) => script(&name, &chosen.members, &wheels)?,
    };
    if run == Run::Import {
        // Nothing is executed: the Python that has asked is told where its boot lies.
        argv = vec![Vec::new()];
    }
    let chosen = &*chosen;
    let Chosen {
        variables,
        interpreter,
        ..
    } = chosen;

    let (bytecode, shipped) = bytecode.unzip();
    let pack = chosen.serve(&run, bytecode.is_some())?;
    let paths = wheels.iter().map(|wheel| &wheel.path);
    let needs = code
        .iter()
        .chain(&site.entries)
        .chain(paths.clone())
        .chain(&bytecode)
        .chain(pack.as_ref().map(|pack| &pack.kept));
    let needs = needs.cloned().collect();
    let entries = paths
        .chain(&unpacked)
        .chain(&site.entries)
        .chain(&bytecode)
        .cloned()
        .collect();
    let importing = chosen.importing(&run, bytecode.is_some());
    let main = code.last().map(|code| code.join("__main__.py"));
    let path = SysPath::Zipapp {
        code,
        empty,
        site: site.entries,
        inherit: match decision.inherit {
            InheritPath::False => "false",
            InheritPath::Prefer => "prefer",
            InheritPath::Fallback => "fallback",
        },
        scrubbed: site_runs.then(|| host::scrubbed(python_path.is_some(), interpreter)),
    };
    Ok(Command {
        argv,
        env: Vec::new(),
        interpreter: run == Run::Interpreter,
        needs,
        boot: Some(Boot {
            data: Data {
                for_site,
                extra: variables.extra_sys_path.clone(),
                import_lines: site.import_lines,
                main: main.unwrap_or_default(),
                entries,
                pack,
                ..chosen.data(path, run, decision.inject)
            },
            shipped,
            importing,
        }),
    })
}

/// How Python itself is started.
pub(super) struct Line {
    /// Python and its options.
    pub argv: Vec<Vec<u8>>,
    /// Whether the host's `site` runs.
    pub site_runs: bool,
    /// Whether the boot stands in for it: not where whoever started the PEX asked for none, either.
    pub for_site: bool,
}

/// How Python itself is started, and why so.
pub(super) fn line(chosen: &mut Chosen<'_>, decision: &Decision, report: &mut dyn Report) -> Line {
    let invocation = chosen.invocation;
    let hermetic = decision.inherit == InheritPath::False;
    let python_path = chosen.variable("PYTHONPATH");
    let isolated = hermetic
        && python_path.is_some()
        && chosen.variables.inherit_path.unwrap_or_default() == InheritPath::False;

    // With PYTHONPATH the original always starts a Python anew, by its canonical path (reference 4.6).
    let stays = chosen.runs.clone().filter(|_| python_path.is_none());
    let pex = &chosen.main().pex;
    let in_place = match stays {
        Some(_) if runs_in_place(pex) => Hops::None,
        _ => Hops::Some,
    };
    let mut options = chosen.options(Hops::of(pex, in_place));
    if isolated {
        options.push(b"-I".to_vec());
        host::tell_python_path(python_path.as_deref(), report);
    }
    let (mut site_runs, mut for_site) = (true, false);
    if hermetic && !matches!(decision.what, What::Run(Run::Import)) {
        let mut inputs = std::mem::take(&mut chosen.inputs);
        let site = HostSite::decide(
            invocation,
            chosen.seal.as_ref(),
            &chosen.interpreter,
            &options,
            report.explains(),
            &mut inputs,
        );
        chosen.inputs = inputs;
        site.tell(report);
        site_runs = site.runs;
        if !site.runs {
            for_site = !has_flag(&options, b"S");
            options.push(b"-S".to_vec());
        }
    }
    let python = stays.as_ref().unwrap_or(&chosen.interpreter.binary);
    let mut argv = vec![python.clone().into_os_string().into_vec()];
    argv.extend(options);
    Line {
        argv,
        site_runs,
        for_site,
    }
}

/// Whether user code is imported from where it lies, as the original does with a loose PEX (reference 1.3): what its
/// author edits there is what runs.
fn runs_in_place(pex: &Pex) -> bool {
    let installs = pex.info.deps_are_wheel_files && !pex.info.distributions.is_empty();
    pex.layout == Layout::Loose && !installs
}

/// The directory of a PEX whose user code [runs in place](runs_in_place), as `os.path.abspath` names it and the original
/// imports from it; as it was named where a link is on the way to a `..`, and the text alone would lead elsewhere.
pub(super) fn in_place(pex: &Pex) -> Option<PathBuf> {
    if !runs_in_place(pex) {
        return None;
    }
    let normal = lexical::normal(&pex.path);
    Some(match (normal.canonicalize(), pex.path.canonicalize()) {
        (Ok(normal_real), Ok(real)) if normal_real == real => normal,
        _ => pex.path.clone(),
    })
}

/// The script of that name: console and gui scripts of the selected wheels, then files (reference 6.2).
fn script(name: &str, members: &[Member], wheels: &[Unpacked]) -> Result<Run, LaunchError> {
    let selected: Vec<Selected> = members
        .iter()
        .flat_map(|member| member.selected.clone())
        .collect();
    let found = resolve::scripts::script(name, &selected, &mut |wheel| {
        let of = |member: &&Member| member.selected.iter().any(|one| one.name == wheel);
        match members.iter().find(of) {
            Some(member) => member.pex.entry_points(wheel).map_err(Into::into),
            None => Ok(None),
        }
    })?;
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
    Err(LaunchError::no_script(name))
}
