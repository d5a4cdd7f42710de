//! Netduino Plus 2: an STM32F405, a Cortex-M4F at 168 MHz with 1 MB of flash and 128 KB of RAM.
//! The firmware also runs on QEMU's machine of this name.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x08000000, LENGTH = 256K
//!   SLOT_A : ORIGIN = 0x08040000, LENGTH = 256K
//!   SLOT_B : ORIGIN = 0x08080000, LENGTH = 256K
//!   RECORD : ORIGIN = 0x080c0000, LENGTH = 256K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 128K
//! }
//! ```
//!
//! * USART1 is the console, with TX on PB6 and RX on PB7. USART2 carries the log, with TX on PA2.
//! * TIM2 is the clock: 32 bits, without an interrupt.
//! * The independent watchdog resets after 8 s.
//!
//! In the emulator the flash cannot be written, the timers count nanoseconds, and the clock control, the watchdog and
//! the pins are missing. The clock control then reads as zero, which never happens on the chip; by this value the
//! firmware detects the emulator.

use embedded_storage::nor_flash::NorFlashErrorKind;
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use crate::memory_map::{ChipFlash, FlashDriver};
use crate::register::Register;
use crate::{RECEIVE_WRITER, processor};

/// Bits per second of both serial ports.
const BAUD: u32 = 115_200;
/// The clock of APB2, which USART1 is on.
const APB2_HZ: u32 = 84_000_000;
/// The clock of APB1, which USART2 is on; the timers of APB1 count twice as fast.
const APB1_HZ: u32 = 42_000_000;
/// The rate of the timers in the emulator.
const EMULATED_TIMER_HZ: u32 = 1_000_000_000;

// ---- registers; names, bits and abbreviations are those of ST's reference manual RM0090 ----

/// The register at `address`.
const fn register(address: usize) -> Register<u32> {
    // SAFETY: every address below is that of a 32-bit peripheral register of this chip, or a word of flash that is
    // being written; none of these peripherals writes memory. The watchdog's registers, which the emulator lacks, are
    // used only on the chip.
    unsafe { Register::at(address) }
}

const FLASH_ACR: Register<u32> = register(0x4002_3c00);
const FLASH_KEYR: Register<u32> = register(0x4002_3c04);
const FLASH_SR: Register<u32> = register(0x4002_3c0c);
const FLASH_CR: Register<u32> = register(0x4002_3c10);
const RCC_CR: Register<u32> = register(0x4002_3800);
const RCC_PLLCFGR: Register<u32> = register(0x4002_3804);
const RCC_CFGR: Register<u32> = register(0x4002_3808);
const RCC_AHB1ENR: Register<u32> = register(0x4002_3830);
const RCC_APB1ENR: Register<u32> = register(0x4002_3840);
const RCC_APB2ENR: Register<u32> = register(0x4002_3844);
const RCC_CSR: Register<u32> = register(0x4002_3874);
const GPIOA_MODER: Register<u32> = register(0x4002_0000);
const GPIOA_AFRL: Register<u32> = register(0x4002_0020);
const GPIOB_MODER: Register<u32> = register(0x4002_0400);
const GPIOB_AFRL: Register<u32> = register(0x4002_0420);
const TIM2_CR1: Register<u32> = register(0x4000_0000);
const TIM2_CNT: Register<u32> = register(0x4000_0024);
const TIM2_ARR: Register<u32> = register(0x4000_002c);
const IWDG_KR: Register<u32> = register(0x4000_3000);
const IWDG_PR: Register<u32> = register(0x4000_3004);
const IWDG_RLR: Register<u32> = register(0x4000_3008);

/// The registers of a serial port.
struct Usart {
    sr: Register<u32>,
    dr: Register<u32>,
    brr: Register<u32>,
    cr1: Register<u32>,
}

impl Usart {
    // Bits of `sr`, the state: overrun, a byte is received, the last byte is sent, the send buffer is empty.
    const ORE: u32 = 1 << 3;
    const RXNE: u32 = 1 << 5;
    const TC: u32 = 1 << 6;
    const TXE: u32 = 1 << 7;
    // Bits of `cr1`: receive, send, interrupt for a received byte, switch the port on.
    const RE: u32 = 1 << 2;
    const TE: u32 = 1 << 3;
    const RXNEIE: u32 = 1 << 5;
    const UE: u32 = 1 << 13;

    /// The port whose registers begin at `base`.
    const fn at(base: usize) -> Self {
        Usart { sr: register(base), dr: register(base + 4), brr: register(base + 8), cr1: register(base + 0xc) }
    }

    /// Waits until the send buffer is empty, and sends a byte.
    fn send(&self, byte: u8) {
        while self.sr.read() & Self::TXE == 0 {}
        self.dr.write(byte.into());
    }

    /// Takes the received byte, if there is one or an overrun is reported.
    fn receive(&self) -> Option<Received> {
        let state = self.sr.read();
        // Reading `sr` and then `dr` clears an overrun.
        let is_received = state & (Self::RXNE | Self::ORE) != 0;
        is_received.then(|| Received { byte: self.dr.read() as u8, is_overrun: state & Self::ORE != 0 })
    }
}

/// USART1.
const CONSOLE: Usart = Usart::at(0x4001_1000);
/// USART2.
const LOG: Usart = Usart::at(0x4000_4400);

// Bits of FLASH_ACR, the access to the flash.

/// Five wait states, with prefetch.
const WAIT_STATES: u32 = 0x105;
/// Switches the instruction cache and the data cache on.
const CACHES: u32 = 0b11 << 9;
/// Clears both caches while they are off.
const CLEAR_CACHES: u32 = 0b11 << 11;

/// Runs the processor at 168 MHz: the PLL makes this clock from the internal oscillator of 16 MHz. The flash then needs
/// wait states.
fn start_clocks() {
    const PLLON: u32 = 1 << 24;
    const PLLRDY: u32 = 1 << 25;
    FLASH_ACR.write(WAIT_STATES | CACHES);
    // 16 MHz / 16 · 336 / 2. The division by 2 is the value 0 of its field; the 7 is for USB, which is not used.
    RCC_PLLCFGR.write(16 | 336 << 6 | 7 << 24);
    RCC_CR.set(PLLON);
    while RCC_CR.read() & PLLRDY == 0 {}
    // APB1 runs at a quarter and APB2 at half of the PLL's clock. The lowest bits select this clock for the processor.
    RCC_CFGR.write(0b101 << 10 | 0b100 << 13 | 0b10);
    // Wait until the selection has taken effect.
    while RCC_CFGR.read() & 0b1100 != 0b1000 {}
}

/// Connects the pins of the two serial ports.
fn start_pins() {
    // Alternate function 7 of PA2 is USART2, and of PB6 and PB7 USART1. AFRL has four bits for each pin; MODER has two,
    // with 0b10 for the alternate function.
    GPIOA_AFRL.set(7 << 8);
    GPIOA_MODER.set(0b10 << 4);
    GPIOB_AFRL.set(7 << 24 | 7 << 28);
    GPIOB_MODER.set(0b10 << 12 | 0b10 << 14);
}

/// Starts the watchdog, which runs from its own clock of about 32 kHz, with a timeout of 8 s.
fn start_watchdog() {
    const START: u32 = 0xcccc;
    const UNLOCK: u32 = 0x5555;
    const DIVIDE_BY_256: u32 = 6;
    IWDG_KR.write(START);
    IWDG_KR.write(UNLOCK);
    IWDG_PR.write(DIVIDE_BY_256);
    IWDG_RLR.write(8 * 32_000 / 256);
}

// ---- flash ----

/// The flash sectors of 128 KB, which have the numbers 5 to 11. The slots and the record begin with sector 6.
pub struct Sectors;

impl Sectors {
    /// The number of the first of these sectors.
    const FIRST: usize = 5;
    /// The address of the first of these sectors.
    const START: usize = 0x0802_0000;
    // Bits of FLASH_CR: write, erase a sector, access by 32-bit words, start an erasure, lock the flash.
    const PG: u32 = 1 << 0;
    const SER: u32 = 1 << 1;
    const WORDS: u32 = 0b10 << 8;
    const STRT: u32 = 1 << 16;
    const LOCK: u32 = 1 << 31;
    // Bits of FLASH_SR: an operation runs, and all errors. Writing ones clears the errors.
    const BSY: u32 = 1 << 16;
    const ERRORS: u32 = 0b1111_0010;

    /// Unlocks the flash with the two keys of the reference manual, calls `start` to start an operation, waits for its
    /// end, and locks the flash. Fails if the flash reports an error.
    fn operate(start: impl FnOnce()) -> Result<(), NorFlashErrorKind> {
        FLASH_KEYR.write(0x4567_0123);
        FLASH_KEYR.write(0xcdef_89ab);
        FLASH_SR.write(Self::ERRORS);
        start();
        while FLASH_SR.read() & Self::BSY != 0 {}
        let errors = FLASH_SR.read() & Self::ERRORS;
        FLASH_CR.write(Self::LOCK);
        if errors == 0 { Ok(()) } else { Err(NorFlashErrorKind::Other) }
    }
}

impl FlashDriver for Sectors {
    const ERASE_BYTES: usize = 128 * 1024;
    const WRITE_BYTES: usize = 4;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        let sector = Self::FIRST + (address - Self::START) / Self::ERASE_BYTES;
        Self::operate(|| {
            // The number of the sector to erase begins at bit 3.
            FLASH_CR.write(Self::SER | Self::WORDS | (sector as u32) << 3);
            FLASH_CR.set(Self::STRT);
        })?;
        // The caches may have copies of the old contents. They must be switched off to be cleared.
        for access in [WAIT_STATES, WAIT_STATES | CLEAR_CACHES, WAIT_STATES | CACHES] {
            FLASH_ACR.write(access);
        }
        Ok(())
    }

    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        Self::operate(|| {
            FLASH_CR.write(Self::PG | Self::WORDS);
            for (word_address, word) in (address..).step_by(4).zip(bytes.as_chunks().0) {
                register(word_address).write(u32::from_le_bytes(*word));
                while FLASH_SR.read() & Self::BSY != 0 {}
            }
        })
    }
}

// ---- interrupts ----

/// The number of USART1's interrupt in the vector table.
const USART1: usize = 37;

/// The vectors of the peripherals' interrupts, up to that of USART1, the only one that is ever unmasked.
// SAFETY: this is the section in which cortex-m-rt's linker script expects these vectors, under the name that it
// expects.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [extern "C" fn(); USART1 + 1] = [usart1; USART1 + 1];

extern "C" fn usart1() {
    RECEIVE_WRITER.receive(|| CONSOLE.receive());
}

// ---- the board ----

/// The board after [`Hardware::start`].
pub struct Board {
    /// True if the firmware runs in QEMU.
    is_emulated: bool,
}

impl Hardware for Board {
    const NAME: &'static str = "netduinoplus2";
    const SCRATCH_BYTES: usize = 64 * 1024;
    /// The rate of TIM2 on the chip.
    const CLOCK_HZ: u32 = 2 * APB1_HZ;

    type Flash = ChipFlash<Sectors>;

    fn start() -> Self {
        // On the chip, the bit of the internal oscillator is always set here.
        let is_emulated = RCC_CR.read() == 0;
        if !is_emulated {
            start_clocks();
        }
        // The clocks of GPIOA and GPIOB, of TIM2 and USART2, and of USART1.
        RCC_AHB1ENR.set(0b11);
        RCC_APB1ENR.set(1 << 17 | 1);
        RCC_APB2ENR.set(1 << 4);
        start_pins();

        TIM2_ARR.write(u32::MAX);
        TIM2_CR1.write(1);

        LOG.brr.write(APB1_HZ / BAUD);
        LOG.cr1.write(Usart::UE | Usart::TE);
        CONSOLE.brr.write(APB2_HZ / BAUD);
        CONSOLE.cr1.write(Usart::UE | Usart::TE | Usart::RE | Usart::RXNEIE);
        processor::unmask(processor::Interrupt(USART1 as u16));
        if !is_emulated {
            start_watchdog();
        }
        Board { is_emulated }
    }

    fn clock_hz(&self) -> u32 {
        if self.is_emulated { EMULATED_TIMER_HZ } else { Self::CLOCK_HZ }
    }

    fn ticks(&mut self) -> u32 {
        TIM2_CNT.read()
    }

    fn send_byte(byte: u8) {
        CONSOLE.send(byte);
    }

    fn flush() {
        while CONSOLE.sr.read() & Usart::TC == 0 {}
    }

    fn log_byte(byte: u8) {
        LOG.send(byte);
    }

    fn sleep(&mut self) {
        processor::sleep_for_a_while();
    }

    fn feed_watchdog(&mut self) {
        const FEED: u32 = 0xaaaa;
        if !self.is_emulated {
            IWDG_KR.write(FEED);
        }
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        let flags = RCC_CSR.read();
        // Clear the flags for the next reset.
        RCC_CSR.set(1 << 24);
        let is_set = |bit: u32| flags & 1 << bit != 0;
        // The order matters: every reset also sets the flag of the reset pin (bit 26), and power-on (bit 27) also that
        // of the brownout (bit 25). Two watchdogs have the bits 29 and 30.
        ResetReason::first_set(&[
            (is_set(27), ResetReason::PowerOn),
            (is_set(25), ResetReason::Brownout),
            (is_set(29) || is_set(30), ResetReason::Watchdog),
            (is_set(28), ResetReason::Command),
            (is_set(26), ResetReason::Pin),
        ])
    }

    fn reset() -> ! {
        processor::reset()
    }
}
