//! Why a PEX could not be embedded, or its original not be given back.

use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::exit::ExitCode;
use crate::output::OutputError;
use crate::pex::PexError;

/// Why embedding or stripping failed.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The zip could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The PEX could not be read.
    #[error(transparent)]
    Pex(#[from] PexError),
    /// The system refused.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The result could not be written.
    #[error("{source}{}", instead(source))]
    Output {
        /// Why.
        #[from]
        source: OutputError,
    },
    /// The result was to go to a terminal.
    #[error(
        "standard output is a terminal, which is no place for a PEX; send it to a file or a pipe"
    )]
    Terminal,
    /// Standard output does not take the result.
    #[error("standard output: {0}")]
    Stdout(std::io::Error),
    /// There is nothing to take off.
    #[error("`{}` is not embedded: there is nothing to strip", path.display())]
    NotEmbedded {
        /// The file.
        path: PathBuf,
    },
    /// The archive is no longer what was embedded.
    #[error("`{}` was changed after it was embedded, the original cannot be given back; take the file that was embedded, or build it anew", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Its modules cannot be compiled.
    #[error("`{}` cannot be compiled ahead: {why}", path.display())]
    Compile {
        /// The PEX.
        path: PathBuf,
        /// What stands in the way.
        why: String,
    },
    /// What a run imports cannot be recorded.
    #[error("`{}` cannot be recorded: {why}; leave out --record, or give arguments that let it run to its end", path.display())]
    Record {
        /// The PEX.
        path: PathBuf,
        /// What stands in the way.
        why: String,
    },
    /// A directory has no appendix for bytecode to lie in.
    #[error("`{}` is a PEX directory, which takes no bytecode; leave out --compile, or build the PEX as one file", path.display())]
    DirectoryBytecode {
        /// The directory.
        path: PathBuf,
    },
    /// A virtual environment keeps bytecode of its own.
    #[error("`{}` runs as a virtual environment, which keeps bytecode of its own; leave out --compile", path.display())]
    VenvBytecode {
        /// The PEX.
        path: PathBuf,
    },
    /// A directory cannot be written elsewhere.
    #[error("`{}` is a PEX directory, which is embedded in place; copy it first and leave out the output", path.display())]
    DirectoryOutput {
        /// The directory.
        path: PathBuf,
    },
    /// A directory's `pex` is not what pex puts there.
    #[error("`{}` is neither a link to `__main__.py` nor written by pexboot; move it away", path.display())]
    Starter {
        /// `DIR/pex`.
        path: PathBuf,
    },
    /// PEX-INFO's pex_root does not fit into a seal.
    #[error("`{}`: PEX-INFO's pex_root is longer than 1024 bytes; build the PEX with a shorter --runtime-pex-root", path.display())]
    PexRoot {
        /// The PEX.
        path: PathBuf,
    },
    /// What was written does not read back as it should.
    #[error("`{}`: {what} after embedding; nothing was changed: please report this file", path.display())]
    Check {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It has no wheel of a project for the machine that it is to be embedded for.
    #[error("`{}` has no wheel for {target} of what it requires, only {}; build it for that platform as well (pex --platform, --complete-platform)", path.display(), listed(wheels))]
    NoWheel {
        /// The PEX.
        path: PathBuf,
        /// The machine.
        target: &'static str,
        /// The wheels that there are of the project.
        wheels: Vec<String>,
    },
    /// This command cannot embed for a machine.
    #[error(
        "this pexboot carries no head for {target}, only for {carried}; build one that carries both: `./cross` in the sources, then `PEXBOOT_PARTS=$PWD/target/cross cargo build --release`, or embed on such a machine"
    )]
    NoHead {
        /// The machine.
        target: &'static str,
        /// Those that it can.
        carried: String,
    },
    /// Several results would have one name.
    #[error(
        "{count} targets need an output each; put `{{target}}` into its name: --output 'app-{{target}}.pex'"
    )]
    OneName {
        /// How many targets there are.
        count: usize,
    },
    /// The stub that came with this executable has no seal.
    #[error("this pexboot carries a stub without a seal; install it anew")]
    Stub,
}

/// Names as they stand in a sentence.
fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What else can be done where a stream was meant.
fn instead(error: &OutputError) -> &'static str {
    match error {
        OutputError::Kind { .. } => ", or `-` for standard output",
        OutputError::Io { .. } => "",
    }
}

impl EmbedError {
    /// The exit code of a command that fails by this.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            EmbedError::Archive(error) => error.exit_code(),
            EmbedError::Pex(error) => match error.exit_code() {
                // Nothing is launched: what the original would do with it says nothing.
                ExitCode::Refused => ExitCode::BadFile,
                code => code,
            },
            EmbedError::Io { .. } | EmbedError::Output { .. } | EmbedError::Stdout(_) => {
                ExitCode::Io
            }
            EmbedError::NotEmbedded { .. }
            | EmbedError::Changed { .. }
            | EmbedError::Compile { .. }
            | EmbedError::Record { .. }
            | EmbedError::NoWheel { .. }
            | EmbedError::PexRoot { .. }
            | EmbedError::Starter { .. } => ExitCode::BadFile,
            EmbedError::DirectoryOutput { .. }
            | EmbedError::DirectoryBytecode { .. }
            | EmbedError::VenvBytecode { .. }
            | EmbedError::NoHead { .. }
            | EmbedError::OneName { .. }
            | EmbedError::Terminal => ExitCode::Usage,
            EmbedError::Check { .. } | EmbedError::Stub => ExitCode::Internal,
        }
    }
}
