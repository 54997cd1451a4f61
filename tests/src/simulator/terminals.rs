//! Terminals: each merchant has a register with two of them, so that payments meet at one.

use api_front::switch::directory::AtTerminal;
use protocol::id::Xid;
use switch_core::connectors::dejavoo::Register;

/// Last digits of the terminals' numbers: the sandbox approves at the first, and at the second with a tip.
const DIGITS: [u32; 2] = [1, 4];
/// Terminals of a merchant.
pub const TERMINALS: usize = DIGITS.len();
/// Numbers of one merchant's terminals lie so far apart from the next one's.
const NUMBERS: u32 = 10;
/// The sandbox has no terminals between its own four and this number.
const FIRST_NUMBER: u32 = 100;

/// The id of a merchant's terminal.
pub fn id(merchant: Xid, which: usize) -> Xid {
    Xid::from_parts(1_700_000_000, [6; 5], (place(merchant) * NUMBERS + which as u32) * Xid::STRIDE)
}

/// A merchant's terminals, by their ids.
pub fn of_merchant(merchant: Xid) -> impl Iterator<Item = (Xid, AtTerminal)> {
    DIGITS.into_iter().enumerate().map(move |(which, digit)| {
        let number = FIRST_NUMBER + place(merchant) * NUMBERS + digit;
        let auth_key = sandbox::spin::AUTH_KEY.to_owned().into();
        let register = Register { id: format!("SIM{}", place(merchant)), auth_key, tpn: format!("{number:012}") };
        (id(merchant, which), AtTerminal { merchant, active: true, register })
    })
}

fn place(merchant: Xid) -> u32 {
    merchant.counter() / Xid::STRIDE
}
