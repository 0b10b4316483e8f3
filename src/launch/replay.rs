//! Replay by the engine and the command line: for a start that is to be told about, for a bare PEX, and for a further copy
//! of a file whose plan is known. Which plan holds is [`pexboot_core::warm`]'s to say.

use std::os::unix::ffi::OsStrExt;

use pexboot_core::machine;
use pexboot_core::plan::{Identity, Input, Plan};
use pexboot_core::replay::{Broken, Launch};
use pexboot_core::roots::{self, Candidate};
use pexboot_core::seal::Seal;
use pexboot_core::warm::{Found, Start};

use crate::archive::Archive;
use crate::launch::fact::{About, Fact};
use crate::launch::open::{Opened, identity_of};
use crate::launch::plans::{now, record};
use crate::launch::{Invocation, LaunchError, Report};
use crate::pex::Pex;
use crate::store::Store;
use crate::trace;
use crate::user;

/// Lets `ask` ask about this launch.
pub(super) fn asked_of<T>(invocation: &Invocation, ask: impl FnOnce(Launch<'_>) -> T) -> T {
    let args: Vec<&[u8]> = invocation.args.iter().map(|arg| arg.as_bytes()).collect();
    let env = invocation.environment();
    let env: Vec<&[u8]> = env.iter().map(Vec::as_slice).collect();
    ask(Launch {
        pex: invocation.pex.as_os_str().as_bytes(),
        real: invocation.real.as_os_str().as_bytes(),
        args: &args,
        env: &env,
    })
}

/// Lets `ask` ask for this start, as plans are chosen by it.
fn asked<T>(
    invocation: &Invocation,
    seal: Option<&Seal>,
    identity: Identity,
    content: Content<'_>,
    ask: impl FnOnce(&Start<'_>) -> T,
) -> T {
    asked_of(invocation, |launch| {
        ask(&Start {
            launch,
            identity,
            seal,
            user: user::current(),
            fingerprint: content.fingerprint,
            checked: content.checked,
        })
    })
}

/// What is known of a file's content.
struct Content<'a> {
    fingerprint: &'a dyn Fn() -> Option<[u8; 32]>,
    checked: bool,
}

/// The key of this start's plans.
pub(super) fn key(invocation: &Invocation, seal: Option<&Seal>) -> [u8; 32] {
    let unknown = Content {
        fingerprint: &|| None,
        checked: false,
    };
    asked(invocation, seal, Identity::default(), unknown, |start| {
        start.key()
    })
}

/// Where plans are looked for. `pex_root` is PEX-INFO's, which a stub has from its seal.
fn candidates(invocation: &Invocation, pex_root: &[u8]) -> Vec<Candidate> {
    let euid = nix::unistd::geteuid().as_raw();
    let variable = |name: &str| invocation.variable(name).map(OsStrExt::as_bytes);
    roots::candidates(variable, pex_root, euid, machine::cwd)
}

/// The plan of this invocation, when there is one and every input of it still holds.
pub(super) fn find(invocation: &Invocation, report: &mut dyn Report) -> Option<Plan> {
    let found = found(invocation, report)?;
    found.stamp(now());
    Some(found.plan)
}

/// The plan of an earlier launch that holds; nothing is noted of its use.
pub(super) fn found(invocation: &Invocation, report: &mut dyn Report) -> Option<Found> {
    let identity = identity_of(&invocation.pex).ok()?;
    let seal = Archive::seal_of(&invocation.pex).ok()?;
    let content = Content {
        fingerprint: &|| Pex::open(&invocation.pex).ok()?.fingerprint().ok(),
        checked: false,
    };
    let bare = || Pex::open(&invocation.pex).ok()?.info.pex_root;
    let pex_root = match &seal {
        Some(seal) => seal.pex_root.clone(),
        None => bare().unwrap_or_default().into_bytes(),
    };
    let roots = candidates(invocation, &pex_root);
    asked(invocation, seal.as_ref(), identity, content, |start| {
        let _step = trace::step("plans");
        let key = start.key();
        let found = start.find(&key, &roots);
        if found.is_none() && report.explains() {
            start.misses(&key, &roots, &mut |root, why| {
                report.fact(&|| missed(root, why));
            });
        }
        found
    })
}

/// Why a plan is not replayed.
fn missed(root: &[u8], why: Option<Broken<'_>>) -> Fact {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let why = match why {
        None => "it is for another file of this name".to_owned(),
        Some(Broken::Boot) => "another boot of the machine made it".to_owned(),
        Some(Broken::Input(input)) => match input {
            Input::File(place, _) | Input::Content(place, _) => {
                format!("`{}` has changed", text(&place.path))
            }
            Input::Present(place, _) => format!("`{}` is gone", text(&place.path)),
            Input::Absent(place) => format!("`{}` is there now", text(&place.path)),
            Input::Link(place, _) => format!("`{}` leads elsewhere", text(&place.path)),
            Input::FirstOnPath(name, _) => {
                format!("the first `{}` on PATH is another", text(name))
            }
            Input::FirstUpward(name, _) => {
                format!("the nearest `{}` is another", text(name))
            }
            Input::Variable(name, _) => format!("{} has another value", text(name)),
            Input::Pex(path) => format!("it is for `{}`", text(path)),
            Input::Cwd(path) => format!("it is for starts in `{}`", text(path)),
            Input::Kernel(_) => "the kernel is another".to_owned(),
        },
    };
    Fact::new(
        About::Plan,
        format!("a plan in `{}`", text(root)),
        "does not hold",
    )
    .because(why)
}

/// The plan that another copy of this file has: its content was checked, so this copy joins those that the plan knows.
///
/// # Errors
/// When the root can't be written.
pub(super) fn join(
    invocation: &Invocation,
    opened: &Opened,
    elsewhere: Option<&Store>,
    report: &mut dyn Report,
) -> Result<Option<(Plan, [u8; 32])>, LaunchError> {
    if invocation.repair {
        return Ok(None);
    }
    let _step = trace::step("plan of a copy");
    let Some((Found { mut plan, .. }, key)) = of_content(invocation, opened) else {
        return Ok(None);
    };
    report.say(1, &|| {
        "replaying the launch plan of the same content: every input still holds".to_owned()
    });
    if !plan.portable && !plan.files.contains(&opened.identity) {
        let store = elsewhere.unwrap_or(&opened.store);
        plan.files.insert(0, opened.identity);
        if store
            .plans(&key)
            .iter()
            .any(|known| known.exec == plan.exec)
        {
            record(store, &key, plan.clone())?;
        }
    }
    Ok(Some((plan, key)))
}

/// The plan that was made for another file of the same content, if one holds, and its key.
pub(super) fn of_content(invocation: &Invocation, opened: &Opened) -> Option<(Found, [u8; 32])> {
    let seal = opened.seal.as_ref();
    let content = Content {
        fingerprint: &|| Some(opened.fingerprint),
        checked: true,
    };
    let pex_root = opened.pex.info.pex_root.as_deref().unwrap_or_default();
    let roots = candidates(invocation, pex_root.as_bytes());
    asked(invocation, seal, opened.identity, content, |start| {
        let key = start.key();
        start.find(&key, &roots).map(|found| (found, key))
    })
}
