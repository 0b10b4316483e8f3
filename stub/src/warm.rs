//! A warm start: executes what the plan of an earlier start says, if every input of it still holds.

use alloc::vec::Vec;

use pexboot_core::machine;
use pexboot_core::replay::{Launch, command};
use pexboot_core::seal::Seal;
use pexboot_core::warm::{Found, Start};

use crate::entry::Process;
use crate::file::File;
use crate::stdio;
use crate::system::{self, Clock};

/// This start, as plans are chosen by it; `None` where nothing can be seen of the file.
pub fn start<'a>(process: &'a Process, seal: &'a Seal, file: &'a File) -> Option<Start<'a>> {
    Some(Start {
        launch: Launch {
            pex: &file.path,
            real: &file.real,
            args: process.args.get(1..).unwrap_or_default(),
            env: &process.env,
        },
        identity: machine::identity(file.stat.as_ref()?),
        seal: Some(seal),
        user: process.user(),
        // The seal says it.
        fingerprint: &|| None,
        checked: false,
    })
}

/// Executes the plan. Comes back when that fails: whatever the reason, the engine finds it and says it better.
pub fn execute(found: &Found, start: &Start<'_>) {
    let [now, _] = Clock::Realtime.now();
    found.stamp(now);
    let command = command(&found.plan.exec, start.launch);
    if let Some(answer) = command.answer() {
        stdio::answer(&answer);
        system::exit(0);
    }
    let _ = system::execute(
        &command.program,
        &slices(&command.argv),
        &slices(&command.env),
    );
}

fn slices(texts: &[Vec<u8>]) -> Vec<&[u8]> {
    texts.iter().map(Vec::as_slice).collect()
}
