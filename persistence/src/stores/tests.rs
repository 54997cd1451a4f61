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
        stores.copy_into(&copy).await.unwrap();
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
