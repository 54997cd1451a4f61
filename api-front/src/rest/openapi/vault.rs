//! Customers, where they live and what they pay with; tokens.

use super::call::{Call, Gives, JSON, of};
use super::payments::CardDetails;
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    Call::new("POST", "/api/token", "Give a card, get what stands for it once; a browser's key may", Gives::One(of::<Token>))
        .takes(&[(JSON, of::<Tokenized>)]),
    Call::new("POST", "/api/customer", "Add a customer", Gives::One(of::<Customer>)).takes(&[(JSON, of::<NewCustomer>)]),
    Call::new("POST", "/api/customer/search", "Find customers, newest first", Gives::ListOf(of::<Customer>))
        .takes(&[(JSON, of::<CustomerSearch>)]),
    Call::new("GET", "/api/customer/{id}", "One customer", Gives::One(of::<Customer>)),
    Call::new("POST", "/api/customer/{id}", "Change a customer's description and defaults", Gives::Nothing)
        .takes(&[(JSON, of::<CustomerChange>)]),
    Call::new("DELETE", "/api/customer/{id}", "Remove a customer and all that is its", Gives::Nothing),
    Call::new("POST", "/api/customer/{id}/address", "Add an address", Gives::One(of::<Address>))
        .takes(&[(JSON, of::<AddressFields>)]),
    Call::new("GET", "/api/customer/{id}/addresses", "All addresses", Gives::ListOf(of::<Address>)),
    Call::new("GET", "/api/customer/{id}/address/{address}", "One address, as a list", Gives::ListOf(of::<Address>)),
    Call::new("POST", "/api/customer/{id}/address/{address}", "Change an address", Gives::Nothing)
        .takes(&[(JSON, of::<AddressFields>)]),
    Call::new("DELETE", "/api/customer/{id}/address/{address}", "Remove an address", Gives::Nothing),
    Call::new(
        "POST",
        "/api/customer/{id}/paymentmethod/{kind}",
        "Add a payment method; kind is card or ach",
        Gives::One(of::<Method>),
    )
    .takes(&[(JSON, of::<MethodFields>)]),
    Call::new(
        "GET",
        "/api/customer/{id}/paymentmethod/{kind}",
        "All payment methods of a kind",
        Gives::ListOf(of::<StoredMethod>),
    ),
    Call::new(
        "GET",
        "/api/customer/{id}/paymentmethod/{kind}/{method}",
        "One payment method, as a list",
        Gives::ListOf(of::<StoredMethod>),
    ),
    Call::new("POST", "/api/customer/{id}/paymentmethod/{kind}/{method}", "Change a payment method", Gives::Nothing)
        .takes(&[(JSON, of::<MethodFields>)]),
    Call::new("DELETE", "/api/customer/{id}/paymentmethod/{kind}/{method}", "Remove a payment method", Gives::Nothing),
];

shapes! {
    /// A card that a token is to stand for.
    Tokenized { card: CardDetails }
    /// What stands for a card once.
    Token { token: String, #[schema(format = DateTime)] expires_at: String }
    /// An address as it is sent.
    AddressFields {
        first_name: Option<String>,
        last_name: Option<String>,
        company: Option<String>,
        address_line_1: Option<String>,
        address_line_2: Option<String>,
        city: Option<String>,
        #[schema(example = "IL")] state: Option<String>,
        #[schema(example = "60187")] postal_code: Option<String>,
        /// Two letters of ISO 3166-1.
        #[schema(example = "US")] country: Option<String>,
        #[schema(example = "(674) 966-1211")] phone: Option<String>,
        fax: Option<String>,
        #[schema(example = "user@example.com")] email: Option<String>,
    }
    /// An address as it is kept.
    Address {
        id: String,
        customer_id: String,
        first_name: String,
        last_name: String,
        company: String,
        address_line_1: String,
        address_line_2: String,
        city: String,
        state: String,
        postal_code: String,
        country: String,
        phone: String,
        fax: String,
        email: String,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// A card or an account as it is sent to the vault.
    MethodFields {
        #[schema(example = "4111111111111111")] card_number: Option<String>,
        /// MM/YY or MMYY.
        #[schema(example = "12/39")] expiration_date: Option<String>,
        card: Option<CardFields>,
        /// In place of a card: a token that stands for one, and is used up.
        token: Option<String>,
        routing_number: Option<String>,
        account_number: Option<String>,
        account_type: Option<String>,
        sec_code: Option<String>,
    }
    /// A card as it is sent to the vault.
    CardFields { card_number: Option<String>, expiration_date: Option<String> }
    /// A customer's first payment method.
    FirstMethod {
        card: Option<CardFields>,
        ach: Option<AccountFields>,
        /// One that stands for a card, and is used up.
        token: Option<String>,
    }
    /// A bank account as it is sent to the vault.
    AccountFields {
        routing_number: Option<String>,
        account_number: Option<String>,
        account_type: Option<String>,
        sec_code: Option<String>,
    }
    /// A customer that is to be added.
    NewCustomer {
        description: Option<String>,
        payment_method: Option<FirstMethod>,
        billing_address: Option<AddressFields>,
        shipping_address: Option<AddressFields>,
    }
    /// A customer with its default things.
    Customer {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        description: String,
        payment_method: Option<Method>,
        payment_method_id: String,
        billing_address: Option<Address>,
        shipping_address: Option<Address>,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// A payment method under the word for its kind.
    Method { card: Option<StoredMethod>, ach: Option<StoredMethod> }
    /// A card or a bank account as it is kept: never its number.
    StoredMethod {
        id: String,
        card_type: Option<String>,
        first_six: Option<String>,
        last_four: Option<String>,
        #[schema(example = "411111******1111")] masked_card: Option<String>,
        expiration_date: Option<String>,
        routing_number: Option<String>,
        masked_account_number: Option<String>,
        account_type: Option<String>,
        sec_code: Option<String>,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// What is to be changed of a customer; what is left out stays.
    CustomerChange {
        description: Option<String>,
        /// `card` or `ach`: of which kind the default method is.
        payment_method: Option<String>,
        payment_method_id: Option<String>,
        billing_address_id: Option<String>,
        shipping_address_id: Option<String>,
    }
    /// An id that is searched for.
    IdIs { #[schema(example = "=")] operator: Option<String>, value: Option<String> }
    /// Moments between two.
    Between { #[schema(format = DateTime)] start_date: Option<String>, #[schema(format = DateTime)] end_date: Option<String> }
    /// What customers are searched by; what is left out does not matter.
    CustomerSearch {
        id: Option<IdIs>,
        payment_method: Option<IdIs>,
        billing_address_id: Option<IdIs>,
        shipping_address_id: Option<IdIs>,
        created_at: Option<Between>,
        limit: Option<u32>,
        offset: Option<u32>,
    }
}
