//! The command line: words and flags as the documentation has them.

use crate::journal_tools::Until;
use clap::{Args, Parser, Subcommand, ValueEnum};
use protocol::id::Xid;
use protocol::iso8583::MacKey;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio_rustls::rustls::pki_types::ServerName;

/// A payment switch.
#[derive(Debug, Parser)]
#[command(name = "switchyard", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without a word: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `serve`.
    #[command(flatten)]
    pub serve: Serve,
}

/// The words.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the switch (the default).
    Serve(Serve),
    /// Run the sandbox processors in a process of their own.
    Sandbox(Box<Sandbox>),
    /// Look at a journal without changing it.
    #[command(subcommand)]
    Journal(Journal),
    /// Decide the payments of a journal anew, offline, and say what would have been different.
    Replay(Replay),
    /// Check a configuration.
    #[command(subcommand)]
    Config(Config),
    /// The keys of a running switch.
    #[command(subcommand)]
    Keys(Keys),
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Flags of `serve`; each wins over the configuration file.
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Configuration, TOML.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of journal, database, keys and sandbox [default: data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address of REST and pages [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Address of the binary protocol [default: 127.0.0.1:8583].
    #[arg(long, value_name = "ADDR")]
    pub binary: Option<SocketAddr>,
    /// `sqlite://…` or `postgres://…` [default: SQLite in the data folder].
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Start no sandbox processors and no sandbox merchant.
    #[arg(long)]
    pub no_sandbox: bool,
    /// Allow addresses that other machines reach, without TLS.
    #[arg(long)]
    pub insecure: bool,
    /// How log lines on stderr are written.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub log: LogForm,
}

/// Who proves who it is, between the sandbox's hosts and whoever connects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SandboxTls {
    /// Nobody: in clear.
    #[default]
    Off,
    /// The hosts.
    Server,
    /// Both sides; the client's certificate is `sandbox/client.pem`, its key `sandbox/client-key.pem`.
    Mutual,
}

fn mac_key(text: &str) -> Result<MacKey, &'static str> {
    MacKey::from_hex(text).ok_or("must be 32 to 128 hexadecimal digits")
}

/// Flags of `sandbox`.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// Folder whose `sandbox` holds the hosts' ledgers.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
    /// Address of the card host.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub card: SocketAddr,
    /// Address of the card host's control.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub card_control: SocketAddr,
    /// Address of the second card host.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub card_2: SocketAddr,
    /// Address of the second card host's control.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub card_2_control: SocketAddr,
    /// Address of the ACH host.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub ach: SocketAddr,
    /// Address of the ACH host's control.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub ach_control: SocketAddr,
    /// Address of the terminal host.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub terminal: SocketAddr,
    /// Address of the terminal host's control.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub terminal_control: SocketAddr,
    /// What the hosts' wires are wrapped in; the authority is `sandbox/ca.pem` in the folder.
    #[arg(long, value_name = "WHO", default_value = "off")]
    pub tls: SandboxTls,
    /// Key of the codes that authenticate the card hosts' messages, 32 to 128 hexadecimal digits [default: messages carry none].
    #[arg(long, value_name = "HEX", value_parser = mac_key)]
    pub mac_key_hex: Option<MacKey>,
    /// How log lines on stderr are written.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub log: LogForm,
}

/// Words of `journal`.
#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Verify every byte, and say what is there: extent, totals, state digest. Exits with 1 when it is damaged.
    Verify {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// One line per record, cards masked.
    Dump(Dump),
}

/// Flags of `journal dump`; a record must meet them all.
#[derive(Debug, Args)]
pub struct Dump {
    /// The journal's folder.
    pub dir: PathBuf,
    /// Only records that name this transaction or batch: itself, its refunds, its members.
    #[arg(long, value_name = "ID")]
    pub id: Option<Xid>,
    /// Only records of the transaction with this retrieval reference number.
    #[arg(long, value_name = "RRN")]
    pub rrn: Option<String>,
    /// Only records of transactions with this order number.
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
    /// Begin with this LSN.
    #[arg(long, value_name = "LSN")]
    pub from: Option<u64>,
    /// End with this LSN.
    #[arg(long, value_name = "LSN")]
    pub to: Option<u64>,
    /// One JSON object per line.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The journal's folder.
    #[arg(long, value_name = "DIR", default_value = "data/journal")]
    pub journal: PathBuf,
    /// Rules to try, JSON as `PUT /operator/rules` takes it.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Routes to try, JSON as `PUT /operator/routing` takes it; processors may be named by their names.
    #[arg(long, value_name = "FILE")]
    pub routing: Option<PathBuf>,
    /// What processors cost, JSON: `{"card": {"per_payment": 10, "bp": 25}}`, minor units and hundredths of a percent of what is approved.
    #[arg(long, value_name = "FILE")]
    pub costs: Option<PathBuf>,
    /// The last record to read, or a moment such as 2026-11-21T12:00:00Z: the switch as it stood then.
    #[arg(long, value_name = "LSN|TIME")]
    pub until: Option<Until>,
    /// Say what had become of this transaction or batch by then, and nothing else.
    #[arg(long, value_name = "ID")]
    pub id: Option<Xid>,
    /// The same of the transaction with this retrieval reference number.
    #[arg(long, value_name = "RRN")]
    pub rrn: Option<String>,
    /// The same of the transactions with this order number.
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
    /// Write the report as a page, too.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Words of `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Read and check a file; says what is wrong, or nothing.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Read a password from stdin and print what `[[console_user]]` keeps of it.
    HashPassword,
}

/// Words of `keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Seal under a new key from now on, and seal the vault anew under it, while payments go on. The operator's key is taken from
    /// SWITCHYARD_OPERATOR_KEY, in a sandbox from its data folder.
    Rotate {
        /// The switch's data folder: where a sandbox says its address and key.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data: PathBuf,
        /// Where the switch serves REST on this machine.
        #[arg(long, value_name = "ADDR")]
        http: Option<SocketAddr>,
        /// The switch serves TLS: the name in its certificate.
        #[arg(long, value_name = "NAME", value_parser = server_name)]
        tls: Option<ServerName<'static>>,
        /// PEM file of the certificate, or of who vouches for it; without it those that browsers trust.
        #[arg(long, value_name = "FILE", requires = "tls")]
        ca: Option<PathBuf>,
    },
}

fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned()).map_err(|_| "must be a name or an address as it stands in a certificate".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_documented_command_lines_are_understood() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["switchyard", "--data", "/tmp/x", "--http", "127.0.0.1:0", "--no-sandbox"]).unwrap();
        assert!(cli.command.is_none() && cli.serve.no_sandbox);
        for line in [
            "serve --insecure --log json",
            "sandbox --data d",
            "sandbox --tls mutual --mac-key-hex 00112233445566778899aabbccddeeff",
            "journal verify d",
            "keys rotate --data d --http 127.0.0.1:8080",
            "keys rotate --http 127.0.0.1:8080 --tls pay.example.com --ca certificate.pem",
            "journal dump d --from 3 --json",
            "replay --journal d --rules f --until 9",
            "replay --journal d --until 2026-11-21T12:00:00Z --order o",
            "config hash-password",
            "config check f",
        ] {
            let words = std::iter::once("switchyard").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).unwrap().command.is_some(), "{line}");
        }
        assert!(Cli::try_parse_from(["switchyard", "--http", "nonsense"]).is_err());
    }
}
