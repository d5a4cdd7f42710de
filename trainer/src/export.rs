//! A model directory to a device file, with the figures that say what quantising cost.

use crate::classifier::Classifier;
use crate::data::Example;
use crate::device_file::{DeviceFile, Parts};
use crate::float_model::FloatModel;
use crate::packing::repack;
use crate::quantize::calibrate::{Statistics, calibrate};
use crate::quantize::{self, QuantizeError};
use rayon::prelude::*;
use safetensors::SafeTensors;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;
use tern_runtime::Packing;

/// Golden texts are at most this long.
const GOLDEN_BYTES: usize = 80;
/// There are at most this many.
const GOLDEN_TEXTS: usize = 16;

/// What an export says of itself. The keys of `tern export --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Held-out texts by which the two models were compared; the accuracies are of these.
    pub examples: usize,
    /// Accuracy of the float model; none without examples.
    pub float_accuracy: Option<f64>,
    /// Accuracy of the device file.
    pub integer_accuracy: Option<f64>,
    /// Examples to which the two give different labels.
    pub disagreements: usize,
    /// Largest difference of a logit, in nats.
    pub largest_logit_difference: f64,
    /// How the recurrent weights lie: `tern.packing`.
    pub packing: &'static str,
    /// Length of the file.
    pub file_bytes: usize,
    /// Bytes by what they hold.
    pub parts: Parts,
    /// Bytes of RAM that a session needs.
    pub scratch_bytes: usize,
    /// Multiply-accumulates of the recurrent layer for one token.
    pub macs_per_token: usize,
    /// Training texts by which ranges and means were measured.
    pub calibration_texts: usize,
    /// Tokens of these.
    pub calibration_tokens: usize,
    /// Largest |pre-activation| among them.
    pub largest_pre_activation: f64,
    /// Largest |cell state| among them.
    pub largest_cell_state: f64,
    /// Texts that the file carries with their exact logits.
    pub golden_texts: usize,
}

/// Quantises `model`, loads the result back, and compares the two on `examples`. `golden`: texts for the device's own test; where
/// there are none, short ones of the calibration rows.
///
/// # Errors
///
/// See [`QuantizeError`].
pub fn export(
    model: &FloatModel,
    examples: &[Example],
    golden: &[String],
    packing: Packing,
) -> Result<(DeviceFile, Report), QuantizeError> {
    quantize::check(model.config())?;
    let statistics = calibrate(model, model.calibration());
    let chosen = if golden.is_empty() { golden_texts(model) } else { golden.to_vec() };
    let golden: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let bytes = repack(&quantize::quantize(model, &statistics, &golden)?, packing);
    let device = DeviceFile::from_bytes(&bytes).map_err(QuantizeError::Refused)?;
    let report = report(model, &device, &statistics, examples);
    Ok((device, report))
}

/// Short calibration texts, one of each label in turn; where there are none, the most frequent tokens.
fn golden_texts(model: &FloatModel) -> Vec<String> {
    let fits = |text: &str| text.len() <= GOLDEN_BYTES && !model.vocabulary().encode(text).is_empty();
    let of_label = |label: usize| {
        let rows = model.calibration().iter().filter(move |row| row.label == label && fits(&row.text));
        rows.take(2).map(|row| row.text.clone())
    };
    let mut queues: Vec<_> = (0..model.labels().len()).map(of_label).collect();
    let mut texts: Vec<String> = Vec::new();
    for _ in 0..2 {
        texts.extend(queues.iter_mut().filter_map(Iterator::next));
    }
    texts.truncate(GOLDEN_TEXTS);
    if texts.is_empty() {
        let most_frequent: Vec<u32> = (2..model.vocabulary().len() as u32).take(8).collect();
        texts.push(model.vocabulary().decode(&most_frequent));
    }
    texts
}

fn report(model: &FloatModel, device: &DeviceFile, statistics: &Statistics, examples: &[Example]) -> Report {
    let pairs: Vec<[(usize, Vec<f64>); 2]> = examples
        .par_iter()
        .map(|example| {
            let classifiers: [&dyn Classifier; 2] = [model, device];
            classifiers.map(|c| c.classify(&example.text).logits).map(|logits| (logits.label(), logits.nats()))
        })
        .collect();
    let accuracy = |which: usize| {
        let right = examples.iter().zip(&pairs).filter(|(example, pair)| pair[which].0 == example.label).count();
        (!examples.is_empty()).then(|| right as f64 / examples.len() as f64)
    };
    let differences = pairs.iter().flat_map(|[(_, a), (_, b)]| a.iter().zip(b).map(|(a, b)| (a - b).abs()));
    Report {
        examples: examples.len(),
        float_accuracy: accuracy(0),
        integer_accuracy: accuracy(1),
        disagreements: pairs.iter().filter(|[(a, _), (b, _)]| a != b).count(),
        largest_logit_difference: differences.fold(0.0, f64::max),
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
    use crate::float_model::tests::model;

    #[test]
    fn a_small_model_is_exported_and_agrees() {
        let model = model();
        let (device, report) = export(&model, model.validation(), &[], Packing::Interleaved4).unwrap();
        assert_eq!((report.examples, report.disagreements), (2, 0));
        assert_eq!(report.float_accuracy, report.integer_accuracy);
        assert!(report.largest_logit_difference < 0.01, "{}", report.largest_logit_difference);
        let Parts { header, weights, embedding, vocabulary, labels, golden, other } = report.parts;
        assert_eq!(header + weights + embedding + vocabulary + labels + golden + other, report.file_bytes);
        // 7 hidden cells, 5 wide, 2 labels: weights, biases and two multipliers a gate row; then the linear layer.
        assert_eq!(weights, 4 * 7 * (5 + 7) + 4 * 7 * (4 + 2 + 2) + 2 * 7 + 2 * (4 + 2));
        assert_eq!((report.scratch_bytes, report.macs_per_token), (8 * 7 + 12, 4 * 7 * (5 + 7)));
        assert_eq!(report.golden_texts, 2);
        let texts: Vec<_> = device.model().golden().map(|g| g.text).collect();
        assert_eq!(texts, ["free prize, call now", "see you at lunch"]);
    }

    #[test]
    fn the_trace_ends_with_the_answer() {
        let (device, _) = export(&model(), &[], &["lunch".to_owned()], Packing::Interleaved4).unwrap();
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
        let (device, _) = export(&model(), &[], &[], Packing::Interleaved4).unwrap();
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
