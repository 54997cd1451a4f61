//! Start and stop: what is opened in which order, and let go in which.
//!
//! Start: data folder, addresses, keys, SQL home, journal (and its lock), projection up to the journal's end, shards from
//! the projection, journal threads, threads of payments with shards and links, listeners. Stop is the way back: listeners, what is in flight,
//! links, shards, journal, projection.
//!
//! While a SQL server is away, a start goes on from the journal alone, if that is all there, and a copy of the stores.

mod archiving;
mod digest;
pub mod error;
mod participants;
mod phases;
pub(crate) mod processor_numbers;
mod standby;
mod storage;

#[cfg(test)]
mod tests;

use crate::accounts::Accounts;
use crate::accounts::mail::Outbox;
use crate::accounts::{merchant_id_of, merchant_terms, processor_terms};
use crate::calendar::Calendar;
use crate::config::{FrontSettings, LimitSettings, NachaSettings, SANDBOX_MERCHANT, Settings};
use crate::console::ConsoleUser;
use crate::data_folder::DataFolder;
use crate::invoices::Invoices;
use crate::limits::{CALLERS_MAX, DRAIN_WAIT, FIRST_SIGN_ON_WAIT, PROCESSORS_ADDED_MAX, SHARD_QUEUE_COMMANDS};
use crate::links::{Links, Prepared, Shared};
use crate::listeners;
use crate::metrics::Tally;
use crate::operator::changes::Changes;
use crate::operator::{
    Compiled, ConfiguredTables, Operator, SandboxRules, Starters, Steered, SteeredProcessor, added_processors,
};
use crate::payables::{Follower as PayablesFollower, Payables};
use crate::payment_links::PaymentLinks;
use crate::payment_threads::{Homes, PaymentThreads};
use crate::payouts::Payouts;
use crate::recurring::Recurring;
use crate::recurring::scheduler::Scheduler;
use crate::rest::Behind;
use crate::returns::{self, Collectors};
use crate::sandbox_home::random_bytes;
use crate::settlement::Settler;
use crate::settlement::board::Board;
use crate::settlement::nacha::BankFiles;
use crate::settlement::schedule::{CutOvers, Schedule};
use crate::switch::clock::Clock;
use crate::switch::desk::Around;
use crate::switch::directory::ProcessorKind;
use crate::switch::door::{Door, Inside};
use crate::switch::driver::Surroundings;
use crate::switch::gate::Gate;
use crate::switch::growing::Growing;
use crate::switch::handle::{Rooms, Switch};
use crate::switch::history::History;
use crate::switch::ids::Ids;
use crate::switch::readiness::{LinkVitals, Vitals};
use crate::switch::recovery;
use crate::switch::running::RunningShards;
use crate::switch::sensitive_table::SensitiveTable;
use crate::terminals::Kept;
use crate::vault::Vault;
use crate::webhooks::{Deliverer, Secrets, Webhooks};
use error::StartError;
use participants::{Participants, Sandbox};
use persistence::projection::Fold;
use persistence::sealing::Sealer;
use persistence::sql::Database;
use persistence::stores::{ApiKey, Stores};
use phases::{Phase, Phases};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use rustls::ServerConfig;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use storage::{Recorders, Storage};
use switch_core::Shard;
use switch_core::limits::Limits;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};

/// A switch at work.
pub struct Running {
    /// Where REST and pages are served.
    pub http: SocketAddr,
    /// Where the binary protocol is spoken.
    pub binary: SocketAddr,
    /// The handle.
    pub switch: Switch,
    served: JoinHandle<bool>,
    stop_listeners: watch::Sender<bool>,
    links: Links,
    collectors: Collectors,
    shards: RunningShards,
    payments: PaymentThreads,
    recorders: Recorders,
    database: Database,
    sandbox: Option<Sandbox>,
}

/// Starts a switch on the present runtime. When this returns it serves.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    let mut phases = Phases::begin();
    let open_data = |source| StartError::File { what: "open the data folder", path: settings.data.clone(), source };
    let data = DataFolder::open(&settings.data).map_err(open_data)?;
    let sockets = Sockets::bind(&settings.fronts).await?;
    let mut storage = Storage::open(&settings, &data, &mut phases).await?;
    let (database, sealer) = (storage.database.clone(), Arc::clone(&storage.sealer));
    let (stores, stored_changes) = (storage.stores.clone(), storage.changes().await?);
    let (run, insides) = Run::begin(&settings, sealer, storage.newest_record_at().await?)?;
    let now = run.clock.now();
    let secrets = Secrets::of(&run.sealer);
    let start_sandbox = |terms| Sandbox::start(terms, &settings.merchants, &data, &secrets);
    let sandbox = settings.sandbox.as_ref().map(start_sandbox).transpose()?;
    let calendar = calendar(run.clock, sandbox.as_ref(), &data).await?;
    processor_numbers::recall(&stores, &data).await?;
    let kept = Kept { stores: &stores, sealer: &run.sealer };
    let participants =
        Participants::enroll(&settings, sandbox.as_ref(), kept, added_processors(&stored_changes, &run.sealer), &run.ids, now)
            .await?;
    processor_numbers::remember(&participants.processors, &data)?;
    if settings.database.is_server() && storage.fold.is_none() {
        standby::keep(&stores, &data).await?;
    }
    phases.over(Phase::Enrolment);
    let is_alone = storage.fold.is_some();
    // The copy is written anew by the next start: what a run writes must not go there.
    let stores = if is_alone { database.stores().with_standby(&stores) } else { stores };
    let changes =
        Changes::new(stored_changes, run.doors[0].clone(), Arc::clone(&run.ids), run.clock, Arc::clone(&run.journal_writable));
    participants.roster.restore(&changes).await;
    let index_of = |id: &_| participants.processors.by_id(id).map(|processor| processor.index);
    let sandbox_rules = sandbox.as_ref().map(|_| SandboxRules::of(&merchant_id_of(SANDBOX_MERCHANT))).unwrap_or_default();
    let configured_tables = ConfiguredTables { sandbox_rules, ..settings.tables.clone() };
    let tables = configured_tables.in_force(&changes, index_of).await.map_err(StartError::Rules)?;
    let shards = recovered_shards(&participants, &tables, &database, storage.fold.take(), &run).await?;
    phases.over(Phase::Shards);
    if !is_alone {
        digest::say(&database.queries(), "recovered").await;
    }
    let recorders = Recorders::start(storage, &settings, &data, run.doors.clone())?;
    let (prepared, vitals) = prepare_links(&participants, &recorders, &run, &data)?;
    let (moved, moves) = mpsc::unbounded_channel();
    let payments = PaymentThreads::start(settings.payment_threads).map_err(StartError::Thread)?;
    let homes = payments.homes();
    let shards = start_shards(shards, insides, &run, &recorders, &prepared, &moved, &homes);
    // Whoever waits for batches is told that there will be no more when the last shard has gone.
    drop(moved);
    let files = bank_files(&participants, &run, &settings.nacha, &data);
    let board = start_settler(&run, recorders.history.clone(), files, moves);
    let cut_overs = start_schedule(&participants, &run, &calendar, &board);
    let collectors = start_collectors(&participants, &run, &vitals, &calendar, &stores);
    let shared = run.shared_by_links(&participants, &recorders.history, homes.clone());
    let links = prepared.start(&shared);
    vitals.first_sign_on(FIRST_SIGN_ON_WAIT).await;
    phases.over(Phase::SignOn);
    tracing::info!("start took {phases}");
    let operator_key = match &sandbox {
        Some(sandbox) => {
            sandbox.write_file(&data, sockets.http_addr, sockets.binary_addr, &participants.processors)?;
            Some(sandbox.identity.operator_key.clone())
        }
        None => settings.operator_key,
    };
    let starters = Starters { links: links.starter(shared), collectors: collectors.clone() };
    let steered = steered(&participants, &run, &vitals, cut_overs, configured_tables, starters);
    let operator = Operator::start(changes, steered).await;
    let operator_key_hash = operator_key.as_deref().map(ApiKey::hash_of);
    let oversight = Oversight { vitals, operator, operator_key_hash, calendar };
    let switch = run.into_switch(participants, &recorders, stores, board, oversight);
    let (http, binary) = (sockets.http_addr, sockets.binary_addr);
    let outbox = settings.mail.outbox(&data.mail())?;
    let public_url = settings.public_url.unwrap_or_else(|| sockets.url());
    let (webhooks, deliverer) = Webhooks::new(switch.clone(), &settings.webhooks).map_err(StartError::WebhookTls)?;
    let behind = behind_the_front(&switch, outbox, &public_url, webhooks, settings.console_users, settings.payment_request_days);
    start_the_slow_side(&behind, deliverer);
    let (stop_listeners, served) = sockets.serve(behind, settings.limits, settings.trusted_proxies, homes)?;
    Ok(Running {
        http,
        binary,
        switch,
        served,
        stop_listeners,
        links,
        collectors,
        shards,
        payments,
        recorders,
        database,
        sandbox,
    })
}

/// The slow side's rooms around the switch.
fn behind_the_front(
    switch: &Switch,
    outbox: Outbox,
    public_url: &str,
    webhooks: Webhooks,
    console_users: Vec<ConsoleUser>,
    payment_request_days: u32,
) -> Behind {
    let payables = Payables::new(switch.clone(), public_url);
    let invoices = Invoices::new(switch.clone(), payables.clone(), outbox.clone(), public_url);
    let accounts = Accounts::new(switch.clone(), outbox);
    Behind {
        switch: switch.clone(),
        accounts,
        vault: Vault::new(switch.clone()),
        recurring: Recurring::new(switch.clone()),
        invoices,
        links: PaymentLinks::new(switch.clone(), payables.clone(), public_url),
        payables,
        webhooks,
        console_users,
        payment_request_days,
    }
}

/// What the slow side does unasked, for as long as the switch runs.
fn start_the_slow_side(behind: &Behind, deliverer: Deliverer) {
    tokio::spawn(behind.vault.clone().granting());
    tokio::spawn(Scheduler::new(behind.recurring.clone(), behind.vault.clone()).run());
    tokio::spawn(deliverer.run());
    tokio::spawn(PayablesFollower::new(behind.payables.clone()).run());
    tokio::spawn(Payouts::new(behind.switch.clone()).run());
    tokio::spawn(behind.links.clone().carry_out_refunds());
}

impl Running {
    /// Takes nothing new, finishes what is in flight (for a bounded time), signs off, and closes what lasts.
    pub async fn stop(self) {
        self.switch.begin_draining();
        self.collectors.stop().await;
        self.stop_listeners.send_replace(true);
        if !matches!(self.served.await, Ok(true)) {
            tracing::warn!("connections were still open after the time for draining");
        }
        self.shards.drain().await;
        self.links.stop().await;
        self.shards.stop().await;
        self.recorders.stop().await;
        digest::say(&self.database.queries(), "drained").await;
        self.database.close().await;
        self.payments.stop().await;
        if spawn_blocking(move || drop(self.sandbox)).await.is_err() {
            tracing::error!("the sandbox's thread has panicked");
        }
    }
}

/// The addresses, taken before anything else: a second switch on the same ones fails before it touches data.
struct Sockets {
    http: TcpListener,
    http_addr: SocketAddr,
    binary: TcpListener,
    binary_addr: SocketAddr,
    binary_loops: u16,
    tls: Option<Arc<ServerConfig>>,
}

impl Sockets {
    async fn bind(settings: &FrontSettings) -> Result<Sockets, StartError> {
        let tls = settings.tls.as_ref().map(listeners::tls::server_config).transpose()?;
        let (http, http_addr) = listen("REST", settings.http).await?;
        let (binary, binary_addr) = listen("the binary protocol", settings.binary).await?;
        Ok(Sockets { http, http_addr, binary, binary_addr, binary_loops: settings.binary_loops, tls })
    }

    /// Where REST and pages are, for whoever follows a link.
    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.http_addr)
    }

    fn serve(
        self,
        behind: Behind,
        limits: LimitSettings,
        trusted_proxies: Vec<IpAddr>,
        homes: Homes,
    ) -> Result<(watch::Sender<bool>, JoinHandle<bool>), StartError> {
        let (stop, stopped) = watch::channel(false);
        let (addr, what) = (self.binary_addr, "the binary protocol");
        let options = listeners::binary::Options {
            loops: self.binary_loops,
            homes: homes.clone(),
            tls: self.tls.clone(),
            connections_max: limits.binary_connections_max,
            refusals_per_s_max: limits.refusals_per_s_max,
        };
        let binary = self.binary.into_std().and_then(|socket| listeners::binary::start(socket, &behind.switch, options));
        let binary = binary.map_err(|source| StartError::Listen { what, addr, source })?;
        let entrance = crate::rest::entrance(behind, trusted_proxies);
        let options = listeners::http::Options { limits, tls: self.tls.map(Into::into), homes, drain: DRAIN_WAIT };
        let http = listeners::http::serve(self.http, entrance, options, stopped.clone());
        let served = tokio::spawn(async move {
            let (http, binary) = tokio::join!(http, binary.until(stopped));
            http && binary
        });
        Ok((stop, served))
    }
}

async fn listen(what: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fault = |source| StartError::Listen { what, addr, source };
    let listener = TcpListener::bind(addr).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    Ok((listener, bound))
}

/// What an operator sees and steers by.
struct Oversight {
    vitals: Vitals,
    operator: Operator,
    operator_key_hash: Option<[u8; 32]>,
    calendar: Calendar,
}

/// What is drawn and shared once per run.
struct Run {
    clock: Clock,
    ids: Arc<Ids>,
    sealer: Arc<Sealer>,
    sensitive: Arc<SensitiveTable>,
    gate: Arc<Gate>,
    doors: Vec<Door>,
    tallies: Vec<Arc<Tally>>,
    journal_writable: Arc<AtomicBool>,
}

impl Run {
    fn begin(settings: &Settings, sealer: Arc<Sealer>, newest_record: Micros) -> Result<(Run, Vec<Inside>), StartError> {
        let clock = Clock::start_after(newest_record);
        let drawn = random_bytes(5).map_err(StartError::Random)?;
        let process = std::array::from_fn(|place| drawn[place]);
        let ids = Arc::new(Ids::new(process, clock.now()));
        let (doors, insides) = (0..settings.shards).map(|_| Door::new(SHARD_QUEUE_COMMANDS)).unzip();
        let gate = Gate::new(settings.limits.in_flight_max);
        let (sensitive, journal_writable) = (Arc::new(SensitiveTable::new(CALLERS_MAX)), Arc::new(AtomicBool::new(true)));
        let tallies = (0..settings.shards).map(|_| Arc::default()).collect();
        Ok((Run { clock, ids, sealer, sensitive, gate, doors, tallies, journal_writable }, insides))
    }

    fn shared_by_links(&self, participants: &Participants, history: &History, homes: Homes) -> Shared {
        let (sealer, sensitive) = (Arc::clone(&self.sealer), Arc::clone(&self.sensitive));
        let (acceptors, terminals) = (participants.acceptors.clone(), participants.terminals.clone());
        let (doors, history) = (self.doors.clone(), Some(history.clone()));
        Shared { clock: self.clock, sealer, sensitive, homes, doors, acceptors, terminals, history }
    }

    fn into_switch(
        self,
        participants: Participants,
        recorders: &Recorders,
        stores: Stores,
        board: Arc<Board>,
        oversight: Oversight,
    ) -> Switch {
        Switch::new(Rooms {
            clock: self.clock,
            calendar: oversight.calendar,
            ids: self.ids,
            gate: self.gate,
            doors: self.doors,
            tallies: self.tallies,
            sensitive: self.sensitive,
            past: Box::new(recorders.history.clone()),
            sealer: self.sealer,
            stores,
            operator_key_hash: oversight.operator_key_hash,
            processors: participants.processors,
            merchants: participants.merchants,
            terminals: participants.terminals,
            board,
            vitals: oversight.vitals,
            operator: oversight.operator,
        })
    }
}

/// What follows the batches that shards move. They are shown on the board that is given back.
fn start_settler(run: &Run, history: History, files: BankFiles, moves: mpsc::UnboundedReceiver<Batch>) -> Arc<Board> {
    let board = Arc::new(Board::default());
    let settler = Settler { history, doors: run.doors.clone(), clock: run.clock, board: Arc::clone(&board), files };
    tokio::spawn(settler.run(moves));
    board
}

/// What closes batches when a processor's day ends, and where it is told of more processors.
fn start_schedule(participants: &Participants, run: &Run, calendar: &Calendar, board: &Arc<Board>) -> watch::Sender<CutOvers> {
    let (told, cut_overs) = watch::channel(participants.cut_overs());
    let (calendar, doors, board) = (calendar.clone(), run.doors.clone(), Arc::clone(board));
    tokio::spawn(Schedule { calendar, doors, cut_overs, board }.run());
    told
}

/// What writes the bank's files.
fn bank_files(participants: &Participants, run: &Run, settings: &NachaSettings, data: &DataFolder) -> BankFiles {
    BankFiles {
        folder: data.nacha(),
        settings: settings.clone(),
        sealer: Arc::clone(&run.sealer),
        processors: participants.processors.clone(),
        merchants: participants.merchants.clone(),
    }
}

/// What day it is: in a sandbox, where its tests have left it.
async fn calendar(clock: Clock, sandbox: Option<&Sandbox>, data: &DataFolder) -> Result<Calendar, StartError> {
    let Some(sandbox) = sandbox else { return Ok(Calendar::real(clock)) };
    let path = data.clock_json();
    let opened = Calendar::of_sandbox(clock, &path, sandbox.controls()).await;
    opened.map_err(|source| StartError::File { what: "read the test clock", path, source })
}

/// What an operator steers.
fn steered(
    participants: &Participants,
    run: &Run,
    vitals: &Vitals,
    cut_overs: watch::Sender<CutOvers>,
    tables: ConfiguredTables,
    starters: Starters,
) -> Steered {
    let terms = processor_terms(&participants.processors, &participants.configured);
    let steered = participants.processors.iter().filter_map(|processor| {
        let configured = *terms.iter().find(|terms| terms.index == processor.index)?;
        let added = participants.added.iter().find(|(added, _)| added.index() == processor.index).map(|(added, _)| added.clone());
        Some(SteeredProcessor { id: processor.id, configured, link: vitals.link(&processor.id).cloned(), added })
    });
    Steered {
        doors: run.doors.clone(),
        processors: Growing::of(steered, PROCESSORS_ADDED_MAX),
        table: participants.processors.clone(),
        watched: vitals.links.clone(),
        starters,
        cut_overs,
        sealer: Arc::clone(&run.sealer),
        tables,
        roster: participants.roster.clone(),
    }
}

/// Shards with everything in them that was under way.
async fn recovered_shards(
    participants: &Participants,
    tables: &[Compiled],
    database: &Database,
    fold: Option<Fold>,
    run: &Run,
) -> Result<Vec<Shard>, StartError> {
    let merchants: Vec<_> = participants.merchants.all().iter().map(|merchant| merchant_terms(merchant)).collect();
    let processors = processor_terms(&participants.processors, &participants.configured);
    let now = run.clock.now();
    let mut shards = recovery::empty_shards((run.doors.len() as u16, Limits::default()), now, &merchants, &processors);
    for shard in &mut shards {
        tables.iter().for_each(|table| shard.accept(now, table.input()));
    }
    let duplicates = merchants.iter().map(|terms| terms.duplicate_window_s);
    let window_s_max = duplicates.chain(tables.iter().map(Compiled::longest_window_s)).max().unwrap_or(0);
    let lsn = match fold {
        Some(fold) => recovery::recover_folded(&mut shards, fold, now),
        None => recovery::recover(&mut shards, &database.queries(), now, window_s_max).await?,
    };
    let open: u32 = shards.iter().map(Shard::transactions_in_memory).sum();
    tracing::info!(lsn, open, "recovered");
    Ok(shards)
}

/// One for each processor of bank accounts.
fn start_collectors(participants: &Participants, run: &Run, vitals: &Vitals, calendar: &Calendar, stores: &Stores) -> Collectors {
    let collectors = Collectors::new(returns::Shared {
        history: vitals.history.clone(),
        doors: run.doors.clone(),
        clock: run.clock,
        calendar: calendar.clone(),
        sealer: Arc::clone(&run.sealer),
        stores: stores.clone(),
    });
    for processor in participants.processors.iter().filter(|processor| processor.kind == ProcessorKind::SageAch) {
        if let Some(link) = vitals.link(&processor.id) {
            collectors.start(processor, link.host.clone());
        }
    }
    collectors
}

fn prepare_links(
    participants: &Participants,
    recorders: &Recorders,
    run: &Run,
    data: &DataFolder,
) -> Result<(Prepared, Vitals), StartError> {
    let mut prepared = Prepared::default();
    let mut links = Vec::with_capacity(participants.links.len());
    for (index, settings) in &participants.links {
        let Some(processor) = participants.processors.by_index(*index) else { continue };
        let unusable = |source| StartError::ProcessorTls { processor: settings.name.clone(), source };
        let link = prepared.add(*index, settings).map_err(unusable)?;
        links.push(LinkVitals { processor: processor.id, name: processor.name.clone(), link });
    }
    let vitals = Vitals {
        draining: AtomicBool::new(false),
        journal_writable: Arc::clone(&run.journal_writable),
        space: recorders.journal.space(),
        journal_folder: data.journal(),
        history: recorders.history.clone(),
        projection: recorders.follower.states(),
        links: Growing::of(links, PROCESSORS_ADDED_MAX),
    };
    Ok((prepared, vitals))
}

fn start_shards(
    shards: Vec<Shard>,
    insides: Vec<Inside>,
    run: &Run,
    recorders: &Recorders,
    links: &Prepared,
    moved: &mpsc::UnboundedSender<Batch>,
    homes: &Homes,
) -> RunningShards {
    let surroundings = insides.into_iter().zip(0..).map(|(inside, index)| Surroundings {
        clock: run.clock,
        inside,
        journal: recorders.journal.submitter(),
        around: Around {
            index,
            outboxes: links.outboxes(),
            sensitive: Arc::clone(&run.sensitive),
            moved: moved.clone(),
            journal_writable: Arc::clone(&run.journal_writable),
            tally: Arc::clone(&run.tallies[usize::from(index)]),
        },
    });
    RunningShards::start(homes, run.doors.clone(), shards.into_iter().zip(surroundings))
}
