//! `pexboot embed`: a stub in front of a PEX.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pexboot_core::seal::Options;
use serde_json::json;

use super::each::{Input, STDIN, each};
use super::error::CliError;
use super::json;
use super::surprise;
use super::targets::{self, Target};
use super::warn;
use crate::embed::{
    Bytecode, Choice, EmbedError, Embedded, Parts, Remembered, Run, Scope, Wanted, embed,
    remembered, would_change,
};
use crate::exit::ExitCode;
use crate::output::stdout;
use crate::parts::OWN;
use crate::pex::Pex;

/// What `embed` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Embedding again keeps --host-site, --no-host-site, --venv, --target and what --compile, --no-compile and --python said, \
unless one of them is given, and says so.

Examples:
  pexboot embed dist/app.pex                         in place
  pexboot embed app.pex -o app                       beside it
  pexboot embed dist/*.pex                           many
  pex cowsay -c cowsay -o - | pexboot embed - > app  in a pipe
  pexboot embed --check dist/*.pex                   in CI: exit 1 if one is not embedded, or otherwise")]
pub struct Args {
    /// The PEXes: files, or packed or loose directories; `-` is standard input
    #[arg(required = true, value_name = "PEX")]
    pexes: Vec<PathBuf>,
    /// Write here instead of in place; `-` is standard output, as it is for a PEX from standard input. A link is
    /// replaced, not followed; of a file that is there owner and mode stay
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write nothing; end with 1 where a file is not embedded by this version with these options, and name it
    #[arg(long, conflicts_with = "output")]
    check: bool,
    /// Say nothing of what went well
    #[arg(short, long)]
    quiet: bool,
    /// Print one JSON object for each PEX
    #[arg(long)]
    json: bool,
    /// For these machines: `x86_64-linux`, `aarch64-linux`, `host` (this one; the default), or `auto` (those that wheels are
    /// tagged for; this one where none is). Of several, each gets a file: `{target}` in the output's name is replaced by the
    /// machine's
    #[arg(long, value_name = "TARGET,...", value_delimiter = ',')]
    target: Vec<Target>,
    /// Let the host's site module run, as the original bootstrap does, whatever hooks the host has
    #[arg(long, conflicts_with = "no_host_site")]
    host_site: bool,
    /// Never let it run
    #[arg(long)]
    no_host_site: bool,
    /// Start it in virtual environment mode, whatever it was built as: what runs `sys.executable` has its packages then
    #[arg(long, conflicts_with = "no_venv")]
    venv: bool,
    /// Start it in the mode that it was built for
    #[arg(long)]
    no_venv: bool,
    /// Bring bytecode of these modules, so that a first start has nothing to compile: those that the entry point can reach
    /// by its imports, or all. Unless told, `imports` where a Python on PATH would run the PEX, else none
    #[arg(long, value_name = "MODULES", num_args = 0..=1, require_equals = true, default_missing_value = "imports")]
    compile: Option<Modules>,
    /// Bring no bytecode
    #[arg(long, conflicts_with_all = ["compile", "python"])]
    no_compile: bool,
    /// Bring bytecode for these Pythons: paths, or names on PATH; may be given several times
    #[arg(long, value_name = "PYTHON,...", value_delimiter = ',')]
    python: Vec<String>,
    /// Run the application once, with the arguments behind `--`, and bring bytecode of what it imports as well
    #[arg(long, conflicts_with = "no_compile")]
    record: bool,
    /// The arguments of that run
    #[arg(last = true, requires = "record", value_name = "ARG")]
    args: Vec<OsString>,
    /// Keep no option of an earlier embedding
    #[arg(long)]
    forget: bool,
}

/// The modules that are compiled.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Modules {
    /// Those that the entry point can reach by its imports
    Imports,
    /// Every module of the PEX
    All,
}

/// What a PEX is embedded with.
struct Settled {
    options: Options,
    choice: Choice,
    /// The machine of an earlier embedding, where none is named.
    target: Option<&'static str>,
    /// The options that an earlier embedding had, and that count again.
    kept: Vec<String>,
}

/// What is told of a result.
struct Told<'a> {
    bytecode: &'a Bytecode,
    settled: &'a Settled,
    surprises: &'a [String],
    target: &'static str,
}

impl Args {
    /// The options, those of an earlier embedding where nothing else is said.
    fn settle(&self, before: Option<Remembered>) -> Settled {
        let before = before.filter(|_| !self.forget);
        let told = self.told();
        let mut kept = Vec::new();
        let old = before
            .as_ref()
            .map(|before| before.options)
            .unwrap_or_default();
        let host_site = match (self.host_site, self.no_host_site) {
            (false, false) => {
                kept.extend(old.host_site.map(|runs| match runs {
                    true => "--host-site".to_owned(),
                    false => "--no-host-site".to_owned(),
                }));
                old.host_site
            }
            (runs, _) => Some(runs),
        };
        let venv = match (self.venv, self.no_venv) {
            (false, false) => {
                kept.extend(old.venv.then(|| "--venv".to_owned()));
                old.venv
            }
            (venv, _) => venv,
        };
        let target = before.as_ref().and_then(|before| before.target);
        let target = target.filter(|_| self.target.is_empty());
        if let Some(target) = target.filter(|target| *target != OWN.target) {
            kept.push(format!("--target={target}"));
        }
        let choice = match (told, before) {
            (Choice::Auto, Some(before)) => {
                kept.extend(words(&before.choice));
                before.choice
            }
            (told, _) => told,
        };
        Settled {
            options: Options { host_site, venv },
            choice,
            target,
            kept,
        }
    }

    /// The bytecode that this command line asks for.
    fn told(&self) -> Choice {
        let scope = match self.compile {
            Some(Modules::All) => Scope::All,
            Some(Modules::Imports) | None => Scope::Imports,
        };
        match (
            self.no_compile,
            self.compile.is_some() || self.record || !self.python.is_empty(),
        ) {
            (true, _) => Choice::None,
            (false, true) => Choice::Of(scope, self.python.clone()),
            (false, false) => Choice::Auto,
        }
    }

    fn embed(&self, file: &Input) -> Result<ExitCode, CliError> {
        let settled = self.settle(remembered(&file.path)?);
        self.tell_kept(file, &settled);
        let heads = targets::heads(&file.path, &self.target, settled.target)?;
        let stdout_named = Path::new(STDIN);
        let output = self.output.as_deref();
        let output = output.or_else(|| file.is_stdin().then_some(stdout_named));
        let outputs = targets::outputs(output, &heads)?;
        let recorded = match self.record {
            true => Run {
                args: self.args.clone(),
                python: self.python.first().cloned(),
            }
            .imports(&file.path, settled.options, &Parts::from(&OWN), &mut warn)?,
            false => Vec::new(),
        };
        let bytecode = bytecode(file, &settled, recorded)?;
        if self.check {
            // One: several would have one name.
            let mut changes = false;
            for head in &heads {
                changes |= would_change(&file.path, settled.options, &bytecode, &head.into())?;
            }
            return Ok(self.checked(file, changes));
        }
        let pex = Pex::open(&file.path)?;
        let any = surprise::of_any(&pex);
        let say = |surprise: &String| warn(&format!("`{}` {surprise}", file.shown(&file.path)));
        any.iter().for_each(say);
        for (head, output) in heads.iter().zip(outputs) {
            let output = output.as_deref();
            let own = surprise::of_target(&pex, head.target);
            own.iter().for_each(say);
            let surprises: Vec<String> = own.into_iter().chain(any.iter().cloned()).collect();
            let embedded = embed(&file.path, output, settled.options, &bytecode, &head.into())?;
            let told = Told {
                bytecode: &bytecode,
                settled: &settled,
                surprises: &surprises,
                target: head.target,
            };
            self.tell(file, output, &embedded, &told);
        }
        Ok(ExitCode::Success)
    }

    /// Says which options of an earlier embedding count again.
    fn tell_kept(&self, file: &Input, settled: &Settled) {
        if !settled.kept.is_empty() && !self.check && !self.quiet {
            warn(&format!(
                "`{}` keeps {} of its earlier embedding; `--forget` does not",
                file.shown(&file.path),
                settled.kept.join(" ")
            ));
        }
    }

    fn checked(&self, file: &Input, changes: bool) -> ExitCode {
        let path = file.shown(&file.path);
        if self.json {
            let value = json!({ "path": path, "embedded_so": !changes });
            stdout::print(&json::text(value));
        }
        if !changes {
            return ExitCode::Success;
        }
        warn(&format!(
            "`{path}` is not embedded by this version ({}) with these options: run `pexboot embed` on it",
            env!("CARGO_PKG_VERSION")
        ));
        ExitCode::Refused
    }

    fn tell(&self, file: &Input, output: Option<&Path>, embedded: &Embedded, told: &Told<'_>) {
        let Told {
            bytecode,
            settled,
            surprises,
            target,
        } = told;
        // By the name that the user knows.
        let named = output.unwrap_or(&file.path);
        let path = file.shown(named);
        if self.json {
            let made = bytecode.made.iter().map(|made| {
                json!({ "python": made.python.to_string_lossy(), "modules": made.modules, "size": made.bytes })
            });
            let value = json!({
                "path": path,
                "fingerprint": pexboot_core::hex::hex(&embedded.seal.fingerprint),
                "size": embedded.seal.file_size,
                "target": target,
                "host_site": settled.options.host_site,
                "venv": settled.options.venv,
                "compile": settled.choice.text(),
                "kept": settled.kept,
                "bytecode": made.collect::<Vec<_>>(),
                "warnings": surprises,
            });
            stdout::print(&json::text(value));
        } else if !self.quiet {
            let mut text = format!("`{path}` is embedded");
            for made in &bytecode.made {
                text += &format!(
                    "; brings bytecode of {} modules for `{}`, {} kB",
                    made.modules,
                    made.python.display(),
                    made.bytes.div_ceil(1000)
                );
            }
            warn(&text);
        }
    }
}

/// The bytecode that is asked for. Where it is not asked for and can't be had, there is none, and a line says why.
fn bytecode(
    file: &Input,
    settled: &Settled,
    recorded: Vec<String>,
) -> Result<Bytecode, EmbedError> {
    let choice = settled.choice.clone();
    let (scope, pythons, is_asked_for) = match &choice {
        Choice::None => {
            return Ok(Bytecode::default().asked(choice));
        }
        Choice::Auto => (Scope::Imports, Vec::new(), false),
        Choice::Of(scope, pythons) => (*scope, pythons.clone(), true),
    };
    let wanted = Wanted {
        scope,
        pythons,
        venv: settled.options.venv,
        recorded,
    };
    let bytecode = match Bytecode::compile(&file.path, &wanted, &mut warn) {
        Err(EmbedError::Compile { path, why }) if !is_asked_for => {
            warn(&format!(
                "`{}` gets no bytecode, its first start compiles: {why}",
                file.shown(&path)
            ));
            Bytecode::default()
        }
        Err(EmbedError::DirectoryBytecode { .. } | EmbedError::VenvBytecode { .. })
            if !is_asked_for =>
        {
            Bytecode::default()
        }
        result => result?,
    };
    Ok(bytecode.asked(choice))
}

/// A choice as it would be given.
fn words(choice: &Choice) -> Option<String> {
    match choice {
        Choice::Auto => None,
        Choice::None => Some("--no-compile".to_owned()),
        Choice::Of(scope, pythons) => {
            let scope = match scope {
                Scope::Imports => "--compile",
                Scope::All => "--compile=all",
            };
            let pythons = pythons.iter().map(|python| format!(" --python={python}"));
            Some(scope.to_owned() + &pythons.collect::<String>())
        }
    }
}

/// Embeds the PEXes.
///
/// # Errors
/// When one output is named for many, or two results would go to standard output.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    one_output(&args.pexes, args.output.as_deref())?;
    let stdin = args.pexes.iter().any(|pex| pex == Path::new(STDIN));
    let to_stdout = args.output.as_deref() == Some(Path::new(STDIN));
    if args.json && (to_stdout || stdin && args.output.is_none() && !args.check) {
        return Err(CliError::usage(
            "`--json` and the PEX would both go to standard output; name a file with `-o`",
        ));
    }
    Ok(each(&args.pexes, Some("embedding"), |file| {
        args.embed(file)
    }))
}

/// Refuses one output for many files.
///
/// # Errors
/// That.
pub(super) fn one_output(pexes: &[PathBuf], output: Option<&Path>) -> Result<(), CliError> {
    match (pexes.len(), output) {
        (2.., Some(_)) => Err(CliError::usage(
            "`-o` names one file for several PEXes; leave it out, each is changed in place",
        )),
        _ => Ok(()),
    }
}
