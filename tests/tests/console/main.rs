//! The operator's console, in a browser: what an operator sees, does, and sees change.

mod desk;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::browser::Kept;
use tests::client::{Client, id, rrn, text};
use tests::http::exchange;
use tests::payment::{DECLINED, VISA, payment, with};
use tests::switch::keys;
use tests::{Browser, Options, Switch, until};

const SEEN: Duration = Duration::from_secs(20);

fn url(switch: &Switch, page: &str) -> String {
    format!("http://{}{page}", switch.http())
}

/// A browser in which the operator has signed in.
fn operator_at_work(switch: &Switch, scripts: bool) -> Browser {
    let browser = Browser::start(scripts);
    sign_in(&browser, &url(switch, "/console"));
    browser
}

fn sign_in(browser: &Browser, console: &str) {
    browser.open(console);
    assert!(browser.url().ends_with("/console/sign-in"), "whoever is not known is asked who it is: {}", browser.url());
    browser.write("input[name=secret]", keys::OPERATOR);
    browser.press("button.primary");
    browser.text(".tiles");
}

/// Keeps a picture of the page where `SWITCHYARD_TEST_PICTURES` names a folder for them, on a desk and on a phone.
fn look(browser: &Browser, name: &str) {
    let Ok(folder) = std::env::var("SWITCHYARD_TEST_PICTURES") else { return };
    for (size, width, height) in [("phone", 390, 844), ("desk", 1280, 900)] {
        browser.resize(width, height);
        fs::write(Path::new(&folder).join(format!("{name}-{size}.png")), browser.picture()).expect("a picture is kept");
    }
}

/// Sales one after the other until told to stop: which processors took how many. Each must be approved.
fn sell(client: &Client, stop: &AtomicBool) -> BTreeMap<String, u32> {
    let mut taken = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let sale = client.sale(1_112, VISA);
        assert_eq!(sale["response_code"], 100, "{sale}");
        *taken.entry(text(&sale, "processor_name").to_owned()).or_default() += 1;
    }
    taken
}

/// Which processors take the next sales.
fn split(client: &Client, sales: u32) -> BTreeMap<String, u32> {
    let mut taken = BTreeMap::new();
    for _ in 0..sales {
        *taken.entry(text(&client.sale(1_112, VISA), "processor_name").to_owned()).or_default() += 1;
    }
    taken
}

/// Writes a route to both card hosts, with these weights, and puts it in force.
fn route(browser: &Browser, switch: &Switch, weights: [u32; 2]) {
    let processors = switch.sandbox_json()["processors"].clone();
    browser.open(&url(switch, "/console/routing"));
    if !browser.has("input[name=\"0.name\"]") {
        browser.press("button[value=add]");
        browser.press("button[value=\"share.0\"]");
        browser.write("input[name=\"0.name\"]", "both hosts");
        for (place, name) in ["card", "card_2"].iter().enumerate() {
            browser.choose(&format!("select[name=\"0.to.{place}.processor_id\"]"), text(&processors[name], "id"));
        }
    }
    for (place, weight) in weights.iter().enumerate() {
        browser.write(&format!("input[name=\"0.to.{place}.weight\"]"), &weight.to_string());
    }
    browser.press(".bar-of-buttons button[value=check]");
    assert!(browser.text("#dry-run").contains("payments were looked at"));
    browser.press("button[value=activate]");
    assert!(browser.text(".notice").starts_with("In force"), "{}", browser.text(".notice"));
}

#[test]
fn a_weight_moves_the_split_and_a_drain_under_load_loses_no_payment() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    // Without scripts: every action is a form.
    let browser = operator_at_work(&switch, false);
    route(&browser, &switch, [1, 0]);
    assert_eq!(split(&client, 10).keys().collect::<Vec<_>>(), ["card"]);
    route(&browser, &switch, [1, 1]);
    assert_eq!(split(&client, 40).len(), 2, "both take a part");
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let sellers: Vec<_> = (0..4).map(|_| threads.spawn(|| sell(&client, &stop))).collect();
        browser.open(&url(&switch, "/console/processors"));
        browser.press("section[data-name=card] form[action$=\"/drain\"] button");
        assert!(browser.text(".notice").starts_with("Drain card"), "{}", browser.text(".notice"));
        assert_eq!(split(&client, 20).keys().collect::<Vec<_>>(), ["card_2"], "nothing new goes there");
        stop.store(true, Ordering::Relaxed);
        let taken: u32 =
            sellers.into_iter().flat_map(|seller| seller.join().expect("no sale was lost")).map(|(_, many)| many).sum();
        assert!(taken > 0);
    });
    assert_eq!(browser.text("section[data-name=card] .pill"), "draining");
    browser.open(&url(&switch, "/console/history"));
    let newest = browser.text(".history li");
    assert!(newest.contains("Processor card") && newest.contains("draining"), "{newest}");
    browser.press(".history li form button");
    assert!(browser.text(".notice").starts_with("Taken back"), "{}", browser.text(".notice"));
    assert_eq!(split(&client, 40).len(), 2);
}

#[test]
fn a_processor_is_signed_off_signed_on_and_cut_over_by_buttons_and_the_history_says_who_did_it() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let browser = operator_at_work(&switch, false);
    let press = |what: &str, told: &str| {
        browser.open(&url(&switch, "/console/processors"));
        browser.press(&format!("section[data-name=card] form[action$=\"/{what}\"] button"));
        assert_eq!(browser.text(".notice"), format!("{told} card: the link was told"));
    };
    let stands = |words: &[&str]| {
        let seen = until(SEEN, || {
            browser.open(&url(&switch, "/console/processors"));
            words.contains(&browser.text("section[data-name=card] .pill").as_str()).then_some(())
        });
        seen.unwrap_or_else(|| panic!("the card host's processor is not {words:?}: {}", browser.source()));
    };
    press("cut-over", "Cut over");
    press("sign-off", "Sign off");
    stands(&["not signed on"]);
    look(&browser, "console-signed-off");
    assert_eq!(client.sale(1_112, VISA)["response_code"], 421, "nothing goes there");
    press("sign-on", "Sign on");
    // Until some payments have come through it is tried with care.
    stands(&["half open", "enabled"]);
    (0..5).for_each(|_| assert_eq!(client.sale(1_113, VISA)["response_code"], 100));
    stands(&["enabled"]);
    browser.open(&url(&switch, "/console/history"));
    let done = browser.text(".history");
    let lines = ["Signed on card", "Signed off card", "Cut over card"].map(|line| done.find(line));
    assert!(lines.iter().all(Option::is_some) && lines.is_sorted(), "newest first: {done}");
    assert_eq!(done.matches("by operator key").count(), 3, "{done}");
    assert!(!browser.has(".history form"), "what was done can't be taken back");
    look(&browser, "console-history");
}

#[test]
fn over_tls_of_its_own_the_console_is_signed_in_to_with_a_cookie_that_leaves_by_tls_alone() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).expect("a file");
    fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let fronts = format!("tls_certificate = {certificate:?}\ntls_key = {key:?}\n");
    let switch = Switch::start(Options { fronts, ..Options::default() });
    let browser = Browser::trusting();
    let page = |path: &str| format!("https://localhost:{}{path}", switch.http().port());
    sign_in(&browser, &page("/console"));
    assert_eq!(browser.cookie("switchyard_console"), Kept { is_secure: true, is_hidden: true });
    browser.open(&page("/console/processors"));
    browser.press("section[data-name=card] form[action$=\"/drain\"] button");
    assert!(browser.text(".notice").starts_with("Drain card: done"), "its forms are taken: {}", browser.text(".notice"));
    let in_clear = Switch::sandboxed();
    let browser = operator_at_work(&in_clear, true);
    assert_eq!(browser.cookie("switchyard_console"), Kept { is_secure: false, is_hidden: true }, "or it could not come back");
}

#[test]
fn a_rule_is_tried_on_history_put_in_force_and_told_in_a_payments_story() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    for amount in [50, 1_112, 60] {
        assert_eq!(client.sale(amount, VISA)["response_code"], 100);
    }
    let browser = operator_at_work(&switch, true);
    let total = until(SEEN, || browser.text(".cards").contains("3 sent").then_some(()));
    total.expect("the overview follows by itself");
    // An update takes over what differs: it takes the mark, and leaves the button that has the focus the button that it was.
    browser.evaluate(
        "(window.mine = document.querySelector('.processor button'), mine.focus(), mine.setAttribute('data-mark', ''), true)",
    );
    let updated = until(SEEN, || (browser.evaluate("mine.hasAttribute('data-mark')") == Value::Bool(false)).then_some(()));
    updated.expect("an update comes every second");
    assert_eq!(browser.evaluate("document.activeElement === mine"), Value::Bool(true));
    browser.open(&url(&switch, "/console/rules"));
    browser.press("button[value=add]");
    browser.write("input[name=\"0.name\"]", "small change");
    browser.write("input[name=\"0.if.0.value\"]", "100");
    browser.press(".bar-of-buttons button[value=check]");
    assert!(browser.text(".notice").contains("Not accepted"), "a value without a field is no condition");
    browser.choose("select[name=\"0.if.0.field\"]", "amount");
    browser.choose("select[name=\"0.if.0.op\"]", "<");
    browser.press(".bar-of-buttons button[value=check]");
    browser.press("button[value=activate]");
    assert!(browser.text(".notice").starts_with("In force"), "{}", browser.text(".notice"));
    let denied = client.sale(70, VISA);
    assert_eq!((denied["response_code"].as_u64(), text(&denied, "status")), (Some(310), "declined"));
    assert_eq!(client.sale(1_112, VISA)["response_code"], 100);
    browser.open(&url(&switch, "/console/payments"));
    browser.write("input[name=id]", id(&denied));
    browser.press(".search button");
    assert_eq!(browser.text("#status"), "declined");
    let why = browser.text(".reasons");
    assert!(why.contains("denied it before a processor was asked") && why.contains("small change"), "{why}");
    assert!(!browser.source().contains(VISA), "no card number is told");
    browser.resize(390, 844);
    for page in ["/console", "/console/processors", "/console/rules", "/console/payments"] {
        browser.open(&url(&switch, page));
        browser.assert_no_overhang();
    }
}

/// A form as a browser sends it, with a session's cookie.
fn send(switch: &Switch, path: &str, cookie: &str, form: &str) -> tests::http::Response {
    let headers = [("Cookie", cookie), ("Content-Type", "application/x-www-form-urlencoded")];
    exchange(switch.http(), "POST", path, &headers, form.as_bytes()).expect("an answer")
}

#[test]
fn nobody_acts_without_a_session_its_forms_and_the_role() {
    let switch = tests::switch::shared();
    for path in ["/console", "/console/processors", "/console/rules", "/console/history", "/console/payments"] {
        let answer = exchange(switch.http(), "GET", path, &[], b"").expect("an answer");
        assert_eq!((answer.status, answer.header("location")), (303, Some("/console/sign-in")), "{path}");
    }
    assert_eq!(exchange(switch.http(), "GET", "/console/live", &[], b"").expect("an answer").status, 401);
    assert_eq!(send(&switch, "/console/sign-in", "", "name=&secret=wrong").status, 401);
    assert_eq!(send(&switch, "/console/sign-in", "", &format!("name=ann&secret={}", keys::OPERATOR)).status, 401);
    let entered = send(&switch, "/console/sign-in", "", &format!("name=&secret={}", keys::OPERATOR));
    let set = entered.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().expect("a pair");
    let forged = send(&switch, "/console/processors/card/drain", cookie, "form_token=0000");
    assert_eq!(forged.status, 403, "a form of another page does nothing");
    let page = exchange(switch.http(), "GET", "/console", &[("Cookie", cookie)], b"").expect("an answer");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(page.status == 200 && policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let token =
        page.text().split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next().map(str::to_owned));
    let left = send(&switch, "/console/sign-out", cookie, &format!("form_token={}", token.expect("a token")));
    assert_eq!(left.status, 303);
    assert_eq!(exchange(switch.http(), "GET", "/console", &[("Cookie", cookie)], b"").expect("an answer").status, 303);
}

/// A sample of `/metrics`.
#[track_caller]
fn sample(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in\n{metrics}")).parse().expect("a whole number")
}

#[test]
fn metrics_count_what_was_answered_and_are_told_to_this_machine_and_the_operator() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    client.sale(1_112, VISA);
    assert_eq!(client.pay(&payment("sale", 1_112, tests::payment::DECLINED)).status, 200);
    let read = || String::from_utf8(exchange(switch.http(), "GET", "/metrics", &[], b"").expect("an answer").body).expect("text");
    let metrics = read();
    let payments =
        |outcome: &str| sample(&metrics, &format!("switchyard_payments_total{{processor=\"card\",outcome=\"{outcome}\"}}"));
    assert_eq!([payments("approved"), payments("declined"), payments("unknown")], [1, 1, 0]);
    for stage in ["queue", "total"] {
        assert_eq!(sample(&metrics, &format!("switchyard_stage_seconds_count{{stage=\"{stage}\"}}")), 2);
        assert_eq!(sample(&metrics, &format!("switchyard_stage_seconds_bucket{{le=\"+Inf\",stage=\"{stage}\"}}")), 2);
    }
    assert!(sample(&metrics, "switchyard_journal_records_total") >= 4 && metrics.ends_with("# EOF\n"));
    let follows = until(SEEN, || (sample(&read(), "switchyard_projection_behind_records") == 0).then_some(()));
    follows.expect("the database follows");
    let forwarded = [("X-Forwarded-For", "203.0.113.9")];
    let status = |headers: &[(&str, &str)]| exchange(switch.http(), "GET", "/metrics", headers, b"").expect("an answer").status;
    assert_eq!(status(&forwarded), 401, "what a proxy brings is a stranger's");
    assert_eq!(status(&[forwarded[0], ("Authorization", keys::OPERATOR)]), 200);
    assert_eq!(status(&[forwarded[0], ("Authorization", keys::API)]), 401);
}

/// What `replay` says of the switch's journal, with these files and flags.
fn replayed(switch: &Switch, files: &[(&str, &Value)], more: &[&str]) -> String {
    let mut command = std::process::Command::new(tests::binary::switchyard());
    command.args(["replay", "--journal"]).arg(switch.journal()).args(more);
    for (flag, content) in files {
        let file = switch.folder().join(format!("{flag}.json"));
        fs::write(&file, content.to_string()).expect("a file");
        command.arg(format!("--{flag}")).arg(file);
    }
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_journal_is_decided_anew_and_twice_the_same() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let first = client.pay(&with(payment("sale", 50, VISA), &json!({"order_id": "replayed-1"}))).data();
    client.sale(1_112, VISA);
    client.sale(60, VISA);
    switch.terminate();
    let rules = json!({"rules": [{"name": "small change", "stage": "pre",
        "if": [{"field": "amount", "op": "<", "value": 100}], "then": "deny"}]});
    let replayed = |more: &[&str]| replayed(&switch, &[("rules", &rules)], more);
    let text = replayed(&[]);
    assert_eq!(text, replayed(&[]));
    assert!(text.contains("changed   2 would have gone another way"), "{text}");
    let card = text.lines().find(|line| line.starts_with("card ")).unwrap_or_else(|| panic!("{text}"));
    let cells: Vec<&str> = card.split_whitespace().collect();
    assert_eq!(cells[1..8], ["USD", "3", "1", "3.0", "1.0", "12.22", "11.12"], "{text}");
    let then = replayed(&["--until", "2"]);
    assert!(then.contains("payments  1\n"), "{then}");
    let looked_up = replayed(&["--until", "3", "--id", id(&first)]);
    assert!(looked_up.lines().count() == 2 && looked_up.contains("pending_settlement"), "{looked_up}");
    assert_eq!(replayed(&["--until", "3", "--rrn", rrn(&first)]), looked_up);
    assert_eq!(replayed(&["--until", "3", "--order", "replayed-1"]), looked_up);
    assert_eq!(replayed(&["--order", "replayed-2"]), "", "nobody's");
    let before_all = replayed(&["--until", "2001-01-01T00:00:00Z"]);
    assert!(before_all.contains("payments  0\n"), "{before_all}");
    assert_eq!(replayed(&["--until", "2101-01-01T00:00:00Z"]), text, "all of it");
    let page = switch.folder().join("replay.html");
    replayed(&["--html", &page.display().to_string()]);
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("denied by a rule") && page.contains(">12.22</td>"), "{page}");
}

#[test]
fn a_replay_counts_what_processors_take_for_what_they_approve() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    for (amount, card) in [(50, VISA), (1_112, VISA), (60, VISA), (5_100, DECLINED)] {
        client.sale(amount, card);
    }
    switch.terminate();
    let costs = json!({"card": {"per_payment": 10, "bp": 25}, "card_2": {"per_payment": 8, "bp": 20}});
    let rules = json!({"rules": [{"name": "small change", "stage": "pre",
        "if": [{"field": "amount", "op": "<", "value": 100}], "then": "deny"}]});
    let routes = json!({"routes": [{"name": "all to the second", "if": [{"field": "payment_method", "op": "=", "value": "card"}],
        "to": [{"processor_id": "card_2", "weight": 1}], "fail_over": []}]});
    let told = |files: &[(&str, &Value)], way: &str| -> String {
        let text = replayed(&switch, files, &[]);
        let line = text.lines().find(|line| line.starts_with(&format!("{way} "))).unwrap_or_else(|| panic!("{way}: {text}"));
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    // Three approvals over 12.22: three times 10 cents and 0.25 percent are 33.055 cents. A decline costs nothing.
    let denied = [("rules", &rules), ("costs", &costs)];
    assert_eq!(told(&denied, "card"), "USD 4 2 3.0 1.0 12.22 11.12 0.33 0.12");
    assert_eq!(told(&denied, "all"), "USD 4 4 3.0 1.0 12.22 11.12 0.33 0.12");
    // The second host has approved nothing yet: it is expected to do as the first did, for 8 cents and 0.2 percent.
    let moved = [("routing", &routes), ("costs", &costs)];
    assert_eq!(told(&moved, "card"), "USD 4 0 3.0 0.0 12.22 0.00 0.33 0.00");
    assert_eq!(told(&moved, "card_2"), "USD 0 4 0.0 3.0 0.00 12.22 0.00 0.26");
    assert_eq!(told(&[("rules", &rules)], "all"), "USD 4 4 3.0 1.0 12.22 11.12 0.00 0.00", "where no costs are said");
}
