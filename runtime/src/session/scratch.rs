//! The division of the caller's scratch, the memory that the caller lends to a session, into buffers: [`Layout`]
//! computes its size, [`Scratch`] is the divided scratch.

use crate::config::{Config, LayerDirection};
use crate::features::{self, NGRAMS, STACKED, VALUES};
use crate::layers::State;
#[cfg(feature = "ngrams")]
use crate::layers::ngrams::NgramSums;
use crate::layers::pooling::{EXACT_STEPS, Pool};
use crate::model::Model;
use crate::state_codec::StateCodec;
use tern_format::{Merge, Task};

/// The memory that a session needs, in 32-bit words and 16-bit halves. Words come first, so that they are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The words that do not depend on the number of kept steps.
    words: usize,
    /// The halves that do not depend on the number of kept steps.
    halves: usize,
    /// The words for each step that a bidirectional model keeps; 0 for other models.
    step_words: usize,
    /// The halves for each step that a bidirectional model keeps; 0 for other models.
    step_halves: usize,
    /// The part of `step_halves` that holds the input of the step, if the model reads values.
    input_halves: usize,
    /// The bytes of the forward pass in a saved state, without the counts of steps and of unknown tokens and without
    /// the kept steps.
    state_bytes: usize,
}

impl Layout {
    /// The memory that a session of this model needs: the sizes of the buffers that [`Scratch::new`] divides.
    pub(crate) fn of(model: &Model<'_>) -> Self {
        let config = model.config();
        let (hidden_size, layers) = (config.hidden_size, config.layers);
        let sums = if config.pools_mean() { config.merged_width() } else { 0 };
        let head_input = if model.head_reads_in_place() { 0 } else { config.head_width() };
        // The last values of the channels, from which a forecast may predict differences.
        let last = if VALUES && config.task == Task::Forecast { config.embedding_dim } else { 0 };
        let states = states_of(config);
        let rank = if NGRAMS { config.ngram_rank } else { 0 };
        let mut layout = Layout {
            words: states * hidden_size * config.cell.state_words() + sums + last + rank,
            halves: 2 * states * hidden_size + config.embedding_dim + head_input + config.head_hidden,
            step_words: 0,
            step_halves: 0,
            input_halves: 0,
            state_bytes: 4 * (last + rank),
        };
        if config.reads_both_ways() {
            // For each step the model keeps the id of the token, a word, or the values, as halves.
            match config.reads_values() {
                false => layout.step_words = 1,
                true => layout.input_halves = config.embedding_dim,
            }
            layout.step_halves = layout.input_halves + below_width(model) + forward_width(model);
        } else {
            // The pool saves its maxima and its number of steps; its sums are among the words.
            let maxima = if config.pools_max() { hidden_size } else { 0 };
            let count_bytes = if config.pools_last() { 0 } else { 4 };
            layout.state_bytes = 4 * layout.words + 2 * (layers * hidden_size + maxima) + count_bytes;
        }
        #[cfg(feature = "ngrams")]
        if let Some(ngrams) = config.ngrams {
            layout.state_bytes += NgramSums::state_len(ngrams);
        }
        layout
    }

    /// The length of the scratch, in words, with room for `steps` kept steps.
    pub(crate) fn len(&self, steps: usize) -> usize {
        let halves = steps.saturating_mul(self.step_halves).saturating_add(self.halves);
        steps.saturating_mul(self.step_words).saturating_add(self.words).saturating_add(halves.div_ceil(2))
    }

    /// The largest size of the forward pass in a saved state, in bytes, for scratch that keeps `steps` steps. A
    /// bidirectional model saves the inputs of its kept steps. Because the scratch is rounded up to words, it may have
    /// room for one step more.
    pub(crate) fn state_len(&self, steps: usize) -> usize {
        let kept_bytes = self.steps(self.len(steps)).saturating_mul(4 * self.step_words + 2 * self.input_halves);
        // 8 bytes for the number of steps and of unknown tokens.
        kept_bytes.saturating_add(8 + self.state_bytes)
    }

    /// The number of steps that a scratch of `len` words can keep, at most [`EXACT_STEPS`]; 0 if the model is not
    /// bidirectional.
    fn steps(&self, len: usize) -> usize {
        // A word has the size of two halves.
        let free_halves = len.saturating_sub(self.words).saturating_mul(2).saturating_sub(self.halves);
        free_halves.checked_div(2 * self.step_words + self.step_halves).unwrap_or(0).min(EXACT_STEPS as usize)
    }
}

/// The number of [`State`]s of a session: one for each layer, or a single one for a bidirectional model, whose layers
/// and directions run one after the other. A model without layers has a single one, which is empty.
pub(crate) fn states_of(config: &Config) -> usize {
    if STACKED && !config.reads_both_ways() { config.layers.max(1) } else { 1 }
}

/// The number of halves of [`Kept::below`] for each step: the states of both directions of a layer, if there is more
/// than one layer.
fn below_width(model: &Model<'_>) -> usize {
    let config = model.config();
    if config.layers > 1 { 2 * config.hidden_size } else { 0 }
}

/// The number of halves of [`Kept::forward`] for each step: the forward states, if they must be combined with the
/// reverse states step by step.
fn forward_width(model: &Model<'_>) -> usize {
    let config = model.config();
    let merges_each_step = config.merge != Merge::Concat && !config.pools_last();
    if config.layers > 1 || merges_each_step { config.hidden_size } else { 0 }
}

/// The inputs of the steps that a bidirectional model keeps, and buffers for the outputs of its layers.
#[derive(Debug)]
pub(crate) struct Kept<'s> {
    /// The token ids, `[cap]`; empty if the model reads values.
    pub ids: &'s mut [i32],
    /// The inputs, `[cap * channels]`, Q15; empty if the model reads text.
    pub inputs: &'s mut [i16],
    /// The outputs of the layer below in both directions, `[cap * 2 * hidden_size]`; empty for one layer.
    pub below: &'s mut [i16],
    /// The outputs of the current layer in the forward direction, `[cap * hidden_size]`; empty if they are not needed.
    pub forward: &'s mut [i16],
    /// The number of steps that can be kept.
    pub cap: u32,
}

impl Kept<'_> {
    /// Passes the inputs of the first `steps` steps through the codec: ids below `vocab_size`, or inputs of `width`
    /// values.
    pub(crate) fn visit_state(&mut self, steps: u32, width: usize, vocab_size: usize, codec: &mut StateCodec<'_>) {
        let steps = steps.min(self.cap) as usize;
        let ids = self.ids.get_mut(..steps).unwrap_or_default();
        codec.words(ids.iter_mut());
        // As an unsigned number, a negative id is too large.
        codec.check(ids.iter().all(|&id| (id as u32 as usize) < vocab_size));
        codec.halves(self.inputs.iter_mut().take(steps.saturating_mul(width)));
    }
}

/// The divided scratch.
#[derive(Debug)]
pub(crate) struct Scratch<'s> {
    /// The input of a step: the embedded token or the scaled values, `[embedding_dim]`, Q15.
    pub x: &'s mut [i16],
    /// The values of the last step, as the caller gave them, `[channels]`; empty unless the model is a forecast.
    pub last: &'s mut [i32],
    /// The state of the first layer. In a bidirectional model all layers use it in turn.
    pub first: State<'s>,
    /// The states of the layers above the first.
    pub above: [State<'s>; LayerDirection::LAYERS - 1],
    /// The sums of the n-gram branch, if the model has one.
    #[cfg(feature = "ngrams")]
    pub ngrams: Option<features::Ngrams<NgramSums<'s>>>,
    /// The input of the head; none if the head reads the last hidden state in place.
    pub pool: Option<features::HeadFeatures<Pool<'s>>>,
    /// The activations of the head's hidden layer, `[head_hidden]`, Q15.
    pub hidden: &'s mut [i16],
    /// The kept steps of a bidirectional model.
    pub kept: Option<features::Bidirectional<Kept<'s>>>,
}

/// The remaining part of a slice. Buffers are taken from its beginning.
struct Remaining<'s, T>(&'s mut [T]);

impl<'s, T> Remaining<'s, T> {
    /// Takes the next `length` elements; none if fewer are left.
    #[cfg_attr(feature = "errors", inline)]
    fn take(&mut self, length: usize) -> Option<&'s mut [T]> {
        let (piece, rest) = core::mem::take(&mut self.0).split_at_mut_checked(length)?;
        self.0 = rest;
        Some(piece)
    }
}

impl<'s> Scratch<'s> {
    /// Divides `scratch`; none if it is too short. In a bidirectional model it must have room for at least one kept
    /// step.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn new(model: &'s Model<'s>, scratch: &'s mut [i32]) -> Option<Self> {
        let config = model.config();
        let both_ways = config.reads_both_ways();
        let cap = if both_ways { Layout::of(model).steps(scratch.len()) } else { 0 };
        let mut words = Remaining(scratch);
        let state_words = config.hidden_size * config.cell.state_words();
        let (mut first, mut above): (State<'s>, [State<'s>; LayerDirection::LAYERS - 1]) = Default::default();
        let above_in_use = states_of(config) - 1;
        first.c = words.take(state_words)?;
        for state in above.iter_mut().take(above_in_use) {
            state.c = words.take(state_words)?;
        }
        let sum = words.take(if config.pools_mean() { config.merged_width() } else { 0 })?;
        let last = words.take(if VALUES && config.task == Task::Forecast { config.embedding_dim } else { 0 })?;
        #[cfg(feature = "ngrams")]
        let sums = words.take(config.ngram_rank)?;
        #[cfg(feature = "ngrams")]
        let ngrams = model.ngrams.as_ref().map(|table| NgramSums::new(table, config.tokenizer, sums));
        let ids = words.take(if config.reads_values() { 0 } else { cap })?;
        let mut halves = Remaining(bytemuck::try_cast_slice_mut(words.0).ok()?);
        first.h = halves.take(config.hidden_size)?;
        first.next_h = halves.take(config.hidden_size)?;
        for state in above.iter_mut().take(above_in_use) {
            state.h = halves.take(config.hidden_size)?;
            state.next_h = halves.take(config.hidden_size)?;
        }
        let x = halves.take(config.embedding_dim)?;
        let head_input = halves.take(if model.head_reads_in_place() { 0 } else { config.head_width() })?;
        let kept = Kept {
            ids,
            inputs: halves.take(if config.reads_values() { cap * config.embedding_dim } else { 0 })?,
            below: halves.take(cap * below_width(model))?,
            forward: halves.take(cap * forward_width(model))?,
            cap: cap as u32,
        };
        // This buffer comes last, because its length may be odd and some kernels need their inputs at whole words.
        let hidden = halves.take(config.head_hidden)?;
        let pooled_width = config.pooled_width();
        let shift = config.pooled_shift();
        let pool = Pool { has_max: config.pools_max(), sum, features: head_input, pooled_width, shift, count: 0 };
        let pool = if model.head_reads_in_place() { None } else { features::HeadFeatures::new(pool) };
        let kept = match (both_ways, cap) {
            (false, _) => None,
            (true, 0) => return None,
            (true, _) => features::Bidirectional::new(kept),
        };
        Some(Scratch {
            x,
            last,
            first,
            above,
            #[cfg(feature = "ngrams")]
            ngrams: ngrams.and_then(features::Ngrams::new),
            pool,
            hidden,
            kept,
        })
    }

    /// The states of all layers, beginning with the first.
    pub(crate) fn states(&self) -> impl Iterator<Item = &State<'s>> {
        core::iter::once(&self.first).chain(&self.above)
    }

    /// The input of the head, `[head_width]`, Q15.
    pub(crate) fn head_input(&self, config: &Config) -> &[i16] {
        match &self.pool {
            Some(pool) => pool.features,
            // The state of the last layer. The first of `above` is that of layer 1, so the last has the index layers -
            // 2. For a single layer the index wraps to one that does not exist.
            None => self.above.get(states_of(config).wrapping_sub(2)).unwrap_or(&self.first).h,
        }
    }
}
