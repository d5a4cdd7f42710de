//! Simulates NOR flash that loses its power, for the tests of updates: writes clear single bits, an erase sets the bits
//! of a block, and an operation in which the power fails is left half done.
//!
//! A bit that was changing when the power failed may be *unstable*: each read may give another value. Writing a 0 or
//! erasing makes it stable.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use tern_runtime::testing::{Aligned, Random};

use super::Partition;

/// The number of ways in which an operation can be interrupted; the way in [`Power::cut`] is taken modulo this. A write
/// is cut in five manners at each of four units, or after its last unit: 5 · 4 + 1. An erase has seven ways, each of
/// which three of the numbers select.
pub(crate) const CUT_WAYS: u32 = 21;

/// The power supply of a device, shared by its partitions: counts the operations of the flash, and fails in the one
/// that `cut` names.
#[derive(Debug)]
pub(crate) struct Power {
    /// Writes and erases of single blocks since power-on.
    pub(crate) operations: u32,
    /// The operation in which the power fails, counted from 1, and the way in which that operation is interrupted;
    /// `None` if the power does not fail.
    pub(crate) cut: Option<(u32, u32)>,
    /// True after the failure, until the power is switched on.
    pub(crate) is_gone: bool,
    /// The number of writes to a unit that was not erased since it was last written. Flash with error correction does
    /// not allow them.
    pub(crate) overwritten: u32,
    random: Random,
}

pub(crate) type Shared<T> = Rc<RefCell<T>>;

impl Power {
    pub(crate) fn new(seed: u64) -> Shared<Power> {
        let power = Power { operations: 0, cut: None, is_gone: false, overwritten: 0, random: Random(seed) };
        Rc::new(RefCell::new(power))
    }

    /// Switches the power on. It fails in the operation that `cut` names, counted from now.
    pub(crate) fn switch_on(&mut self, cut: Option<(u32, u32)>) {
        (self.operations, self.cut, self.is_gone) = (0, cut, false);
    }

    /// Counts an operation. Returns the way in which it is interrupted, from 0 to `CUT_WAYS` − 1; `None` if it is not.
    /// Fails if the power is already gone.
    fn begin_operation(&mut self) -> Result<Option<u32>, NorFlashErrorKind> {
        if self.is_gone {
            return Err(NO_POWER);
        }
        self.operations += 1;
        match self.cut {
            Some((operation, way)) if operation == self.operations => {
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
    /// For each byte of `bits`: a mask of its unstable bits.
    unstable: Vec<u8>,
    /// For each write unit: true if it was written since its last complete erase.
    written: Vec<bool>,
}

/// A partition of simulated flash, with write units of `WRITE` bytes and erase blocks of `ERASE` bytes.
#[derive(Debug)]
pub(crate) struct Simulated<const WRITE: usize, const ERASE: usize> {
    cells: Shared<Cells>,
    power: Shared<Power>,
    /// The contents as the last call of [`Partition::bytes`] read them.
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

    /// Reads `length` bytes at the offset `from`; unstable bits read at random.
    fn read_cells(&mut self, from: usize, length: usize) -> Vec<u8> {
        let (cells, mut power) = (self.cells.borrow(), self.power.borrow_mut());
        let range = from..from + length;
        if cells.unstable[range.clone()].iter().all(|&unstable| unstable == 0) {
            return cells.bits[range].to_vec();
        }
        // In half of the reads, all unstable bits have the same value.
        let pattern = power.random.number() % 4;
        let mut values = Vec::with_capacity(length);
        for (&bits, &unstable) in cells.bits[range.clone()].iter().zip(&cells.unstable[range]) {
            let unstable_value = match pattern {
                0 => 0,
                1 => 0xff,
                _ if unstable != 0 => power.random.number() as u8,
                _ => 0,
            };
            values.push((bits & !unstable) | (unstable_value & unstable));
        }
        values
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
        bytes.copy_from_slice(&self.read_cells(offset as usize, bytes.len()));
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
            let way = self.power.borrow_mut().begin_operation()?;
            let (mut cells, mut power) = (self.cells.borrow_mut(), self.power.borrow_mut());
            for offset in block..block + ERASE {
                let noise = power.random.number();
                let effect = match way {
                    Some(way) => torn_erase(way, offset - block, ERASE, noise),
                    None => Effect::COMPLETE,
                };
                // A stable 1 stays a stable 1.
                let may_be_clear = !cells.bits[offset] | cells.unstable[offset];
                let new_unstable = effect.unstable & may_be_clear;
                cells.bits[offset] |= effect.changed;
                cells.unstable[offset] = (cells.unstable[offset] & !effect.changed) | new_unstable;
                // A unit counts as erased only if all its bytes are: the first byte clears the mark, and any byte that
                // is not completely erased sets it.
                if new_unstable != 0 || cells.bits[offset] != 0xff {
                    cells.written[offset / WRITE] = true;
                } else if offset % WRITE == 0 {
                    cells.written[offset / WRITE] = false;
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
        let way = self.power.borrow_mut().begin_operation()?;
        let (mut cells, mut power) = (self.cells.borrow_mut(), self.power.borrow_mut());
        let units = bytes.len() / WRITE;
        // The unit in whose write the power fails, and the manner. The units before it are complete: none, a quarter, a
        // half, three quarters or all of them. In the last case, and without an interruption, no unit is torn.
        let (torn_unit, manner) = match way {
            Some(way) => (units * (way as usize / 5) / 4, way % 5),
            None => (units, 0),
        };
        for (unit, new_bytes) in bytes.chunks(WRITE).enumerate() {
            let is_torn = unit == torn_unit;
            if unit > torn_unit || (is_torn && manner == 0) {
                break;
            }
            let unit_start = offset as usize + unit * WRITE;
            let was_written = core::mem::replace(&mut cells.written[unit_start / WRITE], true);
            power.overwritten += u32::from(was_written);
            for (index, new_byte) in new_bytes.iter().enumerate() {
                let (to_clear, noise) = (!new_byte, power.random.number());
                let effect = if is_torn { torn_write(manner, index, WRITE, noise) } else { Effect::COMPLETE };
                let cleared = to_clear & effect.changed;
                let cell = unit_start + index;
                // A stable 0 stays a stable 0.
                let may_be_set = cells.bits[cell] | cells.unstable[cell];
                cells.bits[cell] &= !cleared;
                cells.unstable[cell] = (cells.unstable[cell] & !cleared) | (to_clear & effect.unstable & may_be_set);
            }
        }
        if way.is_some() { Err(NO_POWER) } else { Ok(()) }
    }
}

/// The effect of an operation on the bits of a byte that it should change.
struct Effect {
    /// A mask of the bits that are changed and stable.
    changed: u8,
    /// A mask of the bits that become unstable, unless they already have the new value.
    unstable: u8,
}

impl Effect {
    const NONE: Effect = Effect { changed: 0, unstable: 0 };
    /// The effect of an operation that is not interrupted.
    const COMPLETE: Effect = Effect { changed: 0xff, unstable: 0 };

    fn complete_if(is_complete: bool) -> Effect {
        if is_complete { Effect::COMPLETE } else { Effect::NONE }
    }
}

/// The effect on the byte `index` of a block of `length` bytes whose erase is interrupted in one of seven ways.
/// `noise`: random bits.
fn torn_erase(way: u32, index: usize, length: usize, noise: u64) -> Effect {
    let random_bits = noise as u8;
    let is_first_half = index < length / 2;
    match way % 7 {
        0 => Effect::NONE,
        1 => Effect::COMPLETE,
        2 => Effect::complete_if(is_first_half),
        3 => Effect::complete_if(!is_first_half),
        4 => Effect { changed: random_bits, unstable: 0 },
        5 => Effect { changed: random_bits, unstable: !random_bits & (noise >> 8) as u8 },
        _ => Effect { changed: 0, unstable: 0xff },
    }
}

/// The effect on the byte `index` of a write unit of `length` bytes whose write is interrupted. `manner`: 1 to 4; in
/// manner 0 the write of the unit does not begin. `noise`: random bits.
fn torn_write(manner: u32, index: usize, length: usize, noise: u64) -> Effect {
    let random_bits = noise as u8;
    match manner {
        1 => Effect::complete_if(index < length.div_ceil(2)),
        2 => Effect { changed: random_bits, unstable: 0 },
        3 => Effect { changed: random_bits, unstable: !random_bits },
        _ => Effect { changed: 0, unstable: 0xff },
    }
}

impl<const WRITE: usize, const ERASE: usize> Partition for Simulated<WRITE, ERASE> {
    type Frozen = Aligned;

    fn bytes(&mut self) -> &[u8] {
        let length = self.capacity();
        self.view = Aligned::new(&self.read_cells(0, length));
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
        let (mut outcomes, mut unstable_ways) = (std::collections::BTreeSet::new(), 0);
        for way in 0..CUT_WAYS {
            let (cells, power) = (Flash::cells(1, &[]), Power::new(7));
            power.borrow_mut().switch_on(Some((1, way)));
            let mut flash = Flash::new(&cells, &power);
            assert_eq!(flash.write(0, &[0x11; 32]), Err(NO_POWER));
            assert_eq!(flash.write(32, &[0x11; 4]), Err(NO_POWER));
            power.borrow_mut().switch_on(None);
            let reads: Vec<Vec<u8>> = (0..8).map(|_| flash.bytes()[..32].to_vec()).collect();
            unstable_ways += u32::from(reads.iter().any(|read| *read != reads[0]));
            outcomes.insert(reads[0].clone());
            // An erase makes the block usable again.
            flash.erase(0, 64).unwrap();
            flash.write(0, &[0x11; 32]).unwrap();
            assert_eq!((flash.bytes()[..32].to_vec(), power.borrow().overwritten), (vec![0x11; 32], 0), "{way}");
        }
        assert!(outcomes.len() > 12 && unstable_ways >= 8, "{} outcomes, {unstable_ways} unstable", outcomes.len());
    }
}
