//! `pexboot info`: what a PEX is and what it holds.

use std::fmt::Write as _;
use std::path::PathBuf;

use pexboot_core::hex::hex;
use serde_json::{Value, json};

use super::each::{Input, each};
use super::error::CliError;
use super::json;
use crate::embed::{State, state};
use crate::exit::ExitCode;
use crate::launch::{self, Host, Invocation, host};
use crate::output::stdout;
use crate::pack::Pack;
use crate::pex::{Layout, Pex, PexError, WheelSource};
use crate::shown;

/// What `info` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pexboot info app
  pexboot info --json app | jq -r '.wheels[].name'")]
pub struct Args {
    /// The PEXes, embedded or not; `-` is standard input
    #[arg(required = true, value_name = "PEX")]
    pexes: Vec<PathBuf>,
    /// Ask this Python, a path or a name on PATH. Without it, of the programs that the PEX or an rc file names only those
    /// are run that are Pythons on PATH
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
    /// List the modules of its launch pack
    #[arg(long)]
    modules: bool,
    /// Print one JSON object for each PEX
    #[arg(long)]
    json: bool,
}

/// Prints what there is to say.
pub fn run(args: &Args) -> ExitCode {
    each(&args.pexes, Some("looking at"), |file| tell(args, file))
}

fn tell(args: &Args, file: &Input) -> Result<ExitCode, CliError> {
    let state = state(&file.path)?;
    let host = host(&state.pex.path, args.python.as_deref()).unwrap_or_else(|error| Host {
        refused: Some(error),
        ..Host::default()
    });
    let facts = Facts::of(state, host)?;
    stdout::print(&file.named_so(&if args.json {
        json::text(facts.json())
    } else {
        facts.text(args.modules)
    }));
    Ok(ExitCode::Success)
}

/// Everything that is shown.
struct Facts {
    state: State,
    fingerprint: [u8; 32],
    shebang: Option<String>,
    /// Name, and bytes unpacked (of the wheel file where it comes as one); `None` where it is missing.
    wheels: Vec<(String, Option<u64>)>,
    /// What of this host does not run.
    host: Host,
    /// What a start with this environment imports from, if it was started before.
    pack: Option<Pack>,
}

impl Facts {
    fn of(state: State, host: Host) -> Result<Facts, PexError> {
        let pex = &state.pex;
        let names = pex.info.distributions.iter().map(|(name, _)| name);
        let wheels = names.map(|name| Ok((name.clone(), size_of(pex, name)?)));
        let pack = Invocation::new(&pex.path, Vec::new())
            .ok()
            .and_then(|invocation| launch::planned(&invocation))
            .and_then(|directory| Pack::read(&directory.join("pack")));
        Ok(Facts {
            pack,
            fingerprint: pex.fingerprint()?,
            shebang: pex
                .shebang()?
                .map(|line| String::from_utf8_lossy(&line).trim().to_owned()),
            wheels: wheels.collect::<Result<_, PexError>>()?,
            host,
            state,
        })
    }

    fn json(&self) -> Value {
        let State {
            pex,
            seal,
            size,
            head,
            archive,
            appendix,
            as_sealed,
        } = &self.state;
        let sizes = json!({ "file": size, "head": head, "archive": archive, "appendix": appendix });
        let engine = seal.as_ref().map(|seal| {
            json!({ "sha256": hex(&seal.engine_digest), "size": seal.engine_full_size, "stored": seal.engine_size })
        });
        let wheels = self
            .wheels
            .iter()
            .map(|(name, size)| json!({ "name": name, "size": size }));
        json!({
            "path": pex.path.to_string_lossy(),
            "layout": layout(pex.layout),
            "embedded": seal.is_some(),
            "embedded_by": seal.as_ref().map(|seal| seal.version()),
            "length_as_sealed": as_sealed,
            "fingerprint": hex(&self.fingerprint),
            "shebang": self.shebang,
            "sizes": sizes,
            "engine": engine,
            "host_site": seal.as_ref().and_then(|seal| seal.options.host_site),
            "venv": seal.as_ref().is_some_and(|seal| seal.options.venv),
            "wheels": wheels.collect::<Vec<_>>(),
            "host": self.host(),
            "not_asked": self.host.not_run.iter().map(|program| program.to_string_lossy()).collect::<Vec<_>>(),
            "launch_pack": self.pack.as_ref().map(|pack| {
                let modules = pack.modules.iter();
                let modules = modules.map(|(name, size)| json!({ "name": name, "size": size }));
                json!({ "size": pack.size, "modules": modules.collect::<Vec<_>>() })
            }),
            "pex_info": pex.info.raw,
        })
    }

    fn text(&self, modules: bool) -> String {
        let State { pex, seal, .. } = &self.state;
        let mut lines = Lines(String::new());
        lines.line("pex", &pex.path.to_string_lossy());
        lines.line("layout", layout(pex.layout));
        let embedded = match seal {
            None => "no".to_owned(),
            Some(seal) => {
                let version = seal.version();
                let changed = if self.state.as_sealed {
                    ""
                } else {
                    ", but changed afterwards"
                };
                format!("yes, by pexboot {version}{changed}")
            }
        };
        lines.line("embedded", &embedded);
        if let Some(seal) = seal {
            let head = format!(
                "{} (stub {}, engine {})",
                bytes(self.state.head),
                bytes(seal.stub_size),
                bytes(seal.engine_size)
            );
            lines.line("head", &head);
            let options = [
                (seal.options.host_site == Some(true), "--host-site"),
                (seal.options.host_site == Some(false), "--no-host-site"),
                (seal.options.venv, "--venv"),
            ];
            let options = options.into_iter().filter(|(is_given, _)| *is_given);
            let options: Vec<&str> = options.map(|(_, name)| name).collect();
            if !options.is_empty() {
                lines.line("options", &options.join(" "));
            }
        }
        if pex.layout == Layout::Zipapp {
            lines.line("archive", &bytes(self.state.archive));
        }
        if seal.is_some() && pex.layout == Layout::Zipapp {
            lines.line("appendix", &bytes(self.state.appendix));
        }
        lines.line("fingerprint", &hex(&self.fingerprint));
        if let Some(shebang) = &self.shebang {
            lines.line("shebang", shebang);
        }
        let info = &pex.info;
        if let Some(version) = &info.pex_version {
            lines.line("built by", &format!("pex {version}"));
        }
        if let Some(entry_point) = info.entry_point.as_ref().or(info.script.as_ref()) {
            lines.line("entry point", entry_point);
        }
        let venv = info.venv || seal.as_ref().is_some_and(|seal| seal.options.venv);
        lines.line("mode", if venv { "venv" } else { "zipapp" });
        for (what, values) in [
            ("interpreters", &info.interpreter_constraints),
            ("requirements", &info.requirements),
        ] {
            if !values.is_empty() {
                lines.line(what, &values.join(", "));
            }
        }
        lines.line("wheels", &self.wheels.len().to_string());
        for (name, size) in &self.wheels {
            let size = size.map_or_else(|| "missing".to_owned(), bytes);
            lines.line("", &format!("{name}  {size}"));
        }
        self.host_lines(&mut lines);
        if let Some(pack) = &self.pack {
            let (count, size) = (pack.modules.len(), bytes(pack.size));
            lines.line("launch pack", &format!("{count} modules, {size}"));
            for (name, size) in pack.modules.iter().filter(|_| modules) {
                lines.line("", &format!("{name}  {}", bytes(*size)));
            }
        }
        lines.0
    }

    fn host(&self) -> Value {
        match (&self.host.hooks, &self.host.refused) {
            (_, Some(why)) => json!({ "error": why.to_string() }),
            (Some(hooks), None) => {
                let silent = hooks.found.iter().filter(|_| !hooks.site);
                let silent = silent.map(|(hook, _)| hook.path.to_string_lossy());
                let found = hooks.found.iter();
                let found = found.map(|(hook, _)| {
                    json!({ "path": hook.path.to_string_lossy(), "matters": hook.matters })
                });
                json!({
                    "python": hooks.python.to_string_lossy(),
                    "site": hooks.site,
                    "hooks": found.collect::<Vec<_>>(),
                    "hooks_not_run": silent.collect::<Vec<_>>(),
                })
            }
            (None, None) => Value::Null,
        }
    }

    /// What of this host does not run, and how it would.
    fn host_lines(&self, lines: &mut Lines) {
        if let Some(why) = &self.host.refused {
            let why = why.to_string();
            let why = why.lines().next().unwrap_or_default();
            lines.line("python here", &format!("none: {why}"));
        } else if let Some(hooks) = &self.host.hooks {
            lines.line("python here", &hooks.python.to_string_lossy());
            let matter = hooks.found.iter().filter(|(hook, _)| hook.matters).count();
            let what = match (hooks.found.len(), matter) {
                (0, _) => "none".to_owned(),
                (count, 0) => format!("{count}, without effect on a hermetic PEX"),
                (count, matter) => format!("{matter} of {count} matter"),
            };
            let start = match (hooks.site, hooks.told_by) {
                (true, None) => {
                    "its site runs; `pexboot embed --no-host-site` leaves it out".to_owned()
                }
                (false, None) => "it starts with -S".to_owned(),
                (true, Some(by)) => format!("its site runs: {by} says so"),
                (false, Some(by)) => format!("it starts with -S: {by} says so"),
            };
            lines.line("host hooks", &format!("{what}; {start}"));
            for (hook, outcome) in &hooks.found {
                lines.line("", &format!("{}  {outcome}", hook.path.to_string_lossy()));
            }
        }
        for program in &self.host.not_run {
            let program = program.display();
            let why = "was not run: it is not on PATH; `--python` names it";
            lines.line("not asked", &format!("`{program}` {why}"));
        }
    }
}

fn size_of(pex: &Pex, name: &str) -> Result<Option<u64>, PexError> {
    Ok(match pex.wheel(name) {
        Ok(WheelSource::Chroot { members, .. }) => {
            Some(members.iter().map(|member| member.size).sum())
        }
        Ok(WheelSource::WheelFile { wheel, .. }) => Some(wheel.extent().1),
        Err(PexError::NoWheel { .. }) => None,
        Err(error) => return Err(error),
    })
}

/// Names in one column, values in the next.
struct Lines(String);

impl Lines {
    fn line(&mut self, what: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{what:<13}{}", shown::line(value));
    }
}

fn layout(layout: Layout) -> &'static str {
    match layout {
        Layout::Zipapp => "zipapp",
        Layout::Packed => "packed",
        Layout::Loose => "loose",
    }
}

/// A number of bytes with its digits in threes.
fn bytes(size: u64) -> String {
    let digits = size.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + " bytes"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::testing::{Shape, build, deflated, file, stored};
    use crate::interpreter::Hook;
    use crate::launch::Hooks;

    fn facts() -> (Facts, tempfile::TempDir) {
        let temp = tempfile::tempdir().unwrap();
        let info = r#"{"distributions":{"a-1-py3-none-any.whl":"0","gone-1-py3-none-any.whl":"0"},"entry_point":"m:f\u001b[2J"}"#;
        let members = [
            stored("PEX-INFO", info.as_bytes()),
            deflated(".deps/a-1-py3-none-any.whl/a.py", &[b'x'; 1234]),
        ];
        let shape = Shape {
            prefix: b"#!/usr/bin/env python3\n".to_vec(),
            ..Shape::default()
        };
        let path = file(temp.path(), &build(&members, &shape));
        let hooks = Hooks {
            python: "/p/python3".into(),
            site: true,
            told_by: None,
            found: [("/p/a.pth", false), ("/p/sitecustomize.py", true)]
                .map(|(path, matters)| {
                    let path = path.into();
                    (Hook { path, matters }, "runs")
                })
                .into(),
        };
        let host = Host {
            hooks: Some(hooks),
            refused: None,
            not_run: vec!["/x/helper\u{202e}".into()],
        };
        let facts = Facts::of(state(&path).unwrap(), host);
        (facts.unwrap(), temp)
    }

    #[test]
    fn says_what_a_pex_holds() {
        let (facts, _temp) = facts();
        let text = facts.text(false);
        for line in [
            "layout       zipapp",
            "embedded     no",
            "shebang      /usr/bin/env python3",
            "entry point  m:f\u{fffd}[2J",
            "wheels       2",
            "             a-1-py3-none-any.whl  1,234 bytes",
            "             gone-1-py3-none-any.whl  missing",
            "python here  /p/python3",
            "host hooks   1 of 2 matter; its site runs; `pexboot embed --no-host-site` leaves it out",
            "             /p/sitecustomize.py  runs",
            "not asked    `/x/helper\u{fffd}` was not run: it is not on PATH; `--python` names it",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line:?} in\n{text}"
            );
        }
    }

    #[test]
    fn says_the_same_as_json() {
        let (facts, _temp) = facts();
        let json = facts.json();
        assert_eq!(json["embedded"], false);
        assert_eq!(
            json["wheels"][0],
            json!({ "name": "a-1-py3-none-any.whl", "size": 1234 })
        );
        assert_eq!(json["wheels"][1]["size"], Value::Null);
        assert_eq!(json["pex_info"]["entry_point"], "m:f\u{1b}[2J");
        assert_eq!(json["sizes"]["head"], 0);
        assert_eq!(json["host"]["hooks_not_run"], json!([]));
        assert_eq!(json["host"]["site"], true);
        assert_eq!(
            json["host"]["hooks"][1],
            json!({ "path": "/p/sitecustomize.py", "matters": true })
        );
        assert_eq!(json["not_asked"][0], "/x/helper\u{202e}");
    }
}
