//! What only the operator may do.

use super::call::{Call, Gives, JSON, Who, of};
use super::payments::{Batch, Terminal};
use serde_json::Value;
use utoipa::ToSchema;

const PART: &[(&str, &str)] = &[("after", "What the last of the part before was."), ("limit", "How many at most.")];
const LAST: &[(&str, &str)] = &[("last", "Over how many of the newest payments.")];

const fn call(method: &'static str, path: &'static str, does: &'static str, gives: Gives) -> Call {
    Call::new(method, path, does, gives).by(Who::Operator)
}

pub(super) const CALLS: &[Call] = &[
    call("GET", "/operator/processors", "All processors and how they stand", Gives::ListOf(of::<Processor>)),
    call("POST", "/operator/processors", "Add a processor", Gives::One(of::<Processor>)).takes(&[(JSON, of::<NewProcessor>)]),
    call("GET", "/operator/processors/{id}", "One processor, by id or name", Gives::One(of::<Processor>)),
    call("POST", "/operator/processors/{id}/settle", "Close its open batches", Gives::ListOf(of::<Batch>)),
    call("POST", "/operator/processors/{id}/enable", "Let payments go to it", Gives::One(of::<Processor>)),
    call("POST", "/operator/processors/{id}/drain", "Nothing new; finish what is under way", Gives::One(of::<Processor>)),
    call("POST", "/operator/processors/{id}/disable", "Nothing goes to it", Gives::One(of::<Processor>)),
    call("POST", "/operator/processors/{id}/sign-on", "Sign on", Gives::One(of::<Processor>)),
    call("POST", "/operator/processors/{id}/sign-off", "Sign off until sign-on or the next start", Gives::One(of::<Processor>)),
    call("POST", "/operator/processors/{id}/cut-over", "Tell it that the day ends", Gives::One(of::<Processor>)),
    call("GET", "/operator/keys", "Which keys cards are sealed under", Gives::One(of::<SealKeys>)),
    call("POST", "/operator/keys/rotate", "Seal under a new key from now on, the vault too", Gives::One(of::<Rotated>)),
    call("GET", "/operator/rules", "The rules in force", Gives::One(of::<Rules>)),
    call("PUT", "/operator/rules", "Put all rules anew; If-Match guards", Gives::One(of::<Made>))
        .takes(&[(JSON, of::<NewRules>)]),
    call("POST", "/operator/rules/dry-run", "What these rules would have done", Gives::One(of::<Report>))
        .takes(&[(JSON, of::<NewRules>)])
        .query(LAST),
    call("GET", "/operator/routing", "The routes in force", Gives::One(of::<Routing>)),
    call("PUT", "/operator/routing", "Put all routes anew; If-Match guards", Gives::One(of::<Made>))
        .takes(&[(JSON, of::<NewRouting>)]),
    call("POST", "/operator/routing/dry-run", "Where these routes would have sent payments", Gives::One(of::<Report>))
        .takes(&[(JSON, of::<NewRouting>)])
        .query(LAST),
    call("GET", "/operator/merchants", "All merchants", Gives::ListOf(of::<Merchant>)),
    call("POST", "/operator/merchants", "Add a merchant; its keys are shown here only", Gives::One(of::<NewAccount>))
        .takes(&[(JSON, of::<NewMerchant>)]),
    call("GET", "/operator/merchants/{id}", "One merchant", Gives::One(of::<Merchant>)),
    call("POST", "/operator/merchants/{id}/suspend", "Nothing new from it", Gives::One(of::<Merchant>)),
    call("POST", "/operator/merchants/{id}/resume", "Let it go on", Gives::One(of::<Merchant>)),
    call("POST", "/operator/merchants/{id}/settings", "Change its settings; what is left out stays", Gives::One(of::<Merchant>))
        .takes(&[(JSON, of::<Settings>)]),
    call("GET", "/operator/merchants/{id}/terminals", "Its terminals", Gives::ListOf(of::<Terminal>)),
    call("POST", "/operator/merchants/{id}/terminals", "Register a terminal for it, or change one", Gives::One(of::<Terminal>))
        .takes(&[(JSON, of::<Registration>)]),
    call("GET", "/operator/actions", "What was done that changed no configuration, oldest first", Gives::ListOf(of::<Action>))
        .query(PART),
    call("GET", "/operator/changes", "What was changed, oldest first", Gives::ListOf(of::<Change>)).query(PART),
    call("POST", "/operator/changes/{id}/undo", "Take a change back", Gives::One(of::<Made>)),
    call("GET", "/operator/transactions/{id}/story", "All versions of a payment and why", Gives::One(of::<Story>)),
    call("GET", "/operator/reversals", "Reversals that wait for a processor", Gives::ListOf(of::<Reversal>)).query(PART),
    call("POST", "/operator/reversals/{id}/take-over", "The operator has seen to it", Gives::One(of::<Reversal>)),
];

shapes! {
    /// A processor and how it stands. Times in microseconds, shares in hundredths of a percent.
    Processor {
        id: String,
        name: String,
        r#type: String,
        state: String,
        version: u64,
        signed_on: bool,
        circuit: Option<String>,
        in_flight: u64,
        #[schema(value_type = Object)] last_minute: Value,
        #[schema(value_type = Object)] reversals: Value,
        #[schema(value_type = Object)] batches: Value,
    }
    /// What a `[[processor]]` of the configuration says.
    NewProcessor {
        name: String,
        r#type: String,
        addr: String,
        enabled: Option<bool>,
        password: Option<String>,
        timeout_ms: Option<u64>,
        reversal_retry_ms: Option<u64>,
        reversal_retry_max_ms: Option<u64>,
        echo_idle_ms: Option<u64>,
        connections: Option<u64>,
        mac_key_hex: Option<String>,
        cut_over: Option<String>,
        tls: Option<ProcessorTls>,
        insecure: Option<bool>,
    }
    /// What its host must prove, and we to it; files are the switch's.
    ProcessorTls {
        server_name: String,
        ca_file: Option<String>,
        client_cert_file: Option<String>,
        client_key_file: Option<String>,
    }
    /// What is said of a terminal; of one with this `tpn` that is there, what is left out stays.
    Registration {
        tpn: String,
        register_id: Option<String>,
        auth_key: Option<String>,
        model: Option<String>,
        serial_number: Option<String>,
        description: Option<String>,
        active: Option<bool>,
    }
    /// Ids of keys, the one that seals last.
    SealKeys { key_ids: Vec<u32> }
    /// A new key, and how many of the vault's things are sealed under it now.
    Rotated { key_id: u32, resealed: u64 }
    /// Rules in their order: the first that matches decides.
    NewRules { #[schema(value_type = Vec<Object>)] rules: Vec<Value> }
    /// Rules in force.
    Rules { #[schema(value_type = Vec<Object>)] rules: Vec<Value>, version: u32 }
    /// Routes in their order: the first that matches decides.
    NewRouting { #[schema(value_type = Vec<Object>)] routes: Vec<Value> }
    /// Routes in force.
    Routing { #[schema(value_type = Vec<Object>)] routes: Vec<Value>, version: u32 }
    /// A change that holds.
    Made { id: String, version: u32 }
    /// What would have been decided otherwise.
    Report { examined: u64, changed: u64, #[schema(value_type = Vec<Object>)] by: Vec<Value> }
    /// A merchant's settings.
    Settings { duplicate_window_s: Option<u32> }
    /// A merchant that is to be added.
    NewMerchant { name: String, settings: Option<Settings> }
    /// What opens a new account.
    NewAccount { id: String, name: String, api_key: String, pub_key: String, username: String, password: String }
    /// A merchant.
    Merchant {
        id: String,
        name: String,
        active: bool,
        made_at_run_time: bool,
        duplicate_window_s: u32,
        card_processor: Option<String>,
        ach_processor: Option<String>,
        terminal_processor: Option<String>,
        #[schema(value_type = Object)] compat: Value,
        sandbox: bool,
        version: u32,
    }
    /// A change of the configuration.
    Change {
        id: String,
        version: u32,
        #[schema(format = DateTime)] at: String,
        area: String,
        by: Option<String>,
        subject: Option<String>,
        undoes: Option<u32>,
    }
    /// What an operator did that changed no configuration. `action` is `sign_on`, `sign_off`, `cut_over`, `settle`, `take_over`,
    /// `rotate_keys` or `register_terminal`; `subject` is the processor, the transaction or the merchant.
    Action {
        id: String,
        version: u32,
        #[schema(format = DateTime)] at: String,
        by: Option<String>,
        action: Option<String>,
        subject: Option<String>,
    }
    /// A payment's versions, requests and reasons.
    Story {
        transaction_id: String,
        merchant_id: String,
        r#type: String,
        status: String,
        #[schema(value_type = Vec<Object>)] versions: Vec<Value>,
        #[schema(value_type = Vec<Object>)] requests: Vec<Value>,
    }
    /// A reversal that waits.
    Reversal {
        transaction_id: String,
        merchant_id: String,
        processor_id: Option<String>,
        processor_name: Option<String>,
        status: String,
        amount: u64,
        rrn: String,
        stan: u32,
        state: String,
        reason: String,
        #[schema(format = DateTime)] queued_at: Option<String>,
    }
}
