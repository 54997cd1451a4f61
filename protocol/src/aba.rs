//! Routing numbers of American banks (ABA): nine digits, of which the last is a check digit.

/// Weights of the nine digits. The weighted sum is a multiple of ten.
const WEIGHTS: [u32; 9] = [3, 7, 1, 3, 7, 1, 3, 7, 1];

/// Numbers of test data whose check digit is wrong. A sandbox takes them, because its ACH host does something special with each;
/// nothing else does.
pub const SANDBOX_NUMBERS: [&str; 4] = ["000000000", "000000001", "000000002", "490000015"];

/// Whether a text is nine ASCII digits.
pub fn is_nine_digits(text: &str) -> bool {
    text.len() == WEIGHTS.len() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is nine digits whose check digit is right. Nine zeros would add up, and are no bank's.
pub fn is_valid(text: &str) -> bool {
    let sum: u32 = text.bytes().zip(WEIGHTS).map(|(byte, weight)| u32::from(byte.wrapping_sub(b'0')) * weight).sum();
    is_nine_digits(text) && sum.is_multiple_of(10) && sum != 0
}

/// Whether a payment may name this number: a valid one, or in a sandbox one of [`SANDBOX_NUMBERS`].
pub fn is_acceptable(text: &str, in_sandbox: bool) -> bool {
    is_valid(text) || in_sandbox && SANDBOX_NUMBERS.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_numbers_are_valid_and_any_one_wrong_digit_is_noticed() {
        // Federal Reserve Banks of Boston and San Francisco, two large banks, then numbers of a processor's test data.
        for number in ["011000015", "121000374", "021000021", "122105278", "490000018", "490000034", "490000021", "490000050"] {
            assert!(is_valid(number), "{number}");
            for (place, digit) in (0..9).flat_map(|place| (b'0'..=b'9').map(move |digit| (place, digit))) {
                let mut changed = number.as_bytes().to_vec();
                changed[place] = digit;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(is_valid(&changed), changed == number, "{changed}");
            }
        }
    }

    #[test]
    fn what_is_not_nine_digits_is_no_number() {
        for text in ["", "01100001", "0110000150", "01100001O", "01100001\u{665}", "\u{ff10}11000", "000000000", "-11000015"] {
            assert!(!is_valid(text), "{text}");
        }
    }

    #[test]
    fn a_sandbox_takes_its_own_numbers_and_nothing_else_does() {
        for number in SANDBOX_NUMBERS {
            assert!(is_nine_digits(number) && !is_valid(number), "{number}");
            assert_eq!((is_acceptable(number, true), is_acceptable(number, false)), (true, false));
        }
        assert!(is_acceptable("011000015", false) && !is_acceptable("490000016", true));
    }
}
