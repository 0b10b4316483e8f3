//! Choosing: the interpreter, and the wheels that it activates. Meanwhile what any interpreter will need is unpacked.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pexboot_core::machine::Machine;
use pexboot_core::options;
use pexboot_core::plan::Identity;
use pexboot_core::replay::World as _;

use crate::archive::Seal;
use crate::interpreter::{self, Candidates, Record, Request, Taken};
use crate::launch::open::Opened;
use crate::launch::request::request;
use crate::launch::{Invocation, LaunchError, Report};
use crate::launch::{advice, conflicts, facts};
use crate::pex::{Pex, StartedBy};
use crate::pex_info::PexInfo;
use crate::plan::{EnvChange, Input, Inputs, Value};
use crate::resolve::{self, Selected};
use crate::store::Store;
use crate::trace;
use crate::unpack::{self, Unpacked};
use crate::variables::Variables;

/// A PEX that takes part in a launch: the one that was started, or a member of its PEX_PATH.
pub(super) struct Member {
    pub pex: Pex,
    pub fingerprint: [u8; 32],
    pub selected: Vec<Selected>,
    /// Wheels that were unpacked before it was known that they are selected.
    pub ahead: Vec<Unpacked>,
}

/// What is launched: on which interpreter, from which wheels.
pub(super) struct Chosen<'a> {
    pub invocation: &'a Invocation,
    pub variables: Variables,
    pub seal: Option<Seal>,
    /// What P is.
    pub identity: Identity,
    pub interpreter: Record,
    /// By which path it runs already, or would by what starts the original.
    pub runs: Option<PathBuf>,
    /// What starts the original.
    pub started_by: Option<StartedBy>,
    /// The PEX that was started, then the members of its PEX_PATH.
    pub members: Vec<Member>,
    pub store: Store,
    /// What was consulted so far.
    pub inputs: Inputs,
}

/// What a decision needs of the choice.
#[derive(Clone, Copy)]
pub(super) struct Need {
    /// Whether a virtual environment's Python is replaced by its base.
    pub base: bool,
    /// Whether wheels are needed, which can be unpacked meanwhile.
    pub wheels: bool,
    /// Whether bytecode that came with the PEX is.
    pub bytecode: bool,
}

/// What can be done in the root while a Python is asked what it is.
pub(super) type Meanwhile<'a> = dyn Fn(Option<&Seal>, &Store) + Sync + 'a;

/// Chooses. With `meanwhile`, that is done beside it, since a choice may have to wait for a Python; it is left out where
/// the root is not the one that the stub looks in, and must be done after all then.
///
/// # Errors
/// When no interpreter fits, or a member's wheels do not fit the one that does.
pub(super) fn choose(
    invocation: &Invocation,
    opened: &mut Opened,
    need: Need,
    meanwhile: Option<&Meanwhile<'_>>,
    report: &mut dyn Report,
) -> Result<Choice, LaunchError> {
    let _step = trace::step("interpreter");
    let Opened {
        pex,
        seal,
        variables,
        store,
        inputs,
        ..
    } = opened;
    let (pex, seal, variables, store) = (&*pex, seal.as_ref(), &*variables, &*store);
    // What the PEX's own bootstrap does needs no wheel unpacked, and a repair tells what it has mended in order.
    let early = !invocation.repair && need.wheels;
    let (ahead, stop) = (OnceLock::new(), AtomicBool::new(false));
    let mut judged = Candidates::default();
    let taken = std::thread::scope(|scope| {
        if early {
            let _ = std::thread::Builder::new().spawn_scoped(scope, || {
                let _step = trace::step("unpack ahead");
                let started_by = pex.started_by().unwrap_or_default();
                let request = request(invocation, pex, variables, need.base, started_by);
                let certain = resolve::certain(&pex.info, &request);
                let watched = is_watched(variables);
                ahead.set(unpack::ahead(pex, &certain, store, watched, &stop))
            });
        }
        if let Some(meanwhile) = meanwhile.filter(|_| !variables.from_rc.contains_key("PEX_ROOT")) {
            // Where no thread can be had, it is done later.
            let _ = std::thread::Builder::new().spawn_scoped(scope, move || meanwhile(seal, store));
        }
        let chosen = python(
            invocation,
            pex,
            variables,
            need.base,
            store,
            inputs,
            &mut judged,
        );
        stop.store(chosen.is_err(), Ordering::Relaxed);
        if let (true, Ok(Taken { python, .. })) = (early && need.bytecode, &chosen)
            && python.boots()
        {
            // Others unpack; whoever has asked the interpreter would wait for them.
            let _step = trace::step("bytecode ahead");
            unpack::bytecode::ahead(pex, python, store);
        }
        chosen
    });
    facts::pythons(&judged, variables, report);
    let taken = taken.map_err(|error| advice::with(error, invocation, pex, variables))?;
    Ok(Choice {
        interpreter: taken.python,
        runs: taken.runs,
        started_by: pex.started_by()?.cloned(),
        selected: taken.fit,
        ahead: ahead.into_inner().unwrap_or_default(),
    })
}

/// The interpreter, and the wheels of the PEX that was started.
pub(super) struct Choice {
    pub interpreter: Record,
    /// By which path it runs already, or would by what starts the original.
    pub runs: Option<PathBuf>,
    /// What starts the original.
    pub started_by: Option<StartedBy>,
    selected: Vec<Selected>,
    ahead: Vec<Unpacked>,
}

impl Choice {
    /// What someone chose who only looks.
    #[cfg(feature = "cli")]
    pub fn looked(taken: Taken<Vec<Selected>>, started_by: Option<StartedBy>) -> Choice {
        Choice {
            interpreter: taken.python,
            runs: taken.runs,
            started_by,
            selected: taken.fit,
            ahead: Vec::new(),
        }
    }

    /// The same with the wheels of PEX_PATH's members, each resolved on its own. Tells which were chosen, and why the
    /// others were not.
    ///
    /// # Errors
    /// When those of a member do not fit the interpreter, or conflict with another's and that is to be refused.
    pub fn of_all<'a>(
        self,
        invocation: &'a Invocation,
        opened: Opened,
        others: Vec<(Pex, [u8; 32])>,
        report: &mut dyn Report,
    ) -> Result<Chosen<'a>, LaunchError> {
        let Opened {
            pex,
            seal,
            identity,
            fingerprint,
            variables,
            store,
            mut inputs,
            ..
        } = opened;
        let mut members = vec![Member {
            pex,
            fingerprint,
            selected: self.selected,
            ahead: self.ahead,
        }];
        for (pex, fingerprint) in others {
            let ignore_errors = ignores_errors(&pex, &variables);
            let selected = select_by(&pex, ignore_errors, &self.interpreter, &mut inputs)?;
            members.push(Member {
                pex,
                fingerprint,
                selected,
                ahead: Vec::new(),
            });
        }
        if members
            .iter()
            .any(|member| asks_for_the_kernel(&member.pex.info_bytes))
        {
            inputs.add(kernel());
        }
        let wheels: Vec<_> = members
            .iter()
            .map(|member| (&member.pex, member.selected.as_slice()))
            .collect();
        let conflicts = conflicts::of(wheels.iter().copied());
        if report.explains() {
            facts::wheels(&wheels, &conflicts, &self.interpreter, report)?;
        }
        if !conflicts.is_empty() {
            let asked = invocation.variable(conflicts::VARIABLE);
            conflicts::refuse(&conflicts, asked)?;
            // A plan without conflicts holds whatever is asked.
            inputs.variable(conflicts::VARIABLE, asked);
        }
        Ok(Chosen {
            invocation,
            variables,
            seal,
            identity,
            interpreter: self.interpreter,
            runs: self.runs,
            started_by: self.started_by,
            members,
            store,
            inputs,
        })
    }
}

impl Chosen<'_> {
    /// The PEX that was started.
    pub fn main(&self) -> &Member {
        &self.members[0]
    }

    /// Python's options that are not the mode's: those of the PEX, and those of the Python that runs already.
    /// Without `-x`: it is about the first line of a file, and Python has no such file to read.
    pub fn options(&self, hops: Hops) -> Vec<Vec<u8>> {
        let given = given(self.invocation, self.started_by.as_ref(), hops);
        options(&self.main().pex.info, given)
    }

    /// What the line that starts the original does to the environment.
    pub fn variables_of_start(&self) -> Vec<EnvChange> {
        variables(self.invocation, self.started_by.as_ref())
    }

    /// A variable as that line leaves it.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        let mut value = self.invocation.variable(name).map(OsStr::to_owned);
        for change in self.variables_of_start() {
            match change {
                EnvChange::Set(set, Value::Text(text)) if set == name.as_bytes() => {
                    value = Some(OsString::from_vec(text));
                }
                EnvChange::Remove(removed) if removed == name.as_bytes() => value = None,
                EnvChange::RemovePrefix(_) => value = None,
                _ => {}
            }
        }
        value
    }

    /// The selected wheels of all members, unpacked, each once.
    pub fn wheels(&self) -> Result<Vec<Unpacked>, LaunchError> {
        let _step = trace::step("unpack");
        let mut wheels: Vec<Unpacked> = Vec::new();
        let watched = is_watched(&self.variables);
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
}

/// Whether somebody at a terminal is to see how far unpacking is. Lines that explain the launch and one that is drawn over
/// do not go together.
fn is_watched(variables: &Variables) -> bool {
    variables.verbose <= 0 && std::io::stderr().is_terminal()
}

/// Whether the original comes from the Python that starts it to the application's own by starting another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hops {
    /// It does: from a directory it loses the options on the way, unless a script for the shell names the directory.
    Some,
    /// The one Python goes on.
    None,
}

impl Hops {
    /// The way that a file goes, whose options get over every hop; a directory's is `directory`.
    pub fn of(pex: &Pex, directory: Hops) -> Hops {
        match pex.archive() {
            Some(_) => Hops::None,
            None => directory,
        }
    }
}

/// The options of the Python that runs already: as they were typed, else as what starts the original has them.
pub(super) fn given<'a>(
    invocation: &'a Invocation,
    started_by: Option<&'a StartedBy>,
    hops: Hops,
) -> &'a [OsString] {
    match (&invocation.current, started_by) {
        (Some(current), _) => &current.options,
        (None, Some(started_by)) if hops == Hops::None || started_by.is_shell() => {
            &started_by.options
        }
        (None, _) => &[],
    }
}

/// What the line that starts the original does to the environment.
pub(super) fn variables(invocation: &Invocation, started_by: Option<&StartedBy>) -> Vec<EnvChange> {
    let Some(started_by) = started_by.filter(|_| invocation.current.is_none()) else {
        return Vec::new();
    };
    let clears = started_by
        .clears
        .then(|| EnvChange::RemovePrefix(Vec::new()));
    let changes = started_by.variables.iter().map(|(name, value)| {
        let name = name.as_bytes().to_vec();
        match value {
            Some(value) => EnvChange::Set(name, Value::Text(value.as_bytes().to_vec())),
            None => EnvChange::Remove(name),
        }
    });
    clears.into_iter().chain(changes).collect()
}

/// The command with what the line that starts the original puts in front of it.
pub(super) fn wrapped(
    invocation: &Invocation,
    started_by: Option<&StartedBy>,
    argv: Vec<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let started_by = started_by.filter(|_| invocation.current.is_none());
    let words = started_by.iter().flat_map(|line| &line.wrapper);
    let words = words.map(|word| word.as_bytes().to_vec());
    words.chain(argv).collect()
}

/// The interpreter, and the wheels of the PEX that was started which it activates.
pub(super) fn python(
    invocation: &Invocation,
    pex: &Pex,
    variables: &Variables,
    base: bool,
    store: &Store,
    inputs: &mut Inputs,
    judged: &mut Candidates,
) -> Result<Taken<Vec<Selected>>, LaunchError> {
    let started_by = pex.started_by()?;
    let boots = unpack::bytecode::boots(pex)?;
    let request = Request {
        boots: Some(&boots),
        ..request(invocation, pex, variables, base, started_by)
    };
    let ignore_errors = ignores_errors(pex, variables);
    let mut asked = Inputs::default();
    let chosen = interpreter::choose(&request, store, inputs, judged, &mut |record| {
        select_by(pex, ignore_errors, record, &mut asked).map_err(Into::into)
    })?;
    asked
        .into_list()
        .into_iter()
        .for_each(|input| inputs.add(input));
    Ok(chosen)
}

/// Python's options that are not the mode's.
pub(super) fn options(info: &PexInfo, given: &[OsString]) -> Vec<Vec<u8>> {
    let injected = info.inject_python_args.iter();
    let all: Vec<&[u8]> = injected
        .map(|arg| arg.as_bytes())
        .chain(given.iter().map(|option| option.as_bytes()))
        .collect();
    options::split(&all).options
}

pub(super) fn ignores_errors(pex: &Pex, variables: &Variables) -> bool {
    variables.ignore_errors.unwrap_or(pex.info.ignore_errors)
}

/// The wheels of a PEX that this interpreter activates.
#[cfg(feature = "cli")]
pub(crate) fn select(
    pex: &Pex,
    ignore_errors: bool,
    interpreter: &Record,
) -> Result<Vec<Selected>, resolve::ResolveError> {
    select_by(pex, ignore_errors, interpreter, &mut Inputs::default())
}

/// The same; the kernel becomes an input where a marker may look at it.
pub(super) fn select_by(
    pex: &Pex,
    ignore_errors: bool,
    interpreter: &Record,
    inputs: &mut Inputs,
) -> Result<Vec<Selected>, resolve::ResolveError> {
    let _step = trace::step("resolve");
    let label = pex.path.display().to_string();
    resolve::resolve(&pex.info, ignore_errors, interpreter, &label, &mut |name| {
        let metadata = pex.metadata(name)?;
        if asks_for_the_kernel(&metadata) {
            inputs.add(kernel());
        }
        Ok(metadata)
    })
}

/// Whether a marker in METADATA or PEX-INFO may look at the kernel's release or version (`platform.release()`, PEP 508).
fn asks_for_the_kernel(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [
        b"platform_release",
        b"platform_version",
        b"platform.version",
    ];
    let begins = |rest: &[u8]| NAMES.iter().any(|name| rest.starts_with(name));
    let mut places = (0..text.len()).filter(|&at| text[at] == b'p');
    places.any(|at| begins(&text[at..]))
}

fn kernel() -> Input {
    Input::Kernel(Machine.kernel())
}
