//! `pexboot embed`: a stub in front of a PEX.

use std::ffi::OsString;
use std::path::PathBuf;

use pexboot_core::seal::Options;

use super::error::CliError;
use super::warn;
use crate::embed::{Bytecode, EmbedError, Parts, Run, Scope, Wanted, embed};
use crate::parts;

/// What `embed` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The PEX: a file, or a packed or loose directory
    pex: PathBuf,
    /// Write here instead of in place; `-` is standard output. A link is replaced, not followed; of a file that is there
    /// owner and mode stay
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Let the host's site module run, as the original bootstrap does, whatever hooks the host has
    #[arg(long, conflicts_with = "no_host_site")]
    host_site: bool,
    /// Never let it run
    #[arg(long)]
    no_host_site: bool,
    /// Start it in virtual environment mode, whatever it was built as: what runs `sys.executable` has its packages then
    #[arg(long)]
    venv: bool,
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
}

/// The modules that are compiled.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Modules {
    /// Those that the entry point can reach by its imports
    Imports,
    /// Every module of the PEX
    All,
}

impl Args {
    /// The bytecode that is asked for. Where it is not asked for and can't be had, there is none, and a line says why.
    fn bytecode(&self, options: Options, parts: &Parts<'_>) -> Result<Bytecode, EmbedError> {
        if self.no_compile {
            return Ok(Bytecode::default());
        }
        let recorded = match self.record {
            true => Run {
                args: self.args.clone(),
                python: self.python.first().cloned(),
            }
            .imports(&self.pex, options, parts, &mut warn)?,
            false => Vec::new(),
        };
        let wanted = Wanted {
            scope: match self.compile {
                Some(Modules::All) => Scope::All,
                Some(Modules::Imports) | None => Scope::Imports,
            },
            pythons: self.python.clone(),
            venv: self.venv,
            recorded,
        };
        let is_asked_for = self.compile.is_some() || self.record || !self.python.is_empty();
        match Bytecode::compile(&self.pex, &wanted, &mut warn) {
            Err(EmbedError::Compile { path, why }) if !is_asked_for => {
                let path = path.display();
                warn(&format!(
                    "`{path}` gets no bytecode, its first start compiles: {why}"
                ));
                Ok(Bytecode::default())
            }
            Err(EmbedError::DirectoryBytecode { .. } | EmbedError::VenvBytecode { .. })
                if !is_asked_for =>
            {
                Ok(Bytecode::default())
            }
            result => result,
        }
    }
}

/// Embeds the PEX.
///
/// # Errors
/// When that fails; the input is untouched then.
pub fn run(args: &Args) -> Result<(), CliError> {
    let parts = Parts {
        stub: parts::STUB,
        engine: parts::ENGINE,
        engine_full_size: parts::ENGINE_SIZE,
        engine_digest: parts::ENGINE_DIGEST,
    };
    let options = Options {
        host_site: (args.host_site || args.no_host_site).then_some(args.host_site),
        venv: args.venv,
    };
    let bytecode = args.bytecode(options, &parts)?;
    let embedded = embed(
        &args.pex,
        args.output.as_deref(),
        options,
        &bytecode,
        &parts,
    )?;
    for made in &bytecode.made {
        warn(&format!(
            "`{}` brings bytecode of {} modules for `{}`, {} kB",
            embedded.path.display(),
            made.modules,
            made.python.display(),
            made.bytes.div_ceil(1000),
        ));
    }
    Ok(())
}
