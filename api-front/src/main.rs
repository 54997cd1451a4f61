//! The `switchyard` binary: reads the command line, and starts what it says.

use api_front::cli::{Cli, Command, Config, Dump, Journal, Keys, Replay, Sandbox, SandboxTls, Serve};
use api_front::config::{self, Overrides, TlsSettings};
use api_front::console::ConsoleUser;
use api_front::journal_tools::{Filter, ToolError};
use api_front::replay::journal::Wish;
use api_front::{journal_tools, keys_tool, logs, process, start};
use clap::Parser;
use persistence::precedence::give_way;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell a broken stderr to.
            drop(writeln!(io::stderr(), "switchyard: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    process::keep_files_private();
    match cli.command {
        None => serve(cli.serve),
        Some(Command::Serve(serve_flags)) => serve(serve_flags),
        Some(Command::Sandbox(flags)) => run_sandbox(&flags),
        Some(Command::Journal(Journal::Verify { dir })) => Ok(journal_tools::print_verified(&dir, &mut io::stdout().lock())?),
        Some(Command::Journal(Journal::Dump(flags))) => dump(flags),
        Some(Command::Replay(flags)) => replay(flags),
        Some(Command::Config(Config::Check { file })) => check(&file),
        Some(Command::Keys(Keys::Rotate { data, http, tls, ca })) => {
            rotate(&data, http, tls.map(|server_name| TlsSettings { server_name, ca_file: ca, client: None }))
        }
        Some(Command::Config(Config::HashPassword)) => hash_password(),
    }
}

fn check(file: &std::path::Path) -> Result<(), Box<dyn Error>> {
    config::load(Some(file), &Overrides::default())?;
    Ok(())
}

fn rotate(data: &std::path::Path, http: Option<std::net::SocketAddr>, tls: Option<TlsSettings>) -> Result<(), Box<dyn Error>> {
    let (key_id, resealed) = keys_tool::rotate(data, http, tls.as_ref(), std::env::var(keys_tool::OPERATOR_KEY).ok())?;
    Ok(say(&format!("key {key_id} seals; {resealed} of the vault's things were sealed anew"))?)
}

fn hash_password() -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(say(&ConsoleUser::hash_of(line.trim_end_matches(['\r', '\n']))?)?)
}

fn dump(flags: Dump) -> Result<(), Box<dyn Error>> {
    let Dump { dir, id, rrn, order, from, to, json } = flags;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let dumped = journal_tools::dump(&dir, &Filter { id, rrn, order, from, to }, json, &mut out);
    match dumped.and_then(|()| Ok(out.flush()?)) {
        // Whoever reads has seen enough.
        Err(ToolError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn replay(flags: Replay) -> Result<(), Box<dyn Error>> {
    let Replay { journal, rules, routing, costs, until, id, rrn, order, html } = flags;
    let until = until.map(|until| journal_tools::last_lsn(&journal, until)).transpose()?;
    if id.is_some() || rrn.is_some() || order.is_some() {
        return dump(Dump { dir: journal, id, rrn, order, from: None, to: until, json: false });
    }
    let replayed = api_front::replay::journal::replay(&Wish { journal, rules, routing, costs, until })?;
    if let Some(path) = html {
        std::fs::write(path, replayed.page())?;
    }
    let mut out = io::stdout().lock();
    Ok(out.write_all(replayed.text().as_bytes())?)
}

fn serve(flags: Serve) -> Result<(), Box<dyn Error>> {
    process::forbid_core_dumps()?;
    logs::start(flags.log);
    let Serve { config: file, data, http, binary, database, no_sandbox, insecure, log: _ } = flags;
    let overrides = Overrides { data, http, binary, database, no_sandbox, insecure };
    let mut settings = config::load(file.as_deref(), &overrides)?;
    let (wished, allowed) = (settings.limits, process::allow_open_files()?);
    settings.limits = wished.within_open_files(allowed);
    if wished.open_files() > allowed {
        tracing::warn!(
            allowed,
            wished = wished.open_files(),
            rest_connections = settings.limits.connections_max,
            binary_connections = settings.limits.binary_connections_max,
            "few files may be open, and connections are bounded to that: raise the limit (ulimit -n)"
        );
    }
    runtime(settings.fronts.tls.is_none())?.block_on(async {
        let running = start::start(settings).await?;
        let mut stop = StopSignals::listen()?;
        say(&format!("ready http={} binary={}", running.http, running.binary))?;
        stop.asked().await;
        tracing::info!("draining");
        running.stop().await;
        Ok(())
    })
}

fn run_sandbox(flags: &Sandbox) -> Result<(), Box<dyn Error>> {
    logs::start(flags.log);
    let mut options = sandbox::Options::new(&flags.data);
    options.card = sandbox::Listen { addr: flags.card, control: flags.card_control };
    options.card_2 = sandbox::Listen { addr: flags.card_2, control: flags.card_2_control };
    options.ach = sandbox::Listen { addr: flags.ach, control: flags.ach_control };
    options.terminal = sandbox::Listen { addr: flags.terminal, control: flags.terminal_control };
    options.tls = match flags.tls {
        SandboxTls::Off => sandbox::Tls::Off,
        SandboxTls::Server => sandbox::Tls::Server,
        SandboxTls::Mutual => sandbox::Tls::Mutual,
    };
    options.mac_key.clone_from(&flags.mac_key_hex);
    let running = sandbox::start(options)?;
    runtime(false)?.block_on(async {
        let mut stop = StopSignals::listen()?;
        let hosts = [("card", running.card), ("card_2", running.card_2), ("ach", running.ach), ("terminal", running.terminal)];
        let addresses = hosts.map(|(name, host)| format!(" {name}={} {name}_control={}", host.addr, host.control));
        say(&format!("ready{}", addresses.concat()))?;
        stop.asked().await;
        io::Result::Ok(())
    })?;
    running.shutdown();
    Ok(())
}

/// The office's runtime. It gives way to payments where those have threads of their own from end to end; under TLS their connections
/// are the office's.
fn runtime(gives_way: bool) -> io::Result<Runtime> {
    let mut office = Builder::new_multi_thread();
    office.enable_all().thread_name("office");
    if gives_way {
        office.on_thread_start(give_way);
    }
    office.build()
}

/// The one line on stdout, for whoever has started us.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// SIGTERM and SIGINT. They are listened to before anybody hears that we are ready: whoever does may send one at once.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<StopSignals> {
        Ok(StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
