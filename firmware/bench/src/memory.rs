//! The memory into which the emulator loads the model and the ids, the model's scratch, and the size of the image.

/// Length of the scratch in 32-bit words, enough for a hidden size of 1,024.
const SCRATCH_LEN: usize = 4_096;

// Symbols of the linker script. The address of `__slot_bytes` is no address but a number: the length in bytes of the
// memory for the model.
unsafe extern "C" {
    static __model: u64;
    static __ids: u32;
    static __slot_bytes: u8;
    static __image_start: u8;
    static __image_end: u8;
}

/// Returns the memory that begins with the model's device file. What follows the file has no meaning.
pub fn model_slot() -> &'static [u8] {
    let length = (&raw const __slot_bytes).addr();
    // SAFETY: the linker script sets the symbols to a mapped region, which the program never writes.
    unsafe { core::slice::from_raw_parts((&raw const __model).cast(), length) }
}

/// Returns the ids: tokens or bytes, with the flags that `main.rs` defines.
pub fn ids() -> &'static [u32] {
    let start = &raw const __ids;
    // SAFETY: the emulator has loaded a word with the number of ids, and then the ids; the program never writes them.
    unsafe { core::slice::from_raw_parts(start.add(1), start.read_volatile() as usize) }
}

/// Returns the memory for the model's state. It must be called only once, because a second call would return the same
/// memory.
pub fn scratch() -> &'static mut [i32] {
    static mut SCRATCH: [i32; SCRATCH_LEN] = [0; SCRATCH_LEN];
    let scratch = &raw mut SCRATCH;
    // SAFETY: nothing else names this variable, and `main` calls this once.
    unsafe { &mut *scratch }
}

/// Returns the size of the program's code and constants in bytes.
pub fn image_bytes() -> usize {
    (&raw const __image_end).addr() - (&raw const __image_start).addr()
}
