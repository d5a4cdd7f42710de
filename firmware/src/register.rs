//! Peripheral registers, for boards whose code uses no hardware abstraction library.

use core::marker::PhantomData;
use core::ptr;

/// A peripheral register of type `T`, at an address.
pub struct Register<T> {
    address: usize,
    value_type: PhantomData<T>,
}

impl<T: Copy> Register<T> {
    /// The register at `address`.
    ///
    /// # Safety
    /// `address` must be that of a peripheral register of the size of `T`, which can be accessed at any time. No access
    /// to it may make the peripheral write memory that Rust code uses.
    pub const unsafe fn at(address: usize) -> Self {
        Register { address, value_type: PhantomData }
    }

    /// Reads the register.
    pub fn read(&self) -> T {
        // SAFETY: the caller of `at` has ensured that the register may be read.
        unsafe { ptr::with_exposed_provenance::<T>(self.address).read_volatile() }
    }

    /// Writes the register.
    pub fn write(&self, value: T) {
        // SAFETY: the caller of `at` has ensured that the register may be written.
        unsafe { ptr::with_exposed_provenance_mut::<T>(self.address).write_volatile(value) }
    }
}

impl<T: Copy + core::ops::BitOr<Output = T>> Register<T> {
    /// Sets the bits of `mask`, and leaves the others, by reading the register and writing it back.
    #[allow(dead_code, reason = "not every board has such a register")]
    pub fn set(&self, mask: T) {
        self.write(self.read() | mask);
    }
}
