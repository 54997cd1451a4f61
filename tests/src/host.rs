//! The sandbox's card host: its control address, and the host as a process of its own that outlives a switch.

use crate::binary::switchyard;
use crate::folder::Folder;
use crate::http::exchange;
use crate::process::Leash;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port that a host may be given.
const STEADY_FIRST: u16 = 12_000;
/// The first port that Linux gives to those who want any (`net.ipv4.ip_local_port_range`).
const DRAWN_BY_KERNEL: u16 = 32_768;

/// An entry of the host's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// DE37.
    pub rrn: String,
    /// `authorization`, `sale`, `capture`, `refund`, `credit`, `void` or `reversal`.
    pub kind: String,
    /// Minor units.
    pub amount: u64,
    /// Whether the host approved.
    pub approved: bool,
    /// Whether a later void or reversal took it back.
    pub reversed: bool,
    /// Whether its bank sent it back.
    pub returned: bool,
    /// Number of the accepted batch that it was settled in.
    pub batch: Option<u64>,
}

impl Entry {
    /// Approved, not taken back, and money or the hold of it.
    pub fn stands(&self) -> bool {
        self.approved && !self.reversed && !self.returned && !matches!(self.kind.as_str(), "void" | "reversal")
    }
}

/// The control address.
#[derive(Debug, Clone, Copy)]
pub struct Control(pub SocketAddr);

impl Control {
    /// What the host believes.
    #[track_caller]
    pub fn ledger(&self) -> Vec<Entry> {
        let response = exchange(self.0, "GET", "/ledger", &[], b"").expect("the control address answers");
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["entries"].as_array().expect("a list of entries").iter().map(entry).collect()
    }

    /// The entries of one transaction.
    #[track_caller]
    pub fn entries_of(&self, rrn: &str) -> Vec<Entry> {
        self.ledger().into_iter().filter(|entry| entry.rrn == rrn).collect()
    }

    /// Puts faults in force, in place of those before.
    #[track_caller]
    pub fn faults(&self, faults: &Value) {
        let response =
            exchange(self.0, "POST", "/faults", &[("Content-Type", "application/json")], faults.to_string().as_bytes());
        let response = response.expect("the control address answers");
        assert_eq!(response.status, 200, "{}", response.text());
    }

    /// No faults any more.
    #[track_caller]
    pub fn heal(&self) {
        self.faults(&json!({}));
    }
}

#[track_caller]
fn entry(value: &Value) -> Entry {
    let text = |name: &str| value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}")).to_owned();
    let flag = |name: &str| value[name].as_bool().unwrap_or_else(|| panic!("{name} of {value}"));
    Entry {
        rrn: text("rrn"),
        kind: text("kind"),
        amount: value["amount"].as_u64().unwrap_or_else(|| panic!("amount of {value}")),
        approved: flag("approved"),
        reversed: flag("reversed"),
        returned: value["returned"].is_string(),
        batch: value["batch"].as_u64(),
    }
}

/// A free address on which a host can listen again after it was away. A port that the kernel gives to whoever wants any may be
/// another's by then.
fn steady() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u64::from(std::process::id()) * 64 % u64::from(DRAWN_BY_KERNEL - STEADY_FIRST);
    let ports = std::iter::repeat_with(|| {
        let number = begin + u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
        STEADY_FIRST + (number % u64::from(DRAWN_BY_KERNEL - STEADY_FIRST)) as u16
    });
    let mut addresses = ports.take(1_000).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    addresses.find(|address| TcpListener::bind(address).is_ok()).expect("a free port below the kernel's own")
}

/// `switchyard sandbox` on a leash.
#[derive(Debug)]
pub struct HostProcess {
    running: Option<Leash>,
    folder: Folder,
    flags: &'static [&'static str],
    /// Where it takes payments.
    pub addr: SocketAddr,
    /// Where the ACH host beside it takes entries.
    pub ach: SocketAddr,
    /// Where its ledger and faults are.
    pub control: Control,
}

impl HostProcess {
    /// Starts a host with an empty ledger.
    pub fn start() -> HostProcess {
        HostProcess::start_with(&[])
    }

    /// The same with more flags of `switchyard sandbox`.
    pub fn start_with(flags: &'static [&'static str]) -> HostProcess {
        let (addr, ach, control) = (steady(), steady(), Control(steady()));
        let mut host = HostProcess { running: None, folder: Folder::new(), flags, addr, ach, control };
        host.start_again();
        host
    }

    /// Starts it on the same ledger and ports.
    pub fn start_again(&mut self) {
        let mut command = Command::new(switchyard());
        command.arg("sandbox").arg("--data").arg(self.folder.path());
        command.args(["--card", &self.addr.to_string(), "--card-control", &self.control.0.to_string()]);
        command.args(["--ach", &self.ach.to_string()]).args(self.flags);
        let mut leash = Leash::start(command, &self.folder.join("host.log"));
        let words = leash.ready().unwrap_or_else(|ended| panic!("the host ended with {}:\n{}", ended.status, ended.stderr));
        let address = |name: &str| {
            let (_, value) = words.iter().find(|(key, _)| key == name).unwrap_or_else(|| panic!("{name} in {words:?}"));
            value.parse().unwrap_or_else(|_| panic!("{name}={value} is an address"))
        };
        self.addr = address("card");
        self.ach = address("ach");
        self.control = Control(address("card_control"));
        self.running = Some(leash);
    }

    /// `kill -9`
    pub fn kill9(&mut self) {
        self.running.take().expect("it runs").kill9();
    }

    /// `SIGSTOP`: it stands still, its sockets stay open.
    pub fn pause(&self) {
        self.running.as_ref().expect("it runs").signal(Signal::STOP);
    }

    /// `SIGCONT`
    pub fn resume(&self) {
        self.running.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Where its ledger is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}
