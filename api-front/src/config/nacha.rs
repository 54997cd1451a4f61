//! `[nacha]`: the two ends of the files that settlement writes for the bank.

use super::checked::name_of;
use super::error::ConfigError;
use protocol::aba::is_valid;
use serde::Deserialize;

/// A routing number with a right check digit that is no bank's: files are written, and no bank takes them.
const NO_BANK: &str = "123456780";
const IDENTIFICATION_CHARACTERS: usize = 10;

/// `[nacha]` as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedNacha {
    /// Routing number of the bank that takes the files, nine digits. Default: one that is no bank's.
    pub bank_routing: Option<String>,
    /// Its name. Default: BANK.
    pub bank_name: Option<String>,
    /// By what the bank knows us, up to ten characters. Default: its routing number.
    pub origin_id: Option<String>,
    /// Our name. Default: SWITCHYARD.
    pub origin_name: Option<String>,
}

/// `[nacha]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NachaSettings {
    /// Routing number of the bank that takes the files.
    pub bank_routing: String,
    /// Its name.
    pub bank_name: String,
    /// By what it knows us.
    pub origin_id: String,
    /// Our name.
    pub origin_name: String,
}

impl NachaSettings {
    pub(super) fn check(typed: TypedNacha) -> Result<NachaSettings, ConfigError> {
        let bank_routing = typed.bank_routing.unwrap_or_else(|| NO_BANK.to_owned());
        if !is_valid(&bank_routing) {
            return Err(ConfigError::value("nacha.bank_routing", bank_routing, "must be nine digits with a right check digit"));
        }
        let origin_id = typed.origin_id.unwrap_or_else(|| bank_routing.clone());
        if !(1..=IDENTIFICATION_CHARACTERS).contains(&origin_id.len())
            || !origin_id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(ConfigError::value("nacha.origin_id", origin_id, "must be 1 to 10 ASCII letters and digits"));
        }
        Ok(NachaSettings {
            bank_routing,
            bank_name: name_of("nacha.bank_name", typed.bank_name.unwrap_or_else(|| "BANK".to_owned()))?,
            origin_id,
            origin_name: name_of("nacha.origin_name", typed.origin_name.unwrap_or_else(|| "SWITCHYARD".to_owned()))?,
        })
    }
}
