//! ST's NUCLEO-F429ZI: an STM32F429, a Cortex-M4F at 168 MHz with 2 MB of flash and 192 KB of contiguous RAM.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x08000000, LENGTH = 256K
//!   RECORD : ORIGIN = 0x08040000, LENGTH = 256K
//!   SLOT_A : ORIGIN = 0x08080000, LENGTH = 512K
//!   SLOT_B : ORIGIN = 0x08120000, LENGTH = 512K
//!   RAM    : ORIGIN = 0x20000000, LENGTH = 192K
//! }
//! ```
//!
//! Record and slots use the sectors of 128 KB. The sectors before and between them are smaller.
//!
//! * USART3 is the console, with TX on PD8 and RX on PD9: the ST-LINK's serial port over USB.
//! * The processor's cycle counter is the clock.
//! * The independent watchdog resets after 8 s.
//! * The log goes to the debugger (RTT).

use cortex_m::peripheral::{NVIC, SYST};
use defmt_rtt as _;
use embassy_stm32::flash::{Blocking, Error, Flash};
use embassy_stm32::pac::{self, interrupt};
use embassy_stm32::peripherals::{FLASH, IWDG};
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllQDiv, PllSource, Sysclk,
};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::Uart;
use embassy_stm32::wdg::IndependentWatchdog;
use embedded_storage::nor_flash::NorFlashErrorKind;
use tern_firmware::hardware::ResetReason;
use tern_firmware::{Hardware, Partitions};

use crate::memory_map::{self, ChipFlash, FlashDriver};
use crate::{RECEIVE_QUEUE, processor};

const CLOCK_HZ: u32 = 168_000_000;
const WATCHDOG_MICROSECONDS: u32 = 8_000_000;
const CONSOLE: pac::usart::Usart = pac::USART3;

/// 168 MHz: the 8 MHz from the ST-LINK, / 4 · 168 / 2.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    config.rcc.pll_src = PllSource::HSE;
    config.rcc.pll = Some(Pll {
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL168,
        divp: Some(PllPDiv::DIV2),
        divq: Some(PllQDiv::DIV7),
        divr: None,
    });
    config.rcc.ahb_pre = AHBPrescaler::DIV1;
    config.rcc.apb1_pre = APBPrescaler::DIV4;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.sys = Sysclk::PLL1_P;
    config
}

#[interrupt]
fn USART3() {
    RECEIVE_QUEUE.with(|queue| {
        loop {
            let state = CONSOLE.sr().read();
            if !state.rxne() && !state.ore() {
                break;
            }
            // Reading the state and then the byte clears an overrun.
            let byte = CONSOLE.dr().read().dr() as u8;
            if state.ore() { queue.overrun(byte) } else { queue.push(byte) }
        }
    });
}

/// The flash, of which the sectors of 128 KB are used.
pub struct Sectors;

impl Sectors {
    fn with(
        work: impl FnOnce(&mut Flash<'_, Blocking>, u32) -> Result<(), Error>,
        address: usize,
    ) -> Result<(), NorFlashErrorKind> {
        // SAFETY: nothing else uses the flash: there is one thread, and it accesses the flash only here.
        let mut flash = Flash::new_blocking(unsafe { FLASH::steal() });
        work(&mut flash, (address - embassy_stm32::flash::FLASH_BASE) as u32).map_err(|error| match error {
            Error::Size => NorFlashErrorKind::OutOfBounds,
            Error::Unaligned => NorFlashErrorKind::NotAligned,
            _ => NorFlashErrorKind::Other,
        })
    }
}

impl FlashDriver for Sectors {
    const ERASE_BYTES: usize = 128 * 1024;
    const WRITE_BYTES: usize = embassy_stm32::flash::WRITE_SIZE;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        Self::with(|flash, from| flash.blocking_erase(from, from + Self::ERASE_BYTES as u32), address)
    }

    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        Self::with(|flash, from| flash.blocking_write(from, bytes), address)
    }
}

/// The board after [`Hardware::start`].
pub struct Board {
    systick: SYST,
    watchdog: IndependentWatchdog<'static, IWDG>,
}

impl Hardware for Board {
    const NAME: &'static str = "nucleo-f429zi";
    const SCRATCH_BYTES: usize = 96 * 1024;

    type Flash = ChipFlash<Sectors>;

    fn start() -> Self {
        let chip = embassy_stm32::init(clocks());
        // SAFETY: `start` is called once, and nothing else uses the processor's timers.
        let mut core = unsafe { cortex_m::Peripherals::steal() };
        processor::start_cycle_counter(&mut core.DCB, &mut core.DWT);

        // 115,200 baud, 8 data bits, no parity, one stop bit.
        let config = embassy_stm32::usart::Config::default();
        let Ok(uart) = Uart::new_blocking(chip.USART3, chip.PD9, chip.PD8, config) else {
            panic!("USART3 has no such rate")
        };
        // Dropping it would switch the port off.
        core::mem::forget(uart);
        CONSOLE.cr1().modify(|control| control.set_rxneie(true));
        // SAFETY: the handler is ready, and no critical section relies on this interrupt being masked.
        unsafe { NVIC::unmask(pac::Interrupt::USART3) };

        let mut watchdog = IndependentWatchdog::new(chip.IWDG, WATCHDOG_MICROSECONDS);
        watchdog.unleash();
        Board { systick: core.SYST, watchdog }
    }

    fn clock_hz(&self) -> u32 {
        CLOCK_HZ
    }

    fn ticks(&mut self) -> u32 {
        processor::cycles()
    }

    fn partitions(&mut self) -> Partitions<Self::Flash> {
        memory_map::partitions(ChipFlash::new)
    }

    fn send(bytes: &[u8]) {
        for &byte in bytes {
            while !CONSOLE.sr().read().txe() {}
            CONSOLE.dr().write(|data| data.set_dr(byte.into()));
        }
    }

    fn flush() {
        while !CONSOLE.sr().read().tc() {}
    }

    fn sleep(&mut self) {
        processor::sleep_for_a_while(&mut self.systick);
    }

    fn feed_watchdog(&mut self) {
        self.watchdog.pet();
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        let flags = pac::RCC.csr().read();
        pac::RCC.csr().modify(|csr| csr.set_rmvf(true));
        // Every reset also sets the flag of the reset pin, and power-on also that of the brownout.
        match () {
            () if flags.porrstf() => Some(ResetReason::PowerOn),
            () if flags.borrstf() => Some(ResetReason::Brownout),
            () if flags.wdgrstf() || flags.wwdgrstf() => Some(ResetReason::Watchdog),
            () if flags.sftrstf() => Some(ResetReason::Command),
            () if flags.padrstf() => Some(ResetReason::Pin),
            () => None,
        }
    }

    fn reset() -> ! {
        processor::reset()
    }
}
