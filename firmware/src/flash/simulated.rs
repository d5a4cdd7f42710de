//! Simulates NOR flash that loses its power: writes clear single bits, erases set the bits of a block, and an operation
//! that is interrupted is left half done.
//!
//! A bit that was interrupted while it changed is *unstable*: each read may give another value. Writing a 0 or erasing
//! makes it stable.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use tern_runtime::testing::{Aligned, Random};

use super::Partition;

/// The number of ways in which an operation can be interrupted; the `way` of [`Power::cut`] is taken modulo this. A
/// write is cut in five manners at each of four places, or after its last unit; an erase has seven ways.
pub(crate) const CUT_WAYS: u32 = 21;

/// The power supply of a device: counts the operations of the flash, and fails in the one that `cut` names.
#[derive(Debug)]
pub(crate) struct Power {
    /// Writes and erases since power-on.
    pub(crate) operations: u32,
    /// The operation in which the power fails, counted from 1, and the way in which that operation is interrupted.
    pub(crate) cut: Option<(u32, u32)>,
    /// True after the failure, until the power is switched on.
    pub(crate) is_gone: bool,
    /// Write units that were written twice without an erase, which flash with error correction does not allow.
    pub(crate) overwritten: u32,
    random: Random,
}

pub(crate) type Shared<T> = Rc<RefCell<T>>;

impl Power {
    pub(crate) fn new(seed: u64) -> Shared<Power> {
        let power = Power { operations: 0, cut: None, is_gone: false, overwritten: 0, random: Random(seed) };
        Rc::new(RefCell::new(power))
    }

    /// Switches the power on. It fails again in the operation that `cut` names.
    pub(crate) fn switch_on(&mut self, cut: Option<(u32, u32)>) {
        (self.operations, self.cut, self.is_gone) = (0, cut, false);
    }

    /// Counts an operation. Returns the way in which it is interrupted; `None` if it is not.
    fn operate(&mut self) -> Result<Option<u32>, NorFlashErrorKind> {
        if self.is_gone {
            return Err(NO_POWER);
        }
        self.operations += 1;
        match self.cut {
            Some((at, way)) if at == self.operations => {
                self.is_gone = true;
                Ok(Some(way % CUT_WAYS))
            }
            _ => Ok(None),
        }
    }
}

/// The error of every operation without power.
pub(crate) const NO_POWER: NorFlashErrorKind = NorFlashErrorKind::Other;

/// The state of the flash, which outlasts the power.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    bits: Vec<u8>,
    /// Bits that are set here are unstable.
    unstable: Vec<u8>,
    /// For each write unit: true if it was written since its erase.
    written: Vec<bool>,
}

/// A partition of simulated flash, with write units of `WRITE` bytes and erase blocks of `ERASE` bytes.
#[derive(Debug)]
pub(crate) struct Simulated<const WRITE: usize, const ERASE: usize> {
    cells: Shared<Cells>,
    power: Shared<Power>,
    /// The contents that [`Partition::bytes`] has read last.
    view: Aligned,
}

impl<const WRITE: usize, const ERASE: usize> Simulated<WRITE, ERASE> {
    /// The state of a flash of `blocks` erase blocks, with `content` at its beginning and the rest erased.
    pub(crate) fn cells(blocks: usize, content: &[u8]) -> Shared<Cells> {
        let mut bits = vec![0xff; blocks * ERASE];
        bits[..content.len()].copy_from_slice(content);
        let written = (0..bits.len() / WRITE).map(|unit| unit * WRITE < content.len()).collect();
        let unstable = vec![0; bits.len()];
        Rc::new(RefCell::new(Cells { bits, unstable, written }))
    }

    /// The flash with this state and this power supply.
    pub(crate) fn new(cells: &Shared<Cells>, power: &Shared<Power>) -> Self {
        Simulated { cells: Rc::clone(cells), power: Rc::clone(power), view: Aligned::new(&[]) }
    }

    /// Reads bytes; unstable bits read at random.
    fn look(&mut self, from: usize, length: usize) -> Vec<u8> {
        let (cells, mut power) = (self.cells.borrow(), self.power.borrow_mut());
        let range = from..from + length;
        if cells.unstable[range.clone()].iter().all(|&unstable| unstable == 0) {
            return cells.bits[range].to_vec();
        }
        // Sometimes all unstable bits of a read have the same value.
        let pattern = power.random.number() % 4;
        let pairs = cells.bits[range.clone()].iter().zip(&cells.unstable[range]);
        let values = pairs.map(|(&bits, &unstable)| {
            let noise = match pattern {
                0 => 0,
                1 => 0xff,
                _ if unstable != 0 => power.random.number() as u8,
                _ => 0,
            };
            (bits & !unstable) | (noise & unstable)
        });
        values.collect()
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for Simulated<WRITE, ERASE> {
    type Error = NorFlashErrorKind;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for Simulated<WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        if self.power.borrow().is_gone {
            return Err(NO_POWER);
        }
        let seen = self.look(offset as usize, bytes.len());
        bytes.copy_from_slice(&seen);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.borrow().bits.len()
    }
}

impl<const WRITE: usize, const ERASE: usize> NorFlash for Simulated<WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        for block in (from as usize..to as usize).step_by(ERASE) {
            let way = self.power.borrow_mut().operate()?;
            let (mut cells, mut power) = (self.cells.borrow_mut(), self.power.borrow_mut());
            for at in block..block + ERASE {
                let noise = power.random.number();
                let (set, unstable) = way.map_or((0xff, 0), |way| torn_erase(way, at - block, ERASE, noise));
                // A stable 1 stays a stable 1.
                let unstable = unstable & (!cells.bits[at] | cells.unstable[at]);
                cells.bits[at] |= set;
                cells.unstable[at] = (cells.unstable[at] & !set) | unstable;
                // A unit that is not completely erased may not be written again.
                if unstable != 0 || cells.bits[at] != 0xff {
                    cells.written[at / WRITE] = true;
                } else if at % WRITE == 0 {
                    cells.written[at / WRITE] = false;
                }
            }
            if way.is_some() {
                return Err(NO_POWER);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let way = self.power.borrow_mut().operate()?;
        let (mut cells, mut power) = (self.cells.borrow_mut(), self.power.borrow_mut());
        let units = bytes.len() / WRITE;
        // The units before this one are complete: none, a quarter, a half, three quarters or all of them.
        let torn_unit = way.map_or(units, |way| units * (way as usize / 5) / 4);
        // Without an interruption there is no torn unit, and the manner has no effect.
        let manner = way.unwrap_or(0) % 5;
        for unit in 0..units {
            let is_torn = unit == torn_unit;
            if unit > torn_unit || (is_torn && manner == 0) {
                break;
            }
            let first = offset as usize + unit * WRITE;
            power.overwritten += u32::from(core::mem::replace(&mut cells.written[first / WRITE], true));
            for at in first..first + WRITE {
                let (to_clear, noise) = (!bytes[at - offset as usize], power.random.number());
                let (done, unstable) = if is_torn { torn_write(manner, at - first, WRITE, noise) } else { (0xff, 0) };
                let may_be_set = cells.bits[at] | cells.unstable[at];
                cells.bits[at] &= !(to_clear & done);
                cells.unstable[at] = (cells.unstable[at] & !(to_clear & done)) | (to_clear & unstable & may_be_set);
            }
        }
        if way.is_some() { Err(NO_POWER) } else { Ok(()) }
    }
}

/// For byte `at` of a block of `length` bytes whose erase is interrupted: the bits that are set, and the bits that
/// become unstable. `noise`: random bits.
fn torn_erase(way: u32, at: usize, length: usize, noise: u64) -> (u8, u8) {
    let some = noise as u8;
    let is_first_half = at < length / 2;
    match way % 7 {
        0 => (0, 0),
        1 => (0xff, 0),
        2 => (if is_first_half { 0xff } else { 0 }, 0),
        3 => (if is_first_half { 0 } else { 0xff }, 0),
        4 => (some, 0),
        5 => (some, !some & (noise >> 8) as u8),
        _ => (0, 0xff),
    }
}

/// For byte `at` of a write unit of `length` bytes whose write is interrupted: the bits that are cleared if they should
/// be, and the bits that become unstable. `manner`: 1 to 4; in manner 0 the write of the unit does not begin.
fn torn_write(manner: u32, at: usize, length: usize, noise: u64) -> (u8, u8) {
    let some = noise as u8;
    match manner {
        1 => (if at < length.div_ceil(2) { 0xff } else { 0 }, 0),
        2 => (some, 0),
        3 => (some, !some),
        _ => (0, 0xff),
    }
}

impl<const WRITE: usize, const ERASE: usize> Partition for Simulated<WRITE, ERASE> {
    type Frozen = Aligned;

    fn bytes(&mut self) -> &[u8] {
        let length = self.capacity();
        self.view = Aligned::new(&self.look(0, length));
        &self.view
    }

    fn freeze(mut self) -> Aligned {
        self.bytes();
        self.view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Flash = Simulated<4, 64>;

    #[test]
    fn complete_operations_follow_the_rules_of_flash() {
        let (cells, power) = (Flash::cells(2, &[]), Power::new(1));
        let mut flash = Flash::new(&cells, &power);
        flash.write(8, &[0xf0; 8]).unwrap();
        flash.write(12, &[0x0f; 4]).unwrap();
        assert_eq!(power.borrow().overwritten, 1);
        assert_eq!(flash.bytes()[6..18], [255, 255, 240, 240, 240, 240, 0, 0, 0, 0, 255, 255]);
        flash.erase(0, 64).unwrap();
        assert!(flash.bytes().iter().all(|&byte| byte == 255));
        assert!(flash.write(2, &[0; 4]).is_err() && flash.erase(32, 64).is_err());
    }

    #[test]
    fn an_interrupted_operation_is_half_done_and_leaves_unstable_bits() {
        let (mut outcomes, mut unstable) = (std::collections::BTreeSet::new(), 0);
        for way in 0..CUT_WAYS {
            let (cells, power) = (Flash::cells(1, &[]), Power::new(7));
            power.borrow_mut().switch_on(Some((1, way)));
            let mut flash = Flash::new(&cells, &power);
            assert_eq!(flash.write(0, &[0x11; 32]), Err(NO_POWER));
            assert_eq!(flash.write(32, &[0x11; 4]), Err(NO_POWER));
            power.borrow_mut().switch_on(None);
            let looks: Vec<Vec<u8>> = (0..8).map(|_| flash.bytes()[..32].to_vec()).collect();
            unstable += u32::from(looks.iter().any(|look| *look != looks[0]));
            outcomes.insert(looks[0].clone());
            // An erase makes it usable again.
            flash.erase(0, 64).unwrap();
            flash.write(0, &[0x11; 32]).unwrap();
            assert_eq!((flash.bytes()[..32].to_vec(), power.borrow().overwritten), (vec![0x11; 32], 0), "{way}");
        }
        assert!(outcomes.len() > 12 && unstable >= 8, "{} outcomes, {unstable} with unstable bits", outcomes.len());
    }
}
