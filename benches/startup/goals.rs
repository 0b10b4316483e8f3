//! The targets that are set for starts, and what a record says of each. Warm starts by minimum CPU time, everything else
//! by medians.

use pexboot::internals::bench::{Align, App, Measure, State, Summary, Table};

use crate::apps::{APPS, SMALL};
use crate::peers::{NO_PACK, OURS, PEX, PYINSTALLER, XAR};
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
            warm(record, NO_PACK, "without the launch pack", 0.92, 1.0),
            warm(record, OURS, "with the launch pack", 0.85, 0.95),
        ])
        .chain(cold(record))
        .chain(own(record))
        .chain(rivals(record))
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
    let goal = |app: &App| {
        let base = (State::Cold, PEX);
        let ratio = |measure| record.ratio(app.name, (State::Cold, OURS), base, measure);
        let (wall, cpu) = (ratio(Measure::WallMedian)?, ratio(Measure::CpuMinimum)?);
        let target = if app.name == "cowsay" { 0.05 } else { 0.32 };
        Some(Goal {
            what: format!("first start of {}, over pex's default", app.name),
            target: format!("≤ {target:.2}"),
            reached: format!("{wall:.3} (CPU time: {cpu:.3})"),
            met: wall <= target,
        })
    };
    APPS.iter().map(goal).collect()
}

/// A first start over the warm ones that follow it.
fn own(record: &Record) -> Vec<Option<Goal>> {
    let goals = [
        ("cowsay", 1.5),
        ("black", 1.45),
        ("jupyter-nbconvert", 1.45),
        ("boto3", 1.45),
        ("elasticsearch-curator", 1.45),
        ("scikit-learn", 1.8),
        ("apache-airflow", 1.8),
        ("django-admin", 2.9),
        ("plotly", 8.0),
    ];
    let goal = |(app, target): (&str, f64)| {
        let base = (State::Warm, OURS);
        let ratio = |measure| record.ratio(app, (State::Cold, OURS), base, measure);
        let (wall, cpu) = (ratio(Measure::WallMedian)?, ratio(Measure::CpuMinimum)?);
        Some(Goal {
            what: format!("first start of {app}, over its own warm start"),
            target: format!("≤ {target:.2}"),
            reached: format!("{wall:.2} (CPU time: {cpu:.2})"),
            met: wall <= target,
        })
    };
    goals.into_iter().map(goal).collect()
}

/// First starts against those who need not unpack, or unpack one file.
fn rivals(record: &Record) -> Vec<Option<Goal>> {
    let goal = |rival: &str, but: &[&str]| {
        let apps = APPS.iter().map(|app| app.name);
        let ratios: Vec<(&str, f64)> = apps
            .filter(|app| !but.contains(app))
            .filter_map(|app| {
                let base = (State::Cold, rival);
                let ratio = record.ratio(app, (State::Cold, OURS), base, Measure::WallMedian)?;
                Some((app, ratio))
            })
            .collect();
        let (app, largest) = ratios
            .iter()
            .max_by(|one, other| one.1.total_cmp(&other.1))?;
        Some(Goal {
            what: format!(
                "first start of all {} but {}, over {rival}'s",
                ratios.len() + but.len(),
                but.join(" and ")
            ),
            target: "≤ 1 in each".into(),
            reached: format!("{largest:.2} at most ({app})"),
            met: *largest <= 1.0,
        })
    };
    vec![
        goal(XAR, &["django-admin", "plotly"]),
        goal(PYINSTALLER, &["plotly"]),
    ]
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
            target: "≤ 1.25".into(),
            reached: format!("{wall:.2} (CPU time: {cpu:.2})"),
            met: wall <= 1.25,
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
