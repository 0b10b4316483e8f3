//! A launch from top to bottom: replay, else prepare, then exec. To prepare is a chain of values:
//! [`open`] → [`decide`] → [`choose`] → fetch ([`zipapp`], [`venv`]) → [`publish`].
//!
//! The stub replays on its own and comes here (through the engine) only when no plan holds; `pexboot run` does both
//! here, by the same code, for a bare PEX.

mod advice;
mod choose;
mod command;
mod conflicts;
mod console;
mod decide;
mod dispatch;
mod error;
#[cfg(feature = "cli")]
mod explain;
mod fact;
mod facts;
mod handover;
#[cfg(feature = "cli")]
mod hooks;
mod host;
mod invocation;
mod open;
mod plans;
mod publish;
mod replay;
mod request;
mod served;
mod session;
#[cfg(feature = "cli")]
mod standalone;
mod venv;
#[cfg(feature = "cli")]
mod warm;
mod zipapp;

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::io::Read;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
#[cfg(feature = "cli")]
use std::path::PathBuf;

use pexboot_core::hex::hex;
use pexboot_core::plan::Anchor;
use pexboot_core::replay::Command;
use sha2::{Digest, Sha256};

use crate::archive::Seal;
use crate::exit::ExitCode;
use crate::plan::{Input, Plan};
use crate::store::{Inherited, Kind, Store};
use crate::trace;
#[cfg(feature = "cli")]
pub(crate) use choose::select;
pub use console::Console;
#[cfg(feature = "cli")]
pub(crate) use console::complain;
pub use error::LaunchError;
#[cfg(feature = "cli")]
pub use explain::{Explained, Next, explain};
pub use fact::{About, Fact};
#[cfg(test)]
pub use hooks::Hooks;
#[cfg(feature = "cli")]
pub use hooks::{Host, host};
pub use invocation::Invocation;
pub use publish::Prepared;
#[cfg(feature = "cli")]
pub use standalone::standalone;
#[cfg(feature = "cli")]
pub use warm::warm;

use choose::{Chosen, Meanwhile};
use decide::Way;

/// What a launch has to say to its user.
pub trait Report {
    /// Something the user must know; one line.
    fn warn(&mut self, line: &str);
    /// Something that was decided, shown from this level of `PEX_VERBOSE` on.
    fn say(&mut self, level: u8, line: &dyn Fn() -> String);
    /// Something that was found out, shown to whoever wants to know what was decided.
    fn fact(&mut self, fact: &dyn Fn() -> Fact) {
        self.say(1, &|| fact().to_string());
    }
    /// Whether anything that was decided is shown at all.
    fn explains(&self) -> bool;
}

/// Starts the application: replays a plan that holds, else prepares one. Returns only on failure.
///
/// # Errors
/// When the launch cannot be prepared, or the interpreter cannot be executed.
pub fn start(invocation: &Invocation, report: &mut dyn Report) -> Result<Infallible, LaunchError> {
    trace::begin(&invocation.pex);
    let failed = launch(invocation, report);
    trace::give_up(&mut console::complain);
    failed
}

fn launch(invocation: &Invocation, report: &mut dyn Report) -> Result<Infallible, LaunchError> {
    if let Some(plan) = replay(invocation, report) {
        // A plan that held a moment ago can still fail to start; preparing anew is the answer then.
        let _ = execute(&command(&plan.exec, invocation));
    }
    let prepared = prepare_surely(invocation, report, None)?;
    execute(&command(&prepared.plan.exec, invocation))
}

/// Prepares the launch and publishes its plan; with `meanwhile` as [`choose::choose`] says.
///
/// # Errors
/// When anything it needs is missing, damaged or refused; nothing half-made is left behind.
fn prepare(
    invocation: &Invocation,
    report: &mut dyn Report,
    meanwhile: Option<&Meanwhile<'_>>,
) -> Result<Prepared, LaunchError> {
    let mut opened = open::open(invocation, Store::open, report)?;
    let elsewhere = opened.plans_elsewhere(report);
    if let Some((plan, key)) = replay::join(invocation, &opened, elsewhere.as_ref(), report)? {
        return Ok(Prepared::joined(plan, key, opened, elsewhere));
    }
    let decision = decide::decide(invocation, &mut opened)?;
    let need = choose::Need {
        base: decision.base,
        wheels: decision.way.is_native(),
        bytecode: matches!(&decision.way, Way::Zipapp(how) if how.runs()),
    };
    let choice = choose::choose(invocation, &mut opened, need, meanwhile, report)?;
    let way = match handover::too_old(&choice.interpreter) {
        Some(reason) if decision.way.is_native() => Way::HandOver(reason),
        _ => decision.way,
    };
    let others = decision.members;
    match way {
        Way::HandOver(reason) => {
            report.fact(&|| handover::fact(&reason));
            let _step = trace::step("hand over");
            let exec = handover::exec(invocation, &choice, &mut opened)?;
            publish::publish_complete(invocation, opened, elsewhere, exec, &choice.interpreter)
        }
        Way::Zipapp(how) => {
            let mut chosen = choice.of_all(invocation, opened, others, report)?;
            warn_noexec(&chosen, report);
            let fetched = zipapp::fetch(&chosen, &how)?;
            let command = zipapp::command(&mut chosen, how, fetched, report)?;
            publish::publish(chosen, command, elsewhere, report)
        }
        Way::Venv(how) => {
            let mut chosen = choice.of_all(invocation, opened, others, report)?;
            warn_noexec(&chosen, report);
            let fetched = venv::fetch(&chosen, report)?;
            let command = venv::command(&mut chosen, how, fetched)?;
            publish::publish(chosen, command, elsewhere, report)
        }
    }
}

/// Says before a native library fails to load that none can be loaded from the root.
fn warn_noexec(chosen: &Chosen<'_>, report: &mut dyn Report) {
    use nix::sys::statvfs::{FsFlags, statvfs};
    // The tag says it.
    let native = |member: &choose::Member| {
        let mut names = member.selected.iter().map(|wheel| &wheel.name);
        names.any(|name| !name.ends_with("-any.whl"))
    };
    let root = chosen.store.root();
    if chosen.members.iter().any(native)
        && statvfs(root).is_ok_and(|found| found.flags().contains(FsFlags::ST_NOEXEC))
    {
        report.warn(&format!(
            "root `{}` is mounted noexec: native libraries cannot be loaded from there; set PEX_ROOT to a directory on \
             another file system",
            root.display()
        ));
    }
}

/// Prepares; once more when something that the plan refers to was taken away meanwhile (a prune, a tmp reaper).
fn prepare_surely(
    invocation: &Invocation,
    report: &mut dyn Report,
    meanwhile: Option<&Meanwhile<'_>>,
) -> Result<Prepared, LaunchError> {
    let is_there = |input: &Input| match input {
        Input::Present(place, _) if place.anchor == Anchor::Root => {
            Path::new(OsStr::from_bytes(&place.path)).exists()
        }
        _ => true,
    };
    let _step = trace::step("prepare");
    let prepared = prepare(invocation, report, meanwhile)?;
    if prepared.plan.inputs.iter().all(is_there) {
        return Ok(prepared);
    }
    prepare(invocation, report, None)
}

/// The plan of an earlier launch, if every input it depended on still holds.
fn replay(invocation: &Invocation, report: &mut dyn Report) -> Option<Plan> {
    let _step = trace::step("replay");
    let plan = (!invocation.repair).then(|| replay::find(invocation, report))??;
    report.say(1, &|| {
        "replaying the launch plan: every input still holds".to_owned()
    });
    Some(plan)
}

/// The directory of the launch that a start of this invocation would replay, if its plan still holds.
#[cfg(feature = "cli")]
#[must_use]
pub fn planned(invocation: &Invocation) -> Option<PathBuf> {
    let plan = replay::find(invocation, &mut Console::new())?;
    Some(PathBuf::from(OsStr::from_bytes(plan.launch()?)))
}

/// The engine's whole life: the stub has named P and found no plan that holds. Gives the exit code of a failure.
///
/// `inherited` gives the descriptor of a number, if it was open when the process began.
#[must_use]
pub fn engine(inherited: fn(RawFd) -> Option<BorrowedFd<'static>>) -> i32 {
    let lock = std::env::var_os(invocation::LOCK).and_then(|told| Inherited::new(&told, inherited));
    keep_standard_descriptors();
    crate::store::remove_own_copy();
    let mut console = Console::new();
    let Some(pex) = std::env::var_os(invocation::FILE) else {
        console::complain("pexboot: the engine is started by an embedded PEX, not by hand");
        return ExitCode::Usage as i32;
    };
    trace::begin(Path::new(&pex));
    let args = std::env::args_os().skip(1).collect();
    let result = Invocation::new(Path::new(&pex), args)
        .map_err(|source| LaunchError::Io {
            path: Path::new(&pex).display().to_string(),
            source,
        })
        .and_then(|mut invocation| {
            invocation.first = lock.is_some();
            // The stub has looked for a plan already, unless it was to be told about.
            if (console.explains() || trace::is_on())
                && let Some(plan) = replay(&invocation, &mut console)
            {
                return execute(&command(&plan.exec, &invocation));
            }
            let prepared = prepare_surely(&invocation, &mut console, Some(&keep_engine))?;
            keep_engine(prepared.seal.as_ref(), &prepared.store);
            drop(lock);
            execute(&command(&prepared.plan.exec, &invocation))
        });
    match result {
        Ok(never) => match never {},
        Err(error) => {
            trace::give_up(&mut console::complain);
            console::complain(&error.message());
            error.exit_code() as i32
        }
    }
}

/// Puts this engine, which may run from memory, into the root for the next cold start. An engine that cannot be kept
/// is unpacked again then.
fn keep_engine(seal: Option<&Seal>, store: &Store) {
    let Some(seal) = seal else { return };
    let _step = trace::step("keep the engine");
    let name = hex(&seal.engine_digest);
    // Of many that start at once one does it.
    let Some(_turn) = store.turn_now(Kind::Engine, &name) else {
        return;
    };
    if store.find(Kind::Engine, &name).is_some() {
        return;
    }
    let _ = store.executable(Kind::Engine, &name, &mut |out| {
        // In pieces: memory for all of it at once would take as long as hashing it.
        let mut engine = std::fs::File::open("/proc/self/exe")?;
        let mut piece = vec![0; 256 << 10];
        let mut hash = Sha256::new();
        loop {
            match engine.read(&mut piece) {
                Ok(0) => return Ok(hash.finalize().as_slice() == seal.engine_digest),
                Ok(length) => {
                    hash.update(&piece[..length]);
                    out.write_all(&piece[..length])?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
}

/// Opens `/dev/null` over standard descriptors that are closed, for this program alone: what is opened later must not
/// take their numbers and be written to as if it were stderr. They are closed again when the application starts.
///
/// Where there is no `/dev/null`, a name of `/` takes the place, which can no more be read or written than what is closed.
pub fn keep_standard_descriptors() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
    use nix::sys::stat::Mode;
    use std::os::fd::{AsFd, IntoRawFd};
    let closed = [
        fcntl(std::io::stdin().as_fd(), FcntlArg::F_GETFD).is_err(),
        fcntl(std::io::stdout().as_fd(), FcntlArg::F_GETFD).is_err(),
        fcntl(std::io::stderr().as_fd(), FcntlArg::F_GETFD).is_err(),
    ];
    // The lowest free number is taken, so each open fills the next gap.
    for _ in closed.iter().filter(|closed| **closed) {
        let open = |path, how| open(path, how | OFlag::O_CLOEXEC, Mode::empty());
        let taken = open("/dev/null", OFlag::O_RDWR).or_else(|_| open("/", OFlag::O_PATH));
        if let Ok(taken) = taken {
            let _ = taken.into_raw_fd();
        }
    }
}

/// What exactly is executed for this invocation.
#[must_use]
pub fn command(exec: &pexboot_core::plan::Exec, invocation: &Invocation) -> Command {
    replay::asked_of(invocation, |launch| {
        pexboot_core::replay::command(exec, launch)
    })
}

/// Replaces this process by the command; traced, where that was asked for.
fn execute(command: &Command) -> Result<Infallible, LaunchError> {
    let Some(traced) = trace::finish(command, &mut console::complain) else {
        return replace(command);
    };
    // The environment can be too large for the kernel with what traces the boot in it.
    let failed = replace(&traced);
    replace(&trace::untraced(command)).or(failed)
}

fn replace(command: &Command) -> Result<Infallible, LaunchError> {
    if let Some(answer) = command.answer() {
        console::answer(&answer);
    }
    let strings = |items: &[Vec<u8>]| -> Result<Vec<CString>, LaunchError> {
        items
            .iter()
            .map(|item| CString::new(item.as_slice()).map_err(|_| LaunchError::Nul))
            .collect()
    };
    let program = CString::new(command.program.as_slice()).map_err(|_| LaunchError::Nul)?;
    let error = nix::unistd::execve(&program, &strings(&command.argv)?, &strings(&command.env)?)
        .unwrap_err();
    Err(LaunchError::Exec {
        program: String::from_utf8_lossy(&command.program).into_owned(),
        source: error.into(),
    })
}
