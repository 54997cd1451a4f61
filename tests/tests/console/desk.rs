//! The console's forms without a browser: who may send them, what they do, and what is written down of whoever did.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::client::{id, rrn, text};
use tests::host::HostProcess;
use tests::http::{Response, exchange, rendered};
use tests::payment::{VISA, amount, payment, with};
use tests::switch::{keys, shared};
use tests::{Options, Switch, until};

const SEEN: Duration = Duration::from_secs(20);

/// Somebody who has signed in.
struct Desk<'a> {
    switch: &'a Switch,
    cookie: String,
    token: String,
}

/// A form as a browser sends it.
fn send(switch: &Switch, path: &str, cookie: &str, form: &str) -> Response {
    let headers = [("Cookie", cookie), ("Content-Type", "application/x-www-form-urlencoded")];
    exchange(switch.http(), "POST", path, &headers, form.as_bytes()).expect("an answer")
}

impl Desk<'_> {
    #[track_caller]
    fn sign_in<'a>(switch: &'a Switch, name: &str, secret: &str) -> Desk<'a> {
        let entered = send(switch, "/console/sign-in", "", &format!("name={name}&secret={secret}"));
        assert_eq!(entered.status, 303, "{}", entered.text());
        let cookie = entered.header("set-cookie").and_then(|set| set.split(';').next()).expect("a cookie").to_owned();
        let mut desk = Desk { switch, cookie, token: String::new() };
        let page = desk.page("/console/history");
        let token = page.split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        desk.token = token.expect("a form's token").to_owned();
        desk
    }

    fn get(&self, path: &str) -> Response {
        exchange(self.switch.http(), "GET", path, &[("Cookie", &self.cookie)], b"").expect("an answer")
    }

    #[track_caller]
    fn page(&self, path: &str) -> String {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        page.text()
    }

    fn order(&self, path: &str) -> Response {
        send(self.switch, path, &self.cookie, &format!("form_token={}", self.token))
    }

    /// Where a look-up leads when it finds one payment.
    #[track_caller]
    fn found(&self, query: &str) -> String {
        let answer = self.get(&format!("/console/payments?{query}"));
        answer.header("location").unwrap_or_else(|| panic!("{query}: {}", answer.text())).to_owned()
    }
}

/// What `config hash-password` makes of a password.
fn hash_of(password: &str) -> String {
    let mut command = Command::new(tests::binary::switchyard());
    let mut hashing =
        command.args(["config", "hash-password"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    hashing.stdin.take().expect("stdin is piped").write_all(password.as_bytes()).expect("it reads");
    let output = hashing.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Two who may sign in: ann, who may act, and bob, who may look.
fn ann_and_bob() -> String {
    let hash = hash_of("correct horse");
    format!(
        "[[console_user]]\nname = \"ann\"\nrole = \"operator\"\npassword_hash = '{hash}'\n\
         [[console_user]]\nname = \"bob\"\nrole = \"viewer\"\npassword_hash = '{hash}'\n"
    )
}

#[test]
fn who_has_changed_what_stands_in_the_history_after_a_restart_too() {
    let mut switch = Switch::start(Options { fronts: ann_and_bob(), ..Options::default() });
    let bob = Desk::sign_in(&switch, "bob", "correct+horse");
    assert!(!bob.page("/console/processors").contains("/drain"), "a viewer sees no button");
    assert_eq!(bob.order("/console/processors/card_2/drain").status, 403);
    let ann = Desk::sign_in(&switch, "ann", "correct+horse");
    assert_eq!(ann.order("/console/processors/card_2/drain").status, 303);
    assert!(ann.page("/console/processors").contains("Drain card_2: done"));
    switch.operator().call("POST", "/operator/processors/card_2/enable", &[], b"").data();
    let changed_by = |switch: &Switch| -> Vec<Value> {
        let changes = switch.operator().call("GET", "/operator/changes", &[], b"").data();
        changes.as_array().expect("a list").iter().map(|change| change["by"].clone()).collect()
    };
    assert_eq!(changed_by(&switch), [json!("ann"), json!("operator key")]);
    switch.kill9();
    switch.start_again();
    assert_eq!(changed_by(&switch), [json!("ann"), json!("operator key")]);
    let history = Desk::sign_in(&switch, "ann", "correct+horse").page("/console/history");
    assert!(history.contains("by ann") && history.contains("by operator key"), "{history}");
    let dumped =
        Command::new(tests::binary::switchyard()).args(["journal", "dump"]).arg(switch.journal()).output().expect("it runs");
    assert!(String::from_utf8_lossy(&dumped.stdout).contains("by=\"ann\""), "the journal says it too");
}

#[test]
fn a_payment_is_found_by_what_is_known_of_it() {
    let switch = shared();
    let desk = Desk::sign_in(&switch, "", keys::OPERATOR);
    let sale = switch.client().pay(&with(payment("sale", 43_217, VISA), &json!({"order_id": "looked-up-7"}))).data();
    let other = switch.client().pay(&with(payment("sale", 43_218, VISA), &json!({"order_id": "looked-up-8"}))).data();
    assert_ne!(id(&sale), id(&other));
    let story = format!("/console/payments/{}", id(&sale));
    assert_eq!(desk.found(&format!("id={}", id(&sale))), story);
    assert_eq!(desk.found(&format!("id={}", rrn(&sale))), story);
    assert_eq!(desk.found("id=looked-up-7"), story);
    assert_eq!(desk.found(&format!("last_four={}&amount=432.17", &VISA[12..])), story);
    let told = switch.operator().call("GET", &format!("/operator/transactions/{}/story", id(&sale)), &[], b"").data();
    let stan = told["requests"][0]["stan"].as_u64().expect("a trace number");
    let day = &text(&sale, "created_at")[..10];
    assert_eq!(desk.found(&format!("stan={stan:06}&amount=432.17&day={day}")), story);
    assert!(desk.page("/console/payments?last_four=0000&day=2001-01-01").contains("No payment is known by that"));
    assert!(desk.page("/console/payments?amount=much").contains("An amount is a number"));
    assert!(!desk.page(&story).contains(VISA), "no card number is told");
}

#[test]
fn a_stuck_reversal_is_taken_over_and_a_days_batch_settled_by_buttons() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { timeout_ms: 300, fronts: ann_and_bob(), ..Options::with_host(host.addr) });
    let desk = Desk::sign_in(&switch, "ann", "correct+horse");
    assert_eq!(switch.client().sale(1_112, VISA)["response_code"], 100);
    assert_eq!(desk.order("/console/processors/card/settle").status, 303);
    assert!(desk.page("/console/processors").contains("1 batch closed, 1 answered so far"));
    assert!(desk.page("/console/reversals").contains("None waits."));
    host.control.faults(&json!({"drop_responses": 1.0}));
    let unknown = switch.client().sale(amount::ANSWER_LOST, VISA);
    assert_eq!(text(&unknown, "status"), "unknown");
    let take_over = format!("/console/reversals/{}/take-over", id(&unknown));
    assert!(desk.page("/console/reversals").contains(&take_over));
    assert_eq!(send(&switch, &take_over, &desk.cookie, "form_token=0000").status, 403);
    assert_eq!(desk.order(&take_over).status, 303);
    assert!(desk.page("/console/reversals").contains("it is not sent again"));
    assert!(switch.log().contains("take over the reversal of"), "and it is written down who did it");
    assert_eq!(text(&switch.client().get(id(&unknown)), "status"), "reversed");
    switch.kill9();
    switch.start_again();
    let done = switch.operator().call("GET", "/operator/actions", &[], b"").data();
    let done: Vec<_> = done.as_array().expect("a list").iter().map(|done| (text(done, "action"), text(done, "by"))).collect();
    assert_eq!(done, [("settle", "ann"), ("take_over", "ann")]);
    let history = Desk::sign_in(&switch, "bob", "correct+horse").page("/console/history");
    for told in ["Settled card", &format!("Took over the reversal of {}", id(&unknown)), "by ann"] {
        assert!(history.contains(told), "{told}: {history}");
    }
    assert!(!history.contains("/undo"), "an action can't be taken back");
}

#[test]
fn whoever_guesses_must_wait_and_forms_of_other_sites_are_refused() {
    let switch = Switch::sandboxed();
    let guess = || send(&switch, "/console/sign-in", "", "name=&secret=guess").status;
    // As many at a time as are judged at a time: more would be told to come again.
    for many in [4, 4, 2] {
        std::thread::scope(|threads| {
            let guesses: Vec<_> = (0..many).map(|_| threads.spawn(guess)).collect();
            guesses.into_iter().for_each(|guess| assert_eq!(guess.join().expect("it ends"), 401));
        });
    }
    assert_eq!(guess(), 429);
    let right = format!("name=&secret={}", keys::OPERATOR);
    assert_eq!(send(&switch, "/console/sign-in", "", &right).status, 429, "the right one as well, or it would be told apart");
    let headers = [("Sec-Fetch-Site", "cross-site"), ("Content-Type", "application/x-www-form-urlencoded")];
    let foreign = exchange(switch.http(), "POST", "/console/sign-in", &headers, right.as_bytes()).expect("an answer");
    assert_eq!(foreign.status, 403);
}

#[test]
fn the_live_stream_ends_with_the_switch_and_does_not_hold_it_up() {
    let mut switch = Switch::sandboxed();
    let cookie = Desk::sign_in(&switch, "", keys::OPERATOR).cookie;
    let mut stream = TcpStream::connect(switch.http()).expect("a connection");
    stream.set_read_timeout(Some(SEEN)).expect("a time-out");
    stream.write_all(&rendered("GET", "/console/live", &[("Cookie", &cookie)], b"")).expect("it is sent");
    let (mut told, mut part) = (Vec::new(), [0; 4_096]);
    while !told.windows(5).any(|word| word == b"data:") {
        let length = stream.read(&mut part).expect("an event comes every second");
        assert!(length > 0, "it goes on while the switch does: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&part[..length]);
    }
    let reader = std::thread::spawn(move || stream.read_to_end(&mut told).map(|_| told));
    switch.terminate();
    let told = reader.join().expect("it reads").expect("the stream ends as HTTP ends");
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("text/event-stream") && told.ends_with("0\r\n\r\n"), "{told}");
    switch.start_again();
    let again = exchange(switch.http(), "GET", "/console/live", &[("Cookie", &cookie)], b"").expect("an answer");
    assert_eq!(again.status, 401, "sessions end with the process, and the page asks who it is");
}

#[test]
fn one_id_finds_a_payments_whole_way_in_the_log() {
    let switch = Switch::start(Options { log: Some("info,payment=debug"), ..Options::default() });
    let named = [("X-Request-Id", "the-shops-own-name")];
    let body = payment("sale", 1_112, VISA).to_string();
    let sale = switch.client().call("POST", "/api/transaction", &named, body.as_bytes()).data();
    let lines = || -> Vec<String> { switch.log().lines().filter(|line| line.contains(id(&sale))).map(str::to_owned).collect() };
    let doors = ["to its shard", "to its link", "to the host", "the host answers", "answered"];
    let whole = until(SEEN, || Some(lines()).filter(|lines| lines.len() >= doors.len()));
    let whole = whole.unwrap_or_else(|| panic!("{:?}", lines()));
    doors.iter().zip(&whole).for_each(|(door, line)| assert!(line.contains(door), "{door}: {line}"));
    assert!(whole[0].contains("the-shops-own-name"), "the request's name stands beside the id: {}", whole[0]);
    let stan = |line: &str| line.split("stan=").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    assert!(stan(&whole[1]).is_some() && stan(&whole[1]) == stan(&whole[2]), "the host's own number: {whole:?}");
    assert!(!switch.log().contains(VISA), "no card number is told");
}
