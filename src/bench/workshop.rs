//! The bench's workshop: applications from the package index at pinned versions, as wheels, as a virtual environment
//! and as PEXes, all made by one interpreter and kept in a cache directory.
//!
//! pip resolves an application once; whatever is made of it later takes those very wheels, so that all variants run
//! the same code.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::toolbox::{PythonEnvironment, execute, once, plain, write};
use super::{BenchError, Environment};

/// The pex whose PEXes are measured: the newest when this was written.
pub const PEX: &str = "pex==2.105.2";

/// An application to start.
#[derive(Debug, Clone, Copy)]
pub struct App {
    /// Its name in reports.
    pub name: &'static str,
    /// What pip installs, pinned.
    pub requirements: &'static [&'static str],
    /// These and all they need, one `NAME==VERSION --hash=...` a line; without it, pip decides about the rest.
    pub lock: Option<&'static str>,
    /// Its console script; every variant's file has this name, since applications print it.
    pub script: &'static str,
    /// Arguments that make it start, do next to nothing and succeed.
    pub args: &'static [&'static str],
    /// For libraries: the code of a module named like the script, whose `main` the script calls. It is packed into a
    /// wheel that requires the rest.
    pub code: Option<&'static str>,
}

impl App {
    /// What to install: the module's wheel, which brings the requirements, or the requirements themselves.
    #[must_use]
    pub fn wanted(&self) -> Vec<&'static str> {
        if self.code.is_some() {
            vec![self.script]
        } else {
            self.requirements.to_vec()
        }
    }
}

/// Writes a wheel: module name, its code, the directory, then the requirements (PEP 427).
const WHEEL: &str = r##"import sys, zipfile
name, code, directory, *requirements = sys.argv[1:]
dist_info = f"{name}-1.0.dist-info/"
metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
files = {
    f"{name}.py": code,
    dist_info + "METADATA": metadata + "".join(f"Requires-Dist: {one}\n" for one in requirements),
    dist_info + "WHEEL": "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    dist_info + "entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
}
files[dist_info + "RECORD"] = "".join(f"{file},,\n" for file in [*files, dist_info + "RECORD"])
with zipfile.ZipFile(f"{directory}/{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    for file, text in files.items():
        wheel.writestr(file, text)
"##;

/// What packs the applications.
#[derive(Debug, Clone, Copy)]
pub enum Tools<'a> {
    /// Requirements, the rest as pip decides.
    Pinned(&'a [&'a str]),
    /// A lock: `NAME==VERSION --hash=...` a line, complete.
    Locked(&'a str),
}

/// Makes applications for one interpreter.
#[derive(Debug)]
pub struct Workshop {
    directory: PathBuf,
    python: PathBuf,
    tools: PythonEnvironment,
    /// What decides about a PEX beside its application.
    tools_key: String,
}

impl Workshop {
    /// A workshop in `cache` with `tools` installed for `python`.
    ///
    /// # Errors
    /// When the tools cannot be installed.
    pub fn new(cache: &Path, python: &Path, tools: Tools) -> Result<Workshop, BenchError> {
        let real = fs::canonicalize(python).map_err(BenchError::io(python))?;
        let directory = cache.join(real.file_name().unwrap_or(OsStr::new("python")));
        fs::create_dir_all(&directory).map_err(BenchError::io(&directory))?;
        let (tools, tools_key) = match tools {
            Tools::Pinned(requirements) => {
                let tools = PythonEnvironment::at(&directory.join("tools"), python, requirements)?;
                (tools, key(requirements))
            }
            Tools::Locked(lock) => {
                let key = key(&[lock]);
                let tools = locked(&directory, &format!("tools-{key}"), python, lock, &[])?;
                (tools, key)
            }
        };
        Ok(Workshop {
            directory,
            python: python.to_owned(),
            tools,
            tools_key,
        })
    }

    /// A virtual environment with exactly what is in a lock, under that name in the cache.
    ///
    /// # Errors
    /// When it cannot be installed.
    pub fn locked(
        &self,
        name: &str,
        lock: &str,
        options: &[&str],
    ) -> Result<PythonEnvironment, BenchError> {
        let name = format!("{name}-{}", key(&[lock]));
        locked(&self.directory, &name, &self.python, lock, options)
    }

    /// The interpreter that everything is made for.
    #[must_use]
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// A tool's console script.
    #[must_use]
    pub fn tool(&self, name: &str) -> PathBuf {
        self.tools.script(name)
    }

    /// Where an application's variants are kept: under a key of everything that decides about them.
    #[must_use]
    pub fn directory(&self, app: &App) -> PathBuf {
        let mut parts = app.requirements.to_vec();
        parts.extend([
            app.lock.unwrap_or_default(),
            app.code.unwrap_or_default(),
            &self.tools_key,
        ]);
        let name = format!("{}-{}", app.name, key(&parts));
        self.directory.join("apps").join(name)
    }

    /// The application's wheels and those of all it needs, in one directory.
    ///
    /// # Errors
    /// When pip fails: without network, say.
    pub fn wheels(&self, app: &App) -> Result<PathBuf, BenchError> {
        let wheels = self.directory(app).join("wheels");
        once(&wheels, |work| {
            self.fetch(app, work)?;
            let Some(code) = app.code else { return Ok(()) };
            execute(
                plain(&self.python, ["-c", WHEEL, app.script, code])
                    .arg(work)
                    .args(app.requirements),
            )
        })?;
        Ok(wheels)
    }

    /// Has pip put the wheels into a directory.
    fn fetch(&self, app: &App, wheels: &Path) -> Result<(), BenchError> {
        let pip = |verb| {
            let words = ["-m", "pip", verb, "--quiet", "--disable-pip-version-check"];
            plain(&self.tools.python(), words)
        };
        let Some(lock) = app.lock else {
            let mut command = pip("wheel");
            return execute(
                command
                    .arg("--wheel-dir")
                    .arg(wheels)
                    .args(app.requirements),
            );
        };
        let file = wheels.with_extension("txt");
        write(&file, lock.as_bytes(), 0o644)?;
        let exactly = ["--no-deps", "--require-hashes", "--only-binary", ":all:"];
        let mut command = pip("download");
        command.args(exactly).arg("--requirement").arg(file);
        execute(command.arg("--dest").arg(wheels))
    }

    /// The application in a plain virtual environment: its console script.
    ///
    /// # Errors
    /// When its wheels cannot be had or installed.
    pub fn venv(&self, app: &App) -> Result<PathBuf, BenchError> {
        let wheels = self.wheels(app)?;
        let find_links = format!("--find-links={}", wheels.display());
        let mut install = vec!["--no-index", &find_links];
        let wanted = app.wanted();
        install.extend(&wanted);
        let venv =
            PythonEnvironment::at(&self.directory(app).join("venv"), &self.python, &install)?;
        Ok(venv.script(app.script))
    }

    /// The application as a PEX with these options of pex, under that name in the cache.
    ///
    /// # Errors
    /// When its wheels cannot be had or pex fails.
    pub fn pex(&self, app: &App, variant: &str, options: &[&str]) -> Result<PathBuf, BenchError> {
        let wheels = self.wheels(app)?;
        self.variant(app, variant, |work| {
            let mut command = plain(&self.tool("pex"), app.wanted());
            // What pip has resolved once is not resolved again, by another pip.
            command.arg("--pre-resolved-dists").arg(wheels);
            command
                .arg("--python")
                .arg(&self.python)
                .args(["--console-script", app.script])
                .args(options);
            command
                .arg("--pex-root")
                .arg(self.directory.join("pex-root"));
            execute(command.arg("--output-file").arg(work.join(app.script)))
        })
    }

    /// A variant of the application made by `make` in the directory it is given, as a file with the script's name.
    ///
    /// # Errors
    /// Those of `make`, and when the result cannot be put in place.
    pub fn variant(
        &self,
        app: &App,
        variant: &str,
        make: impl FnOnce(&Path) -> Result<(), BenchError>,
    ) -> Result<PathBuf, BenchError> {
        let directory = self.directory(app).join(variant);
        once(&directory, |work| {
            fs::create_dir(work).map_err(BenchError::io(work))?;
            make(work)
        })?;
        Ok(directory.join(app.script))
    }

    /// The environment that the application's variants run in: `python3` and `pythonX.Y` on its `PATH` are the
    /// interpreter that they were made for, not a version manager's shell script.
    #[must_use]
    pub fn environment(&self) -> Environment {
        let mut environment = Environment::clean();
        let beside = self.python.parent().unwrap_or(Path::new("/usr/bin"));
        let path = [beside, Path::new("/usr/bin"), Path::new("/bin")];
        environment.set("PATH", std::env::join_paths(path).unwrap_or_default());
        environment
    }
}

/// The virtual environment `name` in `directory` with exactly what is in `lock`.
fn locked(
    directory: &Path,
    name: &str,
    python: &Path,
    lock: &str,
    options: &[&str],
) -> Result<PythonEnvironment, BenchError> {
    let file = directory.join(format!("{name}.txt"));
    write(&file, lock.as_bytes(), 0o644)?;
    let file = file.display().to_string();
    let mut arguments = vec!["--no-deps", "--require-hashes", "--requirement", &file];
    arguments.extend(options);
    PythonEnvironment::at(&directory.join(name), python, &arguments)
}

/// 16 hexadecimal digits of the SHA-256 over what something is made from.
fn key(parts: &[&str]) -> String {
    let mut all = Sha256::new();
    for part in parts {
        all.update(part.len().to_le_bytes());
        all.update(part);
    }
    pexboot_core::hex::hex(&all.finalize()[..8])
}
