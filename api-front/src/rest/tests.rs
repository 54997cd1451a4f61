//! What every response has, over a real socket: no route of the gateway is needed for that.

use super::*;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends bytes to a dressed router with a few small routes and reads until the connection is closed.
fn exchange(request: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let routes = Router::new()
            .route("/here", get(|| async { answer::ok(b"{}".to_vec()) }))
            .route("/pay", post(|| async { Problem::Refused(Refusal::Busy).into_response() }))
            .route("/body", post(count));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = axum::serve(listener, dressed(routes, RequestNames::starting_at(7))).into_future();
        let server = tokio::spawn(serving);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        server.abort();
        response
    })
}

async fn count(request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    body::read(&parts.headers, body, |bytes| Ok(answer::ok(bytes.len().to_string().into()))).await
}

fn ask(line: &str, headers: &str) -> String {
    exchange(&format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn an_unknown_path_is_answered_in_the_envelope() {
    let response = ask("GET /nowhere", "");
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    assert!(response.contains("content-type: application/json\r\n"), "{response}");
    assert!(response.ends_with(r#"{"status":"failed","msg":"not found","data":null}"#), "{response}");
}

#[test]
fn a_method_that_is_not_there_is_told_which_are() {
    let response = ask("GET /pay", "");
    assert!(response.starts_with("HTTP/1.1 405 ") && response.contains("allow: POST\r\n"), "{response}");
    assert!(response.contains(r#""status":"failed","msg":"method not allowed"#), "{response}");
}

#[test]
fn every_response_carries_the_callers_name_twice_or_ours() {
    for line in ["GET /here", "GET /nowhere", "GET /pay", "POST /pay"] {
        let response = ask(line, "X-Request-Id: order-7\r\n");
        assert!(response.contains("x-request-id: order-7\r\n"), "{response}");
        assert!(response.contains("x-correlation-id: order-7\r\n"), "{response}");
        let unnamed = ask(line, "X-Request-Id: not sane\r\n");
        assert!(unnamed.contains("x-request-id: req-7-0\r\n"), "{unnamed}");
        assert!(unnamed.contains("x-correlation-id: req-7-0\r\n"), "{unnamed}");
    }
}

#[test]
fn shed_load_says_when_to_come_back() {
    let response = ask("POST /pay", "Content-Length: 0\r\n");
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("retry-after: 1\r\n"), "{response}");
}

#[test]
fn a_read_with_a_stray_body_is_answered_in_full() {
    let response = exchange("GET /here HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n{}");
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("\r\n\r\n{}"), "{response}");
}

#[test]
fn a_body_over_the_limit_is_answered_and_not_reset() {
    let body = " ".repeat(limits::BODY_MAX_BYTES + 1);
    let head = format!("POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    let response = exchange(&format!("{head}\r\n{body}"));
    assert!(response.starts_with("HTTP/1.1 413 ") && response.contains("body too large"), "{response}");
    let asked_first = exchange(&format!("{head}Expect: 100-continue\r\n\r\n"));
    assert!(asked_first.starts_with("HTTP/1.1 413 "), "{asked_first}");
}

#[test]
fn a_wrong_content_type_is_answered_in_the_envelope() {
    let response = exchange(
        "POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    );
    assert!(response.starts_with("HTTP/1.1 415 ") && response.contains(r#""data":null}"#), "{response}");
}
