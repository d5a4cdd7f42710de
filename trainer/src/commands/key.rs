//! `tern key`: makes the Ed25519 keys that sign models, and reads them for `tern sign` and `tern inspect`. Firmware
//! with a public key built in runs only models that the private key has signed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{SigningKey, VerifyingKey};

use super::{note, print};
use crate::package::hex;

/// The Unix permissions of a private key: only its owner can read it.
const PRIVATE_MODE: u32 = 0o600;
/// The Unix permissions of a public key: those of any new file.
const PUBLIC_MODE: u32 = 0o666;

/// Options of `tern key`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub action: Action,
}

/// The subcommands of `tern key`.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a key pair for signing models
    New(NewArgs),
}

/// Options of `tern key new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern key new
  tern key new -o keys/product.key
  TERN_PUBLIC_KEY=$PWD/tern.pub cargo xtask firmware

The private key is an Ed25519 key in PKCS #8, which OpenSSL also reads. Its file is readable by you alone; keep
it off the devices and out of the repository. The public key beside it, 64 hexadecimal digits in a file that
ends with .pub, is built into the firmware, which then accepts only models that `tern sign` has signed with
this key.")]
pub struct NewArgs {
    /// File for the private key; the public key is written beside it
    #[arg(short, long, value_name = "FILE", default_value = "tern.key")]
    pub output: PathBuf,
    /// Print the files and the public key as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Makes a key pair.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Action::New(args) = &args.action;
    new(args)
}

/// Writes a new key pair into two files, and prints their names and the public key. Fails if one of the files exists.
fn new(args: &NewArgs) -> anyhow::Result<()> {
    let (private_path, public_path) = (&args.output, args.output.with_extension("pub"));
    if private_path == &public_path {
        bail!(
            "{}: this is the name of the public key's file; choose another one for the private key, such as tern.key",
            public_path.display()
        );
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system gives no random numbers")?;
    let key = SigningKey::from_bytes(&seed);
    // The public key is left out, because OpenSSL cannot read a PKCS #8 file that contains one.
    let pem = KeypairBytes { secret_key: seed, public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| anyhow::anyhow!("the key cannot be written as PKCS #8: {error}"))?;
    let public_digits = hex(key.verifying_key().as_bytes());
    create(private_path, pem.as_bytes(), PRIVATE_MODE)?;
    create(&public_path, format!("{public_digits}\n").as_bytes(), PUBLIC_MODE)?;
    if args.json {
        return print(serde_json::json!({ "private": private_path, "public": public_path, "key": public_digits }));
    }
    print(format_args!("private key  {}: keep it secret", private_path.display()))?;
    print(format_args!("public key   {}: {public_digits}", public_path.display()))?;
    note(format_args!(
        "next: build the public key into the firmware, then sign models with the private key\n  \
         TERN_PUBLIC_KEY={} cargo xtask firmware\n  \
         tern sign device.safetensors --key {} --model-version 1 -o device.tern",
        public_path.canonicalize()?.display(),
        private_path.display()
    ));
    Ok(())
}

/// Writes a new file. `mode`: its Unix permissions, which the process's umask may reduce; not used on other systems.
/// Fails if the file exists: it is never replaced, since devices may trust its key.
fn create(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let write_content = |mut file: File| file.write_all(content).and_then(|()| file.sync_all());
    options.open(path).and_then(write_content).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow::anyhow!(
            "{} exists already, and devices may trust its key; move it away, or choose another name with -o",
            path.display()
        ),
        _ => anyhow::anyhow!("{}: {error}", path.display()),
    })
}

/// Reads a private key in PKCS #8 (PEM). On Unix, fails if the mode of the file gives other users any permission.
pub fn read(path: &Path) -> anyhow::Result<SigningKey> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("{shown}: `tern key new` makes a key"))?;
    #[cfg(unix)]
    {
        // Without the bits for the kind of the file.
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions()) & 0o777;
        let permissions_of_others = mode & 0o077;
        if permissions_of_others != 0 {
            bail!(
                "{shown}: its mode is {mode:04o}, so other users may use your key, expected 0600; type \
                 `chmod 600 {shown}`, or make a new key if somebody may have read this one"
            );
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("{shown}: it is not a text file"))?;
    SigningKey::from_pkcs8_pem(&text).map_err(|error| {
        anyhow::anyhow!(
            "{shown}: not an Ed25519 private key in PKCS #8 ({error}); expected the file that `tern key new` or \
             `openssl genpkey -algorithm ed25519` writes"
        )
    })
}

/// Reads a public key from a file of 64 hexadecimal digits, with or without white space around them.
pub fn read_public(path: &Path) -> anyhow::Result<VerifyingKey> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown}: `tern key new` makes a key pair"))?;
    let key = bytes_of_hex(text.trim()).and_then(|bytes| VerifyingKey::try_from(&bytes[..]).ok());
    key.with_context(|| {
        format!("{shown}: not a public key, expected 64 hexadecimal digits: the .pub file of `tern key new`")
    })
}

/// Returns the bytes that hexadecimal digits, two for each byte, stand for; `None` for another character or an odd
/// number of digits.
fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    // `from_str_radix` would also take a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    // `None` for the last digit of an odd number.
    let byte_at = |start: usize| u8::from_str_radix(digits.get(start..start + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte_at).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("tern.key");
        new(&NewArgs { output: output.clone(), json: false }).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&output), 0o600);
        let key = read(&output).unwrap();
        let public = folder.path().join("tern.pub");
        assert_eq!(std::fs::read_to_string(&public).unwrap().len(), 65);
        assert_eq!(read_public(&public).unwrap(), key.verifying_key());
        let error = read_public(&output).unwrap_err().to_string();
        assert!(error.contains("expected 64 hexadecimal digits"), "{error}");
        assert_eq!(bytes_of_hex("0aFf"), Some(vec![0x0a, 0xff]));
        for bad in ["0", "+f", "é0"] {
            assert_eq!(bytes_of_hex(bad), None, "{bad}");
        }

        std::fs::set_permissions(&output, PermissionsExt::from_mode(0o644)).unwrap();
        let error = read(&output).unwrap_err().to_string();
        assert!(error.contains("0644") && error.contains("chmod 600"), "{error}");
        let error = new(&NewArgs { output: output.clone(), json: false }).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
        std::fs::set_permissions(&output, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&output, "no key").unwrap();
        assert!(read(&output).unwrap_err().to_string().contains("expected the file that `tern key new`"));
    }
}
