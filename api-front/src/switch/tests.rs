//! A shard's task with a real journal and a link that the test plays.

use crate::limits::{SHARD_QUEUE_SHORT_COMMANDS, SHARD_QUEUE_STANDING_MAX_MS, SHARD_TURN_INPUTS};
use crate::links::order::{Order, Outboxes};
use crate::switch::clock::Clock;
use crate::switch::desk::Around;
use crate::switch::door::{CommandMessage, Door, Return, Told};
use crate::switch::driver::{Driver, Surroundings};
use crate::switch::group::{Group, hand_back};
use crate::switch::recovery::empty_shards;
use crate::switch::sensitive_table::SensitiveTable;
use bytes::Bytes;
use persistence::journal::{DurableWatch, Journal, Log, LogOptions, OsDisk, WriterOptions};
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::secret::{Cvv, SensitiveData};
use protocol::words::{PaymentMethod, Status, Verb};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use switch_core::input::{Answer, MerchantTerms, OwnProcessors, ProcessorState, ProcessorTerms, Sent, Verdict};
use switch_core::limits::Limits;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PROCESSOR: u16 = 1;
const PATIENCE: Duration = Duration::from_secs(5);

struct Fixture {
    door: Door,
    orders: mpsc::Receiver<Order>,
    durable: DurableWatch,
    sensitive: Arc<SensitiveTable>,
    journal_writable: Arc<AtomicBool>,
    journal: Journal<Group>,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

fn merchant() -> Xid {
    Xid::from_parts(1, [1; 5], 0)
}

impl Fixture {
    fn start() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes: 1 << 20, segments_ahead: 1, free_bytes_min: 0, ..LogOptions::default() };
        let (log, _) = Log::open(OsDisk::open(folder.path()).unwrap(), options, |_, _| {}).unwrap();
        let clock = Clock::start_after(Micros::NONE);
        let terms = MerchantTerms {
            id: merchant(),
            active: true,
            duplicate_window_s: 0,
            processors: OwnProcessors::for_cards(PROCESSOR),
        };
        let processor = ProcessorTerms {
            method: PaymentMethod::Card,
            index: PROCESSOR,
            state: ProcessorState::Enabled,
            timeout_ms: 60_000,
            reversal_retry_ms: 100,
            reversal_retry_max_ms: 1_000,
        };
        let shard = empty_shards((1, Limits::default()), clock.now(), &[terms], &[processor]).remove(0);
        let (door, inside) = Door::new(16);
        let journal = Journal::start(log, WriterOptions::default(), hand_back(vec![door.clone()])).unwrap();
        let (queue, orders) = mpsc::channel(16);
        let mut outboxes = Outboxes::default();
        outboxes.put(PROCESSOR, queue);
        let (sensitive, journal_writable) = (Arc::new(SensitiveTable::new(16)), Arc::new(AtomicBool::new(true)));
        let around = Around {
            index: 0,
            outboxes,
            sensitive: Arc::clone(&sensitive),
            moved: mpsc::unbounded_channel().0,
            journal_writable: Arc::clone(&journal_writable),
            tally: Arc::default(),
        };
        let surroundings = Surroundings { clock, inside, journal: journal.submitter(), around };
        let task = tokio::spawn(Driver::run(shard, surroundings));
        let durable = journal.watch();
        Fixture { door, orders, durable, sensitive, journal_writable, journal, task, _folder: folder }
    }

    /// Hands a sale over, with a card verification value in the side table.
    fn sell(&self, counter: u32) -> oneshot::Receiver<Told> {
        let mut command = Command::new(Verb::Sale);
        command.id = Xid::from_parts(2, [1; 5], counter * Xid::STRIDE);
        command.merchant = merchant();
        command.amount = 1112.into();
        command.currency = 840.into();
        command.flags = flag::HAS_SENSITIVE_DATA.into();
        assert!(self.sensitive.put(command.id, SensitiveData::of(Cvv::new("999"), None).unwrap()));
        let (reply, told) = oneshot::channel();
        assert!(self.door.try_command(CommandMessage {
            command,
            tail: Bytes::new(),
            hydration: None,
            reply: reply.into(),
            at: Micros::NONE
        }));
        told
    }

    async fn next_order(&mut self) -> Sent {
        timeout(PATIENCE, self.orders.recv()).await.unwrap().unwrap().sent
    }

    fn approve(&self, sent: Sent) {
        let answer = Answer {
            sent,
            verdict: Verdict::Approved,
            processor_code: *b"00",
            auth_code: *b"TAS001",
            text: *b"APPROVAL TAS001 ",
            avs: b'0',
            cvv: 0,
        };
        self.door.give(Return::Answer { answer, facts: Vec::new() });
    }

    async fn stop(self) {
        self.door.give(Return::Stop);
        self.task.await.unwrap();
        self.journal.stop();
    }
}

async fn told(waiting: oneshot::Receiver<Told>) -> Status {
    match timeout(PATIENCE, waiting).await.unwrap().unwrap() {
        Told::Version { version, .. } => version.transaction().status(),
        other => panic!("a version, not {other:?}"),
    }
}

#[tokio::test]
async fn a_request_leaves_after_its_intent_is_durable_and_the_answer_after_its_outcome() {
    let mut fixture = Fixture::start();
    let waiting = fixture.sell(1);
    let sent = fixture.next_order().await;
    let intent = fixture.durable.durable_lsn();
    assert!(intent >= 1, "I1: the intent is durable before the link has the request");
    fixture.approve(sent);
    assert_eq!(told(waiting).await, Status::PendingSettlement);
    assert!(fixture.durable.durable_lsn() > intent, "I2: the outcome is durable before the client hears it");
    assert_eq!(fixture.sensitive.count(), 0, "I9: the value goes with the reply at the latest");
    fixture.stop().await;
}

#[tokio::test]
async fn inputs_that_say_nothing_do_not_shut_commands_out() {
    let mut fixture = Fixture::start();
    for _ in 0..3 * SHARD_TURN_INPUTS {
        assert!(fixture.door.give(Return::LinkUp { processor: PROCESSOR }));
    }
    let waiting = fixture.sell(1);
    let sent = fixture.next_order().await;
    fixture.approve(sent);
    assert_eq!(told(waiting).await, Status::PendingSettlement);
    fixture.stop().await;
}

#[tokio::test]
async fn a_drain_waits_for_what_is_in_flight() {
    let mut fixture = Fixture::start();
    let waiting = fixture.sell(1);
    let sent = fixture.next_order().await;
    let (reply, mut drained) = oneshot::channel();
    fixture.door.give(Return::Drain(reply));
    assert!(timeout(Duration::from_millis(50), &mut drained).await.is_err());
    fixture.approve(sent);
    timeout(PATIENCE, drained).await.unwrap().unwrap();
    told(waiting).await;
    fixture.stop().await;
}

#[tokio::test]
async fn a_link_that_takes_nothing_more_makes_a_sale_unsent_at_once() {
    let mut fixture = Fixture::start();
    fixture.orders.close();
    assert_eq!(told(fixture.sell(1)).await, Status::Declined);
    fixture.stop().await;
}

#[tokio::test]
async fn after_a_refusal_of_the_journal_nobody_is_told_anything() {
    let mut fixture = Fixture::start();
    let before = fixture.sell(1);
    fixture.next_order().await;
    fixture.door.give(Return::Refused);
    assert!(timeout(PATIENCE, before).await.unwrap().is_err());
    assert!(timeout(PATIENCE, fixture.sell(2)).await.unwrap().is_err());
    assert!(!fixture.journal_writable.load(Ordering::Acquire));
    assert_eq!(fixture.sensitive.count(), 0);
    fixture.stop().await;
}

#[test]
fn a_full_queue_refuses_at_once_and_returns_still_come_in() {
    let (door, inside) = Door::new(1);
    let message = || {
        let (command, reply) = (Command::new(Verb::Sale), oneshot::channel().0.into());
        CommandMessage { command, tail: Bytes::new(), hydration: None, reply, at: Micros::NONE }
    };
    assert!(door.try_command(message()));
    assert!(!door.try_command(message()));
    assert!(door.give(Return::Refused));
    assert_eq!((inside.commands.len(), inside.returns.len()), (1, 1));
}

#[test]
fn a_queue_that_stands_takes_no_more_until_it_was_short_and_one_that_moves_does() {
    const LONG: usize = SHARD_QUEUE_SHORT_COMMANDS + 1;
    let (door, inside) = Door::new(2 * LONG);
    let enter = |count: usize| {
        for _ in 0..count {
            let (command, reply) = (Command::new(Verb::Sale), oneshot::channel().0);
            assert!(door.try_command(CommandMessage {
                command,
                tail: Bytes::new(),
                hydration: None,
                reply: reply.into(),
                at: Micros::NONE
            }));
        }
    };
    let start = Micros(1_000_000_000);
    let after_ms = |ms: u32| start.plus_ms(ms);
    enter(SHARD_QUEUE_SHORT_COMMANDS);
    assert!(!door.is_standing(start), "a short queue is none");
    enter(2);
    assert!(!door.is_standing(after_ms(SHARD_QUEUE_STANDING_MAX_MS)), "not for too long yet");
    assert!(door.is_standing(after_ms(SHARD_QUEUE_STANDING_MAX_MS + 1)));
    assert!(inside.commands.try_recv().is_ok());
    assert!(door.is_standing(after_ms(SHARD_QUEUE_STANDING_MAX_MS + 2)), "one too many still stands");
    assert!(inside.commands.try_recv().is_ok());
    assert!(!door.is_standing(after_ms(SHARD_QUEUE_STANDING_MAX_MS + 3)));
    enter(1);
    assert!(!door.is_standing(after_ms(2 * SHARD_QUEUE_STANDING_MAX_MS)), "what came since stands only since then");
}
