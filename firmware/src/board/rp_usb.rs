//! The USB port of the chips RP2040 and RP2350, as a serial port (CDC-ACM).
//!
//! The USB stack is embassy's. It runs in an executor in a software interrupt, so that the console needs no executor:
//! bytes from the host go to the receive queue, and bytes for the host come from a pipe.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::InterruptExecutor;
use embassy_futures::join::join4;
use embassy_rp::pac::{self, interrupt};
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_rp::{Peri, bind_interrupts};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::{Duration, Instant, Timer, block_for};
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::{Builder, Config};
use tern_firmware::queue::Received;

use crate::{RECEIVE_WRITER, processor};

/// The vendor id of Raspberry Pi. With [`PRODUCT_ID`] it names the serial port of Raspberry Pi's own software, which
/// hosts recognise.
const VENDOR_ID: u16 = 0x2e8a;
const PRODUCT_ID: u16 = if cfg!(feature = "pico2") { 0x0009 } else { 0x000a };
/// Length of the largest packet of a full-speed device, in bytes.
const PACKET_BYTES: usize = 64;
/// The time after which a host that reads nothing counts as gone.
const HOST_TIMEOUT: Duration = Duration::from_millis(500);
/// The time allowed for the last packet to reach the host.
const LAST_PACKET_TIME: Duration = Duration::from_millis(5);

type Usb<'d> = Driver<'d, USB>;

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();
/// Bytes for the host.
static TO_HOST: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();
/// True while a program of the host has the port open.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

#[interrupt]
fn SWI_IRQ_0() {
    // SAFETY: this is the interrupt that the executor was started with.
    unsafe { EXECUTOR.on_interrupt() }
}

/// Starts the port.
pub fn start(usb: Peri<'static, USB>) {
    match run(usb) {
        Ok(task) => EXECUTOR.start(pac::Interrupt::SWI_IRQ_0).spawn(task),
        // Cannot happen: the task is started only once.
        Err(_) => unreachable!(),
    }
}

/// Sends a byte. Returns false if the byte is not sent: no program of the host has the port open, the program does not
/// read, or interrupts are masked.
pub fn send_byte(byte: u8) -> bool {
    // With interrupts masked, as in the panic handler, nothing takes bytes out of the pipe.
    if !IS_OPEN.load(Ordering::Relaxed) || processor::are_interrupts_masked() {
        return false;
    }
    let start = Instant::now();
    while TO_HOST.try_write(&[byte]).is_err() {
        if start.elapsed() > HOST_TIMEOUT {
            close();
            return false;
        }
    }
    true
}

/// Waits until the bytes in [`TO_HOST`] have been sent: at most [`HOST_TIMEOUT`] until the pipe is empty, and then
/// [`LAST_PACKET_TIME`]. Does not wait while the port is closed.
pub fn flush() {
    let start = Instant::now();
    while IS_OPEN.load(Ordering::Relaxed) && !TO_HOST.is_empty() && start.elapsed() < HOST_TIMEOUT {}
    if IS_OPEN.load(Ordering::Relaxed) {
        block_for(LAST_PACKET_TIME);
    }
}

/// Marks the port as closed and drops the bytes that have not been sent.
fn close() {
    IS_OPEN.store(false, Ordering::Relaxed);
    TO_HOST.clear();
}

/// Runs the USB device.
#[embassy_executor::task]
async fn run(usb: Peri<'static, USB>) {
    // Memory for the descriptors of the configuration and of the capabilities (BOS), with room to spare, and for
    // control transfers.
    let (mut descriptors, mut capabilities, mut control_bytes) = ([0; 128], [0; 16], [0; PACKET_BYTES]);
    let mut state = State::new();
    let mut config = Config::new(VENDOR_ID, PRODUCT_ID);
    config.manufacturer = Some("Tern");
    config.product = Some(crate::BOARD);
    let driver = Driver::new(usb, Interrupts);
    let mut builder = Builder::new(driver, config, &mut descriptors, &mut capabilities, &mut [], &mut control_bytes);
    let class = CdcAcmClass::new(&mut builder, &mut state, PACKET_BYTES as u16);
    let (sender, receiver, control) = class.split_with_control();
    let mut device = builder.build();
    join4(device.run(), send(sender), receive(receiver), watch(control)).await;
}

/// Sends the bytes of [`TO_HOST`] to the host.
async fn send<'d>(mut sender: Sender<'d, Usb<'d>>) {
    loop {
        sender.wait_connection().await;
        let mut packet = [0; PACKET_BYTES];
        loop {
            let length = TO_HOST.read(&mut packet).await;
            let mut sent = sender.write_packet(&packet[..length]).await;
            // After a full packet the host waits for more; an empty packet tells it that no more follows.
            if length == PACKET_BYTES && TO_HOST.is_empty() {
                sent = sent.and(sender.write_packet(&[]).await);
            }
            // The host has disconnected.
            if sent.is_err() {
                close();
                break;
            }
        }
    }
}

/// Queues the bytes that the host sends. Takes a packet from the hardware only when the packet before it is in the
/// queue, so that the host waits while the queue is full.
async fn receive<'d>(mut receiver: Receiver<'d, Usb<'d>>) {
    loop {
        receiver.wait_connection().await;
        let mut packet = [0; PACKET_BYTES];
        while let Ok(length) = receiver.read_packet(&mut packet).await {
            // A program that sends also reads, even if it does not set the line Data Terminal Ready.
            IS_OPEN.store(true, Ordering::Relaxed);
            for &byte in &packet[..length] {
                while !RECEIVE_WRITER.has_room() {
                    Timer::after_millis(1).await;
                }
                // `receive` calls the closure until it returns `None`: here, after one byte.
                let mut next = Some(Received { byte, is_overrun: false });
                RECEIVE_WRITER.receive(|| next.take());
            }
        }
    }
}

/// Updates [`IS_OPEN`] when a program of the host opens or closes the port, which sets or clears the line Data Terminal
/// Ready.
async fn watch(control: ControlChanged<'_>) {
    loop {
        control.control_changed().await;
        if control.dtr() {
            IS_OPEN.store(true, Ordering::Relaxed);
        } else {
            close();
        }
    }
}
