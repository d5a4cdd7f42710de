//! The log: events of the device, sent by `defmt` to the board's log port or to a debugger.

#[cfg(feature = "log-by-port")]
mod port;

use core::fmt;

use tern_firmware::boot_count::BootCount;
use tern_firmware::log_level::Level;
use tern_firmware::{Engine, Event, Hardware, Refusal};

use crate::board::Board;

/// Starts the log. Must be called once, after the board has started.
pub fn start() {
    #[cfg(feature = "log-by-port")]
    port::start();
}

/// Logs the start with the version, the board and the reason of the reset.
pub fn boot(boots: &BootCount) {
    if boots.log_level >= Level::Info {
        let (version, reason) = (tern_firmware::FIRMWARE, boots.reason.name());
        defmt::info!("tern {=str} on {=str}, reset: {=str}", version, Board::NAME, reason);
    }
}

/// Logs the model that the boot found, or the reason why none runs, if the log takes such an event. `level`: the level
/// of the log.
pub fn model(model: &Result<Engine<'_>, Refusal>, level: Level) {
    let event_level = match model {
        Ok(_) => Level::Info,
        Err(Refusal::Empty) => Level::Warn,
        Err(_) => Level::Error,
    };
    if level < event_level {
        return;
    }
    match model {
        Ok(engine) => {
            let config = engine.model().config();
            defmt::info!(
                "model accepted: {=usize} bytes, crc32 {=u32:08x}, vocabulary {=usize}, embedding {=usize}, hidden {=usize}, \
                 outputs {=usize}, RAM {=usize} bytes",
                engine.file_bytes(),
                engine.crc32(),
                config.vocab_size,
                config.embedding_dim,
                config.hidden_size,
                config.classes,
                engine.scratch_bytes()
            );
        }
        Err(Refusal::Empty) => defmt::warn!("no model: the slot is empty"),
        // Formatted here as text, because `defmt::Format` for all errors would take more code.
        Err(refusal) => defmt::error!("no model: {}", defmt::Display2Format(refusal)),
    }
}

/// Logs an event of the console. The console calls this only for an event that the level of the log includes.
pub fn event(event: Event) {
    match event {
        Event::Overflow { lost } => defmt::warn!("overflow: {=u32} bytes lost, a line or text rejected", lost),
        Event::LineTooLong { bytes } => defmt::warn!("a line of {=usize} bytes rejected", bytes),
        Event::SelfTest { exact, golden } if exact == golden => {
            defmt::info!("selftest: {=u32} golden examples exact", exact)
        }
        Event::SelfTest { exact, golden } => {
            defmt::error!("selftest: {=u32} of {=u32} golden examples exact", exact, golden)
        }
    }
}

/// Logs the reason of a panic or fault, whatever the level of the log.
pub fn stopped(why: fmt::Arguments<'_>) {
    defmt::error!("stopped: {}", defmt::Display2Format(&why));
}
