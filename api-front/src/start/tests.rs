use super::*;
use crate::config::{self, Overrides};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SALE: &str = r#"{"type":"sale","amount":1112,"currency":"USD","payment_method":{"card":{"entry_type":"keyed",
    "number":"4012000098765439","expiration_date":"12/40","cvc":"999"}}}"#;
const SMALL_JOURNAL: &str = "[journal]\nsegment_bytes = 8388608\nsegments_ahead = 1\nfree_bytes_min = 0\n";

fn settings(data: &Path, text: &str, no_sandbox: bool) -> Settings {
    std::fs::create_dir_all(data).unwrap();
    let file = data.join("test.toml");
    std::fs::write(&file, format!("shards = 2\n{text}\n{SMALL_JOURNAL}")).unwrap();
    let free = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let overrides = Overrides { data: Some(data.into()), http: free, binary: free, no_sandbox, ..Overrides::default() };
    config::load(Some(&file), &overrides).unwrap()
}

/// One request on a connection of its own: status and body.
async fn request(addr: SocketAddr, line: &str, key: &str, body: &str) -> (u16, String) {
    request_with_head(addr, &format!("{line} HTTP/1.1"), key, body).await
}

/// The same, with headers of its own behind its first line.
async fn request_with_head(addr: SocketAddr, head: &str, key: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "{head}\r\nHost: switch\r\nAuthorization: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn field<'a>(body: &'a serde_json::Value, path: &str) -> &'a str {
    body.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_else(|| panic!("no {path} in {body}"))
}

fn sandbox_json(data: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(data.join("sandbox.json")).unwrap()).unwrap()
}

async fn sale(addr: SocketAddr, key: &str) -> serde_json::Value {
    let (status, body) = request(addr, "POST /api/transaction", key, SALE).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_and_the_keys_last_over_a_restart_and_addresses_are_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(settings(folder.path(), "", false)).await.unwrap();
    assert!(first.switch.readiness().is_ready(), "{:?}", first.switch.readiness());
    let file = sandbox_json(folder.path());
    assert_eq!(field(&file, "/http"), first.http.to_string());
    let key = field(&file, "/api_key").to_owned();
    let sold = sale(first.http, &key).await;
    assert_eq!(field(&sold, "/data/status"), "pending_settlement");
    let line = format!("GET /api/transaction/{}", field(&sold, "/data/id"));
    let before = request(first.http, &line, &key, "").await;
    let (http_before, binary_before) = (first.http, first.binary);
    first.stop().await;
    assert!(TcpStream::connect(http_before).await.is_err(), "a stopped switch listens no more");

    let second = start(settings(folder.path(), "", false)).await.unwrap();
    let file = sandbox_json(folder.path());
    assert_eq!(field(&file, "/api_key"), key);
    assert_eq!(field(&file, "/binary"), second.binary.to_string());
    assert_ne!((second.http, second.binary), (http_before, binary_before));
    assert_eq!(request(second.http, &line, &key, "").await, before);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_another_process_outlives_the_switch() {
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox::start(sandbox::Options::new(folder.path().join("host"))).unwrap();
    let text = format!(
        "[[processor]]\nname = 'outside'\ntype = 'tsys_sierra'\naddr = '{}'\ntimeout_ms = 2000\n\
         [[merchant]]\nname = 'shop'\napi_key = 'api_of_the_shop'\nduplicate_window_s = 0\n",
        host.card.addr
    );
    let data = folder.path().join("switch");
    let mut processors = Vec::new();
    for _ in 0..2 {
        let running = start(settings(&data, &text, true)).await.unwrap();
        let sold = sale(running.http, "api_of_the_shop").await;
        assert_eq!(field(&sold, "/data/response"), "approved");
        processors.push(field(&sold, "/data/processor_id").to_owned());
        running.stop().await;
    }
    assert_eq!(processors[0], processors[1], "a processor keeps its id");
    assert!(!data.join("sandbox.json").exists());
    host.shutdown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_batch_settles_its_members() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path(), "", false)).await.unwrap();
    let file = sandbox_json(folder.path());
    let key = field(&file, "/api_key");
    let sold = sale(running.http, key).await;
    let processor = running.switch.processors().by_id(&field(&sold, "/data/processor_id").parse().unwrap()).unwrap().index;
    let settlement = running.switch.settle(processor).await.unwrap();
    assert_eq!((settlement.closed, settlement.batches.len()), (1, 1));
    assert_eq!(settlement.batches[0].state().word(), "complete", "{:?}", settlement.batches[0]);
    let line = format!("GET /api/transaction/{}", field(&sold, "/data/id"));
    let (_, body) = request(running.http, &line, key, "").await;
    assert!(body.contains("\"status\":\"settled\""), "{body}");
    assert_eq!(running.switch.settle(processor).await.unwrap().closed, 0, "nothing is left to close");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_switch_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path(), "", true)).await.unwrap();
    let refused = start(settings(folder.path(), "", true)).await;
    assert!(matches!(refused, Err(StartError::Journal(_))), "{:?}", refused.err());
    running.stop().await;
}

/// Whether a key may pay: 200, or 401 for one that nobody has.
async fn may_pay(running: &Running, key: &str) -> bool {
    let (status, body) = request(running.http, "POST /api/transaction", key, SALE).await;
    assert!(matches!(status, 200 | 401), "{key}: {status} {body}");
    status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_work_as_long_as_the_configuration_gives_them_and_for_whom_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let shop = |name: &str, api: &str, public: &str| {
        format!("[[merchant]]\nname = '{name}'\napi_key = '{api}'\npub_key = '{public}'\nduplicate_window_s = 0\n")
    };
    let (first, second) = (shop("first", "api_of_first", "pub_of_first"), shop("second", "api_of_second", "pub_of_second"));
    let all = ["api_of_first", "pub_of_first", "api_of_second", "pub_of_second"];
    let rows = [
        (first.clone() + &second, [true, true, true, true]),
        // The second is gone, and its keys with it.
        (first.clone(), [true, true, false, false]),
        // Renamed: another account, under a key of the old one; the one that it does not take over is gone.
        (shop("renamed", "api_of_first", "pub_of_renamed") + &second, [true, false, true, true]),
        // Keys change hands, and kinds.
        (shop("first", "pub_of_second", "pub_of_first") + &shop("second", "api_of_first", "api_of_second"), [true; 4]),
        // From the sandbox's own merchant, and back.
        ("[sandbox]\napi_key = 'api_of_first'\npub_key = 'pub_of_second'\n".to_owned(), [true, false, false, true]),
        // The sandbox keeps, in its file, what it was given and nobody else took.
        (first, [true, true, false, true]),
    ];
    for (place, (text, expected)) in rows.into_iter().enumerate() {
        let running = start(settings(folder.path(), &text, false)).await.unwrap_or_else(|error| panic!("row {place}: {error}"));
        let mut may = [false; 4];
        for (may, key) in may.iter_mut().zip(all) {
            *may = may_pay(&running, key).await;
        }
        assert_eq!(may, expected, "row {place}");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_shows_its_clients_address_and_believes_only_trusted_proxies() {
    let folder = tempfile::tempdir().unwrap();
    let forwarded = "POST /api/transaction HTTP/1.1\r\nX-Forwarded-For: 198.51.100.7";
    for (text, shown) in [("", "127.0.0.1"), ("trusted_proxies = ['127.0.0.1']\n", "198.51.100.7")] {
        let text = format!("{text}[sandbox]\napi_key = 'api_of_sandbox'");
        let running = start(settings(folder.path(), &text, false)).await.unwrap();
        let mut bodies = Vec::new();
        for sent in [SALE.to_owned(), SALE.replace("\"type\"", "\"ip_address\":\"203.0.113.5\",\"type\"")] {
            let (status, body) = request_with_head(running.http, forwarded, "api_of_sandbox", &sent).await;
            assert_eq!(status, 200, "{body}");
            bodies.push(serde_json::from_str::<serde_json::Value>(&body).unwrap());
        }
        let addresses: Vec<&str> = bodies.iter().map(|body| field(body, "/data/ip_address")).collect();
        assert_eq!(addresses, [shown, "203.0.113.5"], "what a request names wins");
        running.stop().await;
    }
}
