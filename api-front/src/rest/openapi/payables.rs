//! Orders and payment requests.

use super::call::{Call, Gives, JSON, of};
use utoipa::ToSchema;

/// Orders.
pub(super) const ORDERS: &[Call] = &[
    Call::new("POST", "/api/v1/orders", "Make an order; HTTP Basic, the key as the user's name", Gives::Bare(of::<Order>))
        .takes(&[(JSON, of::<NewOrder>)])
        .refused_with(of::<PlainRefusal>),
    Call::new("GET", "/api/v1/orders/{id}", "One order, by the merchant's id of it", Gives::Bare(of::<Order>))
        .refused_with(of::<PlainRefusal>),
];

/// Payment requests.
pub(super) const PAYMENT_REQUESTS: &[Call] = &[
    Call::new("POST", "/v1/payment/create", "Ask a shopper for a payment", Gives::Bare(of::<PaymentRequest>))
        .takes(&[(JSON, of::<NewPaymentRequest>)])
        .refused_with(of::<PlainRefusal>),
    Call::new("GET", "/v1/payment/status/{id}", "How a payment request stands", Gives::Bare(of::<PaymentRequest>))
        .refused_with(of::<PlainRefusal>),
];

shapes! {
    /// A line of an order, or one of its taxes.
    OrderLine {
        description: Option<String>,
        /// Minor units, also as a text of digits.
        amount_cents: Option<u64>,
    }
    /// An order as it is sent. All of it comes back.
    NewOrder {
        /// The merchant's own id, unique.
        id: String,
        total_cents: u64,
        sub_total_cents: Option<u64>,
        shipping_amount_cents: Option<u64>,
        #[schema(example = "USD")] currency: Option<String>,
        items: Option<Vec<OrderLine>>,
        taxes: Option<Vec<OrderLine>>,
    }
    /// An order: what was sent, and how it stands.
    Order {
        id: String,
        total_cents: u64,
        /// What the total has beyond its parts.
        adjustment_cents: u64,
        #[schema(example = "pending")] status: String,
        pay_url: String,
        transaction_id: Option<String>,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// A payment request as it is sent. All of it comes back.
    NewPaymentRequest {
        /// The shop's own id of its order, unique.
        id: String,
        order_number: String,
        #[schema(format = DateTime)] created_at: String,
        #[schema(example = "USD")] currency: String,
        /// Major units: a decimal number, or a text of one.
        #[schema(example = "123.45")] amount: String,
        email: Option<String>,
        order_status_url: Option<String>,
        cancel_url: String,
        paid_url: String,
        callback_url: String,
    }
    /// A payment request: what was sent, and how it stands.
    PaymentRequest {
        id: String,
        payment_id: String,
        pay_url: String,
        #[schema(example = "created")] status: String,
        /// The word that shop plugins know.
        #[schema(example = "open")] kupay_status: String,
        transaction_id: Option<String>,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// What is wrong with a call of orders and payment requests.
    PlainRefusal {
        error: String,
        /// The field that is to blame, if one is.
        field: Option<String>,
    }
}
