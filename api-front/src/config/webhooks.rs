//! `[webhooks]`: where they may go, and whose certificates are believed there.

use crate::webhooks::Reach;
use serde::Deserialize;
use std::path::PathBuf;

/// `[webhooks]` as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedWebhooks {
    /// Whether they go to private, link-local and loopback addresses, and by http. Default: no; a sandbox's go to this machine.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of authorities that receivers' certificates may come from, beside those that everybody trusts. Default: none.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// How webhooks leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where they may go.
    pub reach: Reach,
    /// Authorities of our own, PEM.
    pub ca_file: Option<PathBuf>,
}

impl WebhookSettings {
    pub(super) fn of(typed: TypedWebhooks, in_sandbox: bool) -> WebhookSettings {
        let reach = match (typed.allow_private, in_sandbox) {
            (true, _) => Reach::Anywhere,
            (false, true) => Reach::PublicAndLoopback,
            (false, false) => Reach::Public,
        };
        WebhookSettings { reach, ca_file: typed.ca_file }
    }
}
