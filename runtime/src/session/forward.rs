//! The forward pass: runs the steps of a network and prepares the input of its head.
//!
//! A model that reads forwards runs a step for each token or row of values at once. A bidirectional model only keeps
//! its inputs, and runs all of them in both directions when the logits are asked for. The n-gram branch reads
//! characters, independently of the steps.

use core::num::NonZeroUsize;

use crate::features::VALUES;
use crate::invariant::Guaranteed;
use crate::layers::head::Logits;
use crate::layers::pooling::merge;
use crate::model::Model;
use crate::rows::row;
use crate::session::scratch::{Kept, Scratch, states_of};
#[cfg(feature = "ngrams")]
use crate::text::NgramHasher;
use crate::text::TokenSink;
use crate::text::vocabulary::UNK;
use tern_format::{Input, Merge};

/// A model and its state in the caller's scratch.
#[derive(Debug)]
pub(crate) struct Forward<'s> {
    pub model: &'s Model<'s>,
    pub scratch: Scratch<'s>,
    /// The number of steps so far: tokens, or rows of values.
    pub steps: u32,
    /// The number of tokens that are not in the vocabulary.
    pub unknown: u32,
    /// True if the input of the head is up to date with all steps. It may still lack the latest n-grams.
    pub(super) is_up_to_date: bool,
    /// True if a step has more to compute after the first layer: other layers or pooling.
    has_more_above: bool,
}

impl TokenSink for Forward<'_> {
    fn id(&mut self, id: u32) {
        self.take_id(id);
    }

    // The faster code for common tables comes first; the code for other tables is not inlined here.
    #[cfg(feature = "ngrams")]
    fn char(&mut self, c: char) {
        let is_read = match &mut self.scratch.ngrams {
            Some(ngrams) => ngrams.take_common_char(c),
            None => false,
        };
        if !is_read {
            self.take_other_char(c);
        }
    }

    #[cfg(feature = "ngrams")]
    fn word_end(&mut self) {
        let Some(ngrams) = &self.scratch.ngrams else { return };
        let word = ngrams.hasher().word();
        self.char(NgramHasher::AFTER_WORD);
        let is_counted = match &mut self.scratch.ngrams {
            Some(ngrams) => ngrams.take_common_word(word),
            None => false,
        };
        if !is_counted {
            self.take_other_word(word);
        }
    }
}

impl<'s> Forward<'s> {
    /// A forward pass. The caller must [`reset`](Forward::reset) it before the first step.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn new(model: &'s Model<'s>, scratch: Scratch<'s>) -> Self {
        let pools = scratch.pool.is_some() && !model.config.pools_last();
        let has_more_above = states_of(&model.config) > 1 || pools;
        Forward { model, scratch, steps: 0, unknown: 0, is_up_to_date: false, has_more_above }
    }

    /// Begins a new text or sequence.
    pub(crate) fn reset(&mut self) {
        self.scratch.first.reset();
        self.scratch.above.iter_mut().for_each(|state| state.reset());
        if let Some(pool) = &mut self.scratch.pool {
            pool.reset();
        }
        #[cfg(feature = "ngrams")]
        if let Some(ngrams) = &mut self.scratch.ngrams {
            ngrams.reset();
        }
        // No value of a channel has been read, so its mean counts as the last one.
        if VALUES {
            self.model.value_parts().input.keep_last(&[], self.scratch.last);
        }
        (self.steps, self.unknown, self.is_up_to_date) = (0, 0, false);
    }

    /// Reads a token.
    #[inline]
    pub(crate) fn take_id(&mut self, id: u32) {
        if id == UNK && self.model.config.is_recurrent() {
            self.unknown = self.unknown.saturating_add(1);
        }
        if let Some(kept) = &mut self.scratch.kept {
            let Kept { ids, cap, .. } = &mut **kept;
            // There is no place for tokens beyond the limit.
            if let Some(place) = ids.get_mut(self.steps.min(*cap) as usize) {
                *place = id as i32;
            }
        } else if self.model.config.is_recurrent() {
            let folded = self.model.folded_sums(id, false);
            if folded.is_none() {
                self.model.embedding.embed(id, self.scratch.x);
            }
            self.step(folded);
        }
        self.steps = self.steps.saturating_add(1);
        self.is_up_to_date = false;
    }

    /// Reads a character for the n-gram branch if
    /// [`take_common_char`](crate::layers::ngrams::NgramSums::take_common_char) has returned false.
    #[cfg(feature = "ngrams")]
    #[inline(never)]
    fn take_other_char(&mut self, c: char) {
        if let Some(ngrams) = &mut self.scratch.ngrams {
            ngrams.take_char(c);
        }
    }

    /// Counts the n-grams that end with a word if
    /// [`take_common_word`](crate::layers::ngrams::NgramSums::take_common_word) has returned false. `word`: its hash.
    #[cfg(feature = "ngrams")]
    #[inline(never)]
    fn take_other_word(&mut self, word: u32) {
        if let Some(ngrams) = &mut self.scratch.ngrams {
            ngrams.take_word(word);
        }
    }

    /// Ends the text for the n-gram branch. With the tokenizers `chars` and `bytes`, this ends the only word.
    pub(crate) fn end_text(&mut self) {
        #[cfg(feature = "ngrams")]
        if self.scratch.ngrams.as_ref().is_some_and(|ngrams| ngrams.hasher().ends_with_text()) {
            self.word_end();
        }
    }

    /// Counts one n-gram by its hash.
    #[cfg(feature = "ngrams")]
    pub(crate) fn take_ngram(&mut self, hash: u32) {
        if let Some(ngrams) = &mut self.scratch.ngrams {
            ngrams.add_ngram(hash);
        }
    }

    /// Reads one time step of values: the caller's integers, one for each channel.
    pub(crate) fn take_values(&mut self, values: &[i32]) {
        self.model.value_parts().input.normalise(values, self.scratch.x);
        self.model.value_parts().input.keep_last(values, self.scratch.last);
        let Scratch { x, kept, .. } = &mut self.scratch;
        if let Some(kept) = kept {
            // There is no place for steps beyond the limit.
            let begin = (self.steps.min(kept.cap) as usize).saturating_mul(x.len());
            for (to, x) in kept.inputs.iter_mut().skip(begin).zip(x.iter()) {
                *to = *x;
            }
        } else {
            self.step(None);
        }
        self.steps = self.steps.saturating_add(1);
        self.is_up_to_date = false;
    }

    /// Computes one step of every layer of a model that reads forwards, from the input in the scratch. `folded`: the
    /// precomputed input projection of the first layer, which replaces this input if the token is folded.
    #[inline]
    fn step(&mut self, folded: Option<&[i32]>) {
        let Scratch { x, first: state, .. } = &mut self.scratch;
        let model = self.model;
        match folded {
            None => model.first_cell().step(x, state),
            Some(sums) => model.first_cell().step_folded(sums, state),
        }
        if self.has_more_above {
            self.step_above();
        }
    }

    /// Computes the rest of a step after the first layer: the other layers, and pooling. Most models have neither.
    #[inline(never)]
    fn step_above(&mut self) {
        let Scratch { first, above, pool, .. } = &mut self.scratch;
        let mut below = &*first.h;
        for (cell, state) in self.model.cells().iter().skip(1).zip(above) {
            cell.step_apart(below, state);
            below = state.h;
        }
        if let Some(pool) = pool
            && !self.model.config.pools_last()
        {
            pool.make_room();
            let is_first = pool.count == 0;
            pool.add(0, is_first, below.iter().copied());
            pool.count += 1;
        }
    }

    /// The logits after the steps so far.
    pub(crate) fn logits(&mut self) -> Logits<'_> {
        self.bring_up_to_date(&mut || true);
        let has_hidden_layer = self.model.hidden.is_some();
        let features =
            if has_hidden_layer { &*self.scratch.hidden } else { self.scratch.head_input(&self.model.config) };
        Logits { head: &self.model.head, features }
    }

    /// Computes the input of the head if it is out of date, and calls `go_on` after each step that this takes. Returns
    /// false if `go_on` has returned false.
    pub(crate) fn bring_up_to_date(&mut self, go_on: &mut dyn FnMut() -> bool) -> bool {
        if !self.is_up_to_date || self.have_ngrams_changed() {
            self.is_up_to_date = self.update(go_on);
        }
        self.is_up_to_date
    }

    /// Returns true if n-grams were counted after the logits were last read.
    fn have_ngrams_changed(&self) -> bool {
        #[cfg(feature = "ngrams")]
        return self.scratch.ngrams.as_ref().is_some_and(|ngrams| ngrams.have_changed());
        #[cfg(not(feature = "ngrams"))]
        false
    }

    /// Computes the input of the head: steps of a bidirectional model, pooling, n-grams, hidden layer. Returns false if
    /// `go_on` has returned false.
    fn update(&mut self, go_on: &mut dyn FnMut() -> bool) -> bool {
        if self.model.config.reads_both_ways() && !self.run_both_directions(go_on) {
            return false;
        }
        if let Some(pool) = &mut self.scratch.pool {
            pool.finish();
        }
        #[cfg(feature = "ngrams")]
        self.append_ngrams();
        if let Some(hidden) = &self.model.hidden {
            // The buffer is taken out of the scratch, because it is written while the rest of the scratch is read.
            let activations = core::mem::take(&mut self.scratch.hidden);
            hidden.relu(self.scratch.head_input(&self.model.config), activations);
            self.scratch.hidden = activations;
        }
        true
    }

    /// Appends the scaled sums of the n-gram branch, if there is one, to the pooled states. With the pooling `last`,
    /// the pooled states are first copied from the last layer and shifted.
    #[cfg(feature = "ngrams")]
    fn append_ngrams(&mut self) {
        let config = &self.model.config;
        let Scratch { first, above, pool: Some(pool), ngrams: Some(ngrams), .. } = &mut self.scratch else { return };
        if config.pools_last() && !config.reads_both_ways() {
            // The state of the last layer: see `Scratch::head_input`.
            copy(above.get(states_of(config).wrapping_sub(2)).unwrap_or(first).h, pool.features, 0);
        }
        if config.pools_last() {
            pool.shift_last();
        }
        ngrams.scale(pool.features.get_mut(config.pooled_width()..).unwrap_or_default());
    }

    /// Runs the kept steps: for each layer, all steps forward and then all in reverse. The last layer's states go to
    /// the pool, merged or concatenated. Calls `go_on` after each step of a layer in one direction, and returns false
    /// as soon as `go_on` has returned false.
    fn run_both_directions(&mut self, go_on: &mut dyn FnMut() -> bool) -> bool {
        let config = &self.model.config;
        let Scratch { x, first: state, pool: Some(pool), kept: Some(kept), .. } = &mut self.scratch else {
            debug_assert!(false, "a bidirectional model has a pool and keeps its steps");
            return true;
        };
        let (pool, kept) = (&mut **pool, &mut **kept);
        pool.reset();
        let steps = self.steps.min(kept.cap) as usize;
        let hidden_size = NonZeroUsize::new(config.hidden_size).guaranteed_or(NonZeroUsize::MIN);
        // The column of the pool at which the reverse direction begins: H if directions are concatenated.
        let reverse_column = if config.merge == Merge::Concat { hidden_size.get() } else { 0 };
        for (layer, cells) in self.model.cells().chunks(2).enumerate() {
            let is_last = layer + 1 == config.layers;
            for (direction, cell) in cells.iter().enumerate() {
                let is_reverse = direction == 1;
                state.reset();
                for step in 0..steps {
                    // The index of the kept step, which is the place of the token or the values in the sequence.
                    let position = if is_reverse { steps - 1 - step } else { step };
                    // Only the first layer reads tokens, which may be folded.
                    let id = if layer == 0 { kept.ids.get(position) } else { None };
                    match id.and_then(|&id| self.model.folded_sums(id as u32, is_reverse)) {
                        Some(sums) => cell.step_folded(sums, state),
                        None => cell.step_apart(input_of(self.model, layer, position, kept, x), state),
                    }
                    let is_pooled = is_last && !config.pools_last();
                    let begin = position.saturating_mul(hidden_size.get());
                    // In the reverse direction, the state of the forward direction at this position, if it was kept.
                    let forward = kept.forward.get(begin..).unwrap_or(&[]);
                    if is_pooled && config.merge == Merge::Concat {
                        let column = if is_reverse { reverse_column } else { 0 };
                        pool.add(column, step == 0, state.h.iter().copied());
                    } else if is_pooled && is_reverse {
                        let merged = forward.iter().zip(state.h.iter()).map(|(&f, &r)| merge(config.merge, f, r));
                        pool.add(0, step == 0, merged);
                    }
                    if !is_reverse {
                        copy(state.h, kept.forward, begin);
                    } else if !is_last {
                        // Overwrites the input of this step, which is not read again, with the layer's output.
                        let begin_of_both = 2 * begin;
                        let both = forward.iter().take(hidden_size.get()).chain(state.h.iter());
                        for (to, from) in kept.below.iter_mut().skip(begin_of_both).zip(both) {
                            *to = *from;
                        }
                    }
                    if !go_on() {
                        return false;
                    }
                }
                // With the pooling `last`, the pool gets only the state after the last step of each direction.
                if is_last && config.pools_last() && steps > 0 {
                    if is_reverse && config.merge != Merge::Concat {
                        for (forward, &reverse) in pool.features.iter_mut().zip(state.h.iter()) {
                            *forward = merge(config.merge, *forward, reverse);
                        }
                    } else {
                        copy(state.h, pool.features, if is_reverse { reverse_column } else { 0 });
                    }
                }
            }
        }
        pool.count = steps as u32;
        true
    }
}

/// Returns the input of a layer of a bidirectional model at one of the kept steps, `position`. `x`: a buffer for the
/// embedded token.
fn input_of<'x>(model: &Model<'_>, layer: usize, position: usize, kept: &'x Kept<'_>, x: &'x mut [i16]) -> &'x [i16] {
    let (elements, width): (&[i16], usize) = match (layer, model.config.input) {
        (0, Input::Tokens) => {
            model.embedding.embed(kept.ids.get(position).copied().guaranteed() as u32, x);
            return x;
        }
        (0, Input::Values) => (kept.inputs, model.config.embedding_dim),
        _ => (kept.below, 2 * model.config.hidden_size),
    };
    NonZeroUsize::new(width).and_then(|width| row(elements, width, position)).guaranteed()
}

/// Copies `from` to the elements of `to` from the index `begin` on. (`copy_from_slice` can panic.)
fn copy(from: &[i16], to: &mut [i16], begin: usize) {
    for (to, from) in to.iter_mut().skip(begin).zip(from) {
        *to = *from;
    }
}
