//! Exports a model directory to a device file, and measures what quantisation costs.
//!
//! [`export`] calls `quantize` for the integers, `golden` for the golden examples and `folding` for folded tokens. The
//! other modules compute the figures of the [`Report`]: `figures` compares the float model with the device file,
//! `parts` measures the cost of quantising each part of the network alone, and `signal` measures the pre-activations of
//! each gate. `c_array` writes a device file as a C header.

mod c_array;
mod export_data;
mod figures;
mod folding;
mod golden;
mod parts;
mod score;
mod signal;

pub use c_array::{c_array, check_c_output};
pub use export_data::{Data, ExportData};
pub use figures::Figures;
pub use folding::Folding;
pub use golden::check as check_golden;
pub use parts::{PartCost, Parts};
pub use score::Costs;
pub use signal::{GateFigures, gates};

use crate::device_file::{DeviceFile, FileBytes};
use crate::float_model::{FloatModel, Refusal};
use crate::logits::Logits;
use crate::nn::sample::Sample;
use crate::quantize::calibrate::{self, Statistics, calibrate};
use crate::quantize::{self, Golden, QuantizeError, Quantized};
use crate::recipe::{StoredTokens, Widths};
use crate::tasks::classification::RefusalFigures;
use safetensors::SafeTensors;
use serde::Serialize;
use std::io;
use std::path::Path;
use tern_format::{Input, Packing};
use tern_runtime::write::Tensor;

/// The largest number of validation steps on which the cost of quantising each part is measured.
const MEASURED_STEPS: usize = 40_000;
/// The largest number of outputs in the measurement of [`MEASURED_STEPS`]: a language model has one for each token of
/// the vocabulary at each step.
const MEASURED_OUTPUTS: usize = 4_000_000;

/// The figures of an export, and the keys of `tern export --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The name of the task.
    pub task: &'static str,
    /// The accuracy and the loss of the float model and of the device file on the validation rows.
    #[serde(flatten)]
    pub figures: Figures,
    /// True if `figures` were measured on training rows, on which both models are more accurate than on new data: see
    /// [`ExportData::on_training_rows`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_training_rows: bool,
    /// The numbers of validation rows that the device file refuses and answers; `None` without validation rows, and for
    /// a model that always answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalFigures>,
    /// The packing of the recurrent weights, as in the metadata key `tern.packing`.
    pub packing: &'static str,
    /// The length of the file in bytes.
    pub file_bytes: usize,
    /// The bytes of the file, by content.
    pub parts: FileBytes,
    /// The scratch of a session in bytes: 4 · `Model::scratch_len`.
    pub scratch_bytes: usize,
    /// The multiply-accumulates of the recurrent layers for one step.
    pub macs_per_token: usize,
    /// The number of calibration samples: texts, sequences, windows, or parts of a language model's text.
    pub calibration_texts: usize,
    /// The number of steps in the calibration samples.
    pub calibration_tokens: usize,
    /// The largest |pre-activation| on the calibration samples.
    pub largest_pre_activation: f64,
    /// The largest |cell state| on the calibration samples; 0 without LSTM cells.
    pub largest_cell_state: f64,
    /// The number of golden examples in the file.
    pub golden_texts: usize,
    /// The effect of folding tokens; `None` without `--fold`.
    #[serde(flatten)]
    pub folding: Option<Folding>,
    /// The range, the saturation and the signal-to-noise ratio of each gate.
    pub gates: Vec<GateFigures>,
    /// The cost of quantising each part alone, the most expensive first. Empty without validation rows.
    pub quantised_alone: Vec<PartCost>,
}

/// The options of an export.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The packing of the recurrent weights.
    pub packing: Packing,
    /// The number of bits of the embedding and of the recurrent weights.
    pub widths: Widths,
    /// The largest number of bytes for folded tokens; 0 for none.
    pub fold: usize,
    /// The form of the vocabulary in the file.
    pub stored_tokens: StoredTokens,
}

impl From<Packing> for Options {
    /// The options with the default bits, without folded tokens and with the texts of all tokens.
    fn from(packing: Packing) -> Self {
        Options { packing, widths: Widths::default(), fold: 0, stored_tokens: StoredTokens::Texts }
    }
}

impl Report {
    /// The part whose quantisation costs the most; `None` without validation rows.
    pub fn weakest(&self) -> Option<&PartCost> {
        self.quantised_alone.first()
    }
}

/// Quantises `model`, loads the device file, and compares both models on the validation rows. If the float model can
/// refuse to answer, the threshold of the device file is fitted to the device file's own predictions, for the same
/// share of the rows.
///
/// `golden`: texts for golden examples; if it is empty, golden examples are chosen from the calibration set. `progress`
/// is called with the name of each stage. Fails if the model does not fit the format, for example because of large
/// weights or an empty vocabulary.
pub fn export(
    model: &FloatModel,
    data: &ExportData,
    golden: &[String],
    options: Options,
    progress: &dyn Fn(&str),
) -> Result<(DeviceFile, Report), QuantizeError> {
    progress("measuring the ranges of activations on the calibration set");
    let calibration = data.calibration.samples(model, calibrate::STEPS);
    let choose_golden = |quantized: &Quantized| match golden {
        [] => golden::choose(model, quantized, &data.calibration),
        texts => Golden::Texts(texts.to_vec()),
    };
    let (statistics, quantized, mut device) = quantise(model, &calibration, choose_golden, options)?;
    let Options { fold, .. } = options;
    let float_ids = quantized.float_ids(model);
    let folded_ids = if fold > 0 { folding::choose(&float_ids, device.model(), &statistics, fold) } else { Vec::new() };
    if !folded_ids.is_empty() {
        device = DeviceFile::from_bytes(&folding::with_folded(&device, &folded_ids)).map_err(QuantizeError::Refused)?;
    }
    if let Some(refusal) = fitted_refusal(&device, model, data) {
        device = with_refusal(&device, &refusal)?;
    }

    progress("comparing the float model and the device file");
    let figures = Figures::of(model, &device, &data.validation);
    let parts = Parts::new(model, &quantized, &statistics);
    let outputs = model.config().architecture().head.outputs;
    let validation = data.validation.samples(model, MEASURED_STEPS.min(MEASURED_OUTPUTS / outputs));
    let gates = gates(model, &statistics, &parts, if calibration.is_empty() { &validation } else { &calibration });
    let quantised_alone = match validation.as_slice() {
        [] => Vec::new(),
        samples => parts.costs(&device, samples, &|done, of| {
            progress(&format!("quantising each part alone: {done} of {of}"));
        }),
    };
    let report = Report {
        task: device.model().config().task.name(),
        figures,
        refusal: refusal_figures(&device, data),
        packing: device.model().packing().name(),
        file_bytes: device.bytes().len(),
        parts: device.bytes_by_content(),
        scratch_bytes: device.scratch_bytes(),
        macs_per_token: device.model().macs_per_token(),
        calibration_texts: statistics.samples,
        calibration_tokens: statistics.steps,
        largest_pre_activation: statistics.largest_pre_activation,
        largest_cell_state: statistics.largest_cell_state,
        golden_texts: device.model().golden().count(),
        on_training_rows: data.on_training_rows,
        folding: (fold > 0).then(|| folding::figures(&float_ids, device.model(), &folded_ids, &validation)),
        gates,
        quantised_alone,
    };
    Ok((device, report))
}

/// Returns the device file with this refusal rule, which replaces an older one.
fn with_refusal(device: &DeviceFile, refusal: &Refusal) -> Result<DeviceFile, QuantizeError> {
    let class = refusal.class(&device.config.labels);
    let tensor = Tensor::refusal(tern_runtime::Refusal { below: refusal.below, class });
    DeviceFile::from_bytes(&device.with_tensors(vec![tensor])).map_err(QuantizeError::Refused)
}

/// Returns the refusal rule whose threshold is fitted to the device file's predictions on `own_validation`, for the
/// share in the float model's rule. `None` if the float model has no rule or its share is 0, or if [`Refusal::fit`]
/// finds no threshold, for example without validation rows; the device file then keeps the float model's rule.
fn fitted_refusal(device: &DeviceFile, model: &FloatModel, data: &ExportData) -> Option<Refusal> {
    let Refusal { share, label, .. } = model.config().refusal.as_ref()?;
    if *share <= 0.0 {
        return None;
    }
    let rows = data.own_validation.predictions(device).into_iter();
    Refusal::fit(*share, label.as_ref(), model.labels(), rows)
}

/// Counts the validation rows that the device file refuses to answer; `None` without rows, or if it always answers.
fn refusal_figures(device: &DeviceFile, data: &ExportData) -> Option<RefusalFigures> {
    device.config.refusal.as_ref()?;
    let rows = data.validation.predictions(device);
    if rows.is_empty() {
        return None;
    }
    let row = |(label, logits): &(usize, Logits)| (*label, logits.label(), device.config.refuses(logits));
    RefusalFigures::new(&device.config, rows.iter().map(row))
}

/// Quantises `model` and loads the result, without folded tokens. `golden` chooses the golden examples.
fn quantise(
    model: &FloatModel,
    calibration: &[Sample],
    golden: impl FnOnce(&Quantized) -> Golden,
    Options { packing, widths, stored_tokens, .. }: Options,
) -> Result<(Statistics, Quantized, DeviceFile), QuantizeError> {
    let statistics = calibrate(model, calibration);
    let quantized = quantize::layers(model, &statistics, widths, stored_tokens)?;
    let bytes = quantize::to_file(model, &statistics, &quantized, &golden(&quantized), packing)?;
    let device = DeviceFile::from_bytes(&bytes).map_err(QuantizeError::Refused)?;
    Ok((statistics, quantized, device))
}

/// Quantises a classifier as [`export`] does, but without folded tokens and figures. The calibration set is that of the
/// model, or `sequences` if the model reads values. The device file has the refusal rule of the float model.
pub fn device_file(model: &FloatModel, sequences: &[Sample], options: Options) -> Result<DeviceFile, QuantizeError> {
    let texts = Data::Texts(model.calibration().to_vec());
    let (_, _, device) = if model.config().input == Input::Values {
        let golden = |quantized: &Quantized| golden::choose_sequences(model, quantized, sequences);
        quantise(model, &export_data::evenly_spaced(sequences.to_vec(), calibrate::STEPS), golden, options)?
    } else {
        let golden = |quantized: &Quantized| golden::choose(model, quantized, &texts);
        quantise(model, &texts.samples(model, calibrate::STEPS), golden, options)?
    };
    match &model.config().refusal {
        Some(refusal) => with_refusal(&device, refusal),
        None => Ok(device),
    }
}

/// Checks that a device file may be written at `path`: that nothing exists there, or a device file, which the new one
/// replaces.
///
/// # Errors
///
/// Fails if the path is a directory or any other file, or cannot be read. The error names the path.
pub fn check_output(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        anyhow::bail!("{}: a directory, expected the name of a file such as device.safetensors", path.display());
    }
    let is_device_file = |bytes: &[u8]| {
        let metadata = SafeTensors::read_metadata(bytes).ok().and_then(|(_, header)| header.metadata().clone());
        metadata.is_some_and(|entries| entries.contains_key("tern.version"))
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
