//! Tests of complete updates in which the power fails before, during or after each flash operation.
//!
//! A *script* is a sequence of updates. It is run once for each flash operation and each way in which that operation
//! can be interrupted, with each write unit that flash may have. After the power failure the device is switched on
//! several times, while its unstable bits change, and must run the old or the new model each time. Then it must accept
//! another update. `cargo test --lib slots -- --nocapture` prints the counts.

mod sequential_storage;

use std::format;
use std::string::{String, ToString};

use super::*;
use crate::flash::simulated::{CUT_WAYS, NO_POWER};

/// A step of a script.
#[derive(Clone, Copy)]
enum Step<'m> {
    /// Switch the device on, and confirm its model.
    Boot,
    /// Receive a package; the second value is its device file.
    Load(&'m [u8], &'m [u8]),
    /// Receive a package that must be refused.
    Refused(&'m [u8]),
    Activate,
    Rollback,
    Erase,
}

/// The models that the device may run.
#[derive(Clone)]
struct Expected {
    current: Vec<u8>,
    next: Option<Vec<u8>>,
    /// The model in the standby slot.
    standby: Option<Vec<u8>>,
}

impl Expected {
    fn allows(&self, served: &[u8]) -> bool {
        served == self.current || self.next.as_deref() == Some(served)
    }

    /// Updates the expectation after `served` was confirmed.
    fn confirmed(&mut self, served: &[u8]) {
        if self.current != served {
            self.standby = Some(core::mem::replace(&mut self.current, served.to_vec()));
        }
        self.next = None;
    }
}

/// Runs a script until the power fails or the script ends.
fn run_script<const WRITE: usize, S: Store>(
    device: &Device<WRITE>,
    store: &impl Fn(Flash<WRITE>) -> S,
    expected: &mut Expected,
    steps: &[Step<'_>],
) -> Result<(), String> {
    let is_gone = || device.power.borrow().is_gone;
    let mut on = device.on_with(store);
    for (number, step) in steps.iter().enumerate() {
        let result = match *step {
            Step::Boot => {
                on = device.on_with(store);
                if is_gone() { Ok(()) } else { confirm(&mut on, expected) }
            }
            Step::Load(package, file) => {
                let result = on.load(package).map(drop);
                (expected.standby, expected.next) = (Some(file.to_vec()), None);
                result.map_err(|reason| reason.to_string())
            }
            Step::Refused(package) => {
                expected.standby = None;
                on.load(package).map_or(Ok(()), |_| Err("it is accepted".into()))
            }
            Step::Activate | Step::Rollback => {
                expected.next.clone_from(&expected.standby);
                let is_activate = matches!(step, Step::Activate);
                let result = if is_activate { on.activate().map(drop) } else { on.rollback().map(drop) };
                result.map_err(|reason| reason.to_string())
            }
            Step::Erase => {
                expected.standby = None;
                on.slots.erase(&mut || true).map(drop).map_err(|reason| reason.to_string())
            }
        };
        // Every error is allowed in the step in which the power fails.
        if is_gone() {
            return Ok(());
        }
        result.map_err(|error| format!("step {number}: {error}"))?;
    }
    Ok(())
}

/// Checks the model that runs after a boot, and confirms it.
fn confirm<const WRITE: usize, S: Store>(on: &mut On<WRITE, S>, expected: &mut Expected) -> Result<(), String> {
    let events = &on.boot.events;
    let Some(served) = on.serves() else {
        return Err(format!("no model runs, {events:?} {:?}", on.slots.record()));
    };
    if !expected.allows(&served) {
        return Err(format!("the running model is neither the old nor the new one: {events:?}"));
    }
    let result = on.slots.confirm();
    // If the power fails in this confirmation, either model may run at the next boot.
    if result.is_ok() && expected.next.is_some() && served != expected.current {
        expected.confirmed(&served);
    }
    result.map(drop).map_err(|reason| reason.to_string())
}

/// Checks a device after a power failure: at every start it must run a model, and it must accept another one.
fn check_recovery<const WRITE: usize, S: Store>(
    device: &Device<WRITE>,
    store: &impl Fn(Flash<WRITE>) -> S,
    expected: &mut Expected,
    fresh: (&[u8], &[u8]),
) -> Result<(), String> {
    device.power.borrow_mut().switch_on(None);
    run_script(device, store, expected, &[Step::Boot; 4])?;
    let update = [Step::Boot, Step::Load(fresh.0, fresh.1), Step::Activate, Step::Boot, Step::Boot];
    run_script(device, store, expected, &update)?;
    if expected.current == fresh.1 { Ok(()) } else { Err("it does not accept another model".into()) }
}

/// The device files and packages of a script.
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
        let trusted = is_signed.then(|| TrustedKey::new(signer.verifying_key().to_bytes()));
        Models { files, packages, older, trusted }
    }

    /// An update, a rollback, a refused package, another update, and an erase.
    fn script(&self) -> Vec<Step<'_>> {
        let load = |i: usize| Step::Load(&self.packages[i], &self.files[i]);
        use Step::{Activate, Boot, Erase, Refused, Rollback};
        let parts: [&[Step<'_>]; 4] = [
            &[Boot, load(1), Activate, Boot, Boot],
            &[Rollback, Boot],
            &[Refused(&self.older), load(2), Activate, Boot],
            &[Erase, load(3), Boot],
        ];
        parts.concat()
    }

    fn device<const WRITE: usize>(&self) -> (Device<WRITE>, Expected) {
        let expected = Expected { current: self.files[0].to_vec(), next: None, standby: None };
        (Device::new(&self.packages[0], self.trusted), expected)
    }

    fn fresh(&self) -> (&[u8], &[u8]) {
        (&self.packages[4], &self.files[4])
    }
}

/// The counts of a test.
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

/// Lets the power fail once, at every operation and in every way.
fn one_cut<const WRITE: usize, S: Store>(models: &Models, store: impl Fn(Flash<WRITE>) -> S) -> Figures {
    // Verifying signatures takes longer than everything else together, so fewer ways are tried.
    let ways = (0..CUT_WAYS).step_by(if models.trusted.is_some() { 4 } else { 1 });
    let script = models.script();
    let (device, mut expected) = models.device::<WRITE>();
    let mut figures = Figures::default();
    run_script(&device, &store, &mut expected, &script).expect("the script succeeds without a power failure");
    figures.operations = device.power.borrow().operations;
    for (at, way) in (1..=figures.operations).flat_map(|at| ways.clone().map(move |way| (at, way))) {
        let (device, mut expected) = models.device::<WRITE>();
        device.power.borrow_mut().switch_on(Some((at, way)));
        let outcome = run_script(&device, &store, &mut expected, &script);
        let result = outcome.and_then(|()| check_recovery(&device, &store, &mut expected, models.fresh()));
        figures.count(&device.power.borrow(), result, || format!("unit of {WRITE}, cut {at} in way {way}"));
    }
    figures
}

/// Lets the power fail several times: in the script, and in the boots and updates after it.
fn several_cuts<const WRITE: usize>(models: &Models, runs: u32, most: i64) -> Figures {
    let (script, store) = (models.script(), Journal::new);
    let mut figures = Figures::default();
    for number in 0..runs {
        let (device, mut expected) = models.device::<WRITE>();
        let mut random = tern_runtime::testing::Random(u64::from(number) << 8 | WRITE as u64);
        let mut cut = |last| Some((random.between(1, last) as u32, random.between(0, i64::from(CUT_WAYS) - 1) as u32));
        device.power.borrow_mut().switch_on(cut(100));
        let mut outcome = run_script(&device, &store, &mut expected, &script);
        let again =
            [Step::Boot, Step::Boot, Step::Load(&models.packages[1], &models.files[1]), Step::Activate, Step::Boot];
        for _ in 1..most {
            device.power.borrow_mut().switch_on(cut(12));
            outcome = outcome.and_then(|()| run_script(&device, &store, &mut expected, &again));
        }
        let result = outcome.and_then(|()| check_recovery(&device, &store, &mut expected, models.fresh()));
        figures.count(&device.power.borrow(), result, || format!("unit of {WRITE}, run {number} with {most} cuts"));
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
        ("write unit of 1 byte", one_cut::<1, _>(&unsigned, Journal::new)),
        ("write unit of 4 bytes", one_cut::<4, _>(&unsigned, Journal::new)),
        ("write unit of 8 bytes", one_cut::<8, _>(&unsigned, Journal::new)),
        ("write unit of 16 bytes", one_cut::<16, _>(&unsigned, Journal::new)),
        ("write unit of 8 bytes, signed models", one_cut::<8, _>(&signed, Journal::new)),
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
        for figures in [several_cuts::<1>(&models, 400, most), several_cuts::<16>(&models, 400, most)] {
            report(&format!("{most} cuts in a row"), &figures);
            assert_eq!((figures.failures, figures.overwritten), (0, 0), "{figures:?}");
        }
    }
}

/// The simple and wrong order: erase the old record, then write the new one.
struct InPlace<F>(F);

impl<F: NorFlash<Error = NorFlashErrorKind>> Store for InPlace<F> {
    type Error = NorFlashErrorKind;

    fn read(&mut self) -> Result<Option<Record>, NorFlashErrorKind> {
        let mut bytes = [0; 64];
        self.0.read(0, &mut bytes)?;
        Ok(Record::decode(&bytes).map(|(_, record)| record))
    }

    fn commit(&mut self, record: &Record) -> Result<(), NorFlashErrorKind> {
        self.0.erase(0, F::ERASE_SIZE as u32)?;
        self.0.write(0, &record.encode(1))
    }
}

#[test]
fn the_power_cut_test_finds_a_record_that_is_erased_before_the_next_is_written() {
    let figures = one_cut::<4, _>(&Models::new(false), InPlace);
    report("erased in place", &figures);
    assert!(figures.failures > 20, "{figures:?}");
}
