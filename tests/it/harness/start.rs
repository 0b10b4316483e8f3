//! One start of a PEX: its arguments and environment, and what came of it.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Stage, Way};

/// No start takes longer, or it hangs.
const BOUND: Duration = Duration::from_secs(300);

/// A start that is being described.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    stage: &'a Stage,
    before: Vec<OsString>,
    program: PathBuf,
    /// Whether a Python is given the program, which may be a directory then.
    by_python: bool,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    cwd: PathBuf,
    stdin: Vec<u8>,
}

impl<'a> Start<'a> {
    pub(super) fn new(stage: &'a Stage) -> Start<'a> {
        Start {
            stage,
            before: Vec::new(),
            program: stage.pex.clone(),
            by_python: false,
            args: Vec::new(),
            env: Vec::new(),
            cwd: stage.path("work"),
            stdin: Vec::new(),
        }
    }

    /// Arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_os_string()));
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.into(), Some(value.as_ref().to_os_string())));
        self
    }

    /// A variable of the minimal environment that is left out.
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Starts another file, or the PEX under another name.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Starts `PYTHON app.pex` instead of `./app.pex`.
    pub fn python(mut self, python: &Path) -> Self {
        self.by_python = true;
        self.before([python])
    }

    /// Puts words in front of the command.
    pub fn before<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.before
            .extend(words.into_iter().map(|word| word.as_ref().to_os_string()));
        self
    }

    /// Runs shell commands first, in the process that becomes the PEX.
    pub fn after_shell(self, commands: &str) -> Self {
        self.before(["/bin/bash", "-c", &format!("{commands}\nexec \"$@\""), "sh"])
    }

    /// The working directory.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// What the PEX reads on standard input; nothing unless said.
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// The command with its environment, for tests that need the process itself.
    pub fn command(&self) -> Command {
        // A directory is started by the `pex` in it: a link to `__main__.py`, or the stub.
        let program = match self.program.is_dir() {
            true if self.by_python => self.program.clone(),
            true => self.program.join("pex"),
            false => self.program.clone(),
        };
        let words = self.before.iter().cloned();
        let mut words = words.chain([program.into_os_string()]);
        let mut command = Command::new(words.next().expect("the program"));
        command
            .args(words)
            .args(&self.args)
            .current_dir(&self.cwd)
            .env_clear();
        command
            .env("PATH", &self.stage.search)
            .env("HOME", self.stage.home())
            .env("TMPDIR", self.stage.path("tmp"))
            .env("LANG", "C.UTF-8");
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Starts and waits, with a bound.
    pub fn run(&self) -> Outcome {
        let mut command = self.command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdin = child.stdin.take().unwrap();
        let input = self.stdin.clone();
        // A program that does not read its input is no error.
        let writer = thread::spawn(move || drop({ stdin }.write_all(&input)));
        let watchdog = Watchdog::new(&child);
        let stdout = drain(child.stdout.take().unwrap());
        let stderr = drain(child.stderr.take().unwrap());
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let status = child.wait().unwrap();
        watchdog.stop(&command);
        writer.join().unwrap();
        Outcome {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
            way: Some(self.stage.way),
            command: format!("{:?} {command:?}", self.stage.way),
        }
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Kills a child that exceeds the bound.
struct Watchdog {
    done: mpsc::Sender<()>,
    thread: thread::JoinHandle<bool>,
}

impl Watchdog {
    fn new(child: &Child) -> Watchdog {
        let pid = Pid::from_raw(child.id().cast_signed());
        let (done, finished) = mpsc::channel();
        let thread = thread::spawn(move || {
            let late = finished.recv_timeout(BOUND) == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                let _ = kill(pid, Signal::SIGKILL);
            }
            late
        });
        Watchdog { done, thread }
    }

    fn stop(self, command: &Command) {
        drop(self.done);
        assert!(
            !self.thread.join().unwrap(),
            "{command:?} did not end within {BOUND:?}"
        );
    }
}

/// What came of a start.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How it was started; none where it was no start of a PEX.
    pub way: Option<Way>,
    command: String,
}

impl Outcome {
    /// Asserts success.
    #[track_caller]
    pub fn ok(&self) -> &Self {
        self.exits(0)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Asserts a refusal: exit code 1, nothing on standard output, something said on standard error.
    #[track_caller]
    pub fn refused(&self) -> &Self {
        self.exits(1);
        assert!(
            self.stdout.is_empty(),
            "expected nothing on standard output\n{self}"
        );
        assert!(!self.stderr.trim().is_empty(), "expected a message\n{self}");
        self
    }

    /// Asserts that standard error contains a text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "expected `{text}` on standard error\n{self}"
        );
        self
    }

    /// Asserts what standard output is, but for blanks at its end.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        assert!(
            self.stdout.trim_end() == text,
            "expected `{text}` on standard output\n{self}"
        );
        self
    }

    /// What the probe reported.
    #[track_caller]
    pub fn state(&self) -> State {
        self.ok();
        // The probe prints last.
        let line = self.stdout.lines().last().unwrap_or_default();
        State(serde_json::from_str(line).unwrap_or_else(|e| panic!("no state: {e}\n{self}")))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome {
            code,
            signal,
            stdout,
            stderr,
            command,
            way: _,
        } = self;
        write!(
            f,
            "{command}\ncode {code:?}, signal {signal:?}\n── stdout\n{stdout}\n── stderr\n{stderr}"
        )
    }
}

/// The state in which the probe found itself (`tests/fixtures/probe.py`).
#[derive(Debug, Clone)]
pub struct State(pub Value);

impl State {
    /// A value by its JSON pointer.
    #[track_caller]
    pub fn get(&self, pointer: &str) -> &Value {
        self.0
            .pointer(pointer)
            .unwrap_or_else(|| panic!("no {pointer} in {:#}", self.0))
    }

    /// A text by its JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        let value = self.get(pointer);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{pointer} is {value}, not a text"))
    }

    /// A list of texts by its JSON pointer.
    #[track_caller]
    pub fn texts(&self, pointer: &str) -> Vec<&str> {
        let value = self.get(pointer);
        let list = value
            .as_array()
            .unwrap_or_else(|| panic!("{pointer} is {value}, not a list"));
        list.iter()
            .map(|item| item.as_str().unwrap_or("<not a text>"))
            .collect()
    }

    /// An environment variable as the probe saw it.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.get("/env").get(name).and_then(Value::as_str)
    }

    /// The `WHO` of a module that `PROBE_IMPORT` asked for, or the error's name.
    #[track_caller]
    pub fn who(&self, module: &str) -> &str {
        let found = &self.get("/imports")[module];
        found["who"]
            .as_str()
            .or(found["error"].as_str())
            .unwrap_or("<no WHO>")
    }

    /// A flag.
    #[track_caller]
    pub fn flag(&self, name: &str) -> i64 {
        self.get(&format!("/flags/{name}")).as_i64().unwrap()
    }
}
