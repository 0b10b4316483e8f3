//! Events as text: the JSON object format of Chrome's trace events, one event a line.
//!
//! The last event is the launch as a whole. It stands at a place of its own so that whoever goes on tracing can put more
//! in front of it and make it longer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

/// Each file begins so: with the event that names the process.
pub(super) const BEGINNING: &str =
    "{\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":";
/// Stands behind the last event of each.
pub(super) const END: &str = "\"otherData\":{\"pexboot\":";

/// Something that took time.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub name: Cow<'static, str>,
    /// What kind of thing it is.
    pub category: &'static str,
    /// Nanoseconds.
    pub start: u64,
    /// Nanoseconds.
    pub end: u64,
    /// The thread that did it.
    pub thread: i32,
}

impl Event {
    /// Something that this thread is about to do.
    pub fn starts(start: u64, category: &'static str, name: impl Into<Cow<'static, str>>) -> Event {
        Event {
            name: name.into(),
            category,
            start,
            end: start,
            thread: nix::unistd::gettid().as_raw(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "cat": self.category,
            "ph": "X",
            "ts": microseconds(self.start),
            "dur": microseconds(self.end.saturating_sub(self.start)),
            "pid": std::process::id(),
            "tid": self.thread,
        })
    }
}

/// The unit of the format, with its fractions.
pub(super) fn microseconds(nanoseconds: u64) -> f64 {
    // Exact up to 2^53 ns; that is a machine that has been up for a hundred days. Beyond, fractions get coarser.
    nanoseconds as f64 / 1e3
}

/// A file in two parts.
#[derive(Debug)]
pub(super) struct Text {
    /// The beginning, and every event but the last.
    pub head: String,
    /// The launch as a whole, and the end.
    pub tail: String,
}

impl Text {
    /// The events of a launch of `program` that began at `began` and goes on `now`, nanoseconds.
    pub fn new(program: &str, events: &[Event], began: u64, now: u64) -> Text {
        let own = std::process::id().cast_signed();
        let mut threads: BTreeMap<i32, &str> = BTreeMap::from([(own, "launch")]);
        for event in events {
            threads.entry(event.thread).or_insert("worker");
        }
        let mut head = "{\"traceEvents\":[\n".to_owned();
        let mut line = |value: &Value| head.push_str(&format!("{value},\n"));
        line(&named("process_name", own, program));
        for (thread, name) in threads {
            line(&named("thread_name", thread, name));
        }
        for event in events {
            line(&event.json());
        }
        let mut whole = Event::starts(began, "launch", "launch");
        whole.end = now;
        let about = json!({
            "pexboot": env!("CARGO_PKG_VERSION"),
            "clock": "CLOCK_MONOTONIC",
            "realtime_of_zero": zero(now),
        });
        let tail = format!(
            "{}\n],\"displayTimeUnit\":\"ms\",\"otherData\":{about}}}\n",
            whole.json()
        );
        Text { head, tail }
    }
}

/// An event that gives a process or thread its name.
fn named(what: &str, thread: i32, name: &str) -> Value {
    json!({"name": what, "ph": "M", "pid": std::process::id(), "tid": thread, "args": {"name": name}})
}

/// The time of day when the clock stood at zero, seconds since 1970: to compare with logs.
fn zero(now: u64) -> f64 {
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    today.map_or(0.0, |today| today.as_secs_f64()) - now as f64 / 1e9
}
