//! `[webhooks]`: where they may go.

use crate::webhooks::Reach;
use serde::Deserialize;

/// `[webhooks]` as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedWebhooks {
    /// Whether they go to private, link-local and loopback addresses, and by http. Default: no; a sandbox's go to this machine.
    #[serde(default)]
    pub allow_private: bool,
}

impl TypedWebhooks {
    pub(super) fn reach(&self, in_sandbox: bool) -> Reach {
        match (self.allow_private, in_sandbox) {
            (true, _) => Reach::Anywhere,
            (false, true) => Reach::PublicAndLoopback,
            (false, false) => Reach::Public,
        }
    }
}
