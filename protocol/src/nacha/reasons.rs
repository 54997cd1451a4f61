//! Why banks send entries back (R01 to R85) and what they ask to be corrected (C01 to C14), in the words of the Nacha rules.

/// A reason with which a bank returns an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnReason {
    /// Number after the `R`.
    pub number: u8,
    /// What it means.
    pub text: &'static str,
}

/// A correction that a bank asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeReason {
    /// Number after the `C`.
    pub number: u8,
    /// What it means.
    pub text: &'static str,
}

const fn returned(number: u8, text: &'static str) -> ReturnReason {
    ReturnReason { number, text }
}

const fn changed(number: u8, text: &'static str) -> ChangeReason {
    ChangeReason { number, text }
}

/// Every reason of a return, ascending.
pub const RETURN_REASONS: &[ReturnReason] = &[
    returned(1, "Insufficient funds"),
    returned(2, "Account closed"),
    returned(3, "No account or unable to locate account"),
    returned(4, "Invalid account number"),
    returned(5, "Unauthorized debit to consumer account using corporate SEC code"),
    returned(6, "Returned per ODFI's request"),
    returned(7, "Authorization revoked by customer"),
    returned(8, "Payment stopped"),
    returned(9, "Uncollected funds"),
    returned(10, "Customer advises originator is not known or not authorized"),
    returned(11, "Customer advises entry not in accordance with the authorization"),
    returned(12, "Account sold to another DFI"),
    returned(13, "Invalid ACH routing number"),
    returned(14, "Representative payee deceased or unable to continue"),
    returned(15, "Beneficiary or account holder deceased"),
    returned(16, "Account frozen"),
    returned(17, "File record edit criteria"),
    returned(18, "Improper effective entry date"),
    returned(19, "Amount field error"),
    returned(20, "Non-transaction account"),
    returned(21, "Invalid company identification"),
    returned(22, "Invalid individual ID number"),
    returned(23, "Credit entry refused by receiver"),
    returned(24, "Duplicate entry"),
    returned(25, "Addenda error"),
    returned(26, "Mandatory field error"),
    returned(27, "Trace number error"),
    returned(28, "Routing number check digit error"),
    returned(29, "Corporate customer advises not authorized"),
    returned(30, "RDFI not participant in check truncation program"),
    returned(31, "Permissible return entry"),
    returned(32, "RDFI non-settlement"),
    returned(33, "Return of XCK entry"),
    returned(34, "Limited participation DFI"),
    returned(35, "Return of improper debit entry"),
    returned(36, "Return of improper credit entry"),
    returned(37, "Source document presented for payment"),
    returned(38, "Stop payment on source document"),
    returned(39, "Improper source document"),
    returned(40, "Return of ENR entry by federal government agency"),
    returned(41, "Invalid transaction code"),
    returned(42, "Routing number or check digit error"),
    returned(43, "Invalid DFI account number"),
    returned(44, "Invalid individual ID number or identification number"),
    returned(45, "Invalid individual name or company name"),
    returned(46, "Invalid representative payee indicator"),
    returned(47, "Duplicate enrollment"),
    returned(50, "State law affecting RCK acceptance"),
    returned(51, "Item related to RCK entry is ineligible or RCK entry is improper"),
    returned(52, "Stop payment on item related to RCK entry"),
    returned(53, "Item and RCK entry presented for payment"),
    returned(61, "Misrouted return"),
    returned(62, "Return of erroneous or reversing debit"),
    returned(67, "Duplicate return"),
    returned(68, "Untimely return"),
    returned(69, "Field error"),
    returned(70, "Permissible return entry not accepted"),
    returned(71, "Misrouted dishonored return"),
    returned(72, "Untimely dishonored return"),
    returned(73, "Timely original return"),
    returned(74, "Corrected return"),
    returned(75, "Return not a duplicate"),
    returned(76, "No errors found"),
    returned(77, "Non-acceptance of R62 dishonored return"),
    returned(80, "IAT entry coding error"),
    returned(81, "Non-participant in IAT program"),
    returned(82, "Invalid foreign receiving DFI identification"),
    returned(83, "Foreign receiving DFI unable to settle"),
    returned(84, "Entry not processed by gateway"),
    returned(85, "Incorrectly coded outbound international payment"),
];

/// Every correction, ascending.
pub const CHANGE_REASONS: &[ChangeReason] = &[
    changed(1, "Incorrect account number"),
    changed(2, "Incorrect routing number"),
    changed(3, "Incorrect routing number and account number"),
    changed(4, "Incorrect individual or company name"),
    changed(5, "Incorrect transaction code"),
    changed(6, "Incorrect account number and transaction code"),
    changed(7, "Incorrect routing number, account number and transaction code"),
    changed(8, "Incorrect receiving DFI identification"),
    changed(9, "Incorrect individual identification number"),
    changed(13, "Addenda format error"),
    changed(14, "Incorrect SEC code for outbound international payment"),
];

impl ReturnReason {
    /// The reason of a code such as `R01`.
    pub fn of(code: &[u8]) -> Option<ReturnReason> {
        let number = number_after(b'R', code)?;
        RETURN_REASONS.iter().find(|reason| reason.number == number).copied()
    }

    /// The reason of a number.
    pub fn numbered(number: u64) -> Option<ReturnReason> {
        RETURN_REASONS.iter().find(|reason| u64::from(reason.number) == number).copied()
    }

    /// The code: `R01`.
    pub fn code(self) -> [u8; 3] {
        code(b'R', self.number)
    }

    /// Whether the entry may be presented again, twice at most and within 180 days: the money may be there by then.
    pub fn may_be_presented_again(self) -> bool {
        matches!(self.number, 1 | 9)
    }

    /// Whether the account holder says that the debit was never authorized, which is possible up to 60 days after settlement.
    pub fn is_unauthorized(self) -> bool {
        matches!(self.number, 5 | 7 | 10 | 11 | 29)
    }
}

impl ChangeReason {
    /// The reason of a code such as `C01`.
    pub fn of(code: &[u8]) -> Option<ChangeReason> {
        let number = number_after(b'C', code)?;
        CHANGE_REASONS.iter().find(|reason| reason.number == number).copied()
    }

    /// The reason of a number.
    pub fn numbered(number: u64) -> Option<ChangeReason> {
        CHANGE_REASONS.iter().find(|reason| u64::from(reason.number) == number).copied()
    }

    /// The code: `C01`.
    pub fn code(self) -> [u8; 3] {
        code(b'C', self.number)
    }
}

fn number_after(letter: u8, code: &[u8]) -> Option<u8> {
    match code {
        [first, tens @ b'0'..=b'9', ones @ b'0'..=b'9'] if *first == letter => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

fn code(letter: u8, number: u8) -> [u8; 3] {
    [letter, b'0' + number / 10 % 10, b'0' + number % 10]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_code_and_none_by_another() {
        assert!(RETURN_REASONS.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert!(CHANGE_REASONS.windows(2).all(|pair| pair[0].number < pair[1].number));
        for reason in RETURN_REASONS {
            assert_eq!(ReturnReason::of(&reason.code()), Some(*reason));
            assert_eq!(ReturnReason::numbered(u64::from(reason.number)), Some(*reason));
        }
        for reason in CHANGE_REASONS {
            assert_eq!(ChangeReason::of(&reason.code()), Some(*reason));
        }
        assert_eq!((RETURN_REASONS[0].code(), CHANGE_REASONS[9].code()), (*b"R01", *b"C13"));
        for code in ["R00", "R48", "R86", "R1", "R001", "C01", "r01", "R:1", ""] {
            assert_eq!(ReturnReason::of(code.as_bytes()), None, "{code}");
        }
        assert_eq!((ChangeReason::of(b"C10"), ChangeReason::of(b"R01")), (None, None));
    }

    #[test]
    fn only_missing_money_may_be_asked_for_again() {
        let again: Vec<u8> = RETURN_REASONS.iter().filter(|r| r.may_be_presented_again()).map(|r| r.number).collect();
        let unauthorized: Vec<u8> = RETURN_REASONS.iter().filter(|r| r.is_unauthorized()).map(|r| r.number).collect();
        assert_eq!((again.as_slice(), unauthorized.as_slice()), ([1, 9].as_slice(), [5, 7, 10, 11, 29].as_slice()));
    }
}
