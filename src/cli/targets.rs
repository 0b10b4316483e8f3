//! `embed --target`: which heads are put in front of a PEX, and where each result goes.

use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::embed::{EmbedError, target};
use crate::parts::{HEADS, Head, OWN};
use crate::pex::Pex;

/// What stands for the machine in an output's name.
const PLACE: &[u8] = b"{target}";

/// What `--target` can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// x86-64
    #[value(name = "x86_64-linux")]
    X86_64,
    /// 64-bit Arm
    #[value(name = "aarch64-linux")]
    Aarch64,
    /// Those that the wheels' tags name
    Auto,
    /// This machine
    Host,
}

/// The heads that are asked for, each once; where none is, one for the target of an earlier embedding or this machine.
///
/// # Errors
/// When the command does not carry one, or the PEX has no wheels for it.
pub fn heads(
    pex: &Path,
    asked: &[Target],
    before: Option<&'static str>,
) -> Result<Vec<Head>, EmbedError> {
    let mut targets: Vec<&'static str> = match asked {
        [] => vec![before.unwrap_or(OWN.target)],
        _ => Vec::new(),
    };
    // What has always been embedded for this machine still is, whatever wheels it has: not all that runs is required.
    if asked == [Target::Host] || targets == [OWN.target] {
        return Ok(vec![OWN]);
    }
    let pex = Pex::open(pex)?;
    for asked in asked {
        let more = match asked {
            Target::X86_64 => vec![target::TARGETS[0]],
            Target::Aarch64 => vec![target::TARGETS[1]],
            Target::Host => vec![OWN.target],
            Target::Auto => Some(target::asked_for(&pex))
                .filter(|found| !found.is_empty())
                .unwrap_or_else(|| vec![OWN.target]),
        };
        let new: Vec<_> = more.into_iter().filter(|t| !targets.contains(t)).collect();
        targets.extend(new);
    }
    let carried = || {
        let names: Vec<&str> = HEADS.iter().map(|head| head.target).collect();
        names.join(", ")
    };
    let head = |name: &'static str| {
        target::check(&pex, name)?;
        let head = HEADS.iter().find(|head| head.target == name);
        head.copied().ok_or_else(|| EmbedError::NoHead {
            target: name,
            carried: carried(),
        })
    };
    targets.into_iter().map(head).collect()
}

/// Where the result for each head goes; `None` is in place.
///
/// # Errors
/// When several would have one name.
pub fn outputs(output: Option<&Path>, heads: &[Head]) -> Result<Vec<Option<PathBuf>>, EmbedError> {
    let named = |head: &Head| output.map(|output| filled_in(output, head.target));
    let outputs: Vec<_> = heads.iter().map(named).collect();
    match &outputs[..] {
        [one, other, ..] if one == other => Err(EmbedError::OneName {
            count: outputs.len(),
        }),
        _ => Ok(outputs),
    }
}

fn filled_in(output: &Path, target: &str) -> PathBuf {
    let mut rest = output.as_os_str().as_bytes();
    let mut name = Vec::with_capacity(rest.len() + target.len());
    while let Some((&first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(PLACE) {
            name.extend(target.as_bytes());
            rest = after;
        } else {
            name.push(first);
            rest = after;
        }
    }
    std::ffi::OsString::from_vec(name).into()
}
