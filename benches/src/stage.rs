//! What every figure over a network needs: a card host, a switch before it, and a folder that goes with them.

use crate::server::{Server, switchyard};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The merchant's key.
pub const API_KEY: &str = "side_by_side_key_0123456789abcdef";
const ANY: &str = "127.0.0.1:0";

/// Switch and host at work: processes of their own, so that the CPU of the switch is its own.
pub struct Stage {
    /// The switch.
    pub switch: Server,
    _host: Server,
    _folder: TempDir,
}

impl Stage {
    /// Starts both below the current folder: on the disk that a switch would use, not on a tmpfs.
    ///
    /// # Errors
    /// When one of them can't be started.
    pub fn set() -> anyhow::Result<Stage> {
        Stage::set_under(&[])
    }

    /// The same with the switch run by a program that is given these words before the switch's own.
    ///
    /// # Errors
    /// When one of them can't be started.
    pub fn set_under(runner: &[&OsStr]) -> anyhow::Result<Stage> {
        let folder = tempfile::tempdir_in(".")?;
        let mut host = Command::new(switchyard()?);
        let host = Server::start(host.arg("sandbox").arg("--data").arg(folder.path().join("host")), None)?;
        let switch = start_switch(folder.path(), host.address("card")?, runner)?;
        Ok(Stage { switch, _host: host, _folder: folder })
    }
}

/// Starts a switch of one merchant before a card host.
fn start_switch(folder: &Path, card: SocketAddr, runner: &[&OsStr]) -> anyhow::Result<Server> {
    let config = folder.join("side-by-side.toml");
    let text = format!(
        "[[processor]]\nname = \"card\"\ntype = \"tsys_sierra\"\naddr = \"{card}\"\n\n\
         [[merchant]]\nname = \"side by side\"\napi_key = \"{API_KEY}\"\ncard_processor = \"card\"\nduplicate_window_s = 0\nsandbox = true\n"
    );
    std::fs::write(&config, text)?;
    let program = switchyard()?;
    let mut words = runner.iter().copied().chain([program.as_os_str()]);
    let mut switch = Command::new(words.next().unwrap_or(program.as_os_str()));
    switch.args(words);
    switch.args(["--no-sandbox", "--http", ANY, "--binary", ANY]).arg("--config").arg(&config);
    Server::start(switch.arg("--data").arg(folder.join("switch")), None)
}
