//! `pexboot embed`: a stub in front of a PEX.

use std::path::PathBuf;

use pexboot_core::seal::Options;

use super::error::CliError;
use super::targets::{self, Target};
use super::warn;
use crate::embed::{Bytecode, EmbedError, Embedded, Scope, Wanted, embed};

/// What `embed` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The PEX: a file, or a packed or loose directory
    pex: PathBuf,
    /// Write here instead of in place; `-` is standard output. A link is replaced, not followed; of a file that is there
    /// owner and mode stay
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For these machines: `x86_64-linux`, `aarch64-linux`, `host` (this one), or `auto` (those that wheels are tagged for;
    /// this one where none is). Of several, each gets a file: `{target}` in the output's name is replaced by the machine's
    #[arg(
        long,
        value_name = "TARGET,...",
        value_delimiter = ',',
        default_value = "host"
    )]
    target: Vec<Target>,
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
    fn bytecode(&self) -> Result<Bytecode, EmbedError> {
        if self.no_compile {
            return Ok(Bytecode::default());
        }
        let wanted = Wanted {
            scope: match self.compile {
                Some(Modules::All) => Scope::All,
                Some(Modules::Imports) | None => Scope::Imports,
            },
            pythons: self.python.clone(),
            venv: self.venv,
        };
        let is_asked_for = self.compile.is_some() || !self.python.is_empty();
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
    let options = Options {
        host_site: (args.host_site || args.no_host_site).then_some(args.host_site),
        venv: args.venv,
    };
    let bytecode = args.bytecode()?;
    let heads = targets::heads(&args.pex, &args.target)?;
    let outputs = targets::outputs(args.output.as_deref(), &heads)?;
    for (head, output) in heads.iter().zip(outputs) {
        let embedded = embed(
            &args.pex,
            output.as_deref(),
            options,
            &bytecode,
            &head.into(),
        )?;
        tell(&embedded, &bytecode);
    }
    Ok(())
}

/// Says what bytecode a result brings.
fn tell(embedded: &Embedded, bytecode: &Bytecode) {
    for made in &bytecode.made {
        warn(&format!(
            "`{}` brings bytecode of {} modules for `{}`, {} kB",
            embedded.path.display(),
            made.modules,
            made.python.display(),
            made.bytes.div_ceil(1000),
        ));
    }
}
