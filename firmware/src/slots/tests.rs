//! Tests of complete updates on a simulated flash that keeps its power.

mod power_cuts;

use std::vec::Vec;

use ed25519_dalek::SigningKey;
use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};
use tern_runtime::LoadError;
use tern_runtime::testing::{Aligned, Sizes, metadata, random_file, tensors};
use tern_runtime::write::to_bytes;

use super::package::tests::signed;
use super::*;
use crate::flash::simulated::{Cells, Power, Shared, Simulated};
use crate::loaded_model::LoadedModel;

const SIZES: Sizes = Sizes { embedding_dim: 2, hidden_size: 2, classes: 2 };
const ERASE: usize = 512;
const SCRATCH_WORDS: usize = 32;

/// A random model; each seed gives another one.
fn model(seed: u64) -> Aligned {
    random_file(seed, SIZES, "3")
}

fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The parts of a device that outlast its power.
struct Device<const WRITE: usize> {
    power: Shared<Power>,
    cells: [Shared<Cells>; 3],
    key: Option<TrustedKey>,
}

type Flash<const WRITE: usize> = Simulated<WRITE, ERASE>;

/// A device after power-on.
struct On<const WRITE: usize, S = Journal<Flash<WRITE>>> {
    slots: Slots<Flash<WRITE>, S>,
    boot: Boot<Aligned>,
}

impl<const WRITE: usize> Device<WRITE> {
    /// A device with `flashed` in its first slot.
    fn new(flashed: &[u8], key: Option<TrustedKey>) -> Self {
        let cells = Flash::<WRITE>::cells;
        Device { power: Power::new(1), cells: [cells(2, &[]), cells(8, flashed), cells(8, &[])], key }
    }

    fn on(&self) -> On<WRITE> {
        self.on_with(Journal::new)
    }

    /// The record and the two slots.
    fn flash(&self) -> [Flash<WRITE>; 3] {
        self.cells.each_ref().map(|cells| Simulated::new(cells, &self.power))
    }

    /// Switches the device on with another store than the firmware's.
    fn on_with<S: Store>(&self, store: impl Fn(Flash<WRITE>) -> S) -> On<WRITE, S> {
        let [record, a, b] = self.flash();
        let (slots, boot) = Slots::boot(store(record), [a, b], self.key, &mut [0; SCRATCH_WORDS], &mut || true);
        On { slots, boot }
    }
}

impl<const WRITE: usize, S: Store> On<WRITE, S> {
    /// The device file that runs.
    fn serves(&self) -> Option<Vec<u8>> {
        let (_, bytes) = self.boot.serving.as_ref().ok()?;
        Some(LoadedModel::from_slot(bytes).ok()?.file.to_vec())
    }

    fn load(&mut self, package: &[u8]) -> Result<Slot, SlotError> {
        self.slots.begin(package.len() as u32)?;
        package.chunks(256).try_for_each(|piece| self.slots.write(piece))?;
        self.slots.finish(&mut || true)
    }

    /// Loads and activates a package.
    fn install(&mut self, package: &[u8]) {
        self.load(package).unwrap();
        self.activate().unwrap();
    }

    fn activate(&mut self) -> Result<SlotIndex, SlotError> {
        self.slots.activate(&mut [0; SCRATCH_WORDS], &mut || true)
    }

    fn rollback(&mut self) -> Result<(SlotIndex, State), SlotError> {
        self.slots.rollback(&mut [0; SCRATCH_WORDS], &mut || true)
    }

    fn states(&self) -> [State; 2] {
        self.slots.record().slots.map(|slot| slot.state)
    }
}

#[test]
fn a_model_is_received_activated_confirmed_and_rolled_back() {
    use State::{Activated, Confirmed, Empty, Received, Trial};
    let (old, new) = (model(1), model(2));
    let device = Device::<4>::new(&old, None);
    let mut on = device.on();
    assert_eq!(on.serves().as_deref(), Some(&*old));
    assert_eq!((on.boot.events.len(), on.states()), (0, [Confirmed, Empty]));
    let slot = on.load(&new).unwrap();
    assert_eq!((slot.bytes as usize, slot.crc32), (new.len(), crc32(&new)));
    assert_eq!((on.states(), on.slots.serving()), ([Confirmed, Received], Some(SlotIndex::A)));
    assert_eq!(on.activate(), Ok(SlotIndex::B));
    assert_eq!(on.states(), [Confirmed, Activated]);

    let mut on = device.on();
    assert_eq!((on.serves().as_deref(), &*on.boot.events), (Some(&*new), &[BootEvent::Trial(SlotIndex::B)][..]));
    assert_eq!(on.states(), [Confirmed, Trial]);
    assert_eq!(on.slots.confirm(), Ok(Some(SlotIndex::B)));
    assert_eq!(on.slots.confirm(), Ok(None));

    let mut on = device.on();
    assert_eq!((on.serves().as_deref(), on.states()), (Some(&*new), [Confirmed, Confirmed]));
    assert_eq!(on.rollback(), Ok((SlotIndex::A, Activated)));
    // The second rollback cancels the first, and the third repeats it.
    assert_eq!(on.rollback(), Ok((SlotIndex::A, Confirmed)));
    assert_eq!(on.rollback(), Ok((SlotIndex::A, Activated)));
    let mut on = device.on();
    assert_eq!((on.serves().as_deref(), on.slots.confirm()), (Some(&*old), Ok(Some(SlotIndex::A))));
    assert_eq!(on.slots.erase(&mut || true), Ok(SlotIndex::B));
    assert_eq!((on.states(), on.activate()), ([Confirmed, Empty], Err(SlotError::Empty)));
    assert_eq!((on.rollback(), device.on().serves().as_deref()), (Err(SlotError::NothingBefore), Some(&*old)));
}

#[test]
fn a_trial_that_is_not_confirmed_returns_to_the_previous_model() {
    let (old, new) = (model(1), model(2));
    let device = Device::<4>::new(&old, None);
    device.on().install(&new);
    // The device stops before the trial is confirmed.
    assert_eq!(device.on().serves().as_deref(), Some(&*new));
    let mut on = device.on();
    assert_eq!(on.serves().as_deref(), Some(&*old));
    assert_eq!(&*on.boot.events, &[BootEvent::FellBack(SlotIndex::B, SlotError::Unfinished)]);
    assert_eq!(on.states(), [State::Confirmed, State::Failed]);
    // The model can be tried again.
    on.activate().unwrap();
    assert_eq!(device.on().slots.confirm(), Ok(Some(SlotIndex::B)));
    assert_eq!(device.on().serves().as_deref(), Some(&*new));
}

#[test]
fn a_changed_bit_in_flash_is_detected_and_the_other_model_runs() {
    let (old, new) = (model(1), model(2));
    let weight = new.iter().rposition(|&byte| byte != 0).unwrap() as u32 - 2;
    for is_confirmed in [false, true] {
        let device = Device::<1>::new(&old, None);
        device.on().install(&new);
        if is_confirmed {
            device.on().slots.confirm().unwrap();
        }
        Flash::<1>::new(&device.cells[2], &device.power).write(weight, &[0]).unwrap();
        let on = device.on();
        assert_eq!((on.serves().as_deref(), on.slots.record().active), (Some(&*old), Some(SlotIndex::A)));
        let is_reported = match on.boot.events[0] {
            BootEvent::FellBack(SlotIndex::B, SlotError::Changed { .. }) => !is_confirmed,
            BootEvent::Damaged(SlotIndex::B, SlotError::Changed { .. }) => is_confirmed,
            _ => false,
        };
        assert!(is_reported, "{:?}", on.boot.events);
    }
}

/// Loads `package` into a device that runs a model, and returns the reason for its refusal. Checks that the device
/// still runs its model, also after a reset.
fn refused(device: &Device<4>, package: &[u8]) -> SlotError {
    let serving = device.on().serves();
    let mut on = device.on();
    let reason = on.load(package).and_then(|_| on.activate()).expect_err("it is refused");
    assert_eq!(on.slots.serving(), Some(SlotIndex::A));
    assert_eq!((device.on().serves(), device.on().boot.events.len()), (serving, 0));
    reason
}

#[test]
fn models_that_may_not_run_are_refused_with_a_reason() {
    let old = model(1);
    let device = Device::<4>::new(&old, None);
    let refused = |bytes: &[u8]| refused(&device, bytes);
    assert_eq!(refused(&[b'x'; 5000]), SlotError::TooLong { found: 5000, capacity: 4096 });
    assert_eq!(refused(&[]), SlotError::NoBytes);
    assert!(matches!(refused(&model(2)[..700]), SlotError::File(LoadError::Truncated { found: 700, .. })));
    assert!(matches!(refused(b"not a model, but as long as one may be"), SlotError::File(_)));
    let mut other = model(2).to_vec();
    let at = other.windows(18).position(|w| w == b"\"tern.version\":\"1\"").unwrap() + 16;
    other[at] = b'2';
    let reason = refused(&other);
    assert_eq!(reason.code(), "wrong_version");
    let mut broken = signed(&model(2), 1, &signer());
    broken[700] ^= 4;
    assert!(matches!(refused(&broken), SlotError::Checksum { .. }));
    let large = random_file(1, Sizes { hidden_size: 16, ..SIZES }, "3");
    assert!(matches!(refused(&large), SlotError::Unfit(Refusal::Scratch { .. })));
    // Golden logits that the model does not compute.
    let wrong = to_bytes(&metadata("3"), tensors(2, SIZES));
    assert_eq!(refused(&wrong), SlotError::Golden { exact: 0, total: 3 });
}

/// A slot that is not in use may still hold an earlier model. Only slot A can hold one whose length is not recorded.
#[test]
fn the_transfer_of_an_empty_file_never_brings_an_earlier_model_back() {
    let signer = signer();
    let key = TrustedKey::new(signer.verifying_key().to_bytes());
    for key in [None, Some(key)] {
        let package = |seed, version| signed(&model(seed), version, &signer);
        let device = Device::<4>::new(&package(1, 1), key);
        device.on().install(&package(2, 2));
        device.on().slots.confirm().unwrap();
        // The flashed model of slot A is the earlier one.
        let mut on = device.on();
        on.slots.erase(&mut || true).unwrap();
        assert_eq!((on.load(&[]), on.activate()), (Err(SlotError::NoBytes), Err(SlotError::Empty)));
        on.load(&package(3, 3)).unwrap();
        assert_eq!(on.load(&[]), Err(SlotError::NoBytes));
        assert_eq!(on.states(), [State::Received, State::Confirmed]);
        assert_eq!(device.on().serves().as_deref(), Some(&*model(2)));

        // Records of earlier firmware after the transfer of an empty file.
        for (index, state) in [(SlotIndex::A, State::Received), (SlotIndex::B, State::Activated)] {
            let device = Device::<4>::new(&package(1, 1), key);
            if index == SlotIndex::A {
                device.on().install(&package(2, 2));
                device.on().slots.confirm().unwrap();
            }
            let serving = device.on().serves();
            let [record, ..] = device.flash();
            let mut journal = Journal::new(record);
            let mut record = journal.read().unwrap().unwrap_or(Record::FACTORY);
            *record.slot_mut(index) = Slot { state, ..Slot::EMPTY };
            journal.commit(&record).unwrap();
            let mut on = device.on();
            assert_eq!((on.serves(), on.activate()), (serving, Err(SlotError::Empty)));
        }
    }
}

#[test]
fn firmware_with_a_key_accepts_signed_models_and_no_older_ones() {
    let (signer, stranger) = (signer(), SigningKey::from_bytes(&[9; 32]));
    let key = signer.verifying_key().to_bytes();
    let device = Device::<4>::new(&signed(&model(1), 3, &signer), Some(TrustedKey::new(key)));
    assert_eq!(device.on().serves().as_deref(), Some(&*model(1)));
    assert_eq!(refused(&device, &model(2)), SlotError::Unsigned);
    assert!(matches!(refused(&device, &signed(&model(2), 4, &stranger)), SlotError::OtherKey { .. }));
    let mut forged = signed(&model(2), 4, &signer);
    let last = forged.len() - 1;
    forged[last - 40] ^= 1;
    assert_eq!(refused(&device, &forged), SlotError::Signature);

    device.on().install(&signed(&model(2), 5, &signer));
    device.on().slots.confirm().unwrap();
    let mut on = device.on();
    assert_eq!(on.slots.record().min_version, 5);
    // The previous model may return, since it has run here. A new model of the same age may not replace it.
    on.rollback().unwrap();
    device.on().slots.confirm().unwrap();
    let mut on = device.on();
    assert_eq!(on.serves().as_deref(), Some(&*model(1)));
    assert_eq!(on.load(&signed(&model(3), 4, &signer)), Err(SlotError::Downgrade { found: 4, min_version: 5 }));
    assert_eq!(on.states(), [State::Confirmed, State::Empty]);
    on.load(&signed(&model(3), 5, &signer)).unwrap();

    // An unsigned model that a flasher wrote does not run either.
    let device = Device::<4>::new(&model(1), Some(TrustedKey::new(key)));
    let on = device.on();
    assert_eq!((on.serves(), &*on.boot.events), (None, &[BootEvent::Damaged(SlotIndex::A, SlotError::Unsigned)][..]));
}

#[test]
fn slow_golden_examples_do_not_prevent_the_start() {
    let device = Device::<4>::new(&model(1), None);
    let boot = |alive: KeepAlive<'_>| {
        let [record, a, b] = device.flash();
        Slots::boot(Journal::new(record), [a, b], None, &mut [0; SCRATCH_WORDS], alive)
    };
    let mut calls = 0;
    let (mut slots, started) = boot(&mut || {
        calls += 1;
        calls < 9
    });
    assert_eq!((calls, started.serving.unwrap_err()), (9, Refusal::NotRun));
    assert_eq!(
        &*started.events,
        &[BootEvent::Damaged(SlotIndex::A, SlotError::Slow { seconds: MAX_CHECK_SECONDS })][..]
    );
    // Another model can be loaded. It cannot be activated either as long as its examples are too slow.
    slots.begin(model(2).len() as u32).unwrap();
    slots.write(&model(2)).unwrap();
    slots.finish(&mut || true).unwrap();
    let activate = |slots: &mut Slots<_>, is_alive| slots.activate(&mut [0; SCRATCH_WORDS], &mut || is_alive);
    assert_eq!(activate(&mut slots, false), Err(SlotError::Slow { seconds: MAX_CHECK_SECONDS }));
    assert_eq!(activate(&mut slots, true), Ok(SlotIndex::A));
    assert_eq!(boot(&mut || true).0.serving(), Some(SlotIndex::A));
}

#[test]
fn a_boot_without_a_model_gives_up_the_trial() {
    let (old, new) = (model(1), model(2));
    let device = Device::<4>::new(&old, None);
    device.on().install(&new);
    // The trial begins and hangs.
    device.on();
    let [record, a, b] = device.flash();
    let (slots, boot) = Slots::boot_without_model(Journal::new(record), [a, b], None);
    assert_eq!((slots.serving(), boot.serving.unwrap_err()), (None, Refusal::RepeatedFailures));
    assert_eq!(&*boot.events, &[BootEvent::FellBack(SlotIndex::B, SlotError::Unfinished)][..]);
    assert_eq!(device.on().serves().as_deref(), Some(&*old));
}

#[test]
fn an_empty_device_receives_its_first_model() {
    let device = Device::<16>::new(&[], None);
    let mut on = device.on();
    assert_eq!((on.serves(), on.boot.events.len(), on.slots.standby()), (None, 0, SlotIndex::A));
    on.install(&model(1));
    assert_eq!(device.on().slots.confirm(), Ok(Some(SlotIndex::A)));
    assert_eq!(device.on().serves().as_deref(), Some(&*model(1)));
}
