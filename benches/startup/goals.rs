//! The targets that are set for starts, and what a record says of each. Warm starts by minimum CPU time, everything else
//! by medians.

use pexboot::bench::{Align, Measure, State, Summary, Table};

use crate::apps::SMALL;
use crate::peers::{COMPILED, NO_PACK, OURS, PEX};
use crate::record::Record;
use crate::targets::CROWD;

/// A target and what was reached.
struct Goal {
    what: String,
    target: String,
    reached: String,
    met: bool,
}

/// A row per target; those that the record tells nothing of are missing.
pub fn table(record: &Record) -> Table {
    let mut table = Table::new([
        ("", Align::Left),
        ("target", Align::Left),
        ("reached", Align::Left),
        ("met", Align::Left),
    ]);
    let goals = share(record)
        .into_iter()
        .chain([
            warm(record, NO_PACK, "without the launch pack", 0.95, 1.0),
            warm(record, OURS, "with the launch pack", 0.90, 0.95),
        ])
        .chain(cold(record))
        .chain(compiled(record))
        .chain([unpacking(record), shared(record)])
        .chain(crowd(record))
        .chain([memory(record)]);
    for goal in goals.flatten() {
        let met = if goal.met { "yes" } else { "no" };
        table.row([goal.what, goal.target, goal.reached, met.to_owned()]);
    }
    table
}

fn share(record: &Record) -> [Option<Goal>; 2] {
    let median = |name: &str| median(record, "share", name);
    let cpu = || {
        let bare = median("bare exec: CPU ms")?;
        let [small, large] = ["small", "large"].map(|size| median(&format!("{size}: CPU ms")));
        let (small, large) = (small? - bare, large? - bare);
        Some(Goal {
            what: "the launcher's own share of a warm start, CPU time over that of a bare exec"
                .into(),
            target: "≤ 0.2 ms, whatever the archive's size".into(),
            reached: format!("{small:.3} ms (cowsay), {large:.3} ms (scikit-learn)"),
            met: small.max(large) <= 0.2,
        })
    };
    let calls = || {
        let count = |size: &str| {
            let calls = median(&format!("{size}: system calls"))?;
            let stats = median(&format!("{size}: of those stat"))?;
            Some((calls - stats, stats))
        };
        let ((small, small_stats), (large, large_stats)) = (count("small")?, count("large")?);
        Some(Goal {
            what: "its system calls beside the `stat` of each input".into(),
            target: "≤ 60 for few wheels".into(),
            reached: format!(
                "{small} and {small_stats} `stat` (cowsay), {large} and {large_stats} `stat` (scikit-learn)"
            ),
            met: small <= 60.0,
        })
    };
    [cpu(), calls()]
}

fn warm(record: &Record, variant: &str, name: &str, mean: f64, each: f64) -> Option<Goal> {
    let measure = Measure::CpuMinimum;
    let of = |app: &&str| record.multiple(app, State::Warm, variant, measure);
    let ratios: Vec<f64> = SMALL.iter().map(of).collect::<Option<_>>()?;
    let reached = record.mean_multiple(&SMALL, State::Warm, variant, measure)?;
    let largest = ratios.iter().copied().fold(0.0, f64::max);
    let wall = record.mean_multiple(&SMALL, State::Warm, variant, Measure::WallMedian)?;
    Some(Goal {
        what: format!(
            "warm start {name}, over a plain virtual environment, geometric mean of five"
        ),
        target: format!("≤ {mean:.2}, none above {each:.2}"),
        reached: format!("{reached:.3}, largest {largest:.3} (wall time: {wall:.3})"),
        met: reached <= mean && largest <= each,
    })
}

fn cold(record: &Record) -> Vec<Option<Goal>> {
    let goals = [
        ("cowsay", OURS, 0.06),
        ("scikit-learn", OURS, 0.25),
        ("elasticsearch-curator", OURS, 0.5),
        ("elasticsearch-curator", COMPILED, 0.25),
    ];
    let goal = |(app, variant, target): (&str, &str, f64)| {
        let base = (State::Cold, PEX);
        let ratio = |measure| record.ratio(app, (State::Cold, variant), base, measure);
        let (wall, cpu) = (ratio(Measure::WallMedian)?, ratio(Measure::CpuMinimum)?);
        Some(Goal {
            what: format!("cold start of {app}, {variant}, over pex's default"),
            target: format!("≤ {target:.2}"),
            reached: format!("{wall:.3} (CPU time: {cpu:.3})"),
            met: wall <= target,
        })
    };
    goals.into_iter().map(goal).collect()
}

fn compiled(record: &Record) -> Vec<Option<Goal>> {
    let goal = |app: &&str| {
        let base = (State::Warm, COMPILED);
        let ratio = |measure| record.ratio(app, (State::Cold, COMPILED), base, measure);
        let (wall, cpu) = (ratio(Measure::WallMedian)?, ratio(Measure::CpuMinimum)?);
        Some(Goal {
            what: format!("cold start of {app} with bytecode inside, over its own warm start"),
            target: "≤ 1.6".into(),
            reached: format!("{wall:.2} (CPU time: {cpu:.2})"),
            met: wall <= 1.6,
        })
    };
    ["elasticsearch-curator", "django-admin", "jupyter-nbconvert"]
        .iter()
        .map(goal)
        .collect()
}

fn unpacking(record: &Record) -> Option<Goal> {
    let ratio = |figure: &str| {
        let ours = median(record, "unpacking", &format!("unpacking: {figure} s"))?;
        Some(ours / median(record, "unpacking", &format!("cp -r: {figure} s"))?)
    };
    let (wall, cpu) = (ratio("wall")?, ratio("CPU")?);
    let cpus = record.host.cpus;
    Some(Goal {
        what: "unpacking all wheels of scikit-learn, over `cp -r` of the result on the same disk"
            .into(),
        target: "≤ 1.0 with 2 CPUs".into(),
        reached: format!("{wall:.2} with {cpus} CPUs (CPU time: {cpu:.2})"),
        met: wall <= 1.0,
    })
}

fn shared(record: &Record) -> Option<Goal> {
    let median = |name: &str| median(record, "shared", name);
    let (files, bytes) = (median("alone: files")?, median("alone: bytes")?);
    let after = "after the first";
    let new_files = median(&format!("{after}: files"))?;
    let new_bytes = median(&format!("{after}: bytes"))?;
    let bytecode = median(&format!("{after}: files of bytecode"))?;
    let wall = median(&format!("{after}: wall s"))? / median("alone: wall s")?;
    // Older runs have it among the bytes.
    let pack = median(&format!("{after}: bytes of the launch pack"));
    let pack = pack.map_or(String::new(), |bytes| {
        format!(", and a launch pack of {bytes} bytes")
    });
    Some(Goal {
        what: "a second PEX with all wheels of the first and one more, cold".into(),
        target: "unpacks only what is new".into(),
        reached: format!(
            "{new_files} files, {new_bytes} bytes, instead of {files} files, {bytes} bytes{pack}; {bytecode} modules \
             compiled by Python (wall time: {wall:.2} of the whole)"
        ),
        // The wheel that is new has 35 kB in a handful of files; what a launch keeps for itself comes on top.
        met: new_files <= files / 50.0 && new_bytes <= bytes / 50.0,
    })
}

fn crowd(record: &Record) -> Vec<Option<Goal>> {
    let goal = |app: &&str| {
        let of = |what: &str, figure: &str| {
            median(record, "crowd", &format!("{app}, {what}: {figure} s"))
        };
        let rest = (CROWD - 1) as f64;
        let ratio = |figure: &str, processors: f64| {
            let ideal = of("one cold", figure)? + rest * of("one warm", figure)? / processors;
            Some(of("at once", figure)? / ideal)
        };
        let cpus = record.host.cpus as f64;
        let (wall, cpu) = (ratio("wall", cpus)?, ratio("CPU", 1.0)?);
        Some(Goal {
            what: format!(
                "{CROWD} cold starts of {app} at once, over one cold and {rest} warm ones spread over the CPUs"
            ),
            target: "≤ 1.3".into(),
            reached: format!("{wall:.2} (CPU time: {cpu:.2})"),
            met: wall <= 1.3,
        })
    };
    ["cowsay", "elasticsearch-curator"]
        .iter()
        .map(goal)
        .collect()
}

fn memory(record: &Record) -> Option<Goal> {
    let peaks = record.figure("memory", "peak: MiB")?;
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    let megabytes = median(record, "memory", "file: bytes")? / 1e6;
    let workers = median(record, "memory", "processors")?;
    Some(Goal {
        what: format!("peak anonymous memory of a cold start of {megabytes:.0} MB"),
        target: "≤ 32 MiB per worker".into(),
        reached: format!("{peak:.1} MiB with {workers} workers"),
        met: peak <= 32.0 * workers,
    })
}

fn median(record: &Record, target: &str, name: &str) -> Option<f64> {
    let samples = record.figure(target, name)?;
    Some(Summary::of(samples.iter().copied())?.median)
}
