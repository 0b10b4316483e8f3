//! A record as people read it. Warm starts are compared by CPU time, the steadier figure where every run does the same;
//! cold ones by wall time, since work that is spread over processors is meant to.

use std::fmt::Write as _;

use pexboot::internals::bench::{Align, Measure, State, Table, comparison_table, milliseconds};

use crate::apps;
use crate::goals;
use crate::peers::{BASELINE, OURS, PEERS, PEX, XAR};
use crate::record::Record;

/// The whole report.
pub fn report(record: &Record) -> String {
    let mut text = format!(
        "# Starts, measured\n\n{}\n\n## Targets\n\n{}\n",
        conditions(record),
        goals::table(record).to_markdown()
    );
    for (title, table) in [
        ("Warm starts, small applications", warm(record, true)),
        ("Warm starts, large applications", warm(record, false)),
        ("Cold starts, small applications", cold(record, true)),
        ("Cold starts, large applications", cold(record, false)),
        ("In the form of XAR's published table", xar(record)),
        ("Size in bytes", sizes(record)),
        ("Left out", omissions(record)),
        (
            "Everything",
            comparison_table(&record.comparisons).to_markdown(),
        ),
    ] {
        if !table.is_empty() {
            let _ = write!(text, "## {title}\n\n{}\n", table.trim_end_matches('\n'));
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What the figures hold for.
pub fn conditions(record: &Record) -> String {
    let tools = record.tools.join(", ").replace("==", " ");
    format!(
        "pexboot {}; {tools}. {}. {}. {} Variants interleaved in a new random order each round, environment padded at \
         random, same output and exit code every time. Cold: everything that is cached in directories that never \
         existed before; files in the kernel's page cache.",
        record.version,
        record.host.line(),
        record.python,
        rounds(record),
    )
}

/// How many samples there are.
fn rounds(record: &Record) -> String {
    let of = |state: State| {
        let comparisons = record.comparisons.iter().filter(|one| one.state == state);
        let counts: Vec<usize> = comparisons
            .filter_map(|one| Some(one.series.first()?.samples.len()))
            .collect();
        match (counts.iter().min(), counts.iter().max()) {
            (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
            (Some(count), _) => count.to_string(),
            _ => "no".to_owned(),
        }
    };
    format!(
        "{} warm and {} cold runs of each variant.",
        of(State::Warm),
        of(State::Cold)
    )
}

/// The applications of one kind that were measured, in the order of the list.
fn measured(record: &Record, small: bool) -> Vec<&'static str> {
    let there = record.apps();
    apps::APPS
        .iter()
        .map(|app| app.name)
        .filter(|name| there.contains(name) && apps::SMALL.contains(name) == small)
        .collect()
}

/// Ratios to the plain virtual environment: of minimum CPU time, in brackets of median wall time.
pub fn warm(record: &Record, small: bool) -> String {
    let apps = measured(record, small);
    if apps.is_empty() {
        return String::new();
    }
    let heading = |name: &&str| {
        let baseline = record.series(name, State::Warm, BASELINE);
        let wall = baseline.map(|series| milliseconds(series.wall().median));
        format!("{} ({} ms)", command(name), wall.as_deref().unwrap_or("–"))
    };
    let headings: Vec<String> = apps.iter().map(heading).collect();
    let mut table = columns(&headings, &["geometric mean"]);
    for peer in PEERS.iter().filter(|peer| peer.name != BASELINE) {
        let cell = |name: &&str| {
            let ratio = |measure| record.multiple(name, State::Warm, peer.name, measure);
            Some(format!(
                "{:.2} ({:.2})",
                ratio(Measure::CpuMinimum)?,
                ratio(Measure::WallMedian)?
            ))
        };
        let cells: Vec<Option<String>> = apps.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            let mean = |measure| record.mean_multiple(&apps, State::Warm, peer.name, measure);
            let mean = mean(Measure::CpuMinimum)
                .zip(mean(Measure::WallMedian))
                .map(|(cpu, wall)| format!("{cpu:.2} ({wall:.2})"));
            let cells = cells.into_iter().chain([mean]).map(or_dash);
            table.row([shown(peer.name)].into_iter().chain(cells));
        }
    }
    format!(
        "Minimum CPU time as a ratio to the console script in a plain virtual environment (in brackets: median wall time; \
         in the heading: that of the virtual environment).\n\n{}",
        table.to_markdown()
    )
}

/// Median wall time in ms, in brackets as a ratio to the PEX as pex builds it.
pub fn cold(record: &Record, small: bool) -> String {
    let apps = measured(record, small);
    if apps.is_empty() {
        return String::new();
    }
    let headings: Vec<String> = apps.iter().map(|name| command(name)).collect();
    let mut table = columns(&headings, &[]);
    for peer in &PEERS {
        let cell = |name: &&str| {
            let series = record.series(name, State::Cold, peer.name)?;
            let wall = milliseconds(series.wall().median);
            let to = (State::Cold, PEX);
            let ratio = record.ratio(name, (State::Cold, peer.name), to, Measure::WallMedian);
            Some(match ratio {
                Some(ratio) => format!("{wall} ({ratio:.2})"),
                None => wall,
            })
        };
        let cells: Vec<Option<String>> = apps.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            table.row(
                [shown(peer.name)]
                    .into_iter()
                    .chain(cells.into_iter().map(or_dash)),
            );
        }
    }
    format!(
        "Median wall time in ms (in brackets: as a ratio to the PEX as pex builds it).\n\n{}",
        table.to_markdown()
    )
}

/// Size, cold and hot start of three applications, native, as PEX, as XAR and embedded; percentages are against the PEX.
pub fn xar(record: &Record) -> String {
    let mut table = Table::new([
        ("Console script", Align::Left),
        ("Size", Align::Right),
        ("Cold start time", Align::Right),
        ("Hot start time", Align::Right),
        ("published for XAR", Align::Left),
    ]);
    let mut rows = 0;
    for name in apps::XAR {
        for (peer, suffix) in [
            (BASELINE, " (native)"),
            (PEX, ".pex"),
            (XAR, ".xar"),
            (OURS, " (pexboot)"),
        ] {
            let size = |variant: &str| {
                let find =
                    |size: &&crate::record::Size| size.app == name && size.variant == variant;
                Some(record.sizes.iter().find(find)?.bytes as f64)
            };
            let wall = |state: State, variant: &str| {
                Some(record.series(name, state, variant)?.wall().median)
            };
            let Some(bytes) = size(peer) else { continue };
            let is_compared = peer == XAR || peer == OURS;
            let against = |value: f64, pex: Option<f64>| match pex {
                Some(pex) if is_compared => format!(" ({:+.0}%)", (value / pex - 1.0) * 100.0),
                _ => String::new(),
            };
            let time = |state: State| match wall(state, peer) {
                Some(value) => format!("{value:.3} s{}", against(value, wall(state, PEX))),
                None => "–".to_owned(),
            };
            let times = [State::Cold, State::Warm].map(time);
            let first = format!("{name}{suffix}");
            let size = format!("{bytes} B{}", against(bytes, size(PEX)));
            let published = if peer == XAR { published(name) } else { "" };
            let last = [published.to_owned()];
            table.row([first, size].into_iter().chain(times).chain(last));
            rows += 1;
        }
    }
    if rows == 0 {
        String::new()
    } else {
        table.to_markdown()
    }
}

/// What XAR's README says of these against PEX files of 2018: size, cold, hot.
fn published(app: &str) -> &'static str {
    match app {
        "django-admin" => "-36%, -92%, -84%",
        "black" => "-55%, -67%, -65%",
        "jupyter-nbconvert" => "+1%, -90%, -83%",
        _ => "",
    }
}

fn sizes(record: &Record) -> String {
    let apps = record.apps();
    let headings: Vec<String> = apps.iter().map(|&app| app.to_owned()).collect();
    let mut table = columns(&headings, &[]);
    for peer in &PEERS {
        let find = |app: &&str| {
            let mut sizes = record.sizes.iter();
            let size = sizes.find(|size| size.app == **app && size.variant == peer.name)?;
            Some(size.bytes.to_string())
        };
        let cells: Vec<Option<String>> = apps.iter().map(find).collect();
        if cells.iter().any(Option::is_some) {
            table.row(
                [peer.name.to_owned()]
                    .into_iter()
                    .chain(cells.into_iter().map(or_dash)),
            );
        }
    }
    table.to_markdown()
}

fn omissions(record: &Record) -> String {
    let mut lines = String::new();
    for one in &record.omissions {
        let _ = writeln!(lines, "- {}, {}: {}", one.app, one.variant, one.why);
    }
    lines
}

/// An application's command as users type it.
fn command(name: &str) -> String {
    let Some(app) = apps::find(name) else {
        return name.to_owned();
    };
    if app.code.is_some() {
        return name.to_owned();
    }
    let words = [app.script].into_iter().chain(app.args.iter().copied());
    words.collect::<Vec<_>>().join(" ")
}

/// A variant's name; ours stand out.
fn shown(variant: &str) -> String {
    if variant.starts_with(OURS) {
        format!("**{variant}**")
    } else {
        variant.to_owned()
    }
}

fn columns(headings: &[String], more: &[&str]) -> Table {
    let headings = headings.iter().map(String::as_str);
    let right = headings
        .chain(more.iter().copied())
        .map(|heading| (heading, Align::Right));
    Table::new([("", Align::Left)].into_iter().chain(right))
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "–".to_owned())
}
