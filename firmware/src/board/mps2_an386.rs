//! ARM's MPS2 board with the AN386 image: a Cortex-M4F at 25 MHz, 4 MB of code memory, 4 MB of RAM. QEMU's `mps2-an386`.
//!
//! * UART0 is the console; its receive interrupt fills the queue.
//! * UART1 carries the logs.
//! * TIMER0 counts the clock: a 32-bit counter that wraps after 172 s. Without an interrupt of its own it does not disturb
//!   what it measures.
//! * The upper 2 MB of code memory are the model's slot (`memory.x`).

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt::{self, Write as _};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::{ExceptionFrame, exception};
use critical_section::Mutex;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use tern_firmware::queue::{Dropped, Feeder, Ring, Taker, split};
use tern_firmware::{Event, Loss, Port};

/// The board's name.
pub const NAME: &str = "mps2-an386";
/// Frequency of the processor and its timers.
pub const CLOCK_HZ: u32 = 25_000_000;

const BAUD: u32 = 115_200;

// ---- registers ----

/// A register of this board's peripherals.
#[derive(Clone, Copy)]
struct Register(usize);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: every `Register` below is the address of a 32-bit peripheral register of this board, always mapped. Reading
        // one changes no memory that Rust knows of.
        unsafe { ptr::with_exposed_provenance::<u32>(self.0).read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: as for `read`. None of these peripherals writes to memory.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(self.0).write_volatile(value) }
    }
}

/// A UART of ARM's Cortex-M System Design Kit: one byte of buffer each way.
struct Uart {
    data: Register,
    state: Register,
    control: Register,
    interrupt: Register,
    divider: Register,
}

impl Uart {
    const TX_FULL: u32 = 1 << 0;
    const RX_FULL: u32 = 1 << 1;
    const RX_OVERRUN: u32 = 1 << 3;
    const TX_ENABLE: u32 = 1 << 0;
    const RX_ENABLE: u32 = 1 << 1;
    const RX_INTERRUPT: u32 = 1 << 3;

    const fn at(base: usize) -> Self {
        Uart {
            data: Register(base),
            state: Register(base + 0x4),
            control: Register(base + 0x8),
            interrupt: Register(base + 0xc),
            divider: Register(base + 0x10),
        }
    }

    fn send(&self, bytes: &[u8]) {
        for &byte in bytes {
            while self.state.read() & Self::TX_FULL != 0 {}
            self.data.write(byte.into());
        }
    }
}

const CONSOLE: Uart = Uart::at(0x4000_4000);
const LOG: Uart = Uart::at(0x4000_5000);

/// TIMER0 counts down from `RELOAD` to 0 and begins again.
const TIMER_CONTROL: Register = Register(0x4000_0000);
const TIMER_VALUE: Register = Register(0x4000_0004);
const TIMER_RELOAD: Register = Register(0x4000_0008);

// ---- interrupts ----

/// Interrupts of this board that have a handler.
#[derive(Clone, Copy)]
enum Interrupt {
    Uart0Receive = 0,
}

// SAFETY: the numbers are those of the board's vector table.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

unsafe extern "C" {
    static __model_start: u8;
    static __model_end: u8;
}

/// The vectors behind the processor's own. No interrupt above the last of them is ever unmasked.
// SAFETY: this is the section in which cortex-m-rt's linker script expects these vectors, under the name that it expects.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [extern "C" fn(); 1] = [uart0_receive];

static DROPPED: Dropped = Dropped::new();
static FEEDER: Mutex<RefCell<Option<Feeder<'static>>>> = Mutex::new(RefCell::new(None));

extern "C" fn uart0_receive() {
    CONSOLE.interrupt.write(Uart::RX_FULL);
    critical_section::with(|cs| {
        let mut feeder = FEEDER.borrow_ref_mut(cs);
        let Some(feeder) = feeder.as_mut() else { return };
        loop {
            let state = CONSOLE.state.read();
            if state & Uart::RX_FULL == 0 {
                break;
            }
            let byte = CONSOLE.data.read() as u8;
            if state & Uart::RX_OVERRUN != 0 {
                CONSOLE.state.write(Uart::RX_OVERRUN);
                feeder.overrun(byte);
            } else {
                feeder.push(byte);
            }
        }
    });
}

// ---- the port ----

/// UART0 with its queue, and the clock.
pub struct Serial {
    received: Taker<'static>,
}

/// Starts the board. Called once: it takes the ring.
pub fn init(ring: &'static mut Ring) -> Serial {
    TIMER_RELOAD.write(u32::MAX);
    TIMER_VALUE.write(u32::MAX);
    TIMER_CONTROL.write(1);

    // As fast as it goes: logging stops interrupts, and a byte on the console must not wait longer than the next one takes.
    LOG.divider.write(16);
    LOG.control.write(Uart::TX_ENABLE);

    let (feeder, received) = split(ring, &DROPPED);
    critical_section::with(|cs| FEEDER.borrow_ref_mut(cs).replace(feeder));
    CONSOLE.divider.write(CLOCK_HZ / BAUD);
    CONSOLE.control.write(Uart::TX_ENABLE | Uart::RX_ENABLE | Uart::RX_INTERRUPT);
    // SAFETY: the handler and all that it needs are in place, and no critical section depends on this interrupt being masked.
    unsafe { NVIC::unmask(Interrupt::Uart0Receive) };
    Serial { received }
}

/// The flash in which a device file may lie.
pub fn model_slot() -> &'static [u8] {
    let (start, end) = (&raw const __model_start, &raw const __model_end);
    // SAFETY: memory.x sets both symbols to the ends of a region that is mapped, that nothing else is linked into, and that this
    // program never writes.
    unsafe { core::slice::from_raw_parts(start, end as usize - start as usize) }
}

impl ErrorType for Serial {
    type Error = Infallible;
}

impl Read for Serial {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        if to.is_empty() {
            return Ok(0);
        }
        let mut length = 0;
        loop {
            while let Some((to, byte)) = to.get_mut(length).and_then(|to| Some((to, self.received.pop()?))) {
                *to = byte;
                length += 1;
            }
            if length > 0 {
                return Ok(length);
            }
            self.wait();
        }
    }
}

impl ReadReady for Serial {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }
}

impl Write for Serial {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        CONSOLE.send(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while CONSOLE.state.read() & Uart::TX_FULL != 0 {}
        Ok(())
    }
}

impl Port for Serial {
    fn take_loss(&mut self) -> Option<Loss> {
        self.received.take_loss()
    }

    fn ticks(&mut self) -> u32 {
        // It counts down.
        !TIMER_VALUE.read()
    }

    fn wait(&mut self) {
        // Between the look and the sleep no interrupt may slip in; one that arrives ends the sleep all the same.
        critical_section::with(|_| {
            if !self.received.is_pending() {
                cortex_m::asm::wfi();
            }
        });
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Overflow { lost } => defmt::warn!("overflow: {=u32} bytes lost, a line or text refused", lost),
            Event::LineTooLong { bytes } => defmt::warn!("a line of {=usize} bytes refused", bytes),
            Event::SelfTest { exact, golden } if exact == golden => defmt::info!("selftest: {=u32} texts exact", exact),
            Event::SelfTest { exact, golden } => defmt::error!("selftest: {=u32} of {=u32} texts exact", exact, golden),
        }
    }
}

// ---- logs and the end ----

/// Sends bytes of the log.
pub fn send_log(bytes: &[u8]) {
    LOG.send(bytes);
}

/// Says why on the console and in the log, and stops the processor.
pub fn stop(why: fmt::Arguments<'_>) -> ! {
    static STOPPING: AtomicBool = AtomicBool::new(false);

    struct Plain;
    impl fmt::Write for Plain {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            CONSOLE.send(text.as_bytes());
            Ok(())
        }
    }
    cortex_m::interrupt::disable();
    // What fails while it says so must not begin again. Loads and stores suffice: interrupts are off.
    if !STOPPING.load(Ordering::Relaxed) {
        STOPPING.store(true, Ordering::Relaxed);
        let _ = write!(Plain, "\r\nfirmware stopped: {why}\r\nplease report this; reset the board to go on\r\n");
        defmt::error!("stopped: {}", defmt::Display2Format(&why));
    }
    loop {
        cortex_m::asm::wfi();
    }
}

// SAFETY: it touches nothing that the faulting code may have left half done but two UARTs, and never returns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    stop(format_args!("hard fault at {:#010x}", frame.pc()))
}
