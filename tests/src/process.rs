//! A child process on a leash: its ready line, its signals, its end. Whatever happens, it does not outlive the test.

use crate::patience::until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a process may take until it says that it is ready. A debug build on a busy machine takes a second or two.
const READY: Duration = Duration::from_secs(30);
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// A running program, killed when dropped.
#[derive(Debug)]
pub struct Leash {
    child: Child,
    stdout: Mutex<Receiver<String>>,
    stderr: PathBuf,
}

/// How a process ended before it was ready.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All that its log holds.
    pub stderr: String,
}

impl Leash {
    /// Starts a program whose stderr is appended to a file.
    pub fn start(mut command: Command, stderr: &Path) -> Leash {
        let log = File::options().create(true).append(true).open(stderr).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let (tell, stdout) = channel();
        // Reads on to the end, so that the child never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        Leash { child, stdout: Mutex::new(stdout), stderr: stderr.to_owned() }
    }

    /// The words after `ready` of the line that begins with it; or how the process ended without.
    pub fn ready(&mut self) -> Result<Vec<(String, String)>, Ended> {
        loop {
            match self.stdout.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(READY) {
                Ok(line) => {
                    if let Some(words) = line.strip_prefix("ready ") {
                        let pairs = words.split_whitespace().filter_map(|word| word.split_once('='));
                        return Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait(GONE).expect("a process without stdout ends");
                    return Err(Ended { status, stderr: self.stderr() });
                }
                Err(RecvTimeoutError::Timeout) => panic!("not ready within {READY:?}; its log:\n{}", self.stderr()),
            }
        }
    }

    /// What it has logged, in this life and in earlier ones.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("a child that was not waited for can be signalled");
    }

    /// Its exit status, if it ends in time.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        until(patience, || self.child.try_wait().expect("a child can be waited for"))
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub fn kill9(mut self) {
        self.put_down();
    }

    fn put_down(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Leash {
    #[expect(clippy::print_stderr, reason = "cargo shows it when the test fails")]
    fn drop(&mut self) {
        self.put_down();
        if std::thread::panicking() {
            let log = self.stderr();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the end of {}:", self.stderr.display());
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}
