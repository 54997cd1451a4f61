//! What a payment by customer or token is made with; and the customer that an approved payment leaves behind.

use super::customers::kind_of;
use super::{Vault, VaultError};
use crate::intake::{Instrument, Stored, StoredKind};
use crate::rest::request::CustomerMeans;
use persistence::stores::{Address, Customer, Filed, PaymentMethod as StoredMethod, ShownAccount, ShownCard, ShownMethod};
use protocol::calendar::Micros;
use protocol::card::Expiry;
use protocol::id::Xid;
use protocol::response_code::Category;
use protocol::tail::{self, ADDRESS_FIELDS, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{PaymentMethod, Verb};

impl Vault {
    /// The payment method and addresses of a customer that a request names, its default ones where it names none.
    pub async fn resolve_customer(&self, merchant: &Xid, means: &CustomerMeans) -> Result<Instrument, VaultError> {
        let Filed { customer, payment_method, billing_address, shipping_address } = match self.customer(merchant, &means.id).await
        {
            Err(VaultError::NotFound) => return Err(VaultError::NotIts { field: "id" }),
            found => found?,
        };
        let method = self.chosen_method(&customer, payment_method, means).await?;
        let billing = self.chosen_address(&customer, billing_address, means.billing_address_id, "billing_address_id").await?;
        let shipping = self.chosen_address(&customer, shipping_address, means.shipping_address_id, "shipping_address_id").await?;
        let mut fields = Vec::with_capacity(512);
        tail::push(&mut fields, tag::CUSTOMER_ID, &customer.id.to_text());
        if let ShownMethod::Account(account) = &method.shown {
            push_account(account, &mut fields);
        }
        for (address, first_tag) in [(billing, tag::BILLING), (shipping, tag::SHIPPING)] {
            push_address(address.as_ref(), first_tag, &mut fields);
        }
        let kind = match method.shown {
            ShownMethod::Card(card) => stored_card(card)?,
            ShownMethod::Account(_) => StoredKind::Account,
        };
        let (sealed, fingerprint) = (method.sealed, method.fingerprint);
        Ok(Instrument::Stored(Stored { kind, sealed, fingerprint, named: named(means), fields, cvv: None }))
    }

    /// The card that a token stands for; the token is used up. `key` is the idempotency key that the request comes under.
    pub async fn resolve_token(
        &self,
        merchant: &Xid,
        token: &str,
        key: Option<&str>,
        now: Micros,
    ) -> Result<Instrument, VaultError> {
        let (used, cvv) = self.use_token(merchant, token, key, now).await?;
        let kind = stored_card(used.card)?;
        let (sealed, fingerprint) = (used.sealed, used.fingerprint);
        let (named, fields) = (token.as_bytes().to_vec(), Vec::new());
        Ok(Instrument::Stored(Stored { kind, sealed, fingerprint, named, fields, cvv }))
    }

    /// Leaves a customer behind, if that was asked for and the payment was approved: with the payment's id, so that it is the same
    /// one however often this is called. A failure is logged: the payment stands. False when it is to be done later.
    pub async fn record(&self, transaction: &Transaction, tail: Tail<'_>) -> bool {
        let kept = self.keep_customer_of(transaction, tail).await;
        let log =
            |error: &VaultError| tracing::warn!(%error, transaction = %transaction.id, "an approved payment's customer waits");
        kept.inspect_err(log).is_ok()
    }

    pub(super) async fn keep_customer_of(&self, transaction: &Transaction, tail: Tail<'_>) -> Result<(), VaultError> {
        match left_behind(transaction, tail, self.now()) {
            Some(filed) => Box::pin(self.file(&filed)).await.map(drop),
            None => Ok(()),
        }
    }

    async fn chosen_method(
        &self,
        customer: &Customer,
        default: Option<StoredMethod>,
        means: &CustomerMeans,
    ) -> Result<StoredMethod, VaultError> {
        const NOT_ITS: VaultError = VaultError::NotIts { field: "payment_method_id" };
        let is_kind = |method: &StoredMethod| means.payment_method_type.is_none_or(|kind| kind == kind_of(&method.shown));
        let chosen = match means.payment_method_id {
            Some(id) => self.methods_of(&customer.id).await?.into_iter().find(|method| method.id == id && is_kind(method)),
            None => match default.filter(is_kind) {
                None if means.payment_method_type.is_some() => self.methods_of(&customer.id).await?.into_iter().find(is_kind),
                default => default,
            },
        };
        chosen.ok_or(NOT_ITS)
    }

    async fn methods_of(&self, customer: &Xid) -> Result<Vec<StoredMethod>, VaultError> {
        Ok(self.0.switch.stores().methods(customer).await?)
    }

    async fn chosen_address(
        &self,
        customer: &Customer,
        default: Option<Address>,
        named: Option<Xid>,
        field: &'static str,
    ) -> Result<Option<Address>, VaultError> {
        let Some(id) = named else { return Ok(default) };
        let addresses = self.0.switch.stores().addresses(&customer.id).await?;
        let found = addresses.into_iter().find(|address| address.id == id);
        found.map(Some).ok_or(VaultError::NotIts { field })
    }
}

/// Equal for requests that name the same things.
fn named(means: &CustomerMeans) -> Vec<u8> {
    let ids = [Some(means.id), means.payment_method_id, means.billing_address_id, means.shipping_address_id];
    let mut named: Vec<u8> = ids.into_iter().flat_map(|id| id.unwrap_or(Xid::NONE).0).collect();
    named.push(means.payment_method_type.map_or(0, PaymentMethod::number));
    named
}

fn stored_card(card: ShownCard) -> Result<StoredKind, VaultError> {
    let fault = persistence::PersistenceError::StoredRow { table: "payment_methods", fault: "the expiry is no month" };
    let expiry = Expiry::from_yymm(card.expiry).ok_or(fault)?;
    Ok(StoredKind::Card { first_six: card.first_six, last_four: card.last_four, digits: card.digits, expiry })
}

fn push_account(account: &ShownAccount, out: &mut Vec<u8>) {
    let words = [
        (tag::SEC_CODE, &account.sec_code),
        (tag::ACCOUNT_TYPE, &account.account_type),
        (tag::ROUTING_NUMBER, &account.routing_number),
        (tag::MASKED_ACCOUNT, &account.masked_account),
    ];
    words.into_iter().for_each(|(tag, word)| tail::push(out, tag, word.as_bytes()));
}

fn push_address(address: Option<&Address>, first_tag: u16, out: &mut Vec<u8>) {
    let Some(address) = address else { return };
    let fields = address.fields.iter().zip(first_tag..);
    fields.filter(|(field, _)| !field.is_empty()).for_each(|(field, tag)| tail::push(out, tag, field.as_bytes()));
    tail::push(out, first_tag + tail::ADDRESS_ID, &address.id.to_text());
}

/// The customer of an approved payment that asked for one and is none's yet. A refund's tail is its sale's: it leaves none.
fn left_behind(transaction: &Transaction, tail: Tail<'_>, now: Micros) -> Option<Filed> {
    let makes_one = match transaction.verb() {
        Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => true,
        Verb::Capture | Verb::Void | Verb::Refund => false,
    };
    let is_asked = tail.flag(tag::CREATE_VAULT_RECORD) && tail.get(tag::CUSTOMER_ID).is_none();
    let is_approved = transaction.response_code().category() == Category::Approval;
    if !(makes_one && is_asked && is_approved) {
        return None;
    }
    let id = transaction.id;
    let method = method_of(transaction, tail, now)?;
    let address = |number: u32, first_tag: u16| {
        let fields: [String; ADDRESS_FIELDS.len()] = std::array::from_fn(|place| tail.text(first_tag + place as u16).to_owned());
        let is_said = fields.iter().any(|field| !field.is_empty());
        is_said.then(|| Address { id: id.sibling(number), customer: id, fields, created_at: now, updated_at: now })
    };
    let billing_address = address(BILLING, tag::BILLING);
    let shipping_address = match address(SHIPPING, tag::SHIPPING) {
        Some(shipping) if billing_address.as_ref().is_some_and(|billing| billing.fields == shipping.fields) => {
            billing_address.clone()
        }
        shipping => shipping,
    };
    let customer = Customer {
        id,
        merchant: transaction.merchant,
        description: tail.text(tag::DESCRIPTION).to_owned(),
        payment_method: method.id,
        billing_address: billing_address.as_ref().map_or(Xid::NONE, |address| address.id),
        shipping_address: shipping_address.as_ref().map_or(Xid::NONE, |address| address.id),
        created_at: now,
        updated_at: now,
    };
    Some(Filed { customer, payment_method: Some(method), billing_address, shipping_address })
}

/// Siblings of the transaction's id. Tables are apart: an address may have the id that elsewhere is a batch's.
const METHOD: u32 = 1;
const BILLING: u32 = 2;
const SHIPPING: u32 = 3;

fn method_of(transaction: &Transaction, tail: Tail<'_>, now: Micros) -> Option<StoredMethod> {
    let (sealed, shown) = match transaction.payment_method() {
        PaymentMethod::Card => {
            let card = ShownCard {
                first_six: transaction.first_six.get(),
                last_four: transaction.last_four.get(),
                digits: transaction.pan_digits,
                expiry: transaction.expiry.get(),
            };
            (tail.get(tag::SEALED_CARD)?, ShownMethod::Card(card))
        }
        PaymentMethod::Ach => {
            let word = |tag| tail.text(tag).to_owned();
            let account = ShownAccount {
                routing_number: word(tag::ROUTING_NUMBER),
                masked_account: word(tag::MASKED_ACCOUNT),
                account_type: word(tag::ACCOUNT_TYPE),
                sec_code: word(tag::SEC_CODE),
            };
            (tail.get(tag::SEALED_ACCOUNT)?, ShownMethod::Account(account))
        }
        PaymentMethod::Terminal => return None,
    };
    let (id, customer) = (transaction.id.sibling(METHOD), transaction.id);
    let (sealed, fingerprint) = (sealed.to_vec(), transaction.fingerprint);
    Some(StoredMethod { id, customer, shown, sealed, fingerprint, created_at: now, updated_at: now })
}
