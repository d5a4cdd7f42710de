//! Small random models for tests on a host (feature `testing`). A [`Spec`] describes the kind of a model; a seed
//! determines its numbers. [`Spec::file`] gives a device file, [`Spec::tensors`] its tensors.

mod random;
mod random_spec;
mod tensors;

use alloc::{format, string::String, vec, vec::Vec};

use crate::text::Tokenizer;
use crate::write::{Dtype, Metadata, Tensor, folded, packed, to_bytes};
#[cfg(feature = "widths")]
use crate::write::{in_4_bits, in_16_bits};
use crate::{Packing, Refusal};
use tern_format::{Cell as CellKind, Input, Merge, Output, Pooling, Task};

pub use crate::write::Aligned;
pub use random::Random;
use tensors::{GOLDEN, ONE, forecast_tensors, linear, ngram_tensors, token_tensors, value_tensors};
pub use tensors::{NgramSpec, TOKENS};

/// The sizes of a random model.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The embedding size E.
    pub embedding_dim: usize,
    /// The hidden size H.
    pub hidden_size: usize,
    /// The number of labels.
    pub classes: usize,
}

/// The kind of a random model. `Spec::from(sizes)` is a classifier of tokens with one LSTM layer and `last` pooling.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The sizes. If the model reads values, the embedding size is the number of channels.
    pub sizes: Sizes,
    /// The task. A language model has a logit for each of its ids, not `sizes.classes`.
    pub task: Task,
    /// The input of each time step.
    pub input: Input,
    /// The kind of recurrent cell.
    pub cell: CellKind,
    /// The number of recurrent layers: 1 to 4; 0 for a model that has only an n-gram branch.
    pub layers: usize,
    /// The n-gram branch, if there is one.
    pub ngrams: Option<NgramSpec>,
    /// True if the file stores fingerprints of the tokens in place of their texts; for a classifier of text only.
    pub fingerprints: bool,
    /// True if each layer also reads the sequence in reverse.
    pub bidirectional: bool,
    /// The combination of the two directions; `Concat` for one direction.
    pub merge: Merge,
    /// The reduction of the hidden states over time.
    pub pooling: Pooling,
    /// The number of units of the head's hidden layer; 0 for none.
    pub head_hidden: usize,
    /// The meaning of the outputs. A sigmoid has two classes, not `sizes.classes`.
    pub output: Output,
    /// The rule by which the model refuses to answer, if it has one.
    pub refusal: Option<Refusal>,
    /// The shift of the recurrent layers: 0 to 8.
    pub shift: u32,
    /// The bits of the weights of the embedding, the input projections, the recurrent projections and the head: 4, 8 or
    /// 16 each. With 4 the sizes must be even.
    pub bits: [u32; 4],
}

impl From<Sizes> for Spec {
    fn from(sizes: Sizes) -> Self {
        Spec {
            sizes,
            task: Task::Classify,
            input: Input::Tokens,
            cell: CellKind::Lstm,
            layers: 1,
            ngrams: None,
            fingerprints: false,
            bidirectional: false,
            merge: Merge::Concat,
            pooling: Pooling::Last,
            head_hidden: 0,
            output: Output::Softmax,
            refusal: None,
            shift: 0,
            bits: [8; 4],
        }
    }
}

impl Spec {
    /// The width of the head's input.
    pub fn head_width(&self) -> usize {
        let side_by_side = self.bidirectional && self.merge == Merge::Concat;
        let merged = if side_by_side { 2 * self.sizes.hidden_size } else { self.sizes.hidden_size };
        let pooled = if self.pooling == Pooling::MeanMax { 2 * merged } else { merged };
        pooled + self.ngrams.map_or(0, |ngrams| ngrams.rank)
    }

    /// The number of outputs of the last layer, and the number of logits, which differ for a sigmoid.
    fn outputs_and_logits(&self) -> [usize; 2] {
        match (self.task, self.output) {
            // PAD and UNK have logits, too.
            (Task::LanguageModel, _) => [TOKENS.len() + 2; 2],
            (_, Output::Sigmoid) => [1, 2],
            _ => [self.sizes.classes; 2],
        }
    }

    /// The metadata as fields.
    pub fn fields(&self) -> Metadata {
        Metadata {
            task: self.task,
            input: self.input,
            tokenizer: Tokenizer::WORDS,
            has_token_fingerprints: self.fingerprints,
            cell: self.cell,
            // The bits of both projections.
            packing: if self.bits[1..3] == [8, 8] { Packing::plain(self.cell) } else { Packing::Rows },
            layers: self.layers,
            bidirectional: self.bidirectional,
            merge: self.merge,
            pooling: self.pooling,
            output: self.output,
            // One for each direction of each layer: at most 4 layers in 2 directions.
            shifts: vec![self.shift; 8],
            ngrams: self.ngrams.map(|NgramSpec { ngrams, shift, .. }| (ngrams, shift)),
            pooled_shift: if self.layers > 0 { self.ngrams.map_or(0, |spec| spec.pooled_shift) } else { 0 },
            hidden_shift: (self.head_hidden > 0).then_some(0),
            fc_shift: 0,
        }
    }

    /// The metadata as keys and values.
    pub fn metadata(&self) -> Vec<(String, String)> {
        self.fields().entries()
    }

    /// The tensors of a random model in the plain packing of its cell; with weights of 4 or 16 bits in `rows`. The
    /// golden logits are zeros; [`Spec::file`] computes them.
    pub fn tensors(&self, seed: u64) -> Vec<Tensor> {
        let Sizes { embedding_dim: e, hidden_size: h, .. } = self.sizes;
        let ([outputs, logits], f) = (self.outputs_and_logits(), self.head_width());
        let random = &mut Random(seed);
        let mut tensors = vec![Tensor::new("name", Dtype::U8, &[6], b"random")];
        match self.input {
            Input::Tokens if self.layers == 0 => tensors.extend(Tensor::texts("golden", GOLDEN)),
            Input::Tokens => tensors.extend(token_tensors(random, e, self.fingerprints)),
            Input::Values => tensors.extend(value_tensors(random, e)),
        }
        let directions = if self.bidirectional { 2 } else { 1 };
        for (index, suffix) in Metadata::layer_suffixes(self.layers, self.bidirectional).iter().enumerate() {
            let is_first_layer = index < directions;
            let input_size = if is_first_layer { e } else { directions * h };
            tensors.extend(self.layer(random, suffix, input_size));
        }
        if let Some(spec) = self.ngrams {
            tensors.extend(ngram_tensors(random, spec));
        }
        let mut last_width = f;
        if self.head_hidden > 0 {
            tensors.extend(linear(random, "hidden", self.head_hidden, f, 30_000));
            tensors.push(Tensor::new("hidden.scale", Dtype::F32, &[1], &[ONE]));
            last_width = self.head_hidden;
        }
        tensors.extend(linear(random, "fc", outputs, last_width, 2_000));
        if self.task == Task::Forecast {
            tensors.extend(forecast_tensors(random, e, outputs));
        }
        if self.task == Task::Classify {
            let labels: Vec<String> = (0..logits).map(|i| format!("label{i}")).collect();
            tensors.extend(Tensor::texts("labels", labels.iter().map(String::as_str)));
        }
        tensors.extend(self.refusal.map(Tensor::refusal));
        #[cfg(feature = "widths")]
        if self.bits != [8; 4] {
            tensors = self.with_widths(random, tensors);
        }
        // Three golden sequences: see `value_tensors`.
        let examples = if self.input == Input::Tokens { GOLDEN.len() } else { 3 };
        tensors.push(Tensor::new("golden.logits", Dtype::I32, &[examples, logits], &vec![0i32; examples * logits]));
        tensors.push(Tensor::new("calibration", Dtype::I32, &[4], &[0i32; 4]));
        tensors
    }

    /// Converts the weights to the widths of [`Spec::bits`]; 16-bit weights get random lower bits.
    #[cfg(feature = "widths")]
    fn with_widths(&self, random: &mut Random, tensors: Vec<Tensor>) -> Vec<Tensor> {
        let (_, tensors) = packed(self.fields().packing, &[], tensors);
        let width_of = |tensor: &Tensor| match tensor.name.split_once('.') {
            Some(("embedding", "weight")) => self.bits[0],
            Some(("hidden" | "fc", "weight")) => self.bits[3],
            Some((_, parameter)) if parameter.starts_with("weight_ih_") => self.bits[1],
            Some((_, parameter)) if parameter.starts_with("weight_hh_") => self.bits[2],
            _ => 8,
        };
        let mut widened = Vec::new();
        for tensor in tensors {
            match width_of(&tensor) {
                // A tensor of 4-bit weights and one of their group multipliers.
                4 => widened.extend(in_4_bits(&tensor)),
                16 => {
                    // A 16-bit weight is in units of 1/256 of an 8-bit weight.
                    let fine = |&byte: &u8| 256 * i16::from(byte as i8) + random.between(-255, 255) as i16;
                    let weights: Vec<i16> = tensor.data.iter().map(fine).collect();
                    widened.push(in_16_bits(&tensor.name, &tensor.shape, &weights));
                }
                _ => widened.push(tensor),
            }
        }
        widened
    }

    /// The tensors of one direction of a layer. `suffix`: the end of their names, for example `l0_reverse`.
    fn layer(&self, random: &mut Random, suffix: &str, input_size: usize) -> Vec<Tensor> {
        let (h, module, gates) = (self.sizes.hidden_size, self.cell.module(), self.cell.gates());
        let name = |parameter: &str| format!("{module}.{parameter}_{suffix}");
        let shape = |sizes: &[usize]| if gates > 1 { [sizes, &[gates]].concat() } else { sizes.to_vec() };
        // The biases of a unit. A GRU has one more for the recurrent half of its third gate.
        let biases = if self.cell == CellKind::Gru { 4 } else { gates };
        let bias_shape = if gates > 1 { vec![h, biases] } else { vec![h] };
        let mut tensors = vec![
            Tensor::new(
                &name("weight_ih"),
                Dtype::I8,
                &shape(&[h, input_size]),
                &random.weights(gates * h * input_size),
            ),
            Tensor::new(&name("weight_hh"), Dtype::I8, &shape(&[h, h]), &random.weights(gates * h * h)),
            Tensor::new(&name("bias"), Dtype::I32, &bias_shape, &random.biases(biases * h)),
            Tensor::new(&name("multiplier_ih"), Dtype::I16, &shape(&[h]), &random.multipliers(gates * h, 12_000)),
            Tensor::new(&name("multiplier_hh"), Dtype::I16, &shape(&[h]), &random.multipliers(gates * h, 12_000)),
        ];
        if self.cell == CellKind::RnnRelu {
            tensors.push(Tensor::new(&name("scale"), Dtype::F32, &[1], &[ONE]));
        }
        tensors
    }

    /// The file of a random model, with the golden logits that this crate computes.
    ///
    /// # Panics
    /// If the loader refuses the file.
    pub fn file(&self, seed: u64) -> Aligned {
        with_golden(&self.metadata(), self.tensors(seed))
    }

    /// [`file`](Spec::file) with the folded tokens `ids`, in a packing of the model's cells.
    ///
    /// # Panics
    /// As [`file`](Spec::file), and if the packing does not allow the sizes.
    pub fn folded_file(&self, packing: Packing, seed: u64, ids: &[u32]) -> Aligned {
        let (metadata, mut tensors) = packed(packing, &self.metadata(), self.tensors(seed));
        let file = Aligned::new(&to_bytes(&metadata, tensors.clone()));
        tensors.extend(folded(&crate::Model::from_bytes(&file).expect("a random model loads"), ids));
        with_golden(&metadata, tensors)
    }
}

/// Returns a file whose golden logits are those that this crate computes.
fn with_golden(metadata: &[(String, String)], mut tensors: Vec<Tensor>) -> Aligned {
    let draft = Aligned::new(&to_bytes(metadata, tensors.clone()));
    let model = crate::Model::from_bytes(&draft).expect("a random model loads");
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.session(&mut scratch).expect("the scratch has the length that the model asks for");
    let mut logits: Vec<i32> = Vec::new();
    for golden in model.golden() {
        logits.extend(session.run_golden(&golden).iter());
    }
    let golden_logits = tensors.iter_mut().find(|tensor| tensor.name == "golden.logits");
    golden_logits.expect("there are golden logits").data = bytemuck::cast_slice(&logits).to_vec();
    Aligned::new(&to_bytes(metadata, tensors))
}

/// The metadata of a random LSTM classifier. `shift`: the shift of the recurrent layer, `"0"` … `"8"`.
pub fn metadata(shift: &str) -> Vec<(String, String)> {
    of_shift(Sizes { embedding_dim: 1, hidden_size: 1, classes: 1 }, shift).metadata()
}

/// The tensors of a random model: see [`Spec::tensors`]. [`Sizes`] as `spec` give an LSTM classifier.
pub fn tensors(seed: u64, spec: impl Into<Spec>) -> Vec<Tensor> {
    spec.into().tensors(seed)
}

/// The file of a random LSTM classifier: see [`Spec::file`]. `seed` determines the random numbers, `shift` is the shift
/// of the recurrent layer, `"0"` … `"8"`.
pub fn random_file(seed: u64, sizes: Sizes, shift: &str) -> Aligned {
    of_shift(sizes, shift).file(seed)
}

/// Returns `spec` with the shift `shift` of its recurrent layers, a number as text.
fn of_shift(spec: impl Into<Spec>, shift: &str) -> Spec {
    Spec { shift: shift.parse().expect("a shift is a number"), ..spec.into() }
}

/// The tensors of a model whose operands are at an end of their range: `sign` · 127 for every 8-bit weight, with the
/// `sign` 1 or −1, the largest multipliers, and biases of 0. The model loads with the shift 0 if E, H and the width of
/// the head's input are at most 500.
pub fn extreme_tensors(sign: i8, spec: impl Into<Spec>) -> Vec<Tensor> {
    let mut all = tensors(1, spec);
    for tensor in &mut all {
        match tensor.dtype {
            Dtype::I8 => tensor.data.fill((127 * sign) as u8),
            // The largest multiplier is 0x7fff, little-endian.
            Dtype::I16 => tensor.data = [0xff, 0x7f].repeat(tensor.data.len() / 2),
            _ if tensor.name.contains("bias") => tensor.data.fill(0),
            _ => (),
        }
    }
    all
}

/// [`random_file`] in a packing, with the same arguments. `spec`: the kind of the model; [`Sizes`] give an LSTM
/// classifier.
///
/// # Panics
/// As [`Spec::file`], and if the packing does not allow the sizes.
pub fn random_file_in(packing: Packing, seed: u64, spec: impl Into<Spec>, shift: &str) -> Aligned {
    let spec = of_shift(spec, shift);
    let (metadata, all) = packed(packing, &spec.metadata(), spec.tensors(seed));
    with_golden(&metadata, all)
}

/// The file of [`extreme_tensors`].
///
/// # Panics
/// As [`random_file_in`].
pub fn extreme_file_in(packing: Packing, sign: i8, spec: impl Into<Spec>) -> Aligned {
    let spec = spec.into();
    let (metadata, all) = packed(packing, &spec.metadata(), extreme_tensors(sign, spec));
    with_golden(&metadata, all)
}
