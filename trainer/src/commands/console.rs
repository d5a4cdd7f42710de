//! `tern console`: connects the terminal, or the lines of stdin, with a device's console.

mod script;
mod terminal;

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;
use std::time::Duration;

use super::{Failure, note};
use crate::link::{Client, ClientError, Emulation, Link, LinkArgs, Target, catch_interrupts};
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
    // `synchronize` brings it into machine mode, and `release` from there to the prompt.
    let is_starting = matches!(target, Target::Qemu(_));
    let result = if stdin().is_terminal() {
        note(format_args!("connected to {}; Ctrl-] or `quit` leaves", connection.name()));
        let mut client = Client::new(connection, args.link.timeout().min(MAX_ANSWER_WAIT));
        if is_starting {
            terminal::run(client.into_link())
        } else {
            match client.synchronize() {
                Ok(()) => client.release(),
                Err(error @ ClientError::NoConsole { .. }) => warn(error),
                Err(error) => return Err(error.into()),
            }
            let mut connection = client.into_link();
            // The device answers an empty line with its prompt.
            connection.send(b"\r")?;
            terminal::run(connection)
        }
    } else {
        let mut client = Client::new(connection, args.link.timeout());
        if !is_starting {
            client.synchronize()?;
            client.release();
        }
        let mut out = stdout().lock();
        script::run(client.into_link(), args.link.timeout(), is_starting, stdin().lock(), &mut out)
    };
    if let Some(hint) = target.emulation().and_then(Emulation::log_hint) {
        note(hint);
    }
    result
}

/// Fails if a device file is named that the device would not run, or if an emulated device has no model.
fn check_usage(args: &Args) -> Result<(), Failure> {
    let message = match (&args.file, args.link.qemu, &args.link.flash) {
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
