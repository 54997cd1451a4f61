//! The table of response codes, with what provokes each of them in the sandbox.

use super::SUCCESS;
use crate::rest::json::Writer;
use protocol::response_code::{ResponseCode, Row, TABLE};
use serde_json::{Value, json};

const USUAL_BYTES: usize = 8 * 1024;

/// The whole table.
pub(crate) fn response_codes() -> Vec<u8> {
    let mut out = Writer::starting(SUCCESS, USUAL_BYTES);
    out.verbatim("[");
    for (position, row) in TABLE.iter().enumerate() {
        out.verbatim(if position == 0 { "{" } else { ",{" });
        write(&mut out, row);
        out.verbatim("}");
    }
    out.verbatim("]");
    out.number("total_count", TABLE.len() as u64);
    out.number("count", TABLE.len() as u64);
    out.verbatim("}");
    out.finish()
}

fn write(out: &mut Writer, row: &Row) {
    out.number("code", row.code.0.into());
    out.text("text", row.text);
    out.word("category", row.code.category().word());
    out.flag("retryable", row.retryable);
    let trigger = trigger(row.code);
    out.name("sandbox_trigger");
    out.verbatim(&trigger.as_ref().map_or("null".to_owned(), Value::to_string));
    out.text("note", note(row.code, trigger.is_some()));
}

/// What to lay over a sale's JSON.
fn trigger(code: ResponseCode) -> Option<Value> {
    let mut overlay = sandbox::triggers::trigger_for(code.0)?;
    if code == ResponseCode::PARTIAL_APPROVAL {
        // A partial approval that the request does not allow is reversed and declined.
        overlay["allow_partial_payment"] = json!(true);
    }
    Some(overlay)
}

/// How to reach a code that no single sale reaches, or why it can't be reached.
fn note(code: ResponseCode, has_trigger: bool) -> &'static str {
    match code {
        ResponseCode::UNKNOWN => "seen by GET while a payment is still in flight (status pending)",
        ResponseCode::PENDING => "a payment that its customer finishes elsewhere: no processor of this switch takes one",
        ResponseCode::DUPLICATE_TRANSACTION => {
            "send the same sale twice within the merchant's duplicate window; the sandbox merchant's is 0, which turns it off, unless the \
             configuration's [sandbox] duplicate_window_s says otherwise"
        }
        _ if has_trigger => "",
        _ => "no sandbox processor gives it yet",
    }
}
