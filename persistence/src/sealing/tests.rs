use std::fs;
use std::os::unix::fs::PermissionsExt;

use protocol::id::Xid;
use protocol::secret::{AccountNumber, LicenceNumber, Pan};

use super::*;

const PAN: &str = "4012000098765439";

fn sealer() -> (tempfile::TempDir, Sealer) {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Sealer::open_or_create(&folder.path().join("keys")).unwrap();
    (folder, sealer)
}

fn sealed(sealer: &Sealer) -> (Vec<u8>, Xid, [u8; 16]) {
    let pan = Pan::new(PAN).unwrap();
    let (merchant, fingerprint) = (Xid([7; 12]), sealer.fingerprint(&pan));
    let mut out = Vec::new();
    sealer.seal(&pan, &merchant, &fingerprint, &mut out).unwrap();
    (out, merchant, fingerprint)
}

fn fault(result: Result<Pan, PersistenceError>) -> SealedCardFault {
    match result {
        Err(PersistenceError::SealedCard(fault)) => fault,
        other => panic!("expected a fault of the sealed card, got {other:?}"),
    }
}

#[test]
fn a_sealed_card_opens_to_what_was_sealed() {
    let (_folder, sealer) = sealer();
    let (bytes, merchant, fingerprint) = sealed(&sealer);
    assert_eq!(bytes.len(), 4 + 12 + 1 + 16 + 16);
    assert!(bytes.len() <= SEALED_CARD_MAX_BYTES);
    assert_eq!(bytes[..4], 1u32.to_le_bytes());
    assert_eq!(sealer.open_card(&bytes, &merchant, &fingerprint).unwrap().expose(), PAN);
}

#[test]
fn two_seals_of_one_card_differ() {
    let (_folder, sealer) = sealer();
    assert_ne!(sealed(&sealer).0, sealed(&sealer).0);
}

#[test]
fn every_altered_bit_is_noticed() {
    let (_folder, sealer) = sealer();
    let (bytes, merchant, fingerprint) = sealed(&sealer);
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        let fault = fault(sealer.open_card(&altered, &merchant, &fingerprint));
        let expected =
            if place < 4 { matches!(fault, SealedCardFault::UnknownKey(_)) } else { fault == SealedCardFault::NotAuthentic };
        assert!(expected, "byte {place}: {fault:?}");
    }
}

#[test]
fn a_card_opens_for_its_own_merchant_and_fingerprint_only() {
    let (_folder, sealer) = sealer();
    let (bytes, merchant, fingerprint) = sealed(&sealer);
    assert_eq!(fault(sealer.open_card(&bytes, &Xid([8; 12]), &fingerprint)), SealedCardFault::NotAuthentic);
    assert_eq!(fault(sealer.open_card(&bytes, &merchant, &[0; 16])), SealedCardFault::NotAuthentic);
}

#[test]
fn bytes_of_any_length_are_refused_without_a_panic() {
    let (_folder, sealer) = sealer();
    for length in 0..2 * SEALED_CARD_MAX_BYTES {
        let mut bytes = vec![0; length];
        bytes.iter_mut().take(1).for_each(|byte| *byte = 1);
        let fault = fault(sealer.open_card(&bytes, &Xid::NONE, &[0; 16]));
        let impossible = !(4 + 12 + 13 + 16..=SEALED_CARD_MAX_BYTES).contains(&length);
        assert_eq!(fault == SealedCardFault::Length { bytes: length }, impossible, "{length} bytes");
    }
}

#[test]
fn neither_debug_nor_errors_show_a_card() {
    let (_folder, sealer) = sealer();
    let (mut bytes, merchant, fingerprint) = sealed(&sealer);
    let opened = sealer.open_card(&bytes, &merchant, &fingerprint).unwrap();
    bytes[30] ^= 1;
    let error = sealer.open_card(&bytes, &merchant, &fingerprint).unwrap_err();
    let shown = format!("{opened:?} {opened:#?} {sealer:?} {error:?} {error}");
    assert!(shown.contains("401200******5439"), "{shown}");
    assert!(!shown.contains(PAN) && !shown.contains("98765439") && !shown.contains("00009876"), "{shown}");
    assert!(!bytes.windows(8).any(|window| PAN.as_bytes().windows(8).any(|digits| digits == window)));
}

#[test]
fn an_older_key_keeps_opening_and_the_newest_seals() {
    let (folder, before) = sealer();
    let (old, merchant, fingerprint) = sealed(&before);
    let keys = folder.path().join("keys");
    assert_eq!(add_seal_key(&keys).unwrap(), 2);
    let after = Sealer::open(&keys).unwrap();
    assert_eq!(after.key_ids(), [1, 2]);
    assert_eq!(after.open_card(&old, &merchant, &fingerprint).unwrap().expose(), PAN);
    let (new, ..) = sealed(&after);
    assert_eq!(new[..4], 2u32.to_le_bytes());
    assert_eq!(fault(before.open_card(&new, &merchant, &fingerprint)), SealedCardFault::UnknownKey(2));
    assert_eq!(before.fingerprint(&Pan::new(PAN).unwrap()), after.fingerprint(&Pan::new(PAN).unwrap()));
}

#[test]
fn a_key_that_is_added_at_run_time_seals_at_once_and_after_a_restart() {
    let (folder, sealer) = sealer();
    let (old, merchant, fingerprint) = sealed(&sealer);
    let rotations: Vec<u32> = std::thread::scope(|scope| {
        let rotating: Vec<_> = (0..4).map(|_| scope.spawn(|| sealer.rotate().unwrap())).collect();
        rotating.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(rotations.iter().max(), Some(&5), "{rotations:?}");
    assert_eq!(sealer.key_ids(), [1, 2, 3, 4, 5]);
    let (new, ..) = sealed(&sealer);
    assert_eq!(new[..4], 5u32.to_le_bytes());
    let again = Sealer::open(&folder.path().join("keys")).unwrap();
    for sealer in [&sealer, &again] {
        for sealed in [&old, &new] {
            assert_eq!(sealer.open_card(sealed, &merchant, &fingerprint).unwrap().expose(), PAN);
        }
    }
}

#[test]
fn keys_are_private_and_stay_the_same_over_restarts() {
    let (folder, first) = sealer();
    let keys = folder.path().join("keys");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&keys).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["fingerprint.key", "idempotency.key", "seal-1.key"]);
    let second = Sealer::open_or_create(&keys).unwrap();
    assert_eq!(first.key_hash(&Xid::NONE, "k"), second.key_hash(&Xid::NONE, "k"));
}

#[test]
fn keys_that_others_may_touch_are_refused() {
    let (folder, _sealer) = sealer();
    let keys = folder.path().join("keys");
    for (path, mode) in [(keys.join("seal-1.key"), 0o640), (keys.join("fingerprint.key"), 0o604), (keys.clone(), 0o750)] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Sealer::open(&keys).unwrap_err();
        assert!(matches!(&error, PersistenceError::KeyExposed { mode: found, .. } if *found == mode), "{error}");
        fs::set_permissions(&path, before).unwrap();
    }
    assert!(Sealer::open(&keys).is_ok());
}

#[test]
fn a_missing_or_damaged_key_is_named_and_never_replaced() {
    for name in ["seal-1.key", "fingerprint.key", "idempotency.key"] {
        let (folder, _sealer) = sealer();
        let path = folder.path().join("keys").join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Sealer::open_or_create(&folder.path().join("keys")).unwrap_err();
        assert!(matches!(&error, PersistenceError::KeyDamaged { path: named, .. } if *named == path), "{error}");
        fs::write(&path, [bytes, vec![0]].concat()).unwrap();
        assert!(matches!(Sealer::open(&folder.path().join("keys")), Err(PersistenceError::KeyDamaged { .. })));
        fs::remove_file(&path).unwrap();
        let error = Sealer::open_or_create(&folder.path().join("keys")).unwrap_err();
        assert!(matches!(&error, PersistenceError::KeyMissing { path: named } if *named == path), "{error}");
    }
}

#[test]
fn a_crash_while_keys_are_made_leaves_no_half_folder() {
    let folder = tempfile::tempdir().unwrap();
    let draft = folder.path().join("keys.draft");
    fs::create_dir(&draft).unwrap();
    fs::write(draft.join("seal-1.key"), "half").unwrap();
    assert!(Sealer::open_or_create(&folder.path().join("keys")).is_ok());
    assert!(!draft.exists());
}

#[test]
fn hashes_depend_on_every_part_and_on_what_they_are_for() {
    let (_folder, sealer) = sealer();
    let hashes = [
        sealer.request_hash(&[b"ab", b"c"]),
        sealer.request_hash(&[b"a", b"bc"]),
        sealer.request_hash(&[b"abc"]),
        sealer.request_hash(&[&[0; 12], b"k"]),
        sealer.key_hash(&Xid::NONE, "k"),
        sealer.key_hash(&Xid([1; 12]), "k"),
    ];
    for (place, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..place].contains(hash), "hash {place}");
    }
    assert_eq!(sealer.request_hash(&[b"ab", b"c"]), hashes[0]);
}

#[test]
fn an_account_and_a_licence_open_to_what_was_sealed_and_never_as_one_another() {
    let (_folder, sealer) = sealer();
    let (merchant, account) = (Xid([7; 12]), AccountNumber::new("24413815").unwrap());
    let fingerprint = sealer.account_fingerprint("490000018", &account);
    let (mut sealed_account, mut sealed_licence) = (Vec::new(), Vec::new());
    sealer.seal_account("490000018", &account, &merchant, &fingerprint, &mut sealed_account).unwrap();
    let licence = LicenceNumber::new("r500123123").unwrap();
    sealer.seal_licence(&licence, &merchant, &fingerprint, &mut sealed_licence).unwrap();
    let (routing, opened) = sealer.open_account(&sealed_account, &merchant, &fingerprint).unwrap();
    assert_eq!((routing.as_str(), opened.expose()), ("490000018", "24413815"));
    assert_eq!(sealer.open_licence(&sealed_licence, &merchant, &fingerprint).unwrap(), licence);
    assert!(!sealed_account.windows(8).any(|window| window == b"24413815"));
    for (sealed, merchant, fingerprint) in [
        (&sealed_licence, merchant, fingerprint),
        (&sealed_account, Xid([8; 12]), fingerprint),
        (&sealed_account, merchant, [0; 16]),
    ] {
        let refused = sealer.open_account(sealed, &merchant, &fingerprint).unwrap_err();
        assert!(matches!(refused, PersistenceError::SealedCard(SealedCardFault::NotAuthentic)), "{refused}");
    }
    assert!(sealer.open_card(&sealed_account, &merchant, &fingerprint).is_err());
    assert!(sealer.seal_text(SecretKind::Correction, &[""], &merchant, &fingerprint, &mut Vec::new()).is_err());
    assert!(sealer.seal_text(SecretKind::Correction, &[&"x".repeat(129)], &merchant, &fingerprint, &mut Vec::new()).is_err());
}

#[test]
fn equal_accounts_have_equal_fingerprints_and_no_cards() {
    let (_folder, sealer) = sealer();
    let of = |routing, number| sealer.account_fingerprint(routing, &AccountNumber::new(number).unwrap());
    assert_eq!(of("490000018", "4111"), of("490000018", "4111"));
    assert_ne!(of("490000018", "4111"), of("490000018", "4112"));
    assert_ne!(of("490000018", "9875439"), sealer.fingerprint(&Pan::new("4900000189875439").unwrap()));
}
