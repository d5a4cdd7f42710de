//! `tern console`: connects the terminal, or the lines of stdin, with a device's console.

mod script;
mod terminal;

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;
use std::time::Duration;

use super::{Failure, note};
use crate::link::{Client, ClientError, Connection, Emulation, Link, LinkArgs, Target, catch_interrupts};
use crate::progress::warn;

/// The longest wait for a real device to enter machine mode before a terminal is connected. If the device does not
/// answer in this time, the terminal is connected with a warning.
const MAX_ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Options of `tern console`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern console spam.safetensors --qemu
  tern console --qemu --board riscv32-virt --flash board.flash
  tern console --port /dev/ttyACM0
  echo 'free prize, call now' | tern console spam.safetensors --qemu

In a terminal, your keys go to the device and its output comes back. Ctrl-] leaves at any time, and so does a
line that is only `quit` or `exit`; `classify quit` sends the word itself as a text. From a file or a pipe, each
line is sent when the device has answered the one before, and the session is printed.")]
pub struct Args {
    /// Device file for the emulated device; only with --qemu and without --flash
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Connects the terminal, or the lines of stdin, with a device's console.
pub fn run(args: &Args) -> anyhow::Result<()> {
    check_usage(args)?;
    let target = args.link.target(args.file.as_ref())?;
    catch_interrupts();
    let connection = target.open()?;
    // An emulated device starts with the connection and shows its prompt. A real one is already running, in any state:
    // `Client::synchronize` brings it into machine mode, the numbered and checksummed form of the console, and
    // `Client::release` from there to the prompt.
    let is_starting = matches!(target, Target::Qemu(_));
    let result = if stdin().is_terminal() {
        connect_terminal(connection, args.link.timeout(), is_starting)
    } else {
        connect_stdin(connection, args.link.timeout(), is_starting)
    };
    if let Some(hint) = target.emulation().and_then(Emulation::log_hint) {
        note(hint);
    }
    result
}

/// Connects the terminal with the console of a device. Unless the device is starting, brings it to its prompt first.
fn connect_terminal(mut connection: Connection, timeout: Duration, is_starting: bool) -> anyhow::Result<()> {
    note(format_args!("connected to {}; Ctrl-] or `quit` leaves", connection.name()));
    if !is_starting {
        let mut client = Client::new(connection, timeout.min(MAX_ANSWER_WAIT));
        match client.synchronize() {
            Ok(()) => client.release(),
            Err(error @ ClientError::NoConsole { .. }) => warn(error),
            Err(error) => return Err(error.into()),
        }
        connection = client.into_link();
        // The device answers an empty line with its prompt.
        connection.send(b"\r")?;
    }
    terminal::run(connection)
}

/// Sends the lines of stdin to the console of a device. Unless the device is starting, brings it to its prompt first.
fn connect_stdin(mut connection: Connection, timeout: Duration, is_starting: bool) -> anyhow::Result<()> {
    if !is_starting {
        let mut client = Client::new(connection, timeout);
        client.synchronize()?;
        client.release();
        connection = client.into_link();
    }
    script::run(connection, timeout, is_starting, stdin().lock(), &mut stdout().lock())
}

/// Fails if a device file is named that the device would not run, or if an emulated device has no model.
fn check_usage(args: &Args) -> Result<(), Failure> {
    let (is_emulated, flash_image) = (args.link.qemu, &args.link.flash);
    let message = match (&args.file, is_emulated, flash_image) {
        (Some(file), true, Some(_)) => format!(
            "the emulated device runs the model that is stored in --flash; leave {0} out, or send it there with\n  \
             tern push {0} {1}",
            file.display(),
            args.link.command_line()
        ),
        (None, true, None) => "--qemu needs a model: `tern console FILE --qemu` with a device file".to_owned(),
        (Some(file), false, _) => format!(
            "a device at --port or --tcp runs the model in its flash; leave {} out, or add --qemu",
            file.display()
        ),
        _ => return Ok(()),
    };
    Err(Failure::Usage(message))
}
