//! Tests of exports: the device file, its figures, and the files that may be overwritten.

use super::*;
use crate::architecture::{Architecture, Cell, CellBias, Recurrent, Sizes, names};
use crate::data::Example;
use crate::float_model::Config;
use crate::float_model::tests::{model, model_of};
use crate::metrics::argmax;
use crate::model::Model;
use crate::nn::reference;
use crate::quantize::check_widths;
use crate::recipe::Bits;
use crate::weights::Weights;
use crate::write_file::write_file;

fn exported(model: &FloatModel, golden: &[String]) -> (DeviceFile, Report) {
    exported_with(model, golden, Packing::Interleaved4.into())
}

fn exported_with(model: &FloatModel, golden: &[String], options: Options) -> (DeviceFile, Report) {
    let texts = |rows: &[Example]| Data::Texts(rows.to_vec());
    let data = ExportData {
        calibration: texts(model.calibration()),
        validation: texts(model.validation()),
        own_validation: texts(model.validation()),
        on_training_rows: false,
    };
    export(model, &data, golden, options, &|_| ()).unwrap()
}

fn assert_self_test(device: &DeviceFile) {
    let mut scratch = vec![0; device.model().scratch_len()];
    let test = device.model().self_test(&mut scratch).unwrap();
    assert_eq!(test.passed, test.total);
}

#[test]
fn a_small_model_is_exported_and_agrees() {
    let (device, report) = exported(&model(), &[]);
    let figures = report.figures;
    assert_eq!((figures.examples, figures.disagreements), (2, Some(0)));
    assert_eq!(figures.float_accuracy, figures.integer_accuracy);
    assert!(figures.largest_logit_difference.unwrap() < 0.01, "{figures:?}");
    let FileBytes { header, weights, embedding, folded, vocabulary, labels, golden, other, ngrams } = report.parts;
    assert_eq!((folded, ngrams), (0, 0));
    assert_eq!(header + weights + embedding + vocabulary + labels + golden + other, report.file_bytes);
    // 7 hidden cells, 5 wide, 2 labels: weights, biases and two multipliers a gate row; then the linear layer.
    assert_eq!(weights, 4 * 7 * (5 + 7) + 4 * 7 * (4 + 2 + 2) + 2 * 7 + 2 * (4 + 2));
    assert_eq!((report.scratch_bytes, report.macs_per_token), (8 * 7 + 12, 4 * 7 * (5 + 7)));
    assert_eq!(report.golden_texts, 2);
    let texts: Vec<_> = device.model().golden().map(|g| g.text).collect();
    assert_eq!(texts, ["free prize, call now", "see you at lunch"]);
}

/// A model whose rows are all pairs of its tokens, with its own predictions as labels, half of them each. `spoil`
/// changes weights without any effect on these predictions.
fn model_with_own_labels(spoil: impl Fn(&mut Weights)) -> FloatModel {
    let plain = model();
    let tokens = &plain.vocabulary().tokens()[2..];
    let texts: Vec<String> = tokens.iter().flat_map(|a| tokens.iter().map(move |b| format!("{a} {b} {a}"))).collect();
    let mut weights = plain.weights().clone();
    // The first column of the embedding becomes zero, the others larger.
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
    let spoilt = with(weights.clone(), vec![]);
    let label = |text: &String| Example { text: text.as_str().into(), label: argmax(&spoilt.logits(text)) };
    with(weights, texts.iter().map(label).collect())
}

#[test]
fn a_model_that_loses_accuracy_names_the_part_that_lost_it() {
    let (_, report) = exported(&model_with_own_labels(|_| ()), &[]);
    let sound = &report.weakest().unwrap().costs;
    assert_eq!((report.figures.float_accuracy, sound.answers), (Some(1.0), report.figures.examples));
    assert!(sound.accuracy_cost.unwrap() < 0.05, "{:?}", report.quantised_alone);

    for (gate, name) in [(0, "i"), (2, "g")] {
        // One weight in each of the gate's rows that takes the whole range for itself, on the column that is always 0.
        let (_, report) = exported(
            &model_with_own_labels(|weights| {
                let w_ih = weights.get_mut("lstm.weight_ih_l0");
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
    let architecture = Architecture::from(Sizes { vocab_size: 11, embedding_dim: 6, hidden_size: 8, labels: 2 });
    let odd = model();
    let config = Config::classifier("test", &architecture, odd.labels().to_vec());
    let (weights, rows) = (reference::weights(&architecture), odd.calibration().to_vec());
    let model = FloatModel::new(config, odd.vocabulary().clone(), weights, rows.clone(), rows).unwrap();
    let (eight, in_eight) = exported(&model, &[]);
    let widths = Widths { embedding: Bits::Four, recurrent: Bits::Four };
    assert_eq!(check_widths(widths, model.config()), Ok(()));
    assert!(
        check_widths(widths, odd.config()).unwrap_err().starts_with("`embedding_dim` is 5, expected an even number")
    );
    let (four, report) = exported_with(&model, &[], Options { widths, ..Packing::Rows.into() });
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
    assert_self_test(&four);
    let logits = |file: &DeviceFile| file.classify("free lunch, call now").logits.nats();
    let (a, b) = (logits(&eight), logits(&four));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.2) && a != b, "{a:?}, {b:?}");
}

#[test]
fn weights_of_16_bits_cost_less_than_those_of_8() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        let model = model_of(Recurrent { cell, ..Recurrent::default() });
        let of = |bits: Bits, packing: Packing| {
            let widths = Widths { embedding: bits, recurrent: bits };
            assert_eq!(check_widths(widths, model.config()), Ok(()), "odd sizes are for 16 bits, too");
            exported_with(&model, &[], Options { widths, ..packing.into() })
        };
        let ((eight, in_eight), (sixteen, report)) =
            (of(Bits::Eight, Packing::Interleaved4), of(Bits::Sixteen, Packing::Rows));
        // The cost of the parts with such weights, each quantised alone.
        let cost = |report: &Report, bits: u32| -> f64 {
            let parts = report.quantised_alone.iter();
            let parts = parts.filter(|part| part.part.contains("weight_") || part.part == "embedding");
            parts.inspect(|part| assert_eq!(part.bits, bits)).map(|part| part.costs.rms_difference).sum()
        };
        assert!(cost(&report, 16) < cost(&in_eight, 8) / 20.0, "{cell:?}: {}", cost(&report, 16));
        // Two bytes a weight; the multipliers are the same.
        let config = model.config();
        let weights = cell.gates() * config.hidden_size * (config.embedding_dim + config.hidden_size);
        assert_eq!(report.parts.weights - in_eight.parts.weights, weights);
        assert_eq!(report.parts.embedding - in_eight.parts.embedding, model.vocabulary().len() * config.embedding_dim);
        let text = "free lunch, call now";
        let float = model.classify(text).logits.nats();
        let error = |device: &DeviceFile| -> f64 {
            float.iter().zip(device.classify(text).logits.nats()).map(|(a, b)| (a - b).abs()).sum()
        };
        assert!(error(&sixteen) <= error(&eight) + 1e-4, "{cell:?}: {} and {}", error(&sixteen), error(&eight));
        assert_self_test(&sixteen);
    }
}

#[test]
fn folded_tokens_change_no_answer() {
    let model = model();
    let (plain, _) = exported(&model, &[]);
    let options = Options { fold: 3 * (4 * 4 * 7 + 4) + 5, ..Packing::Interleaved4.into() };
    // Four rows of 32 bits for each of 7 cells, and the id: room for three tokens.
    let (folded, report) = exported_with(&model, &[], options);
    let folding = report.folding.unwrap();
    assert_eq!((folding.folded_tokens, folding.folded_bytes, folding.macs_of_input), (3, 348, 4 * 7 * 5));
    // Nine tokens in all, each of which occurs once.
    assert_eq!(folding.folded_share, Some(3.0 / 9.0));
    assert_eq!(folding.macs_saved_per_token, Some(140.0 / 3.0));
    assert_eq!((report.parts.folded, report.file_bytes), (348, folded.bytes().len()));
    for text in ["free prize, call now", "see you at lunch", "lunch now, unheard-of", ""] {
        assert_eq!(plain.classify(text), folded.classify(text), "{text}");
    }
}

#[test]
fn fingerprints_of_tokens_change_no_answer_and_take_fewer_bytes() {
    let model = model();
    let (plain, plain_report) = exported(&model, &[]);
    let with_fingerprints = Options { stored_tokens: StoredTokens::Fingerprints, ..Packing::Interleaved4.into() };
    let (device, report) = exported_with(&model, &[], with_fingerprints);
    assert!(device.model().vocabulary().has_fingerprints());
    assert_self_test(&device);
    assert_eq!(report.figures.disagreements, Some(0));
    // A seed, two starts and two bytes for each token.
    let tokens = model.vocabulary().len() - 2;
    assert_eq!(report.parts.vocabulary, 4 + 8 + 2 * tokens);
    assert!(report.parts.vocabulary < plain_report.parts.vocabulary);
    let costs = |report: &Report| report.quantised_alone.iter().map(|cost| format!("{cost:?}")).collect::<Vec<_>>();
    assert_eq!(costs(&report), costs(&plain_report));
    for text in ["free prize, call now", "see you at lunch", "lunch now, unheard-of", ""] {
        assert_eq!(plain.classify(text), device.classify(text), "{text}");
        // The ids differ, but the spelling of each token comes from the text.
        assert_eq!(plain.trace(text), device.trace(text), "{text}");
        let [ids, known] = [&plain, &device].map(|device| Model::vocabulary(device).encode(text));
        assert_eq!(ids.len(), known.len());
        let is_unknown = |ids: &[u32]| ids.iter().map(|&id| id == 1).collect::<Vec<bool>>();
        assert_eq!(is_unknown(&ids), is_unknown(&known));
    }
    let folded = Options { fold: 3 * (4 * 4 * 7 + 4) + 5, ..with_fingerprints };
    let (device, folded_report) = exported_with(&model, &[], folded);
    let (_, expected) = exported_with(&model, &[], Options { stored_tokens: StoredTokens::Texts, ..folded });
    assert_eq!(folded_report.folding, expected.folding);
    assert_eq!(plain.classify("free lunch"), device.classify("free lunch"));
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
    assert!(check_output(folder.path()).unwrap_err().to_string().contains("a directory, expected"));
}

#[test]
fn strangers_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.safetensors");
    let message = |path: &Path| DeviceFile::open(path).err().unwrap().to_string();
    assert!(message(&path).contains("b.safetensors: No such file"), "{}", message(&path));
    std::fs::write(&path, b"text,label\nhello,ham\n").unwrap();
    assert!(message(&path).contains("b.safetensors: header, byte 0: expected a header length"), "{}", message(&path));
}

/// A GRU with one bias has no b_hn, but its quantised recurrent half has a bias.
#[test]
fn models_with_one_bias_are_exported() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        let model = model_of(Recurrent { cell, bias: CellBias::One, ..Recurrent::default() });
        let (_, report) = exported(&model, &[]);
        assert!(report.figures.largest_logit_difference.unwrap() < 0.01, "{cell:?}: {:?}", report.figures);
        assert!(report.quantised_alone.iter().all(|part| part.costs.rms_difference < 0.01), "{cell:?}");
    }
}
