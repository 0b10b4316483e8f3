//! `cargo bench --bench startup`: whole processes, cold and warm, against every other way of packing the same wheels.
//!
//! Applications and packagers come from the package index at pinned versions, once, into a cache directory. A variant
//! that cannot be built or does not print what the plain virtual environment prints is left out, and the report says
//! so. Results go to `benches/runs/DATE-MACHINE/`: tables, charts, and every sample.

mod apps;
mod peers;
mod results;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use pexboot::bench::{
    App, Comparison, Machine, Session, Settings, State, Subject, Workshop, today,
};

use peers::{Bench, PEERS, Peer, TOOLS};
use results::{Omission, Results, Size};

/// Compares how fast applications start, packed in different ways.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench startup --")]
struct Args {
    /// Applications by name; `all` for all, `xar` for those of XAR's published table [default: the five small ones]
    #[arg(long, value_delimiter = ',')]
    apps: Vec<String>,
    /// Variants by id [default: all]; the plain virtual environment is always there
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Counted warm runs of each variant
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// Counted cold runs of each variant
    #[arg(long, default_value_t = 7)]
    cold_rounds: usize,
    /// The Python that everything is made for
    #[arg(long, default_value = "/usr/bin/python3")]
    python: PathBuf,
    /// Where applications are kept [default: pexboot-bench in the user's cache directory]
    #[arg(long)]
    cache: Option<PathBuf>,
    /// The pexboot to measure [default: the one just built]
    #[arg(long)]
    pexboot: Option<PathBuf>,
    /// What to call this machine in the results' name
    #[arg(long, default_value = std::env::consts::ARCH)]
    machine: String,
    /// Where results go [default: benches/runs/DATE-MACHINE]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only list applications and variants
    #[arg(long)]
    list: bool,
    /// Passed by cargo; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let apps = chosen_apps(&args.apps)?;
    let peers = chosen_peers(&args.peers)?;
    if args.list {
        apps::APPS
            .iter()
            .for_each(|app| println!("{:24}{} {}", app.name, app.script, app.args.join(" ")));
        PEERS
            .iter()
            .for_each(|peer| println!("{:24}{}", peer.id, peer.name));
        return Ok(());
    }
    let cache = match args.cache {
        Some(cache) => std::path::absolute(cache)?,
        None => dirs::cache_dir()
            .ok_or("no cache directory: set HOME or use `--cache`")?
            .join("pexboot-bench"),
    };
    let pexboot = args
        .pexboot
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pexboot")));
    eprintln!("tools: {} in {}", TOOLS.join(", "), cache.display());
    let bench = Bench {
        workshop: Workshop::new(&cache, &args.python, &TOOLS)?,
        pexboot,
    };

    let scratch = tempfile::Builder::new()
        .prefix("scratch-")
        .tempdir_in(&cache)?;
    let mut session = Session::new(scratch.path(), bench.workshop.environment());
    let mut results = Results::new(
        Machine::here(scratch.path()),
        &bench.workshop,
        &cache,
        args.rounds,
        args.cold_rounds,
    )?;
    for app in &apps {
        let subjects = cast(&bench, app, &peers, &mut session, &mut results)?;
        for (state, runs) in [(State::Cold, args.cold_rounds), (State::Warm, args.rounds)] {
            let settings = Settings {
                runs,
                warmup: 1,
                exit_code: Some(0),
            };
            let mut progress = |done: usize, all: usize| {
                eprintln!("{} {}: round {done} of {all}", app.name, state.name())
            };
            let series = session.measure(state, &subjects, settings, &mut progress)?;
            results.comparisons.push(Comparison {
                title: app.name.to_owned(),
                state,
                baseline: 0,
                series,
            });
        }
    }

    let out = args.out.unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("benches/runs")
            .join(format!("{}-{}", today(), args.machine))
    });
    results.write(&out)?;
    println!("{}", results.markdown());
    eprintln!("results: {}", out.display());
    Ok(())
}

/// The variants of `app` that can be built and do what the first, the plain virtual environment, does.
fn cast(
    bench: &Bench,
    app: &App,
    peers: &[&Peer],
    session: &mut Session,
    results: &mut Results,
) -> Result<Vec<Subject>, Box<dyn Error>> {
    let mut subjects = Vec::new();
    for peer in peers {
        eprintln!("{}: {}", app.name, peer.name);
        match peer.subject(bench, app) {
            Ok(subject) => subjects.push(subject),
            Err(error) if subjects.is_empty() => return Err(error.into()),
            Err(error) => results
                .omissions
                .push(Omission::new(app, peer.name, &error)),
        }
    }
    let verdicts = session.audition(&subjects, Some(0))?;
    let mut kept = Vec::new();
    for (subject, verdict) in subjects.into_iter().zip(verdicts) {
        match verdict {
            Ok(()) => {
                results.sizes.push(Size::of(app, &subject)?);
                kept.push(subject);
            }
            Err(error) => results
                .omissions
                .push(Omission::new(app, &subject.name, &error)),
        }
    }
    results.wheels.push((app.name, bench.workshop.wheels(app)?));
    Ok(kept)
}

fn chosen_apps(names: &[String]) -> Result<Vec<App>, Box<dyn Error>> {
    let names: Vec<&str> = match names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => apps::DEFAULT.to_vec(),
        ["all"] => apps::APPS.iter().map(|app| app.name).collect(),
        ["xar"] => apps::XAR.to_vec(),
        names => names.to_vec(),
    };
    let find = |name: &str| apps::APPS.into_iter().find(|app| app.name == name);
    names
        .into_iter()
        .map(|name| find(name).ok_or_else(|| unknown("application", name)))
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
    format!("no {what} `{name}`; `--list` shows all").into()
}
