//! The brake on whoever tries cards: attempts that did not pay are counted by the address that they came from, over all payables. One
//! payable takes [`super::ATTEMPTS_MAX`] attempts; but whoever has many payables' addresses would have as many times that.

use crate::allowances::{Allowance, Allowances};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Attempts of one address that may come to nothing: many people may stand behind it, but few of their cards are declined.
const ALLOWANCE: Allowance = Allowance { one_each: Duration::from_secs(30), at_once: 30 };
/// The same in a sandbox, whose shoppers are tests on one machine.
const SANDBOX_ALLOWANCE: Allowance = Allowance { one_each: Duration::from_secs(1), at_once: 300 };
/// What of an IPv6 address counts: a household has at least so many bits to itself.
const HOUSEHOLD_BITS: u32 = 64;

/// The brake.
pub(super) struct Brake {
    attempts: Allowances<IpAddr>,
    allowance: Allowance,
}

impl Brake {
    pub(super) fn new(in_sandbox: bool) -> Brake {
        let allowance = if in_sandbox { SANDBOX_ALLOWANCE } else { ALLOWANCE };
        Brake { attempts: Allowances::new(), allowance }
    }

    /// Lets an attempt through, or says in how many seconds one may come.
    pub(super) fn begin(&self, address: Option<IpAddr>) -> Result<(), u32> {
        address.map_or(Ok(()), |address| self.attempts.take(household(address), self.allowance, Instant::now()))
    }

    /// An attempt has paid: it does not count.
    pub(super) fn has_paid(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.attempts.give_back(&household(address), self.allowance);
        }
    }
}

fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> HOUSEHOLD_BITS << HOUSEHOLD_BITS).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declined_attempts_of_an_address_run_out_and_paid_ones_do_not() {
        let brake = Brake::new(false);
        let address = |text: &str| Some(text.parse().unwrap());
        for _ in 0..100 {
            assert_eq!(brake.begin(address("203.0.113.7")), Ok(()));
            brake.has_paid(address("203.0.113.7"));
        }
        for host in 0..ALLOWANCE.at_once {
            assert_eq!(brake.begin(address(&format!("2001:db8::{host:x}"))), Ok(()));
        }
        assert_eq!(brake.begin(address("2001:db8::ffff")), Err(30));
        assert_eq!(brake.begin(address("2001:db8:0:1::1")), Ok(()), "the neighbours");
        assert_eq!((brake.begin(address("203.0.113.7")), brake.begin(None)), (Ok(()), Ok(())));
    }
}
