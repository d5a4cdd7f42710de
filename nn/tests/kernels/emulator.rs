//! The emulator of the kernels: `nn/cuda/emulate.cpp`, compiled with the sanitizers of addresses and undefined
//! behaviour.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use tern_nn::gpu::execute::{Emulated, emulate_with};
use tern_nn::gpu::launch::Launch;

/// Compiles and starts the emulator. Fails, or panics under CI, if there is no C++ compiler.
pub fn start() -> Result<(), String> {
    if Command::new("c++").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "found no c++, which the tests of the CUDA kernels need");
        return Err("the tests of the CUDA kernels need c++".to_owned());
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulate");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda/emulate.cpp");
    let flags = ["-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"];
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];
    let status = Command::new("c++").args(flags).args(sanitizers).arg("-o").args([&program, &source]).status();
    assert!(status.unwrap().success(), "{} does not compile", source.display());
    let child = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let child = Mutex::new(child);
    emulate_with(Box::new(move |launch, arguments, written| {
        run(&mut child.lock().unwrap(), launch, arguments, &written)
    }));
    Ok(())
}

/// Sends a launch in the form that `emulate.cpp` describes, and returns the written bytes.
fn run(child: &mut Child, launch: &Launch<'_>, arguments: &[Emulated], written: &[u8]) -> Result<Vec<u8>, String> {
    let mut request = Vec::new();
    let number = |request: &mut Vec<u8>, value: usize| request.extend((value as u32).to_le_bytes());
    number(&mut request, launch.kernel.len());
    request.extend(launch.kernel.as_bytes());
    for value in [launch.blocks, launch.threads, launch.shared_bytes, arguments.len()] {
        number(&mut request, value);
    }
    for argument in arguments {
        let (kind, value) = match argument {
            Emulated::Bytes(bytes) => (b'p', [&(bytes.len() as u32).to_le_bytes(), bytes.as_slice()].concat()),
            Emulated::Null => (b'0', vec![0; 4]),
            Emulated::Offset(value) => (b'o', value.to_le_bytes().to_vec()),
            Emulated::Int(value) => (b'i', value.to_le_bytes().to_vec()),
            Emulated::Float(value) => (b'f', value.to_le_bytes().to_vec()),
        };
        request.push(kind);
        request.extend(value);
    }
    number(&mut request, written.len());
    request.extend(written);
    child.stdin.as_mut().unwrap().write_all(&request).unwrap();
    let stdout = child.stdout.as_mut().unwrap();
    let mut read = || {
        let mut size = [0; 4];
        stdout.read_exact(&mut size).expect("the emulator ended: see its message");
        let mut bytes = vec![0; u32::from_le_bytes(size) as usize];
        stdout.read_exact(&mut bytes).unwrap();
        bytes
    };
    let (message, written) = (read(), read());
    if message.is_empty() { Ok(written) } else { Err(String::from_utf8_lossy(&message).into_owned()) }
}
