//! A model directory to a device file, with the figures that say what quantising cost.

mod figures;
mod folding;
mod golden;
mod material;
mod parts;
mod score;
mod signal;

pub use figures::Figures;
pub use folding::Folding;
pub use golden::{TooLong, check as check_golden};
pub use material::{Data, Material};
pub use parts::{PartCost, Parts};
pub use score::Costs;
pub use signal::{GateFigures, gates};

use crate::device_file::{self, DeviceFile};
use crate::float_model::FloatModel;
use crate::packing;
use crate::quantize::calibrate::{self, Statistics, calibrate};
use crate::quantize::{self, Golden, QuantizeError, Widths};
use safetensors::SafeTensors;
use serde::Serialize;
use std::io;
use std::path::Path;
use tern_runtime::{Packing, write::folded};

/// What each part costs is measured on about this many steps of what was held out.
const STEPS: usize = 40_000;
/// Numbers that a language model's answers may have in all: a vocabulary's logits at every step.
const NUMBERS: usize = 4_000_000;

/// What an export says of itself. The keys of `tern export --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the model is for.
    pub task: &'static str,
    /// How the two models do on what was held out.
    #[serde(flatten)]
    pub figures: Figures,
    /// How the recurrent weights lie: `tern.packing`.
    pub packing: &'static str,
    /// Length of the file.
    pub file_bytes: usize,
    /// Bytes by what they hold.
    pub parts: device_file::Parts,
    /// Bytes of RAM that a session needs.
    pub scratch_bytes: usize,
    /// Multiply-accumulates of the recurrent layer for one token.
    pub macs_per_token: usize,
    /// Training texts or sequences by which ranges and means were measured.
    pub calibration_texts: usize,
    /// Tokens or steps of these.
    pub calibration_tokens: usize,
    /// Largest |pre-activation| among them.
    pub largest_pre_activation: f64,
    /// Largest |cell state| among them.
    pub largest_cell_state: f64,
    /// Texts or sequences that the file carries with their exact logits.
    pub golden_texts: usize,
    /// What is folded, where a table was asked for.
    #[serde(flatten)]
    pub folding: Option<Folding>,
    /// Each gate's range, saturation, and signal to noise.
    pub gates: Vec<GateFigures>,
    /// What quantising each part alone costs; what costs most comes first. Empty without held-out data.
    pub quantised_alone: Vec<PartCost>,
}

/// How a file is to be.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How the recurrent weights lie.
    pub packing: Packing,
    /// Bits of the weights.
    pub widths: Widths,
    /// Bytes of a table of folded tokens; 0: none are folded.
    pub fold: usize,
}

impl From<Packing> for Options {
    fn from(packing: Packing) -> Self {
        Options { packing, widths: Widths::default(), fold: 0 }
    }
}

impl Report {
    /// The part that costs most.
    pub fn weakest(&self) -> Option<&PartCost> {
        self.quantised_alone.first()
    }
}

/// Quantises `model`, loads the result back, and compares the two on what was held out. `golden`: texts for the device's own test; where
/// there are none, short ones of the calibration data. `progress` is told what is under way.
///
/// # Errors
///
/// See [`QuantizeError`].
pub fn export(
    model: &FloatModel,
    material: &Material,
    golden: &[String],
    options: Options,
    progress: &dyn Fn(&str),
) -> Result<(DeviceFile, Report), QuantizeError> {
    progress("ranges and means of the calibration data");
    let read = material.calibration.samples(model, calibrate::TOKENS);
    let statistics = calibrate(model, read.iter().map(|sample| &sample.steps));
    let Options { packing, widths, fold } = options;
    let quantized = quantize::layers(model, &statistics, widths)?;
    let golden = match golden {
        [] => golden::choose(model, &quantized, &material.calibration),
        texts => Golden::Texts(texts.to_vec()),
    };
    let bytes = quantize::to_file(model, &statistics, &quantized, &golden, packing)?;
    let mut device = DeviceFile::from_bytes(&bytes).map_err(QuantizeError::Refused)?;
    let ids = if fold > 0 { folding::choose(model, device.model(), &statistics, fold) } else { Vec::new() };
    if !ids.is_empty() {
        let tensors = folded(device.model(), &ids);
        device = DeviceFile::from_bytes(&packing::with(&bytes, tensors)).map_err(QuantizeError::Refused)?;
    }

    progress("floats and integers on what was held out");
    let figures = Figures::of(model, &device, &material.held_out);
    let parts = Parts::new(model, &quantized, &statistics);
    let held_out = material.held_out.samples(model, STEPS.min(NUMBERS / model.config().architecture().head.outputs));
    let gates = gates(model, &statistics, &parts, if read.is_empty() { &held_out } else { &read });
    let costs = match held_out.as_slice() {
        [] => Vec::new(),
        samples => parts.costs(&device, samples, &|done, of| {
            progress(&format!("what quantising each part alone costs: {done} of {of}"));
        }),
    };
    let folding = (fold > 0).then(|| folding::figures(model, device.model(), &ids, &held_out));
    let report = Report { folding, ..report(&device, &statistics, figures, gates, costs) };
    Ok((device, report))
}

fn report(
    device: &DeviceFile,
    statistics: &Statistics,
    figures: Figures,
    gates: Vec<GateFigures>,
    quantised_alone: Vec<PartCost>,
) -> Report {
    Report {
        task: device.model().config().task.name(),
        figures,
        packing: device.model().packing().name(),
        file_bytes: device.bytes().len(),
        parts: device.parts(),
        scratch_bytes: device.scratch_bytes(),
        macs_per_token: device.model().macs_per_token(),
        calibration_texts: statistics.texts,
        calibration_tokens: statistics.tokens,
        largest_pre_activation: statistics.largest_z,
        largest_cell_state: statistics.largest_c,
        golden_texts: device.model().golden().count(),
        folding: None,
        gates,
        quantised_alone,
    }
}

/// Whether a device file may be written at `path`: nothing is there, or an older device file.
///
/// # Errors
///
/// A sentence saying what is there instead.
pub fn check_output(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        anyhow::bail!("{}: is a directory, expected the name of a file such as device.safetensors", path.display());
    }
    let is_device_file = |bytes: &[u8]| {
        let metadata = SafeTensors::read_metadata(bytes).ok().and_then(|(_, header)| header.metadata().clone());
        metadata.is_some_and(|words| words.contains_key("tern.version"))
    };
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(bytes) if is_device_file(&bytes) => Ok(()),
        Ok(_) => anyhow::bail!(
            "{}: exists and is not a device file; nothing was overwritten, choose another -o",
            path.display()
        ),
        Err(error) => Err(anyhow::Error::new(error).context(path.display().to_string())),
    }
}

#[cfg(test)]
mod tests;
