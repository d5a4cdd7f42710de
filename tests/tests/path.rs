//! The path from a table of texts to a label at a device's serial console, through real files, a real emulator and a real serial
//! link.
//!
//! | module | what it walks |
//! |---|---|
//! | `host` | train, export, eval, predict, inspect: files, figures, exit statuses |
//! | `python` | the device file in Python's safetensors |
//! | `torch` | models of Tern in PyTorch's modules, models of PyTorch in Tern |
//! | `reference` | the runtime's logits against a second implementation, in Python, from the pages under `docs/` alone |
//! | `tensorboard` | `tern train --tensorboard`, read back by the `tensorboard` package |
//! | `report` | the page in a headless browser, the model card in the Hub's library, two models compared |
//! | `tokenizers` | every tokenizer's ids against the same second implementation |
//! | `device` | `tern classify`: every logit of the emulated device against the host's; long texts; other models |
//! | `boards` | every board that an emulator has; the watchdog, and a fault |
//! | `flash` | `tern flash`: a probe-rs that notes how it is called; the emulator |
//! | `console` | `tern console`: what a person sees |
//! | `port` | the same firmware behind a pseudo-terminal and behind TCP |
//! | `soak` | random and mutated lines against the emulated device |
//! | `promises` | the tests that `docs/threat-model.md` names |
//! | `update` | models over the serial port by `sb` of lrzsz and `tern push`: activated, tried, confirmed, refused |
//! | `signed` | the same to a firmware with a key |
//! | `trial` | models on trial that hang or lose their power, and what flash keeps |
//! | `log` | the defmt channel |

#[path = "path/boards.rs"]
mod boards;
#[path = "path/console.rs"]
mod console;
#[path = "path/device.rs"]
mod device;
#[path = "path/flash.rs"]
mod flash;
#[path = "path/host.rs"]
mod host;
#[path = "path/log.rs"]
mod log;
#[path = "path/port.rs"]
mod port;
#[path = "path/promises.rs"]
mod promises;
#[path = "path/python.rs"]
mod python;
#[path = "path/reference.rs"]
mod reference;
#[path = "path/report.rs"]
mod report;
#[path = "path/signed.rs"]
mod signed;
#[path = "path/soak.rs"]
mod soak;
#[path = "path/tensorboard.rs"]
mod tensorboard;
#[path = "path/tokenizers.rs"]
mod tokenizers;
#[path = "path/torch.rs"]
mod torch;
#[cfg(unix)]
#[path = "path/trial.rs"]
mod trial;
#[cfg(unix)]
#[path = "path/update.rs"]
mod update;
