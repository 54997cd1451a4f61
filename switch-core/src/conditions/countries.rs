//! The countries of ISO 3166-1, so that a rule about `UK` is refused and not silently never met.

/// Every assigned alpha-2 code, ascending.
const ALPHA_2: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A country as a number: its two letters, upper case. `None` when the text is no two letters.
pub(super) fn number(text: &str) -> Option<u64> {
    let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
    let upper = letters.map(|letter| letter.to_ascii_uppercase());
    upper.iter().all(u8::is_ascii_uppercase).then_some(u64::from(u16::from_be_bytes(upper)))
}

/// The same, of an assigned code only.
pub(super) fn assigned(text: &str) -> Option<u64> {
    let wanted = number(text)?;
    ALPHA_2.split(' ').any(|code| number(code) == Some(wanted)).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_codes_are_countries() {
        assert_eq!(ALPHA_2.split(' ').count(), 249);
        assert_eq!(assigned("us"), Some(u64::from(u16::from_be_bytes(*b"US"))));
        for text in ["UK", "XX", "USA", "U1", "", "\u{e9}"] {
            assert_eq!(assigned(text), None, "{text}");
        }
    }
}
