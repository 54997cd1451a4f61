//! The facts of one payment, as numbers in an array: what a condition looks at is one place in it.

use super::countries;
use super::field::{ABSENT, FIELDS, Field};
use super::gauge::Per;
use crate::limits::TABLE_GAUGES_MAX;
use core::net::{IpAddr, Ipv6Addr};
use protocol::id::mix;
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;

const COUNTRY: u16 = tag::BILLING + 8;
const BILLING_EMAIL: u16 = tag::BILLING + 11;
const _: () = assert!(matches!(protocol::tail::ADDRESS_FIELDS[8].as_bytes(), b"country"));
const _: () = assert!(matches!(protocol::tail::ADDRESS_FIELDS[11].as_bytes(), b"email"));

/// Places of a payment's facts: one a field, then one a gauge of the table.
pub(super) const SLOTS: usize = FIELDS + TABLE_GAUGES_MAX;

/// The facts of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    values: [u64; SLOTS],
    /// Whose payment it is, by [`Per`]: hashes, or [`ABSENT`].
    subjects: [u64; Per::ALL.len()],
}

impl Facts {
    /// What a version says of itself. What the tail says is absent until [`Facts::read_tail`], what velocities count until they have.
    pub fn of(transaction: &Transaction) -> Facts {
        let mut facts = Facts { values: [ABSENT; SLOTS], subjects: [ABSENT; Per::ALL.len()] };
        let has_card = transaction.pan_digits != 0;
        facts.set(Field::Amount, transaction.requested());
        facts.set(Field::Currency, u64::from(transaction.currency.get()));
        facts.set(Field::PaymentMethod, u64::from(transaction.payment_method));
        facts.set(Field::EntryType, u64::from(transaction.entry_type));
        facts.set(Field::Source, u64::from(transaction.source));
        facts.set(Field::Hour, hour(transaction.created_at.get()));
        facts.set(Field::Avs, u64::from(transaction.original.avs.max(b'0')));
        facts.set(Field::Cvv, u64::from(transaction.original.cvv.max(b'0')));
        facts.set(Field::ResponseCode, u64::from(transaction.original.response_code.get()));
        if has_card {
            facts.set(Field::Bin, u64::from(transaction.first_six.get()));
            facts.set(Field::Brand, u64::from(transaction.brand));
        }
        if transaction.fingerprint != [0; 16] {
            facts.subjects[Per::Card as usize] = hash(&transaction.fingerprint);
        }
        facts.subjects[Per::Merchant as usize] = transaction.merchant.hash64();
        facts
    }

    /// Adds what the tail says: country, e-mail address, address of the internet.
    pub fn read_tail(&mut self, tail: Tail<'_>) {
        for (tag, value) in tail.fields() {
            let text = || core::str::from_utf8(value).unwrap_or("");
            match tag {
                tag::IP_ADDRESS => self.subjects[Per::Ip as usize] = hash_of_address(text()),
                tag::EMAIL_ADDRESS => self.subjects[Per::Email as usize] = hash_of_email(value),
                COUNTRY => self.set(Field::Country, countries::number(text()).unwrap_or(ABSENT)),
                // The receipt's address comes first in the tail and says more of who pays.
                BILLING_EMAIL if self.subject(Per::Email).is_none() => {
                    self.subjects[Per::Email as usize] = hash_of_email(value);
                }
                _ => {}
            }
        }
    }

    /// Whose payment it is; `None` when it does not say.
    pub(super) fn subject(&self, per: Per) -> Option<u64> {
        let subject = self.subjects[per as usize];
        (subject != ABSENT).then_some(subject)
    }

    /// Notes what a gauge of the table counts, by the gauge's place in it.
    pub(super) fn set_count(&mut self, gauge: usize, count: Option<u64>) {
        self.values[FIELDS + gauge] = count.unwrap_or(ABSENT);
    }

    pub(super) fn values(&self) -> &[u64; SLOTS] {
        &self.values
    }

    fn set(&mut self, field: Field, value: u64) {
        self.values[field as usize] = value;
    }
}

/// The hour of the day, UTC.
fn hour(created_at_micros: i64) -> u64 {
    created_at_micros.div_euclid(3_600_000_000).rem_euclid(24) as u64
}

fn hash_of_email(text: &[u8]) -> u64 {
    let text = text.trim_ascii();
    if text.is_empty() {
        return ABSENT;
    }
    let mut hash = text.len() as u64;
    for chunk in text.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        bytes.make_ascii_lowercase();
        hash = mix(hash ^ u64::from_le_bytes(bytes));
    }
    present(hash)
}

/// One writing of an address is as good as another; of IPv6 the network counts, because its owner has all of it to send from.
fn hash_of_address(text: &str) -> u64 {
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => present(mix(u64::from(u32::from(address)) | 1 << 32)),
        Ok(IpAddr::V6(address)) => present(mix(network(address))),
        Err(_) => ABSENT,
    }
}

fn network(address: Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}

fn hash(bytes: &[u8; 16]) -> u64 {
    let whole = u128::from_le_bytes(*bytes);
    present(mix(whole as u64 ^ mix((whole >> 64) as u64)))
}

/// A hash that can't be taken for [`ABSENT`].
fn present(hash: u64) -> u64 {
    hash & (u64::MAX >> 1)
}
