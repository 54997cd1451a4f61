//! A server as a process of its own: started, asked for its addresses, its CPU and its memory, and killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// A server that ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    ready: String,
    ready_after: Duration,
}

impl Server {
    /// Starts it and waits until it says `ready`. What it logs goes to `log`, or nowhere.
    ///
    /// # Errors
    /// When it can't be started, or ends before it is ready.
    pub fn start(command: &mut Command, log: Option<&Path>) -> anyhow::Result<Server> {
        let stderr = log.map_or(Ok(Stdio::null()), |path| File::create(path).map(Stdio::from))?;
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().with_context(|| format!("{command:?}"))?;
        let stdout = child.stdout.take().context("the server's output")?;
        let mut ready = String::new();
        BufReader::new(stdout).read_line(&mut ready)?;
        let ready_after = began.elapsed();
        anyhow::ensure!(ready.starts_with("ready "), "{command:?} did not become ready: {ready:?}");
        Ok(Server { child, ready, ready_after })
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// From the start of the process to its `ready`.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// An address of the line `ready name=address …`.
    ///
    /// # Errors
    /// When the line has none of this name.
    pub fn address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        let word = self.ready.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Ok(word.with_context(|| format!("{name} in {:?}", self.ready))?.parse()?)
    }

    /// CPU that the process has used, user and system, hundredths of a second.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn cpu_centiseconds(&self) -> anyhow::Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Fields 14 and 15 of proc(5), counted behind the command's closing parenthesis.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }

    /// Memory of the process that is in RAM, KiB.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The switch's program, beside this one.
///
/// # Errors
/// When it is not built.
pub fn switchyard() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("switchyard");
    anyhow::ensure!(path.exists(), "{} is not built: cargo build --release -p api-front", path.display());
    Ok(path)
}
