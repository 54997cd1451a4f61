//! What an operator says of a merchant: that it is there, whether it may do anything, and its settings.
//!
//! Lives here: merchants that are made at run time, and what is said of those that the configuration names, laid over what the
//! configuration says. A merchant that was made at run time stands nowhere but in its changes, so that the journal alone brings it back.
//! Must not live here: keys and users, which a merchant gets beside its account ([`crate::accounts`]).

use super::Operator;
use super::changes::{AS_CONFIGURED, Changes, InForce, Made, NotMade, Order, PutInForce, Thing};
use crate::accounts::{Enrolled, merchant_terms, new_merchant};
use crate::config::TypedLinks;
use crate::config::merchant::{self, TypedCompat};
use crate::switch::directory::{AcceptorTable, Merchant, MerchantTable, ProcessorTable};
use crate::switch::door::{Door, Return};
use protocol::change::{Area, ChangedBy};
use protocol::id::Xid;
use protocol::words::PaymentMethod;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use switch_core::shard_of;

/// What of a merchant's settings is not as configured, or for a new one not as usual. `null` and absent say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantWish {
    /// Name or id of the processor that takes its cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_processor: Option<String>,
    /// The same for bank accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ach_processor: Option<String>,
    /// The same for cards at a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal_processor: Option<String>,
    /// Duplicate window, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_window_s: Option<u32>,
    /// `document`, `live`, `arrays`, or a list of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compat: Option<TypedCompat>,
    /// Merchant category code, ISO 8583 DE18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<u16>,
    /// Terms of payment links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<TypedLinks>,
}

impl MerchantWish {
    /// These wishes over older ones.
    fn over(self, older: MerchantWish) -> MerchantWish {
        MerchantWish {
            card_processor: self.card_processor.or(older.card_processor),
            ach_processor: self.ach_processor.or(older.ach_processor),
            terminal_processor: self.terminal_processor.or(older.terminal_processor),
            duplicate_window_s: self.duplicate_window_s.or(older.duplicate_window_s),
            compat: self.compat.or(older.compat),
            category: self.category.or(older.category),
            links: match (self.links, older.links) {
                (Some(said), Some(older)) => Some(said.over(older)),
                (said, older) => said.or(older),
            },
        }
    }
}

/// The text of a merchant's change.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    /// Its name, where it was made at run time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    active: bool,
    settings: MerchantWish,
}

impl Text {
    fn of(text: &str) -> Result<Option<Text>, String> {
        if text == AS_CONFIGURED { Ok(None) } else { serde_json::from_str(text).map(Some).map_err(|error| error.to_string()) }
    }

    fn written(&self) -> Result<String, NotMade> {
        serde_json::to_string(self).map_err(|error| NotMade::Invalid(error.to_string()))
    }
}

/// Merchants as configured, and the tables in which they stand as they are. Clones are the same.
#[derive(Clone)]
pub struct Roster {
    configured: Arc<HashMap<Xid, Enrolled>>,
    processors: ProcessorTable,
    merchants: MerchantTable,
    acceptors: AcceptorTable,
}

impl Roster {
    /// A roster over the tables in which they are enrolled.
    pub fn new(
        configured: impl IntoIterator<Item = Enrolled>,
        processors: ProcessorTable,
        merchants: MerchantTable,
        acceptors: AcceptorTable,
    ) -> Roster {
        let configured = configured.into_iter().map(|enrolled| (enrolled.merchant.id, enrolled)).collect();
        Roster { configured: Arc::new(configured), processors, merchants, acceptors }
    }

    /// What was said before a start holds again. A text that can't be read any more, because it names a processor that is gone or was
    /// written by a later version, shuts its merchant out rather than let it in on other terms.
    pub async fn restore(&self, changes: &Changes) {
        for (thing, in_force) in changes.all_in_force().await {
            if thing.area != Area::Merchant {
                continue;
            }
            match self.meant(thing.subject, &in_force.text) {
                Ok(Some(enrolled)) => self.enroll(enrolled),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(merchant = %thing.subject, %error, "what an operator said can't be used: the merchant is shut out");
                    self.shut_out(thing.subject);
                }
            }
        }
    }

    /// A merchant as a text means it; `None` when nobody has ever heard of it.
    fn meant(&self, id: Xid, text: &str) -> Result<Option<Enrolled>, String> {
        let Some(Text { name, active, settings }) = Text::of(text)? else { return Ok(self.as_configured(id)) };
        let base = match name {
            Some(name) => Some(new_merchant(id, &name, &self.processors)),
            None => self.configured.get(&id).cloned(),
        };
        let Some(Enrolled { merchant, acceptor }) = base else { return Ok(None) };
        let mut enrolled = Enrolled { merchant: Merchant { active: merchant.active && active, ..merchant }, acceptor };
        self.grant(&mut enrolled, settings)?;
        Ok(Some(enrolled))
    }

    /// Without a word about it: one that was made at run time is then nobody's.
    fn as_configured(&self, id: Xid) -> Option<Enrolled> {
        let known = self.configured.get(&id).cloned();
        known.or_else(|| {
            let made = self.merchants.get(&id)?;
            let Enrolled { merchant, acceptor } = new_merchant(id, &made.name, &self.processors);
            Some(Enrolled { merchant: Merchant { active: false, ..merchant }, acceptor })
        })
    }

    fn grant(&self, enrolled: &mut Enrolled, wish: MerchantWish) -> Result<(), String> {
        let MerchantWish { card_processor, ach_processor, terminal_processor, duplicate_window_s, compat, category, links } =
            wish;
        let refused = |error: crate::config::ConfigError| error.to_string();
        let own = &mut enrolled.merchant.processors;
        for (key, place, method, named) in [
            ("card_processor", &mut own.card, PaymentMethod::Card, card_processor),
            ("ach_processor", &mut own.ach, PaymentMethod::Ach, ach_processor),
            ("terminal_processor", &mut own.terminal, PaymentMethod::Terminal, terminal_processor),
        ] {
            *place = named.map_or(Ok(*place), |named| self.processor(key, &named, method))?;
        }
        if let Some(window_s) = duplicate_window_s {
            enrolled.merchant.duplicate_window_s =
                merchant::duplicate_window_s("duplicate_window_s", window_s).map_err(refused)?;
        }
        if let Some(category) = category {
            enrolled.acceptor.category = merchant::category("category", category).map_err(refused)?;
        }
        if let Some(links) = links {
            enrolled.merchant.links = links.check("links", enrolled.merchant.links).map_err(refused)?;
        }
        if compat.is_some() {
            enrolled.merchant.compat = merchant::compat("compat", compat).map_err(refused)?;
        }
        Ok(())
    }

    fn processor(&self, key: &str, named: &str, method: PaymentMethod) -> Result<u16, String> {
        let by_id = named.parse().ok().and_then(|id| self.processors.by_id(&id));
        let found = by_id.or_else(|| self.processors.iter().find(|processor| processor.name == named));
        let found = found.ok_or_else(|| format!("{key} = {named:?} is the name of no processor"))?;
        let taken = found.kind.method();
        if taken == method { Ok(found.index) } else { Err(format!("{key} = {named:?} takes {} payments", taken.word())) }
    }

    fn enroll(&self, Enrolled { merchant, acceptor }: Enrolled) {
        self.acceptors.put(merchant.id, acceptor);
        self.merchants.put(merchant);
    }

    fn shut_out(&self, id: Xid) {
        if let Some(merchant) = self.merchants.get(&id) {
            self.merchants.put(Merchant { active: false, ..Merchant::clone(&merchant) });
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.merchants.all().iter().any(|merchant| merchant.name == name)
    }
}

/// A merchant, and what an operator has said of it.
#[derive(Debug, Clone)]
pub struct MerchantStanding {
    /// As it is.
    pub merchant: Arc<Merchant>,
    /// True where the configuration does not know it.
    pub made_at_run_time: bool,
    /// What is not as configured.
    pub settings: MerchantWish,
    /// Number of the change that made it so; 0 when none has.
    pub version: u32,
}

impl Operator {
    /// All merchants.
    pub async fn merchants(&self) -> Vec<MerchantStanding> {
        let mut all = Vec::new();
        for merchant in self.steered.roster.merchants.all() {
            let in_force = self.changes.in_force(thing(merchant.id)).await;
            all.push(self.standing(merchant, &in_force));
        }
        all
    }

    /// One of them.
    pub async fn merchant(&self, id: Xid) -> Option<MerchantStanding> {
        let merchant = self.steered.roster.merchants.get(&id)?;
        let in_force = self.changes.in_force(thing(id)).await;
        Some(self.standing(merchant, &in_force))
    }

    fn standing(&self, merchant: Arc<Merchant>, in_force: &InForce) -> MerchantStanding {
        let text = Text::of(&in_force.text).ok().flatten();
        let made_at_run_time = !self.steered.roster.configured.contains_key(&merchant.id);
        MerchantStanding {
            made_at_run_time,
            settings: text.map(|text| text.settings).unwrap_or_default(),
            version: in_force.version,
            merchant,
        }
    }

    /// Whether a merchant could be made; nothing is changed.
    pub fn check_merchant(&self, name: &str, settings: &MerchantWish) -> Result<(), NotMade> {
        merchant::name("name", name.to_owned()).map_err(|error| NotMade::Invalid(error.to_string()))?;
        if self.steered.roster.is_taken(name) {
            return Err(NotMade::Invalid(format!("name = {name:?} is another merchant's: it must be unique")));
        }
        let mut tried = new_merchant(Xid::NONE, name, &self.steered.roster.processors);
        self.steered.roster.grant(&mut tried, settings.clone()).map_err(NotMade::Invalid)
    }

    /// Makes a merchant under an id that was drawn for it.
    pub async fn make_merchant(&self, id: Xid, name: &str, settings: MerchantWish, by: ChangedBy) -> Result<Made, NotMade> {
        self.check_merchant(name, &settings)?;
        let text = Text { name: Some(name.to_owned()), active: true, settings }.written()?;
        let (roster, name) = (self.steered.roster.clone(), name.to_owned());
        // Asked again where no other change can come between.
        let order = Order::of(by).expecting(Some(0));
        self.change_merchant_if(id, text, order, move || !roster.is_taken(&name)).await
    }

    /// Lets a merchant in, or shuts it out: the kill switch. What is under way is finished, reversals and settlement too.
    pub async fn set_merchant_active(&self, id: Xid, active: bool, order: Order) -> Result<Made, NotMade> {
        self.rewrite(id, order, |text| Text { active, ..text }).await
    }

    /// Changes what is said of a merchant's settings, and leaves what is not said.
    pub async fn set_merchant_settings(&self, id: Xid, wish: MerchantWish, order: Order) -> Result<Made, NotMade> {
        self.rewrite(id, order, |text| Text { settings: wish.clone().over(text.settings), ..text }).await
    }

    /// Changes a part of what is said of a merchant. Of two at once, the later one changes what the earlier one has left: neither a
    /// suspension nor a setting is lost by the other.
    async fn rewrite(&self, id: Xid, order: Order, new: impl Fn(Text) -> Text) -> Result<Made, NotMade> {
        loop {
            let (version, text) = self.text_of(id).await?;
            let text = new(text).written()?;
            let made = self.change_merchant(id, text, order.expecting(order.expected.or(Some(version)))).await;
            if order.expected.is_some() || !matches!(made, Err(NotMade::Conflict { .. })) {
                return made;
            }
        }
    }

    /// What is said of a merchant now, and the number of the change that said so.
    async fn text_of(&self, id: Xid) -> Result<(u32, Text), NotMade> {
        let in_force = self.changes.in_force(thing(id)).await;
        let said = match Text::of(&in_force.text).map_err(NotMade::Invalid)? {
            Some(text) => text,
            None => {
                let name =
                    (!self.steered.roster.configured.contains_key(&id)).then(|| self.steered.roster.merchants.get(&id)).flatten();
                let name = name.map(|merchant| merchant.name.clone());
                Text { active: name.is_none(), name, settings: MerchantWish::default() }
            }
        };
        Ok((in_force.version, said))
    }

    pub(super) async fn change_merchant(&self, id: Xid, text: String, order: Order) -> Result<Made, NotMade> {
        self.change_merchant_if(id, text, order, || true).await
    }

    async fn change_merchant_if(
        &self,
        id: Xid,
        text: String,
        order: Order,
        is_free: impl FnOnce() -> bool,
    ) -> Result<Made, NotMade> {
        let (roster, doors, new) = (self.steered.roster.clone(), self.steered.doors.clone(), text.clone());
        let check = move |_| {
            if !is_free() {
                return Err("the name is another merchant's: it must be unique".to_owned());
            }
            let enrolled = roster.meant(id, &new)?.ok_or("there is no such merchant")?;
            Ok(Box::new(move || put(&roster, enrolled, &doors)) as PutInForce)
        };
        self.changes.make(thing(id), text, order, check).await
    }
}

/// Its shard knows it before its first command can come, and links know its terminal before its shard sends.
fn put(roster: &Roster, enrolled: Enrolled, doors: &[Door]) {
    let terms = merchant_terms(&enrolled.merchant);
    roster.acceptors.put(enrolled.merchant.id, enrolled.acceptor.clone());
    doors[usize::from(shard_of(terms.id, doors.len() as u16))].give(Return::Merchant(terms));
    roster.enroll(enrolled);
}

fn thing(id: Xid) -> Thing {
    Thing { area: Area::Merchant, subject: id }
}
