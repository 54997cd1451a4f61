//! Retrieval reference numbers (ISO 8583 DE37, an 12), the same over a transaction's life.

use core::ops::RangeInclusive;
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

/// The ids that may have this number: those of its second and counter, whichever process drew them. The number repeats after ten years;
/// the newest second is meant that is not after `now`. `None` when no id has such a number.
pub fn ids_of_rrn(rrn: &[u8; 12], now: Micros) -> Option<RangeInclusive<Xid>> {
    let (date, rest) = rrn.split_at(4);
    let date = date.iter().try_fold(0, |number, digit| Some(number * 10 + i32::from(digit_of(*digit, 10)?)))?;
    let rest = rest.iter().try_fold(0u64, |number, digit| Some(number * 36 + u64::from(digit_of(*digit, 36)?)))?;
    let (year_digit, day_of_year) = (date / 1000, i64::from(date % 1000));
    let (second_of_day, counter) = ((rest >> 24) as i64, (rest & 0x00ff_ffff) as u32);
    let this_year = now.civil().year;
    let second_in = |year: i32| Micros::from_date(year, 1, 1).seconds() + (day_of_year - 1) * 86_400 + second_of_day;
    let year = this_year - (this_year - year_digit).rem_euclid(10);
    let second = [year, year - 10].map(second_in).into_iter().find(|second| *second <= now.seconds())?;
    let second = u32::try_from(second).ok()?;
    let ids = Xid::from_parts(second, [0; 5], counter)..=Xid::from_parts(second, [0xff; 5], counter);
    (rrn_of(*ids.start()) == *rrn).then_some(ids)
}

fn digit_of(byte: u8, base: u8) -> Option<u8> {
    BASE_36[..usize::from(base)].iter().position(|digit| *digit == byte).map(|place| place as u8)
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

    #[test]
    fn a_number_leads_back_to_its_ids() {
        // The first and the last second of a leap year, a moment of another decade's same digit, and today.
        let seconds = [1_704_067_200, 1_735_689_599, 1_508_444_119, 1_795_224_642];
        for (seconds, counter) in seconds.into_iter().flat_map(|seconds| [(seconds, 0), (seconds, 0x00ff_ffff)]) {
            let id = Xid::from_parts(seconds, [9, 8, 7, 6, 5], counter);
            let now = Micros(i64::from(seconds) * 1_000_000);
            let of = |now: Micros| ids_of_rrn(&rrn_of(id), now);
            assert!(of(now).unwrap().contains(&id) && of(now.plus_s(9 * 365 * 86_400)).unwrap().contains(&id));
            for other in [Micros(now.0 - 1_000_000), now.plus_s(11 * 365 * 86_400)] {
                assert!(of(other).is_none_or(|ids| !ids.contains(&id)), "not from the future, and ten years later another's");
            }
        }
        for rrn in ["", "000000000000", "5366ZZZZZZZZ", "5400000000A0", "7292\u{e9}000000", "7292a0000000", "ZZZZZZZZZZZZ"] {
            let mut bytes = [b' '; 12];
            bytes.iter_mut().zip(rrn.bytes()).for_each(|(to, from)| *to = from);
            assert_eq!(ids_of_rrn(&bytes, Micros(1_795_224_642_000_000)), None, "{rrn}");
        }
    }
}
