//! What goes wrong. Each seed draws which kinds of trouble there are and how strong each is (swarm testing): a run with
//! every fault at once hides what a run with one of them shows.
//!
//! Fates are drawn, or scripted by whoever enumerates them.

use crate::dice::Dice;
use std::fmt;

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fault {
    /// A request is lost between the host's wire and the host.
    RequestLost,
    /// A request reaches the host late, and behind those that followed it.
    RequestLate,
    /// A request reaches the host twice.
    RequestTwice,
    /// A request reaches the host as garbage.
    RequestGarbled,
    /// An answer is lost.
    AnswerLost,
    /// An answer comes late, and behind those that followed it.
    AnswerLate,
    /// An answer comes twice.
    AnswerTwice,
    /// Garbage comes in place of an answer.
    AnswerGarbled,
    /// A connection is cut in the middle of what is being sent.
    ConnectionCut,
    /// A connection dies and the switch is not told.
    ConnectionSilent,
    /// A connection carries nothing for a while.
    ConnectionStalled,
    /// The host is away for a while.
    HostDown,
    /// The host dies and comes back with what its ledger has.
    HostCrash,
    /// The switch dies between two of its steps.
    Crash,
    /// The switch dies before a group is written.
    CrashBeforeWrite,
    /// The power goes while a group is written or synced.
    CrashInWrite,
    /// The switch dies when a group is synced and nobody was told.
    CrashAfterSync,
    /// The switch dies when a group is durable and its outputs have just left the shard.
    CrashAfterTold,
    /// The power goes during recovery.
    CrashInRecovery,
    /// A write or a sync fails.
    DiskError,
    /// The journal's disk is full.
    DiskFull,
    /// A byte of the journal that was acknowledged has rotted when the switch starts.
    BitRot,
    /// The switch's clock jumps.
    ClockJump,
    /// A part of the switch stands still for a while.
    Hiccup,
    /// A client never hears the answer.
    ClientDeaf,
    /// A merchant's terms change.
    TermsChanged,
    /// The operator changes rules or routes, or what a processor takes.
    Steered,
    /// The operator takes a reversal over.
    TakenOver,
    /// The operator stops the switch in order, and starts it again.
    Stopped,
    /// The SQL home can't be reached for a while.
    SqlAway,
    /// The operator starts the switch while the SQL home is away.
    StartWithoutSql,
    /// A collector's place in a feed of returned entries is not kept: notices come again.
    PlaceLost,
}

impl Fault {
    /// All of them, in the order of their numbers.
    pub const ALL: [Fault; 32] = [
        Fault::RequestLost,
        Fault::RequestLate,
        Fault::RequestTwice,
        Fault::RequestGarbled,
        Fault::AnswerLost,
        Fault::AnswerLate,
        Fault::AnswerTwice,
        Fault::AnswerGarbled,
        Fault::ConnectionCut,
        Fault::ConnectionSilent,
        Fault::ConnectionStalled,
        Fault::HostDown,
        Fault::HostCrash,
        Fault::Crash,
        Fault::CrashBeforeWrite,
        Fault::CrashInWrite,
        Fault::CrashAfterSync,
        Fault::CrashAfterTold,
        Fault::CrashInRecovery,
        Fault::DiskError,
        Fault::DiskFull,
        Fault::BitRot,
        Fault::ClockJump,
        Fault::Hiccup,
        Fault::ClientDeaf,
        Fault::TermsChanged,
        Fault::Steered,
        Fault::TakenOver,
        Fault::Stopped,
        Fault::SqlAway,
        Fault::StartWithoutSql,
        Fault::PlaceLost,
    ];

    /// How often it strikes when it is on, in a million chances: weak, middling, strong. What chances are is the caller's:
    /// messages, groups, or seconds.
    const fn strengths(self) -> [u32; 3] {
        match self {
            Fault::RequestLost | Fault::AnswerLost | Fault::AnswerLate | Fault::RequestLate => [5_000, 40_000, 250_000],
            Fault::RequestTwice | Fault::AnswerTwice => [5_000, 50_000, 400_000],
            Fault::RequestGarbled | Fault::AnswerGarbled => [1_000, 5_000, 30_000],
            Fault::ConnectionCut | Fault::ConnectionStalled => [1_000, 5_000, 40_000],
            Fault::ConnectionSilent => [300_000, 600_000, 900_000],
            Fault::HostDown | Fault::HostCrash | Fault::Crash => [1_000, 6_000, 30_000],
            Fault::CrashBeforeWrite | Fault::CrashInWrite | Fault::CrashAfterSync | Fault::CrashAfterTold => {
                [2_000, 10_000, 60_000]
            }
            Fault::CrashInRecovery => [50_000, 200_000, 500_000],
            Fault::DiskError => [1_000, 5_000, 20_000],
            Fault::DiskFull | Fault::ClockJump => [1_000, 4_000, 15_000],
            Fault::BitRot => [50_000, 200_000, 500_000],
            Fault::Hiccup => [500, 3_000, 20_000],
            Fault::ClientDeaf => [10_000, 80_000, 300_000],
            Fault::TermsChanged => [2_000, 10_000, 40_000],
            Fault::Stopped | Fault::SqlAway => [1_000, 5_000, 20_000],
            Fault::Steered => [10_000, 50_000, 250_000],
            Fault::StartWithoutSql => [200_000, 600_000, 1_000_000],
            Fault::TakenOver | Fault::PlaceLost => [20_000, 150_000, 600_000],
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Fault::RequestLost => "requests lost",
            Fault::RequestLate => "requests late",
            Fault::RequestTwice => "requests twice",
            Fault::RequestGarbled => "requests garbled",
            Fault::AnswerLost => "answers lost",
            Fault::AnswerLate => "answers late",
            Fault::AnswerTwice => "answers twice",
            Fault::AnswerGarbled => "answers garbled",
            Fault::ConnectionCut => "connections cut",
            Fault::ConnectionSilent => "connections dead in silence",
            Fault::ConnectionStalled => "connections stalled",
            Fault::HostDown => "hosts away",
            Fault::HostCrash => "hosts crashed",
            Fault::Crash => "crashes between steps",
            Fault::CrashBeforeWrite => "crashes before a write",
            Fault::CrashInWrite => "crashes in a write or sync",
            Fault::CrashAfterSync => "crashes after a sync",
            Fault::CrashAfterTold => "crashes after outputs left",
            Fault::CrashInRecovery => "crashes in recovery",
            Fault::DiskError => "failed writes and syncs",
            Fault::DiskFull => "full disks",
            Fault::BitRot => "rotten bytes",
            Fault::ClockJump => "clock jumps",
            Fault::Hiccup => "hiccups",
            Fault::ClientDeaf => "clients that heard nothing",
            Fault::TermsChanged => "terms changed",
            Fault::Steered => "changes by the operator",
            Fault::TakenOver => "reversals taken over",
            Fault::Stopped => "stops in order",
            Fault::SqlAway => "databases away",
            Fault::StartWithoutSql => "starts without the database",
            Fault::PlaceLost => "places in feeds lost",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One number for each kind of trouble.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerFault([u32; Fault::ALL.len()]);

impl PerFault {
    /// The number of one kind.
    pub fn of(&self, fault: Fault) -> u32 {
        self.0[fault as usize]
    }

    /// Sets the number of one kind.
    pub fn set(&mut self, fault: Fault, number: u32) {
        self.0[fault as usize] = number;
    }

    /// One more.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &PerFault) {
        for (number, more) in self.0.iter_mut().zip(other.0) {
            *number += more;
        }
    }

    /// Those that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u32)> {
        Fault::ALL.into_iter().map(|fault| (fault, self.of(fault))).filter(|(_, number)| *number > 0)
    }
}

/// Draws a swarm: each kind is off in half of the seeds; some seeds have no trouble at all.
pub fn swarm(dice: &mut Dice) -> PerFault {
    let mut strengths = PerFault::default();
    let on_in_hundred = *dice.one_of(&[0, 15, 30, 50, 50, 80]);
    for fault in Fault::ALL {
        let is_on = dice.between(1, 100) <= on_in_hundred;
        let strength = *dice.one_of(&fault.strengths());
        strengths.set(fault, if is_on { strength } else { 0 });
    }
    strengths
}

/// What becomes of a request at the host's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFate {
    /// The host takes it.
    Arrives,
    /// It never arrives.
    Lost,
    /// It arrives after so many microseconds.
    Late(u64),
    /// It arrives, and once more after so many microseconds.
    Twice(u64),
    /// It arrives as bytes that are no message: the host hangs up.
    Garbled,
    /// It never arrives, and the connection is cut.
    Cut,
}

/// What becomes of the bytes that the host sends in answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFate {
    /// They leave.
    Leaves,
    /// They never leave.
    Lost,
    /// They leave after so many microseconds.
    Late(u64),
    /// They leave, and once more after so many microseconds.
    Twice(u64),
    /// Garbage leaves in their place.
    Garbled,
    /// The connection is cut after so many of their bytes.
    Cut(usize),
}

/// Where the switch dies around a group of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFate {
    /// It lives.
    Lives,
    /// Before anything is written.
    DiesBefore,
    /// The power goes at this disk operation of the write, counted from 0; sync included.
    PowerGoes {
        /// Which.
        operation: u32,
    },
    /// This disk operation fails, and so the process must end.
    Fails {
        /// Which.
        operation: u32,
    },
    /// Synced, and nobody was told.
    DiesAfterSync,
    /// Told, and nothing else was done.
    DiesAfterTold,
}

/// What identifies a message at the host's door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Index of the processor.
    pub processor: u16,
    /// Message type, four digits.
    pub mti: u16,
    /// DE11.
    pub stan: u32,
    /// DE37; empty when the message has none.
    pub rrn: String,
}

/// A fate that is given to the n-th message of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scripted<F> {
    /// Message type of the request, four digits.
    pub mti: u16,
    /// Which of them, from 0.
    pub nth: u32,
    /// What becomes of it.
    pub fate: F,
}

/// Fates written down beforehand. What is not mentioned goes well.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// For requests.
    pub requests: Vec<Scripted<RequestFate>>,
    /// For answers, by the request's type.
    pub answers: Vec<Scripted<AnswerFate>>,
    /// For groups of records: which since the script began, from 0.
    pub commits: Vec<(u32, CommitFate)>,
    requests_seen: Vec<u16>,
    answers_seen: Vec<u16>,
    commits_seen: u32,
}

/// Where fates come from.
#[derive(Debug, Clone)]
pub enum Fates {
    /// Drawn, each kind with its strength.
    Drawn(PerFault),
    /// Written down.
    Scripted(Script),
}

impl Fates {
    /// Whether a kind of trouble strikes now. A script strikes by its fates only.
    pub fn strikes(&self, fault: Fault, dice: &mut Dice) -> bool {
        match self {
            Fates::Drawn(strengths) => dice.hits(strengths.of(fault)),
            Fates::Scripted(_) => false,
        }
    }

    /// What becomes of a request.
    pub fn request(&mut self, seen: &Seen, dice: &mut Dice) -> RequestFate {
        match self {
            Fates::Drawn(_) => self.drawn_request(dice),
            Fates::Scripted(script) => scripted(&script.requests, &mut script.requests_seen, seen.mti, RequestFate::Arrives),
        }
    }

    /// What becomes of the answer to a request.
    pub fn answer(&mut self, seen: &Seen, bytes: usize, dice: &mut Dice) -> AnswerFate {
        match self {
            Fates::Drawn(_) => self.drawn_answer(bytes, dice),
            Fates::Scripted(script) => scripted(&script.answers, &mut script.answers_seen, seen.mti, AnswerFate::Leaves),
        }
    }

    /// What happens around a group of records.
    pub fn commit(&mut self, dice: &mut Dice) -> CommitFate {
        match self {
            Fates::Drawn(_) => self.drawn_commit(dice),
            Fates::Scripted(script) => {
                let nth = script.commits_seen;
                script.commits_seen += 1;
                script.commits.iter().find(|(at, _)| *at == nth).map_or(CommitFate::Lives, |(_, fate)| *fate)
            }
        }
    }

    fn drawn_request(&self, dice: &mut Dice) -> RequestFate {
        if self.strikes(Fault::RequestLost, dice) {
            RequestFate::Lost
        } else if self.strikes(Fault::RequestLate, dice) {
            RequestFate::Late(lateness_us(dice))
        } else if self.strikes(Fault::RequestTwice, dice) {
            RequestFate::Twice(lateness_us(dice))
        } else if self.strikes(Fault::RequestGarbled, dice) {
            RequestFate::Garbled
        } else {
            RequestFate::Arrives
        }
    }

    fn drawn_answer(&self, bytes: usize, dice: &mut Dice) -> AnswerFate {
        if self.strikes(Fault::AnswerLost, dice) {
            AnswerFate::Lost
        } else if self.strikes(Fault::AnswerLate, dice) {
            AnswerFate::Late(lateness_us(dice))
        } else if self.strikes(Fault::AnswerTwice, dice) {
            AnswerFate::Twice(lateness_us(dice))
        } else if self.strikes(Fault::AnswerGarbled, dice) {
            AnswerFate::Garbled
        } else if self.strikes(Fault::ConnectionCut, dice) {
            AnswerFate::Cut(dice.between(0, bytes.saturating_sub(1) as u64) as usize)
        } else {
            AnswerFate::Leaves
        }
    }

    fn drawn_commit(&self, dice: &mut Dice) -> CommitFate {
        // A group is a write and a sync; one that begins a segment is a few more.
        let operation = dice.between(0, 5).min(dice.between(0, 5)) as u32;
        if self.strikes(Fault::CrashBeforeWrite, dice) {
            CommitFate::DiesBefore
        } else if self.strikes(Fault::CrashInWrite, dice) {
            CommitFate::PowerGoes { operation }
        } else if self.strikes(Fault::DiskError, dice) {
            CommitFate::Fails { operation }
        } else if self.strikes(Fault::CrashAfterSync, dice) {
            CommitFate::DiesAfterSync
        } else if self.strikes(Fault::CrashAfterTold, dice) {
            CommitFate::DiesAfterTold
        } else {
            CommitFate::Lives
        }
    }
}

/// Longest lateness of a message, microseconds: beyond every processor's time-out.
pub const LATENESS_MAX_US: u64 = 20_000_000;

/// Mostly around the time-outs, at times far beyond.
fn lateness_us(dice: &mut Dice) -> u64 {
    let longest = *dice.one_of(&[20_000, 300_000, 3_000_000, 3_000_000, LATENESS_MAX_US]);
    dice.between(1_000, longest)
}

fn scripted<F: Copy>(script: &[Scripted<F>], seen: &mut Vec<u16>, mti: u16, well: F) -> F {
    let nth = seen.iter().filter(|known| **known == mti).count() as u32;
    seen.push(mti);
    script.iter().find(|scripted| (scripted.mti, scripted.nth) == (mti, nth)).map_or(well, |scripted| scripted.fate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_place() {
        for (number, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, number, "{fault}");
        }
    }

    #[test]
    fn a_script_names_the_nth_message_of_a_type() {
        let lost = Scripted { mti: 200, nth: 1, fate: RequestFate::Lost };
        let mut fates = Fates::Scripted(Script { requests: vec![lost], ..Script::default() });
        let seen = |mti| Seen { processor: 1, mti, stan: 1, rrn: String::new() };
        let mut dice = Dice::of(1);
        let mut fate = |mti| fates.request(&seen(mti), &mut dice);
        assert_eq!(fate(200), RequestFate::Arrives);
        assert_eq!(fate(420), RequestFate::Arrives);
        assert_eq!(fate(200), RequestFate::Lost);
        assert_eq!(fate(200), RequestFate::Arrives);
    }
}
