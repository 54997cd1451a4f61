//! The configuration as typed: every key optional, unknown keys refused, nothing checked yet.

use super::limits::TypedLimits;
use super::links::TypedLinks;
use super::nacha::TypedNacha;
use super::webhooks::TypedWebhooks;
use crate::console::Role;
use crate::operator::typed::{Route, Rule};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    /// Folder of journal, database, keys and sandbox. Default `./data`.
    pub data: Option<PathBuf>,
    /// Address of REST and pages. Default `127.0.0.1:8080`.
    pub http: Option<String>,
    /// Address of the binary protocol. Default `127.0.0.1:8583`.
    pub binary: Option<String>,
    /// Certificate of both fronts, PEM, with those that lead to its authority behind it. Default: none, and then only this
    /// machine reaches them.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Event loops of the binary protocol. Default: half of the cores.
    pub binary_loops: Option<u16>,
    /// `sqlite://…` or `postgres://…`. Default: SQLite in the data folder.
    pub database: Option<String>,
    /// Shard threads. Default: half of the cores.
    pub shards: Option<u16>,
    /// What the header `Authorization` of an operator's request must say. Default: none is accepted.
    pub operator_key: Option<String>,
    /// Where whoever pays finds us: `https://pay.example.com`. Default: the address of REST and pages.
    pub public_url: Option<String>,
    /// Days after which a payment request that is not paid expires. Default 7.
    pub payment_request_days: Option<u32>,
    /// How mails leave.
    #[serde(default)]
    pub mail: TypedMail,
    /// Addresses of proxies whose `X-Forwarded-For` is believed. Default: none.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// How much is taken at a time.
    #[serde(default)]
    pub limits: TypedLimits,
    /// The journal's segments.
    #[serde(default)]
    pub journal: TypedJournal,
    /// The sandbox's own merchant.
    #[serde(default)]
    pub sandbox: TypedSandbox,
    /// Processors beside the sandbox's.
    #[serde(default)]
    pub processor: Vec<TypedProcessor>,
    /// Merchants beside the sandbox's.
    #[serde(default)]
    pub merchant: Vec<TypedMerchant>,
    /// The bank that takes settlement's files.
    #[serde(default)]
    pub nacha: TypedNacha,
    /// Who may sign in to the console beside whoever holds `operator_key`.
    #[serde(default)]
    pub console_user: Vec<TypedConsoleUser>,
    /// How webhooks leave.
    #[serde(default)]
    pub webhooks: TypedWebhooks,
    /// Rules, as `PUT /operator/rules` takes them; merchants may be named by their names.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Routes, as `PUT /operator/routing` takes them; merchants and processors may be named by their names.
    #[serde(default)]
    pub route: Vec<Route>,
}

/// `[[console_user]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedConsoleUser {
    /// The name to sign in with.
    pub name: String,
    /// `viewer` or `operator`.
    pub role: Role,
    /// As `switchyard config hash-password` prints it.
    pub password_hash: String,
}

/// Not even the hash is shown.
impl std::fmt::Debug for TypedConsoleUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TypedConsoleUser").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// `[mail]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedMail {
    /// `smtps://user:password@host`, or `smtp://host?tls=required`. Default: mails are files in the data folder's `mail`.
    pub smtp: Option<String>,
    /// Whom mails come from: `Shop <shop@example.com>`.
    pub from: Option<String>,
}

/// The server's address may hold a password.
impl std::fmt::Debug for TypedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TypedMail").field("from", &self.from).finish_non_exhaustive()
    }
}

/// `[journal]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedJournal {
    /// Size of a segment, bytes, a multiple of 4096. Default 64 MiB.
    pub segment_bytes: Option<u64>,
    /// Segments written ahead. Default 2.
    pub segments_ahead: Option<u32>,
    /// Free space, bytes, below which new payments are refused. Default 256 MiB.
    pub free_bytes_min: Option<u64>,
    /// Sealed segments that stay although the database holds their records; older ones leave the folder. Default: 4 with an
    /// `archive`, all without one.
    pub keep_segments: Option<u32>,
    /// Folder into which they are moved, each journal's into one of its own. Without it `keep_segments` removes them: a lost
    /// database can then not be built anew from the journal.
    pub archive: Option<PathBuf>,
}

/// `[sandbox]`: fixes what the first start would draw.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedSandbox {
    /// Key for all calls.
    pub api_key: Option<String>,
    /// Key that may only create payments.
    pub pub_key: Option<String>,
    /// Name for a log-in.
    pub username: Option<String>,
    /// Password for a log-in.
    pub password: Option<String>,
    /// Key of the operator's calls.
    pub operator_key: Option<String>,
    /// `document`, `live`, `arrays`, or a list of them.
    pub compat: Option<TypedCompat>,
    /// Duplicate window, seconds. Default 0: off.
    pub duplicate_window_s: Option<u32>,
    /// Terms of payment links. Default: a service fee of 1.5 percent, the rest as a merchant's.
    #[serde(default)]
    pub links: TypedLinks,
}

/// One word or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TypedCompat {
    /// One word.
    One(String),
    /// Several that combine.
    Several(Vec<String>),
}

/// `[[processor]]`; also what an operator adds at run time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedProcessor {
    /// Unique; what the index in the records hangs on.
    pub name: String,
    /// `tsys_sierra`, `sage_ach` or `dejavoo`.
    pub r#type: String,
    /// Where it listens.
    pub addr: String,
    /// False takes no new transactions. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What proves a merchant to an ACH host. Needed by `sage_ach`, of no use to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// How long an answer may take, milliseconds. Default 30,000; 120,000 of terminals, where a person answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Wait before the first repeat of a reversal, milliseconds. Default 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_retry_ms: Option<u32>,
    /// Bound of that wait's doubling, milliseconds. Default 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_retry_max_ms: Option<u32>,
    /// Idle time before an echo, milliseconds. Default 30,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_idle_ms: Option<u32>,
    /// Connections that its requests are spread over. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u16>,
    /// Key of the codes that authenticate messages (DE64, DE128) both ways, hexadecimal. Default: messages carry none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_key_hex: Option<String>,
    /// When its business day ends and its batches are closed, `HH:MM` UTC. Default: by the operator's command only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_over: Option<String>,
    /// TLS, which the host must speak then. Default: in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TypedTls>,
    /// True speaks to a host on another machine in clear, card numbers and all. Default false: such an address is refused without `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure: Option<bool>,
}

/// `tls` of a `[[processor]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedTls {
    /// The name, or address, that the host's certificate must be for.
    pub server_name: String,
    /// PEM file of the authorities that may vouch for it. Default: those that browsers trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the chain by which we prove who we are, our own certificate first. Default: the host asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<PathBuf>,
}

/// `[[merchant]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedMerchant {
    /// Unique; the account's id is drawn for it at the first start.
    pub name: String,
    /// Key for all calls.
    pub api_key: String,
    /// Key that may only create payments.
    pub pub_key: Option<String>,
    /// Name of the processor for cards. Default: the first that takes them.
    pub card_processor: Option<String>,
    /// Name of the processor for bank accounts. Default: the first that takes them.
    pub ach_processor: Option<String>,
    /// Name of the processor for terminals. Default: the first that takes them.
    pub terminal_processor: Option<String>,
    /// Duplicate window, seconds. Default 60.
    pub duplicate_window_s: Option<u32>,
    /// As in `[sandbox]`.
    pub compat: Option<TypedCompat>,
    /// True for a merchant of tests. Default false.
    pub sandbox: Option<bool>,
    /// Merchant category code, ISO 8583 DE18. Default 5999.
    pub category: Option<u16>,
    /// Terms of payment links.
    #[serde(default)]
    pub links: TypedLinks,
}
