//! NOR flash as it behaves when its power goes: bits only fall to 0, blocks rise to 1 together, and what is cut is left half done.
//!
//! A bit that was cut while it changed is *unstable*: each read gives it anew. Writing a 0 or erasing makes it stable again.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use tern_runtime::testing::{Aligned, Random};

use super::Partition;

/// Ways in which an operation is cut: [`Power::cut`]'s `way` is taken modulo this many.
pub(crate) const WAYS: u32 = 21;

/// The power of a device: it counts what the flash does, and goes when it is told to.
#[derive(Debug)]
pub(crate) struct Power {
    /// Writes and erases since it came.
    pub(crate) operations: u32,
    /// The operation in which it goes, and how that is cut.
    pub(crate) cut: Option<(u32, u32)>,
    pub(crate) is_gone: bool,
    /// Units that were written twice without an erase: what flash with error correction does not stand.
    pub(crate) overwritten: u32,
    random: Random,
}

pub(crate) type Shared<T> = Rc<RefCell<T>>;

impl Power {
    pub(crate) fn new(seed: u64) -> Shared<Power> {
        let power = Power { operations: 0, cut: None, is_gone: false, overwritten: 0, random: Random(seed) };
        Rc::new(RefCell::new(power))
    }

    /// Power comes, to go again as `cut` says.
    pub(crate) fn come(&mut self, cut: Option<(u32, u32)>) {
        (self.operations, self.cut, self.is_gone) = (0, cut, false);
    }

    /// Counts an operation. Gives how it is cut, if it is.
    fn operate(&mut self) -> Result<Option<u32>, Failed> {
        if self.is_gone {
            return Err(Failed::NoPower);
        }
        self.operations += 1;
        match self.cut {
            Some((at, way)) if at == self.operations => {
                self.is_gone = true;
                Ok(Some(way % WAYS))
            }
            _ => Ok(None),
        }
    }
}

/// Why flash does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    NoPower,
    Place(NorFlashErrorKind),
}

impl NorFlashError for Failed {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Failed::NoPower => NorFlashErrorKind::Other,
            Failed::Place(kind) => *kind,
        }
    }
}

/// What outlasts the power.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    bits: Vec<u8>,
    /// Bits of these read as they like.
    unstable: Vec<u8>,
    /// By write unit.
    written: Vec<bool>,
}

/// A partition of flash with write units of `WRITE` bytes and blocks of `ERASE`.
#[derive(Debug)]
pub(crate) struct Simulated<const WRITE: usize, const ERASE: usize> {
    cells: Shared<Cells>,
    power: Shared<Power>,
    view: Aligned,
}

impl<const WRITE: usize, const ERASE: usize> Simulated<WRITE, ERASE> {
    /// Cells of so many blocks, erased, with `content` at their beginning.
    pub(crate) fn cells(blocks: usize, content: &[u8]) -> Shared<Cells> {
        let mut bits = vec![0xff; blocks * ERASE];
        bits[..content.len()].copy_from_slice(content);
        let written = (0..bits.len() / WRITE).map(|unit| unit * WRITE < content.len()).collect();
        let unstable = vec![0; bits.len()];
        Rc::new(RefCell::new(Cells { bits, unstable, written }))
    }

    /// Flash over cells, on a power.
    pub(crate) fn new(cells: &Shared<Cells>, power: &Shared<Power>) -> Self {
        Simulated { cells: Rc::clone(cells), power: Rc::clone(power), view: Aligned::new(&[]) }
    }

    fn look(&mut self, from: usize, length: usize) -> Vec<u8> {
        let (cells, mut power) = (self.cells.borrow(), self.power.borrow_mut());
        let range = from..from + length;
        if cells.unstable[range.clone()].iter().all(|&unstable| unstable == 0) {
            return cells.bits[range].to_vec();
        }
        // Some days all of them read alike.
        let mood = power.random.number() % 4;
        let pairs = cells.bits[range.clone()].iter().zip(&cells.unstable[range]);
        pairs
            .map(|(&bits, &unstable)| {
                if unstable == 0 {
                    return bits;
                }
                let noise = match mood {
                    0 => 0,
                    1 => 0xff,
                    _ => power.random.number() as u8,
                };
                (bits & !unstable) | (noise & unstable)
            })
            .collect()
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for Simulated<WRITE, ERASE> {
    type Error = Failed;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for Simulated<WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        check_read(self, offset, bytes.len()).map_err(Failed::Place)?;
        if self.power.borrow().is_gone {
            return Err(Failed::NoPower);
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

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Failed> {
        check_erase(self, from, to).map_err(Failed::Place)?;
        for block in (from as usize..to as usize).step_by(ERASE) {
            let way = self.power.borrow_mut().operate()?;
            let (mut cells, mut power) = (self.cells.borrow_mut(), self.power.borrow_mut());
            for at in block..block + ERASE {
                let noise = power.random.number();
                // Bits that are to rise: all, none, or some; and those that are left hanging.
                let (up, hanging) = match way {
                    None => (0xff, 0),
                    Some(way) => torn_erase(way, at - block, ERASE, noise),
                };
                // A stable 1 has nowhere to rise to; a hanging bit is one that was not there already.
                let low = !cells.bits[at] | cells.unstable[at];
                cells.bits[at] |= up;
                cells.unstable[at] = (cells.unstable[at] & !up) | (hanging & low);
                if hanging & low != 0 || cells.bits[at] != 0xff {
                    cells.written[at / WRITE] = true;
                } else if at % WRITE == 0 {
                    cells.written[at / WRITE] = false;
                }
            }
            if way.is_some() {
                return Err(Failed::NoPower);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        check_write(self, offset, bytes.len()).map_err(Failed::Place)?;
        let way = self.power.borrow_mut().operate()?;
        let (mut cells, mut power) = (self.cells.borrow_mut(), self.power.borrow_mut());
        let units = bytes.len() / WRITE;
        // The unit in which the power goes: the first, the last, or one between; and what of it is done.
        let torn = way.map(|way| (units * (way as usize / 5) / 4, way % 5));
        for unit in 0..units {
            let first = offset as usize + unit * WRITE;
            let is_torn = match torn {
                Some((at, _)) if unit > at => break,
                Some((at, _)) => unit == at,
                None => false,
            };
            let manner = torn.map_or(0, |(_, manner)| manner);
            if is_torn && manner == 0 {
                break;
            }
            power.overwritten += u32::from(core::mem::replace(&mut cells.written[first / WRITE], true));
            for at in first..first + WRITE {
                let (fall, noise) = (!bytes[at - offset as usize], power.random.number());
                let (done, hanging) = if is_torn { torn_write(manner, at - first, WRITE, noise) } else { (0xff, 0) };
                let high = cells.bits[at] | cells.unstable[at];
                cells.bits[at] &= !(fall & done);
                cells.unstable[at] = (cells.unstable[at] & !(fall & done)) | (fall & hanging & high);
            }
        }
        if way.is_some() { Err(Failed::NoPower) } else { Ok(()) }
    }
}

/// Of a byte whose erase is cut: the bits that have risen, and those left hanging.
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

/// Of a byte whose write is cut: the bits that have fallen if they were to, and those left hanging.
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
    fn whole_operations_do_what_flash_does() {
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
    fn a_cut_leaves_things_half_done_and_some_bits_hanging() {
        let (mut outcomes, mut hanging) = (std::collections::BTreeSet::new(), 0);
        for way in 0..WAYS {
            let (cells, power) = (Flash::cells(1, &[]), Power::new(7));
            power.borrow_mut().come(Some((1, way)));
            let mut flash = Flash::new(&cells, &power);
            assert_eq!(flash.write(0, &[0x11; 32]), Err(Failed::NoPower));
            assert_eq!(flash.write(32, &[0x11; 4]), Err(Failed::NoPower));
            power.borrow_mut().come(None);
            let looks: Vec<Vec<u8>> = (0..8).map(|_| flash.bytes()[..32].to_vec()).collect();
            hanging += u32::from(looks.iter().any(|look| *look != looks[0]));
            outcomes.insert(looks[0].clone());
            // What was cut can be erased, and is as new.
            flash.erase(0, 64).unwrap();
            flash.write(0, &[0x11; 32]).unwrap();
            assert_eq!((flash.bytes()[..32].to_vec(), power.borrow().overwritten), (vec![0x11; 32], 0), "{way}");
        }
        assert!(outcomes.len() > 12 && hanging >= 8, "{} outcomes, {hanging} hanging", outcomes.len());
    }
}
