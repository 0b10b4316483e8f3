//! Replay: does every input of a plan still hold, and what exactly is executed then.
//!
//! Whoever prepares a plan looks things up with the very functions that check it ([`first_on_path`],
//! [`first_upward`], [`locate`]), so that the two can't disagree. Nothing here writes, and nothing is consulted twice.

use alloc::vec::Vec;

use crate::env;
use crate::options;
use crate::plan::{Anchor, Content, Exec, Identity, Input, Place, Plan, Value};

/// What replay needs to see of the machine.
pub trait World {
    /// Identity of the file there, links followed; `None` when nothing can be seen there.
    fn stat(&self, path: &[u8]) -> Option<Identity>;
    /// Whether there is a regular file that this user may execute, links followed.
    fn executable(&self, path: &[u8]) -> bool;
    /// What the symbolic link there reads.
    fn link(&self, path: &[u8]) -> Option<Vec<u8>>;
    /// The working directory.
    fn cwd(&self) -> Option<Vec<u8>>;
    /// `boot_id` of the running kernel.
    fn boot_id(&self) -> Option<[u8; 16]>;
    /// Checksum of the file there, which has this size, links followed; of the names in a directory, where the size is
    /// [`Content::DIRECTORY`].
    fn sum(&self, path: &[u8], size: u64) -> Option<[u8; 8]>;
    /// What the kernel calls itself ([`Input::Kernel`]).
    fn kernel(&self) -> Vec<u8>;
}

/// One start of one file.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// P: the file as invoked, made absolute.
    pub pex: &'a [u8],
    /// P with every link resolved.
    pub real: &'a [u8],
    /// The arguments behind `argv[0]`.
    pub args: &'a [&'a [u8]],
    /// The environment, `NAME=VALUE`.
    pub env: &'a [&'a [u8]],
}

/// A program to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Absolute path.
    pub program: Vec<u8>,
    /// Its `argv`.
    pub argv: Vec<Vec<u8>>,
    /// Its environment.
    pub env: Vec<Vec<u8>>,
}

impl Command {
    /// What is written to standard output instead of executing anything, where the plan has no program: a Python that
    /// runs already has asked (`import __pex__`). Each item of `argv` ends with a zero byte.
    #[must_use]
    pub fn answer(&self) -> Option<Vec<u8>> {
        let ended = |item: &Vec<u8>| [item.as_slice(), b"\0"].concat();
        self.program
            .is_empty()
            .then(|| self.argv.iter().flat_map(ended).collect())
    }
}

/// Variables by which our own processes talk to each other; none of them is ever passed on.
pub const PRIVATE: &[&[u8]] = &[
    b"_PEXBOOT",
    b"_PEXBOOT_CURRENT",
    b"_PEXBOOT_DATA",
    b"_PEXBOOT_FILE",
    b"_PEXBOOT_LOCK",
    b"_PEXBOOT_REPAIR",
    b"_PEXBOOT_TRACE",
];

/// Where `PATH` points to when it is not set, as execvp of glibc has it.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// Whether every input of `plan` still holds for this launch. Which file was started is not looked at here
/// ([`warm`](crate::warm)).
#[must_use]
pub fn holds(plan: &Plan, launch: Launch<'_>, world: &impl World) -> bool {
    broken(plan, launch, world).is_none()
}

/// What of a plan does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken<'p> {
    /// This input.
    Input(&'p Input),
    /// Another boot made the plan, and nobody knows whether all of it reached the disk.
    Boot,
}

/// The first that does not hold of what [`holds`] looks at.
#[must_use]
pub fn broken<'p>(plan: &'p Plan, launch: Launch<'_>, world: &impl World) -> Option<Broken<'p>> {
    let world = &CwdOnce {
        world,
        cwd: core::cell::OnceCell::new(),
    };
    let mut inputs = plan.inputs.iter();
    if let Some(input) = inputs.find(|input| !input_holds(input, launch, world)) {
        return Some(Broken::Input(input));
    }
    let wrote = plan.boot_id;
    (wrote != [0; 16] && world.boot_id() != Some(wrote)).then_some(Broken::Boot)
}

fn input_holds(input: &Input, launch: Launch<'_>, world: &impl World) -> bool {
    let stat = |place: &Place| locate(place, launch, world).map(|path| world.stat(&path));
    match input {
        Input::File(place, identity) => stat(place).flatten() == Some(*identity),
        Input::Content(place, content) => locate(place, launch, world).is_some_and(|path| {
            world.stat(&path).is_some_and(|found| {
                (found.size == content.size || content.size == Content::DIRECTORY)
                    && (found.mtime == content.mtime
                        || world.sum(&path, content.size) == Some(content.sum))
            })
        }),
        Input::Present(place, ino) => stat(place)
            .flatten()
            .is_some_and(|found| *ino == 0 || found.ino == *ino),
        // Nothing is read from a HOME that is none. A working directory that can't be told is not an empty one.
        Input::Absent(place) => {
            stat(place).map_or(place.anchor == Anchor::Home, |found| found.is_none())
        }
        Input::Link(place, target) => {
            locate(place, launch, world)
                .and_then(|path| world.link(&path))
                .as_ref()
                == Some(target)
        }
        Input::FirstOnPath(name, hit) => {
            first_on_path(name, env::get(launch.env, b"PATH"), world) == *hit
        }
        Input::FirstUpward(name, hit) => first_upward(name, world) == *hit,
        Input::Variable(name, value) => env::get(launch.env, name) == value.as_deref(),
        Input::Pex(path) => launch.pex == path,
        Input::Cwd(path) => world.cwd().as_ref() == Some(path),
        Input::Kernel(name) => world.kernel() == *name,
    }
}

/// The path that `place` stands for in this launch; `None` when what it is relative to is not known.
#[must_use]
pub fn locate(place: &Place, launch: Launch<'_>, world: &impl World) -> Option<Vec<u8>> {
    match place.anchor {
        Anchor::Root => Some(place.path.clone()),
        Anchor::PexDir => {
            let slash = launch.pex.iter().rposition(|&b| b == b'/')?;
            Some(join(launch.pex.get(..slash)?, &place.path))
        }
        Anchor::Home => {
            let home = env::get(launch.env, b"HOME").filter(|home| home.starts_with(b"/"))?;
            Some(join(home, &place.path))
        }
        Anchor::Cwd => Some(join(&world.cwd()?, &place.path)),
    }
}

/// What running `name` would execute by the rule of execvp and `env`: the first regular file on `path` (the value of
/// `PATH`, `None` where unset) that may be executed. An empty item is the working directory. The result is absolute,
/// whatever the item was, so that a lookup in another working directory is another result. A name with a `/` in it is
/// not looked up but taken as it is.
#[must_use]
pub fn first_on_path(name: &[u8], path: Option<&[u8]>, world: &impl World) -> Option<Vec<u8>> {
    let hit = |mut file: Vec<u8>| {
        if file.first() != Some(&b'/') {
            file = join(&world.cwd()?, &file);
        }
        world.executable(&file).then_some(file)
    };
    if name.is_empty() {
        return None;
    }
    if name.contains(&b'/') {
        return hit(name.to_vec());
    }
    path.unwrap_or(DEFAULT_PATH)
        .split(|&b| b == b':')
        .find_map(|item| {
            hit(if item.is_empty() {
                name.to_vec()
            } else {
                join(item, name)
            })
        })
}

/// The nearest thing called `name` from the working directory upward to `/`, absolute.
#[must_use]
pub fn first_upward(name: &[u8], world: &impl World) -> Option<Vec<u8>> {
    let cwd = world.cwd()?;
    let mut directory = cwd.as_slice();
    loop {
        let file = join(directory, name);
        if world.stat(&file).is_some() {
            return Some(file);
        }
        let slash = directory.iter().rposition(|&b| b == b'/')?;
        if directory == b"/" {
            return None;
        }
        directory = directory.get(..slash.max(1))?;
    }
}

/// `directory/rest` with one slash between; an empty directory is the top one.
fn join(directory: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + rest.len());
    path.extend_from_slice(directory);
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(rest);
    path
}

/// A world that is asked for its working directory at most once.
struct CwdOnce<'a, W> {
    world: &'a W,
    cwd: core::cell::OnceCell<Option<Vec<u8>>>,
}

impl<W: World> World for CwdOnce<'_, W> {
    fn stat(&self, path: &[u8]) -> Option<Identity> {
        self.world.stat(path)
    }

    fn executable(&self, path: &[u8]) -> bool {
        self.world.executable(path)
    }

    fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.world.link(path)
    }

    fn cwd(&self) -> Option<Vec<u8>> {
        self.cwd.get_or_init(|| self.world.cwd()).clone()
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        self.world.boot_id()
    }

    fn sum(&self, path: &[u8], size: u64) -> Option<[u8; 8]> {
        self.world.sum(path, size)
    }

    fn kernel(&self) -> Vec<u8> {
        self.world.kernel()
    }
}

/// Fills a plan's [`Exec`] in for this launch: the user's arguments behind its own; the environment without our
/// [`PRIVATE`] variables and with the plan's changes, in their order.
#[must_use]
pub fn command(exec: &Exec, launch: Launch<'_>) -> Command {
    let value = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::RealPex => launch.real.to_vec(),
        Value::InvokedPex => launch.pex.to_vec(),
        Value::Note(note) => note.text(launch.pex),
    };
    let mut argv = exec.argv.clone();
    if exec.interpreter {
        let split = options::split(launch.args);
        let script = argv.pop();
        argv.extend(split.options);
        if !split.incomplete {
            argv.extend(script);
            argv.extend(split.args);
        }
    } else {
        argv.extend(launch.args.iter().map(|arg| arg.to_vec()));
    }
    Command {
        program: exec.program.clone(),
        argv,
        env: env::changed(launch.env, PRIVATE, &exec.env, value),
    }
}

#[cfg(test)]
mod tests;
