//! Retrieval reference numbers (ISO 8583 DE37, an 12), the same over a transaction's life.

use protocol::calendar::Micros;
use protocol::id::Xid;

const BASE_36: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The number of the transaction with this id: the customary `YDDD` (last digit of the year, day of the year), then the second
/// of the day and the id's counter as eight base-36 characters. Unique for ten years, because the id's second and
/// counter are, and derived, so that a refund can name its sale without carrying its record.
pub fn rrn_of(id: Xid) -> [u8; 12] {
    let seconds = i64::from(id.seconds());
    let civil = Micros(seconds * 1_000_000).civil();
    let mut rest = (seconds.rem_euclid(86_400) as u64) << 24 | u64::from(id.counter());
    let mut rrn = [b'0'; 12];
    for digit in rrn[4..].iter_mut().rev() {
        *digit = BASE_36[(rest % 36) as usize];
        rest /= 36;
    }
    let year_and_day = (civil.year.rem_euclid(10) as u16) * 1000 + civil.day_of_year;
    for (place, digit) in rrn[..4].iter_mut().rev().enumerate() {
        *digit = b'0' + (year_and_day / 10u16.pow(place as u32) % 10) as u8;
    }
    rrn
}

// The largest second and counter of a day fit eight characters of base 36.
const _: () = assert!((86_400u64 << 24) < 36u64.pow(8));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_leads_and_neighbours_differ() {
        let id = Xid::from_parts(1_508_444_119, [1, 2, 3, 4, 5], 77);
        let rrn = rrn_of(id);
        assert_eq!(&rrn[..4], b"7292", "2017, day 292");
        assert!(rrn.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        assert_ne!(rrn, rrn_of(id.sibling(Xid::STRIDE)));
    }
}
