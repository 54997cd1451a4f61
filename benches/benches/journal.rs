//! The journal against the disk it stands on: durable appends beside raw writes of the same bytes, commits one at a time
//! beside the cheapest single durable write, and the speed of verifying what is there.
//!
//! Everything goes to a temporary folder under `JOURNAL_BENCH_DIR` (the current folder if unset), so that a real disk is
//! measured and not a tmpfs. After criterion's figures one table gives percentiles of single commits.
#![expect(clippy::print_stdout, reason = "the table of percentiles is this program's output")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use benches::records::{RECORD_BYTES, Records, batch};
use criterion::{BenchmarkId, Criterion, Throughput};
use persistence::journal::{Journal, Log, LogOptions, OsDisk, Refused, WriterOptions, verify};
use protocol::frame::Durable;

const BLOCK_BYTES: usize = 4096;
const RAW_BYTES: u64 = 64 * 1024 * 1024;
/// `O_DIRECT | O_DSYNC` on Linux (x86-64 and aarch64 differ in `O_DIRECT`).
const DIRECT_SYNC: i32 = if cfg!(target_arch = "aarch64") { 0o200_000 } else { 0o40_000 } | 0o10_000;

fn folder() -> tempfile::TempDir {
    let base = std::env::var_os("JOURNAL_BENCH_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    tempfile::tempdir_in(base).expect("a folder for the bench")
}

struct Rig {
    journal: Journal<Records>,
    back: Receiver<Records>,
    folder: tempfile::TempDir,
}

fn rig(writer: WriterOptions) -> Rig {
    let folder = folder();
    let options = LogOptions { free_bytes_min: 0, segments_ahead: 4, ..LogOptions::default() };
    let disk = OsDisk::open(folder.path()).expect("the bench's folder opens");
    let (mut log, _) = Log::open(disk, options, |_, _| {}).expect("a new journal");
    log.prepare_ahead().expect("room for segments");
    let (done, back): (Sender<Records>, _) = channel();
    let sink = move |batch: Records, result: Result<Durable, Refused>| {
        result.expect("room on the bench's disk");
        // The last batches come back after the measurement has ended.
        let _ = done.send(batch);
    };
    let journal = Journal::start(log, writer, sink).expect("threads for the journal");
    Rig { journal, back, folder }
}

/// Keeps `waiting` batches under way until `rounds` are durable.
fn pump(rig: &Rig, spare: &mut Vec<Records>, rounds: u64) {
    let submitter = rig.journal.submitter();
    let (mut sent, mut done) = (0, 0);
    while done < rounds {
        while sent < rounds
            && let Some(batch) = spare.pop()
        {
            assert!(submitter.submit(batch).is_ok());
            sent += 1;
        }
        spare.push(rig.back.recv().expect("the journal runs"));
        done += 1;
    }
}

fn raw_file(flags: i32) -> (File, tempfile::TempDir) {
    let folder = folder();
    let path = folder.path().join("raw");
    std::fs::write(&path, vec![0; RAW_BYTES as usize]).expect("room for the raw file");
    File::open(&path).and_then(|file| file.sync_all()).expect("the raw file syncs");
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).expect("the raw file opens");
    (file, folder)
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal/durable_512_byte_records");
    group.sample_size(20).measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1));
    for count in [1u32, 16, 128, 1024, 2048] {
        group.throughput(Throughput::Elements(u64::from(count)));
        for (name, handoff_bytes) in
            [("journal_alone", usize::MAX), ("journal", WriterOptions::default().handoff_bytes), ("journal_pipelined", 0)]
        {
            let rig =
                rig(WriterOptions { group_bytes: count as usize * RECORD_BYTES, handoff_bytes, ..WriterOptions::default() });
            let mut spare: Vec<Records> = (0..4).map(|_| batch(count)).collect();
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter_custom(|rounds| {
                    let start = Instant::now();
                    pump(&rig, &mut spare, rounds);
                    start.elapsed()
                });
            });
            rig.journal.stop();
        }
        let (file, _folder) = raw_file(0);
        let bytes = batch(count).bytes;
        let mut offset = 0;
        group.bench_function(BenchmarkId::new("raw_pwrite_fdatasync", count), |bencher| {
            bencher.iter(|| {
                offset = (offset + bytes.len().next_multiple_of(BLOCK_BYTES) as u64) % (RAW_BYTES / 2);
                file.write_all_at(&bytes, offset).expect("raw write");
                file.sync_data().expect("raw sync");
            });
        });
    }
    group.finish();
}

fn verifying(criterion: &mut Criterion) {
    let rig = rig(WriterOptions::default());
    let mut spare: Vec<Records> = (0..8).map(|_| batch(512)).collect();
    let rounds = 1024;
    pump(&rig, &mut spare, rounds);
    rig.journal.stop();
    let mut group = criterion.benchmark_group("journal/verify");
    group.sample_size(10).throughput(Throughput::Bytes(rounds * 512 * RECORD_BYTES as u64));
    group.bench_function("256_mib_of_history", |bencher| bencher.iter(|| verify(rig.folder.path()).expect("a sound journal")));
    group.finish();
}

/// Percentiles of one record at a time, each waiting for the one before: what an idle system adds to a payment. The
/// contenders take turns, so that a disturbance of the machine meets all of them.
fn single_commits() {
    const ROUNDS: usize = 3000;
    println!("single 512-byte record, closed loop, {ROUNDS} commits       p50 µs   p99 µs   max µs");
    let (direct, _direct_folder) = raw_file(DIRECT_SYNC);
    let (cached, _cached_folder) = raw_file(0);
    let memory = vec![0u8; 2 * BLOCK_BYTES];
    let start = memory.as_ptr().align_offset(BLOCK_BYTES);
    let block = &memory[start..start + BLOCK_BYTES];
    let rig = rig(WriterOptions::default());
    let submitter = rig.journal.submitter();
    let mut spare = Some(batch(1));
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        let offset = (round * BLOCK_BYTES) as u64;
        times[0].push(timed(|| direct.write_all_at(block, offset).expect("raw write")));
        times[1].push(timed(|| {
            cached.write_all_at(block, offset).expect("raw write");
            cached.sync_data().expect("raw sync");
        }));
        times[2].push(timed(|| {
            assert!(submitter.submit(spare.take().expect("the batch came back")).is_ok());
            spare = Some(rig.back.recv().expect("the journal runs"));
        }));
    }
    rig.journal.stop();
    let names =
        ["raw 4 KiB O_DIRECT|O_DSYNC, in place", "raw 4 KiB pwrite + fdatasync, in place", "journal, submit to sink and back"];
    for (name, times) in names.into_iter().zip(times) {
        report(name, times);
    }
}

fn timed(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let micros = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000].as_micros();
    println!("{name:<55} {:>7} {:>8} {:>8}", micros(500), micros(990), micros(1000));
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    appends(&mut criterion);
    verifying(&mut criterion);
    criterion.final_summary();
    single_commits();
}
