//! A switch as a process: started, killed, started again on the same data.

use crate::binary::switchyard;
use crate::client::Client;
use crate::folder::Folder;
use crate::host::Control;
use crate::postgres::Schema;
use crate::process::{Ended, Leash};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How long a drain may take until the process is gone: its own bounds, and some.
const DRAINED: Duration = Duration::from_secs(20);

/// Keys that the configuration fixes.
pub mod keys {
    /// The merchant's.
    pub const API: &str = "api_tests_3f1c9d0b7a5e";
    /// What the merchant's browsers hold.
    pub const PUBLIC: &str = "pub_tests_3f1c9d0b7a5e";
    /// A second merchant's.
    pub const OTHER: &str = "api_others_77aa01cd22";
    /// The operator's.
    pub const OPERATOR: &str = "op_tests_5b2e8c4d1f";
}

/// What a switch is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A host in a process of its own; none brings the sandbox along.
    pub host: Option<SocketAddr>,
    /// The merchant's duplicate window, seconds.
    pub duplicate_window_s: u32,
    /// Further lines of the host's `[[processor]]`.
    pub processor: &'static str,
    /// How long the host of its own may take for an answer, milliseconds; 0 for 1,000.
    pub timeout_ms: u32,
    /// `SWITCHYARD_LOG`.
    pub log: Option<&'static str>,
    /// Shard threads; 0 for the default.
    pub shards: u16,
    /// Lines of the configuration's `[limits]`.
    pub limits: &'static str,
    /// Lines of the configuration about the fronts.
    pub fronts: String,
    /// Free bytes of the disk below which new requests are refused; none for 16 MiB.
    pub free_bytes_min: Option<u64>,
    /// Further lines of the configuration's `[journal]`.
    pub journal: String,
    /// Lines of the configuration's `[webhooks]`.
    pub webhooks: String,
    /// The mail server; none leaves mails as files in the data folder.
    pub smtp: Option<SocketAddr>,
    /// The SQL home; none for SQLite in the data folder.
    pub database: Option<String>,
    /// Files and connections that the process may have open at most; none for as many as the tests may.
    pub files_max: Option<u32>,
    /// Where the data is; none takes a folder that goes with the test.
    pub data: Option<PathBuf>,
}

impl Options {
    /// With this host, whose answers may take a second.
    pub fn with_host(addr: SocketAddr) -> Options {
        Options { host: Some(addr), ..Options::default() }
    }

    fn config(&self) -> String {
        let window = self.duplicate_window_s;
        let keys = format!("api_key = \"{}\"\npub_key = \"{}\"\nduplicate_window_s = {window}\n", keys::API, keys::PUBLIC);
        let other = format!("[[merchant]]\nname = \"other\"\napi_key = \"{}\"\nduplicate_window_s = 0\n", keys::OTHER);
        let free_bytes_min = self.free_bytes_min.unwrap_or(16 << 20);
        let limits = format!("[limits]\n{}\n", self.limits);
        let mail = self.smtp.map(|addr| format!("[mail]\nsmtp = \"smtp://{addr}\"\nfrom = \"Shop <shop@example.com>\"\n"));
        let limits = format!("{}{limits}[webhooks]\n{}\n", mail.unwrap_or_default(), self.webhooks);
        let journal = format!("{limits}[journal]\nsegment_bytes = 8388608\nfree_bytes_min = {free_bytes_min}\n{}", self.journal);
        let operator = format!("operator_key = \"{}\"\n", keys::OPERATOR);
        let top = if self.shards == 0 { String::new() } else { format!("shards = {}\n", self.shards) };
        let top = format!("{top}{}", self.fronts);
        match self.host {
            None => format!("{top}{journal}[sandbox]\n{operator}{keys}"),
            Some(addr) => format!(
                "{operator}{top}{journal}[[processor]]\nname = \"card\"\ntype = \"tsys_sierra\"\naddr = \"{addr}\"\ntimeout_ms = {}\n\
                 reversal_retry_ms = 100\nreversal_retry_max_ms = 1000\necho_idle_ms = 1000\n{}\n\
                 [[merchant]]\nname = \"shop\"\nsandbox = true\n{keys}{other}",
                if self.timeout_ms == 0 { 1_000 } else { self.timeout_ms },
                self.processor
            ),
        }
    }
}

/// The process and its data.
#[derive(Debug)]
pub struct Switch {
    running: Option<Leash>,
    options: Options,
    folder: Folder,
    /// Its SQL home, where that is not the test's business.
    schema: Option<Schema>,
    http: SocketAddr,
    binary: SocketAddr,
}

impl Switch {
    /// With the sandbox in its process.
    pub fn sandboxed() -> Switch {
        Switch::start(Options::default())
    }

    /// One that was not started yet.
    pub fn stopped(options: Options) -> Switch {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let schema = if options.database.is_none() { Schema::for_any_test() } else { None };
        Switch { running: None, options, folder: Folder::new(), schema, http: nowhere, binary: nowhere }
    }

    /// Starts one on empty data and waits until it serves.
    pub fn start(options: Options) -> Switch {
        let mut switch = Switch::stopped(options);
        switch.start_again();
        switch
    }

    /// Options for the next start.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
    }

    /// Starts it on its data and waits until it serves.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.try_start_again().unwrap_or_else(|ended| panic!("the switch ended with {}:\n{}", ended.status, ended.stderr));
    }

    /// The same, or how it refused.
    pub fn try_start_again(&mut self) -> Result<(), Ended> {
        let mut leash = self.spawn();
        let words = leash.ready()?;
        let address = |name: &str| {
            let word = words.iter().find(|(key, _)| key == name).unwrap_or_else(|| panic!("{name} in {words:?}"));
            word.1.parse().unwrap_or_else(|_| panic!("{name}={} is an address", word.1))
        };
        (self.http, self.binary) = (address("http"), address("binary"));
        self.running = Some(leash);
        Ok(())
    }

    /// Starts it and kills it so much later, ready or not.
    pub fn start_and_kill9(&mut self, later: Duration) {
        let leash = self.spawn();
        std::thread::sleep(later);
        leash.kill9();
    }

    fn spawn(&self) -> Leash {
        assert!(self.running.is_none(), "it runs");
        fs::write(self.folder.join("switchyard.toml"), self.options.config()).expect("the configuration can be written");
        let mut command = self.program();
        command.args(["serve", "--http", "127.0.0.1:0", "--binary", "127.0.0.1:0"]);
        command.arg("--config").arg(self.folder.join("switchyard.toml")).arg("--data").arg(self.data());
        if self.options.host.is_some() {
            command.arg("--no-sandbox");
        }
        let database = self.options.database.clone().or_else(|| self.schema.as_ref().map(Schema::url));
        if let Some(database) = database {
            command.args(["--database", &database]);
        }
        if let Some(log) = self.options.log {
            command.env("SWITCHYARD_LOG", log);
        }
        Leash::start(command, &self.log_file())
    }

    fn program(&self) -> Command {
        let Some(files_max) = self.options.files_max else { return Command::new(switchyard()) };
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files_max.to_string()]).arg(switchyard());
        shell
    }

    /// `kill -9`
    pub fn kill9(&mut self) {
        self.running.take().expect("it runs").kill9();
    }

    /// `SIGTERM`; it must drain and exit with 0.
    #[track_caller]
    pub fn terminate(&mut self) {
        let mut leash = self.running.take().expect("it runs");
        leash.signal(Signal::TERM);
        let status = leash.wait(DRAINED).unwrap_or_else(|| panic!("still there {DRAINED:?} after SIGTERM:\n{}", leash.stderr()));
        assert_eq!(status.code(), Some(0), "{status} after SIGTERM:\n{}", leash.stderr());
    }

    /// Its exit status, if it ends by itself in time.
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let status = self.running.as_mut()?.wait(patience);
        self.running.take_if(|_| status.is_some());
        status
    }

    /// `SIGSTOP`: it stands still, its sockets stay open.
    pub fn pause(&self) {
        self.running.as_ref().expect("it runs").signal(Signal::STOP);
    }

    /// `SIGCONT`
    pub fn resume(&self) {
        self.running.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.running.as_ref().expect("it runs").id()
    }

    /// Where REST is.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where the binary protocol is.
    pub fn binary(&self) -> SocketAddr {
        self.binary
    }

    /// The merchant.
    pub fn client(&self) -> Client {
        self.client_with(keys::API)
    }

    /// Whoever holds this key.
    pub fn client_with(&self, key: &str) -> Client {
        Client { address: self.http, key: key.to_owned() }
    }

    /// The operator.
    pub fn operator(&self) -> Client {
        self.client_with(keys::OPERATOR)
    }

    /// `DATA/sandbox.json`
    #[track_caller]
    pub fn sandbox_json(&self) -> Value {
        let bytes = fs::read(self.data().join("sandbox.json")).expect("sandbox.json is there");
        serde_json::from_slice(&bytes).expect("sandbox.json is JSON")
    }

    /// The control address of the sandbox in its process.
    #[track_caller]
    pub fn control(&self) -> Control {
        let file = self.sandbox_json();
        let address = file["processors"]["card"]["control"].as_str().expect("the card host's control address");
        // A host may be named with or without its scheme.
        let bare = address.trim_start_matches("http://");
        Control(bare.parse().unwrap_or_else(|_| panic!("{address} is an address")))
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.options.data.clone().unwrap_or_else(|| self.folder.join("data"))
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.data().join("journal")
    }

    /// Where its log goes.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("switch.log")
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// The folder that goes with the test.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// A switch with its sandbox for all tests of one program that run at a time: started when the first needs it, gone with the last.
pub fn shared() -> Arc<Switch> {
    static SHARED: Mutex<Weak<Switch>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Switch::sandboxed());
        *shared = Arc::downgrade(&started);
        started
    })
}
