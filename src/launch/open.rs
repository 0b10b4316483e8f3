//! Opening: the PEX that was started, as it was when it was looked at, its settings, and the roots.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use pexboot_core::hex::hex;
use pexboot_core::plan::Identity;

use crate::archive::{Archive, Seal};
use crate::launch::facts;
use crate::launch::{Invocation, LaunchError, Report};
use crate::pex::Pex;
use crate::plan::{Input, Inputs, identity};
use crate::store::Store;
use crate::trace;
use crate::variables::Variables;

/// The PEX that was started, and what it was started under.
pub(super) struct Opened {
    pub pex: Pex,
    /// The seal of the file that was started; that of a directory's `pex` too.
    pub seal: Option<Seal>,
    /// What P was before it was read: what replaces it meanwhile is another.
    pub identity: Identity,
    pub fingerprint: [u8; 32],
    pub variables: Variables,
    /// What is unpacked, and from where.
    pub store: Store,
    /// What was consulted so far.
    pub inputs: Inputs,
    /// How the roots were opened.
    pub by: OpenStore,
}

/// How a store is opened: [`Store::open`], or `Store::look` by someone who makes nothing.
pub(super) type OpenStore = fn(Option<&OsStr>, &mut dyn FnMut(&str)) -> Store;

/// Opens what was started.
///
/// # Errors
/// When it cannot be read or is no PEX, or a setting cannot be understood.
pub(super) fn open(
    invocation: &Invocation,
    by: OpenStore,
    report: &mut dyn Report,
) -> Result<Opened, LaunchError> {
    let mut inputs = Inputs::default();
    let identity = identity_of(&invocation.pex)?;
    let pex = trace::timed("archive", || Pex::open(&invocation.pex))?;
    if pex.archive().is_none() {
        // What was started says nothing of a directory's content; PEX-INFO tells the wheels. A copy is not this one: code
        // runs from where it lies.
        inputs.file(&pex.path.join("PEX-INFO"));
        inputs.add(Input::Pex(invocation.pex.as_os_str().as_bytes().to_vec()));
    }
    let variables = trace::timed("settings", || {
        Variables::read(&invocation.env, &invocation.pex, &mut inputs)
    })?;
    facts::settings(invocation, &variables, report);
    let fingerprint = trace::timed("fingerprint", || pex.fingerprint())?;
    report.say(1, &|| {
        format!(
            "`{}` has fingerprint {}",
            invocation.pex.display(),
            hex(&fingerprint)
        )
    });
    let mut store = trace::timed("root", || open_store(&pex, &variables, by, report));
    if invocation.repair {
        store.distrust();
    }
    let named_by = named_by(&variables);
    facts::roots(&store, &named_by, report);
    Ok(Opened {
        seal: seal_of(&invocation.pex, &pex),
        by,
        pex,
        identity,
        fingerprint,
        variables,
        store,
        inputs,
    })
}

impl Opened {
    /// Where the stub will look for the plan: it reads no rc files, so a root named there holds everything but the plan and
    /// its launch. `None` where that is the root which is unpacked to, or nothing lasts there. No root is said to be passed
    /// over twice.
    pub fn plans_elsewhere(&self, report: &mut dyn Report) -> Option<Store> {
        if !self.variables.from_rc.contains_key("PEX_ROOT") {
            return None;
        }
        let named = self.pex.info.pex_root.as_deref().map(OsStr::new);
        let silent = self.store.has_complained();
        let store = (self.by)(named, &mut |line| match silent {
            true => {}
            false => report.warn(line),
        });
        store.lasting().is_some().then_some(store)
    }
}

/// The root that PEX_ROOT or PEX-INFO names, else the user's.
pub(super) fn open_store(
    pex: &Pex,
    variables: &Variables,
    by: OpenStore,
    report: &mut dyn Report,
) -> Store {
    by(named(pex, variables), &mut |line| report.warn(line))
}

/// What names the root, where something does.
fn named_by(variables: &Variables) -> String {
    match &variables.root {
        Some(_) => format!(
            "PEX_ROOT of {} names it",
            facts::source(variables, "PEX_ROOT")
        ),
        None => "PEX-INFO's `pex_root` names it".to_owned(),
    }
}

/// PEX_ROOT of environment or rc file, else PEX-INFO's.
pub(super) fn named<'v>(pex: &'v Pex, variables: &'v Variables) -> Option<&'v OsStr> {
    let root = variables.root.as_deref().map(Path::as_os_str);
    root.or_else(|| pex.info.pex_root.as_deref().map(OsStr::new))
}

/// The seal of the file at `path`, which is `pex` or starts it.
pub(super) fn seal_of(path: &Path, pex: &Pex) -> Option<Seal> {
    match pex.archive() {
        Some(archive) => archive.seal().cloned(),
        None => Archive::seal_of(path).ok().flatten(),
    }
}

/// What the file at `path` is.
pub(super) fn identity_of(path: &Path) -> Result<Identity, LaunchError> {
    let metadata = std::fs::metadata(path).map_err(|source| LaunchError::Io {
        path: path.display().to_string(),
        source,
    })?;
    Ok(identity(&metadata))
}
