use super::*;
use crate::switch::directory::{Compat, ProcessorKind};

fn check(text: &str) -> Result<Settings, ConfigError> {
    check_with(text, &Overrides::default())
}

fn check_with(text: &str, overrides: &Overrides) -> Result<Settings, ConfigError> {
    super::check(Path::new("test.toml"), text, overrides)
}

#[test]
fn an_empty_file_is_the_documented_default() {
    let settings = check("").unwrap();
    assert_eq!(settings.data, PathBuf::from("data"));
    assert_eq!(settings.fronts.http.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.fronts.binary.to_string(), "127.0.0.1:8583");
    assert!(settings.shards >= 1);
    assert_eq!(settings.sandbox.unwrap().duplicate_window_s, 0);
}

#[test]
fn segments_leave_only_where_it_is_asked_for() {
    let retention = |text: &str| check(text).unwrap().retention;
    assert_eq!(retention("[journal]\nsegments_ahead = 1"), None);
    let removed = RetentionSettings { keep_segments: 0, archive: None };
    assert_eq!(retention("[journal]\nkeep_segments = 0"), Some(removed));
    let moved = RetentionSettings { keep_segments: 4, archive: Some("/archive".into()) };
    assert_eq!(retention("[journal]\narchive = '/archive'"), Some(moved));
}

#[test]
fn connections_leave_descriptors_for_all_else() {
    let limits = check("").unwrap().limits;
    let taken = |allowed| {
        let taken = limits.within_open_files(allowed);
        (taken.connections_max, taken.binary_connections_max)
    };
    assert_eq!((limits.open_files(), taken(1 << 20), taken(12_560)), (12_560, (10_000, 1_024), (10_000, 1_024)));
    assert_eq!((taken(12_559), taken(4_096), taken(2_048)), ((9_999, 1_024), (1_536, 1_024), (256, 256)));
    assert_eq!((taken(1_024), taken(200)), ((128, 128), (25, 25)));
}

#[test]
fn flags_win_over_the_file() {
    let overrides = Overrides {
        data: Some("/elsewhere".into()),
        http: Some("127.0.0.1:0".parse().unwrap()),
        no_sandbox: true,
        ..Overrides::default()
    };
    let settings = check_with("data = 'here'\nhttp = '127.0.0.1:9'", &overrides).unwrap();
    assert_eq!((settings.data, settings.fronts.http.port()), ("/elsewhere".into(), 0));
    assert!(settings.sandbox.is_none());
}

#[test]
fn a_processor_and_a_merchant_get_their_defaults() {
    let text = "
        [[processor]]
        name = 'host'
        type = 'tsys_sierra'
        addr = '127.0.0.1:7001'
        timeout_ms = 2000
        [[merchant]]
        name = 'shop'
        api_key = 'api_0123456789'
        card_processor = 'host'
        compat = ['live', 'arrays']
        [sandbox]
        compat = 'live'";
    let settings = check(text).unwrap();
    let processor = &settings.processors[0];
    assert_eq!((processor.kind, processor.timeout_ms, processor.enabled), (ProcessorKind::TsysSierra, 2000, true));
    let merchant = &settings.merchants[0];
    assert_eq!((merchant.processors.card.as_deref(), merchant.duplicate_window_s), (Some("host"), 60));
    assert_eq!(merchant.compat, Compat { live: true, arrays: true });
    assert_eq!(settings.sandbox.unwrap().compat, Compat { live: true, arrays: false });
}

fn merchant(name: &str, api_key: &str, pub_key: Option<&str>) -> String {
    let public = pub_key.map_or(String::new(), |key| format!("pub_key = '{key}'\n"));
    format!("[[merchant]]\nname = '{name}'\napi_key = '{api_key}'\n{public}")
}

#[test]
fn errors_name_key_value_and_bound() {
    let processor = "[[processor]]\nname = 'host'\ntype = 'tsys_sierra'\naddr = '127.0.0.1:1'\n";
    let cases = [
        ("shards = 0".to_owned(), "shards = 0: must be between 1 and 64"),
        ("[limits]\nin_flight_max = 7".to_owned(), "limits.in_flight_max = 7: must be between 8 and 16384"),
        ("[limits]\nhead_timeout_ms = 99".to_owned(), "limits.head_timeout_ms = 99: must be between 100 and 600000"),
        ("[journal]\nkeep_segments = 1000001".to_owned(), "journal.keep_segments = 1000001: must be between 0 and 1000000"),
        ("[journal]\narchive = ''".to_owned(), "journal.archive = \"\": must be a folder"),
        ("http = 'nonsense'".to_owned(), "http = nonsense: must be an address and a port"),
        ("[sandbox]\nduplicate_window_s = 90000".to_owned(), "sandbox.duplicate_window_s = 90000: must be between 0 and 86400"),
        ("[sandbox]\ncompat = 'new'".to_owned(), "sandbox.compat = new: must be document, live or arrays"),
        ("[sandbox]\napi_key = 'short'".to_owned(), "sandbox.api_key = (5 bytes): must be 8 to 128"),
        (format!("{processor}timeout_ms = 5"), "processor.0.timeout_ms = 5: must be between 100 and 600000"),
        (
            format!(
                "{processor}[[merchant]]
name = 'shop'
api_key = '0123456789'
category = 0"
            ),
            "merchant.0.category = 0: must be between 1 and 9999",
        ),
        (format!("{processor}{processor}"), "processor.1.name = host: must be unique"),
        ("trusted_proxies = ['localhost']".to_owned(), "trusted_proxies = localhost: must be IPv4 or IPv6 addresses"),
        (merchant("Sandbox", "0123456789", None), "merchant.0.name = Sandbox: must be another"),
        (
            merchant("a", "0123456789", None) + &merchant("b", "9876543210", Some("0123456789")),
            "merchant.1.pub_key = (10 bytes): must be unique: merchant.0.api_key is the same",
        ),
        (
            merchant("a", "0123456789", Some("0123456789")),
            "merchant.0.pub_key = (10 bytes): must be unique: merchant.0.api_key is the same",
        ),
        (
            format!("[sandbox]\noperator_key = '0123456789'\n{}", merchant("a", "0123456789", None)),
            "merchant.0.api_key = (10 bytes): must be unique: sandbox.operator_key is the same",
        ),
        (
            format!("{processor}[[merchant]]\nname = 'shop'\napi_key = '0123456789'\ncard_processor = 'other'"),
            "merchant.0.card_processor = other: must be the name of a processor that takes card",
        ),
        (
            "[[processor]]\nname = 'a'\ntype = 'fax'\naddr = '127.0.0.1:1'".to_owned(),
            "processor.0.type = fax: must be tsys_sierra, sage_ach or dejavoo",
        ),
        (
            format!("{processor}[[merchant]]\nname = 'shop'\napi_key = '0123456789'\nach_processor = 'host'"),
            "merchant.0.ach_processor = host: must be the name of a processor that takes ach",
        ),
        (
            "[[processor]]\nname = 'bank'\ntype = 'sage_ach'\naddr = '127.0.0.1:1'".to_owned(),
            "processor.0.password is missing: an ACH host takes no entries without one",
        ),
        (
            "[[processor]]\nname = 'terminal'\ntype = 'dejavoo'\naddr = '127.0.0.1:1'".to_owned(),
            "processor.0.name = terminal: must be unique",
        ),
    ];
    for (text, expected) in cases {
        let message = check(&text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn unknown_keys_are_refused_without_showing_the_line() {
    let message = check("[sandbox]\napi_kay = 'secret_value'").unwrap_err().to_string();
    assert!(message.contains("line 2") && message.contains("api_kay"), "{message}");
    assert!(!message.contains("secret_value"), "{message}");
}

#[test]
fn an_address_for_other_machines_needs_a_certificate_or_insecure() {
    let message = check("http = '0.0.0.0:8080'").unwrap_err().to_string();
    assert!(message.contains("http = 0.0.0.0:8080") && message.contains("--insecure"), "{message}");
    let insecure = Overrides { insecure: true, ..Overrides::default() };
    assert!(check_with("http = '0.0.0.0:8080'", &insecure).is_ok());
    let covered = "http = '0.0.0.0:8080'\nbinary = '0.0.0.0:8583'\ntls_certificate = 'c.pem'\ntls_key = 'k.pem'";
    let fronts = check(covered).unwrap().fronts;
    assert_eq!(fronts.tls, Some(TlsFiles { certificate: "c.pem".into(), key: "k.pem".into() }));
    let message = check("tls_certificate = 'c.pem'").unwrap_err().to_string();
    assert!(message.contains("tls_key is missing: tls_certificate needs it"), "{message}");
}

#[test]
fn a_processor_on_another_machine_needs_tls_or_insecure() {
    let there =
        |more: &str| check(&format!("[[processor]]\nname = 'far'\ntype = 'tsys_sierra'\naddr = '192.0.2.7:5000'\n{more}"));
    let message = there("").unwrap_err().to_string();
    assert!(message.contains("processor.0.addr = 192.0.2.7:5000") && message.contains("insecure = true"), "{message}");
    assert!(there("insecure = false").is_err());
    for more in ["insecure = true", "tls = { server_name = 'host.example' }"] {
        assert!(there(more).is_ok(), "{more}");
    }
}

#[test]
fn a_merchants_payments_go_to_the_sandbox_unless_there_is_none() {
    let text = "[[merchant]]\nname = 'shop'\napi_key = '0123456789'";
    let named = |name: &str| Some(name.to_owned());
    let own = ProcessorNames { card: named("card"), ach: named("ach"), terminal: named("terminal") };
    assert_eq!(check(text).unwrap().merchants[0].processors, own);
    let alone = Overrides { no_sandbox: true, ..Overrides::default() };
    let message = check_with(text, &alone).unwrap_err().to_string();
    assert!(message.contains("merchant.0.card_processor is missing"), "{message}");
}

#[test]
fn a_merchant_need_not_take_every_means_of_payment() {
    let text = "
        [[processor]]
        name = 'bank'
        type = 'sage_ach'
        addr = '127.0.0.1:7001'
        password = 'not-for-eyes'
        [[processor]]
        name = 'counter'
        type = 'dejavoo'
        addr = '127.0.0.1:7002'
        [[merchant]]
        name = 'shop'
        api_key = 'api_0123456789'";
    let alone = Overrides { no_sandbox: true, ..Overrides::default() };
    let settings = check_with(text, &alone).unwrap();
    let [bank, counter] = &settings.processors[..] else { panic!("two") };
    assert_eq!((bank.timeout_ms, counter.timeout_ms), (30_000, 120_000), "a person is slow");
    assert!(!format!("{bank:?}").contains("not-for-eyes"), "{bank:?}");
    let own = &settings.merchants[0].processors;
    assert_eq!((&own.card, own.ach.as_deref(), own.terminal.as_deref()), (&None, Some("bank"), Some("counter")));
}

#[test]
fn rules_and_routes_stand_in_the_file_as_well_and_name_merchants_and_processors() {
    let text = "[[merchant]]\nname = 'shop'\napi_key = 'api_of_the_shop'\n\
                [[rule]]\nname = 'small'\nstage = 'pre'\nmerchant_id = 'shop'\nif = [{field = 'amount', op = '<', value = 500}]\nthen = 'deny'\n\
                [[route]]\nname = 'second'\nto = [{processor_id = 'card_2', weight = 1}]\nfail_over = ['card']\n";
    let tables = check(text).unwrap().tables;
    let shop = crate::accounts::merchant_id_of("shop").to_string();
    assert_eq!(tables.rules.rules[0].merchant_id.as_ref(), Some(&shop));
    assert_eq!(tables.routes.routes[0].fail_over, [crate::accounts::processor_id_of("card").to_string()]);
    for (wrong, named) in [
        (text.replace("'amount'", "'amonut'"), "amonut"),
        (text.replace("['card']", "['crad']"), "crad"),
        (text.replace("merchant_id = 'shop'", "merchant_id = 'shpo'"), "merchant_id"),
        (text.replace("then", "than"), "than"),
    ] {
        let said = check(&wrong).unwrap_err().to_string();
        assert!(said.contains(named), "{named}: {said}");
    }
}

#[test]
fn a_cut_over_is_a_time_of_day() {
    let processor =
        |cut_over: &str| check(&format!("[[processor]]\nname = 'a'\ntype = 'tsys_sierra'\naddr = '127.0.0.1:1'\n{cut_over}"));
    assert_eq!(processor("").unwrap().processors[0].cut_over, None);
    assert_eq!(processor("cut_over = '22:30'").unwrap().processors[0].cut_over, "22:30".parse().ok());
    assert!(processor("cut_over = '25:00'").unwrap_err().to_string().contains("processor.0.cut_over"));
}

#[test]
fn tls_towards_a_processor_names_what_its_host_must_prove() {
    let tls = |said: &str| {
        let processor = format!("[[processor]]\nname = 'a'\ntype = 'tsys_sierra'\naddr = '127.0.0.1:1'\ntls = {{ {said} }}");
        check(&processor).map(|settings| settings.processors[0].tls.clone()).map_err(|error| error.to_string())
    };
    let by_name = TlsSettings { server_name: "host.example".try_into().unwrap(), ca_file: None, client: None };
    assert_eq!(tls("server_name = 'host.example'"), Ok(Some(by_name.clone())));
    let client = ClientCertificate { cert_file: "c.pem".into(), key_file: "k.pem".into() };
    let mutual = TlsSettings { ca_file: Some("ca.pem".into()), client: Some(client), ..by_name };
    let said = "server_name = 'host.example', ca_file = 'ca.pem', client_cert_file = 'c.pem', client_key_file = 'k.pem'";
    assert_eq!(tls(said), Ok(Some(mutual)));
    for (said, named) in [
        ("server_name = 'not a name'", "processor.0.tls.server_name"),
        ("server_name = 'a', client_cert_file = 'c.pem'", "processor.0.tls.client_key_file"),
        ("server_name = 'a', client_key_file = 'k.pem'", "processor.0.tls.client_cert_file"),
        ("ca_file = 'ca.pem'", "server_name"),
    ] {
        let error = tls(said).unwrap_err();
        assert!(error.contains(named), "{said}: {error}");
    }
}
