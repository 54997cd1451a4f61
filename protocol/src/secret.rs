//! Secrets: types that cannot be printed or serialized by accident, and forget themselves when dropped.

use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Fills bytes that held a secret with zeros, in such a way that the compiler can't leave it out: [`Zeroize`] does the same byte by
/// byte.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

/// Longest primary account number, ISO/IEC 7812.
pub const PAN_MAX_DIGITS: usize = 19;
/// Shortest primary account number that is accepted.
pub const PAN_MIN_DIGITS: usize = 12;

/// A primary account number (ISO 8583 DE2), digits only. `Debug` shows first six and last four at most.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Pan {
    digits: [u8; PAN_MAX_DIGITS],
    length: u8,
}

impl Pan {
    /// Takes 12 to 19 ASCII digits; anything else is `None`. The Luhn check is [`crate::card::luhn`]'s.
    pub fn new(text: &str) -> Option<Pan> {
        let bytes = text.as_bytes();
        let acceptable = (PAN_MIN_DIGITS..=PAN_MAX_DIGITS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit);
        acceptable.then(|| {
            let mut digits = [0; PAN_MAX_DIGITS];
            digits[..bytes.len()].copy_from_slice(bytes);
            Pan { digits, length: bytes.len() as u8 }
        })
    }

    /// The digits, for sealing and for the link that writes them to the processor; nowhere else.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(self.expose_bytes()).unwrap_or("")
    }

    /// The same as bytes.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.digits[..self.length as usize]
    }

    /// How many digits.
    pub fn digit_count(&self) -> u8 {
        self.length
    }

    /// The first six digits as a number: the issuer identification number.
    pub fn first_six(&self) -> u32 {
        self.digits[..6].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    }

    /// The last four digits as a number; of a short number only those that may be kept in clear, see
    /// [`crate::card::last_digits_shown`].
    pub fn last_four(&self) -> u16 {
        let end = self.length as usize;
        let shown = usize::from(crate::card::last_digits_shown(self.length));
        self.digits[end - shown..end].iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::card::masked(self.first_six(), self.last_four(), self.length))
    }
}

/// A card verification value (CVV2, CVC2, CID): three or four digits, in memory only until it is sent.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Cvv {
    digits: [u8; 4],
    length: u8,
}

impl Cvv {
    /// Takes three or four ASCII digits.
    pub fn new(text: &str) -> Option<Cvv> {
        let bytes = text.as_bytes();
        ((3..=4).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit)).then(|| {
            let mut digits = [0; 4];
            digits[..bytes.len()].copy_from_slice(bytes);
            Cvv { digits, length: bytes.len() as u8 }
        })
    }

    /// The digits, for the link that writes them to the processor; nowhere else.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.digits[..self.length as usize]).unwrap_or("")
    }
}

impl fmt::Debug for Cvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Longest account number of a bank: the width of the NACHA entry's field.
pub const ACCOUNT_NUMBER_MAX_CHARACTERS: usize = 17;

/// The number of a bank account: ASCII letters and digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct AccountNumber(Short<ACCOUNT_NUMBER_MAX_CHARACTERS>);

impl AccountNumber {
    /// Takes 1 to 17 ASCII letters and digits.
    pub fn new(text: &str) -> Option<AccountNumber> {
        Short::of(text, u8::is_ascii_alphanumeric).map(AccountNumber)
    }

    /// The characters, for sealing and for what writes them to the processor or its file; nowhere else.
    pub fn expose(&self) -> &str {
        self.0.text()
    }
}

impl AccountNumber {
    /// First and last two characters as the gateway's document shows them (`99**99`), and nothing of an account of less than six.
    pub fn masked(&self) -> String {
        let (number, stars) = (self.expose(), |count| "*".repeat(count));
        match number.len() {
            length @ 6.. => format!("{}{}{}", &number[..2], stars(length - 4), &number[length - 2..]),
            length => stars(length),
        }
    }
}

impl fmt::Debug for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Longest number of a driving licence.
pub const LICENCE_NUMBER_MAX_CHARACTERS: usize = 32;

/// The number of an account holder's driving licence.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct LicenceNumber(Short<LICENCE_NUMBER_MAX_CHARACTERS>);

impl LicenceNumber {
    /// Takes 1 to 32 characters of visible ASCII and spaces.
    pub fn new(text: &str) -> Option<LicenceNumber> {
        Short::of(text, |byte| byte.is_ascii_graphic() || *byte == b' ').map(LicenceNumber)
    }

    /// The characters, for sealing and for the link that writes them to the processor; nowhere else.
    pub fn expose(&self) -> &str {
        self.0.text()
    }
}

impl fmt::Debug for LicenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A short ASCII text in place, so that no copy of it stays behind in freed memory.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
struct Short<const MAX: usize> {
    characters: [u8; MAX],
    length: u8,
}

impl<const MAX: usize> Short<MAX> {
    /// Takes 1 to `MAX` characters that are all acceptable, which must mean ASCII.
    fn of(text: &str, is_acceptable: impl Fn(&u8) -> bool) -> Option<Short<MAX>> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > MAX || !bytes.iter().all(is_acceptable) {
            return None;
        }
        let mut characters = [0; MAX];
        characters[..bytes.len()].copy_from_slice(bytes);
        Some(Short { characters, length: bytes.len() as u8 })
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.characters[..self.length as usize]).unwrap_or("")
    }
}

/// Longest track 2, ISO 8583 DE35.
pub const TRACK_2_MAX_CHARACTERS: usize = 37;

/// Track 2 of a swiped card as ISO 8583 DE35 takes it: digits and one `=`, no sentinels. In memory only until it is sent: it may not
/// be stored after authorization, not even encrypted (PCI DSS 3.3.1).
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Track2 {
    characters: [u8; TRACK_2_MAX_CHARACTERS],
    length: u8,
}

impl Track2 {
    /// Takes 1 to 37 characters: digits, and `=` or `D` as the separator, which is kept as `=`.
    pub fn new(text: &str) -> Option<Track2> {
        let bytes = text.as_bytes();
        let acceptable = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'=' | b'D');
        if bytes.is_empty() || bytes.len() > TRACK_2_MAX_CHARACTERS || !bytes.iter().all(acceptable) {
            return None;
        }
        let mut characters = [0; TRACK_2_MAX_CHARACTERS];
        for (place, byte) in characters.iter_mut().zip(bytes) {
            *place = if *byte == b'D' { b'=' } else { *byte };
        }
        Some(Track2 { characters, length: bytes.len() as u8 })
    }

    /// The characters, for the link that writes them to the processor; nowhere else.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.characters[..self.length as usize]).unwrap_or("")
    }
}

impl fmt::Debug for Track2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Longest track 1, ISO 8583 DE45.
pub const TRACK_1_MAX_CHARACTERS: usize = 76;

/// Track 1 of a swiped card, ISO/IEC 7813 format B, as ISO 8583 DE45 takes it: no sentinels. In memory only until it is sent, as track 2.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Track1 {
    characters: [u8; TRACK_1_MAX_CHARACTERS],
    length: u8,
}

impl Track1 {
    /// Takes `B`, the number, `^`, the name, `^`, the expiry as YYMM and what follows; the sentinels `%` and `?` may be there.
    pub fn new(text: &str) -> Option<Track1> {
        let bare = text.strip_prefix('%').unwrap_or(text);
        let bare = bare.strip_suffix('?').unwrap_or(bare).as_bytes();
        // The 64 characters of ISO/IEC 7811: no small letters.
        let acceptable = |byte: &u8| (b' '..=b'_').contains(byte) && *byte != b'%' && *byte != b'?';
        if bare.len() > TRACK_1_MAX_CHARACTERS || !bare.iter().all(acceptable) {
            return None;
        }
        let mut characters = [0; TRACK_1_MAX_CHARACTERS];
        characters.iter_mut().zip(bare).for_each(|(place, byte)| *place = *byte);
        let track = Track1 { characters, length: bare.len() as u8 };
        track.card().is_some().then_some(track)
    }

    /// The characters, for the link that writes them to the processor; nowhere else.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.characters[..self.length as usize]).unwrap_or("")
    }

    /// Number, and expiry as YYMM; `None` when the parts are not there.
    pub fn card(&self) -> Option<(&str, &str)> {
        let mut parts = self.expose().strip_prefix('B')?.splitn(3, '^');
        let (number, _name, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let expiry = rest.get(..4)?;
        (digits(number) && digits(expiry)).then_some((number, expiry))
    }
}

impl fmt::Debug for Track1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Sensitive authentication data (PCI DSS): what may never be stored, and so waits in memory for the link that sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensitiveData {
    /// The verification value, when one came.
    pub cvv: Option<Cvv>,
    /// Track 2, when the card was swiped.
    pub track_2: Option<Track2>,
    /// Track 1, when the card was swiped and it was read.
    pub track_1: Option<Track1>,
}

impl SensitiveData {
    /// Verification value and track 2, if there is any of them.
    pub fn of(cvv: Option<Cvv>, track_2: Option<Track2>) -> Option<SensitiveData> {
        SensitiveData::of_swipe(cvv, track_2, None)
    }

    /// All three parts, if there is any.
    pub fn of_swipe(cvv: Option<Cvv>, track_2: Option<Track2>, track_1: Option<Track1>) -> Option<SensitiveData> {
        let is_any = cvv.is_some() || track_2.is_some() || track_1.is_some();
        is_any.then_some(SensitiveData { cvv, track_2, track_1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_whole_number() {
        let pan = Pan::new("4012000098765439").unwrap();
        assert_eq!(format!("{pan:?}"), "401200******5439");
        assert_eq!(format!("{:?}", Cvv::new("999").unwrap()), "***");
        assert_eq!((pan.first_six(), pan.last_four(), pan.digit_count()), (401_200, 5439, 16));
        let short = Pan::new("500000123457").unwrap();
        assert_eq!((format!("{short:?}").as_str(), short.last_four()), ("500000****57", 57));
    }

    #[test]
    fn track_1_is_read_with_and_without_its_sentinels() {
        let track = Track1::new("%B4012000098765439^DOE/JANE^30121011234?").unwrap();
        assert_eq!(track.card(), Some(("4012000098765439", "3012")));
        assert_eq!((track.expose(), format!("{track:?}").as_str()), ("B4012000098765439^DOE/JANE^30121011234", "***"));
        assert_eq!(Track1::new("B4012000098765439^DOE/JANE^30121011234"), Some(track));
        for wrong in ["", "B", "B4012^A^301", "C4012^A^3012", "B4012^a^3012", "B4012^A", "B40x2^A^3012", "B4012^A^3012%"] {
            assert!(Track1::new(wrong).is_none(), "{wrong}");
        }
        assert!(Track1::new(&format!("B4012^A^3012{}", "1".repeat(65))).is_none(), "too long");
    }

    #[test]
    fn a_track_is_digits_and_one_form_of_its_separator() {
        assert!(Track2::new(";4012=3012?").is_none() && Track2::new("").is_none() && Track2::new(&"1".repeat(38)).is_none());
        let track = Track2::new("4012D3012").unwrap();
        assert_eq!((track.expose(), format!("{track:?}").as_str()), ("4012=3012", "***"));
    }

    #[test]
    fn accounts_and_licences_keep_what_is_theirs_and_say_nothing() {
        let account = AccountNumber::new("24413815").unwrap();
        assert_eq!((account.expose(), format!("{account:?}").as_str()), ("24413815", "***"));
        assert!(AccountNumber::new("").is_none() && AccountNumber::new("12 3").is_none());
        assert!(AccountNumber::new(&"1".repeat(17)).is_some() && AccountNumber::new(&"1".repeat(18)).is_none());
        let licence = LicenceNumber::new("r500 123-123").unwrap();
        assert_eq!((licence.expose(), format!("{licence:?}").as_str()), ("r500 123-123", "***"));
        assert!(LicenceNumber::new("").is_none() && LicenceNumber::new("é").is_none());
    }

    #[test]
    fn lengths_and_letters_are_refused() {
        for text in ["", "41111111111", "41111111111111111111", "4111 1111 1111 1111", "411111111111111x"] {
            assert_eq!(Pan::new(text), None, "{text:?}");
        }
        for text in ["", "12", "12345", "12a"] {
            assert_eq!(Cvv::new(text), None, "{text:?}");
        }
    }
}
