//! demo
use crate::cli::DemoOptions;
use anyhow::Result;
/// x
pub fn run(_o: &DemoOptions) -> Result<()> {
    Ok(())
}
