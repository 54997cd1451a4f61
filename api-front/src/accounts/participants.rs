//! Who takes part, as configured and as the SQL home remembers: merchants, their keys, processors and their indexes.
//!
//! Records carry a processor's index and id and a merchant's id for good, and hosts its terminal. Ids of what the configuration
//! names follow from the name, and a terminal from its merchant's id, so that a database that is lost and rebuilt from the
//! journal finds them again.

use super::keys::hint;
use crate::config::{CATEGORY_DEFAULT, DUPLICATE_WINDOW_S, MerchantSettings, ProcessorSettings, TypedLinks};
use crate::switch::directory::{Compat, LinkTerms, Merchant, Processor, ProcessorKind, ProcessorTable};
use persistence::PersistenceError;
use persistence::stores::{self, ApiKey, KeyKind, Stores};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::PaymentMethod;
use serde::{Deserialize, Serialize};
use switch_core::connectors::tsys::Acceptor;
use switch_core::input::{MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms};

/// Name under which keys from the configuration are stored: those that it no longer names are removed.
const CONFIGURED_KEY: &str = "configuration";

/// A merchant's settings as the SQL home holds them, JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredSettings {
    /// True where the configuration has made it; false where it was made at run time.
    configured: bool,
    duplicate_window_s: u32,
    card_processor: String,
    ach_processor: String,
    terminal_processor: String,
    live: bool,
    arrays: bool,
    sandbox: bool,
    category: u16,
    links: TypedLinks,
}

/// A merchant, and where its cards are taken.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// As the front knows it.
    pub merchant: Merchant,
    /// As a host knows it.
    pub acceptor: Acceptor,
}

/// Gives each configured processor its index and id, new or remembered, and keeps those that are configured no more: old
/// transactions carry them.
pub async fn enroll_processors(stores: &Stores, configured: &[ProcessorSettings]) -> Result<ProcessorTable, PersistenceError> {
    let mut known = stores.processors().await?;
    for settings in configured {
        if known.iter().any(|processor| processor.name == settings.name) {
            continue;
        }
        let index = known.iter().map(|processor| processor.index).max().unwrap_or(0) + 1;
        let kind = settings.kind.word().to_owned();
        let processor = stores::Processor { index, id: processor_id_of(&settings.name), name: settings.name.clone(), kind };
        stores.put_processor(&processor).await?;
        known.push(processor);
    }
    let readable = known.into_iter().filter_map(|stored| {
        let kind = ProcessorKind::from_word(&stored.kind)?;
        Some(Processor { index: stored.index, id: stored.id, name: stored.name, kind })
    });
    Ok(ProcessorTable::new(readable.collect()))
}

/// What shards must know of the processors. One that is configured no more takes nothing new.
pub fn processor_terms(table: &ProcessorTable, configured: &[ProcessorSettings]) -> Vec<ProcessorTerms> {
    let settings = |processor: &Processor| configured.iter().find(|settings| settings.name == processor.name);
    table.iter().map(|processor| terms_of(processor, settings(processor))).collect()
}

/// What shards must know of one processor.
pub fn terms_of(processor: &Processor, settings: Option<&ProcessorSettings>) -> ProcessorTerms {
    let is_enabled = settings.is_some_and(|settings| settings.enabled);
    ProcessorTerms {
        index: processor.index,
        method: processor.kind.method(),
        state: if is_enabled { ProcessorState::Enabled } else { ProcessorState::Draining },
        timeout_ms: settings.map_or(30_000, |settings| settings.timeout_ms),
        reversal_retry_ms: settings.map_or(60_000, |settings| settings.reversal_retry_ms),
        reversal_retry_max_ms: settings.map_or(3_600_000, |settings| settings.reversal_retry_max_ms),
    }
}

/// The id of a processor, which follows from its name.
pub fn processor_id_of(name: &str) -> Xid {
    id_of("processor", name)
}

/// Gives a processor that was added at run time the index that its records carry, before configured ones draw theirs. False when it is
/// another's.
pub async fn enroll_added(stores: &Stores, index: u16, settings: &ProcessorSettings) -> Result<bool, PersistenceError> {
    let (id, kind) = (processor_id_of(&settings.name), settings.kind.word().to_owned());
    stores.put_processor(&stores::Processor { index, id, name: settings.name.clone(), kind }).await
}

/// Stores the configured merchants and their keys, and gives all merchants there are. A merchant that the configuration named once
/// and names no more stays, for its payments do, and takes nothing new: its keys are gone.
pub async fn enroll_merchants(
    stores: &Stores,
    configured: &[MerchantSettings],
    processors: &ProcessorTable,
    now: Micros,
    mut draw: impl FnMut() -> Xid,
) -> Result<Vec<Enrolled>, PersistenceError> {
    for settings in configured {
        let id = merchant_id_of(&settings.name);
        let merchant = stores::Merchant { id, name: settings.name.clone(), settings: stored(settings), active: true };
        stores.put_merchant(&merchant).await?;
    }
    // All that go, before any that come: a key may have moved from one merchant to another.
    remove_keys(stores, configured).await?;
    for settings in configured {
        add_keys(stores, settings, now, &mut draw).await?;
    }
    let all = stores.merchants().await?;
    let is_configured = |merchant: &stores::Merchant| configured.iter().any(|settings| settings.name == merchant.name);
    Ok(all.iter().map(|merchant| readable(merchant, is_configured(merchant), processors)).collect())
}

/// Keys that came from the configuration and that it names no more, or for another merchant, work no more.
async fn remove_keys(stores: &Stores, configured: &[MerchantSettings]) -> Result<(), PersistenceError> {
    let wanted: Vec<_> = configured
        .iter()
        .flat_map(|settings| keys_of(settings).map(|(kind, key)| (merchant_id_of(&settings.name), kind, ApiKey::hash_of(key))))
        .collect();
    for key in stores.all_api_keys().await?.iter().filter(|key| key.name == CONFIGURED_KEY) {
        if !wanted.contains(&(key.merchant, key.kind, key.hash)) {
            stores.delete_api_key(&key.id).await?;
        }
    }
    Ok(())
}

async fn add_keys(
    stores: &Stores,
    settings: &MerchantSettings,
    now: Micros,
    draw: &mut impl FnMut() -> Xid,
) -> Result<(), PersistenceError> {
    let merchant = merchant_id_of(&settings.name);
    let stored = stores.api_keys(&merchant).await?;
    for (kind, text) in keys_of(settings) {
        let hash = ApiKey::hash_of(text);
        if !stored.iter().any(|key| (key.kind, key.hash) == (kind, hash)) {
            let (id, name, hint) = (draw(), CONFIGURED_KEY.to_owned(), hint(text));
            let key = ApiKey { id, hash, kind, merchant, user: Xid::NONE, name, hint, created_at: now };
            stores.put_api_key(&key).await?;
        }
    }
    Ok(())
}

/// The keys that the configuration gives a merchant.
fn keys_of(settings: &MerchantSettings) -> impl Iterator<Item = (KeyKind, &str)> {
    let public = settings.pub_key.as_deref().map(|key| (KeyKind::Public, key));
    std::iter::once((KeyKind::Api, settings.api_key.as_str())).chain(public)
}

fn stored(settings: &MerchantSettings) -> String {
    let own = &settings.processors;
    let stored = StoredSettings {
        configured: true,
        duplicate_window_s: settings.duplicate_window_s,
        card_processor: own.card.clone().unwrap_or_default(),
        ach_processor: own.ach.clone().unwrap_or_default(),
        terminal_processor: own.terminal.clone().unwrap_or_default(),
        live: settings.compat.live,
        arrays: settings.compat.arrays,
        sandbox: settings.sandbox,
        category: settings.category,
        links: settings.links.clone(),
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

fn read_settings(merchant: &stores::Merchant) -> StoredSettings {
    serde_json::from_str(&merchant.settings).unwrap_or_default()
}

/// A merchant of the configuration or the sandbox takes nothing in a run that is not configured for it.
fn readable(stored: &stores::Merchant, is_configured: bool, processors: &ProcessorTable) -> Enrolled {
    let settings = read_settings(stored);
    // A name of nothing, or of nothing any more, takes nothing.
    let index = |name: &str| processors.iter().find(|processor| processor.name == name).map_or(0, |processor| processor.index);
    let processors = OwnProcessors {
        card: index(&settings.card_processor),
        ach: index(&settings.ach_processor),
        terminal: index(&settings.terminal_processor),
    };
    let merchant = Merchant {
        id: stored.id,
        name: stored.name.clone(),
        active: stored.active && (is_configured || !(settings.sandbox || settings.configured)),
        sandbox: settings.sandbox,
        duplicate_window_s: settings.duplicate_window_s,
        processors,
        compat: Compat { live: settings.live, arrays: settings.arrays },
        links: link_terms(stored, &settings.links),
    };
    let terminal = terminal_of(stored.id);
    let id = format!("SWYARD-{terminal}");
    Enrolled { merchant, acceptor: Acceptor { terminal, id, category: settings.category } }
}

/// They were checked when they were stored. Ones that a later version has stored and this one refuses hold as usual.
fn link_terms(merchant: &stores::Merchant, typed: &TypedLinks) -> LinkTerms {
    typed.check("links", LinkTerms::default()).unwrap_or_else(|error| {
        tracing::error!(merchant = %merchant.id, %error, "its terms of payment links are not sound; the usual ones hold");
        LinkTerms::default()
    })
}

/// A merchant that is made at run time, as it is while nothing more is said of it: the first processor of a kind takes its
/// payments.
pub fn new_merchant(id: Xid, name: &str, processors: &ProcessorTable) -> Enrolled {
    let first = |method| {
        let able = processors.iter().find(|processor| processor.kind.method() == method);
        able.map(|processor| processor.name.clone()).unwrap_or_default()
    };
    let settings = StoredSettings {
        duplicate_window_s: DUPLICATE_WINDOW_S,
        card_processor: first(PaymentMethod::Card),
        ach_processor: first(PaymentMethod::Ach),
        terminal_processor: first(PaymentMethod::Terminal),
        category: CATEGORY_DEFAULT,
        ..StoredSettings::default()
    };
    let settings = serde_json::to_string(&settings).unwrap_or_default();
    readable(&stores::Merchant { id, name: name.to_owned(), settings, active: true }, false, processors)
}

/// The account of a merchant that the configuration names.
pub fn merchant_id_of(name: &str) -> Xid {
    id_of("merchant", name)
}

/// The id of something that the configuration names.
fn id_of(kind: &str, name: &str) -> Xid {
    let hash = blake3::Hasher::new_derive_key("switchyard id of a configured name")
        .update(kind.as_bytes())
        .update(&[0])
        .update(name.as_bytes())
        .finalize();
    let mut id = Xid::NONE;
    id.0.copy_from_slice(&hash.as_bytes()[..12]);
    id
}

/// Which terminal a host knows a merchant by, ISO 8583 DE41: eight characters, of its own for each merchant, because hosts keep
/// totals and batch numbers by terminal.
fn terminal_of(merchant: Xid) -> String {
    let mut rest = merchant.hash64();
    let digit = |_| {
        let digit = char::from_digit((rest % 36) as u32, 36).map_or('0', |digit| digit.to_ascii_uppercase());
        rest /= 36;
        digit
    };
    (0..8).map(digit).collect()
}

/// What shards must know of a merchant.
pub fn merchant_terms(merchant: &Merchant) -> MerchantTerms {
    MerchantTerms {
        id: merchant.id,
        active: merchant.active,
        duplicate_window_s: merchant.duplicate_window_s,
        processors: merchant.processors,
    }
}
