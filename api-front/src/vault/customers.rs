//! Customers: made, searched, changed, removed.

use super::belongings::MethodAsked;
use super::{AddressFields, Vault, VaultError};
use persistence::stores::{Address, Customer, CustomerSearch, Filed, ShownMethod};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::PaymentMethod;

/// A customer as it is asked for.
pub struct NewCustomer {
    /// As the merchant writes it.
    pub description: String,
    /// What it pays with.
    pub method: Option<MethodAsked>,
    /// Where bills go.
    pub billing: Option<AddressFields>,
    /// Where goods go.
    pub shipping: Option<AddressFields>,
}

/// What is to be changed of a customer; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct CustomerChange {
    /// As the merchant writes it.
    pub description: Option<String>,
    /// Of which kind the default payment method is said to be.
    pub method_kind: Option<PaymentMethod>,
    /// The default payment method.
    pub payment_method: Option<Xid>,
    /// The default billing address.
    pub billing_address: Option<Xid>,
    /// The default shipping address.
    pub shipping_address: Option<Xid>,
}

impl Vault {
    /// Adds a customer with what it begins with. Two equal addresses are one.
    pub async fn create_customer(&self, merchant: Xid, new: NewCustomer) -> Result<Filed, VaultError> {
        let switch = &self.0.switch;
        let (id, now) = (switch.draw_id(), switch.now());
        let method = match new.method {
            None => None,
            Some(asked) => Some(self.method_row(&merchant, id, asked, now).await?),
        };
        let address = |fields| Address { id: switch.draw_id(), customer: id, fields, created_at: now, updated_at: now };
        let is_one = new.billing == new.shipping;
        let billing = new.billing.map(address);
        let shipping = if is_one { billing.clone() } else { new.shipping.map(address) };
        let filed = Filed {
            customer: Customer {
                id,
                merchant,
                description: new.description,
                payment_method: method.as_ref().map_or(Xid::NONE, |method| method.id),
                billing_address: id_of(&billing),
                shipping_address: id_of(&shipping),
                created_at: now,
                updated_at: now,
            },
            payment_method: method,
            billing_address: billing,
            shipping_address: shipping,
        };
        self.file(&filed).await?;
        Ok(filed)
    }

    /// Stores a customer with its things. False when there is or was one of this id.
    pub(super) async fn file(&self, filed: &Filed) -> Result<bool, VaultError> {
        let mut addresses: Vec<&Address> = filed.billing_address.iter().chain(&filed.shipping_address).collect();
        addresses.dedup_by_key(|address| address.id);
        let stores = self.0.switch.stores();
        Ok(stores.add_customer(&filed.customer, &addresses, filed.payment_method.as_ref()).await?)
    }

    /// How many customers match, and a page of them.
    pub async fn search(&self, search: &CustomerSearch) -> Result<(u64, Vec<Filed>), VaultError> {
        Ok(self.0.switch.stores().search_customers(search).await?)
    }

    /// Changes a customer. What becomes a default thing must be its own.
    pub async fn change_customer(&self, merchant: &Xid, id: &Xid, change: CustomerChange) -> Result<(), VaultError> {
        let mut customer = self.customer(merchant, id).await?.customer;
        if let Some(method) = change.payment_method {
            let methods = self.0.switch.stores().methods(id).await?;
            let named =
                methods.iter().find(|known| known.id == method).ok_or(VaultError::NotIts { field: "payment_method_id" })?;
            if change.method_kind.is_some_and(|kind| kind != kind_of(&named.shown)) {
                return Err(VaultError::NotIts { field: "payment_method_id" });
            }
            customer.payment_method = method;
        }
        let addresses = match (change.billing_address, change.shipping_address) {
            (None, None) => Vec::new(),
            (Some(_), _) | (None, Some(_)) => self.0.switch.stores().addresses(id).await?,
        };
        let slots = [
            (&mut customer.billing_address, change.billing_address, "billing_address_id"),
            (&mut customer.shipping_address, change.shipping_address, "shipping_address_id"),
        ];
        for (slot, named, field) in slots {
            let Some(named) = named else { continue };
            if !addresses.iter().any(|address| address.id == named) {
                return Err(VaultError::NotIts { field });
            }
            *slot = named;
        }
        customer.description = change.description.unwrap_or(customer.description);
        customer.updated_at = self.0.switch.now();
        let changed = self.0.switch.stores().change_customer(&customer).await?;
        if changed { Ok(()) } else { Err(VaultError::NotFound) }
    }

    /// Removes a customer and all that is its.
    pub async fn delete_customer(&self, merchant: &Xid, id: &Xid) -> Result<(), VaultError> {
        let deleted = self.0.switch.stores().delete_customer(merchant, id, self.0.switch.now()).await?;
        if deleted { Ok(()) } else { Err(VaultError::NotFound) }
    }

    pub(super) fn now(&self) -> Micros {
        self.0.switch.now()
    }
}

/// What kind of instrument a payment method is.
pub(super) fn kind_of(shown: &ShownMethod) -> PaymentMethod {
    match shown {
        ShownMethod::Card(_) => PaymentMethod::Card,
        ShownMethod::Account(_) => PaymentMethod::Ach,
    }
}

fn id_of(address: &Option<Address>) -> Xid {
    address.as_ref().map_or(Xid::NONE, |address| address.id)
}
