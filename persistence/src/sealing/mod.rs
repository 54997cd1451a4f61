//! Sealing: the only way in which card data may lie on a disk (I9), and the keyed hashes that stand in for it.
//!
//! Lives here: the key folder, the sealed card, fingerprints and request hashes. Must not live here: who may open a card;
//! fronts seal, and only the link that writes the card to a processor opens.
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452) with nonces counted from a random start. Plain GCM forgives no nonce that comes twice, and
//! random ones bound it to 2^32 seals per key (NIST SP 800-38D, 8.3), which a busy switch reaches within a day; with SIV a repeated nonce
//! tells only whether two plaintexts were equal, which the fingerprint tells anyway.

mod card;
mod keys;
mod nonce;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use protocol::id::Xid;
use protocol::secret::{AccountNumber, LicenceNumber, Pan, wipe};
use zeroize::{Zeroize, Zeroizing};

pub use card::SEALED_CARD_MAX_BYTES;
pub use text::{SEALED_TEXT_MAX_BYTES, SECRET_TEXT_MAX_BYTES, SecretKind};

use crate::error::{PersistenceError, SealedCardFault};

/// Digits of a bank's routing number.
const ROUTING_NUMBER_BYTES: usize = 9;

/// What a hash under the idempotency key is for: equal bytes hashed for different ends must not be equal.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Domain {
    Key = 1,
    Request = 2,
}

/// Seals and opens cards, and hashes what must be compared without being known. Share it by `Arc`.
pub struct Sealer {
    folder: PathBuf,
    /// By key id, ascending; the last one seals.
    seal: RwLock<Vec<(u32, LessSafeKey)>>,
    /// Held while a key is added.
    rotation: Mutex<()>,
    nonces: nonce::Nonces,
    fingerprint: keys::Key,
    idempotency: keys::Key,
}

impl core::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sealer").field("key_ids", &self.key_ids()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Loads the keys of a folder. Use it where a journal exists: its cards need the keys that sealed them.
    pub fn open(folder: &Path) -> Result<Sealer, PersistenceError> {
        let keys = keys::load(folder)?;
        let seal = keys.seal.iter().map(|(id, key)| Ok((*id, cipher(key)?))).collect::<Result<_, _>>()?;
        let (folder, seal, rotation) = (folder.to_owned(), RwLock::new(seal), Mutex::new(()));
        let nonces = nonce::Nonces::draw()?;
        Ok(Sealer { folder, seal, rotation, nonces, fingerprint: keys.fingerprint, idempotency: keys.idempotency })
    }

    /// Loads the keys of a folder, or makes the folder with fresh ones when there is none: the first start.
    pub fn open_or_create(folder: &Path) -> Result<Sealer, PersistenceError> {
        if !folder.exists() {
            keys::create(folder)?;
        }
        Sealer::open(folder)
    }

    /// Ids of the seal keys, ascending; the last one seals.
    pub fn key_ids(&self) -> Vec<u32> {
        self.seal_keys().iter().map(|(id, _)| *id).collect()
    }

    /// Adds a seal key to the folder, which seals from now on; older ones keep opening. It is on the disk before it seals. Gives its id.
    pub fn rotate(&self) -> Result<u32, PersistenceError> {
        let _one_at_a_time = self.rotation.lock().unwrap_or_else(PoisonError::into_inner);
        let added = keys::add_seal_key(&self.folder)?;
        let known = self.key_ids();
        let all = keys::load(&self.folder)?.seal;
        let new = all.iter().filter(|(id, _)| !known.contains(id)).map(|(id, key)| Ok((*id, cipher(key)?)));
        let mut new = new.collect::<Result<Vec<_>, PersistenceError>>()?;
        self.seal.write().unwrap_or_else(PoisonError::into_inner).append(&mut new);
        Ok(added)
    }

    fn seal_keys(&self) -> RwLockReadGuard<'_, Vec<(u32, LessSafeKey)>> {
        // Whoever holds the lock only pushes: what is behind it is whole.
        self.seal.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the sealed card to `out`: at most [`SEALED_CARD_MAX_BYTES`]. On an error `out` is as it was.
    pub fn seal(&self, pan: &Pan, merchant: &Xid, fingerprint: &[u8; 16], out: &mut Vec<u8>) -> Result<(), PersistenceError> {
        let data = card::associated_data(merchant, fingerprint);
        self.seal_with(&data, card::plaintext_bytes(pan), |out| card::push_plaintext(out, pan), out)
    }

    /// Appends a sealed account to `out`, see [`SecretKind::Account`]. On an error `out` is as it was.
    pub fn seal_account(
        &self,
        routing: &str,
        account: &AccountNumber,
        merchant: &Xid,
        fingerprint: &[u8; 16],
        out: &mut Vec<u8>,
    ) -> Result<(), PersistenceError> {
        self.seal_text(SecretKind::Account, &[routing, account.expose()], merchant, fingerprint, out)
    }

    /// Appends a sealed driving licence's number to `out`. On an error `out` is as it was.
    pub fn seal_licence(
        &self,
        licence: &LicenceNumber,
        merchant: &Xid,
        fingerprint: &[u8; 16],
        out: &mut Vec<u8>,
    ) -> Result<(), PersistenceError> {
        self.seal_text(SecretKind::Licence, &[licence.expose()], merchant, fingerprint, out)
    }

    /// Appends a sealed text, given in parts, to `out`: at most [`SEALED_TEXT_MAX_BYTES`]. On an error `out` is as it was.
    pub fn seal_text(
        &self,
        kind: SecretKind,
        parts: &[&str],
        merchant: &Xid,
        fingerprint: &[u8; 16],
        out: &mut Vec<u8>,
    ) -> Result<(), PersistenceError> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if !(1..=SECRET_TEXT_MAX_BYTES).contains(&bytes) {
            return Err(PersistenceError::Cryptography { operation: "seal a text of this length" });
        }
        let data = text::associated_data(kind, merchant, fingerprint);
        self.seal_with(&data, bytes, |out| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes())), out)
    }

    /// Appends header, ciphertext and tag. Room is reserved first, so that no outgrown copy of the plaintext stays in freed memory.
    fn seal_with(
        &self,
        bound_to: &[u8],
        plaintext_bytes: usize,
        push_plaintext: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), PersistenceError> {
        let refused = PersistenceError::Cryptography { operation: "seal" };
        let keys = self.seal_keys();
        let Some((key_id, key)) = keys.last() else { return Err(refused) };
        let nonce = self.nonces.next();
        let start = out.len();
        out.reserve(card::HEADER_BYTES + plaintext_bytes + card::TAG_BYTES);
        out.extend_from_slice(&key_id.to_le_bytes());
        out.extend_from_slice(&nonce);
        push_plaintext(out);
        let plaintext = &mut out[start + card::HEADER_BYTES..];
        match key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), plaintext) {
            Ok(tag) => out.extend_from_slice(tag.as_ref()),
            Err(_) => {
                plaintext.zeroize();
                out.truncate(start);
                return Err(refused);
            }
        }
        Ok(())
    }

    /// Opens a card that was sealed for this merchant and fingerprint, under any key of the folder.
    pub fn open_card(&self, sealed: &[u8], merchant: &Xid, fingerprint: &[u8; 16]) -> Result<Pan, PersistenceError> {
        self.try_open(sealed, merchant, fingerprint).map_err(PersistenceError::SealedCard)
    }

    fn try_open(&self, sealed: &[u8], merchant: &Xid, fingerprint: &[u8; 16]) -> Result<Pan, SealedCardFault> {
        let parts = card::cut(sealed)?;
        let mut buffer = Zeroizing::new([0; card::PLAINTEXT_MAX_BYTES + card::TAG_BYTES]);
        let data = card::associated_data(merchant, fingerprint);
        card::read_plaintext(self.open_with(&parts, &data, &mut buffer[..])?)
    }

    /// Opens an account that was sealed for this merchant and fingerprint: the bank's routing number and the account's.
    pub fn open_account(
        &self,
        sealed: &[u8],
        merchant: &Xid,
        fingerprint: &[u8; 16],
    ) -> Result<(String, AccountNumber), PersistenceError> {
        let text = self.open_text(SecretKind::Account, sealed, merchant, fingerprint)?;
        let parts = text.split_at_checked(ROUTING_NUMBER_BYTES);
        let account = parts.and_then(|(routing, account)| Some((routing.to_owned(), AccountNumber::new(account)?)));
        account.ok_or(PersistenceError::SealedCard(SealedCardFault::Layout))
    }

    /// Opens a driving licence's number that was sealed for this merchant and fingerprint.
    pub fn open_licence(&self, sealed: &[u8], merchant: &Xid, fingerprint: &[u8; 16]) -> Result<LicenceNumber, PersistenceError> {
        let text = self.open_text(SecretKind::Licence, sealed, merchant, fingerprint)?;
        LicenceNumber::new(&text).ok_or(PersistenceError::SealedCard(SealedCardFault::Layout))
    }

    /// Opens a text that was sealed as this kind for this merchant and fingerprint.
    pub fn open_text(
        &self,
        kind: SecretKind,
        sealed: &[u8],
        merchant: &Xid,
        fingerprint: &[u8; 16],
    ) -> Result<Zeroizing<String>, PersistenceError> {
        let open = || {
            let parts = text::cut(sealed)?;
            let mut buffer = Zeroizing::new([0; SECRET_TEXT_MAX_BYTES + card::TAG_BYTES]);
            let data = text::associated_data(kind, merchant, fingerprint);
            let plaintext = self.open_with(&parts, &data, &mut buffer[..])?;
            let text = core::str::from_utf8(plaintext).map_err(|_| SealedCardFault::Layout)?;
            Ok(Zeroizing::new(text.to_owned()))
        };
        open().map_err(PersistenceError::SealedCard)
    }

    /// The plaintext, in the buffer. The buffer holds any ciphertext that [`card::cut`] or [`text::cut`] has let pass.
    fn open_with<'b>(&self, parts: &card::Parts<'_>, bound_to: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], SealedCardFault> {
        let keys = self.seal_keys();
        let (_, key) = keys.iter().find(|(id, _)| *id == parts.key_id).ok_or(SealedCardFault::UnknownKey(parts.key_id))?;
        let buffer = &mut buffer[..parts.sealed.len()];
        buffer.copy_from_slice(parts.sealed);
        let nonce = Nonce::assume_unique_for_key(parts.nonce);
        let plaintext = key.open_in_place(nonce, Aad::from(bound_to), buffer);
        plaintext.map(|plaintext| &*plaintext).map_err(|_| SealedCardFault::NotAuthentic)
    }

    /// The keyed hash of a bank account, as [`Sealer::fingerprint`] is of a card.
    pub fn account_fingerprint(&self, routing: &str, account: &AccountNumber) -> [u8; 16] {
        // The word in front keeps it from ever being a card's: a card number is digits only.
        let mut hasher = blake3::Hasher::new_keyed(&self.fingerprint);
        hasher.update(b"account").update(routing.as_bytes()).update(account.expose().as_bytes());
        first_half(&hasher.finalize())
    }

    /// The keyed hash of a card number: equal for equal cards of this switch, useless without the key. Its key is none
    /// of the seal keys, so that neither helps against the other (PCI DSS 3.5.1.1).
    pub fn fingerprint(&self, pan: &Pan) -> [u8; 16] {
        first_half(&blake3::keyed_hash(&self.fingerprint, pan.expose_bytes()))
    }

    /// A key for another purpose, which `context` names once and for good: it tells nothing of this folder's keys.
    pub fn derive_key(&self, context: &str) -> Zeroizing<[u8; 32]> {
        let material = blake3::keyed_hash(&self.idempotency, context.as_bytes());
        Zeroizing::new(blake3::derive_key(context, material.as_bytes()))
    }

    /// The hash under which an idempotency key of a merchant is known.
    pub fn key_hash(&self, merchant: &Xid, key_text: &str) -> [u8; 16] {
        self.hash(Domain::Key, &[&merchant.0, key_text.as_bytes()])
    }

    /// The hash of what was asked. Parts are bound to their lengths: moving a byte from one to the next changes it.
    /// For the card give its fingerprint, never the number.
    pub fn request_hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        self.hash(Domain::Request, parts)
    }

    fn hash(&self, domain: Domain, parts: &[&[u8]]) -> [u8; 16] {
        // Put together first: a hasher that is fed in small pieces takes half as long again.
        let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| size_of::<u64>() + part.len()).sum::<usize>());
        bytes.push(domain as u8);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        let hash = first_half(&blake3::keyed_hash(&self.idempotency, &bytes));
        // A part may be a driving licence's number.
        wipe(&mut bytes);
        hash
    }
}

/// Adds a seal key to the folder; it seals from the next start on, older ones keep opening. Returns its id.
pub fn add_seal_key(folder: &Path) -> Result<u32, PersistenceError> {
    keys::add_seal_key(folder)
}

fn cipher(key: &keys::Key) -> Result<LessSafeKey, PersistenceError> {
    let unbound = UnboundKey::new(&AES_256_GCM_SIV, &key[..]);
    unbound.map(LessSafeKey::new).map_err(|_| PersistenceError::Cryptography { operation: "load a seal key" })
}

fn first_half(hash: &blake3::Hash) -> [u8; 16] {
    core::array::from_fn(|place| hash.as_bytes()[place])
}
