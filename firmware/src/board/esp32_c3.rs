//! ESP32-C3: a RISC-V core at 160 MHz with 400 KB of RAM, on modules and boards with 4 MB of flash.
//!
//! ```memory.x
//! MEMORY
//! {
//!   FLASH  : ORIGIN = 0x3c000020, LENGTH = 896K - 0x20
//!   SLOT_A : ORIGIN = 0x3c110000, LENGTH = 1M
//!   SLOT_B : ORIGIN = 0x3c210000, LENGTH = 1M
//!   RECORD : ORIGIN = 0x3c310000, LENGTH = 64K
//!   RAM    : ORIGIN = 0x3fc80000, LENGTH = 313K
//!   /* The same flash and the same RAM at the bus for instructions. The cache takes the first 16 KB of the RAM. */
//!   IROM   : ORIGIN = 0x42000020, LENGTH = 896K - 0x20
//!   IRAM   : ORIGIN = 0x40380000, LENGTH = 297K
//!   /* RAM that the bootloader uses, and RAM that stays on in deep sleep. Nothing is placed there. */
//!   dram2_seg : ORIGIN = 0x3fcce400, LENGTH = 0x10310
//!   RTC_FAST  : ORIGIN = 0x50000000, LENGTH = 8K
//! }
//! REGION_ALIAS("DROM", FLASH);
//! REGION_ALIAS("DRAM", RAM);
//! /* esp-hal watches a word in the first 64 bytes of the stack. */
//! __sheap = _stack_end + 64;
//! ```
//!
//! * In the flash chip, the bootloader is at 0, the partition table at 0x8000, and the program at 0x10000, where
//!   espflash puts it by default, with up to 128 KB of padding and of data for the RAM. The slots and the record begin
//!   at 0x110000, in the rest of the program's partition.
//! * The processor reads flash through a cache, in pages of 64 KB that a table maps to addresses. The bootloader maps
//!   the pages of the program. [`Hardware::start`] maps those of the slots and of the record, so that offset n of the
//!   flash chip is at address 0x3c000000 + n. The addresses of the program do not follow this rule.
//! * The console is at USB, by the chip's USB Serial/JTAG, and at UART0, with TX on GPIO21 and RX on GPIO20. What is
//!   sent goes to the port that the last byte came from. Before the first byte it goes to USB, or to the UART if no
//!   program of the host reads from USB.
//! * The processor's cycle counter is the clock.
//! * The watchdog resets after 8 s. It does not count during sleep.
//! * The log goes to the debugger (RTT): the chip's USB Serial/JTAG is also a debug probe.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "log")]
use defmt_rtt as _;
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use esp_hal::clock::CpuClock;
use esp_hal::peripherals::{FLASH, UART0, USB_DEVICE};
use esp_hal::rtc_cntl::{Rtc, RwdtStage, SocResetReason};
use esp_hal::time::Duration;
use esp_hal::uart::{RxConfig, Uart, UartInterrupt};
use esp_hal::usb_serial_jtag::UsbSerialJtag;
use esp_hal::{handler, ram, system};
use esp_storage::FlashStorage;
use tern_firmware::Hardware;
use tern_firmware::hardware::ResetReason;
use tern_firmware::queue::Received;

use crate::memory_map::{ChipFlash, FlashDriver};
use crate::{RECEIVE_WRITER, processor};

// The bootloader and espflash read this description of the program. It has no date, so that builds are reproducible.
esp_bootloader_esp_idf::esp_app_desc!(
    tern_firmware::FIRMWARE,
    "tern-firmware",
    "-",
    "-",
    esp_bootloader_esp_idf::ESP_IDF_COMPATIBLE_VERSION,
    esp_bootloader_esp_idf::MMU_PAGE_SIZE,
    0,
    u16::MAX,
    esp_bootloader_esp_idf::SECURE_VERSION
);

const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(8);

// ---- cycle counter ----

/// Starts the processor's cycle counter, which wraps after 2^32 − 1.
fn start_cycle_counter() {
    // Bit 0 of the register `mpcer` (0x7e0) selects cycles as the event to count, bit 0 of `mpcmr` (0x7e1) starts the
    // counter.
    // SAFETY: these registers change only the counter, which nothing else uses.
    unsafe { asm!("csrw 0x7e0, {cycles}", "csrw 0x7e1, {on}", cycles = in(reg) 1, on = in(reg) 1) }
}

/// The count of the processor's cycles.
fn cycles() -> u32 {
    let cycles;
    // SAFETY: this reads the counter, the register `mpccr`, and changes nothing.
    unsafe { asm!("csrr {cycles}, 0x7e2", cycles = out(reg) cycles, options(nomem, nostack)) }
    cycles
}

// ---- console ----

/// The time, in cycles, after which a host that takes nothing from USB counts as gone: 50 ms.
const USB_TIMEOUT: u32 = Board::CLOCK_HZ / 20;
/// Capacity of the UART's send buffer in bytes.
const UART_BUFFER: u16 = 128;

/// True if output goes to USB, false if it goes to the UART.
static IS_USB: AtomicBool = AtomicBool::new(true);
/// True if the USB buffer may have bytes that the host cannot take yet, because [`release_usb`] has not released them.
static HAS_UNRELEASED: AtomicBool = AtomicBool::new(false);

#[handler]
fn uart_receive() {
    let uart = UART0::regs();
    let mut is_overrun = uart.int_raw().read().rxfifo_ovf().bit_is_set();
    uart.int_clr().write(|bits| {
        bits.rxfifo_full().clear_bit_by_one();
        bits.rxfifo_tout().clear_bit_by_one();
        bits.rxfifo_ovf().clear_bit_by_one()
    });
    RECEIVE_WRITER.receive(|| {
        if uart.status().read().rxfifo_cnt().bits() == 0 {
            return None;
        }
        IS_USB.store(false, Ordering::Relaxed);
        // The position of the overrun among the bytes is not known, so it counts as before the first of them.
        let is_overrun = core::mem::take(&mut is_overrun);
        Some(Received { byte: uart.fifo().read().rxfifo_rd_byte().bits(), is_overrun })
    });
}

#[handler]
fn usb_receive() {
    USB_DEVICE::regs().int_clr().write(|bits| bits.serial_out_recv_pkt().clear_bit_by_one());
    take_from_usb();
}

/// Queues the bytes that came from USB, while the queue has room. The others stay in the hardware, and the host waits.
fn take_from_usb() {
    let usb = USB_DEVICE::regs();
    // The interrupt handler and `feed_watchdog` call this function; neither may interrupt the other.
    critical_section::with(|_| {
        while usb.ep1_conf().read().serial_out_ep_data_avail().bit_is_set() && RECEIVE_WRITER.has_room() {
            IS_USB.store(true, Ordering::Relaxed);
            let mut byte = Some(Received { byte: usb.ep1().read().rdwr_byte().bits(), is_overrun: false });
            RECEIVE_WRITER.receive(|| byte.take());
        }
    });
}

/// Waits until the USB buffer has room, which is when the host has taken the last packet, and returns true. After
/// [`USB_TIMEOUT`], sends output to the UART from here on and returns false.
fn wait_for_usb() -> bool {
    let start = cycles();
    while USB_DEVICE::regs().ep1_conf().read().serial_in_ep_data_free().bit_is_clear() {
        if cycles().wrapping_sub(start) > USB_TIMEOUT {
            IS_USB.store(false, Ordering::Relaxed);
            return false;
        }
    }
    true
}

/// Releases the bytes in the USB buffer to the host. The hardware releases a full buffer by itself.
fn release_usb() {
    if HAS_UNRELEASED.load(Ordering::Relaxed) {
        HAS_UNRELEASED.store(false, Ordering::Relaxed);
        USB_DEVICE::regs().ep1_conf().modify(|_, bits| bits.wr_done().set_bit());
    }
}

// ---- flash ----

#[allow(non_snake_case, reason = "the names in the boot ROM")]
unsafe extern "C" {
    static __slot_a_start: u8;
    static __record_end: u8;

    fn Cache_Suspend_ICache() -> u32;
    fn Cache_Resume_ICache(autoload: u32);
    fn Cache_Invalidate_Addr(address: u32, bytes: u32) -> i32;
    fn Cache_Dbus_MMU_Set(memory: u32, address: u32, offset: u32, page_kb: u32, pages: u32, is_same_page: u32) -> i32;
}

/// The address to which [`map_slots`] would map offset 0 of the flash chip.
const FLASH_BASE: usize = 0x3c00_0000;
/// Length of a page of the cache's table in KB.
const PAGE_KB: u32 = 64;
/// Length of a line of the cache in bytes.
const CACHE_LINE: usize = 32;

/// Maps `pages` pages of flash, from `offset` in the chip on, to `address`. Returns the error of the boot ROM's
/// function, 0 if there is none.
///
/// This function is in RAM, since flash cannot be read while the cache is off.
///
/// # Safety
/// Interrupts are masked, and nothing else is mapped to these addresses.
#[ram]
unsafe fn map_pages(address: u32, offset: u32, pages: u32) -> i32 {
    const FLASH: u32 = 0;
    // SAFETY: the boot ROM's functions are always there, and until the cache is on again neither code nor data is read
    // from flash: interrupts are masked, and this function and the stack are in RAM.
    unsafe {
        let autoload = Cache_Suspend_ICache();
        let error = Cache_Dbus_MMU_Set(FLASH, address, offset, PAGE_KB, pages, 0);
        Cache_Resume_ICache(autoload);
        error
    }
}

/// Maps the slots and the record.
fn map_slots() {
    let (start, end) = ((&raw const __slot_a_start).addr(), (&raw const __record_end).addr());
    let pages = ((end - start) as u32).div_ceil(PAGE_KB * 1024);
    // SAFETY: interrupts are masked, and the pages of the program end before those of the slots.
    let error = critical_section::with(|_| unsafe { map_pages(start as u32, chip_offset(start), pages) });
    assert_eq!(error, 0, "the flash is not mapped");
    forget_cached(start, end - start);
}

/// Removes the lines with a piece of flash from the cache, so that the processor reads the chip again.
fn forget_cached(address: usize, bytes: usize) {
    let start = address / CACHE_LINE * CACHE_LINE;
    let end = (address + bytes).next_multiple_of(CACHE_LINE);
    // SAFETY: the boot ROM's function changes only the cache, whose contents are copies of the flash.
    unsafe { Cache_Invalidate_Addr(start as u32, (end - start) as u32) };
}

/// The flash chip. It cannot be read while it is erased or written: the boot ROM does this, called from RAM with
/// interrupts masked.
pub struct Sectors;

/// The driver of the flash chip.
fn flash() -> FlashStorage<'static> {
    // SAFETY: nothing else uses the flash: there is one thread, and it accesses the flash only here.
    FlashStorage::new(unsafe { FLASH::steal() })
}

/// Returns the offset in the chip of an address of the slots or the record.
fn chip_offset(address: usize) -> u32 {
    (address - FLASH_BASE) as u32
}

impl FlashDriver for Sectors {
    const ERASE_BYTES: usize = FlashStorage::ERASE_SIZE;
    const WRITE_BYTES: usize = FlashStorage::WRITE_SIZE;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        let start = chip_offset(address);
        let result = flash().erase(start, start + Self::ERASE_BYTES as u32);
        forget_cached(address, Self::ERASE_BYTES);
        result.map_err(|error| error.kind())
    }

    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let result = flash().write(chip_offset(address), bytes);
        forget_cached(address, bytes.len());
        result.map_err(|error| error.kind())
    }
}

// ---- the board ----

/// The board after [`Hardware::start`].
pub struct Board {
    rtc: Rtc<'static>,
}

impl Hardware for Board {
    const NAME: &'static str = "esp32-c3";
    const SCRATCH_BYTES: usize = 128 * 1024;
    const CLOCK_HZ: u32 = 160_000_000;

    type Flash = ChipFlash<Sectors>;

    fn start() -> Self {
        start_cycle_counter();
        let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::_160MHz));

        let mut usb = UsbSerialJtag::new(chip.USB_DEVICE);
        usb.set_interrupt_handler(usb_receive);
        usb.listen_rx_packet_recv_interrupt();

        // The default is 115,200 baud, 8 data bits, no parity and one stop bit. Dropping the UART would switch it off.
        let config = esp_hal::uart::Config::default().with_rx(RxConfig::default().with_fifo_full_threshold(1));
        let Ok(uart) = Uart::new(chip.UART0, config) else { panic!("the UART refuses its configuration") };
        let mut uart = uart.with_tx(chip.GPIO21).with_rx(chip.GPIO20);
        uart.set_interrupt_handler(uart_receive);
        uart.listen(UartInterrupt::RxFifoFull | UartInterrupt::RxTimeout);
        core::mem::forget(uart);
        // The start-up code leaves interrupts disabled.
        // SAFETY: the handlers are ready, and no critical section has begun.
        unsafe { riscv::interrupt::enable() };

        map_slots();

        let mut rtc = Rtc::new(chip.LPWR);
        rtc.rwdt.enable();
        rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG_TIMEOUT);
        Board { rtc }
    }

    fn ticks(&mut self) -> u32 {
        cycles()
    }

    fn send_byte(byte: u8) {
        if IS_USB.load(Ordering::Relaxed) && wait_for_usb() {
            USB_DEVICE::regs().ep1().write(|bits| {
                // SAFETY: every value of the eight bits is allowed.
                unsafe { bits.rdwr_byte().bits(byte) }
            });
            return HAS_UNRELEASED.store(true, Ordering::Relaxed);
        }
        let uart = UART0::regs();
        // One byte of the buffer stays free as a margin.
        while uart.status().read().txfifo_cnt().bits() >= UART_BUFFER - 1 {}
        // A byte that is written to this register is sent, although its field is named for reading.
        uart.fifo().write(|bits| {
            // SAFETY: every value of the eight bits is allowed.
            unsafe { bits.rxfifo_rd_byte().bits(byte) }
        });
    }

    fn flush() {
        release_usb();
        if IS_USB.load(Ordering::Relaxed) {
            wait_for_usb();
        }
        // The UART may still send bytes from before the change to USB.
        let uart = UART0::regs();
        while uart.status().read().txfifo_cnt().bits() != 0 || uart.fsm_status().read().st_utx_out().bits() != 0 {}
    }

    fn sleep(&mut self) {
        release_usb();
        self.rtc.rwdt.disable();
        processor::sleep();
        self.rtc.rwdt.enable();
    }

    fn feed_watchdog(&mut self) {
        self.rtc.rwdt.feed();
        // The console calls this many times a second, also while it waits without sleep, so that no byte
        // stays long in a buffer.
        release_usb();
        take_from_usb();
    }

    fn reset_cause(&mut self) -> Option<ResetReason> {
        use SocResetReason as Cause;
        Some(match system::reset_reason()? {
            // A press of the reset button has the same cause as power-on.
            Cause::ChipPowerOn => ResetReason::PowerOn,
            Cause::SysBrownOut => ResetReason::Brownout,
            // A program of the host has reset the chip over USB.
            Cause::CoreUsbUart | Cause::CoreUsbJtag => ResetReason::Pin,
            Cause::CoreSw | Cause::Cpu0Sw => ResetReason::Command,
            Cause::CoreRtcWdt | Cause::Cpu0RtcWdt | Cause::SysRtcWdt | Cause::SysSuperWdt => ResetReason::Watchdog,
            _ => return None,
        })
    }

    fn reset() -> ! {
        system::software_reset()
    }
}
