//! Whole updates, with the power going at every operation of the flash and inside it.
//!
//! A life is a script of updates. It is lived once for each operation and each way in which that can be cut, at each write unit that flash
//! has. After the cut the device is switched on again and again while its unstable bits change their minds, and must serve the model from before
//! or the one that was on its way; then a further update must go through. `cargo test --lib slots -- --nocapture` prints the counts.

mod sequential_storage;

use std::format;
use std::string::String;

use super::*;
use crate::flash::simulated::{CUT_WAYS, Failed};

/// What happens in a life.
#[derive(Clone, Copy)]
enum Step<'m> {
    /// The device is switched on, and confirms.
    Boot,
    /// A package is received: that of the file.
    Load(&'m [u8], &'m [u8]),
    /// A package is received that must be refused.
    Refused(&'m [u8]),
    Activate,
    Rollback,
    Erase,
}

/// What a device may serve.
#[derive(Clone)]
struct Expected {
    current: Vec<u8>,
    next: Option<Vec<u8>>,
    /// What the slot holds that does not serve.
    standby: Option<Vec<u8>>,
}

impl Expected {
    fn allows(&self, served: &[u8]) -> bool {
        served == self.current || self.next.as_deref() == Some(served)
    }

    /// `served` was confirmed.
    fn confirmed(&mut self, served: &[u8]) {
        if self.current != served {
            self.standby = Some(core::mem::replace(&mut self.current, served.to_vec()));
        }
        self.next = None;
    }
}

/// Lives until the power goes or the script ends.
fn live<const WRITE: usize, S: Store>(
    device: &Device<WRITE>,
    store: &impl Fn(Flash<WRITE>) -> S,
    expected: &mut Expected,
    steps: &[Step<'_>],
) -> Result<(), String> {
    let is_gone = || device.power.borrow().is_gone;
    let mut on = device.on_with(store);
    for (number, step) in steps.iter().enumerate() {
        let fails = |what: &str| Err(format!("step {number}: {what}"));
        match *step {
            Step::Boot => {
                on = device.on_with(store);
                if is_gone() {
                    return Ok(());
                }
                let Some(served) = on.serves() else {
                    return fails(&format!("nothing serves, {:?} {:?}", on.boot.events, on.slots.record()));
                };
                if !expected.allows(&served) {
                    return fails(&format!("a model serves that is neither the old nor the new: {:?}", on.boot.events));
                }
                if expected.next.is_some() && served != expected.current {
                    // What the cut leaves is known only when this is done.
                    if on.slots.confirm().is_ok() {
                        expected.confirmed(&served);
                    }
                } else if let Err(reason) = on.slots.confirm()
                    && !is_gone()
                {
                    return fails(&format!("{reason}"));
                }
            }
            Step::Load(package, file) => {
                let result = on.load(package);
                if let (Err(reason), false) = (result, is_gone()) {
                    return fails(&format!("{reason}"));
                }
                (expected.standby, expected.next) = (Some(file.to_vec()), None);
            }
            Step::Refused(package) => {
                expected.standby = None;
                if on.load(package).is_ok() {
                    return fails("it is taken");
                }
            }
            Step::Activate | Step::Rollback => {
                expected.next.clone_from(&expected.standby);
                let result = match step {
                    Step::Activate => on.activate().err(),
                    _ => on.rollback().err(),
                };
                if let (Some(reason), false) = (result, is_gone()) {
                    return fails(&format!("{reason}"));
                }
            }
            Step::Erase => {
                expected.standby = None;
                if let (Err(reason), false) = (on.slots.erase(&mut || true), is_gone()) {
                    return fails(&format!("{reason}"));
                }
            }
        }
        if is_gone() {
            return Ok(());
        }
    }
    Ok(())
}

/// What a device must still do after its power went: serve, however often it is switched on, and take another model.
fn survives<const WRITE: usize, S: Store>(
    device: &Device<WRITE>,
    store: &impl Fn(Flash<WRITE>) -> S,
    expected: &mut Expected,
    fresh: (&[u8], &[u8]),
) -> Result<(), String> {
    device.power.borrow_mut().switch_on(None);
    live(device, store, expected, &[Step::Boot; 4])?;
    live(device, store, expected, &[Step::Boot, Step::Load(fresh.0, fresh.1), Step::Activate, Step::Boot, Step::Boot])?;
    if expected.current == fresh.1 { Ok(()) } else { Err("it takes no other model any more".into()) }
}

/// Files and packages of a life.
struct Models {
    files: [Aligned; 5],
    packages: [Vec<u8>; 5],
    older: Vec<u8>,
    trusted: Option<TrustedKey>,
}

impl Models {
    fn new(is_signed: bool) -> Self {
        let (signer, files) = (signer(), [1, 2, 3, 4, 5].map(model));
        let package = |file: &Aligned, version| if is_signed { signed(file, version, &signer) } else { file.to_vec() };
        let packages = [0, 1, 2, 3, 4].map(|i| package(&files[i], 2 + i as u32));
        let older = if is_signed { signed(&files[2], 1, &signer) } else { b"no device file at all".to_vec() };
        Models {
            files,
            packages,
            older,
            trusted: is_signed.then(|| TrustedKey::new(signer.verifying_key().to_bytes())),
        }
    }

    /// An update, one that is refused, a return to the model before, another update, and an erase.
    fn life(&self) -> [Step<'_>; 14] {
        let load = |i: usize| Step::Load(&self.packages[i], &self.files[i]);
        use Step::{Activate, Boot, Erase, Refused, Rollback};
        [
            Boot,
            load(1),
            Activate,
            Boot,
            Boot,
            Rollback,
            Boot,
            Refused(&self.older),
            load(2),
            Activate,
            Boot,
            Erase,
            load(3),
            Boot,
        ]
    }

    fn device<const WRITE: usize>(&self) -> (Device<WRITE>, Expected) {
        let expected = Expected { current: self.files[0].to_vec(), next: None, standby: None };
        (Device::new(&self.packages[0], self.trusted), expected)
    }

    fn fresh(&self) -> (&[u8], &[u8]) {
        (&self.packages[4], &self.files[4])
    }
}

/// What a sweep found.
#[derive(Debug, Default)]
struct Figures {
    operations: u32,
    cuts: u32,
    failures: u32,
    overwritten: u32,
    first: Option<String>,
}

impl Figures {
    fn count(&mut self, power: &Power, result: Result<(), String>, cut: impl Fn() -> String) {
        self.cuts += 1;
        self.overwritten += power.overwritten;
        if let Err(what) = result {
            self.failures += 1;
            self.first.get_or_insert_with(|| format!("{}: {what}", cut()));
        }
    }
}

/// Cuts at every operation, in every way.
fn sweep<const WRITE: usize, S: Store>(models: &Models, store: impl Fn(Flash<WRITE>) -> S) -> Figures {
    // Checking a signature takes longer than all else together.
    let ways = (0..CUT_WAYS).step_by(if models.trusted.is_some() { 4 } else { 1 });
    let life = models.life();
    let (device, mut expected) = models.device::<WRITE>();
    let mut figures = Figures::default();
    live(&device, &store, &mut expected, &life).expect("a life without a cut");
    figures.operations = device.power.borrow().operations;
    for (at, way) in (1..=figures.operations).flat_map(|at| ways.clone().map(move |way| (at, way))) {
        let (device, mut expected) = models.device::<WRITE>();
        device.power.borrow_mut().switch_on(Some((at, way)));
        let lived = live(&device, &store, &mut expected, &life);
        let result = lived.and_then(|()| survives(&device, &store, &mut expected, models.fresh()));
        figures.count(&device.power.borrow(), result, || format!("unit of {WRITE}, cut {at} in way {way}"));
    }
    figures
}

/// Cuts several times: in a life, and in the boots and the update after each.
fn sweep_many<const WRITE: usize>(models: &Models, lives: u32, most: i64) -> Figures {
    let (life, store) = (models.life(), Journal::new);
    let mut figures = Figures::default();
    for number in 0..lives {
        let (device, mut expected) = models.device::<WRITE>();
        let mut random = tern_runtime::testing::Random(u64::from(number) << 8 | WRITE as u64);
        let mut cut = |last| Some((random.between(1, last) as u32, random.between(0, i64::from(CUT_WAYS) - 1) as u32));
        device.power.borrow_mut().switch_on(cut(100));
        let mut lived = live(&device, &store, &mut expected, &life);
        let again =
            [Step::Boot, Step::Boot, Step::Load(&models.packages[1], &models.files[1]), Step::Activate, Step::Boot];
        for _ in 1..most {
            device.power.borrow_mut().switch_on(cut(12));
            lived = lived.and_then(|()| live(&device, &store, &mut expected, &again));
        }
        let result = lived.and_then(|()| survives(&device, &store, &mut expected, models.fresh()));
        figures.count(&device.power.borrow(), result, || format!("unit of {WRITE}, life {number} with {most} cuts"));
    }
    figures
}

fn report(what: &str, figures: &Figures) {
    let Figures { operations, cuts, failures, overwritten, first } = figures;
    std::println!(
        "{what}: {operations} operations, {cuts} cut points, {failures} failures, {overwritten} units overwritten"
    );
    if let Some(first) = first {
        std::println!("    first: {first}");
    }
}

#[test]
fn after_a_power_cut_anywhere_the_old_or_the_new_model_runs() {
    let mut cuts = 0;
    let (unsigned, signed) = (Models::new(false), Models::new(true));
    let all = [
        ("write unit of 1 byte", sweep::<1, _>(&unsigned, Journal::new)),
        ("write unit of 4 bytes", sweep::<4, _>(&unsigned, Journal::new)),
        ("write unit of 8 bytes", sweep::<8, _>(&unsigned, Journal::new)),
        ("write unit of 16 bytes", sweep::<16, _>(&unsigned, Journal::new)),
        ("write unit of 8 bytes, signed models", sweep::<8, _>(&signed, Journal::new)),
    ];
    for (what, figures) in &all {
        report(what, figures);
        assert_eq!((figures.failures, figures.overwritten), (0, 0), "{figures:?}");
        cuts += figures.cuts;
    }
    std::println!("one cut: {cuts} cut points, 0 failures");
    assert!(cuts > 5_000, "{cuts}");
}

#[test]
fn after_several_power_cuts_in_a_row_the_old_or_the_new_model_runs() {
    let models = Models::new(false);
    for most in [2, 3, 8] {
        for figures in [sweep_many::<1>(&models, 400, most), sweep_many::<16>(&models, 400, most)] {
            report(&format!("{most} cuts in a row"), &figures);
            assert_eq!((figures.failures, figures.overwritten), (0, 0), "{figures:?}");
        }
    }
}

/// The order that everybody writes first: erase the old record, write the new one.
struct InPlace<F>(F);

impl<F: NorFlash<Error = Failed>> Store for InPlace<F> {
    type Error = Failed;

    fn read(&mut self) -> Result<Option<Record>, Failed> {
        let mut bytes = [0; 64];
        self.0.read(0, &mut bytes)?;
        Ok(Record::decode(&bytes).map(|(_, record)| record))
    }

    fn commit(&mut self, record: &Record) -> Result<(), Failed> {
        self.0.erase(0, F::ERASE_SIZE as u32)?;
        self.0.write(0, &record.encode(1))
    }
}

#[test]
fn the_power_cut_test_finds_a_record_that_is_erased_before_the_next_is_written() {
    let figures = sweep::<4, _>(&Models::new(false), InPlace);
    report("erased in place", &figures);
    assert!(figures.failures > 20, "{figures:?}");
}
