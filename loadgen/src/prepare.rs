//! What a run needs to be there before it begins: merchants, and settled sales that refunds can take from.
//!
//! Made through the target's own API, as its users would; in no figure.

use std::net::SocketAddr;
use std::time::Duration;

use protocol::id::Xid;
use serde_json::{Value, json};

use crate::error::LoadError;
use crate::http::Connection;
use crate::target::Target;
use crate::work::{Drawn, Kind};

/// Settled sales of all merchants together, at least one of each.
const SETTLED: u32 = 256;
/// A settlement of so few is done sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// A switch's REST front, asked before a run.
pub struct Preparation {
    connection: Connection,
    address: SocketAddr,
    operator_key: String,
}

impl Preparation {
    /// At this address, with the operator's key.
    pub fn new(address: SocketAddr, operator_key: &str) -> Result<Preparation, LoadError> {
        let is_header = operator_key.bytes().all(|byte| byte.is_ascii_graphic()) && !operator_key.is_empty();
        if !is_header {
            return Err(LoadError::NotVisibleAscii { what: "operator key", bytes_max: usize::MAX });
        }
        if !address.ip().is_loopback() {
            return Err(LoadError::NotLoopback(address));
        }
        Ok(Preparation { connection: Connection::new(address), address, operator_key: operator_key.to_owned() })
    }

    /// Makes so many merchants, and returns their API keys.
    pub async fn merchants(&mut self, run_id: &str, count: u32) -> Result<Vec<String>, LoadError> {
        let mut api_keys = Vec::with_capacity(count as usize);
        for number in 0..count {
            let wish = json!({ "name": format!("{run_id}-{number}"), "settings": { "duplicate_window_s": 0 } });
            let made = self.post("make a merchant", "/operator/merchants", &wish).await?;
            let api_key = made["api_key"].as_str();
            api_keys.push(api_key.ok_or_else(|| refused("make a merchant", &made.to_string()))?.to_owned());
        }
        Ok(api_keys)
    }

    /// Has sales of the target's merchants settled, and returns them with their merchants' places.
    pub async fn settled(&mut self, target: &Target) -> Result<Vec<(u32, Xid)>, LoadError> {
        let before = target.under(&format!("{}-settled", target.run_id()))?;
        let merchants = before.merchants() as u32;
        let each = (SETTLED / merchants.max(1)).max(1);
        let (mut sold, mut request) = (Vec::with_capacity((merchants * each) as usize), Vec::new());
        for sequence in 0..merchants * each {
            let merchant = sequence % merchants;
            let drawn = Drawn { kind: Kind::Sale, merchant, sequence: sequence.into(), target: Xid::NONE, is_retry: false };
            before.render_drawn(&drawn, &mut request);
            let made = self.exchange("sell what is refunded later", &request).await?;
            let id = made["id"].as_str().and_then(|id| id.parse().ok());
            sold.push((merchant, id.ok_or_else(|| refused("sell what is refunded later", &made.to_string()))?));
        }
        self.post("settle", "/operator/processors/card/settle", &json!({})).await?;
        Ok(sold)
    }

    async fn post(&mut self, what: &'static str, path: &str, body: &Value) -> Result<Value, LoadError> {
        let operator_key = self.operator_key.clone();
        self.post_as(&operator_key, what, path, body).await
    }

    /// Posts under a key, and returns the data of a good answer.
    pub async fn post_as(&mut self, key: &str, what: &'static str, path: &str, body: &Value) -> Result<Value, LoadError> {
        let (body, address) = (body.to_string(), self.address);
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nauthorization: {key}\r\n");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        self.exchange(what, request.as_bytes()).await
    }

    /// The data of a good answer.
    async fn exchange(&mut self, what: &'static str, request: &[u8]) -> Result<Value, LoadError> {
        let exchanged = tokio::time::timeout(PATIENCE, self.connection.exchange(request)).await;
        let answer = exchanged.map_err(|_| refused(what, "no answer in time"))?.map_err(|fault| refused(what, fault.name()))?;
        let mut said: Value = serde_json::from_slice(answer.body).map_err(|_| refused(what, "an answer that is no JSON"))?;
        if answer.status != 200 {
            return Err(refused(what, said["msg"].as_str().unwrap_or("no reason")));
        }
        Ok(said["data"].take())
    }
}

fn refused(what: &'static str, said: &str) -> LoadError {
    LoadError::Prepare { what, said: said.to_owned() }
}
