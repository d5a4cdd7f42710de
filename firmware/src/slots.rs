//! The two model slots, and the choice of the model that runs. `docs/update.md` specifies their behaviour.
//!
//! [`Slots::boot`] finds the model to run, and [`Slots::confirm`] records that it has passed its trial. A new model is
//! [received](Slots::begin) piece by piece into the *standby* slot, which does not run, and
//! [activated](Slots::activate). Each step commits the [`Record`] to the [`Journal`], so that after a loss of power at
//! any moment the device still has a model to run.

mod journal;
mod model_checks;
mod package;
mod receiving;
mod record;
mod slot_error;
#[cfg(test)]
mod tests;

use embedded_storage::nor_flash::NorFlashError;

use self::model_checks::{check_fit, check_golden, check_version};
use self::package::Package;
use self::receiving::Receiving;
use crate::crc32::crc32;
use crate::flash::Partition;
use crate::loaded_model::{Refusal, is_blank};

pub use journal::{Journal, Store};
pub use model_checks::MAX_CHECK_SECONDS;
pub use package::{KeepAlive, TrustedKey};
pub use record::{Record, Slot, SlotIndex, State};
pub use slot_error::SlotError;

type Result<T, E = SlotError> = core::result::Result<T, E>;

/// An event of a boot that concerns the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootEvent {
    /// The new model in this slot is on trial.
    Trial(SlotIndex),
    /// The model in this slot failed its trial and is given up. The previous model runs, if there is one.
    FellBack(SlotIndex, SlotError),
    /// The model in this slot should run, but it is damaged or refused.
    Damaged(SlotIndex, SlotError),
}

/// The events of one boot, in their order: at most one for the trial, and one for each slot.
pub type BootEvents = heapless::Vec<BootEvent, 3>;

/// The result of a boot.
#[derive(Debug)]
pub struct Boot<F> {
    /// The slot whose model runs, with its contents; or the reason why no model runs.
    pub serving: Result<(SlotIndex, F), Refusal>,
    /// The events, for the lines before the banner.
    pub events: BootEvents,
}

/// The two slots and the record about them.
#[derive(Debug)]
pub struct Slots<P: Partition, S = Journal<P>> {
    store: S,
    record: Record,
    /// The flash of slots A and B; `None` for the slot whose model runs, which is frozen.
    partitions: [Option<P>; 2],
    /// The key that models must be signed with; with `None`, they need no signature.
    trusted: Option<TrustedKey>,
    /// Length in bytes of the smaller slot.
    capacity: u32,
    /// The transfer in progress, if there is one.
    receiving: Option<Receiving>,
}

impl<P: Partition, S: Store> Slots<P, S> {
    /// Opens the slots with the record from the store.
    fn open(mut store: S, partitions: [P; 2], trusted: Option<TrustedKey>) -> Self {
        // A store that cannot be read is treated as an empty one: slot A may still hold a model.
        let record = store.read().ok().flatten().unwrap_or(Record::FACTORY);
        let [a, b] = partitions.each_ref().map(|partition| partition.capacity() as u32);
        let partitions = partitions.map(Some);
        let mut slots = Slots { store, record, partitions, trusted, capacity: a.min(b), receiving: None };
        // `FACTORY` assumes a model in slot A; erased flash shows that none was written.
        if slots.record == Record::FACTORY && is_blank(slots.contents(SlotIndex::A)) {
            (slots.record.slots, slots.record.active) = ([Slot::EMPTY; 2], None);
        }
        slots
    }

    /// Boots without running a model, after several boots in a row that did not reach the prompt. A trial that was
    /// interrupted is recorded as failed.
    pub fn boot_without_model(store: S, partitions: [P; 2], trusted: Option<TrustedKey>) -> (Self, Boot<P::Frozen>) {
        let mut slots = Slots::open(store, partitions, trusted);
        let mut events = BootEvents::new();
        for index in SlotIndex::ALL {
            if slots.record.slot(index).state == State::Trial {
                slots.fall_back(index, SlotError::Unfinished, &mut events);
            }
        }
        (slots, Boot { serving: Err(Refusal::RepeatedFailures), events })
    }

    /// Finds the model to run, and freezes its slot: the activated model, or else the active one, or else the other
    /// confirmed one. With a `trusted` key, signatures are verified, except that of an active model that was received,
    /// which is verified in its trial. `scratch` is the memory that the model will have; its contents are lost.
    pub fn boot(
        store: S,
        partitions: [P; 2],
        trusted: Option<TrustedKey>,
        scratch: &mut [i32],
        keep_alive: KeepAlive<'_>,
    ) -> (Self, Boot<P::Frozen>) {
        let mut slots = Slots::open(store, partitions, trusted);
        let mut events = BootEvents::new();
        let mut chosen = None;
        // Starts the trial of a model, or ends one that was interrupted.
        for index in SlotIndex::ALL {
            match slots.record.slot(index).state {
                State::Activated => match slots.start_trial(index, scratch, keep_alive) {
                    Ok(()) => {
                        chosen = Some(index);
                        add_event(&mut events, BootEvent::Trial(index));
                    }
                    Err(error) => slots.fall_back(index, error, &mut events),
                },
                State::Trial => slots.fall_back(index, SlotError::Unfinished, &mut events),
                State::Empty | State::Received | State::Confirmed | State::Failed => (),
            }
        }
        if let (None, Some(active)) = (chosen, slots.record.active) {
            // The other slot serves if the active one is damaged.
            for index in [active, active.other()] {
                if slots.record.slot(index).state != State::Confirmed {
                    continue;
                }
                keep_alive();
                match slots.check_confirmed(index, index == active, scratch, keep_alive) {
                    Ok(()) => {
                        chosen = Some(index);
                        break;
                    }
                    Err(error) => add_event(&mut events, BootEvent::Damaged(index, error)),
                }
            }
        }
        let serving = chosen.and_then(|index| {
            let partition = slots.partitions[index as usize].take()?;
            Some((index, partition.freeze()))
        });
        // The reason if no model runs.
        let last_error = events.iter().rev().find_map(|event| match event {
            BootEvent::Trial(_) => None,
            BootEvent::FellBack(_, error) | BootEvent::Damaged(_, error) => Some(error),
        });
        let refusal = last_error.map_or(Refusal::Empty, SlotError::refusal);
        (slots, Boot { serving: serving.ok_or(refusal), events })
    }

    /// The record about the slots.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The slot whose model runs, if one does.
    pub fn serving(&self) -> Option<SlotIndex> {
        SlotIndex::ALL.iter().copied().find(|&index| self.partitions[index as usize].is_none())
    }

    /// The slot that a new model is received into: the one that does not run, or slot A if no model runs.
    pub fn standby(&self) -> SlotIndex {
        self.serving().map_or(SlotIndex::A, SlotIndex::other)
    }

    /// Returns true if models must be signed.
    pub fn wants_signature(&self) -> bool {
        self.trusted.is_some()
    }

    /// Length in bytes of the smaller slot, and so of the longest package.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Begins to receive a package of `bytes` bytes into the [standby](Slots::standby) slot, whose contents are lost.
    /// If the package is empty or longer than a slot, the result is an error and nothing changes.
    pub fn begin(&mut self, bytes: u32) -> Result<()> {
        let capacity = self.capacity;
        if bytes == 0 {
            return Err(SlotError::NoBytes);
        }
        if bytes > capacity {
            return Err(SlotError::TooLong { found: bytes, capacity });
        }
        self.clear()?;
        self.receiving = Some(Receiving::new(bytes));
        Ok(())
    }

    /// Writes the next piece of the package, as [`Receiving::write`] specifies.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        let standby = self.standby();
        let (Some(receiving), Some(flash)) = (&mut self.receiving, &mut self.partitions[standby as usize]) else {
            debug_assert!(false, "a transfer has begun, and the standby slot is not frozen");
            return Ok(());
        };
        receiving.write(flash, piece)
    }

    /// Ends a transfer: checks that the package is complete and valid, records it, and returns the record about its
    /// slot. If the package is refused, the slot stays recorded as empty.
    pub fn finish(&mut self, keep_alive: KeepAlive<'_>) -> Result<Slot> {
        let standby = self.standby();
        let Some(receiving) = self.receiving.take() else {
            return Err(SlotError::NoBytes);
        };
        let mut slot = receiving.finish()?;
        slot.version = self.accept(standby, &slot, keep_alive)?;
        self.change(|record| *record.slot_mut(standby) = slot)?;
        Ok(slot)
    }

    /// Ends an incomplete transfer, if there is one. The slot stays recorded as empty.
    pub fn abandon(&mut self) {
        self.receiving = None;
    }

    /// Confirms the model on trial and returns its slot: the model stays in use, and firmware with a key refuses to
    /// receive older versions from now on. Returns `None` and changes nothing if no model is on trial. After an error
    /// the next boot returns to the previous model.
    pub fn confirm(&mut self) -> Result<Option<SlotIndex>> {
        let Some(index) = self.serving() else { return Ok(None) };
        let Slot { state, version, .. } = *self.record.slot(index);
        if state != State::Trial {
            return Ok(None);
        }
        self.change(|record| {
            let slot = record.slot_mut(index);
            (slot.state, slot.proven) = (State::Confirmed, true);
            record.active = Some(index);
            record.min_version = record.min_version.max(version);
        })?;
        Ok(Some(index))
    }

    /// Runs all checks on the model in the standby slot, makes the next boot try it, and returns the slot. After an
    /// error nothing has changed. `scratch` is the memory that the model will have; its contents are lost.
    pub fn activate(&mut self, scratch: &mut [i32], keep_alive: KeepAlive<'_>) -> Result<SlotIndex> {
        let standby = self.standby();
        if self.record.slot(standby).state == State::Empty {
            return Err(SlotError::Empty);
        }
        self.check(standby, scratch, keep_alive)?;
        self.change(|record| record.slot_mut(standby).state = State::Activated)?;
        Ok(standby)
    }

    /// Cancels an activation that no boot has tried, or else [activates](Slots::activate) the previous model. Returns
    /// the standby slot and its new state. Fails with [`SlotError::NothingBefore`] if neither is possible. After an
    /// error nothing has changed.
    pub fn rollback(&mut self, scratch: &mut [i32], keep_alive: KeepAlive<'_>) -> Result<(SlotIndex, State)> {
        let standby = self.standby();
        let Slot { state, proven, .. } = *self.record.slot(standby);
        match (state, proven) {
            (State::Activated, _) => {
                let state_before = if proven { State::Confirmed } else { State::Received };
                self.change(|record| record.slot_mut(standby).state = state_before)?;
                Ok((standby, state_before))
            }
            (_, true) => Ok((self.activate(scratch, keep_alive)?, State::Activated)),
            (_, false) => Err(SlotError::NothingBefore),
        }
    }

    /// Erases the standby slot, and returns it.
    pub fn erase(&mut self, keep_alive: KeepAlive<'_>) -> Result<SlotIndex> {
        self.clear()?;
        let standby = self.standby();
        if let Some(flash) = &mut self.partitions[standby as usize] {
            let mut from = 0;
            while from < flash.capacity() as u32 {
                let to = from + P::ERASE_SIZE as u32;
                flash.erase(from, to).map_err(|error| SlotError::Flash(error.kind()))?;
                from = to;
                // Only feeds the watchdog: an erase must be completed, so its time limit is ignored.
                keep_alive();
            }
        }
        Ok(standby)
    }

    /// Applies `edit` to the record, first in flash and then in memory. After an error the record in memory is
    /// unchanged.
    fn change(&mut self, edit: impl FnOnce(&mut Record)) -> Result<()> {
        let mut record = self.record;
        edit(&mut record);
        self.store.commit(&record).map_err(|error| SlotError::Flash(error.kind()))?;
        self.record = record;
        Ok(())
    }

    /// Records the standby slot as empty, before its contents change. The record is committed even if the slot was
    /// recorded as empty before: the write of the earlier record may have been interrupted, so its bits may not be
    /// stable.
    fn clear(&mut self) -> Result<()> {
        self.receiving = None;
        // The running model has passed its trial, but this may not be recorded: the first commit may have failed.
        self.confirm()?;
        let (standby, serving) = (self.standby(), self.serving());
        self.change(|record| {
            *record.slot_mut(standby) = Slot::EMPTY;
            // If no model runs, the one that was active may be in the standby slot.
            record.active = serving;
        })
    }

    /// Commits that a trial has begun, and runs its checks.
    fn start_trial(&mut self, index: SlotIndex, scratch: &mut [i32], keep_alive: KeepAlive<'_>) -> Result<()> {
        self.change(|record| record.slot_mut(index).state = State::Trial)?;
        self.check(index, scratch, keep_alive)
    }

    /// Records that the trial of a model has failed because of `error`. If this cannot be committed, the next boot
    /// handles the slot again.
    fn fall_back(&mut self, index: SlotIndex, error: SlotError, events: &mut BootEvents) {
        let _ = self.change(|record| record.slot_mut(index).state = State::Failed);
        add_event(events, BootEvent::FellBack(index, error));
    }

    /// Checks a confirmed model before it runs, and makes its slot the active one. The model of the active slot passed
    /// all checks in its trial, so its checksum, format and size suffice. All checks are run on the model of the other
    /// slot, and on one that a host's flashing tool wrote, which has no recorded checksum.
    fn check_confirmed(
        &mut self,
        index: SlotIndex,
        is_active: bool,
        scratch: &mut [i32],
        keep_alive: KeepAlive<'_>,
    ) -> Result<()> {
        let slot = *self.record.slot(index);
        if is_active && !slot.is_flashed() {
            let package = self.package(index, &slot)?;
            check_fit(&package, &package.model()?, scratch)?;
        } else {
            self.check(index, scratch, keep_alive)?;
        }
        if is_active { Ok(()) } else { self.change(|record| record.active = Some(index)) }
    }

    /// Runs all checks on a slot's model. The version of a model that was ever confirmed is not checked.
    fn check(&mut self, index: SlotIndex, scratch: &mut [i32], keep_alive: KeepAlive<'_>) -> Result<()> {
        let (slot, min_version, trusted) = (*self.record.slot(index), self.record.min_version, self.trusted);
        let package = self.package(index, &slot)?;
        keep_alive();
        package.verify(trusted.as_ref(), keep_alive)?;
        keep_alive();
        if !slot.proven {
            check_version(&package, min_version, trusted.is_some())?;
        }
        let model = package.model()?;
        keep_alive();
        check_fit(&package, &model, scratch)?;
        check_golden(&model, scratch, keep_alive)
    }

    /// Runs those checks on a received package that do not need scratch. Returns the version of the package.
    fn accept(&mut self, index: SlotIndex, slot: &Slot, keep_alive: KeepAlive<'_>) -> Result<u32> {
        let (min_version, trusted) = (self.record.min_version, self.trusted);
        let package = self.package(index, slot)?;
        keep_alive();
        package.model()?;
        keep_alive();
        package.verify(trusted.as_ref(), keep_alive)?;
        keep_alive();
        check_version(&package, min_version, trusted.is_some())?;
        Ok(package.version())
    }

    /// Returns the package in a slot. Fails if its checksum differs from that in `slot`, the record about it.
    fn package(&mut self, index: SlotIndex, slot: &Slot) -> Result<Package<'_>> {
        let contents = self.contents(index);
        if slot.is_flashed() {
            return Package::find(contents);
        }
        let bytes = contents.get(..slot.bytes as usize).unwrap_or(contents);
        let found = crc32(bytes);
        if found != slot.crc32 {
            return Err(SlotError::Changed { found, expected: slot.crc32 });
        }
        Package::parse(bytes)
    }

    /// The contents of a slot; empty if the slot is frozen.
    fn contents(&mut self, index: SlotIndex) -> &[u8] {
        self.partitions[index as usize].as_mut().map_or(&[], Partition::bytes)
    }
}

fn add_event(events: &mut BootEvents, event: BootEvent) {
    let pushed = events.push(event);
    debug_assert!(pushed.is_ok(), "one event for the trial, and one for each slot that should run");
}
