//! Shares of the kinds of request.

use serde::{Deserialize, Serialize};

/// What a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A card sale.
    Sale,
    /// A card authorization.
    Authorize,
    /// Of an authorization of this run, all of it.
    Capture,
    /// Of a sale or capture of this run.
    Void,
    /// Of one minor unit, of a sale that was settled before the run.
    Refund,
    /// A card verification.
    Verification,
    /// A sale that the sandbox declines.
    Declined,
    /// A sale from a bank account; over REST only.
    Ach,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] =
        [Kind::Sale, Kind::Authorize, Kind::Capture, Kind::Void, Kind::Refund, Kind::Verification, Kind::Declined, Kind::Ach];

    /// As mixes and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sale => "sale",
            Kind::Authorize => "authorize",
            Kind::Capture => "capture",
            Kind::Void => "void",
            Kind::Refund => "refund",
            Kind::Verification => "verification",
            Kind::Declined => "declined",
            Kind::Ach => "ach",
        }
    }
}

/// Shares of a run's requests, in hundredths. The rest are sales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Authorizations.
    pub authorize: u32,
    /// Captures.
    pub capture: u32,
    /// Voids.
    pub void: u32,
    /// Refunds.
    pub refund: u32,
    /// Card verifications.
    pub verification: u32,
    /// Sales that the sandbox declines.
    pub declined: u32,
    /// Sales from bank accounts.
    pub ach: u32,
    /// Requests of a while ago once more, under their keys.
    pub retry: u32,
}

/// The word for repeated requests: a share, and no kind of its own.
const RETRY: &str = "retry";

impl Mix {
    fn shares(&self) -> [(Kind, u32); 7] {
        let Mix { authorize, capture, void, refund, verification, declined, ach, retry: _ } = *self;
        [
            (Kind::Authorize, authorize),
            (Kind::Capture, capture),
            (Kind::Void, void),
            (Kind::Refund, refund),
            (Kind::Verification, verification),
            (Kind::Declined, declined),
            (Kind::Ach, ach),
        ]
    }

    fn share_mut(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name {
            "authorize" => &mut self.authorize,
            "capture" => &mut self.capture,
            "void" => &mut self.void,
            "refund" => &mut self.refund,
            "verification" => &mut self.verification,
            "declined" => &mut self.declined,
            "ach" => &mut self.ach,
            RETRY => &mut self.retry,
            _ => return None,
        })
    }

    /// All shares, which may be a hundred at most.
    pub(crate) fn total(&self) -> u32 {
        self.shares().iter().fold(self.retry, |total, (_, share)| total.saturating_add(*share))
    }

    /// The kind whose share a place from 0 to 99 lies in.
    pub(super) fn kind(&self, place: u32) -> Kind {
        let mut end = 0;
        let found = self.shares().into_iter().find(|(_, share)| {
            end += share;
            place < end
        });
        found.map_or(Kind::Sale, |(kind, _)| kind)
    }

    /// True when it asks for this kind, or for what may come in its place.
    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Sale => true,
            Kind::Authorize => self.authorize + self.capture > 0,
            other => self.shares().iter().any(|(kind, share)| *kind == other && *share > 0),
        }
    }
}

/// Like `authorize=20,capture=20,retry=5`.
impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(given: &str) -> Result<Mix, String> {
        let mut mix = Mix::default();
        for part in given.split(',').filter(|part| !part.is_empty()) {
            let (name, share) = part.split_once('=').ok_or_else(|| format!("{part:?} is not like authorize=20"))?;
            let share: u32 = share.parse().map_err(|_| format!("{share:?} is not a number of hundredths"))?;
            let names = || Kind::ALL[1..].iter().map(|kind| kind.name()).chain([RETRY]).collect::<Vec<_>>().join(", ");
            *mix.share_mut(name).ok_or_else(|| format!("{name:?} is none of {}; what is left are sales", names()))? = share;
        }
        if mix.total() <= 100 { Ok(mix) } else { Err(format!("the shares are {}, and may be 100 at most", mix.total())) }
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sale {}", 100_u32.saturating_sub(self.total()))?;
        let named = self.shares().map(|(kind, share)| (kind.name(), share));
        for (name, share) in named.into_iter().chain([(RETRY, self.retry)]).filter(|(_, share)| *share > 0) {
            write!(f, ", {name} {share}")?;
        }
        Ok(())
    }
}
