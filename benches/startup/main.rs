//! `cargo bench --bench startup`: whole processes, cold and warm, against every other way of packing the same wheels,
//! and the other targets that only a whole start can show.
//!
//! Applications and packagers come from the package index at pinned versions and hashes, once, into a cache directory.
//! A variant that cannot be built or does not print what the plain virtual environment prints is left out, and the
//! report says so. Results go to `benches/runs/NAME/`: every sample, then tables and charts made of those alone.

mod apps;
mod charts;
mod documents;
mod goals;
mod mounts;
mod peers;
mod record;
mod starts;
mod tables;
mod targets;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use pexboot::internals::bench::{App, Host, Tools, Workshop};

use peers::{Bench, PEERS, Peer, TOOLS};
use record::Record;

/// Compares how fast applications start, packed in different ways.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench startup --")]
struct Args {
    /// What to do
    #[arg(value_enum, default_value_t = Step::Starts)]
    step: Step,
    /// The run's name, and that of its directory in benches/runs
    #[arg(long, default_value = "latest")]
    name: String,
    /// Keep what a run of that name has already, and go on
    #[arg(long)]
    resume: bool,
    /// Applications by name; `all` for all, `xar` for those of XAR's published table [default: the five small ones;
    /// for `record` and `prepare`: all]
    #[arg(long, value_delimiter = ',')]
    apps: Vec<String>,
    /// Variants by id [default: all]; the plain virtual environment is always there
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Counted warm runs of each variant [default: 17 for small applications, fewer for large ones]
    #[arg(long)]
    rounds: Option<usize>,
    /// Counted cold runs of each variant [default: 4 for small applications, fewer for large ones]
    #[arg(long)]
    cold_rounds: Option<usize>,
    /// Targets by name [default: all]
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Repetitions of what targets measure
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// The Python that everything is made for
    #[arg(long, default_value = "/usr/bin/python3")]
    python: PathBuf,
    /// Where applications are kept [default: pexboot-bench in the user's cache directory]
    #[arg(long)]
    cache: Option<PathBuf>,
    /// The pexboot to measure [default: the one just built]
    #[arg(long)]
    pexboot: Option<PathBuf>,
    /// Passed by cargo; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Whole starts, cold and warm
    Starts,
    /// The targets that starts alone do not tell
    Targets,
    /// A run of record: starts of all applications, then all targets
    Record,
    /// Only build what the other steps need
    Prepare,
    /// Tables and charts of a run anew, and the documents that show them
    Render,
    /// Applications, variants, targets
    List,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/runs");
    let directory = runs.join(&args.name);
    match args.step {
        Step::List => {
            list();
            return Ok(());
        }
        Step::Render => {
            let record = Record::read(&directory)?;
            let record = record.ok_or_else(|| format!("no run `{}`", args.name))?;
            return documents::write(&record, &directory, &args.name);
        }
        _ => {}
    }

    let apps = chosen_apps(&args)?;
    let peers = chosen_peers(&args.peers)?;
    let targets = targets::chosen(&args.targets)?;
    let cache = match &args.cache {
        Some(cache) => std::path::absolute(cache)?,
        None => dirs::cache_dir()
            .ok_or("no cache directory: set HOME or use `--cache`")?
            .join("pexboot-bench"),
    };
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_pexboot"));
    let pexboot = args.pexboot.clone().unwrap_or_else(built);
    eprintln!("everything is kept in {}", cache.display());
    let workshop = Workshop::new(&cache, &args.python, Tools::Locked(TOOLS))?;
    let bench = Bench::new(workshop, pexboot)?;
    if args.step == Step::Prepare {
        starts::prepare(&bench, &apps, &peers);
        return targets::prepare(&bench, &targets);
    }

    let kept = if args.resume {
        Record::read(&directory)?
    } else {
        None
    };
    let mut record = match kept {
        Some(record) => record,
        None => Record::new(Host::here(&cache), &bench.workshop)?,
    };
    let home = cache.display().to_string();
    let hide = [(home.as_str(), "CACHE"), (env!("CARGO_MANIFEST_DIR"), ".")];
    if args.step != Step::Targets {
        let plan = starts::Plan {
            peers: &peers,
            rounds: args.rounds,
            cold_rounds: args.cold_rounds,
        };
        for app in apps {
            if !record.has(app) {
                starts::measure(&bench, app, &plan, &cache, &mut record)?;
                record.write(&directory, &hide)?;
            }
        }
    }
    if args.step != Step::Starts {
        for target in targets {
            if !record.targets.contains_key(target.id) {
                targets::measure(target, &bench, &cache, args.repetitions, &mut record)?;
                record.write(&directory, &hide)?;
            }
        }
    }
    documents::write(&record, &directory, &args.name)?;
    println!("{}", tables::report(&record));
    eprintln!("results: {}", directory.display());
    Ok(())
}

fn list() {
    println!("applications:");
    for app in &apps::APPS {
        println!("  {:24}{} {}", app.name, app.script, app.args.join(" "));
    }
    println!("variants:");
    for peer in &PEERS {
        println!("  {:24}{}", peer.id, peer.name);
    }
    println!("targets:");
    for target in &targets::TARGETS {
        println!("  {:24}{}", target.id, target.what);
    }
}

fn chosen_apps(args: &Args) -> Result<Vec<&'static App>, Box<dyn Error>> {
    let all = || apps::APPS.iter().map(|app| app.name).collect();
    let named: Vec<&str> = args.apps.iter().map(String::as_str).collect();
    let names: Vec<&str> = match named.as_slice() {
        [] if matches!(args.step, Step::Record | Step::Prepare) => all(),
        [] => apps::SMALL.to_vec(),
        ["all"] => all(),
        ["xar"] => apps::XAR.to_vec(),
        names => names.to_vec(),
    };
    names
        .into_iter()
        .map(|name| apps::find(name).ok_or_else(|| unknown("application", name)))
        .collect()
}

fn chosen_peers(ids: &[String]) -> Result<Vec<&'static Peer>, Box<dyn Error>> {
    if let Some(id) = ids
        .iter()
        .find(|id| PEERS.iter().all(|peer| peer.id != **id))
    {
        return Err(unknown("variant", id));
    }
    Ok(PEERS
        .iter()
        .filter(|peer| {
            ids.is_empty() || peer.name == peers::BASELINE || ids.iter().any(|id| id == peer.id)
        })
        .collect())
}

fn unknown(what: &str, name: &str) -> Box<dyn Error> {
    format!("no {what} `{name}`; `list` shows all").into()
}
