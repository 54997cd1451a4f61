//! PostgreSQL as the SQL home: the same promises, and a database that goes away and comes back. The server is named by
//! `SWITCHYARD_TEST_POSTGRES`, as `test.sh` does; without it there is nothing to test here.

use std::time::Duration;
use tests::books::reconcile;
use tests::client::{id, text};
use tests::dice::Dice;
use tests::load::Load;
use tests::payment::{VISA, payment};
use tests::postgres::Schema;
use tests::wire::{Forwarder, Wire};
use tests::{HostProcess, Options, Switch};

const DRAINED: Duration = Duration::from_secs(20);

/// A wire to the server that a test can pull, and the schema's URL over it.
fn behind_a_wire(schema: &Schema) -> (Forwarder, String) {
    let wire = Forwarder::to(schema.server());
    let database = schema.url().replace(&schema.server().to_string(), &wire.addr.to_string());
    (wire, database)
}

#[test]
fn kills_under_load_lose_nothing() {
    let Some(schema) = Schema::fresh() else { return };
    let mut dice = Dice::announced("kills_under_load");
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { database: Some(schema.url()), ..Options::with_host(host.addr) });
    let load = Load::start(&switch.client(), 4, &mut dice);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(dice.between(100, 600)));
        switch.kill9();
        switch.start_again();
        load.moved(switch.http());
    }
    let answers = load.stop();
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    let payments: Vec<_> = answers.iter().filter(|answer| answer.is_payment()).collect();
    assert_eq!(books.transactions().count(), payments.len(), "one transaction for each key");
    let client = switch.client();
    for answer in payments {
        let again = client.call("POST", &answer.path, &[("Idempotency-Key", &answer.key)], answer.body.as_bytes());
        assert_eq!((again.text(), again.header("idempotent-replayed")), (answer.response.text(), Some("true")));
    }
    let batches = switch.operator().settle();
    assert!(batches.iter().all(|batch| text(batch, "state") == "complete"), "{batches:?}");
    switch.terminate();
}

#[test]
fn payments_go_on_while_the_database_is_away_and_it_catches_up() {
    let Some(schema) = Schema::fresh() else { return };
    let (wire, database) = behind_a_wire(&schema);
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { database: Some(database), ..Options::with_host(host.addr) });
    let client = switch.client();
    let before = client.sale(8_950, VISA);
    assert_eq!(client.get(id(&before)), before);
    wire.does(Wire::Cut);
    let meanwhile: Vec<_> = (0..10).map(|number| client.sale(8_960 + number, VISA)).collect();
    meanwhile.iter().for_each(|sale| assert_eq!(sale["response_code"], 100));
    let again = client.pay_once("while-away", &payment("sale", 8_980, VISA));
    assert_eq!(again.data()["response_code"], 100);
    let path = format!("/api/transaction/{}", id(&before));
    assert_eq!(client.call("GET", &path, &[], b"").refusal().0, 503, "what can't be read is said so");
    tests::eventually(DRAINED, || match client.stranger("GET", "/readyz", &[], b"").json()["data"]["state"].as_str() {
        Some("degraded") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    for (method, slow) in
        [("GET", "/api/users"), ("POST", "/api/customer"), ("GET", "/api/recurring/plans"), ("POST", "/api/invoice")]
    {
        let body: &[u8] = if method == "POST" { b"{}" } else { b"" };
        let refused = client.call(method, slow, &[], body);
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{method} {slow}: {}", refused.text());
    }
    assert_eq!(client.sale(8_981, VISA)["response_code"], 100, "payments go on all the while");
    wire.does(Wire::Whole);
    tests::eventually(Duration::from_secs(20), || {
        let shown = client.call("GET", &path, &[], b"");
        if shown.status == 200 { Ok(()) } else { Err(shown.text()) }
    });
    meanwhile.iter().for_each(|sale| assert_eq!(&client.get(id(sale)), sale));
    tests::eventually(DRAINED, || match client.call("POST", "/api/customer", &[], b"{}").status {
        200 => Ok(()),
        other => Err(format!("{other}")),
    });
    let ready = client.stranger("GET", "/readyz", &[], b"").json();
    assert_eq!(ready["data"]["state"], "ready", "{ready}");
    reconcile(&switch.journal(), host.control, DRAINED);
    switch.terminate();
}

#[test]
fn a_database_whose_wire_is_cut_in_the_midst_of_commits_takes_each_record_once() {
    let Some(schema) = Schema::fresh() else { return };
    let mut dice = Dice::announced("a_database_whose_wire_is_cut");
    let (wire, database) = behind_a_wire(&schema);
    let host = HostProcess::start();
    let switch = Switch::start(Options { database: Some(database), ..Options::with_host(host.addr) });
    let load = Load::start(&switch.client(), 4, &mut dice);
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(dice.between(20, 300)));
        wire.does(Wire::CutsMidway);
        std::thread::sleep(Duration::from_millis(dice.between(10, 60)));
        wire.does(Wire::Whole);
    }
    let answers = load.stop();
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    let client = switch.client();
    tests::eventually(Duration::from_secs(20), || {
        let ready = client.stranger("GET", "/readyz", &[], b"").json();
        if ready["data"]["projection"]["behind"] == 0 { Ok(()) } else { Err(ready.to_string()) }
    });
    for transaction in books.transactions() {
        let shown = client.get(&transaction.id.to_string());
        let ours = (transaction.status().word(), transaction.amount_captured.get(), transaction.updated_at().to_string());
        let theirs = (text(&shown, "status"), shown["amount_captured"].as_u64(), text(&shown, "updated_at"));
        assert_eq!((theirs.0, theirs.1, theirs.2), (ours.0, Some(ours.1), ours.2.as_str()), "{shown}");
    }
    assert!(books.transactions().count() >= 50, "only {} answers", answers.len());
}

#[test]
fn a_start_without_the_database_goes_on_from_the_journal_alone() {
    let Some(schema) = Schema::fresh() else { return };
    let (wire, database) = behind_a_wire(&schema);
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { database: Some(database), ..Options::with_host(host.addr) });
    let client = switch.client();
    let before = client.sale(10_000, VISA);
    let once = client.pay_once("before-the-kill", &payment("sale", 10_001, VISA));
    let open = client.authorize(10_002, VISA);
    assert_eq!(client.get(id(&before)), before);
    switch.kill9();
    wire.does(Wire::Cut);
    switch.start_again();

    let client = switch.client();
    let meanwhile = client.sale(10_003, VISA);
    assert_eq!(meanwhile["response_code"], 100, "payments are served");
    let ready = client.stranger("GET", "/readyz", &[], b"");
    assert_eq!((ready.status, &ready.json()["data"]["projection"]["following"]), (200, &false.into()), "{}", ready.text());
    let again = client.pay_once("before-the-kill", &payment("sale", 10_009, VISA));
    assert_eq!(again.status, 422, "the key is known, and was used for something else: {}", again.text());
    let path = format!("/api/transaction/{}", id(&before));
    assert_eq!(client.call("GET", &path, &[], b"").refusal().0, 503, "what is cold waits for the database");

    wire.does(Wire::Whole);
    tests::eventually(DRAINED, || {
        let ready = client.stranger("GET", "/readyz", &[], b"").json();
        if ready["data"]["projection"]["following"] == true { Ok(()) } else { Err(ready.to_string()) }
    });
    for sale in [&before, &open, &meanwhile] {
        assert_eq!(&client.get(id(sale)), sale);
    }
    let again = client.pay_once("before-the-kill", &payment("sale", 10_001, VISA));
    assert_eq!((again.text(), again.header("idempotent-replayed")), (once.text(), Some("true")));
    assert_eq!(client.capture(id(&open), 10_002).status, 200);
    let batches = switch.operator().settle();
    assert!(batches.iter().all(|batch| text(batch, "state") == "complete"), "both sides' totals agree: {batches:?}");
    reconcile(&switch.journal(), host.control, DRAINED);
    switch.terminate();
}
