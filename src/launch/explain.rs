//! Explaining: what a start would do, and why (`pexboot explain`). Goes through the chain of a launch as far as it writes
//! nothing: open, decide, choose. The facts are those that the steps themselves tell.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use pexboot_core::hex::hex;
use pexboot_core::plan::Plan;

use crate::boot;
use crate::interpreter::{self, Looked, Record, Request, Unfit};
use crate::launch::choose::{self, Choice, Chosen, select_by};
use crate::launch::decide::{Way, decide};
use crate::launch::fact::{About, Fact};
use crate::launch::open::{self, Opened};
use crate::launch::request::request;
use crate::launch::{Invocation, LaunchError, Report, advice, facts, handover, replay, zipapp};
use crate::pex::Layout;
use crate::plan::Inputs;
use crate::regular;
use crate::store::{Kind, Store, place};

/// What a start would do.
#[derive(Debug, Default)]
pub struct Explained {
    /// What was found out, in the order in which a start would find it out.
    pub facts: Vec<Fact>,
    /// What a start would warn of.
    pub warnings: Vec<String>,
    /// Why it would not start.
    pub refused: Option<LaunchError>,
    /// What the next start has to do.
    pub next: Next,
    /// The interpreter.
    pub python: Option<PathBuf>,
    /// `sys.path`; an item with `...` is made by the first start.
    pub sys_path: Vec<PathBuf>,
    /// Directories of the PEX's own code.
    pub code: Vec<PathBuf>,
    /// Directories of its wheels.
    pub site: Vec<PathBuf>,
    /// What would be executed; an item with `...` is made by the first start.
    pub exec: Vec<Vec<u8>>,
    /// What to do, a line for each way out.
    pub advice: Vec<String>,
}

/// What the next start has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Next {
    /// It prepares.
    #[default]
    Cold,
    /// It prepares, and so does each later one: nothing is kept.
    ColdEachTime,
    /// It replays the plan that another file of the same content has.
    Copy,
    /// It replays a plan.
    Warm,
}

/// Explains a start of the PEX; on `python`, a path or a name on PATH, where one is named.
#[must_use]
pub fn explain(invocation: &Invocation, python: Option<&str>) -> Explained {
    let mut told = Explained::default();
    told.refused = look(invocation, python, &mut told).err();
    if told.next == Next::Warm {
        // A plan that holds asks nobody.
        told.refused = None;
    }
    told
}

impl Report for Explained {
    fn warn(&mut self, line: &str) {
        self.warnings.push(line.to_owned());
    }

    fn say(&mut self, _: u8, _: &dyn Fn() -> String) {}

    fn fact(&mut self, fact: &dyn Fn() -> Fact) {
        self.facts.push(fact());
    }

    fn explains(&self) -> bool {
        true
    }
}

fn look(
    invocation: &Invocation,
    python: Option<&str>,
    told: &mut Explained,
) -> Result<(), LaunchError> {
    let mut opened = open::open(invocation, Store::look, told)?;
    // Each root has a fact of its own.
    told.warnings.clear();
    let plan = match python {
        None => plan(invocation, &opened, told),
        Some(_) => None,
    };
    if let Some(plan) = &plan {
        told.next = Next::Warm;
        told.follow(plan, invocation);
    }
    let found = prepare(invocation, python, &mut opened, told);
    // What a seed holds whole is started from memory.
    let code = hex(&opened.fingerprint);
    let writes = match (told.next, opened.store.lasting()) {
        (Next::Warm, _) | (_, Some(_)) => Ok(()),
        _ if opened.store.find(Kind::Code, &code).is_some() => {
            told.next = Next::ColdEachTime;
            Ok(())
        }
        (_, None) => opened.store.would_be_temporary().map(|_| {
            if told.next == Next::Cold {
                told.next = Next::ColdEachTime;
            }
        }),
    };
    let result = found.and(writes.map_err(LaunchError::from));
    if told.next == Next::ColdEachTime {
        told.advice.push(format!(
            "`pexboot warm --root DIR {}` as the owner of DIR, then PEXBOOT_SEEDS=DIR/pexboot",
            invocation.pex.display()
        ));
    }
    if let (Err(error), true) = (&result, plan.is_none()) {
        told.advice.extend(advice::advice(
            error,
            invocation,
            &opened.pex,
            &opened.variables,
        ));
    }
    result
}

/// The plan that the next start would replay.
fn plan(invocation: &Invocation, opened: &Opened, told: &mut Explained) -> Option<Plan> {
    if let Some(found) = replay::found(invocation, told) {
        let count = found.plan.inputs.len();
        told.fact(&|| Fact::new(About::Plan, format!("a plan of {count} inputs"), "holds"));
        return Some(found.plan);
    }
    if replay::of_content(invocation, opened).is_some() {
        told.next = Next::Copy;
        told.fact(&|| {
            Fact::new(
                About::Plan,
                "a plan of another file of the same content",
                "holds",
            )
            .because("this file joins it")
        });
    } else if !told.facts.iter().any(|fact| fact.about == About::Plan) {
        told.fact(&|| Fact::new(About::Plan, "a plan of an earlier start", "there is none"));
    }
    None
}

/// Decides and chooses as a first start would.
fn prepare(
    invocation: &Invocation,
    python: Option<&str>,
    opened: &mut Opened,
    told: &mut Explained,
) -> Result<(), LaunchError> {
    let decision = decide(invocation, opened)?;
    let choice = choice(invocation, python, decision.base, opened, told)?;
    told.python = Some(choice.interpreter.binary.clone());
    let way = match handover::too_old(&choice.interpreter) {
        Some(reason) if decision.way.is_native() => Way::HandOver(reason),
        _ => decision.way,
    };
    let (name, root) = (invocation.name().to_owned(), opened.store.root().to_owned());
    let layout = opened.pex.layout;
    let opened = std::mem::replace(opened, open::open(invocation, Store::look, &mut Silent)?);
    let mut chosen = choice.of_all(invocation, opened, decision.members, told)?;
    let program = |argv: &mut Vec<Vec<u8>>| {
        let launch = made(&root, Kind::Launches).join(&name);
        argv.push(launch.as_os_str().as_bytes().to_vec());
    };
    let handed_over = !way.is_native();
    let (mut argv, code, site) = match way {
        Way::HandOver(reason) => {
            told.fact(&|| handover::fact(&reason));
            told.advice.push(format!(
                "{reason} costs the native start: the PEX's own bootstrap takes its time"
            ));
            let runs = match layout {
                Layout::Zipapp => made(&root, Kind::Originals),
                _ => chosen.main().pex.path.join("__main__.py"),
            };
            let python = chosen.interpreter.binary.as_os_str().as_bytes().to_vec();
            let argv = vec![python, runs.as_os_str().as_bytes().to_vec()];
            (argv, Vec::new(), Vec::new())
        }
        Way::Zipapp(how) => {
            let mut argv = zipapp::line(&mut chosen, &how, told).argv;
            program(&mut argv);
            let mut code = Vec::new();
            for member in chosen.members.iter().rev() {
                let unpacked = || place(&root, Kind::Code, &hex(&member.fingerprint));
                code.push(zipapp::in_place(&member.pex).unwrap_or_else(unpacked));
            }
            let wheels = chosen
                .members
                .iter()
                .any(|member| !member.selected.is_empty());
            let site = wheels.then(|| made(&root, Kind::Sites));
            (argv, code, site.into_iter().collect())
        }
        Way::Venv(_) => {
            let venv = made(&root, Kind::Venvs);
            let mut argv = vec![venv.join("bin/python").as_os_str().as_bytes().to_vec()];
            program(&mut argv);
            let (major, minor, _) = chosen.interpreter.version;
            let lib = format!("lib/python{major}.{minor}/site-packages");
            (argv, Vec::new(), vec![venv.join(lib)])
        }
    };
    if told.next != Next::Warm {
        argv.extend(invocation.args.iter().map(|arg| arg.as_bytes().to_vec()));
        told.exec = argv;
        (told.code, told.site) = (code, site);
    }
    // The bootstrap settles its own.
    if !handed_over {
        told.sys_path = path(&chosen, told);
    }
    Ok(())
}

/// Says nothing.
struct Silent;

impl Report for Silent {
    fn warn(&mut self, _: &str) {}
    fn say(&mut self, _: u8, _: &dyn Fn() -> String) {}
    fn explains(&self) -> bool {
        false
    }
}

/// The PEX's own code, the interpreter's entries, then the wheels (`boot.py`).
fn path(chosen: &Chosen<'_>, told: &Explained) -> Vec<PathBuf> {
    let Record { stdlib, .. } = &chosen.interpreter;
    let extra = chosen.variables.extra_sys_path.iter().map(PathBuf::from);
    let own = told.code.iter().chain(stdlib).cloned();
    own.chain(extra).chain(told.site.iter().cloned()).collect()
}

/// A directory of that kind which a first start makes.
fn made(root: &Path, kind: Kind) -> PathBuf {
    place(root, kind, "...")
}

/// The packages of a virtual environment.
fn packages_of(venv: &Path) -> Option<PathBuf> {
    let mut below = std::fs::read_dir(venv.join("lib")).ok()?.flatten();
    let packages = below.next()?.path().join("site-packages");
    packages.is_dir().then_some(packages)
}

/// Says whether a Python can run the PEX.
type Fits<'f> = dyn FnMut(&Record) -> Result<(), Unfit> + 'f;

/// Chooses the interpreter, without running what others than the user name.
fn choice(
    invocation: &Invocation,
    python: Option<&str>,
    base: bool,
    opened: &Opened,
    told: &mut Explained,
) -> Result<Choice, LaunchError> {
    let Opened {
        pex,
        variables,
        store,
        ..
    } = opened;
    let started_by = pex.started_by()?;
    let request = request(invocation, pex, variables, base, started_by);
    let ignore_errors = choose::ignores_errors(pex, variables);
    // A file beside the PEX may have come with it; what HOME, system and environment say is the user's own word.
    let beside = invocation
        .pex
        .parent()
        .map(|directory| directory.join(".pexrc"));
    let home = invocation
        .variable("HOME")
        .map(|home| Path::new(home).join(".pexrc"));
    let vouched = ["PEX_PYTHON", "PEX_PYTHON_PATH"].iter().all(|name| {
        let file = variables.from_rc.get(*name).map(|line| &line.file);
        file.is_none() || file != beside.as_ref() || file == home.as_ref()
    });
    let mut inputs = Inputs::default();
    let Looked {
        chosen, mut judged, ..
    } = interpreter::look(&request, python, vouched, store, &mut |record| {
        select_by(pex, ignore_errors, record, &mut inputs).map_err(Into::into)
    });
    if python.is_some() {
        for candidate in &mut judged.0 {
            candidate.why = candidate.why.replace("PEX_PYTHON", "--for");
        }
    }
    facts::pythons(&judged, variables, told);
    if chosen.is_err() {
        let any = Request {
            python: None,
            python_path: None,
            ..request.clone()
        };
        let look = |python: Option<&str>, fits: &mut Fits<'_>| {
            interpreter::look(&any, python, vouched, store, fits).chosen
        };
        if request.python.is_some() || request.python_path.is_some() {
            let fits = &mut |record: &Record| {
                select_by(pex, ignore_errors, record, &mut inputs)?;
                Ok(())
            };
            if let Ok(taken) = look(None, fits) {
                let python = facts::shown(&taken.python.binary);
                told.advice
                    .push(format!("without the setting {python} would be taken"));
            }
        }
        // Which wheels fit none is told by the first Python that could be asked.
        if let Some(python) = judged.0.iter().find(|python| python.version.is_some()) {
            let fits = &mut |record: &Record| {
                let _ = facts::wheels_of(pex, record, None, told);
                Ok(())
            };
            let _ = look(python.python.to_str(), fits);
        }
    }
    Ok(Choice::looked(chosen?, started_by.cloned()))
}

impl Explained {
    /// What a plan leads to.
    fn follow(&mut self, plan: &Plan, invocation: &Invocation) {
        self.exec = crate::launch::command(&plan.exec, invocation).argv;
        self.python = Some(PathBuf::from(OsStr::from_bytes(&plan.exec.program)));
        let launch = plan
            .launch()
            .map(|launch| Path::new(OsStr::from_bytes(launch)));
        let data = launch.and_then(|launch| regular::read(&launch.join("data")).ok());
        let data = data.unwrap_or_default();
        self.code = boot::paths(&data, "code");
        self.site = match boot::paths(&data, "venv").pop() {
            Some(venv) => packages_of(&venv).into_iter().collect(),
            None => boot::paths(&data, "site"),
        };
    }
}
