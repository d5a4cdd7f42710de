//! End-to-end tests: from a table of texts to a label at a device's serial console, through files, an emulator and a
//! serial link.
//!
//! | module | what it tests |
//! |---|---|
//! | `host` | train, export, eval, predict, inspect: files, figures, exit statuses |
//! | `python` | the device file in the Python library safetensors |
//! | `python_tokenizers` | `tokenizer.json` in the Python library tokenizers |
//! | `torch` | models of Tern in PyTorch, models of PyTorch in Tern; ignored by default |
//! | `reference` | the runtime's logits against a second implementation in Python, written from `docs/` alone |
//! | `tensorboard` | `tern train --tensorboard`, read back by the `tensorboard` package |
//! | `report` | the report in a browser, the model card in the library of the Hub, a comparison of two models |
//! | `tokenizers` | the ids of every tokenizer against the same second implementation |
//! | `device` | `tern classify`: every logit of the emulated device against the host's; long texts; other models |
//! | `boards` | every emulated board; the watchdog, and a fault |
//! | `pico` | UF2 files, and the Raspberry Pi Pico in the emulator rp2040js |
//! | `flash` | `tern flash` with a fake probe-rs and in the emulator |
//! | `console` | `tern console`: transcripts of sessions |
//! | `project` | projects of `tern new`; `tern` without a checkout |
//! | `port` | the same firmware behind a pseudo-terminal and behind TCP |
//! | `soak` | random and mutated lines against the emulated device |
//! | `promises` | that the tests which `docs/threat-model.md` and `docs/claims.md` name exist |
//! | `update` | models sent over the serial port by `sb` of lrzsz and `tern push` |
//! | `line` | transfers over a line that damages data; a host or a device that stops in the middle of a transfer |
//! | `signed` | models sent to a firmware with a key |
//! | `trial` | models on trial that hang or lose power, and the contents of flash afterwards |
//! | `log` | the defmt channel |
//! | `web` | the page of `cargo xtask web` in a browser, with a board |

mod boards;
mod console;
mod device;
mod flash;
mod host;
#[cfg(unix)]
mod line;
mod log;
mod pico;
mod port;
mod project;
mod promises;
mod python;
mod python_tokenizers;
mod reference;
mod report;
mod signed;
mod soak;
mod tensorboard;
mod tokenizers;
mod torch;
#[cfg(unix)]
mod trial;
#[cfg(unix)]
mod update;
mod web;
