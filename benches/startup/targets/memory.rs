//! Peak anonymous memory of the launcher in a cold start of a PEX of 500 MB: what it holds itself, not what the kernel
//! keeps of files for as long as it likes. Looked at again and again until Python is in its place.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use pexboot::internals::bench::{Subject, embed, execute, plain};

use super::{Stage, app, figures};
use crate::peers::{Bench, extra};
use crate::record::Figures;

/// Wheels that hardly compress: eight of 62 MB, in members of up to 48 MB, and a module that says how many it finds.
const WHEELS: &str = r#"import random, sys, zipfile
directory = sys.argv[1]
source = random.Random(500)
def wheel(name, files, scripts=""):
    info = f"{name}-1.0.dist-info/"
    files[info + "METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files[info + "WHEEL"] = "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[info + "entry_points.txt"] = scripts
    files[info + "RECORD"] = "".join(f"{file},,\n" for file in [*files, info + "RECORD"])
    with zipfile.ZipFile(f"{directory}/{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for file, content in files.items():
            out.writestr(file, content)
for number in range(8):
    name = f"ballast{number}"
    sizes = [48 << 20] + [1 << 20] * 8 + [64 << 10] * 96
    wheel(name, {f"{name}/{at}.bin": source.randbytes(size) for at, size in enumerate(sizes)} | {f"{name}/__init__.py": ""})
code = "import importlib\ndef main():\n    print(len([importlib.import_module(f'ballast{n}') for n in range(8)]))\n"
wheel("ballast", {"ballast.py": code}, "[console_scripts]\nballast = ballast:main\n")
"#;

/// The PEX, embedded.
pub fn ballast(bench: &Bench) -> Result<PathBuf, Box<dyn Error>> {
    let workshop = &bench.workshop;
    // Kept beside the smallest application, for want of one of its own.
    let home = app("cowsay");
    let pex = extra(bench, home, "ballast.pex", |out| {
        let wheels = out.with_extension("wheels");
        fs::create_dir(&wheels).map_err(|source| pexboot::internals::bench::BenchError::Io {
            path: wheels.clone(),
            source,
        })?;
        execute(plain(workshop.python(), ["-c", WHEELS]).arg(&wheels))?;
        let mut command = plain(&workshop.tool("pex"), ["ballast"]);
        command.args((0..8).map(|number| format!("ballast{number}")));
        command.args(["--no-pypi", "--find-links"]).arg(&wheels);
        command.arg("--python").arg(workshop.python());
        command.args(["--console-script", "ballast"]);
        let root = out.with_extension("root");
        execute(
            command
                .arg("--pex-root")
                .arg(root)
                .arg("--output-file")
                .arg(out),
        )
    })?;
    let name = format!("ballast-{}", bench.build);
    Ok(extra(bench, home, &name, |out| {
        embed(&bench.pexboot, &pex, out, &[])
    })?)
}

/// Peak MiB of each start; the file's size and the number of processors.
pub fn measure(stage: &mut Stage) -> Result<Figures, Box<dyn Error>> {
    let file = ballast(stage.bench)?;
    let bytes = fs::metadata(&file)?.len();
    let subject = Subject::new("ballast", file, &[]);
    let mut peaks = Vec::new();
    for _ in 0..stage.repetitions.min(3) {
        let place = stage.session.new_place()?;
        let kib = peak(stage, &subject, &place)?;
        peaks.push(kib as f64 / 1024.0);
    }
    let cpus = std::thread::available_parallelism()?.get();
    Ok(figures([
        ("peak: MiB", peaks),
        ("file: bytes", vec![bytes as f64]),
        ("processors", vec![cpus as f64]),
    ]))
}

/// The most anonymous memory that was seen before Python, in KiB.
fn peak(stage: &mut Stage, subject: &Subject, place: &Path) -> Result<u64, Box<dyn Error>> {
    let mut command = stage.session.command(subject, place);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        let name = program.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with("python") {
            break;
        }
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let anonymous = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        peak = peak.max(anonymous.unwrap_or(0));
        // A thousand times a second; a start takes seconds.
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let status = child.wait()?;
    if status.success() {
        Ok(peak)
    } else {
        Err(format!("a start ended with {status}").into())
    }
}
