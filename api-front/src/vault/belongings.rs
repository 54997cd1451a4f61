//! Addresses and payment methods of customers.

use super::customers::kind_of;
use super::limits::{ADDRESSES_MAX, METHODS_MAX};
use super::{AddressFields, Vault, VaultError};
use crate::intake::Account;
use persistence::sealing::{SEALED_CARD_MAX_BYTES, Sealer};
use persistence::stores::{Address, PaymentMethod as StoredMethod, ShownAccount, ShownCard, ShownMethod};
use protocol::calendar::Micros;
use protocol::card::Expiry;
use protocol::id::Xid;
use protocol::secret::Pan;
use protocol::words::PaymentMethod;

/// A payment method as it is asked for, to be sealed.
pub enum NewMethod {
    /// A card.
    Card {
        /// Its number.
        pan: Pan,
        /// The month it is good through.
        expiry: Expiry,
    },
    /// A bank account.
    Account {
        /// Routing and account number.
        account: Account,
        /// What of it is shown.
        words: AccountWords,
    },
}

/// How a request names a payment method that is to be kept.
pub enum MethodAsked {
    /// Its data came with the request.
    Sent(NewMethod),
    /// A token stands for it, and is used up.
    Token(String),
}

/// What a request says of a bank account in the open.
pub struct AccountWords {
    /// The number with its middle in stars.
    pub masked_account: String,
    /// `checking` or `savings`.
    pub account_type: String,
    /// How the holder has agreed.
    pub sec_code: String,
}

/// What is to be changed of a payment method.
pub enum MethodChange {
    /// All of it.
    Whole(NewMethod),
    /// Only the month that a card is good through.
    Expiry(Expiry),
}

impl NewMethod {
    /// The row of a customer's method, sealed.
    pub(super) fn sealed(
        self,
        sealer: &Sealer,
        merchant: &Xid,
        id: Xid,
        customer: Xid,
        now: Micros,
    ) -> Result<StoredMethod, VaultError> {
        let (fingerprint, sealed) = self.seal(sealer, merchant)?;
        let shown = match self {
            NewMethod::Card { pan, expiry } => ShownMethod::Card(shown_card(&pan, expiry)),
            NewMethod::Account { account, words } => ShownMethod::Account(ShownAccount {
                routing_number: account.routing,
                masked_account: words.masked_account,
                account_type: words.account_type,
                sec_code: words.sec_code,
            }),
        };
        Ok(StoredMethod { id, customer, shown, sealed, fingerprint, created_at: now, updated_at: now })
    }

    fn seal(&self, sealer: &Sealer, merchant: &Xid) -> Result<([u8; 16], Vec<u8>), VaultError> {
        let mut sealed = Vec::with_capacity(SEALED_CARD_MAX_BYTES);
        let fingerprint = match self {
            NewMethod::Card { pan, .. } => {
                let fingerprint = sealer.fingerprint(pan);
                sealer.seal(pan, merchant, &fingerprint, &mut sealed)?;
                fingerprint
            }
            NewMethod::Account { account, .. } => {
                let fingerprint = sealer.account_fingerprint(&account.routing, &account.number);
                sealer.seal_account(&account.routing, &account.number, merchant, &fingerprint, &mut sealed)?;
                fingerprint
            }
        };
        Ok((fingerprint, sealed))
    }
}

/// What of a card may be shown.
pub(super) fn shown_card(pan: &Pan, expiry: Expiry) -> ShownCard {
    let (first_six, last_four, digits) = (pan.first_six(), pan.last_four(), pan.digit_count());
    ShownCard { first_six, last_four, digits, expiry: expiry.yymm() }
}

impl Vault {
    /// The row of a customer's method, sealed, its id drawn.
    pub(super) async fn method_row(
        &self,
        merchant: &Xid,
        customer: Xid,
        asked: MethodAsked,
        now: Micros,
    ) -> Result<StoredMethod, VaultError> {
        let (switch, id) = (&self.0.switch, self.0.switch.draw_id());
        match asked {
            MethodAsked::Sent(new) => new.sealed(switch.sealer(), merchant, id, customer, now),
            MethodAsked::Token(text) => {
                // Its verification value goes with it: nothing that is kept has one.
                let (token, _) = self.use_token(merchant, &text, None, now).await?;
                let (shown, sealed, fingerprint) = (ShownMethod::Card(token.card), token.sealed, token.fingerprint);
                Ok(StoredMethod { id, customer, shown, sealed, fingerprint, created_at: now, updated_at: now })
            }
        }
    }

    /// Adds an address to a customer; its first one becomes its default one.
    pub async fn add_address(&self, merchant: &Xid, customer: &Xid, fields: AddressFields) -> Result<Address, VaultError> {
        let (switch, now) = (&self.0.switch, self.now());
        let mut of = self.customer(merchant, customer).await?.customer;
        if switch.stores().addresses(customer).await?.len() >= ADDRESSES_MAX {
            return Err(VaultError::TooMany { max: ADDRESSES_MAX });
        }
        let address = Address { id: switch.draw_id(), customer: *customer, fields, created_at: now, updated_at: now };
        found(switch.stores().add_address(merchant, &address).await?)?;
        if of.billing_address.is_none() || of.shipping_address.is_none() {
            for default in [&mut of.billing_address, &mut of.shipping_address] {
                *default = if default.is_none() { address.id } else { *default };
            }
            of.updated_at = now;
            found(switch.stores().change_customer(&of).await?)?;
        }
        Ok(address)
    }

    /// All addresses of a customer.
    pub async fn addresses(&self, merchant: &Xid, customer: &Xid) -> Result<Vec<Address>, VaultError> {
        self.customer(merchant, customer).await?;
        Ok(self.0.switch.stores().addresses(customer).await?)
    }

    /// An address of a customer.
    pub async fn address(&self, merchant: &Xid, customer: &Xid, id: &Xid) -> Result<Address, VaultError> {
        let addresses = self.addresses(merchant, customer).await?;
        addresses.into_iter().find(|address| address.id == *id).ok_or(VaultError::NotFound)
    }

    /// Replaces what an address says.
    pub async fn change_address(
        &self,
        merchant: &Xid,
        customer: &Xid,
        id: &Xid,
        fields: AddressFields,
    ) -> Result<(), VaultError> {
        let address = self.address(merchant, customer, id).await?;
        let changed = Address { fields, updated_at: self.now(), ..address };
        found(self.0.switch.stores().change_address(merchant, &changed).await?)
    }

    /// Removes an address.
    pub async fn delete_address(&self, merchant: &Xid, customer: &Xid, id: &Xid) -> Result<(), VaultError> {
        found(self.0.switch.stores().delete_address(merchant, customer, id, self.now()).await?)
    }

    /// Adds a payment method to a customer; its first one becomes its default one.
    pub async fn add_method(&self, merchant: &Xid, customer: &Xid, asked: MethodAsked) -> Result<StoredMethod, VaultError> {
        let (switch, now) = (&self.0.switch, self.now());
        let mut of = self.customer(merchant, customer).await?.customer;
        if switch.stores().methods(customer).await?.len() >= METHODS_MAX {
            return Err(VaultError::TooMany { max: METHODS_MAX });
        }
        let method = self.method_row(merchant, *customer, asked, now).await?;
        found(switch.stores().add_method(merchant, &method).await?)?;
        if of.payment_method.is_none() {
            (of.payment_method, of.updated_at) = (method.id, now);
            found(switch.stores().change_customer(&of).await?)?;
        }
        Ok(method)
    }

    /// A customer's payment methods of a kind.
    pub async fn methods(&self, merchant: &Xid, customer: &Xid, kind: PaymentMethod) -> Result<Vec<StoredMethod>, VaultError> {
        self.customer(merchant, customer).await?;
        let mut methods = self.0.switch.stores().methods(customer).await?;
        methods.retain(|method| kind_of(&method.shown) == kind);
        Ok(methods)
    }

    /// A customer's payment method.
    pub async fn method(
        &self,
        merchant: &Xid,
        customer: &Xid,
        kind: PaymentMethod,
        id: &Xid,
    ) -> Result<StoredMethod, VaultError> {
        let methods = self.methods(merchant, customer, kind).await?;
        methods.into_iter().find(|method| method.id == *id).ok_or(VaultError::NotFound)
    }

    /// Changes a payment method; what was sealed before is gone.
    pub async fn change_method(
        &self,
        merchant: &Xid,
        customer: &Xid,
        (kind, id): (PaymentMethod, &Xid),
        change: MethodChange,
    ) -> Result<(), VaultError> {
        let (switch, now) = (&self.0.switch, self.now());
        let known = self.method(merchant, customer, kind, id).await?;
        let changed = match (change, &known.shown) {
            (MethodChange::Whole(new), _) => {
                let sealed = new.sealed(switch.sealer(), merchant, known.id, *customer, now)?;
                StoredMethod { created_at: known.created_at, ..sealed }
            }
            (MethodChange::Expiry(expiry), ShownMethod::Card(card)) => {
                let shown = ShownMethod::Card(ShownCard { expiry: expiry.yymm(), ..*card });
                StoredMethod { shown, updated_at: now, ..known }
            }
            (MethodChange::Expiry(_), ShownMethod::Account(_)) => return Err(VaultError::NotFound),
        };
        found(switch.stores().change_method(merchant, &changed).await?)
    }

    /// Removes a payment method; what was sealed is scrubbed.
    pub async fn delete_method(
        &self,
        merchant: &Xid,
        customer: &Xid,
        (kind, id): (PaymentMethod, &Xid),
    ) -> Result<(), VaultError> {
        self.method(merchant, customer, kind, id).await?;
        found(self.0.switch.stores().delete_method(merchant, customer, id, self.now()).await?)
    }
}

fn found(is_there: bool) -> Result<(), VaultError> {
    if is_there { Ok(()) } else { Err(VaultError::NotFound) }
}
