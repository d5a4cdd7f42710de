//! The time-outs of the device and of the host, which is the program at the device's console, in milliseconds.
//!
//! If the device may take some time, the host waits longer; if the device waits for silence on the line, the host is
//! silent for longer. The assertions at the end of the file check this. `docs/console.md` describes the protocol, and
//! transfers by YMODEM (invitation, block, acknowledgement), in which these times apply.

/// The time after which the device stops checking a model: in the commands `activate` and `rollback`, and before the
/// first prompt. A check that is running at this time may still take up to [`WATCHDOG`].
pub const CHECKS: u32 = 30_000;
/// The longest time-out of the watchdog of any board.
pub const WATCHDOG: u32 = 16_000;
/// The host's wait for the answer to `activate`, `rollback` and `selftest`. For `bench` it waits twice as long.
pub const CHECKS_WAIT: u32 = 50_000;
/// The host's wait for a device that starts. In the worst case, the first boot of a new model takes [`CHECKS`] and
/// hangs; the watchdog then restarts the device, which checks its old model.
pub const START_WAIT: u32 = 100_000;
/// The longest time for which the device erases flash: before it acknowledges a block, or in the command `erase`.
pub const ERASE: u32 = 20_000;
/// The host's wait for the acknowledgement of a block, for the answer after the last one, and for the answer to
/// `erase`.
pub const BLOCK_WAIT: u32 = 30_000;

/// The device's interval between two invitations to send: the `C` of YMODEM.
pub const INVITATION: u32 = 2_000;
/// The silence between two blocks after which the device asks for the next block again.
pub const BLOCK_SILENCE: u32 = 2_000;
/// The silence inside a block after which the device asks for the block again.
pub const BYTE_SILENCE: u32 = 1_000;
/// The silence after a transfer before the device answers `load`.
pub const END_SILENCE: u32 = 300;
/// The longest time for which the device waits for [`END_SILENCE`].
pub const MAX_END_SILENCE: u32 = 5_000;
/// The time for which the host is silent after it has cancelled a transfer.
pub const CANCEL_SILENCE: u32 = 500;
/// The host's first wait for the answer to `mode machine`. After this time the host cancels a transfer that may be in
/// progress, and tries again.
pub const RETRY: u32 = 1_200;
/// The number of attempts after the first one for which the wait [`RETRY`] is doubled each time. Later attempts wait as
/// long as the last of these.
pub const RETRY_DOUBLINGS: u32 = 3;
/// The time after a block in which the host ignores a `C`, because the device may have sent it before the block
/// arrived.
pub const STALE: u32 = 500;
/// The host's wait for the device's confirmation that a transfer is cancelled.
pub const CANCEL_WAIT: u32 = 4_000;

/// The longest time, in nanoseconds, that a device takes for a multiply-accumulate: 9 instructions at 16 MHz take 563.
/// For each token of a text, the host adds this time, multiplied by the model's multiply-accumulates, to its wait for
/// the answer.
pub const NANOSECONDS_PER_MAC: u64 = 600;

const _: () = {
    assert!(CHECKS_WAIT > CHECKS + WATCHDOG);
    assert!(START_WAIT > 2 * CHECKS + WATCHDOG);
    assert!(BLOCK_WAIT > ERASE + MAX_END_SILENCE);
    assert!(RETRY > BYTE_SILENCE && CANCEL_SILENCE > END_SILENCE);
    assert!(STALE < BYTE_SILENCE && BYTE_SILENCE <= BLOCK_SILENCE);
    assert!(CANCEL_WAIT > BLOCK_SILENCE + 2 * END_SILENCE);
};
