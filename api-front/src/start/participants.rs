//! Who takes part in this run: the sandbox's hosts and merchant, and those of the configuration.

use super::error::StartError;
use crate::accounts::{self, AccountError, Enrolled, users};
use crate::config::{
    CATEGORY_DEFAULT, MerchantSettings, ProcessorNames, ProcessorSettings, SANDBOX_HOSTS, SANDBOX_MERCHANT, SandboxSettings,
    Settings,
};
use crate::data_folder::DataFolder;
use crate::operator::{Added, Roster};
use crate::sandbox_home::{HostAddresses, Identity, SandboxFile};
use crate::settlement::schedule::CutOvers;
use crate::switch::directory::{AcceptorTable, MerchantTable, ProcessorKind, ProcessorTable, TerminalTable};
use crate::switch::ids::Ids;
use crate::terminals::{self, Kept};
use crate::webhooks::Secrets;
use persistence::PersistenceError;
use persistence::stores::Stores;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::PaymentMethod;
use sandbox::{Endpoint, Running};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The sandbox of this run.
pub(super) struct Sandbox {
    pub(super) running: Running,
    pub(super) identity: Identity,
}

impl Sandbox {
    /// Starts the hosts and remembers, or draws, the merchant and its keys.
    pub(super) fn start(
        settings: &SandboxSettings,
        merchants: &[MerchantSettings],
        data: &DataFolder,
        secrets: &Secrets,
    ) -> Result<Sandbox, StartError> {
        let running = sandbox::start(sandbox::Options::new(data.path()))?;
        let path = data.sandbox_json();
        let taken: Vec<&str> = merchants.iter().flat_map(MerchantSettings::keys).collect();
        let merchant = accounts::merchant_id_of(SANDBOX_MERCHANT);
        let identity = Identity::load_or_draw(&path, settings, &taken, merchant);
        let mut identity = identity.map_err(|source| StartError::File { what: "read", path, source })?;
        identity.webhook_secret = secrets.of_merchant(&merchant).text();
        Ok(Sandbox { running, identity })
    }

    fn hosts(&self) -> impl Iterator<Item = (&'static str, ProcessorKind, Endpoint)> + use<> {
        let Running { card, card_2, ach, terminal, .. } = &self.running;
        let endpoints = [*card, *card_2, *ach, *terminal];
        SANDBOX_HOSTS.into_iter().zip(endpoints).map(|((name, kind), endpoint)| (name, kind, endpoint))
    }

    /// The hosts' control addresses.
    pub(super) fn controls(&self) -> Vec<SocketAddr> {
        self.hosts().map(|(_, _, host)| host.control).collect()
    }

    fn merchant(&self, settings: &SandboxSettings) -> MerchantSettings {
        let first = |method| SANDBOX_HOSTS.iter().find(|(_, kind)| kind.method() == method).map(|(name, _)| (*name).to_owned());
        MerchantSettings {
            name: SANDBOX_MERCHANT.to_owned(),
            api_key: self.identity.api_key.clone(),
            pub_key: Some(self.identity.pub_key.clone()),
            processors: ProcessorNames {
                card: first(PaymentMethod::Card),
                ach: first(PaymentMethod::Ach),
                terminal: first(PaymentMethod::Terminal),
            },
            duplicate_window_s: settings.duplicate_window_s,
            compat: settings.compat,
            sandbox: true,
            category: CATEGORY_DEFAULT,
            links: settings.links.clone(),
        }
    }

    /// Sees to it that the user of `sandbox.json` can log in.
    async fn enroll_user(&self, stores: &Stores, id: Xid, now: Micros) -> Result<(), AccountError> {
        let (merchant, identity) = (accounts::merchant_id_of(SANDBOX_MERCHANT), &self.identity);
        users::ensure_admin(stores, merchant, &identity.username, &identity.password, id, now).await
    }

    /// Rewrites `sandbox.json` with the addresses of this run.
    pub(super) fn write_file(
        &self,
        data: &DataFolder,
        http: SocketAddr,
        binary: SocketAddr,
        table: &ProcessorTable,
    ) -> Result<(), StartError> {
        let mut processors = BTreeMap::new();
        for (name, kind, endpoint) in self.hosts() {
            let id = table.iter().find(|processor| processor.name == name).map(|processor| processor.id.to_string());
            let (addr, control) = (endpoint.addr.to_string(), endpoint.control.to_string());
            let terminal_id = (kind == ProcessorKind::Dejavoo).then(first_terminal).flatten();
            processors.insert(name.to_owned(), HostAddresses { id: id.unwrap_or_default(), addr, control, terminal_id });
        }
        let path = data.sandbox_json();
        let file = SandboxFile::new(http, binary, self.identity.clone(), processors);
        file.write(&path).map_err(|source| StartError::File { what: "write", path, source })
    }
}

/// Everybody who takes part.
pub(super) struct Participants {
    pub(super) processors: ProcessorTable,
    pub(super) links: Vec<(u16, ProcessorSettings)>,
    pub(super) merchants: MerchantTable,
    /// What an operator may say of merchants.
    pub(super) roster: Roster,
    /// Where each merchant's cards are taken, as the hosts know it.
    pub(super) acceptors: AcceptorTable,
    pub(super) terminals: TerminalTable,
    pub(super) configured: Vec<ProcessorSettings>,
    /// Those of them that an operator has added.
    pub(super) added: Vec<(Added, ProcessorSettings)>,
}

impl Participants {
    /// When each processor's day ends.
    pub(super) fn cut_overs(&self) -> CutOvers {
        self.links.iter().filter_map(|(index, settings)| Some((*index, settings.cut_over?))).collect()
    }

    /// Brings configuration, sandbox and SQL home together.
    pub(super) async fn enroll(
        settings: &Settings,
        sandbox: Option<&Sandbox>,
        kept: Kept<'_>,
        added: Vec<(Added, ProcessorSettings)>,
        ids: &Ids,
        now: Micros,
    ) -> Result<Participants, StartError> {
        let stores = kept.stores;
        let hosts = sandbox.map(Sandbox::hosts).into_iter().flatten();
        let mut configured: Vec<_> =
            hosts.map(|(name, kind, host)| ProcessorSettings::of_sandbox(name, kind, host.addr)).collect();
        configured.extend(settings.processors.iter().cloned());
        let added = enroll_added(stores, added, &configured).await?;
        configured.extend(added.iter().map(|(_, settings)| settings.clone()));
        let processors = accounts::enroll_processors(stores, &configured).await?;
        let own = sandbox.zip(settings.sandbox.as_ref()).map(|(sandbox, terms)| sandbox.merchant(terms));
        let merchants: Vec<MerchantSettings> = own.into_iter().chain(settings.merchants.iter().cloned()).collect();
        let enrolled = accounts::enroll_merchants(stores, &merchants, &processors, now, || ids.draw(now)).await?;
        if let Some(sandbox) = sandbox {
            sandbox.enroll_user(stores, ids.draw(now), now).await?;
        }
        let in_sandbox = enrolled.iter().filter(|enrolled| sandbox.is_some() && enrolled.merchant.sandbox);
        for Enrolled { merchant, acceptor } in in_sandbox {
            terminals::enroll_sandbox(kept, merchant.id, &acceptor.terminal, now).await?;
        }
        let terminals = terminals::load(kept).await?;
        let acceptors = AcceptorTable::of(enrolled.iter().map(|enrolled| (enrolled.merchant.id, enrolled.acceptor.clone())));
        let merchants = MerchantTable::of(enrolled.iter().map(|enrolled| enrolled.merchant.clone()));
        let roster = Roster::new(enrolled, processors.clone(), merchants.clone(), acceptors.clone());
        let links = links(&processors, &configured);
        Ok(Participants { processors, links, merchants, roster, acceptors, terminals, configured, added })
    }
}

/// What an operator has added comes before the configuration's new ones, for its records carry an index. What the configuration
/// names by now is the configuration's.
async fn enroll_added(
    stores: &Stores,
    added: Vec<(Added, ProcessorSettings)>,
    configured: &[ProcessorSettings],
) -> Result<Vec<(Added, ProcessorSettings)>, PersistenceError> {
    let mut enrolled = Vec::with_capacity(added.len());
    for (added, settings) in added {
        let is_configured = configured.iter().any(|other| other.name == settings.name);
        if is_configured || !accounts::enroll_added(stores, added.index(), &settings).await? {
            tracing::warn!(
                name = settings.name,
                "a processor that was added at run time is left out: its name or number is taken"
            );
        } else {
            enrolled.push((added, settings));
        }
    }
    Ok(enrolled)
}

fn links(table: &ProcessorTable, configured: &[ProcessorSettings]) -> Vec<(u16, ProcessorSettings)> {
    let index = |settings: &ProcessorSettings| table.iter().find(|known| known.name == settings.name).map(|known| known.index);
    configured.iter().filter_map(|settings| Some((index(settings)?, settings.clone()))).collect()
}

/// The id of the sandbox merchant's terminal that approves.
fn first_terminal() -> Option<String> {
    let merchant = accounts::merchant_id_of(SANDBOX_MERCHANT);
    sandbox::spin::TERMINALS.first().map(|terminal| terminals::terminal_id(&merchant, terminal.tpn).to_string())
}
