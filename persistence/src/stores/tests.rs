use protocol::calendar::Micros;
use protocol::id::Xid;

use super::*;
use crate::sql::tests::homes;

fn id(number: u8) -> Xid {
    Xid([number; 12])
}

#[tokio::test]
async fn merchants_are_added_changed_and_listed() {
    for home in homes("merchants_are_added").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let mut merchant = Merchant { id: id(1), name: "Ågot's".into(), settings: r#"{"window":0}"#.into(), active: true };
        stores.put_merchant(&merchant).await.unwrap();
        merchant.active = false;
        merchant.name = "Ågot's shop".into();
        stores.put_merchant(&merchant).await.unwrap();
        let second = Merchant { id: id(2), ..merchant.clone() };
        stores.put_merchant(&second).await.unwrap();
        assert_eq!(stores.merchants().await.unwrap(), [merchant.clone(), second]);
        assert_eq!(stores.merchant(&id(1)).await.unwrap(), Some(merchant));
        assert_eq!(stores.merchant(&id(9)).await.unwrap(), None);
    }
}

/// A key of no user.
fn till() -> ApiKey {
    ApiKey {
        id: Xid::NONE,
        hash: [0; 32],
        kind: KeyKind::Api,
        merchant: Xid::NONE,
        user: Xid::NONE,
        name: "till".into(),
        hint: String::new(),
        created_at: Micros(5),
    }
}

#[tokio::test]
async fn api_keys_are_found_by_hash_and_gone_when_removed() {
    for home in homes("api_keys_are_found").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let hash = ApiKey::hash_of("api_secret");
        let key = ApiKey { id: id(3), hash, kind: KeyKind::Api, merchant: id(1), ..till() };
        let public = ApiKey { id: id(4), hash: ApiKey::hash_of("pub_x"), kind: KeyKind::Public, ..key.clone() };
        stores.put_api_key(&key).await.unwrap();
        stores.put_api_key(&public).await.unwrap();
        assert_eq!(stores.api_key_by_hash(&hash).await.unwrap().as_ref(), Some(&key));
        assert_eq!(stores.api_keys(&id(1)).await.unwrap(), [key.clone(), public.clone()]);
        assert_eq!(stores.api_keys(&id(2)).await.unwrap(), []);
        assert!(stores.delete_api_key(&key.id).await.unwrap() && !stores.delete_api_key(&key.id).await.unwrap());
        assert_eq!(stores.api_key_by_hash(&hash).await.unwrap(), None);
        assert_eq!(stores.all_api_keys().await.unwrap(), [public]);
    }
}

#[tokio::test]
async fn a_copy_holds_what_its_original_holds() {
    for (home, other) in homes("a_copy_holds").await.into_iter().zip(homes("a_copy_is").await) {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let copy = Database::open(&other.url).await.unwrap().stores();
        stores.put_merchant(&Merchant { id: id(1), name: "shop".into(), settings: "{}".into(), active: true }).await.unwrap();
        let hash = ApiKey::hash_of("api_secret");
        let key = ApiKey { id: id(3), hash, kind: KeyKind::Api, merchant: id(1), ..till() };
        stores.put_api_key(&key).await.unwrap();
        let card = Processor { index: 4, id: id(7), name: "card".into(), kind: "tsys".into() };
        assert!(stores.put_processor(&card).await.unwrap());
        stores.add_user(&user(9, "first")).await.unwrap();
        stores.copy_into(&copy).await.unwrap();
        assert_eq!(copy.users(&id(1)).await.unwrap(), stores.users(&id(1)).await.unwrap());
        assert_eq!(copy.merchants().await.unwrap(), stores.merchants().await.unwrap());
        assert_eq!((copy.all_api_keys().await.unwrap(), copy.processors().await.unwrap()), (vec![key], vec![card]));
    }
}

#[test]
fn a_key_is_hashed_as_fips_180_4_says() {
    let hash = ApiKey::hash_of("abc");
    assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
}

#[tokio::test]
async fn a_processors_index_never_passes_to_another() {
    for home in homes("a_processors_index").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let card = Processor { index: 1, id: id(7), name: "card".into(), kind: "tsys".into() };
        assert!(stores.put_processor(&card).await.unwrap());
        let renamed = Processor { name: "card 1".into(), ..card.clone() };
        assert!(stores.put_processor(&renamed).await.unwrap());
        let usurper = Processor { id: id(8), ..card };
        assert!(!stores.put_processor(&usurper).await.unwrap());
        assert_eq!(stores.processors().await.unwrap(), [renamed]);
    }
}

fn user(number: u8, username: &str) -> User {
    User {
        id: id(number),
        merchant: id(1),
        username: username.into(),
        name: "test merchant user".into(),
        phone: "(674) 966-1211".into(),
        email: "info@website.com".into(),
        timezone: "ETC/UTC".into(),
        password: "$argon2id$".into(),
        active: true,
        role: Role::Admin,
        tokens_from: Micros(7),
        created_at: Micros(i64::from(number)),
        updated_at: Micros(7),
    }
}

#[tokio::test]
async fn users_are_found_by_name_in_any_case_and_names_are_taken_once() {
    for home in homes("users_are_found").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let (one, other) = (user(3, "TestMerchant43"), user(4, "other"));
        assert!(stores.add_user(&one).await.unwrap() && stores.add_user(&other).await.unwrap());
        assert!(!stores.add_user(&User { merchant: id(2), ..user(5, "testmerchant43") }).await.unwrap());
        assert_eq!(stores.user_by_name("tESTmERCHANT43").await.unwrap().as_ref(), Some(&one));
        assert_eq!(stores.user(&id(4)).await.unwrap().as_ref(), Some(&other));
        assert_eq!(stores.users(&id(1)).await.unwrap(), [one.clone(), other]);
        assert_eq!(stores.users(&id(2)).await.unwrap(), []);
        assert_eq!(stores.users_by_email("info@website.com", 1).await.unwrap(), [one]);
        assert_eq!(stores.user_by_name("nobody").await.unwrap(), None);
    }
}

#[tokio::test]
async fn the_last_active_admin_stays_one() {
    for home in homes("the_last_active_admin").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let (first, second) = (user(3, "first"), user(4, "second"));
        stores.add_user(&first).await.unwrap();
        stores.add_user(&User { role: Role::Standard, ..user(5, "clerk") }).await.unwrap();
        for change in [User { active: false, ..first.clone() }, User { role: Role::Standard, ..first.clone() }] {
            assert!(!stores.change_user(&change).await.unwrap());
        }
        assert!(!stores.delete_user(&id(1), &id(3)).await.unwrap());
        assert_eq!(stores.user(&id(3)).await.unwrap().as_ref(), Some(&first));
        stores.add_user(&second).await.unwrap();
        let disabled = User { active: false, name: "gone".into(), ..first.clone() };
        assert!(stores.change_user(&disabled).await.unwrap());
        assert_eq!(stores.user(&id(3)).await.unwrap(), Some(disabled));
        assert!(!stores.delete_user(&id(1), &id(4)).await.unwrap(), "the other one is disabled");
        assert!(!stores.delete_user(&id(2), &id(3)).await.unwrap(), "another merchant's");
        assert!(stores.delete_user(&id(1), &id(3)).await.unwrap());
    }
}

#[tokio::test]
async fn a_users_keys_and_codes_go_with_it() {
    for home in homes("a_users_keys").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        stores.add_user(&user(3, "first")).await.unwrap();
        stores.add_user(&user(4, "second")).await.unwrap();
        let key = ApiKey { id: id(7), hash: [7; 32], merchant: id(1), user: id(4), hint: "api_****".into(), ..till() };
        stores.put_api_key(&key).await.unwrap();
        assert_eq!(stores.api_key_by_hash(&[7; 32]).await.unwrap().as_ref(), Some(&key));
        stores.put_reset_code(&id(4), &[1; 32], Micros(100)).await.unwrap();
        assert!(stores.delete_user(&id(1), &id(4)).await.unwrap());
        assert_eq!(stores.api_key_by_hash(&[7; 32]).await.unwrap(), None);
        assert!(!stores.take_reset_code(&id(4), &[1; 32], Micros(1)).await.unwrap());
    }
}

#[tokio::test]
async fn attempts_are_counted_within_their_window() {
    for home in homes("attempts_are_counted").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let mut counts = Vec::new();
        for (now, forgotten) in [(100, 0), (110, 10), (120, 20), (201, 101)] {
            let attempts = stores.note_attempt(&[1; 32], Micros(now), Micros(forgotten)).await.unwrap();
            counts.push((attempts.count, attempts.since.0));
        }
        assert_eq!(counts, [(1, 100), (2, 100), (3, 100), (1, 201)]);
        let side_by_side = (0..10).map(|_| stores.note_attempt(&[2; 32], Micros(5), Micros(0)));
        let mut counts = Vec::new();
        for attempt in side_by_side {
            counts.push(attempt.await.unwrap().count);
        }
        assert_eq!(counts, (1..=10).collect::<Vec<_>>());
        stores.forget_attempts(&[2; 32]).await.unwrap();
        assert_eq!(stores.note_attempt(&[2; 32], Micros(6), Micros(0)).await.unwrap().count, 1);
    }
}

#[tokio::test]
async fn tokens_stay_revoked_until_they_expire_and_codes_work_once() {
    for home in homes("tokens_stay_revoked").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        stores.add_user(&user(3, "first")).await.unwrap();
        stores.revoke_token(&id(9), Micros(50)).await.unwrap();
        stores.revoke_token(&id(9), Micros(50)).await.unwrap();
        stores.purge_log_ins(Micros(50), Micros(0)).await.unwrap();
        assert!(stores.is_token_revoked(&id(9)).await.unwrap() && !stores.is_token_revoked(&id(8)).await.unwrap());
        stores.purge_log_ins(Micros(51), Micros(0)).await.unwrap();
        assert!(!stores.is_token_revoked(&id(9)).await.unwrap());
        stores.put_reset_code(&id(3), &[1; 32], Micros(100)).await.unwrap();
        stores.put_reset_code(&id(3), &[2; 32], Micros(100)).await.unwrap();
        for (hash, now, taken) in [(1, 1, false), (2, 100, false), (2, 99, true), (2, 99, false)] {
            assert_eq!(stores.take_reset_code(&id(3), &[hash; 32], Micros(now)).await.unwrap(), taken, "{hash} at {now}");
        }
        stores.put_reset_code(&id(3), &[3; 32], Micros(100)).await.unwrap();
        stores.set_password(&id(3), "$new", Micros(60)).await.unwrap();
        let changed = stores.user(&id(3)).await.unwrap().unwrap();
        assert_eq!((changed.password.as_str(), changed.tokens_from), ("$new", Micros(60)));
        assert!(!stores.take_reset_code(&id(3), &[3; 32], Micros(61)).await.unwrap(), "a new password uses the code up");
    }
}

fn customer(number: u8) -> Customer {
    Customer {
        id: id(number),
        merchant: id(1),
        description: "test description".into(),
        payment_method: id(number + 1),
        billing_address: id(number + 2),
        shipping_address: Xid::NONE,
        created_at: Micros(i64::from(number)),
        updated_at: Micros(i64::from(number)),
    }
}

fn address(number: u8, customer: u8) -> Address {
    let fields = std::array::from_fn(|place| format!("Ågot {place}"));
    Address { id: id(number), customer: id(customer), fields, created_at: Micros(5), updated_at: Micros(6) }
}

fn card(number: u8, customer: u8) -> PaymentMethod {
    let shown = ShownMethod::Card(ShownCard { first_six: 411_111, last_four: 1_111, digits: 16, expiry: 2_012 });
    PaymentMethod {
        id: id(number),
        customer: id(customer),
        shown,
        sealed: vec![1, 0, 0, 0, number, 9, 9],
        fingerprint: [number; 16],
        created_at: Micros(5),
        updated_at: Micros(6),
    }
}

fn account(number: u8, customer: u8) -> PaymentMethod {
    let shown = ShownMethod::Account(ShownAccount {
        routing_number: "490000018".into(),
        masked_account: "99**99".into(),
        account_type: "checking".into(),
        sec_code: "ccd".into(),
    });
    PaymentMethod { shown, ..card(number, customer) }
}

/// Stores with one customer, 10, that has a card, 11, and an address, 12.
async fn filled(url: &crate::sql::DatabaseUrl) -> Stores {
    let stores = Database::open(url).await.unwrap().stores();
    assert!(stores.add_customer(&customer(10), &[&address(12, 10)], Some(&card(11, 10))).await.unwrap());
    stores
}

#[tokio::test]
async fn a_customer_comes_with_its_default_things() {
    for home in homes("a_customer_comes").await {
        let stores = filled(&home.url).await;
        let filed = stores.customer(&id(1), &id(10)).await.unwrap().unwrap();
        assert_eq!(filed.customer, customer(10));
        assert_eq!((filed.payment_method, filed.billing_address), (Some(card(11, 10)), Some(address(12, 10))));
        assert_eq!(filed.shipping_address, None);
        assert_eq!(stores.customer(&id(2), &id(10)).await.unwrap(), None, "another merchant's");
        assert!(!stores.add_customer(&customer(10), &[], None).await.unwrap());
        let changed = Customer { description: "other".into(), shipping_address: id(12), ..customer(10) };
        assert!(stores.change_customer(&changed).await.unwrap());
        let filed = stores.customer(&id(1), &id(10)).await.unwrap().unwrap();
        assert_eq!((filed.customer, filed.shipping_address), (changed, Some(address(12, 10))));
        assert!(!stores.change_customer(&Customer { merchant: id(2), ..customer(10) }).await.unwrap());
    }
}

#[tokio::test]
async fn addresses_are_added_changed_and_removed_as_default_ones_too() {
    for home in homes("addresses_are_added").await {
        let stores = filled(&home.url).await;
        assert!(stores.add_address(&id(1), &address(13, 10)).await.unwrap());
        assert!(!stores.add_address(&id(2), &address(14, 10)).await.unwrap(), "another merchant's customer");
        assert_eq!(stores.addresses(&id(10)).await.unwrap(), [address(12, 10), address(13, 10)]);
        let changed = Address { fields: std::array::from_fn(|place| place.to_string()), ..address(13, 10) };
        assert!(stores.change_address(&id(1), &changed).await.unwrap());
        assert!(!stores.change_address(&id(1), &address(99, 10)).await.unwrap());
        assert!(stores.delete_address(&id(1), &id(10), &id(12), Micros(9)).await.unwrap());
        assert!(!stores.delete_address(&id(1), &id(10), &id(12), Micros(9)).await.unwrap());
        assert_eq!(stores.addresses(&id(10)).await.unwrap(), [changed]);
        let filed = stores.customer(&id(1), &id(10)).await.unwrap().unwrap();
        assert_eq!((filed.customer.billing_address, filed.customer.updated_at), (Xid::NONE, Micros(9)));
    }
}

#[tokio::test]
async fn payment_methods_of_both_kinds_are_kept_and_go() {
    for home in homes("payment_methods_of_both").await {
        let stores = filled(&home.url).await;
        assert!(stores.add_method(&id(1), &account(13, 10)).await.unwrap());
        assert_eq!(stores.methods(&id(10)).await.unwrap(), [card(11, 10), account(13, 10)]);
        let changed = PaymentMethod { sealed: vec![2, 0, 0, 0, 7], fingerprint: [7; 16], ..card(11, 10) };
        assert!(stores.change_method(&id(1), &changed).await.unwrap());
        assert!(!stores.change_method(&id(1), &account(11, 10)).await.unwrap(), "a card does not become an account");
        assert_eq!(stores.methods_not_under(2, 9).await.unwrap(), [(id(1), account(13, 10))]);
        assert!(stores.reseal_method(&account(13, 10), &[2, 0, 0, 0, 8]).await.unwrap());
        assert!(!stores.reseal_method(&account(13, 10), &[2, 0, 0, 0, 9]).await.unwrap(), "it is another one by now");
        assert_eq!(stores.methods_not_under(2, 9).await.unwrap(), []);
        assert_eq!(stores.methods_with(&id(1), &[7; 16]).await.unwrap(), std::slice::from_ref(&changed));
        assert_eq!(stores.methods_with(&id(2), &[7; 16]).await.unwrap(), [], "another merchant's");
        let corrected = PaymentMethod { fingerprint: [8; 16], ..changed };
        assert!(stores.correct_method(&id(1), &corrected, &[7; 16]).await.unwrap());
        assert!(!stores.correct_method(&id(1), &corrected, &[7; 16]).await.unwrap(), "it is another one by now");
        assert!(!stores.delete_method(&id(2), &id(10), &id(11), Micros(9)).await.unwrap());
        assert!(stores.delete_method(&id(1), &id(10), &id(11), Micros(9)).await.unwrap());
        assert_eq!(stores.customer(&id(1), &id(10)).await.unwrap().unwrap().payment_method, None);
        assert_eq!(stores.methods(&id(10)).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_was_removed_is_not_in_the_file_and_its_customer_is_not_made_again() {
    for home in homes("what_was_removed").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let mark = b"sealed-mark-4e1c7d".to_vec();
        let method = PaymentMethod { sealed: mark.clone(), ..card(11, 10) };
        stores.add_customer(&customer(10), &[&address(12, 10)], Some(&method)).await.unwrap();
        assert!(stores.delete_customer(&id(1), &id(10), Micros(9)).await.unwrap());
        assert!(!stores.delete_customer(&id(1), &id(10), Micros(9)).await.unwrap());
        assert_eq!((stores.customer(&id(1), &id(10)).await.unwrap(), stores.methods(&id(10)).await.unwrap().len()), (None, 0));
        assert!(
            !stores.add_method(&id(1), &card(13, 10)).await.unwrap()
                && !stores.add_customer(&customer(10), &[], None).await.unwrap()
        );
        stores.database.close().await;
        for entry in std::fs::read_dir(home.folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(mark.len()).any(|window| window == mark), "it is still there");
        }
    }
}

#[tokio::test]
async fn customers_are_found_by_their_ids_and_days() {
    for home in homes("customers_are_found").await {
        let stores = filled(&home.url).await;
        stores.add_customer(&customer(20), &[], None).await.unwrap();
        stores.add_customer(&Customer { merchant: id(2), ..customer(30) }, &[], None).await.unwrap();
        let all = CustomerSearch {
            merchant: id(1),
            id: None,
            payment_method: None,
            billing_address: None,
            shipping_address: None,
            created_from: None,
            created_to: None,
            limit: 10,
            offset: 0,
        };
        let rows = [
            (all.clone(), 2, vec![20, 10]),
            (CustomerSearch { limit: 1, ..all.clone() }, 2, vec![20]),
            (CustomerSearch { offset: 1, ..all.clone() }, 2, vec![10]),
            (CustomerSearch { id: Some(IdIs::Equal(id(10))), ..all.clone() }, 1, vec![10]),
            (
                CustomerSearch { id: Some(IdIs::Other(id(10))), payment_method: Some(IdIs::Equal(id(21))), ..all.clone() },
                1,
                vec![20],
            ),
            (CustomerSearch { shipping_address: Some(IdIs::Other(id(9))), ..all.clone() }, 2, vec![20, 10]),
            (CustomerSearch { created_from: Some(Micros(11)), created_to: Some(Micros(20)), ..all.clone() }, 1, vec![20]),
            (CustomerSearch { created_to: Some(Micros(9)), ..all }, 0, vec![]),
        ];
        for (search, total, expected) in rows {
            let (found, page) = stores.search_customers(&search).await.unwrap();
            let ids: Vec<u8> = page.iter().map(|filed| filed.customer.id.0[0]).collect();
            assert_eq!((found, ids), (total, expected), "{search:?}");
        }
    }
}

#[tokio::test]
async fn a_token_is_used_once_or_again_by_the_same() {
    for home in homes("a_token_is_used").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let card = ShownCard { first_six: 411_111, last_four: 1_111, digits: 16, expiry: 2_912 };
        let token =
            CardToken { hash: [1; 32], merchant: id(1), sealed: vec![1; 40], fingerprint: [2; 16], card, expires_at: Micros(50) };
        stores.put_card_token(&token, Micros(1)).await.unwrap();
        let used = async |merchant: u8, by: &[u8], now: i64| {
            stores.use_card_token(&[1; 32], &id(merchant), by, Micros(now), Micros(90)).await.unwrap()
        };
        assert_eq!((used(2, b"one", 2).await, used(1, b"one", 50).await), (None, None), "another's, and too late");
        assert_eq!(used(1, b"one", 49).await, Some(CardToken { expires_at: Micros(90), ..token.clone() }));
        assert!(
            used(1, b"other", 51).await.is_none() && used(1, b"one", 89).await.is_some() && used(1, b"one", 90).await.is_none()
        );
        stores.put_card_token(&CardToken { hash: [2; 32], ..token }, Micros(90)).await.unwrap();
        assert!(used(1, b"one", 60).await.is_none(), "forgotten");
    }
}

#[tokio::test]
async fn terminals_are_added_changed_listed_and_copied() {
    for (home, other) in homes("terminals_are_added").await.into_iter().zip(homes("terminals_are_copied").await) {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let copy = Database::open(&other.url).await.unwrap().stores();
        let mut terminal = Terminal {
            id: id(3),
            merchant: id(1),
            manufacturer: "dejavoo".into(),
            model: "z11".into(),
            serial_number: "18110001234".into(),
            tpn: "000000000001".into(),
            description: "front counter z11".into(),
            active: true,
            auth_key: "wcR1c9o1".into(),
            register_id: "1".into(),
            auto_settle: true,
            settle_at_s: 79_200,
            created_at: Micros(5),
            updated_at: Micros::NONE,
        };
        stores.put_terminal(&terminal).await.unwrap();
        (terminal.active, terminal.updated_at) = (false, Micros(6));
        stores.put_terminal(&terminal).await.unwrap();
        let other = Terminal { id: id(2), merchant: id(9), ..terminal.clone() };
        stores.put_terminal(&other).await.unwrap();
        assert_eq!(stores.terminals(&id(1)).await.unwrap(), [terminal.clone()]);
        stores.copy_into(&copy).await.unwrap();
        assert_eq!(copy.all_terminals().await.unwrap(), [other, terminal.clone()]);
        assert!(!format!("{terminal:?}").contains("wcR1c9o1"));
    }
}

fn invoice(number: u8, amount_due: u64, due: i64) -> StoredInvoice {
    StoredInvoice {
        id: id(number),
        merchant: id(1),
        public_id: format!("d038ea94-{number}"),
        amount_due,
        amount_paid: 0,
        date_due: Micros(due),
        body: r#"{"company_name":"Ågot's"}"#.into(),
        created_at: Micros(i64::from(number)),
        updated_at: Micros(7),
    }
}

#[tokio::test]
async fn invoices_are_their_merchants_and_go() {
    for home in homes("invoices_are_their_merchants").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let first = invoice(3, 100, 0);
        stores.add_invoice(&first).await.unwrap();
        assert_eq!(stores.invoice(&id(1), &id(3)).await.unwrap().as_ref(), Some(&first));
        assert_eq!(stores.invoice(&id(2), &id(3)).await.unwrap(), None);
        assert!(!stores.delete_invoice(&id(2), &id(3)).await.unwrap());
        assert!(stores.delete_invoice(&id(1), &id(3)).await.unwrap() && !stores.delete_invoice(&id(1), &id(3)).await.unwrap());
    }
}

#[tokio::test]
async fn invoices_are_found_by_id_amount_and_day() {
    for home in homes("invoices_are_found").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        for invoice in [
            invoice(3, 100, 50),
            invoice(4, 200, 60),
            invoice(5, 300, 0),
            StoredInvoice { merchant: id(2), ..invoice(6, 100, 50) },
        ] {
            stores.add_invoice(&invoice).await.unwrap();
        }
        let all =
            InvoiceSearch { merchant: id(1), id: None, amount_due: None, due_from: None, due_to: None, limit: 10, offset: 0 };
        let amount = |comparison, amount| InvoiceSearch { amount_due: Some((comparison, amount)), ..all.clone() };
        let rows = [
            (all.clone(), 3, vec![5, 4, 3]),
            (InvoiceSearch { limit: 1, offset: 1, ..all.clone() }, 3, vec![4]),
            (InvoiceSearch { id: Some(id(3)), due_to: Some(Micros(50)), ..amount(AmountIs::Equal, 100) }, 1, vec![3]),
            (amount(AmountIs::Below, 200), 1, vec![3]),
            (amount(AmountIs::Above, 100), 2, vec![5, 4]),
            (amount(AmountIs::Other, 200), 2, vec![5, 3]),
            (InvoiceSearch { due_from: Some(Micros(51)), due_to: Some(Micros(99)), ..all.clone() }, 1, vec![4]),
            (InvoiceSearch { id: Some(id(6)), ..all }, 0, vec![]),
        ];
        for (search, total, expected) in rows {
            let (found, page) = stores.search_invoices(&search).await.unwrap();
            let ids: Vec<u8> = page.iter().map(|invoice| invoice.id.0[0]).collect();
            assert_eq!((found, ids), (total, expected), "{search:?}");
        }
    }
}

#[tokio::test]
async fn keys_and_users_are_found_in_the_copy_and_nothing_is_written_there() {
    for (home, other) in homes("keys_and_users").await.into_iter().zip(homes("keys_and_users_copy").await) {
        let away = Database::open(&home.url).await.unwrap().stores();
        let copy = Database::open(&other.url).await.unwrap().stores();
        let key = ApiKey { id: id(7), hash: [7; 32], merchant: id(1), user: id(4), ..till() };
        copy.put_api_key(&key).await.unwrap();
        copy.add_user(&user(4, "second")).await.unwrap();
        let stores = away.clone().with_standby(&copy);
        assert_eq!(stores.api_key_by_hash(&[7; 32]).await.unwrap(), Some(key));
        assert_eq!(stores.user(&id(4)).await.unwrap(), Some(user(4, "second")));
        let new = ApiKey { id: id(8), hash: [8; 32], merchant: id(1), ..till() };
        stores.put_api_key(&new).await.unwrap();
        assert_eq!(stores.api_key_by_hash(&[8; 32]).await.unwrap().as_ref(), Some(&new));
        assert_eq!((away.all_api_keys().await.unwrap(), copy.all_api_keys().await.unwrap().len()), (vec![new], 1));
        assert_eq!(stores.api_key_by_hash(&[9; 32]).await.unwrap(), None);
    }
}
