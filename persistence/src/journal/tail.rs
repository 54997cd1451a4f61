//! The journal's end on disk: the one open segment, written frame after frame, each synced before the next begins.

use std::sync::Arc;

use protocol::frame::SegmentHeader;
use zerocopy::IntoBytes;

use super::block::block_of;
use super::disk::{Access, Disk, DiskFile};
use super::error::{AppendError, DiskFault};
use super::framer::{Placed, Roll};
use super::names;
use super::supply::{Supply, SupplyFault};

/// Writes what a framer has placed.
pub(super) struct Tail<D: Disk> {
    disk: Arc<D>,
    supply: Arc<Supply<D>>,
    number: u32,
    name: String,
    file: D::File,
    failed: bool,
}

impl<D: Disk> Tail<D> {
    /// Continues in segment `number`, whose header is on disk.
    pub(super) fn resume(disk: Arc<D>, supply: Arc<Supply<D>>, number: u32) -> Result<Self, DiskFault> {
        let name = names::segment(number);
        let file = disk.open(&name, Access::Commit).map_err(DiskFault::of("open", &name))?;
        Ok(Self { disk, supply, number, name, file, failed: false })
    }

    /// Takes the next pre-written segment and makes `header` durable in it.
    pub(super) fn begin(disk: Arc<D>, supply: Arc<Supply<D>>, header: &SegmentHeader) -> Result<Self, AppendError> {
        let number = header.segment.get();
        supply.obtain(number).map_err(append_error)?;
        let tail = Self::resume(disk, supply, number)?;
        tail.write(block_of(header.as_bytes()).bytes(), 0)?;
        tail.supply.begin(number);
        Ok(tail)
    }

    /// Number of the segment that is written.
    pub(super) fn segment(&self) -> u32 {
        self.number
    }

    pub(super) fn disk(&self) -> &Arc<D> {
        &self.disk
    }

    pub(super) fn supply(&self) -> &Arc<Supply<D>> {
        &self.supply
    }

    /// Makes a closed frame durable, after the seal and header that it may need. On [`AppendError::Full`] nothing was
    /// written; after [`AppendError::Disk`] every call fails.
    pub(super) fn commit(&mut self, placed: &Placed, blocks: &[u8]) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::Failed);
        }
        let done = self.try_commit(placed, blocks);
        self.failed = matches!(done, Err(AppendError::Disk(_)));
        done
    }

    fn try_commit(&mut self, placed: &Placed, blocks: &[u8]) -> Result<(), AppendError> {
        if let Some(roll) = &placed.roll {
            self.roll(roll)?;
        }
        Ok(self.write(blocks, placed.offset)?)
    }

    /// In this order, each step durable before the next: the next segment exists, the old one is sealed, the new one has its
    /// header. A crash between any two leaves a journal that recovery continues without a word.
    fn roll(&mut self, roll: &Roll) -> Result<(), AppendError> {
        self.supply.obtain(roll.header.segment.get()).map_err(append_error)?;
        self.write(block_of(roll.seal.as_bytes()).bytes(), roll.seal_offset)?;
        *self = Self::begin(self.disk.clone(), self.supply.clone(), &roll.header)?;
        Ok(())
    }

    fn write(&self, blocks: &[u8], offset: u64) -> Result<(), DiskFault> {
        self.file.write_at(blocks, offset).map_err(DiskFault::of("write", &self.name))?;
        self.file.sync().map_err(DiskFault::of("sync", &self.name))
    }
}

pub(super) fn append_error(fault: SupplyFault) -> AppendError {
    match fault {
        SupplyFault::Full => AppendError::Full,
        SupplyFault::Disk(fault) => AppendError::Disk(fault),
    }
}
