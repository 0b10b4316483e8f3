//! `pexboot cache`: what the root holds, and taking out what is no longer used.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pexboot_core::hex::hex;
use serde_json::{Value, json};

use super::error::CliError;
use super::json;
use super::progress::Progress;
use super::users;
use super::warn;
use crate::output::stdout;
use crate::pex::Pex;
use crate::shown::line;
use crate::store::Store;
use crate::store::upkeep::{Entry, Limits, Pruned};
use crate::variables::Variables;

/// What `cache` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The cache is the one that a start from here would use: PEX_ROOT of the environment, of ~/.pexrc or of /etc/pexrc names \
it, else it is in the user's cache directory. A PEX may name another, and so may a .pexrc beside it: see --for.

Examples:
  pexboot cache ls
  pexboot cache --for ./app path
  pexboot cache prune --older-than 2w --dry-run
  pexboot cache --all-users prune                     as root, in a cron job for a whole machine")]
pub struct Args {
    /// The cache that this PEX would use
    #[arg(long = "for", value_name = "FILE", global = true)]
    pex: Option<PathBuf>,
    /// The cache in `DIR/pexboot`, as PEX_ROOT=DIR and `pexboot warm --root DIR` make it
    #[arg(long, value_name = "DIR", global = true, conflicts_with = "pex")]
    root: Option<PathBuf>,
    /// As root: the cache of each user that has one
    #[arg(long, global = true, conflicts_with_all = ["pex", "root"])]
    all_users: bool,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the applications, how large what they use is and when they were last started
    Ls {
        /// List each entry instead
        #[arg(long)]
        entries: bool,
    },
    /// Tell how much space each kind of entry takes
    Du,
    /// Take out what has not been used for long; what runs is spared
    Prune {
        /// What was not used for this long goes: 30d, 12h, 2w [default: 30d, unless --max-size is given]
        #[arg(long, value_name = "AGE", value_parser = age)]
        older_than: Option<Duration>,
        /// The cache is to be no larger than this: 500M, 2G; what was used longest ago goes
        #[arg(long, value_name = "SIZE", value_parser = size)]
        max_size: Option<u64>,
        /// Say what would go, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// How long what is taken out still lies aside before its space is given back, by a later prune
        #[arg(long, value_name = "AGE", default_value = "10m", value_parser = age)]
        grace: Duration,
    },
    /// Take out everything that does not run, at once
    Clear,
    /// Print where the cache is
    Path,
}

/// After this long unused an entry goes, unless it is said otherwise.
const OLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Does what was asked.
///
/// # Errors
/// When there is no root, or it cannot be read or written.
pub fn run(args: &Args) -> Result<(), CliError> {
    if args.all_users {
        return users::each(args.json);
    }
    let open: Open = match &args.command {
        Command::Prune { .. } | Command::Clear => Store::open,
        Command::Ls { .. } | Command::Du | Command::Path => Store::look,
    };
    let store = match &args.root {
        Some(root) => of_root(root, open)?,
        None => of_starts(args.pex.as_deref(), open)?,
    };
    let now = SystemTime::now();
    let progress = match &args.command {
        Command::Path => None,
        _ => Some(Progress::of("looking through", store.kept()?)),
    };
    let (text, value) = match &args.command {
        Command::Path => (format!("{}\n", line(store.kept()?.display())), json!({})),
        Command::Ls { entries: all } => {
            let found = store.catalogue()?.entries;
            let text = match all {
                true => entries(&found, now),
                false => applications(&found, now),
            };
            let list = found.iter().map(entry_json).collect::<Vec<_>>();
            let total = bytes(found.iter().map(|entry| entry.size).sum());
            let text = format!(
                "{:>8}  {:>10}  {HEADER}\n{text}{:>8}  {total:>10}  on disk, what is shared once\n",
                "used", "size", "total"
            );
            (text, json!({ "entries": list }))
        }
        Command::Du => {
            let found = store.catalogue()?.entries;
            let list = found.iter().map(entry_json).collect::<Vec<_>>();
            (kinds(&found), json!({ "entries": list }))
        }
        Command::Prune {
            older_than,
            max_size,
            dry_run,
            grace,
        } => {
            let limits = Limits {
                older_than: older_than.or(max_size.is_none().then_some(OLD)),
                max_size: *max_size,
                grace: *grace,
                dry_run: *dry_run,
            };
            let pruned = store.prune(&limits)?;
            (told(&pruned, &limits), pruned_json(&pruned, &limits))
        }
        Command::Clear => {
            let limits = Limits {
                older_than: Some(Duration::ZERO),
                ..Limits::default()
            };
            let pruned = store.prune(&limits)?;
            (told(&pruned, &limits), pruned_json(&pruned, &limits))
        }
    };
    drop(progress);
    if args.json {
        let mut value = value;
        value["root"] = json!(store.kept()?.to_string_lossy());
        stdout::print(&json::text(value));
    } else {
        stdout::print(&text);
    }
    Ok(())
}

/// How a store is opened: [`Store::open`], [`Store::look`].
type Open = fn(Option<&OsStr>, &mut dyn FnMut(&str)) -> Store;

/// The store that a start from here would use, one of `pex` if it is given; opened, or only looked at.
///
/// # Errors
/// When `pex` is no PEX.
pub(super) fn of_starts(pex: Option<&Path>, open: Open) -> Result<Store, CliError> {
    let env: Vec<_> = std::env::vars_os().collect();
    let opened = pex.map(Pex::open).transpose()?;
    let pex = pex.map(std::path::absolute).transpose()?;
    let named = Variables::named_root(&env, pex.as_deref());
    let by_info = || Some(OsString::from(opened?.info.pex_root?));
    Ok(open(named.or_else(by_info).as_deref(), &mut warn))
}

/// The store in `DIR/pexboot`, and no other.
///
/// # Errors
/// When that is none.
fn of_root(root: &Path, open: Open) -> Result<Store, CliError> {
    let root = std::path::absolute(root)?;
    // The last of what would be said is which other root is taken; none is.
    let mut why = String::new();
    let store = open(Some(root.as_os_str()), &mut |line| {
        let line = line.rsplit_once("; ").map_or(line, |(why, _)| why);
        why = format!("{line}; ");
    });
    let wanted = root.join("pexboot");
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match canonical(store.kept()?) == canonical(&wanted) {
        true => Ok(store),
        false => Err(CliError::usage(&format!(
            "{why}`{}` cannot be used as a root; nothing was done",
            wanted.display()
        ))),
    }
}

/// An entry for programs.
fn entry_json(entry: &Entry) -> Value {
    let used = entry.used.duration_since(SystemTime::UNIX_EPOCH);
    let files = entry.applications.iter().map(|application| {
        json!({ "name": application.name.to_string_lossy(), "fingerprint": hex(&application.fingerprint) })
    });
    let names: BTreeSet<_> = entry.applications.iter().map(|a| &a.name).collect();
    json!({
        "kind": entry.kind.directory(),
        "name": entry.name.to_string_lossy(),
        "size": entry.size,
        "used": used.map_or(0, |used| used.as_secs()),
        "applications": names.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
    })
}

/// A prune for programs.
fn pruned_json(pruned: &Pruned, limits: &Limits) -> Value {
    let list = |entries: &[Entry]| entries.iter().map(entry_json).collect::<Vec<_>>();
    json!({
        "dry_run": limits.dry_run,
        "gone": list(&pruned.gone),
        "spared": list(&pruned.spared),
        "freed": pruned.freed,
    })
}

/// What the lines of [`applications`] end with.
const HEADER: &str = "fingerprint   application";

/// One line for each application: files of one name and different content are different ones.
fn applications(entries: &[Entry], now: SystemTime) -> String {
    // Bytes and last use of each.
    let mut found: BTreeMap<(String, String), (u64, SystemTime)> = BTreeMap::new();
    for entry in entries {
        let mut rows: Vec<(String, String)> = entry
            .applications
            .iter()
            .map(|found| (line(found.name.display()), hex(&found.fingerprint[..6])))
            .collect();
        if rows.is_empty() {
            rows.push(("(no application)".to_owned(), String::new()));
        }
        for name in rows {
            let (size, used) = found.entry(name).or_insert((0, SystemTime::UNIX_EPOCH));
            *size += entry.size;
            *used = entry.used.max(*used);
        }
    }
    let mut lines = String::new();
    for ((name, fingerprint), (size, used)) in found {
        add(
            &mut lines,
            used,
            now,
            size,
            &format!("{fingerprint:<12}  {name}"),
        );
    }
    lines
}

/// One line for each entry.
fn entries(entries: &[Entry], now: SystemTime) -> String {
    let mut lines = String::new();
    for entry in entries {
        let names: BTreeSet<String> = entry
            .applications
            .iter()
            .map(|found| line(found.name.display()))
            .collect();
        let names: Vec<String> = names.into_iter().collect();
        let name = format!(
            "{}/{}  {}",
            entry.kind.directory(),
            line(entry.name.display()),
            names.join(" ")
        );
        add(&mut lines, entry.used, now, entry.size, name.trim_end());
    }
    lines
}

/// One line for each kind, and their sum.
fn kinds(entries: &[Entry]) -> String {
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        *found.entry(entry.kind.directory()).or_default() += entry.size;
    }
    let total = entries.iter().map(|entry| entry.size).sum();
    let mut lines = String::new();
    for (what, size) in found.into_iter().chain([("total", total)]) {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{:>10}  {what}", bytes(size));
    }
    lines
}

/// What a prune did.
fn told(pruned: &Pruned, limits: &Limits) -> String {
    let now = SystemTime::now();
    let mut lines = match limits.dry_run {
        true => "dry run: nothing is taken out; these would be\n".to_owned(),
        false => String::new(),
    };
    lines += &entries(&pruned.gone, now);
    for entry in &pruned.spared {
        let _ = writeln!(
            lines,
            "in use, spared: {}/{}",
            entry.kind.directory(),
            line(entry.name.display())
        );
    }
    let size: u64 = pruned.gone.iter().map(|entry| entry.size).sum();
    let count = pruned.gone.len();
    let what = if count == 1 { "entry" } else { "entries" };
    let _ = if limits.dry_run {
        writeln!(
            lines,
            "dry run: {count} {what} would be taken out, {}; nothing was",
            bytes(size)
        )
    } else {
        let _ = writeln!(lines, "{count} {what} taken out, {}", bytes(size));
        if pruned.freed < size && limits.grace > Duration::ZERO {
            let _ = writeln!(
                lines,
                "what lies aside is given back by a prune after {}",
                ago(limits.grace)
            );
        }
        writeln!(lines, "{} given back", bytes(pruned.freed))
    };
    lines
}

fn add(lines: &mut String, used: SystemTime, now: SystemTime, size: u64, what: &str) {
    let ago = now
        .duration_since(used)
        .map_or_else(|_| "now".to_owned(), ago);
    let _ = writeln!(lines, "{ago:>8}  {:>10}  {what}", bytes(size));
}

/// How long ago, in the largest unit that fits.
fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A size for people: three digits and a unit.
#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn bytes(size: u64) -> String {
    let mut value = size as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1000.0 {
            let digits = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A number and what follows it.
fn split(text: &str) -> Result<(f64, &str), String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` does not begin with a number"))?;
    Ok((number, unit.trim()))
}

/// Reads `30d`, `12h`, `90m`, `45s`, `2w`; `0`.
fn age(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 7.0 * 86_400.0,
        "" if number == 0.0 => 0.0,
        _ => return Err(format!("`{text}` needs a unit: s, m, h, d or w")),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|error| format!("`{text}`: {error}"))
}

/// Reads `500M`, `2G`, `1.5GiB`, `4096`.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let factor = match unit
        .to_ascii_lowercase()
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 1.0,
        "k" => 1024.0,
        "m" => 1024.0 * 1024.0,
        "g" => 1024.0 * 1024.0 * 1024.0,
        "t" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("`{text}` has an unknown unit: K, M, G or T")),
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; a float's cast saturates"
    )]
    Ok((number * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read() {
        for (text, seconds) in [
            ("45s", 45),
            ("90m", 5400),
            ("1.5h", 5400),
            ("2w", 1_209_600),
            ("0", 0),
        ] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "d",
            "30",
            "1y",
            "-1d",
            "1e400d",
            "99999999999999999999999d",
        ] {
            assert!(age(text).is_err(), "{text}");
        }
        for (text, bytes) in [
            ("4096", 4096),
            ("1k", 1024),
            ("1.5KiB", 1536),
            ("2 MB", 2 << 20),
            ("3g", 3 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "1x", "-1"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_ages_are_shown_short() {
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (150 << 10, "150 KiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
        for (seconds, text) in [(5, "now"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }
}
