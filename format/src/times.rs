//! The times that a device and the programs at its console allow each other, in milliseconds.
//!
//! Wherever a device may take a time, the host waits longer, and where the device waits for silence, the host is silent
//! for longer. The assertions at the end keep the two sides together. `docs/console.md` lists the times.

/// The most time that the device spends on the checks of a model in `activate`, in `rollback`, and before the first
/// prompt. A single check may exceed it by less than the time-out of a watchdog.
pub const CHECKS: u32 = 30_000;
/// The longest time-out of a board's watchdog, with its warning.
pub const WATCHDOG: u32 = 16_000;
/// The host's wait for the answer to `activate`, `rollback` and `selftest`; twice as long for `bench`.
pub const CHECKS_WAIT: u32 = 50_000;
/// The host's wait for a device that starts. A trial may take all its time and hang, and then the device starts again.
pub const START_WAIT: u32 = 100_000;
/// The most time for which the device erases flash before it acknowledges a block, or empties a slot.
pub const ERASE: u32 = 20_000;
/// The host's wait for the acknowledgement of a block, for the answer after the last one, and for the answer to
/// `erase`.
pub const BLOCK_WAIT: u32 = 30_000;

/// The device's interval between two invitations to a sender.
pub const INVITATION: u32 = 2_000;
/// The silence between two blocks after which the device asks again.
pub const BLOCK_SILENCE: u32 = 2_000;
/// The silence inside a block after which the device asks again.
pub const BYTE_SILENCE: u32 = 1_000;
/// The silence after a transfer before the device answers `load`.
pub const END_SILENCE: u32 = 300;
/// The device's longest wait for that silence.
pub const MAX_END_SILENCE: u32 = 5_000;
/// The host's silence after it has cancelled a transfer.
pub const CANCEL_SILENCE: u32 = 500;
/// The host's wait for the answer to `mode machine`, after which it cancels a transfer and tries again.
pub const RETRY: u32 = 1_200;
/// The number of further attempts for each of which that wait is doubled; later ones wait as long as the last of these.
pub const RETRY_DOUBLINGS: u32 = 3;
/// The time after a block in which a `C` of the device still belongs to what was sent before.
pub const STALE: u32 = 500;
/// The host's wait for the device's confirmation that a transfer is cancelled.
pub const CANCEL_WAIT: u32 = 4_000;

/// The most time, in nanoseconds, that a device takes for a multiply-accumulate: 9 instructions at 16 MHz. The host
/// adds it to its wait for the answer to a text, for each token.
pub const NANOSECONDS_PER_MAC: u64 = 600;

const _: () = {
    assert!(CHECKS_WAIT > CHECKS + WATCHDOG);
    assert!(START_WAIT > 2 * CHECKS + WATCHDOG);
    assert!(BLOCK_WAIT > ERASE + MAX_END_SILENCE);
    assert!(RETRY > BYTE_SILENCE && CANCEL_SILENCE > END_SILENCE);
    assert!(STALE < BYTE_SILENCE && BYTE_SILENCE <= BLOCK_SILENCE);
    assert!(CANCEL_WAIT > BLOCK_SILENCE + 2 * END_SILENCE);
};
