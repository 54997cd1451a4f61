//! Segments written ahead of need. Overwriting blocks that were written once costs the disk no allocation and no metadata,
//! so a commit is one device write; and the segments that wait are the reserve when the disk fills up.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::block::BlockBuffer;
use super::disk::{Access, Disk, DiskFile};
use super::error::DiskFault;
use super::names;
use super::watch::{Space, SpaceGauge};

/// Zeros are written in pieces, so that commits on the same device get their turn between them.
const PIECE_BYTES: u64 = 512 * 1024;
/// Pause between pieces while nobody waits for the segment.
const PIECE_PAUSE: Duration = Duration::from_micros(500);

/// Why there is no next segment.
#[derive(Debug)]
pub(super) enum SupplyFault {
    /// The disk or the quota is full.
    Full,
    /// Anything else; as with every failed write, the process should end.
    Disk(DiskFault),
}

/// Pre-writes segments and knows which are ready. Shared by the writer, which takes them, and by whoever prepares.
pub(super) struct Supply<D> {
    disk: Arc<D>,
    segment_bytes: u64,
    segments_ahead: u32,
    free_bytes_min: u64,
    begun: AtomicU32,
    ready: AtomicU32,
    urgent: AtomicBool,
    refusing: AtomicBool,
    zeros: Mutex<BlockBuffer>,
    space: SpaceGauge,
    taken: (Sender<()>, Receiver<()>),
}

impl<D: Disk> Supply<D> {
    /// `begun`: number of the segment in use (0: none); `ready`: highest number that is there, written with zeros.
    pub(super) fn new(
        disk: Arc<D>,
        segment_bytes: u64,
        segments_ahead: u32,
        free_bytes_min: u64,
        begun: u32,
        ready: u32,
    ) -> Self {
        Self {
            disk,
            segment_bytes,
            segments_ahead,
            free_bytes_min,
            begun: AtomicU32::new(begun),
            ready: AtomicU32::new(ready),
            urgent: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            zeros: Mutex::new(BlockBuffer::zeroed(PIECE_BYTES.min(segment_bytes) as usize)),
            space: SpaceGauge::new(),
            taken: bounded(1),
        }
    }

    pub(super) fn space(&self) -> &SpaceGauge {
        &self.space
    }

    /// Makes sure that segment `number` is there, pre-writing it now if nobody has; free space down to the last byte is used.
    pub(super) fn obtain(&self, number: u32) -> Result<(), SupplyFault> {
        if self.ready.load(Ordering::Acquire) >= number {
            return Ok(());
        }
        self.urgent.store(true, Ordering::Relaxed);
        let zeros = self.zeros.lock().unwrap_or_else(PoisonError::into_inner);
        self.urgent.store(false, Ordering::Relaxed);
        if self.ready.load(Ordering::Acquire) >= number {
            return Ok(());
        }
        let made = self.prepare(number, &zeros, Duration::ZERO);
        if let Err(SupplyFault::Full) = made {
            self.publish(Space::Exhausted);
        }
        made
    }

    /// Notes that segment `number` is in use.
    pub(super) fn begin(&self, number: u32) {
        self.begun.store(number, Ordering::Release);
        // Full: the preparer has been told already.
        let _ = self.taken.0.try_send(());
    }

    /// Gets a message after a segment was taken into use.
    pub(super) fn taken(&self) -> &Receiver<()> {
        &self.taken.1
    }

    /// Pre-writes until the reserve is whole or the disk is nearly full, and publishes which. `paced` leaves the device room
    /// for commits.
    pub(super) fn replenish(&self, paced: bool) -> Result<(), SupplyFault> {
        let pause = if paced { PIECE_PAUSE } else { Duration::ZERO };
        loop {
            let zeros = self.zeros.lock().unwrap_or_else(PoisonError::into_inner);
            let next = self.ready.load(Ordering::Acquire) + 1;
            let whole = next > self.begun.load(Ordering::Acquire) + self.segments_ahead;
            let spare_bytes = if whole { 0 } else { self.segment_bytes };
            let free = self
                .disk
                .free_bytes()
                .map_err(DiskFault::of("measure free space of", "the folder"))
                .map_err(SupplyFault::Disk)?;
            if free < self.free_bytes_min.saturating_add(spare_bytes) {
                self.publish(Space::NearlyFull);
                return Ok(());
            }
            if whole {
                self.publish(Space::Ample);
                return Ok(());
            }
            match self.prepare(next, &zeros, pause) {
                Ok(()) => {}
                Err(SupplyFault::Full) => {
                    self.publish(Space::NearlyFull);
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// From here on the gauge says exhausted, whatever the disk does: the writer has refused a batch for good.
    pub(super) fn refuse_for_good(&self) {
        self.refusing.store(true, Ordering::Release);
        self.space.set(Space::Exhausted);
    }

    fn publish(&self, space: Space) {
        if self.refusing.load(Ordering::Acquire) {
            return;
        }
        let before = self.space.set(space);
        if before != space {
            tracing::warn!(?before, now = ?space, "room for the journal changed");
        }
    }

    fn prepare(&self, number: u32, zeros: &BlockBuffer, pause: Duration) -> Result<(), SupplyFault> {
        let (unfinished, name) = (names::unfinished(number), names::segment(number));
        if let Err(fault) = self.write_zeros(&unfinished, zeros, pause) {
            // The attempt failed for lack of room or the process is about to end; either way the file is only zeros.
            let _ = self.disk.remove(&unfinished);
            return Err(fault);
        }
        self.disk.rename(&unfinished, &name).map_err(supply_fault("rename", &unfinished))?;
        self.disk.sync_folder().map_err(supply_fault("sync", "the folder"))?;
        self.ready.store(number, Ordering::Release);
        Ok(())
    }

    fn write_zeros(&self, name: &str, zeros: &BlockBuffer, pause: Duration) -> Result<(), SupplyFault> {
        let file = self.disk.open(name, Access::Create).map_err(supply_fault("create", name))?;
        let mut offset = 0;
        while offset < self.segment_bytes {
            let piece = PIECE_BYTES.min(self.segment_bytes - offset);
            file.write_at(&zeros.bytes()[..piece as usize], offset).map_err(supply_fault("write zeros to", name))?;
            offset += piece;
            if !pause.is_zero() && !self.urgent.load(Ordering::Relaxed) {
                std::thread::sleep(pause);
            }
        }
        file.sync().map_err(supply_fault("sync", name))
    }
}

fn supply_fault(operation: &'static str, name: &str) -> impl FnOnce(io::Error) -> SupplyFault {
    let name = name.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SupplyFault::Full,
        _ => SupplyFault::Disk(DiskFault { operation, name, source }),
    }
}
