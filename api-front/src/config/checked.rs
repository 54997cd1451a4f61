//! The configuration as the switch uses it: every value present and in its bound.

use super::Overrides;
use super::console_user;
use super::error::ConfigError;
use super::fronts::FrontSettings;
use super::limits::LimitSettings;
use super::links::TypedLinks;
use super::mail::MailSettings;
use super::merchant;
use super::nacha::NachaSettings;
use super::processor::{Named, ProcessorNames, ProcessorSettings, SANDBOX_HOSTS, check_processors};
use super::retention::RetentionSettings;
use super::tables;
use super::typed::{Typed, TypedCompat, TypedJournal, TypedMerchant, TypedSandbox};
use super::webhooks::WebhookSettings;
use crate::console::ConsoleUser;
use crate::operator::ConfiguredTables;
use crate::switch::directory::{Compat, LinkTerms};
use persistence::journal::LogOptions;
use persistence::sql::DatabaseUrl;
use protocol::frame::{BLOCK_BYTES, SEGMENT_BYTES_MAX};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use switch_core::limits::SHARDS_MAX;

/// Duplicate window of a merchant that says nothing of it, seconds.
pub const DUPLICATE_WINDOW_S: u32 = 60;
/// Merchant category code of "miscellaneous and specialty retail".
pub const CATEGORY_DEFAULT: u16 = 5999;
const NAME_CHARACTERS: RangeInclusive<usize> = 1..=64;
const KEY_CHARACTERS: RangeInclusive<usize> = 8..=128;
/// From twice the largest frame on, so that any turn of a shard fits.
const SEGMENT_BOUND_BYTES: RangeInclusive<u64> = 8 * 1024 * 1024..=SEGMENT_BYTES_MAX;
pub(crate) const WINDOW_BOUND_S: RangeInclusive<u32> = 0..=86_400;

/// All of it.
#[derive(Debug)]
pub struct Settings {
    /// Folder of journal, database, keys and sandbox.
    pub data: PathBuf,
    /// How clients reach us.
    pub fronts: FrontSettings,
    /// The SQL home.
    pub database: DatabaseUrl,
    /// Parts into which merchants are divided.
    pub shards: u16,
    /// Threads that carry shards, links and connections of payments.
    pub payment_threads: u16,
    /// How much is taken at a time.
    pub limits: LimitSettings,
    /// The journal's segments.
    pub journal: JournalSettings,
    /// What becomes of its old segments; `None` keeps all.
    pub retention: Option<RetentionSettings>,
    /// Key of the operator's calls, where there is no sandbox to draw one.
    pub operator_key: Option<String>,
    /// Where whoever pays finds us; `None`: at the address of REST and pages.
    pub public_url: Option<String>,
    /// Days after which a payment request that is not paid expires.
    pub payment_request_days: u32,
    /// How mails leave.
    pub mail: MailSettings,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Who may sign in to the console.
    pub console_users: Vec<ConsoleUser>,
    /// The sandbox in this process; `None` with `--no-sandbox`.
    pub sandbox: Option<SandboxSettings>,
    /// Processors beside the sandbox's.
    pub processors: Vec<ProcessorSettings>,
    /// Merchants beside the sandbox's.
    pub merchants: Vec<MerchantSettings>,
    /// Rules and routes.
    pub tables: ConfiguredTables,
    /// The bank that takes settlement's files.
    pub nacha: NachaSettings,
    /// How webhooks leave.
    pub webhooks: WebhookSettings,
}

/// The journal's segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalSettings {
    /// Size of a segment, bytes.
    pub segment_bytes: u64,
    /// Segments written ahead: the reserve for outcomes and reversals when the disk is nearly full.
    pub segments_ahead: u32,
    /// Free space, bytes, below which new payments are refused.
    pub free_bytes_min: u64,
}

/// What the configuration fixes of the sandbox's merchant; the first start draws the rest.
#[derive(Debug, Default)]
pub struct SandboxSettings {
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
    /// How its clients want answers.
    pub compat: Compat,
    /// Duplicate window, seconds.
    pub duplicate_window_s: u32,
    /// Terms of its payment links.
    pub links: TypedLinks,
}

/// What the sandbox keeps of pay-ins unless configured, percent: what the documents' samples show.
const SANDBOX_SERVICE_FEE: &str = "1.5";

/// One merchant.
#[derive(Debug, Clone)]
pub struct MerchantSettings {
    /// Unique name.
    pub name: String,
    /// Key for all calls.
    pub api_key: String,
    /// Key that may only create payments.
    pub pub_key: Option<String>,
    /// Names of its processors.
    pub processors: ProcessorNames,
    /// Duplicate window, seconds.
    pub duplicate_window_s: u32,
    /// How its clients want answers.
    pub compat: Compat,
    /// True for a merchant of tests.
    pub sandbox: bool,
    /// ISO 8583 DE18, a merchant category code of ISO 18245.
    pub category: u16,
    /// Terms of its payment links.
    pub links: TypedLinks,
}

impl Settings {
    pub(super) fn check(typed: Typed, overrides: &Overrides) -> Result<Settings, ConfigError> {
        let fronts = FrontSettings::check(&typed, overrides)?;
        let data = overrides.data.clone().or(typed.data).unwrap_or_else(|| PathBuf::from("data"));
        let database = match overrides.database.as_deref().or(typed.database.as_deref()) {
            // The text may hold a password: the error names the key and the reason only.
            Some(url) => DatabaseUrl::parse(url).map_err(|error| ConfigError::value("database", "…", error.to_string()))?,
            None => DatabaseUrl::sqlite_in(&data),
        };
        let shards = in_bound("shards", typed.shards.unwrap_or_else(|| half_of_the_cores(SHARDS_MAX)), 1..=SHARDS_MAX)?;
        let limits = LimitSettings::check(&typed.limits)?;
        let journal = JournalSettings::check(&typed.journal)?;
        let retention = RetentionSettings::check(&typed.journal)?;
        let operator_key = typed.operator_key.map(|key| secret("operator_key", key)).transpose()?;
        let sandbox = SandboxSettings::check(typed.sandbox)?;
        let sandbox = (!overrides.no_sandbox).then_some(sandbox);
        let processors = check_processors(typed.processor, sandbox.is_some())?;
        let own = if sandbox.is_some() { &SANDBOX_HOSTS[..] } else { &[] };
        let configured = processors.iter().map(|processor| (processor.name.as_str(), processor.kind));
        let named: Vec<_> = own.iter().copied().chain(configured).collect();
        let merchants = check_merchants(typed.merchant, &named)?;
        check_keys(operator_key.as_deref(), sandbox.as_ref(), &merchants)?;
        let own_merchant = sandbox.is_some().then_some(SANDBOX_MERCHANT);
        let merchant_names: Vec<&str> =
            own_merchant.into_iter().chain(merchants.iter().map(|merchant| merchant.name.as_str())).collect();
        let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
        let tables = tables::check(typed.rule, typed.route, &merchant_names, &names)?;
        let console_users = console_user::check(typed.console_user)?;
        let trusted_proxies = typed.trusted_proxies.iter().map(|text| proxy(text)).collect::<Result<_, _>>()?;
        let mail = MailSettings::check(typed.mail)?;
        let webhooks = WebhookSettings::of(typed.webhooks, sandbox.is_some());
        let public_url = typed.public_url.map(public_url).transpose()?;
        let payment_request_days = in_bound(
            "payment_request_days",
            typed.payment_request_days.unwrap_or(PAYMENT_REQUEST_DAYS),
            PAYMENT_REQUEST_BOUND_DAYS,
        )?;
        Ok(Settings {
            data,
            fronts,
            database,
            shards,
            payment_threads: shards.min(cores(SHARDS_MAX)).max(half_of_the_cores(SHARDS_MAX)),
            limits,
            journal,
            retention,
            operator_key,
            public_url,
            payment_request_days,
            mail,
            trusted_proxies,
            console_users,
            sandbox,
            processors,
            merchants,
            tables,
            nacha: NachaSettings::check(typed.nacha)?,
            webhooks,
        })
    }
}

/// Days of a payment request unless configured, as it is decided for this API.
const PAYMENT_REQUEST_DAYS: u32 = 7;
const PAYMENT_REQUEST_BOUND_DAYS: RangeInclusive<u32> = 1..=365;

/// Links in mails begin with it.
fn public_url(url: String) -> Result<String, ConfigError> {
    let is_one = url.parse::<axum::http::Uri>().is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    if is_one { Ok(url) } else { Err(ConfigError::value("public_url", url, "must begin with https:// or http://")) }
}

impl JournalSettings {
    fn check(typed: &TypedJournal) -> Result<JournalSettings, ConfigError> {
        let defaults = LogOptions::default();
        let segment_bytes = typed.segment_bytes.unwrap_or(defaults.segment_bytes);
        if !segment_bytes.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(ConfigError::value("journal.segment_bytes", segment_bytes, "must be a multiple of 4096"));
        }
        let ahead = typed.segments_ahead.unwrap_or(defaults.segments_ahead);
        Ok(JournalSettings {
            segment_bytes: in_bound("journal.segment_bytes", segment_bytes, SEGMENT_BOUND_BYTES)?,
            segments_ahead: in_bound("journal.segments_ahead", ahead, 1..=16)?,
            free_bytes_min: typed.free_bytes_min.unwrap_or(defaults.free_bytes_min),
        })
    }
}

impl SandboxSettings {
    fn check(typed: TypedSandbox) -> Result<SandboxSettings, ConfigError> {
        let fee = || Some(SANDBOX_SERVICE_FEE.to_owned());
        let links = TypedLinks { service_fee: typed.links.service_fee.clone().or_else(fee), ..typed.links };
        links.check("sandbox.links", LinkTerms::default())?;
        let optional_secret = |key: &str, value: Option<String>| value.map(|value| secret(key, value)).transpose();
        Ok(SandboxSettings {
            api_key: optional_secret("sandbox.api_key", typed.api_key)?,
            pub_key: optional_secret("sandbox.pub_key", typed.pub_key)?,
            username: typed.username.map(|name| name_of("sandbox.username", name)).transpose()?,
            password: optional_secret("sandbox.password", typed.password)?,
            operator_key: optional_secret("sandbox.operator_key", typed.operator_key)?,
            compat: merchant::compat("sandbox.compat", typed.compat)?,
            duplicate_window_s: merchant::duplicate_window_s(
                "sandbox.duplicate_window_s",
                typed.duplicate_window_s.unwrap_or(0),
            )?,
            links,
        })
    }
}

fn check_merchants(typed: Vec<TypedMerchant>, processors: &[Named<'_>]) -> Result<Vec<MerchantSettings>, ConfigError> {
    let mut checked: Vec<MerchantSettings> = Vec::with_capacity(typed.len());
    for (place, merchant) in typed.into_iter().enumerate() {
        let merchant = MerchantSettings::check(&format!("merchant.{place}"), merchant, processors)?;
        if checked.iter().any(|other| other.name == merchant.name) {
            return Err(ConfigError::value(format!("merchant.{place}.name"), merchant.name, "must be unique"));
        }
        if merchant.name == SANDBOX_MERCHANT {
            let bound = "must be another: the sandbox's own merchant has this name";
            return Err(ConfigError::value(format!("merchant.{place}.name"), merchant.name, bound));
        }
        checked.push(merchant);
    }
    Ok(checked)
}

/// The name of the sandbox's own merchant, whose account follows from it.
pub const SANDBOX_MERCHANT: &str = "Sandbox";

/// A key says who asks, so each is one merchant's, or the operator's, and of one kind.
fn check_keys(
    operator_key: Option<&str>,
    sandbox: Option<&SandboxSettings>,
    merchants: &[MerchantSettings],
) -> Result<(), ConfigError> {
    let mut keys = Vec::with_capacity(4 + 2 * merchants.len());
    match sandbox {
        // The operator of a switch with a sandbox has the sandbox's key.
        Some(sandbox) => {
            let named = [("operator_key", &sandbox.operator_key), ("api_key", &sandbox.api_key), ("pub_key", &sandbox.pub_key)];
            keys.extend(named.map(|(field, key)| (format!("sandbox.{field}"), key.as_deref())));
        }
        None => keys.push(("operator_key".to_owned(), operator_key)),
    }
    for (place, merchant) in merchants.iter().enumerate() {
        keys.push((format!("merchant.{place}.api_key"), Some(merchant.api_key.as_str())));
        keys.push((format!("merchant.{place}.pub_key"), merchant.pub_key.as_deref()));
    }
    let mut known: HashMap<&str, &str> = HashMap::new();
    for (name, key) in keys.iter().filter_map(|(name, key)| Some((name, (*key)?))) {
        if let Some(other) = known.insert(key, name) {
            let said = format!("({} bytes)", key.len());
            return Err(ConfigError::value(name, said, format!("must be unique: {other} is the same")));
        }
    }
    Ok(())
}

fn proxy(text: &str) -> Result<IpAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::value("trusted_proxies", text, "must be IPv4 or IPv6 addresses"))
}

impl MerchantSettings {
    /// Its keys, of either kind.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.api_key.as_str()).chain(self.pub_key.as_deref())
    }

    fn check(at: &str, typed: TypedMerchant, processors: &[Named<'_>]) -> Result<MerchantSettings, ConfigError> {
        let key = |field: &str| format!("{at}.{field}");
        let TypedMerchant { card_processor, ach_processor, terminal_processor, .. } = &typed;
        let own = ProcessorNames::check(at, [card_processor, ach_processor, terminal_processor], processors)?;
        if own == ProcessorNames::default() {
            return Err(ConfigError::Missing { key: key("card_processor"), why: "there is no [[processor]]" });
        }
        typed.links.check(&key("links"), LinkTerms::default())?;
        Ok(MerchantSettings {
            api_key: secret(&key("api_key"), typed.api_key)?,
            pub_key: typed.pub_key.map(|value| secret(&key("pub_key"), value)).transpose()?,
            processors: own,
            duplicate_window_s: merchant::duplicate_window_s(
                &key("duplicate_window_s"),
                typed.duplicate_window_s.unwrap_or(DUPLICATE_WINDOW_S),
            )?,
            compat: merchant::compat(&key("compat"), typed.compat)?,
            sandbox: typed.sandbox.unwrap_or(false),
            category: merchant::category(&key("category"), typed.category.unwrap_or(CATEGORY_DEFAULT))?,
            links: typed.links,
            name: name_of(&key("name"), typed.name)?,
        })
    }
}

pub(super) fn address(key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::value(key, text, "must be an address and a port, like 127.0.0.1:8080"))
}

pub(super) fn in_bound<T: PartialOrd + Copy + ToString>(
    key: impl Into<String>,
    value: T,
    bound: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if bound.contains(&value) {
        return Ok(value);
    }
    let bound = format!("must be between {} and {}", bound.start().to_string(), bound.end().to_string());
    Err(ConfigError::value(key, value, bound))
}

pub(super) fn name_of(key: &str, name: String) -> Result<String, ConfigError> {
    let sound = NAME_CHARACTERS.contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if sound { Ok(name) } else { Err(ConfigError::value(key, name, "must be 1 to 64 printable characters")) }
}

/// A key or password. The error tells its length only.
pub(super) fn secret(key: &str, value: String) -> Result<String, ConfigError> {
    let sound = KEY_CHARACTERS.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    let said = || format!("({} bytes)", value.len());
    if sound { Ok(value) } else { Err(ConfigError::value(key, said(), "must be 8 to 128 visible ASCII characters")) }
}

pub(super) fn compat_of(key: &str, typed: Option<TypedCompat>) -> Result<Compat, ConfigError> {
    let words = match typed {
        None => Vec::new(),
        Some(TypedCompat::One(word)) => vec![word],
        Some(TypedCompat::Several(words)) => words,
    };
    let mut compat = Compat::default();
    for word in words {
        match word.as_str() {
            "document" => {}
            "live" => compat.live = true,
            "arrays" => compat.arrays = true,
            _ => return Err(ConfigError::value(key, word, "must be document, live or arrays, or a list of them")),
        }
    }
    Ok(compat)
}

/// Threads of which there are several, unless told otherwise; the other half serves, waits and writes.
pub(super) fn half_of_the_cores(most: u16) -> u16 {
    (cores(most) / 2).max(1)
}

/// Cores that the machine has, `most` at most.
fn cores(most: u16) -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores).unwrap_or(most).min(most)
}
