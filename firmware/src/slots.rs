//! Two models, and which of them serves: `docs/update.md` is the contract.
//!
//! [`Slots::boot`] finds the model to serve, and [`Slots::confirm`] keeps it. Between, a model is [received](Slots::begin) piece by piece into
//! the slot that does not serve, and [activated](Slots::activate). Every step is a commit of the [`Record`] to the [`Journal`]; whatever the
//! power does between two of them, the device has a model to serve that it had before.

mod check;
mod journal;
mod package;
mod reason;
mod receive;
mod record;
#[cfg(test)]
mod tests;

use embedded_storage::nor_flash::NorFlashError;

use self::check::{fits, golden, is_new_enough};
use self::receive::Receiving;
use crate::classifier::{Found, Refusal};
use crate::crc32::crc32;
use crate::flash::{Partition, Partitions};

pub use check::{Alive, MOST_SECONDS};
pub use journal::{Journal, Store};
pub use package::{KEY_BYTES, Package, SIGNATURE_BYTES, TRAILER_BYTES, Trailer, Trusted};
pub use reason::Reason;
pub use record::{Index, Record, Slot, State};

/// What a boot found out about the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A new model is on trial in this slot.
    Trial(Index),
    /// This slot's model failed its trial; the model before it serves.
    FellBack(Index, Reason),
    /// This slot's model, which was to serve, is not whole any more.
    Damaged(Index, Reason),
}

/// What a boot serves.
#[derive(Debug)]
pub struct Boot<F> {
    /// The slot whose model serves, and its bytes; or why there is no model that runs.
    pub serving: Result<(Index, F), Refusal>,
    /// What is to be told, in the order in which it happened.
    pub news: heapless::Vec<News, 3>,
}

/// The slots and the record of them.
#[derive(Debug)]
pub struct Slots<P: Partition, S = Journal<P>> {
    store: S,
    record: Record,
    /// None: frozen, for its model serves.
    slots: [Option<P>; 2],
    trusted: Option<Trusted>,
    capacity: u32,
    receiving: Option<Receiving>,
}

impl<P: Partition> Slots<P> {
    /// Finds the model to serve. `trusted`: who must have signed a model; none: anybody. `scratch` is the memory that the model will have.
    pub fn boot(
        partitions: Partitions<P>,
        trusted: Option<Trusted>,
        scratch: &mut [i32],
        alive: Alive<'_>,
    ) -> (Self, Boot<P::Frozen>) {
        Slots::boot_from(Journal::new(partitions.record), partitions.slots, trusted, scratch, alive)
    }

    /// Serves no model, whatever there is. A trial that did not come to its end has failed.
    pub fn hold(partitions: Partitions<P>, trusted: Option<Trusted>) -> (Self, Boot<P::Frozen>) {
        let mut slots = Slots::open(Journal::new(partitions.record), partitions.slots, trusted);
        let mut news = heapless::Vec::new();
        for index in Index::ALL {
            if slots.record.slot(index).state == State::Trial {
                slots.give_up(index);
                // There is room: one for each slot.
                let _ = news.push(News::FellBack(index, Reason::Unfinished));
            }
        }
        (slots, Boot { serving: Err(Refusal::Held), news })
    }
}

impl<P: Partition, S: Store> Slots<P, S> {
    /// What the store knows of the slots.
    fn open(mut store: S, slots: [P; 2], trusted: Option<Trusted>) -> Self {
        // A store that cannot be read is as good as an empty one: there may be a model in slot A.
        let record = store.read().ok().flatten().unwrap_or(Record::FACTORY);
        let capacity = slots.each_ref().map(|slot| slot.capacity() as u32).into_iter().min().unwrap_or(0);
        let mut slots = Slots { store, record, slots: slots.map(Some), trusted, capacity, receiving: None };
        if slots.record == Record::FACTORY && slots.is_blank(Index::A) {
            (slots.record.slots, slots.record.active) = ([Slot::EMPTY; 2], None);
        }
        slots
    }

    /// As [`boot`](Slots::boot), with any store.
    pub fn boot_from(
        store: S,
        slots: [P; 2],
        trusted: Option<Trusted>,
        scratch: &mut [i32],
        alive: Alive<'_>,
    ) -> (Self, Boot<P::Frozen>) {
        let mut slots = Slots::open(store, slots, trusted);
        let mut news = heapless::Vec::new();
        let mut refusal = Refusal::Empty;
        // There is room: one for the trial, one for each slot that was to serve.
        let mut tell = |what| {
            if let News::FellBack(_, reason) | News::Damaged(_, reason) = what {
                refusal = reason.refusal();
            }
            let _ = news.push(what);
        };
        let mut chosen = None;
        for index in Index::ALL {
            match slots.record.slot(index).state {
                State::Activated => match slots.try_out(index, scratch, alive) {
                    Ok(()) => {
                        chosen = Some(index);
                        tell(News::Trial(index));
                    }
                    Err(reason) => {
                        slots.give_up(index);
                        tell(News::FellBack(index, reason));
                    }
                },
                State::Trial => {
                    slots.give_up(index);
                    tell(News::FellBack(index, Reason::Unfinished));
                }
                _ => (),
            }
        }
        if chosen.is_none()
            && let Some(active) = slots.record.active
        {
            for index in [active, active.other()] {
                if chosen.is_some() || slots.record.slot(index).state != State::Confirmed {
                    continue;
                }
                match slots.serve(index, index == active, scratch, alive) {
                    Ok(()) => chosen = Some(index),
                    Err(reason) => tell(News::Damaged(index, reason)),
                }
            }
        }
        let serving = chosen.and_then(|index| Some((index, slots.slots[index as usize].take()?.freeze())));
        (slots, Boot { serving: serving.ok_or(refusal), news })
    }

    /// What is known of the slots.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The slot that serves. None: no model does.
    pub fn serving(&self) -> Option<Index> {
        Index::ALL.into_iter().find(|&index| self.slots[index as usize].is_none())
    }

    /// The slot that a model is received into.
    pub fn standby(&self) -> Index {
        self.serving().map_or(Index::A, Index::other)
    }

    /// Whether models must be signed.
    pub fn wants_signature(&self) -> bool {
        self.trusted.is_some()
    }

    /// Bytes of a slot.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Keeps the model on trial: it serves from now on, and nothing older than it is loaded. Where none is on trial, nothing happens.
    ///
    /// # Errors
    /// [`Reason::Flash`]: the next boot will fall back.
    pub fn confirm(&mut self) -> Result<Option<Index>, Reason> {
        let on_trial = |index: &Index| self.record.slot(*index).state == State::Trial;
        let Some(index) = self.serving().filter(on_trial) else { return Ok(None) };
        let version = self.record.slot(index).version;
        self.change(|record| {
            let slot = record.slot_mut(index);
            (slot.state, slot.proven) = (State::Confirmed, true);
            record.active = Some(index);
            record.floor = record.floor.max(version);
        })?;
        Ok(Some(index))
    }

    /// Checks all of the standby slot's model, and has the next boot try it. `scratch` is the memory that it will have; what is in it is lost.
    ///
    /// # Errors
    /// [`Reason`]; nothing has changed then.
    pub fn activate(&mut self, scratch: &mut [i32], alive: Alive<'_>) -> Result<Index, Reason> {
        let standby = self.standby();
        if self.record.slot(standby).state == State::Empty {
            return Err(Reason::Empty);
        }
        self.check(standby, scratch, alive)?;
        self.change(|record| record.slot_mut(standby).state = State::Activated)?;
        Ok(standby)
    }

    /// Goes back: an activation that no boot has tried is taken back, and else the model that served before is
    /// [activated](Slots::activate). Gives what the standby slot is now.
    ///
    /// # Errors
    /// [`Reason`]; nothing has changed then.
    pub fn rollback(&mut self, scratch: &mut [i32], alive: Alive<'_>) -> Result<(Index, State), Reason> {
        let standby = self.standby();
        let Slot { state, proven, .. } = *self.record.slot(standby);
        match (state, proven) {
            (State::Activated, _) => {
                let back = if proven { State::Confirmed } else { State::Received };
                self.change(|record| record.slot_mut(standby).state = back)?;
                Ok((standby, back))
            }
            (_, true) => Ok((self.activate(scratch, alive)?, State::Activated)),
            (_, false) => Err(Reason::NothingBefore),
        }
    }

    /// Empties the standby slot.
    ///
    /// # Errors
    /// [`Reason::Flash`].
    pub fn erase(&mut self, alive: Alive<'_>) -> Result<Index, Reason> {
        self.clear()?;
        let standby = self.standby();
        if let Some(flash) = &mut self.slots[standby as usize] {
            let block = P::ERASE_SIZE as u32;
            for from in (0..flash.capacity() as u32).step_by(P::ERASE_SIZE) {
                flash.erase(from, from + block).map_err(|error| Reason::Flash(error.kind()))?;
                // However long it takes, it must come to its end.
                alive();
            }
        }
        Ok(standby)
    }

    // ---- steps ----

    /// Commits the record with a change; in memory it changes only when it has changed in flash.
    fn change(&mut self, change: impl FnOnce(&mut Record)) -> Result<(), Reason> {
        let mut record = self.record;
        change(&mut record);
        self.store.commit(&record).map_err(|error| Reason::Flash(error.kind()))?;
        self.record = record;
        Ok(())
    }

    /// The standby slot is empty by the record, before a bit of it changes. This is committed even where it was so: the record that
    /// said so may have been cut when it was written, and read well by luck.
    fn clear(&mut self) -> Result<(), Reason> {
        self.receiving = None;
        self.confirm()?;
        let (standby, serving) = (self.standby(), self.serving());
        self.change(|record| {
            *record.slot_mut(standby) = Slot::EMPTY;
            record.active = serving;
        })
    }

    /// Runs the checks of a trial. That it has begun is committed first.
    fn try_out(&mut self, index: Index, scratch: &mut [i32], alive: Alive<'_>) -> Result<(), Reason> {
        self.change(|record| record.slot_mut(index).state = State::Trial)?;
        self.check(index, scratch, alive)
    }

    /// A trial has failed. Where that cannot be committed, the next boot comes to the same end.
    fn give_up(&mut self, index: Index) {
        let _ = self.change(|record| record.slot_mut(index).state = State::Failed);
    }

    /// Whether a slot that was confirmed can serve. The active one was checked in full when it was tried, so its checksum suffices; a flasher's
    /// work has none.
    fn serve(&mut self, index: Index, is_active: bool, scratch: &mut [i32], alive: Alive<'_>) -> Result<(), Reason> {
        let slot = *self.record.slot(index);
        if is_active && slot.bytes != 0 {
            let package = self.package(index, &slot)?;
            fits(&package, scratch)?;
        } else {
            self.check(index, scratch, alive)?;
        }
        if is_active { Ok(()) } else { self.change(|record| record.active = Some(index)) }
    }

    /// All checks of a slot's model.
    fn check(&mut self, index: Index, scratch: &mut [i32], alive: Alive<'_>) -> Result<(), Reason> {
        let (slot, floor, trusted) = (*self.record.slot(index), self.record.floor, self.trusted);
        let package = self.package(index, &slot)?;
        package.verify(trusted.as_ref())?;
        if !slot.proven {
            is_new_enough(&package, floor, trusted.is_some())?;
        }
        fits(&package, scratch)?;
        golden(&package.model()?, scratch, alive)
    }

    /// The checks of a package that was received, but for those that take scratch. Gives its version.
    fn accept(&mut self, index: Index, slot: &Slot) -> Result<u32, Reason> {
        let (floor, trusted) = (self.record.floor, self.trusted);
        let package = self.package(index, slot)?;
        package.model()?;
        package.verify(trusted.as_ref())?;
        is_new_enough(&package, floor, trusted.is_some())?;
        Ok(package.version())
    }

    /// The package in a slot, which must be what the slot's record says.
    fn package(&mut self, index: Index, slot: &Slot) -> Result<Package<'_>, Reason> {
        let bytes = self.slots[index as usize].as_mut().map_or(&[][..], Partition::bytes);
        if slot.bytes == 0 {
            return Package::find(bytes);
        }
        let bytes = bytes.get(..slot.bytes as usize).unwrap_or(bytes);
        let found = crc32(bytes);
        if found != slot.crc32 {
            return Err(Reason::Changed { found, expected: slot.crc32 });
        }
        Package::parse(bytes)
    }

    fn is_blank(&mut self, index: Index) -> bool {
        let bytes = self.slots[index as usize].as_mut().map_or(&[][..], Partition::bytes);
        Found::is_blank(bytes)
    }
}
