//! Unpacking all wheels of a large PEX into an empty store, against `cp -r` of what comes out, on the same disk and in
//! turns. Both leave their bytes in the page cache; what reaches the disk meanwhile is the kernel's choice.

use std::error::Error;
use std::process::Command;

use nix::sys::resource::UsageWho;
use pexboot::internals::pex::Pex;
use pexboot::internals::resolve::Selected;
use pexboot::internals::store::Store;
use pexboot::internals::unpack;

use super::process::{cost, run};
use super::{Stage, figures};
use crate::record::Figures;

/// 255 MB of it.
pub const APP: &str = "scikit-learn";

/// Wall and CPU seconds of both.
pub fn measure(stage: &mut Stage) -> Result<Figures, Box<dyn Error>> {
    let pex = Pex::open(&stage.embedded(APP)?.program)?;
    let selected = Selected::all(&pex.info);
    let mut samples = [const { Vec::new() }; 4];
    for repetition in 0..stage.repetitions {
        let root = stage.scratch.join(format!("unpacked-{repetition}"));
        let copy = stage.scratch.join(format!("copied-{repetition}"));
        nix::unistd::sync();
        let (ours, ()) = cost(UsageWho::RUSAGE_SELF, || {
            let store = Store::scratch(&root)?;
            unpack::wheels(&pex, &selected, &store, false)?;
            Ok(())
        })?;
        let mut cp = Command::new("cp");
        let theirs = run(&mut [{
            cp.arg("-r").arg(&root).arg(&copy);
            cp
        }])?;
        for (samples, figure) in
            samples
                .iter_mut()
                .zip([ours.wall, ours.cpu, theirs.wall, theirs.cpu])
        {
            samples.push(figure);
        }
    }
    let [wall, cpu, cp_wall, cp_cpu] = samples;
    Ok(figures([
        ("unpacking: wall s", wall),
        ("unpacking: CPU s", cpu),
        ("cp -r: wall s", cp_wall),
        ("cp -r: CPU s", cp_cpu),
    ]))
}
