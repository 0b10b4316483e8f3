//! Venv mode: a real virtual environment, and the command that starts the application in it (reference 7).
//!
//! What runs is chosen by the environment alone: rc files and `PEX_DISABLE_VARIABLES` have had their say when the
//! original hands over to the environment, whose own script knows nothing of them (reference 2.2, 3.1).

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::archive::Seal;
use crate::boot::{Data, Run, SysPath};
use crate::launch::choose::{Chosen, Hops};
use crate::launch::command::{Boot, Command};
use crate::launch::{Invocation, LaunchError, Report};
use crate::pex::Layout;
use crate::pex_info::{BinPath, PexInfo};
use crate::plan::{EnvChange, Value};
use crate::shown::line;
use crate::trace;
use crate::unpack;
use crate::variables::{Mode, Variables};
use crate::venv::{self, Request, Venv};

/// The mode that the PEX runs in: what pex's variable says, else ours, else `embed`, else the PEX.
///
/// # Errors
/// When a PEX is to run in a virtual environment that was not built for it.
pub(super) fn mode(
    info: &PexInfo,
    variables: &Variables,
    invocation: &Invocation,
    seal: Option<&Seal>,
) -> Result<Mode, LaunchError> {
    let sealed = seal.is_some_and(|seal| seal.options.venv);
    let ours = invocation
        .switch("PEXBOOT_VENV")
        .or_else(|| sealed.then_some(true));
    // A relic: PEX_UNZIP keeps the original from making a virtual environment.
    if !variables.venv.or(ours).unwrap_or(info.venv) || variables.unzip || variables.tools {
        return Ok(Mode::Zipapp);
    }
    // The original needs code of pex's to make one, which such a PEX does not hold.
    if !info.includes_tools && ours != Some(true) {
        return Err(LaunchError::Refused(
            "The PEX_VENV environment variable was set, but this PEX was not built with venv support (Re-build the PEX \
             file with `pex --venv ...`)"
                .to_owned(),
        ));
    }
    Ok(Mode::Venv)
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// An entry point or, as an interpreter, what the arguments say.
    Boot(Run),
    /// A script in `bin/`.
    Script(String),
}

/// What runs, and whether the PEX's `inject_args` belong to it.
fn target(info: &PexInfo, invocation: &Invocation) -> Result<(Target, bool), LaunchError> {
    const NAMES: [&str; 3] = ["PEX_INTERPRETER", "PEX_SCRIPT", "PEX_MODULE"];
    let found: Vec<(&str, String)> = NAMES
        .iter()
        .filter_map(|name| {
            Some((
                *name,
                invocation.variable(name)?.to_string_lossy().into_owned(),
            ))
        })
        .collect();
    if found.len() > 1 {
        let found: Vec<String> = found
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        return Err(LaunchError::Refused(format!(
            "Can only specify one of {}; found: {}",
            NAMES.join(", "),
            found.join(" ")
        )));
    }
    let found = found.first().map(|(name, value)| (*name, value.as_str()));
    let script = match found {
        Some(("PEX_SCRIPT", script)) => Some(script),
        Some(_) => None,
        None => info.script.as_deref(),
    };
    if let Some(script) = script.filter(|script| !script.is_empty()) {
        return Ok((Target::Script(script.to_owned()), false));
    }
    let entry = match found {
        Some(("PEX_MODULE", module)) => Some(module),
        Some(("PEX_INTERPRETER", value)) if value == "1" || value.eq_ignore_ascii_case("true") => {
            None
        }
        _ => info.entry_point.as_deref(),
    };
    Ok(match entry.filter(|entry| !entry.is_empty()) {
        Some(entry) => (Target::Boot(entry_point(entry)), found.is_none()),
        // Before the arguments of `-m`, the original's one way from an interpreter's arguments to an entry point.
        None => (Target::Boot(Run::Interpreter), found.is_none()),
    })
}

/// Taken as it stands: `module:` runs the module.
fn entry_point(text: &str) -> Run {
    match text.split_once(':') {
        Some((module, attributes)) if !attributes.is_empty() => Run::Call(
            module.to_owned(),
            attributes.split('.').map(str::to_owned).collect(),
        ),
        Some((module, _)) => Run::Module(module.to_owned()),
        None => Run::Module(text.to_owned()),
    }
}

/// Where `bin/` goes on PATH.
fn bin_path(info: &PexInfo, invocation: &Invocation) -> Result<BinPath, LaunchError> {
    let Some(value) = invocation.variable("PEX_VENV_BIN_PATH") else {
        return Ok(info.venv_bin_path);
    };
    value.to_str().and_then(BinPath::from_word).ok_or_else(|| {
        LaunchError::Refused(format!(
            "PEX_VENV_BIN_PATH must be one of 'false', 'prepend' or 'append', given: '{}'",
            value.as_bytes().escape_ascii()
        ))
    })
}

/// How it is to run.
pub(super) struct Decision {
    bin_path: BinPath,
    target: Target,
    /// Whether the PEX's `inject_args` belong to what runs.
    inject: bool,
}

/// Decides what runs.
///
/// # Errors
/// When a variable that chooses it can't be understood, or two contradict each other.
pub(super) fn decide(info: &PexInfo, invocation: &Invocation) -> Result<Decision, LaunchError> {
    let bin_path = bin_path(info, invocation)?;
    let (target, inject) = target(info, invocation)?;
    Ok(Decision {
        bin_path,
        target,
        inject,
    })
}

/// What was brought into the store for it.
pub(super) struct Fetched {
    venv: Venv,
    /// What must be there for it.
    needs: Vec<PathBuf>,
}

/// Brings the virtual environment into the store, and what it is made of.
///
/// # Errors
/// When something is damaged, or the store can't be written.
pub(super) fn fetch(chosen: &Chosen<'_>, report: &mut dyn Report) -> Result<Fetched, LaunchError> {
    let (main, store) = (chosen.main(), &chosen.store);
    let info = &main.pex.info;
    let wheels = chosen.wheels()?;
    let code = trace::timed("code", || unpack::code(&main.pex, &main.fingerprint, store))?;
    let copies = info.venv_site_packages_copies || main.pex.layout == Layout::Loose;
    let venv = trace::timed("venv", || {
        venv::assemble(
            &Request {
                interpreter: &chosen.interpreter,
                fingerprint: &main.fingerprint,
                info,
                info_bytes: &main.pex.info_bytes,
                wheels: &wheels,
                code: &code,
                copies,
                prompt: chosen.invocation.name(),
            },
            store,
        )
    })?;
    report.say(1, &|| {
        format!("virtual environment: `{}`", venv.path.display())
    });
    if chosen.variables.emit_warnings.unwrap_or(info.emit_warnings) {
        for clash in &venv.clashes {
            report.warn(clash);
        }
    }
    let mut needs = vec![venv.path.clone()];
    if !copies {
        needs.extend(wheels.iter().map(|wheel| wheel.path.clone()));
    }
    Ok(Fetched { venv, needs })
}

/// An option of Python without `-S`, alone or among letters that share a dash: the packages of a virtual environment are
/// brought by `site`.
fn without_no_site(option: Vec<u8>) -> Option<Vec<u8>> {
    if !option.starts_with(b"-") || option.starts_with(b"--") {
        return Some(option);
    }
    // What follows these letters is theirs.
    let end = option.iter().position(|letter| b"WX".contains(letter));
    let (flags, value) = option.split_at(end.unwrap_or(option.len()));
    let kept = flags.iter().filter(|letter| **letter != b'S').chain(value);
    let kept: Vec<u8> = kept.copied().collect();
    (kept.len() > 1).then_some(kept)
}

/// How the application is started.
///
/// # Errors
/// When there is no such script or resource.
pub(super) fn command(
    chosen: &mut Chosen<'_>,
    decision: Decision,
    fetched: Fetched,
) -> Result<Command, LaunchError> {
    let Fetched { venv, mut needs } = fetched;
    let inspects = decision.target == Target::Boot(Run::Interpreter) && inspects(chosen);
    let chosen = &*chosen;
    let main = chosen.main();
    let info = &main.pex.info;
    let run = match decision.target {
        Target::Boot(run) => run,
        Target::Script(name) => {
            let program = script(&venv, &name)?;
            return Ok(Command {
                argv: vec![program.into_os_string().into_vec()],
                env: environment(chosen, &venv, decision.bin_path)?,
                interpreter: false,
                needs,
                boot: None,
            });
        }
    };

    let mut argv = vec![venv.python.clone().into_os_string().into_vec()];
    let options = chosen.options(Hops::of(&main.pex, Hops::Some));
    match main.pex.layout {
        Layout::Zipapp => argv.extend(options),
        // From a directory the original comes to the environment by another Python, without this one.
        _ => argv.extend(options.into_iter().filter_map(without_no_site)),
    }
    // The session that PYTHONINSPECT asks for opens where Python is not isolated from that: the original starts it so.
    if info.venv_hermetic_scripts && !inspects {
        argv.push(b"-I".to_vec());
    }
    let bin = |place| (decision.bin_path == place).then(|| venv.bin.clone());
    let entries = needs.clone();
    let pack = chosen.serve(&run, false)?;
    needs.extend(pack.iter().map(|pack| pack.kept.clone()));
    let path = SysPath::Venv {
        before: bin(BinPath::Prepend),
        behind: bin(BinPath::Append),
        argv0: match main.pex.layout {
            Layout::Zipapp => "",
            _ => "/pex",
        },
        path: venv.path.clone(),
    };
    Ok(Command {
        argv,
        env: changes_for_python(),
        interpreter: run == Run::Interpreter,
        needs,
        boot: Some(Boot {
            importing: chosen.importing(&run, false),
            data: Data {
                main: venv.path.join("pex"),
                entries,
                pack,
                ..chosen.data(path, run, decision.inject)
            },
            shipped: None,
        }),
    })
}

/// What is changed for the environment's Python: one that takes itself for another file finds no environment around it,
/// isolated or not.
fn changes_for_python() -> Vec<EnvChange> {
    vec![EnvChange::Remove(b"PYTHONEXECUTABLE".to_vec())]
}

/// Whether PYTHONINSPECT asks for a session after what the interpreter is given.
fn inspects(chosen: &mut Chosen<'_>) -> bool {
    const NAME: &str = "PYTHONINSPECT";
    chosen
        .inputs
        .variable(NAME, chosen.invocation.variable(NAME));
    let value = chosen.variable(NAME);
    value.is_some_and(|value| !value.is_empty())
}

/// The script of that name.
fn script(venv: &Venv, name: &str) -> Result<PathBuf, LaunchError> {
    let path = venv.bin.join(name);
    let plain = Path::new(name)
        .components()
        .eq([Component::Normal(name.as_ref())]);
    match path.metadata() {
        Ok(file) if plain && file.is_file() => match file.permissions().mode() & 0o111 {
            0 => Err(LaunchError::Refused(format!(
                "Could not invoke script {}: it is not executable",
                line(path.display())
            ))),
            _ => Ok(path),
        },
        _ => Err(LaunchError::no_script(name)),
    }
}

/// What the boot does to the environment, for a script that runs without it (reference 3.4, 7.3).
fn environment(
    chosen: &Chosen<'_>,
    venv: &Venv,
    bin_path: BinPath,
) -> Result<Vec<EnvChange>, LaunchError> {
    let info = &chosen.main().pex.info;
    let text = |value: &[u8]| Value::Text(value.to_vec());
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let mut changes = changes_for_python();
    changes.push(EnvChange::Set(
        b"VIRTUAL_ENV".to_vec(),
        Value::Text(bytes(&venv.path)),
    ));
    match bin_path {
        BinPath::False => {}
        BinPath::Prepend => changes.push(EnvChange::Prepend(b"PATH".to_vec(), bytes(&venv.bin))),
        BinPath::Append => changes.push(EnvChange::Append(b"PATH".to_vec(), bytes(&venv.bin))),
    }
    if info.strip_pex_env {
        if let Some(extra) = chosen.invocation.variable("PEX_EXTRA_SYS_PATH") {
            changes.push(EnvChange::Set(
                b"__PEX_EXTRA_SYS_PATH__".to_vec(),
                text(extra.as_bytes()),
            ));
        }
        changes.push(EnvChange::RemovePrefix(b"PEX_".to_vec()));
    }
    for (name, value) in &info.inject_env {
        changes.push(EnvChange::SetDefault(
            name.clone().into_bytes(),
            text(value.as_bytes()),
        ));
    }
    for (name, resource) in &info.bind_resource_paths {
        let path = self::resource(chosen, venv, name, resource)?;
        changes.push(EnvChange::Set(
            name.clone().into_bytes(),
            Value::Text(bytes(&path)),
        ));
    }
    Ok(changes)
}

/// A resource on `sys.path` as it will be.
fn resource(
    chosen: &Chosen<'_>,
    venv: &Venv,
    name: &str,
    resource: &str,
) -> Result<PathBuf, LaunchError> {
    if !Path::new(resource)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(LaunchError::Refused(format!(
            "The following resource binding spec is invalid: {name}={resource}\nThe resource path {resource} must be \
             relative to the `sys.path`."
        )));
    }
    chosen
        .interpreter
        .stdlib
        .iter()
        .chain(&venv.entries)
        .map(|entry| entry.join(resource))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            LaunchError::Refused(format!(
                "There was no resource file {resource} found on the `sys.path` corresponding to the given resource \
                 binding spec `{name}={resource}`"
            ))
        })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use pexboot_core::seal::Options;

    use super::{Run, Seal, Target, bin_path, entry_point, mode, target, without_no_site};
    use crate::launch::Invocation;
    use crate::pex_info::{BinPath, PexInfo};
    use crate::plan::Inputs;
    use crate::variables::{Mode, Variables};

    fn info(text: &str) -> PexInfo {
        PexInfo::parse(text.as_bytes()).unwrap()
    }

    fn started_with(env: &[(&str, &str)]) -> Invocation {
        Invocation {
            pex: "/p/app.pex".into(),
            real: "/p/app.pex".into(),
            args: Vec::new(),
            env: env
                .iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                .collect(),
            current: None,
            repair: false,
            first: false,
        }
    }

    #[test]
    fn an_environment_is_never_without_site() {
        for (given, kept) in [
            ("-S", None),
            ("-sSE", Some("-sE")),
            ("-OWS", Some("-OWS")),
            ("-SXS=1", Some("-XS=1")),
            ("--check-hash-based-pycs", Some("--check-hash-based-pycs")),
            ("SSS", Some("SSS")),
        ] {
            let found = without_no_site(given.into());
            assert_eq!(found, kept.map(|kept| kept.as_bytes().to_vec()), "{given}");
        }
    }

    #[test]
    fn the_environment_chooses_what_runs() {
        let check = |pex: &str, env: &[(&str, &str)], expect: Option<(Target, bool)>| {
            assert_eq!(
                target(&info(pex), &started_with(env)).ok(),
                expect,
                "{pex} {env:?}"
            );
        };
        let module = |name: &str| Target::Boot(Run::Module(name.to_owned()));
        let script = |name: &str| Target::Script(name.to_owned());
        let repl = Target::Boot(Run::Interpreter);
        let app = r#"{"entry_point": "app"}"#;
        check(app, &[], Some((module("app"), true)));
        check(app, &[("PEX_MODULE", "m")], Some((module("m"), false)));
        check(app, &[("PEX_MODULE", "")], Some((repl.clone(), false)));
        check(app, &[("PEX_SCRIPT", "s")], Some((script("s"), false)));
        check(app, &[("PEX_SCRIPT", "")], Some((module("app"), false)));
        check(
            app,
            &[("PEX_INTERPRETER", "TRUE")],
            Some((repl.clone(), false)),
        );
        check(
            app,
            &[("PEX_INTERPRETER", "0")],
            Some((module("app"), false)),
        );
        check(app, &[("PEX_INTERPRETER", ""), ("PEX_MODULE", "")], None);
        check("{}", &[], Some((repl.clone(), true)));
        check(r#"{"script": "s"}"#, &[], Some((script("s"), false)));
        check(
            r#"{"script": "s"}"#,
            &[("PEX_INTERPRETER", "0")],
            Some((repl, false)),
        );
    }

    #[test]
    fn a_colon_without_attribute_runs_the_module() {
        let call = |module: &str, attributes: &[&str]| {
            Run::Call(
                module.to_owned(),
                attributes.iter().map(|&name| name.to_owned()).collect(),
            )
        };
        assert_eq!(entry_point("app:"), Run::Module("app".to_owned()));
        assert_eq!(
            entry_point("app.cli:A.main"),
            call("app.cli", &["A", "main"])
        );
        assert_eq!(entry_point("app:main[x]"), call("app", &["main[x]"]));
    }

    #[test]
    fn the_mode_is_the_pex_unless_it_is_overridden() {
        let invocation = started_with(&[]);
        let check = |pex: &str, variables: Variables, expect: Option<Mode>| {
            assert_eq!(
                mode(&info(pex), &variables, &invocation, None).ok(),
                expect,
                "{pex} {variables:?}"
            );
        };
        let forced = |venv: bool| {
            let word = if venv { "1" } else { "0" };
            let env = started_with(&[("PEX_VENV", word), ("PEX_IGNORE_RCFILES", "1")]).env;
            Variables::read(&env, "/p/app.pex".as_ref(), &mut Inputs::default()).unwrap()
        };
        check(r#"{"venv": true}"#, Variables::default(), Some(Mode::Venv));
        check(r#"{"venv": true}"#, forced(false), Some(Mode::Zipapp));
        check("{}", Variables::default(), Some(Mode::Zipapp));
        check("{}", forced(true), None);
        check(
            r#"{"includes_tools": true}"#,
            forced(true),
            Some(Mode::Venv),
        );
    }

    #[test]
    fn our_variable_goes_before_our_seal_and_pexs_before_both() {
        let check = |pexs: Option<bool>, ours: Option<&str>, sealed, venv, expect: Option<Mode>| {
            let env: Vec<_> = ours
                .map(|value| ("PEXBOOT_VENV", value))
                .into_iter()
                .collect();
            let variables = Variables {
                venv: pexs,
                ..Variables::default()
            };
            let seal = Seal {
                options: Options {
                    venv: sealed,
                    ..Options::default()
                },
                ..Seal::default()
            };
            let pex = info(if venv { r#"{"venv": true}"# } else { "{}" });
            let found = mode(&pex, &variables, &started_with(&env), Some(&seal));
            assert_eq!(found.ok(), expect, "{pexs:?} {ours:?} {sealed} {venv}");
        };
        let (zipapp, venv) = (Some(Mode::Zipapp), Some(Mode::Venv));
        check(None, None, true, false, venv);
        check(None, Some("1"), false, false, venv);
        check(None, Some(""), true, false, venv);
        check(None, Some("0"), true, false, zipapp);
        check(None, Some("false"), false, true, zipapp);
        check(Some(false), Some("1"), true, true, zipapp);
        check(Some(true), None, true, false, venv);
        check(Some(true), Some("0"), true, false, None);
        check(Some(true), Some("0"), true, true, venv);
    }

    #[test]
    fn the_place_on_path_is_one_of_three_words() {
        let pex = info(r#"{"venv_bin_path": "prepend"}"#);
        let check = |env: &[(&str, &str)], expect: Option<BinPath>| {
            assert_eq!(bin_path(&pex, &started_with(env)).ok(), expect, "{env:?}");
        };
        check(&[], Some(BinPath::Prepend));
        check(&[("PEX_VENV_BIN_PATH", "append")], Some(BinPath::Append));
        check(&[("PEX_VENV_BIN_PATH", "")], None);
    }
}
