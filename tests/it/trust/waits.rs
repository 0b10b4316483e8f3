//! Waiting for another start: for one that works, and hardly for one that was stopped.
//!
//! How long a start has waited is what it has asked the system to let it sleep, which no load of the machine changes.

use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;

/// What a start may wait in all for others that show no sign of life: three seconds for the plan, three for the rest. Nothing
/// stopped here shows any, so that it is three; thirty-eight before.
const BOUND: f64 = 7.0;

/// A start that is killed when the test is over.
struct Running(Child);

impl Running {
    fn new(start: &Start<'_>) -> Running {
        let mut command = start.command();
        command.stdin(Stdio::null());
        Running(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }

    fn is_stopped(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        status.rsplit(") ").next().unwrap().starts_with('T')
    }

    /// How it ended, what it said.
    fn end(&mut self) -> (Option<i32>, String) {
        use std::io::Read as _;
        let mut said = String::new();
        for pipe in [
            self.0
                .stdout
                .take()
                .map(|pipe| Box::new(pipe) as Box<dyn std::io::Read>),
            self.0
                .stderr
                .take()
                .map(|pipe| Box::new(pipe) as Box<dyn std::io::Read>),
        ] {
            pipe.unwrap().read_to_string(&mut said).unwrap();
        }
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An application whose wheels take a while to unpack.
fn slow(name: &str) -> Built {
    let wheel = |name: &str| {
        let mut wheel = Wheel::new(name, "1.0");
        for number in 0..1500 {
            wheel = wheel.file(&format!("{name}_pile/m{number}.py"), "");
        }
        wheel
    };
    let text = "import one, two\ndef main():\n    print(one.WHO, two.WHO)\n";
    let pex = Pex::app(name, text).dep(wheel("one")).dep(wheel("two"));
    pex.build()
}

/// The locks of wheels that are there.
fn wheel_locks(stage: &Stage) -> Vec<PathBuf> {
    let locks = below(&home(stage).join("locks"));
    let is_wheels = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("wheels-")
    };
    locks.into_iter().filter(is_wheels).collect()
}

/// A start whose pauses are written down.
fn watched<'a>(stage: &'a Stage, log: &Path) -> Start<'a> {
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=nanosleep,clock_nanosleep",
        "-o",
    ];
    stage.start().before(strace).before([log])
}

/// The seconds that were slept while looking at a lock: no pause is longer than 50 ms, and other sleeps are.
fn waited(log: &Path) -> f64 {
    let text = fs::read_to_string(log).unwrap_or_default();
    let pause = |line: &str| -> Option<f64> {
        // What is asked for, not what is left.
        let asked = line.split_once("{tv_sec=")?.1.split_once('}')?.0;
        let (seconds, nanoseconds) = asked.split_once(", tv_nsec=")?;
        Some(seconds.parse::<f64>().ok()? + nanoseconds.parse::<f64>().ok()? / 1e9)
    };
    let pauses = text.lines().filter_map(pause);
    pauses.filter(|pause| *pause <= 0.05).sum()
}

#[test]
fn a_first_start_that_is_stopped_holds_the_next_one_for_no_longer_than_was_promised() {
    if !faults::can_inject("stopped starts") {
        return;
    }
    let pex = slow("wait-stopped");
    let stage = Stage::new(Way::Embedded, &pex);
    let first = (0..50).find_map(|_| {
        empty(&stage);
        let mut first = Running::new(&stage.start());
        while wheel_locks(&stage).is_empty() {
            if first.0.try_wait().unwrap().is_some() {
                return None;
            }
            thread::yield_now();
        }
        first.signal(Signal::SIGSTOP);
        while !first.is_stopped() {
            thread::yield_now();
        }
        (!wheel_locks(&stage).is_empty()).then_some(first)
    });
    let first = first.expect("a start that was stopped while it unpacked");
    let log = stage.path("pauses");
    silent(&watched(&stage, &log).run(), "one 1.0 two 1.0");
    assert!(first.is_stopped());
    let waited = waited(&log);
    assert!(waited > 0.0, "nothing was waited for");
    assert!(waited < BOUND, "{waited} s");
    // It goes on as if nothing had been.
    first.signal(Signal::SIGCONT);
    let mut first = first;
    assert_eq!(first.end(), (Some(0), "one 1.0 two 1.0\n".to_owned()));
    is_sound(&home(&stage), false);
}

#[test]
fn one_that_works_for_longer_is_waited_for_and_nothing_is_unpacked_twice() {
    use fs2::FileExt;
    if !faults::can_inject("starts that take long") {
        return;
    }
    let stage = stage("wait-long");
    let home = home(&stage);
    starts(&stage.start(), SAYS);
    let wheel = entries(&home)
        .into_iter()
        .find(|entry| entry.to_string_lossy().contains("/deep-"))
        .expect("the wheel of many files");
    let key = wheel.strip_prefix(&home).unwrap().to_str().unwrap();
    // As another start has it that unpacks for a long time, and shows that it does.
    let lock = fs::File::create(home.join("locks").join(key.replace('/', "-"))).unwrap();
    lock.lock_exclusive().unwrap();
    let aside = stage.path("wheel");
    fs::rename(&wheel, &aside).unwrap();
    fs::remove_dir_all(home.join("launches")).unwrap();
    fs::remove_dir_all(home.join("sites")).unwrap();
    let log = stage.path("pauses");
    let mut second = Running::new(&watched(&stage, &log));
    let begin = Instant::now();
    // Longer than any silence is borne.
    while waited(&log) < 4.0 {
        lock.set_modified(std::time::SystemTime::now()).unwrap();
        assert!(second.0.try_wait().unwrap().is_none(), "it went on alone");
        assert!(begin.elapsed().as_secs() < 120, "it does not wait");
        thread::yield_now();
    }
    let begun = below(&home.join("tmp"));
    assert!(begun.is_empty(), "it has begun to unpack: {begun:?}");
    fs::rename(&aside, &wheel).unwrap();
    drop(lock);
    assert_eq!(second.end(), (Some(0), format!("{SAYS}\n")));
}
