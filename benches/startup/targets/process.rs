//! Processes outside a comparison: what they cost, alone or many at once.

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What something took, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// By the clock.
    pub wall: f64,
    /// User and system time.
    pub cpu: f64,
}

/// What `act` takes, the CPU time being that of `who`.
pub fn cost<T>(
    who: UsageWho,
    act: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<(Cost, T), Box<dyn Error>> {
    let before = cpu(who)?;
    let start = Instant::now();
    let value = act()?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = cpu(who)? - before;
    Ok((Cost { wall, cpu }, value))
}

/// What it takes to run these commands at the same time, all of which must succeed.
pub fn run(commands: &mut [Command]) -> Result<Cost, Box<dyn Error>> {
    // What was written before goes to disk before.
    nix::unistd::sync();
    let all = || {
        let started: Result<Vec<Child>, _> = commands
            .iter_mut()
            .map(|command| {
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
            })
            .collect();
        for mut child in started? {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("a start ended with {status}").into());
            }
        }
        Ok(())
    };
    Ok(cost(UsageWho::RUSAGE_CHILDREN, all)?.0)
}

fn cpu(who: UsageWho) -> Result<f64, Box<dyn Error>> {
    let usage = getrusage(who)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(microseconds as f64 / 1e6)
}
