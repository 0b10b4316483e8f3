//! Many cold starts of the same PEX at once in an empty root, against one cold start and warm ones for the rest, spread
//! over the processors: what they would take if nobody got in another's way and nothing were done twice.

use std::error::Error;
use std::process::Command;

use super::process::{Cost, run};
use super::{Stage, figures};
use crate::record::Figures;

/// One that starts at once, and one that has a lot to unpack and to compile.
pub const APPS: [&str; 2] = ["cowsay", "elasticsearch-curator"];

/// How many start at once.
pub const COUNT: usize = 64;

/// Warm starts before and among those that are counted.
const WARM: usize = 10;

/// Of each application: wall and CPU seconds of all at once, of one cold and of one warm start.
pub fn measure(stage: &mut Stage) -> Result<Figures, Box<dyn Error>> {
    let mut all = Figures::new();
    for name in APPS {
        let subject = stage.embedded(name)?;
        let mut samples = [const { Vec::<Cost>::new() }; 3];
        for _ in 0..stage.repetitions {
            let place = stage.session.new_place()?;
            let mut crowd: Vec<Command> = (0..COUNT)
                .map(|_| stage.session.command(&subject, &place))
                .collect();
            samples[0].push(run(&mut crowd)?);
            let place = stage.session.new_place()?;
            samples[1].push(run(&mut [stage.session.command(&subject, &place)])?);
            for round in 0..WARM {
                let cost = run(&mut [stage.session.command(&subject, &place)])?;
                if round >= 3 {
                    samples[2].push(cost);
                }
            }
        }
        for (what, costs) in ["at once", "one cold", "one warm"].iter().zip(&samples) {
            let figure = |of: fn(&Cost) -> f64| costs.iter().map(of).collect::<Vec<f64>>();
            let (wall, cpu) = (
                format!("{name}, {what}: wall s"),
                format!("{name}, {what}: CPU s"),
            );
            all.extend(figures([
                (&wall, figure(|cost| cost.wall)),
                (&cpu, figure(|cost| cost.cpu)),
            ]));
        }
    }
    Ok(all)
}
