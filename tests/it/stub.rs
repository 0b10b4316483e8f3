//! The stub as it ships, sealed by these tests. A shell stands in for Python and for the engine, since it can tell what
//! it was started with.

mod engine;
mod parts;
mod replay;
pub mod turn;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use pexboot::internals::parts::{SEAL_OFFSET, STUB};
use pexboot_core::checksum::checksum;
use pexboot_core::hex::hex;
use pexboot_core::key::{Subject, key};
use pexboot_core::plan::{Anchor, EnvChange, Exec, Identity, Input, Place, Plan, Value, encode};
use pexboot_core::seal::{SEAL_SIZE, Seal};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A directory with an embedded file, and a root.
struct Scene {
    directory: TempDir,
    seal: Seal,
    /// The embedded file.
    app: PathBuf,
    env: Vec<(OsString, OsString)>,
}

/// What stands in for the engine: says so, and with what it was started.
fn shell() -> Vec<u8> {
    fs::read("/bin/sh").unwrap()
}

impl Scene {
    /// An embedded file whose engine is a shell.
    fn new() -> Scene {
        Scene::with_engine(&lz4_flex::block::compress(&shell()))
    }

    fn with_engine(packed: &[u8]) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let shell = shell();
        let seal = Seal {
            sealed: true,
            fingerprint: [7; 32],
            stub_size: STUB.len() as u64,
            engine_size: packed.len() as u64,
            engine_full_size: shell.len() as u64,
            engine_digest: Sha256::digest(&shell).into(),
            engine_sum: checksum(packed),
            ..Seal::default()
        };
        let mut bytes = STUB.to_vec();
        let place = SEAL_OFFSET..SEAL_OFFSET + SEAL_SIZE;
        bytes[place].copy_from_slice(&seal.encode().unwrap());
        bytes.extend_from_slice(packed);
        let app = directory.path().join("app");
        write_program(&app, &bytes);
        let env = vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("PEX_ROOT".into(), directory.path().join("pex").into()),
            // What comes next is not the machine's own.
            (
                "XDG_CACHE_HOME".into(),
                directory.path().join("cache").into(),
            ),
        ];
        Scene {
            directory,
            seal,
            app,
            env,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("pex/pexboot")
    }

    fn with(mut self, name: &str, value: impl Into<OsString>) -> Scene {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Puts the plans of `app` under `root`; the result is their file.
    fn plans_at(&self, root: &Path, app: &Path, bytes: &[u8]) -> PathBuf {
        let subject = Subject {
            seal: &self.seal,
            name: app.file_name().unwrap().as_bytes(),
        };
        let key = key(subject, |name| {
            self.env
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_bytes())
        });
        let plans = root.join("v2/plans").join(hex(&key));
        fs::create_dir_all(plans.parent().unwrap()).unwrap();
        fs::write(&plans, bytes).unwrap();
        plans
    }

    /// The plan with the file that it is for, as bytes.
    fn encoded(&self, plan: &Plan) -> Vec<u8> {
        let files = vec![identity(&self.app)];
        encode(&[Plan {
            files,
            ..plan.clone()
        }])
    }

    fn plan(&self, plan: &Plan) -> PathBuf {
        self.plans_at(&self.root(), &self.app, &self.encoded(plan))
    }

    /// A plan whose launch is being imported by its first start: puts it there, and gives what says so.
    fn importing(&self) -> PathBuf {
        let launch = self.root().join("v2/launches/x");
        fs::create_dir_all(&launch).unwrap();
        let marker = launch.join("importing");
        fs::write(&marker, "").unwrap();
        let boot = launch.join("boot").into_os_string().into_encoded_bytes();
        let mut plan = plan("echo replayed \"$@\"");
        plan.boots = true;
        plan.exec.argv[3] = boot;
        self.plan(&plan);
        marker
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Starts the file as `app -c SCRIPT a b`: an engine that is a shell runs the script.
    fn run(&self, script: &str) -> Output {
        self.command(&self.app)
            .args(["-c", script, "a", "b"])
            .output()
            .unwrap()
    }
}

/// Writes a program without ever holding it open for writing while another test forks: a copy of the descriptor in that
/// child would make it busy (ETXTBSY). So a process of its own writes it.
fn write_program(path: &Path, bytes: &[u8]) {
    let mut child = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A plan that has a shell run `script`.
fn plan(script: &str) -> Plan {
    Plan {
        exec: Exec {
            program: b"/bin/sh".to_vec(),
            argv: ["sh", "-c", script, "replayed"].map(Into::into).into(),
            interpreter: false,
            env: Vec::new(),
        },
        ..Plan::default()
    }
}

fn identity(path: &Path) -> Identity {
    let found = fs::metadata(path).unwrap();
    Identity {
        ino: found.ino(),
        size: found.size(),
        mtime: found.mtime(),
        mtime_nsec: u32::try_from(found.mtime_nsec()).unwrap(),
        ctime: found.ctime(),
        ctime_nsec: u32::try_from(found.ctime_nsec()).unwrap(),
    }
}

fn place(path: &Path) -> Place {
    Place {
        anchor: Anchor::Root,
        path: path.as_os_str().as_bytes().to_vec(),
    }
}

/// What a start is expected to end in: exit code, stdout, stderr.
#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let got = (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    );
    assert_eq!(got, (Some(code), stdout.into(), stderr.into()));
}

const SAY: &str = "echo $0 $*";
