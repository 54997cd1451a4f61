//! Invoices.

use super::call::{Call, Gives, JSON, of};
use super::payments::NumberIs;
use super::vault::{Between, IdIs};
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    Call::new("POST", "/api/invoice", "Add an invoice", Gives::One(of::<Invoice>)).takes(&[(JSON, of::<NewInvoice>)]),
    Call::new("GET", "/api/invoice/{id}", "One invoice", Gives::One(of::<Invoice>)),
    Call::new("POST", "/api/invoice/{id}", "Change an invoice; what is left out stays", Gives::One(of::<Invoice>))
        .takes(&[(JSON, of::<NewInvoice>)]),
    Call::new("DELETE", "/api/invoice/{id}", "Remove an invoice", Gives::Nothing),
    Call::new("POST", "/api/invoices/search", "Find invoices, newest first", Gives::ListOf(of::<Invoice>))
        .takes(&[(JSON, of::<InvoiceSearch>)]),
];

shapes! {
    /// Who bills, or who is billed.
    Party {
        id: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        company: Option<String>,
        address_line_1: Option<String>,
        address_line_2: Option<String>,
        city: Option<String>,
        state: Option<String>,
        postal_code: Option<String>,
        country: Option<String>,
        phone: Option<String>,
        fax: Option<String>,
        email: Option<String>,
    }
    /// A line of an invoice as it is sent; its amount is computed.
    NewItem {
        id: Option<String>,
        name: Option<String>,
        description: Option<String>,
        quantity: Option<u64>,
        quantity_shipped: Option<u64>,
        unit_of_measure: Option<String>,
        unit_price: Option<u64>,
        discount: Option<u64>,
        /// `$`, an amount in minor units, or `%`.
        #[schema(example = "$")] discount_type: Option<String>,
        taxable: Option<bool>,
        /// Percent.
        #[schema(example = "0")] local_tax: Option<String>,
        #[schema(example = "0")] national_tax: Option<String>,
        #[schema(example = "0")] tax_rate: Option<String>,
    }
    /// A line of an invoice. Amounts are in minor units.
    Item {
        id: String,
        name: String,
        description: String,
        quantity: u64,
        quantity_shipped: u64,
        unit_of_measure: String,
        unit_price: u64,
        discount: u64,
        discount_type: String,
        taxable: bool,
        local_tax: String,
        national_tax: String,
        tax_rate: String,
        tax_amount: u64,
        amount: u64,
        status: String,
    }
    /// An invoice as it is sent; its sums are computed.
    NewInvoice {
        #[schema(example = "USD")] currency: Option<String>,
        company_name: Option<String>,
        company_logo_url: Option<String>,
        customer_number: Option<String>,
        payable_to: Option<Party>,
        bill_to: Option<Party>,
        #[schema(format = DateTime)] date_due: Option<String>,
        items: Option<Vec<NewItem>>,
        advanced_fields: Option<bool>,
        #[schema(example = "0.00")] tax_percent: Option<String>,
        adjustment: Option<i64>,
        message: Option<String>,
        /// `email`, `text`, `both` or `none`.
        #[schema(example = "none")] send_via: Option<String>,
        /// `card`, `ach`, `mail`.
        payment_methods: Option<Vec<String>>,
        card_processor_id: Option<String>,
        ach_processor_id: Option<String>,
    }
    /// An invoice. Amounts are in minor units.
    Invoice {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        currency: String,
        company_name: String,
        company_logo_url: String,
        customer_number: String,
        payable_to: Party,
        bill_to: Party,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] date_due: String,
        items: Vec<Item>,
        advanced_fields: bool,
        subtotal: u64,
        tax_percent: String,
        tax: u64,
        total: u64,
        amount_paid: u64,
        adjustment: i64,
        amount_due: u64,
        payment_methods: Vec<String>,
        card_processor_id: String,
        ach_processor_id: String,
        status: String,
        message: String,
        reject_message: String,
        send_via: String,
        #[schema(format = DateTime)] last_sent_at: String,
        #[schema(format = DateTime)] updated_at: String,
        public_url: String,
        hosted_url: String,
    }
    /// What invoices are searched by; what is left out does not matter.
    InvoiceSearch {
        id: Option<IdIs>,
        amount_due: Option<NumberIs>,
        date_due: Option<Between>,
        limit: Option<u32>,
        offset: Option<u32>,
    }
}
