//! A merchant's terminals, as the gateway document lists them.

use super::auth::Right;
use super::problem::Problem;
use super::{Front, envelope};
use crate::accounts::AccountError;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use persistence::stores::Terminal;
use protocol::calendar::Micros;
use serde_json::{Value, json};

/// What the document shows where a moment never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(super) fn routes() -> Router<Front> {
    // The document says GET, and its sample sends POST without a body.
    Router::new().route("/api/terminals", get(list).post(list))
}

/// `GET /api/terminals`: the inactive ones, too.
async fn list(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let terminals = front.switch.kept_terminals().of(&caller.merchant.id).await.map_err(AccountError::from)?;
    Ok(envelope::list(terminals.iter().map(shown).collect()))
}

pub(super) fn shown(terminal: &Terminal) -> Value {
    json!({
        "id": terminal.id.to_string(),
        "merchant_id": terminal.merchant.to_string(),
        "manufacturer": terminal.manufacturer,
        "model": terminal.model,
        "serial_number": terminal.serial_number,
        "tpn": terminal.tpn,
        "description": terminal.description,
        "status": if terminal.active { "active" } else { "inactive" },
        "auth_key": terminal.auth_key,
        "register_id": terminal.register_id,
        "auto_settle": terminal.auto_settle,
        "settle_at": time_of_day(terminal.settle_at_s),
        "created_at": moment(terminal.created_at),
        "updated_at": moment(terminal.updated_at),
    })
}

fn moment(at: Micros) -> String {
    if at.is_none() { NEVER.to_owned() } else { at.to_string() }
}

/// Seconds after midnight as `hh:mm:ss`.
fn time_of_day(seconds: u32) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::Xid;

    #[test]
    fn a_terminal_has_the_document_s_fields() {
        let mut terminal = Terminal {
            id: Xid([1; 12]),
            merchant: Xid([2; 12]),
            manufacturer: "dejavoo".into(),
            model: "z11".into(),
            serial_number: "1811000XXXX".into(),
            tpn: "1811000XXXX".into(),
            description: "front counter z11".into(),
            active: true,
            auth_key: "wcR1c9o1".into(),
            register_id: "1".into(),
            auto_settle: true,
            settle_at_s: 0,
            created_at: Micros(1_515_729_479_000_000),
            updated_at: Micros::NONE,
        };
        let expected = json!({
            "id": Xid([1; 12]).to_string(), "merchant_id": Xid([2; 12]).to_string(), "manufacturer": "dejavoo", "model": "z11",
            "serial_number": "1811000XXXX", "tpn": "1811000XXXX", "description": "front counter z11", "status": "active",
            "auth_key": "wcR1c9o1", "register_id": "1", "auto_settle": true, "settle_at": "00:00:00",
            "created_at": "2018-01-12T03:57:59.000000Z", "updated_at": NEVER,
        });
        assert_eq!(shown(&terminal), expected);
        (terminal.active, terminal.settle_at_s) = (false, 86_399);
        assert_eq!((&shown(&terminal)["status"], &shown(&terminal)["settle_at"]), (&json!("inactive"), &json!("23:59:59")));
    }
}
