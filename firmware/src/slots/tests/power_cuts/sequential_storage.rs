//! The same test with the record in the crate `sequential-storage`, which fails it when bits are unstable.
//! `docs/update.md` quotes the figures printed here. `ekv` was not tried, because it writes at most 4 bytes at a time
//! according to its documentation.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use ::sequential_storage::cache::{Cache, Uncached};
use ::sequential_storage::map::{MapConfig, MapStorage};
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::*;

/// The simulated flash with the asynchronous traits that `sequential-storage` needs.
struct Async<const WRITE: usize>(Flash<WRITE>);

impl<const WRITE: usize> ErrorType for Async<WRITE> {
    type Error = NorFlashErrorKind;
}

impl<const WRITE: usize> ReadNorFlash for Async<WRITE> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        embedded_storage::nor_flash::ReadNorFlash::read(&mut self.0, offset, bytes)
    }

    fn capacity(&self) -> usize {
        embedded_storage::nor_flash::ReadNorFlash::capacity(&self.0)
    }
}

impl<const WRITE: usize> NorFlash for Async<WRITE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        embedded_storage::nor_flash::NorFlash::erase(&mut self.0, from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        embedded_storage::nor_flash::NorFlash::write(&mut self.0, offset, bytes)
    }
}

struct Sequential<const WRITE: usize>(MapStorage<u8, Async<WRITE>, Cache<Uncached, Uncached, Uncached, u8>>);

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the flash never waits"),
    }
}

impl<const WRITE: usize> Store for Sequential<WRITE> {
    type Error = NorFlashErrorKind;

    fn read(&mut self) -> Result<Option<Record>, NorFlashErrorKind> {
        let mut buffer = [0; 128];
        let found = now(self.0.fetch_item::<[u8; 64]>(&mut buffer, &0)).map_err(|_| NO_POWER)?;
        Ok(found.and_then(|bytes| Record::decode(&bytes)).map(|(_, record)| record))
    }

    fn commit(&mut self, record: &Record) -> Result<(), NorFlashErrorKind> {
        let mut buffer = [0; 128];
        now(self.0.store_item(&mut buffer, &0, &record.encode(1))).map_err(|_| NO_POWER)
    }
}

#[test]
fn sequential_storage_fails_the_power_cut_test() {
    fn store<const WRITE: usize>(flash: Flash<WRITE>) -> Sequential<WRITE> {
        let size = embedded_storage::nor_flash::ReadNorFlash::capacity(&flash) as u32;
        Sequential(MapStorage::new(Async(flash), MapConfig::new(0..size), Cache::new_uncached()))
    }
    let models = Models::new(false);
    let all = [
        ("sequential-storage, write unit of 1 byte", one_cut::<1, _>(&models, store)),
        ("sequential-storage, write unit of 4 bytes", one_cut::<4, _>(&models, store)),
    ];
    for (what, figures) in &all {
        report(what, figures);
        assert!(figures.failures > 0, "it passes now, so it could replace the journal");
    }
}
