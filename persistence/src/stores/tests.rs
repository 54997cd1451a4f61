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

#[tokio::test]
async fn api_keys_are_found_by_hash_and_gone_when_removed() {
    for home in homes("api_keys_are_found").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let hash = ApiKey::hash_of("api_secret");
        let key = ApiKey { id: id(3), hash, kind: KeyKind::Api, merchant: id(1), name: "till".into(), created_at: Micros(5) };
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
        let key = ApiKey { id: id(3), hash, kind: KeyKind::Api, merchant: id(1), name: "till".into(), created_at: Micros(5) };
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
