//! Every byte that is stored: no card number is in it, as digits or packed two to a byte (I9).

use super::broken;
use reference_model::Invariant;
use std::io::BufRead as _;

/// Looks for card numbers in files.
pub(super) fn search(files: &[(&str, &[u8])], pans: &[String]) {
    for (name, bytes) in files {
        for pan in pans {
            let digits = pan.as_bytes();
            let packed: Vec<u8> = digits.chunks_exact(2).map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0')).collect();
            if contains(bytes, digits) || (can_be_told(&packed) && contains(bytes, &packed)) {
                broken(Invariant::NoCardDataAtRest, format_args!("{name} has the card number that ends with {}", last_four(pan)));
            }
        }
    }
}

/// False for a test card of hardly anything but zeros: packed, it is a small number or two as they stand in every row.
fn can_be_told(packed: &[u8]) -> bool {
    packed.iter().filter(|byte| **byte == 0).count() * 2 < packed.len()
}

fn last_four(pan: &str) -> &str {
    pan.get(pan.len().saturating_sub(4)..).unwrap_or_default()
}

/// Skips to the next first byte before it looks at the rest: files are long.
fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return false };
    let mut left = bytes;
    while left.skip_until(*first).is_ok_and(|skipped| skipped > 0) {
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAN: &str = "4012000098765439";

    #[test]
    fn a_number_is_found_wherever_it_stands() {
        assert!(contains(b"a card 4012000098765439", PAN.as_bytes()));
        assert!(contains(b"44012000098765439 again", PAN.as_bytes()));
        assert!(!contains(b"401200******5439", PAN.as_bytes()));
        assert!(!contains(b"401200009876543", PAN.as_bytes()));
    }

    #[test]
    fn a_packed_number_of_zeros_is_any_number() {
        let zeros = "4000000000000051".to_owned();
        search(&[("switchyard.db", &[0x40, 0, 0, 0, 0, 0, 0, 0x51])], &[zeros]);
    }

    #[test]
    #[should_panic(expected = "I9 no card data at rest: journal has the card number that ends with 5439")]
    fn a_packed_number_breaks_the_invariant() {
        search(&[("journal", &[0, 0x40, 0x12, 0x00, 0x00, 0x98, 0x76, 0x54, 0x39])], &[PAN.to_owned()]);
    }
}
