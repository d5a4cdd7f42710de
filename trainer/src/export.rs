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
use crate::packing::{self, repack};
use crate::quantize::calibrate::{self, Statistics, calibrate};
use crate::quantize::{self, Golden, QuantizeError, Widths};
use safetensors::SafeTensors;
use serde::Serialize;
use std::io::{self, Write};
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
    let bytes = widths.narrow(&repack(&quantize::to_file(model, &statistics, &quantized, &golden)?, packing));
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
        task: device.model().config().task.word(),
        figures,
        packing: device.model().packing().word(),
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

/// Writes a file whole or not at all: to a temporary one beside it, synced, then renamed.
///
/// # Errors
///
/// What the system says.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other new file: what the umask leaves of it.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".tern-").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::Classifier;
    use crate::data::Example;
    use crate::float_model::tests::model;
    use crate::metrics::argmax;
    use crate::quantize::Bits;
    use crate::weights::{Weights, names};

    fn exported(model: &FloatModel, golden: &[String]) -> (DeviceFile, Report) {
        let texts = |rows: &[Example]| Data::Texts(rows.to_vec());
        let material = Material { calibration: texts(model.calibration()), held_out: texts(model.validation()) };
        export(model, &material, golden, Packing::Interleaved4.into(), &|_| ()).unwrap()
    }

    #[test]
    fn a_small_model_is_exported_and_agrees() {
        let (device, report) = exported(&model(), &[]);
        let figures = report.figures;
        assert_eq!((figures.examples, figures.disagreements), (2, Some(0)));
        assert_eq!(figures.float_accuracy, figures.integer_accuracy);
        assert!(figures.largest_logit_difference.unwrap() < 0.01, "{figures:?}");
        let device_file::Parts { header, weights, embedding, folded, vocabulary, labels, golden, other } = report.parts;
        assert_eq!(folded, 0);
        assert_eq!(header + weights + embedding + vocabulary + labels + golden + other, report.file_bytes);
        // 7 hidden cells, 5 wide, 2 labels: weights, biases and two multipliers a gate row; then the linear layer.
        assert_eq!(weights, 4 * 7 * (5 + 7) + 4 * 7 * (4 + 2 + 2) + 2 * 7 + 2 * (4 + 2));
        assert_eq!((report.scratch_bytes, report.macs_per_token), (8 * 7 + 12, 4 * 7 * (5 + 7)));
        assert_eq!(report.golden_texts, 2);
        let texts: Vec<_> = device.model().golden().map(|g| g.text).collect();
        assert_eq!(texts, ["free prize, call now", "see you at lunch"]);
    }

    /// A model whose labels are its own answers, half of the one and half of the other, on all pairs of its tokens. `spoil` changes the
    /// weights in a way that no text shows.
    fn sure_of_itself(spoil: impl Fn(&mut Weights)) -> FloatModel {
        let plain = model();
        let tokens = &plain.vocabulary().tokens()[2..];
        let texts: Vec<String> =
            tokens.iter().flat_map(|a| tokens.iter().map(move |b| format!("{a} {b} {a}"))).collect();
        let mut weights = plain.weights().clone();
        // A column of the embedding that says nothing, and louder gates.
        let width = plain.config().embedding_dim;
        let embedding = &mut weights.get_mut(names::EMBEDDING).data;
        embedding.iter_mut().enumerate().for_each(|(at, v)| *v = if at % width == 0 { 0.0 } else { 2.0 * *v });
        let with = |weights: Weights, rows: Vec<Example>| {
            let (config, vocabulary) = (plain.config().clone(), plain.vocabulary().clone());
            FloatModel::new(config, vocabulary, weights, rows.clone(), rows).unwrap()
        };
        let first = with(weights.clone(), vec![]);
        let mut margins: Vec<f32> = texts.iter().map(|text| first.logits(text)).map(|l| l[1] - l[0]).collect();
        margins.sort_by(f32::total_cmp);
        weights.get_mut(names::FC_BIAS).data[0] += (margins[margins.len() / 2] + margins[margins.len() / 2 - 1]) / 2.0;
        spoil(&mut weights);
        let sure = with(weights.clone(), vec![]);
        let label = |text: &String| Example { text: text.clone(), label: argmax(&sure.logits(text)) };
        with(weights, texts.iter().map(label).collect())
    }

    #[test]
    fn a_model_that_loses_accuracy_names_the_part_that_lost_it() {
        let (_, report) = exported(&sure_of_itself(|_| ()), &[]);
        let sound = &report.weakest().unwrap().costs;
        assert_eq!((report.figures.float_accuracy, sound.answers), (Some(1.0), report.figures.examples));
        assert!(sound.accuracy_cost.unwrap() < 0.05, "{:?}", report.quantised_alone);

        for (gate, name) in [(0, "i"), (2, "g")] {
            // One weight in each of the gate's rows that takes the whole range for itself, on the column that is always 0.
            let (_, report) = exported(
                &sure_of_itself(|weights| {
                    let w_ih = weights.get_mut(names::W_IH);
                    let (rows, width) = (w_ih.shape[0] / 4, w_ih.shape[1]);
                    (gate * rows..(gate + 1) * rows).for_each(|row| w_ih.data[row * width] = 200.0);
                }),
                &[],
            );
            let weakest = report.weakest().unwrap();
            assert_eq!(weakest.part, format!("lstm_l0 weight_ih {name}"), "{:?}", report.quantised_alone);
            let lost = 1.0 - report.figures.integer_accuracy.unwrap();
            assert!(lost > 0.05 && weakest.costs.accuracy_cost.unwrap() > 0.05, "{lost}, {weakest:?}");
            assert!(weakest.costs.disagreements.unwrap() > 0 && weakest.costs.rms_difference > 0.01, "{weakest:?}");
            let noisy = report.gates.iter().min_by(|a, b| a.snr_db.unwrap().total_cmp(&b.snr_db.unwrap())).unwrap();
            assert_eq!((noisy.layer.as_str(), noisy.gate), ("lstm_l0", name), "{:?}", report.gates);
        }
    }

    #[test]
    fn weights_of_4_bits_halve_the_file_and_the_report_says_what_they_cost() {
        // Sizes of 4 bits are even.
        let recurrent = crate::architecture::Recurrent::default();
        let sizes = crate::weights::Sizes { vocab_size: 11, embedding_dim: 6, hidden_size: 8, labels: 2 };
        let architecture = crate::architecture::Architecture::of_tokens(sizes, recurrent);
        let of = model();
        let config = crate::float_model::Config::classifier("test", &architecture, of.labels().to_vec());
        let weights = crate::nn::reference::weights(&architecture);
        let rows = of.calibration().to_vec();
        let model = FloatModel::new(config, of.vocabulary().clone(), weights, rows.clone(), rows).unwrap();
        let (eight, in_eight) = exported(&model, &[]);
        let widths = Widths { embedding: Bits::Four, recurrent: Bits::Four };
        assert_eq!(widths.check(model.config()), Ok(()));
        assert!(widths.check(of.config()).unwrap_err().starts_with("`embedding_dim` is 5, expected an even number"));
        let texts = Data::Texts(model.calibration().to_vec());
        let material = Material { calibration: texts.clone(), held_out: texts };
        let options = Options { packing: Packing::Rows, widths, fold: 0 };
        let (four, report) = export(&model, &material, &[], options, &|_| ()).unwrap();
        let part =
            |report: &Report, name: &str| report.quantised_alone.iter().find(|part| part.part == name).unwrap().clone();
        for name in ["embedding", "lstm_l0 weight_ih g"] {
            let (coarse, fine) = (part(&report, name), part(&in_eight, name));
            assert_eq!((coarse.bits, fine.bits), (4, 8));
            assert!(coarse.costs.rms_difference > 2.0 * fine.costs.rms_difference, "{coarse:?}, {fine:?}");
        }
        // Half a byte a weight, and a byte for each group of 16 or fewer columns.
        assert_eq!((in_eight.parts.embedding, report.parts.embedding), (11 * 8 + 4, 11 * (3 + 1 + 2) + 4));
        assert_eq!(in_eight.parts.weights - report.parts.weights, 4 * 8 * (6 + 8) - 4 * 8 * (3 + 1 + 4 + 1));
        let mut scratch = vec![0; four.model().scratch_len()];
        let test = four.model().self_test(&mut scratch).unwrap();
        assert_eq!(test.passed, test.total);
        let logits = |file: &DeviceFile| file.classify("free lunch, call now").logits.nats();
        let (a, b) = (logits(&eight), logits(&four));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.2) && a != b, "{a:?}, {b:?}");
    }

    #[test]
    fn folded_tokens_change_no_answer() {
        let model = model();
        let (plain, _) = exported(&model, &[]);
        let texts = Data::Texts(model.calibration().to_vec());
        let material = Material { calibration: texts.clone(), held_out: texts };
        let options = Options { fold: 3 * (4 * 4 * 7 + 4) + 5, ..Packing::Interleaved4.into() };
        // Four rows of 32 bits for each of 7 cells, and the id: room for three tokens.
        let (folded, report) = export(&model, &material, &[], options, &|_| ()).unwrap();
        let folding = report.folding.unwrap();
        assert_eq!((folding.folded_tokens, folding.folded_bytes, folding.macs_of_input), (3, 348, 4 * 7 * 5));
        // Nine tokens in all, each there once.
        assert_eq!(folding.folded_share, Some(3.0 / 9.0));
        assert_eq!(folding.macs_saved_per_token, Some(140.0 / 3.0));
        assert_eq!((report.parts.folded, report.file_bytes), (348, folded.bytes().len()));
        for text in ["free prize, call now", "see you at lunch", "lunch now, unheard-of", ""] {
            assert_eq!(plain.classify(text), folded.classify(text), "{text}");
        }
    }

    #[test]
    fn the_trace_ends_with_the_answer() {
        let (device, _) = exported(&model(), &["lunch".to_owned()]);
        let steps = device.trace("FREE lunch, unheard-of");
        let tokens: Vec<_> = steps.iter().map(|step| (step.token.as_str(), step.known)).collect();
        let expected = [("free", true), ("lunch", true), (",", true), ("unheard", false), ("-", false), ("of", false)];
        assert_eq!(tokens, expected);
        let prediction = device.classify("FREE lunch, unheard-of");
        assert_eq!(steps.last().unwrap().logits, prediction.logits);
        assert_eq!((prediction.tokens, prediction.unknown), (6, 3));
    }

    #[test]
    fn files_are_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_file(&folder.path().join("no/such/folder"), b"x").is_err());
    }

    #[test]
    fn only_device_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (device, _) = exported(&model(), &[]);
        let path = folder.path().join("c.safetensors");
        check_output(&path).unwrap();
        write_file(&path, device.bytes()).unwrap();
        check_output(&path).unwrap();
        model().save(folder.path()).unwrap();
        for name in ["model.safetensors", "validation.csv"] {
            let message = check_output(&folder.path().join(name)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("not a device file"), "{message}");
        }
        assert!(check_output(folder.path()).unwrap_err().to_string().contains("is a directory"));
    }

    #[test]
    fn strangers_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.safetensors");
        let message = |path: &Path| DeviceFile::open(path).err().unwrap().to_string();
        assert!(message(&path).contains("b.safetensors: No such file"), "{}", message(&path));
        std::fs::write(&path, b"text,label\nhello,ham\n").unwrap();
        assert!(
            message(&path).contains("b.safetensors: header, byte 0: expected a header length"),
            "{}",
            message(&path)
        );
    }
}
