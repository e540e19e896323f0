//! Processes of the load: started, asked, measured, ended.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::devices;

/// A process of ours. Dropped, it is ended by its id.
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a command and waits for the first line it prints: it is ready then.
    pub fn start(command: &mut Command) -> (Self, String) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let stdin = child.stdin.take();
        (Self { child, stdin, stdout }, ready.trim().to_owned())
    }

    /// Starts this program again in one of its hidden modes.
    pub fn role(arguments: &[&str]) -> (Self, String) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self::start(command.env(devices::NET, devices::net().to_string()).args(arguments))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks a role for its counts.
    pub fn counts(&mut self) -> Value {
        self.tell("report");
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Sends a role a line.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers lines on standard input: `report` with what `counts` returns, anything else with `act`. Returns at its
/// end, which is the end of whoever started this process.
pub fn answer(counts: impl Fn() -> Value, act: impl Fn(&str)) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.as_str() {
            "report" => println!("{}", counts()),
            other => act(other),
        }
    }
}

/// What a process used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu_s: f64,
    pub seconds: f64,
    pub rss_mb_average: f64,
    pub rss_mb_peak: f64,
    /// Since its start.
    pub rss_mb_high: f64,
}

/// Measures a process over a window, four times a second.
pub fn measure(id: u32, window: Duration) -> Usage {
    let (begun, cpu_before) = (Instant::now(), cpu_s(id));
    let (mut sum, mut count, mut peak) = (0.0, 0.0, 0.0_f64);
    while begun.elapsed() < window {
        std::thread::sleep(Duration::from_millis(250).min(window - begun.elapsed().min(window)));
        let resident = status_kb(id, "VmRSS:") / 1024.0;
        (sum, count, peak) = (sum + resident, count + 1.0, peak.max(resident));
    }
    Usage {
        cpu_s: cpu_s(id) - cpu_before,
        seconds: begun.elapsed().as_secs_f64(),
        rss_mb_average: sum / count,
        rss_mb_peak: peak,
        rss_mb_high: status_kb(id, "VmHWM:") / 1024.0,
    }
}

/// Returns user and system time of all threads of a process. **Unit**: s.
pub fn cpu_s(id: u32) -> f64 {
    // Linux counts in hundredths of a second on every machine of today.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<f64> = match stat.rsplit_once(')') {
        Some((_, rest)) => rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect(),
        None => Vec::new(),
    };
    fields.iter().sum::<f64>() / TICKS_PER_SECOND
}

fn status_kb(id: u32, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
}

/// Returns resident memory. **Unit**: MB.
pub fn resident_mb(id: u32) -> f64 {
    status_kb(id, "VmRSS:") / 1024.0
}

/// Returns how many file descriptors a process has open.
pub fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count)
}

/// Returns bytes that a process caused to be written to the disk.
pub fn written_bytes(id: u32) -> f64 {
    let io = std::fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
}

/// Returns how many files this process, and what it starts, may have open.
pub fn descriptors_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}

/// Returns how busy the whole machine was between two calls, as a share of all its cores.
pub fn machine_busy(before: [f64; 2], after: [f64; 2]) -> f64 {
    1.0 - (after[1] - before[1]) / (after[0] - before[0]).max(1.0)
}

/// Returns the machine's time so far, whole and idle.
pub fn machine_time() -> [f64; 2] {
    let stat = std::fs::read_to_string(Path::new("/proc/stat")).unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let times: Vec<f64> = first.split_whitespace().skip(1).filter_map(|time| time.parse().ok()).collect();
    [times.iter().take(8).sum(), times.get(3).copied().unwrap_or(0.0) + times.get(4).copied().unwrap_or(0.0)]
}
