//! `tern console`

mod script;
mod terminal;

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;

use super::{Failure, note};
use crate::link::{Client, Emulation, LinkArgs, Target, interrupt};

/// Options of `tern console`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern console spam.safetensors --qemu
  tern console --qemu --board riscv32-virt --flash board.flash
  tern console --port /dev/ttyACM0
  echo 'free prize, call now' | tern console spam.safetensors --qemu

In a terminal, what you type goes to the device and what it sends to you; Ctrl-] leaves. From a
file or a pipe, lines are sent one after the other, each when the device has answered the one
before, and the session is printed.")]
pub struct Args {
    /// Device file to emulate a device with; only with --qemu
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The device.
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Connects the terminal, or the lines of stdin, with a device's console.
///
/// # Errors
///
/// Where the device cannot be reached, goes away, or does not answer a line.
pub fn run(args: &Args) -> Result<(), Failure> {
    match (&args.file, args.link.qemu) {
        (None, true) if args.link.flash.is_some() => Ok(work(args)?),
        (Some(_), true) if args.link.flash.is_some() => Err(Failure::Usage(
            "what lies in --flash runs: leave the file out, or bring it there with `tern push FILE --qemu --flash …`"
                .to_owned(),
        )),
        (None, true) => Err(Failure::Usage(
            "--qemu needs a model: `tern console FILE --qemu` with a device file from `tern export`".to_owned(),
        )),
        (Some(file), false) => Err(Failure::Usage(format!(
            "{} is given, but a device at --port or --tcp has its model in flash; leave the file out, or add --qemu",
            file.display()
        ))),
        _ => Ok(work(args)?),
    }
}

fn work(args: &Args) -> anyhow::Result<()> {
    let target = args.link.target(args.file.as_ref())?;
    interrupt::catch();
    let wire = target.open()?;
    let result = if stdin().is_terminal() {
        note(format_args!("connected to {}; Ctrl-] leaves", wire.name()));
        if !matches!(target, Target::Qemu(_)) {
            note("Enter brings the prompt");
        }
        terminal::run(wire)
    } else {
        let mut client = Client::new(wire, args.link.patience());
        let is_starting = matches!(target, Target::Qemu(_));
        if !is_starting {
            // What a device was doing before is not part of the session.
            client.synchronize()?;
            client.release();
        }
        let mut out = stdout().lock();
        script::run(client.into_link(), args.link.patience(), is_starting, stdin().lock(), &mut out)
    };
    if let Some(hint) = target.emulation().and_then(Emulation::log_hint) {
        note(hint);
    }
    result
}
