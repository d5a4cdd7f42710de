//! `tern key`

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};

use super::{Failure, print};

/// Options of `tern key`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do about keys.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a key to sign models with
    New(NewArgs),
}

/// Options of `tern key new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern key new
  tern key new -o keys/product.key
  TERN_PUBLIC_KEY=$PWD/tern.pub cargo xtask firmware

The key is an Ed25519 private key in PKCS #8, which OpenSSL reads too. Only you may read its file; keep it off
the devices and off the repository. The public key beside it, 64 hexadecimal digits in a file that ends with
.pub, is built into firmware, which then takes models only that `tern sign` has signed with this key.")]
pub struct NewArgs {
    /// File of the private key; its public key goes beside it
    #[arg(short, long, value_name = "FILE", default_value = "tern.key")]
    pub output: PathBuf,
    /// Print the files and the public key as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Makes a key.
///
/// # Errors
///
/// Where a file is there already or cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let Action::New(args) = &args.action;
    Ok(new(args)?)
}

fn new(args: &NewArgs) -> anyhow::Result<()> {
    let (private, public) = (&args.output, args.output.with_extension("pub"));
    if private == &public {
        bail!(
            "{}: the public key goes to this name; call the private key otherwise, such as tern.key",
            public.display()
        );
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system gives no random numbers")?;
    let key = SigningKey::from_bytes(&seed);
    // Without the public key in it: OpenSSL knows this form only.
    let pem = KeypairBytes { secret_key: seed, public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| anyhow::anyhow!("the key cannot be written as PKCS #8: {error}"))?;
    let hex: String = key.verifying_key().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    create(private, pem.as_bytes(), true)?;
    create(&public, format!("{hex}\n").as_bytes(), false)?;
    if args.json {
        return print(serde_json::json!({ "private": private, "public": public, "key": hex }));
    }
    print(format_args!("private key  {}, for `tern sign --key`; keep it secret", private.display()))?;
    print(format_args!("public key   {}, for TERN_PUBLIC_KEY when firmware is built: {hex}", public.display()))
}

/// Writes a new file. One that is there is never replaced: devices may trust it.
fn create(path: &Path, content: &[u8], is_secret: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = is_secret;
    let write = |mut file: File| file.write_all(content).and_then(|()| file.sync_all());
    options.open(path).and_then(write).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow::anyhow!(
            "{} is there already, and devices may trust it; move it away or choose another name with -o",
            path.display()
        ),
        _ => anyhow::anyhow!("{}: {error}", path.display()),
    })
}

/// Reads a private key that nobody else can read.
///
/// # Errors
///
/// Where it cannot be read, others can read it too, or it is no key.
pub fn read(path: &Path) -> anyhow::Result<SigningKey> {
    let mut file = File::open(path).with_context(|| format!("{}: `tern key new` makes a key", path.display()))?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            bail!(
                "{}: its mode is {mode:04o}, so others can read your key, expected 0600; type `chmod 600 {}`, or make a new one if somebody \
                 may have read it",
                path.display(),
                path.display()
            );
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("{}: no text", path.display()))?;
    SigningKey::from_pkcs8_pem(&text).map_err(|error| {
        anyhow::anyhow!(
            "{}: no Ed25519 private key in PKCS #8 ({error}); expected the file that `tern key new` or `openssl genpkey -algorithm ed25519` \
             writes",
            path.display()
        )
    })
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
        let public = std::fs::read_to_string(folder.path().join("tern.pub")).unwrap();
        assert_eq!(public.len(), 65);
        assert!(public.starts_with(&format!("{:02x}", key.verifying_key().as_bytes()[0])));

        std::fs::set_permissions(&output, PermissionsExt::from_mode(0o644)).unwrap();
        let error = read(&output).unwrap_err().to_string();
        assert!(error.contains("0644") && error.contains("chmod 600"), "{error}");
        let error = new(&NewArgs { output: output.clone(), json: false }).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        std::fs::set_permissions(&output, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&output, "no key").unwrap();
        assert!(read(&output).unwrap_err().to_string().contains("expected the file that `tern key new`"));
    }
}
