//! Zipapp mode: the base interpreter, with user code and the site of the wheels on `sys.path`.

use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::boot::Py;
use crate::launch::dispatch::{self, Run, Target};
use crate::launch::prepare::{Member, Parts, Start, seal};
use crate::launch::{Invocation, LaunchError, Report};
use crate::pex::{Layout, Pex};
use crate::pex_info::InheritPath;
use crate::resolve::{self, Selected};
use crate::site;
use crate::trace;
use crate::unpack::{self, Shipped, Unpacked};
use crate::variables::Mode;

/// How the application is started.
pub(super) fn start(
    parts: &Parts<'_>,
    inherit: InheritPath,
    report: &mut dyn Report,
) -> Result<Start, LaunchError> {
    let Parts {
        invocation,
        variables,
        interpreter,
        members,
        store,
    } = parts;
    let mut wheels = parts.wheels()?;
    let main = parts.main();
    let step = trace::step("code");
    let mut shipped = Shipped::find(&main.pex, interpreter)?;
    if let Some(shipped) = &mut shipped {
        // The wheels of the PEX that was started come first.
        for wheel in wheels.iter().take(main.selected.len()) {
            shipped.lies(&wheel.name, &wheel.path);
        }
    }
    let (mut code, mut empty) = (Vec::new(), Vec::new());
    // Directories in the root, which repair can make again.
    let mut unpacked = Vec::new();
    for (index, member) in members.iter().enumerate() {
        if runs_in_place(&member.pex) {
            code.insert(0, member.pex.path.clone());
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
    if inherit == InheritPath::Fallback {
        // Each entry goes in front of all the others there, so the last one is first (reference 6.5).
        wheels.reverse();
        wheels.iter_mut().for_each(|wheel| wheel.entries.reverse());
    }
    drop(step);
    let site = trace::timed("site", || {
        site::assemble(&wheels, store, &mut |seen, source| {
            if let Some(shipped) = &mut shipped {
                shipped.seen(seen, source);
            }
        })
    })?;
    let step = trace::step("bytecode");
    let bytecode = shipped.map(|shipped| shipped.keep(store)).transpose()?;
    drop(step);

    let (target, inject) = dispatch::target(&parts.main().pex.info, variables)?;
    let run = match target {
        Target::Interpreter => Run::Interpreter,
        Target::Entry(entry) => dispatch::entry_point(&entry)?,
        Target::Script(name) => script(&name, members, &wheels)?,
    };

    let hermetic = inherit == InheritPath::False;
    let python_path = invocation.variable("PYTHONPATH").is_some();
    let isolated =
        hermetic && python_path && variables.inherit_path.unwrap_or_default() == InheritPath::False;
    let host_site = host_site(invocation, &parts.main().pex);
    let info = &parts.main().pex.info;

    let mut data = vec![
        ("venv", Py::None),
        ("code", Py::paths(&code)),
        ("empty", Py::paths(&empty)),
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
                    .chain(&unpacked)
                    .chain(&site.entries)
                    .chain(bytecode.iter().map(|(directory, _)| directory)),
            ),
        ),
    ];
    let served = parts.pack(&run, bytecode.is_some())?;
    data.push(served.data);
    data.extend(parts.session(&run));

    let mut argv = vec![interpreter.binary.clone().into_os_string().into_vec()];
    argv.extend(parts.options());
    if isolated {
        argv.push(b"-I".to_vec());
    }
    if hermetic && !host_site {
        argv.push(b"-S".to_vec());
        for hook in &interpreter.host_hooks {
            report.say(1, &|| {
                format!(
                    "host hook `{}` does not run (PEXBOOT_HOST_SITE=1 lets it)",
                    hook.display()
                )
            });
        }
    }

    let needs = code
        .iter()
        .chain(&site.entries)
        .chain(wheels.iter().map(|wheel| &wheel.path))
        .chain(bytecode.iter().map(|(directory, _)| directory))
        .chain(&served.directory);
    Ok(Start {
        needs: needs.cloned().collect(),
        argv,
        env: Vec::new(),
        interpreter: run == Run::Interpreter,
        data: Some(Py::Dict(data)),
        importing: parts.importing(&run, bytecode.is_some()),
        shipped: bytecode.map(|(_, share)| share),
    })
}

/// Whether user code is imported from where it lies, as the original does with a loose PEX (reference 1.3): what its
/// author edits there is what runs.
fn runs_in_place(pex: &Pex) -> bool {
    let installs = pex.info.deps_are_wheel_files && !pex.info.distributions.is_empty();
    pex.layout == Layout::Loose && !installs
}

/// The script of that name: console and gui scripts of the selected wheels, then files (reference 6.2).
fn script(name: &str, members: &[Member], wheels: &[Unpacked]) -> Result<Run, LaunchError> {
    let selected: Vec<Selected> = members
        .iter()
        .flat_map(|member| member.selected.clone())
        .collect();
    let found = resolve::entry_points::script(name, Mode::Zipapp, &selected, &mut |wheel| {
        let of = |member: &&Member| member.selected.iter().any(|one| one.name == wheel);
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
pub(super) fn host_site(invocation: &Invocation, pex: &Pex) -> bool {
    let sealed = seal(pex).is_some_and(|seal| seal.options.host_site);
    match invocation
        .variable("PEXBOOT_HOST_SITE")
        .map(OsStrExt::as_bytes)
    {
        None | Some(b"") => sealed,
        Some(value) => value != b"0" && !value.eq_ignore_ascii_case(b"false"),
    }
}
