//! Processors as configured: what each is, where it listens, how long it may take, and which of them are a merchant's own.

use super::checked::{address, in_bound, name_of, secret};
use super::error::ConfigError;
use super::tls::TlsSettings;
use super::typed::TypedProcessor;
use crate::settlement::cut_over::CutOver;
use crate::switch::directory::ProcessorKind;
use core::fmt;
use protocol::iso8583::MacKey;
use protocol::words::PaymentMethod;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

const TIMEOUT_BOUND_MS: RangeInclusive<u32> = 100..=600_000;
const RETRY_BOUND_MS: RangeInclusive<u32> = 50..=3_600_000;
/// Connections to one processor.
const CONNECTIONS_BOUND: RangeInclusive<u16> = 1..=64;

/// One processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorSettings {
    /// Unique name.
    pub name: String,
    /// What kind of host.
    pub kind: ProcessorKind,
    /// Where it listens.
    pub addr: SocketAddr,
    /// False takes no new transactions.
    pub enabled: bool,
    /// How long an answer may take, milliseconds.
    pub timeout_ms: u32,
    /// Wait before the first repeat of a reversal, milliseconds.
    pub reversal_retry_ms: u32,
    /// Bound of that wait's doubling, milliseconds.
    pub reversal_retry_max_ms: u32,
    /// Idle time before an echo, milliseconds.
    pub echo_idle_ms: u32,
    /// Connections that its requests are spread over.
    pub connections: u16,
    /// Key of the codes that authenticate messages; `None` when they carry none.
    pub mac_key: Option<MacKey>,
    /// What proves merchants to it; `None` where it asks for no proof.
    pub password: Option<Password>,
    /// When its batches are closed; `None` by command only.
    pub cut_over: Option<CutOver>,
    /// What it must prove before it hears a byte; `None` in clear.
    pub tls: Option<TlsSettings>,
}

/// A password of ours at a host. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a text as it is.
    pub fn new(text: String) -> Password {
        Password(Zeroizing::new(text))
    }

    /// The text, for the link that writes it to the host; nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A merchant's processors by means of payment; `None` takes none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessorNames {
    /// For cards.
    pub card: Option<String>,
    /// For bank accounts.
    pub ach: Option<String>,
    /// For terminals.
    pub terminal: Option<String>,
}

/// A processor's name and what kind of host it is.
pub(super) type Named<'a> = (&'a str, ProcessorKind);

/// The sandbox's hosts as they stand among the processors. The first of a kind takes the sandbox merchant's payments.
pub const SANDBOX_HOSTS: [Named<'static>; 4] = [
    ("card", ProcessorKind::TsysSierra),
    ("card_2", ProcessorKind::TsysSierra),
    ("ach", ProcessorKind::SageAch),
    ("terminal", ProcessorKind::Dejavoo),
];

pub(super) fn check_processors(typed: Vec<TypedProcessor>, with_sandbox: bool) -> Result<Vec<ProcessorSettings>, ConfigError> {
    let mut checked: Vec<ProcessorSettings> = Vec::with_capacity(typed.len());
    for (place, processor) in typed.into_iter().enumerate() {
        let processor = ProcessorSettings::check(&format!("processor.{place}"), processor)?;
        let taken = checked.iter().any(|other| other.name == processor.name)
            || (with_sandbox && SANDBOX_HOSTS.iter().any(|(name, _)| *name == processor.name));
        if taken {
            return Err(ConfigError::value(format!("processor.{place}.name"), processor.name, "must be unique"));
        }
        checked.push(processor);
    }
    Ok(checked)
}

impl ProcessorSettings {
    /// Checks one as typed. `at` is what errors call its place.
    pub(crate) fn check(at: &str, typed: TypedProcessor) -> Result<ProcessorSettings, ConfigError> {
        let key = |field: &str| if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
        let kind = ProcessorKind::from_word(&typed.r#type)
            .ok_or_else(|| ConfigError::value(key("type"), &typed.r#type, "must be tsys_sierra, sage_ach or dejavoo"))?;
        let password = typed.password.map(|value| secret(&key("password"), value)).transpose()?.map(Password::new);
        if kind == ProcessorKind::SageAch && password.is_none() {
            return Err(ConfigError::Missing { key: key("password"), why: "an ACH host takes no entries without one" });
        }
        let addr = address(&key("addr"), &typed.addr)?;
        if !addr.ip().is_loopback() && typed.tls.is_none() && typed.insecure != Some(true) {
            return Err(ConfigError::ClearHost { key: key("addr"), address: addr });
        }
        let retry_ms = in_bound(key("reversal_retry_ms"), typed.reversal_retry_ms.unwrap_or(1_000), RETRY_BOUND_MS)?;
        let retry_max_ms = typed.reversal_retry_max_ms.unwrap_or(retry_ms.max(60_000));
        Ok(ProcessorSettings {
            kind,
            addr,
            enabled: typed.enabled.unwrap_or(true),
            timeout_ms: in_bound(key("timeout_ms"), typed.timeout_ms.unwrap_or(timeout_default_ms(kind)), TIMEOUT_BOUND_MS)?,
            reversal_retry_ms: retry_ms,
            reversal_retry_max_ms: in_bound(key("reversal_retry_max_ms"), retry_max_ms, retry_ms..=*RETRY_BOUND_MS.end())?,
            echo_idle_ms: in_bound(key("echo_idle_ms"), typed.echo_idle_ms.unwrap_or(30_000), TIMEOUT_BOUND_MS)?,
            connections: in_bound(key("connections"), typed.connections.unwrap_or(1), CONNECTIONS_BOUND)?,
            mac_key: typed.mac_key_hex.map(|text| mac_key(key("mac_key_hex"), &text)).transpose()?,
            password,
            cut_over: typed.cut_over.map(|text| cut_over(key("cut_over"), &text)).transpose()?,
            tls: typed.tls.map(|tls| TlsSettings::check(&key("tls"), tls)).transpose()?,
            name: name_of(&key("name"), typed.name)?,
        })
    }

    /// A host of the sandbox: short time-outs, so that tests need not wait.
    pub fn of_sandbox(name: &str, kind: ProcessorKind, addr: SocketAddr) -> ProcessorSettings {
        let timeout_ms = match kind {
            ProcessorKind::TsysSierra | ProcessorKind::SageAch => 2_000,
            ProcessorKind::Dejavoo => 5_000,
        };
        ProcessorSettings {
            name: name.to_owned(),
            kind,
            addr,
            enabled: true,
            timeout_ms,
            password: (kind == ProcessorKind::SageAch).then(|| Password::new("sandbox".to_owned())),
            reversal_retry_ms: 200,
            reversal_retry_max_ms: 5_000,
            echo_idle_ms: 10_000,
            connections: 1,
            mac_key: None,
            cut_over: Some(CutOver::MIDNIGHT),
            tls: None,
        }
    }
}

/// How long an answer may take unless the file says: hosts are quick, people are not.
fn timeout_default_ms(kind: ProcessorKind) -> u32 {
    match kind {
        ProcessorKind::TsysSierra | ProcessorKind::SageAch => 30_000,
        ProcessorKind::Dejavoo => 120_000,
    }
}

fn cut_over(key: String, text: &str) -> Result<CutOver, ConfigError> {
    text.parse().map_err(|bound| ConfigError::value(key, text, bound))
}

impl ProcessorNames {
    /// Those that are typed for cards, accounts and terminals; where none is, the first that can.
    pub(super) fn check(at: &str, typed: [&Option<String>; 3], processors: &[Named<'_>]) -> Result<ProcessorNames, ConfigError> {
        let [card, ach, terminal] = typed;
        let own = |field, method, typed| own_processor(format!("{at}.{field}"), method, typed, processors);
        Ok(ProcessorNames {
            card: own("card_processor", PaymentMethod::Card, card)?,
            ach: own("ach_processor", PaymentMethod::Ach, ach)?,
            terminal: own("terminal_processor", PaymentMethod::Terminal, terminal)?,
        })
    }
}

/// The processor that takes a merchant's payments by one means: the one that is named, or the first that can.
fn own_processor(
    key: String,
    method: PaymentMethod,
    typed: &Option<String>,
    processors: &[Named<'_>],
) -> Result<Option<String>, ConfigError> {
    let mut able = processors.iter().filter(|(_, kind)| kind.method() == method).map(|(name, _)| *name);
    match typed {
        None => Ok(able.next().map(str::to_owned)),
        Some(name) if able.any(|able| able == name) => Ok(Some(name.clone())),
        Some(name) => Err(ConfigError::value(key, name, format!("must be the name of a processor that takes {}", method.word()))),
    }
}

fn mac_key(key: String, text: &str) -> Result<MacKey, ConfigError> {
    let said = format!("({} characters)", text.len());
    MacKey::from_hex(text).ok_or_else(|| ConfigError::value(key, said, "must be 32 to 128 hexadecimal digits"))
}
