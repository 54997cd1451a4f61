//! Payments, their search, and settled batches.

use super::call::{Call, Gives, JSON, of};
use super::vault::{AddressFields, Between, IdIs};
use serde_json::Value;
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    Call::new(
        "POST",
        "/api/transaction",
        "Pay; a browser's key may. A decline is an answer, not an error",
        Gives::One(of::<Transaction>),
    )
    .takes(&[(JSON, of::<Payment>)]),
    Call::new("GET", "/api/transaction/{id}", "One transaction as it stands, as a list", Gives::ListOf(of::<Transaction>)),
    Call::new("POST", "/api/transaction/{id}/capture", "Take what was authorized, or a part", Gives::Perhaps(of::<Transaction>))
        .takes(&[(JSON, of::<Capture>)]),
    Call::new("POST", "/api/transaction/{id}/void", "Cancel what is not settled", Gives::Perhaps(of::<Transaction>)),
    Call::new("POST", "/api/transaction/{id}/refund", "Pay back what is settled, or a part", Gives::Perhaps(of::<Transaction>))
        .takes(&[(JSON, of::<Refund>)]),
    Call::new("POST", "/api/transaction/search", "Find transactions, newest first", Gives::ListOf(of::<Transaction>))
        .takes(&[(JSON, of::<TransactionSearch>)]),
    Call::new("POST", "/api/settlement/batch/search", "Find settled batches, newest first", Gives::Bare(of::<FoundBatches>))
        .takes(&[(JSON, of::<BatchSearch>)]),
    Call::new("GET", "/api/terminals", "All terminals", Gives::ListOf(of::<Terminal>)),
    Call::new("POST", "/api/terminals", "As GET: some clients send it so", Gives::ListOf(of::<Terminal>)),
];

shapes! {
    /// A card as it is sent.
    CardDetails {
        /// `keyed` or `swiped`.
        entry_type: Option<String>,
        #[schema(example = "4111111111111111")] number: Option<String>,
        /// MM/YY or MMYY.
        #[schema(example = "12/39")] expiration_date: Option<String>,
        /// `cvv` is read too.
        #[schema(example = "999")] cvc: Option<String>,
        cvv: Option<String>,
        track_1: Option<String>,
        track_2: Option<String>,
        cardholder_authentication: Option<Authentication>,
    }
    /// What the cardholder's bank said in a browser.
    Authentication { condition: Option<String>, eci: Option<String>, cavv: Option<String>, xid: Option<String> }
    /// A bank account as it is sent.
    AccountDetails {
        #[schema(example = "490000018")] routing_number: Option<String>,
        #[schema(example = "999999")] account_number: Option<String>,
        /// `web`, `ccd`, `ppd` or `tel`.
        #[schema(example = "web")] sec_code: Option<String>,
        /// `checking` or `savings`.
        account_type: Option<String>,
        /// Needed for `tel`.
        check_number: Option<String>,
        accountholder_authentication: Option<Licence>,
    }
    /// A driver's licence.
    Licence { dl_state: Option<String>, dl_number: Option<String> }
    /// The terminal at which a card is shown.
    AtTerminal {
        id: Option<String>,
        expiration_date: Option<String>,
        cvc: Option<String>,
        /// `no`, `customer`, `merchant` or `both`.
        print_receipt: Option<String>,
        signature_required: Option<bool>,
    }
    /// A customer of the vault who pays.
    ByCustomer {
        id: Option<String>,
        payment_method_type: Option<String>,
        payment_method_id: Option<String>,
        billing_address_id: Option<String>,
        shipping_address_id: Option<String>,
    }
    /// Exactly one of these.
    Means {
        card: Option<CardDetails>,
        ach: Option<AccountDetails>,
        terminal: Option<AtTerminal>,
        customer: Option<ByCustomer>,
        token: Option<String>,
    }
    /// An adjustment that the merchant keeps track of.
    PaymentAdjustment {
        /// `flat`, in minor units, or `percentage`, in thousandths.
        r#type: Option<String>,
        value: Option<u64>,
    }
    /// A payment. Amounts are in minor units: 1299 is 12.99.
    Payment {
        /// `sale`, `authorize`, `credit` or `verification`.
        #[schema(pattern = "^(sale|authorize|credit|verification)$", example = "sale")] r#type: String,
        #[schema(example = 1299)] amount: Option<u64>,
        /// ISO 4217.
        #[schema(example = "USD")] currency: Option<String>,
        payment_method: Means,
        tax_amount: Option<u64>,
        tax_exempt: Option<bool>,
        shipping_amount: Option<u64>,
        discount_amount: Option<u64>,
        tip_amount: Option<u64>,
        surcharge: Option<u64>,
        base_amount: Option<u64>,
        payment_adjustment: Option<PaymentAdjustment>,
        description: Option<String>,
        order_id: Option<String>,
        po_number: Option<String>,
        processor_id: Option<String>,
        ip_address: Option<String>,
        email_receipt: Option<bool>,
        email_address: Option<String>,
        create_vault_record: Option<bool>,
        allow_partial_payment: Option<bool>,
        allow_duplicate: Option<bool>,
        bypass_rule_engine: Option<bool>,
        /// A UUID or 1 to 64 visible ASCII characters; the header Idempotency-Key wins.
        idempotency_key: Option<String>,
        /// Seconds, at most 86400.
        idempotency_time: Option<u64>,
        line_items: Option<Vec<Value>>,
        vendor_id: Option<String>,
        group_name: Option<String>,
        card_on_file_indicator: Option<String>,
        initiated_by: Option<String>,
        initial_transaction_id: Option<String>,
        billing_address: Option<AddressFields>,
        shipping_address: Option<AddressFields>,
    }
    /// What is captured; all that was authorized where no amount is given.
    Capture {
        amount: Option<u64>,
        tax_amount: Option<u64>,
        tax_exempt: Option<bool>,
        shipping_amount: Option<u64>,
        order_id: Option<String>,
        po_number: Option<String>,
        ip_address: Option<String>,
    }
    /// What is paid back; all that is possible where no amount is given.
    Refund { amount: Option<u64> }
    /// An address that a transaction carries.
    ShownAddress {
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
    }
    /// What the processor said, under the word for the means of payment.
    ResponseBody { card: Option<Said>, ach: Option<Said>, terminal: Option<Said> }
    /// What a processor said. Fields of one means of payment stand beside these.
    Said {
        id: String,
        status: String,
        response: String,
        response_code: u16,
        auth_code: String,
        processor_response_code: String,
        processor_response_text: String,
        processor_type: String,
        processor_id: String,
        #[schema(value_type = Object)] processor_specific: Value,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// A transaction. Amounts are in minor units.
    Transaction {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        user_id: String,
        user_name: String,
        idempotency_key: String,
        idempotency_time: u64,
        r#type: String,
        amount: u64,
        base_amount: u64,
        amount_authorized: u64,
        amount_captured: u64,
        amount_settled: u64,
        amount_refunded: u64,
        tip_amount: u64,
        processor_id: String,
        processor_type: String,
        processor_name: String,
        payment_method: String,
        payment_type: String,
        tax_amount: u64,
        tax_exempt: bool,
        shipping_amount: u64,
        surcharge: u64,
        discount_amount: u64,
        payment_adjustment_type: String,
        payment_adjustment_value: u64,
        currency: String,
        description: String,
        order_id: String,
        po_number: String,
        ip_address: String,
        transaction_source: String,
        email_receipt: bool,
        email_address: String,
        customer_id: String,
        referenced_transaction_id: String,
        response_body: ResponseBody,
        /// Where it stands now.
        #[schema(pattern = "^(unknown|pending|authorized|pending_settlement|settled|declined|voided|reversed|partially_refunded|refunded|returned)$")]
        status: String,
        /// What its request came to.
        response: String,
        /// A row of /api/response-codes.
        response_code: u16,
        billing_address: ShownAddress,
        shipping_address: ShownAddress,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
        #[schema(format = DateTime)] captured_at: Option<String>,
        #[schema(format = DateTime)] settled_at: Option<String>,
        settlement_batch_id: String,
        duplicate_of: Option<String>,
        allow_partial_payment: bool,
        allow_duplicate: bool,
        bypass_rule_engine: bool,
        create_vault_record: bool,
    }
    /// A text that is searched for: `=`, `eq` or `!=`.
    TextIs { #[schema(example = "=")] operator: Option<String>, value: Option<String> }
    /// A number that is searched for: `=`, `eq`, `!=`, `<` or `>`.
    NumberIs { #[schema(example = "=")] operator: Option<String>, value: Option<u64> }
    /// The fields of an address that are searched for.
    AddressIs {
        address_id: Option<TextIs>,
        first_name: Option<TextIs>,
        last_name: Option<TextIs>,
        company: Option<TextIs>,
        address_line_1: Option<TextIs>,
        address_line_2: Option<TextIs>,
        city: Option<TextIs>,
        state: Option<TextIs>,
        postal_code: Option<TextIs>,
        country: Option<TextIs>,
        phone: Option<TextIs>,
        fax: Option<TextIs>,
        email: Option<TextIs>,
    }
    /// What transactions are searched by; what is left out does not matter.
    TransactionSearch {
        transaction_id: Option<TextIs>,
        user_id: Option<TextIs>,
        r#type: Option<TextIs>,
        ip_address: Option<TextIs>,
        amount: Option<NumberIs>,
        amount_authorized: Option<NumberIs>,
        amount_captured: Option<NumberIs>,
        amount_settled: Option<NumberIs>,
        tax_amount: Option<NumberIs>,
        po_number: Option<TextIs>,
        order_id: Option<TextIs>,
        payment_method: Option<TextIs>,
        payment_type: Option<TextIs>,
        status: Option<TextIs>,
        processor_id: Option<TextIs>,
        customer_id: Option<TextIs>,
        created_at: Option<Between>,
        captured_at: Option<Between>,
        settled_at: Option<Between>,
        billing_address: Option<AddressIs>,
        shipping_address: Option<AddressIs>,
        /// At most 100.
        limit: Option<u32>,
        offset: Option<u32>,
    }
    /// What batches are searched by; what is left out does not matter.
    BatchSearch {
        batch_date: Option<Between>,
        settlement_batch_id: Option<IdIs>,
        limit: Option<u32>,
        offset: Option<u32>,
    }
    /// Batches that were found, and their sums by day.
    FoundBatches {
        #[schema(pattern = "^success$")] status: String,
        msg: String,
        data: BatchPage,
        total_count: u64,
        count: u64,
    }
    /// Sums by day and processor, and a page of the batches.
    BatchPage { summary: Vec<BatchDay>, results: Vec<Batch> }
    /// A day's sums at one processor in one currency, in minor units.
    BatchDay {
        merchant_id: String,
        #[schema(format = Date)] batch_date: String,
        processor_id: String,
        processor_name: String,
        num_transactions: u64,
        captured: u64,
        credit: u64,
        currency: String,
    }
    /// A settlement batch. Amounts are in minor units.
    Batch {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        merchant_id: String,
        #[schema(format = DateTime)] batch_date: Option<String>,
        processor_id: String,
        processor_name: String,
        processor_type: String,
        batch_number: u32,
        num_transactions: u32,
        amount_captured: u64,
        amount_credit: u64,
        net_deposit: i64,
        currency: String,
        response_code: u16,
        response_message: String,
        state: String,
        num_settled: u32,
        #[schema(format = DateTime)] opened_at: Option<String>,
        #[schema(format = DateTime)] closed_at: Option<String>,
        #[schema(format = DateTime)] answered_at: Option<String>,
    }
    /// A terminal on a counter.
    Terminal {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        merchant_id: String,
        manufacturer: String,
        model: String,
        serial_number: String,
        tpn: String,
        description: String,
        #[schema(pattern = "^(active|inactive)$")] status: String,
        auth_key: String,
        register_id: String,
        auto_settle: bool,
        #[schema(example = "00:00:00")] settle_at: String,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
}
