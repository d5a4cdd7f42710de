//! Stepwise inference in f32: a network reads one token at a time, and a [`State`] holds the hidden states between
//! steps.
//!
//! It serves language models, whose head reads the last layer's hidden state after every step: they generate text, and
//! read texts that are too long to read at once. Several texts can be read side by side; the arrays have a row for
//! each. The outputs agree with those of [`Network::logits`] except for rounding (test
//! `steps_agree_with_the_whole_text`).

use crate::activation::{sigmoid, tanh};
use crate::architecture::Cell;
use crate::denormals::Flush;
use crate::network::Network;

/// The parameter `fused` of [`sigmoid`] and [`tanh`], which selects fused multiply-adds: false, because this module is
/// compiled for every processor of the target, and some lack this instruction.
const FUSED: bool = false;

/// The recurrent state of a network for several texts, one in each row.
#[derive(Clone, Debug)]
pub struct State {
    /// `[layer][rows, hidden_size]`
    hidden: Vec<Vec<f32>>,
    /// The cell states of an LSTM, zeros for other cells: `[layer][rows, hidden_size]`.
    cell: Vec<Vec<f32>>,
    rows: usize,
}

impl Network {
    /// Returns the state before the first token of `rows` texts: zeros. The network must read tokens.
    ///
    /// # Panics
    /// Panics if the network is bidirectional, since the reverse direction starts at the end of a text, or has an
    /// n-gram branch, since only classifiers of whole texts have one.
    pub fn initial_state(&self, rows: usize) -> State {
        assert!(!self.has_ngrams(), "a network with an n-gram branch cannot read token by token");
        assert!(!self.recurrent.bidirectional, "a bidirectional network cannot read token by token");
        let zeros = vec![vec![0.0; rows * self.hidden_size]; self.layers.len()];
        State { hidden: zeros.clone(), cell: zeros, rows }
    }

    /// Reads one token of each text and updates `state`. `ids`: the tokens, `[rows]`. Returns the last layer's hidden
    /// states, `[rows, hidden_size]`, for [`outputs_of_states`](Self::outputs_of_states).
    pub fn step<'s>(&self, state: &'s mut State, ids: &[u32]) -> &'s [f32] {
        let _flush = Flush::denormals();
        debug_assert_eq!(ids.len(), state.rows);
        let (n, cell) = (self.hidden_size, self.recurrent.cell);
        let gates_width = cell.gates() * n;
        let mut x = self.embedded(ids);
        for (index, directions) in self.layers.iter().enumerate() {
            let (hidden, cell_state) = (&mut state.hidden[index], &mut state.cell[index]);
            let (input, recurrent) = directions[0].halves_of_step(&x, hidden);
            for row in 0..state.rows {
                let units = row * n..(row + 1) * n;
                let gates = row * gates_width..(row + 1) * gates_width;
                let (h, c) = (&mut hidden[units.clone()], &mut cell_state[units]);
                step_row(cell, &input[gates.clone()], &recurrent[gates], h, c);
            }
            // The next layer reads the new states.
            x.clone_from(hidden);
        }
        state.hidden.last().map_or(&[], Vec::as_slice)
    }

    /// Applies the head to states of the last layer: `[rows, hidden_size]` → `[rows, outputs]`. The pooling of the
    /// network must be [`Pooling::Last`](crate::architecture::Pooling::Last).
    pub fn outputs_of_states(&self, states: &[f32]) -> Vec<f32> {
        self.head_rows(states.to_vec(), states.len() / self.hidden_size)
    }
}

/// Computes one step of one row by the formulas in PyTorch's documentation, with the gates in PyTorch's order: i, f, g,
/// o for an LSTM; r, z, n for a GRU.
///
/// `input`, `recurrent`: the two halves of the pre-activations with their biases, `[gates * n]`; `h`, `c`: the hidden
/// and the cell state, `[n]`, which this function updates. Only an LSTM has a cell state.
fn step_row(cell: Cell, input: &[f32], recurrent: &[f32], h: &mut [f32], c: &mut [f32]) {
    let n = h.len();
    for unit in 0..n {
        let pre_activation = |gate: usize| input[gate * n + unit] + recurrent[gate * n + unit];
        let sigmoid_gate = |gate: usize| sigmoid(FUSED, pre_activation(gate));
        match cell {
            Cell::Lstm => {
                c[unit] = sigmoid_gate(1) * c[unit] + sigmoid_gate(0) * tanh(FUSED, pre_activation(2));
                h[unit] = sigmoid_gate(3) * tanh(FUSED, c[unit]);
            }
            Cell::Gru => {
                let (r, z) = (sigmoid_gate(0), sigmoid_gate(1));
                let new = tanh(FUSED, input[2 * n + unit] + r * recurrent[2 * n + unit]);
                // Equal to (1 − z) · new + z · h, with one product less.
                h[unit] = new + z * (h[unit] - new);
            }
            Cell::Rnn => h[unit] = tanh(FUSED, pre_activation(0)),
            Cell::RnnRelu => h[unit] = pre_activation(0).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::architecture::{Architecture, Cell, CellBias, Head, Recurrent, Sizes};
    use crate::network::Network;
    use crate::reference;

    #[test]
    fn steps_agree_with_the_whole_text() {
        for &cell in Cell::ALL {
            for (num_layers, hidden, bias) in [(1, 0, CellBias::Two), (3, 4, CellBias::Two), (2, 0, CellBias::One)] {
                let recurrent = Recurrent { cell, num_layers, bias, ..Recurrent::default() };
                let sizes = Sizes { vocab_size: 12, embedding_dim: 5, hidden_size: 7, labels: 2 };
                let head = Head { hidden, outputs: 2 };
                let architecture = Architecture { head, ..Architecture::of_tokens(sizes, recurrent) };
                let network = Network::new(&reference::weights(&architecture), &architecture);
                let texts: [&[u32]; 2] = [&[2, 5, 1, 9, 3], &[4, 4, 8, 7, 6]];
                let mut state = network.initial_state(2);
                for step in 0..5 {
                    let states = network.step(&mut state, &[texts[0][step], texts[1][step]]).to_vec();
                    let outputs = network.outputs_of_states(&states);
                    for (text, outputs) in texts.iter().zip(outputs.chunks_exact(2)) {
                        let expected = network.logits(&text[..=step]);
                        for (found, expected) in outputs.iter().zip(&expected) {
                            assert!((found - expected).abs() < 1e-5, "{cell:?} {step}: {found}, expected {expected}");
                        }
                    }
                }
            }
        }
    }
}
