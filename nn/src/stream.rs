//! A network that goes on reading: its state is kept from token to token.
//!
//! For texts that have no end, and for texts that are being written. Several texts can be read side by side, a row
//! each. The states agree with those of [`Network::hidden_states`] but for rounding (test
//! `goes_on_where_it_stopped`).

use super::activation::{sigmoid, tanh};
use super::network::Network;
use crate::architecture::Cell;
use crate::denormals::Flush;

/// Where a network stands in some texts.
#[derive(Clone, Debug)]
pub struct State {
    /// `[layer][rows, hidden_size]`
    hidden: Vec<Vec<f32>>,
    /// Of LSTM: `[layer][rows, hidden_size]`.
    cell: Vec<Vec<f32>>,
    rows: usize,
}

impl Network {
    /// The state before the first token of `rows` texts.
    ///
    /// # Panics
    ///
    /// Where the network also reads from the end: it cannot begin before it knows the end.
    pub fn start(&self, rows: usize) -> State {
        assert!(!self.recurrent.bidirectional, "a bidirectional network cannot read a text that has no end");
        let zeros = vec![vec![0.0; rows * self.hidden_size]; self.layers.len()];
        State { hidden: zeros.clone(), cell: zeros, rows }
    }

    /// Reads a token of each text. Returns the last layer's states, `[rows, hidden_size]`, which [`head_of`] reads.
    ///
    /// [`head_of`]: Self::head_of
    pub fn advance<'s>(&self, state: &'s mut State, ids: &[u32]) -> &'s [f32] {
        let _flush = Flush::denormals();
        debug_assert_eq!(ids.len(), state.rows);
        let (n, cell) = (self.hidden_size, self.recurrent.cell);
        let mut x = self.embedded(ids);
        for (index, layer) in self.layers.iter().enumerate() {
            let (hidden, memory) = (&mut state.hidden[index], &mut state.cell[index]);
            let (input, sums) = layer[0].sums_of_step(&x, hidden);
            let states = hidden.chunks_exact_mut(n).zip(memory.chunks_exact_mut(n));
            let width = cell.gates() * n;
            for ((hidden, memory), (x, s)) in states.zip(input.chunks_exact(width).zip(sums.chunks_exact(width))) {
                step(cell, x, s, hidden, memory);
            }
            x.clone_from(hidden);
        }
        state.hidden.last().map_or(&[], Vec::as_slice)
    }

    /// The outputs of the head for states of the last layer: `[rows, hidden_size]` → `[rows, outputs]`.
    pub fn head_of(&self, states: &[f32]) -> Vec<f32> {
        self.head_rows(states.to_vec(), states.len() / self.hidden_size)
    }
}

/// A step of a row of cells. x, s: the input's and the hidden state's part of the sums, `[gates * n]`; `h`, `c`: `[n]`.
fn step(cell: Cell, x: &[f32], s: &[f32], h: &mut [f32], c: &mut [f32]) {
    let n = h.len();
    let z = |gate: usize, u: usize| x[gate * n + u] + s[gate * n + u];
    for u in 0..n {
        match cell {
            Cell::Lstm => {
                c[u] = sigmoid(false, z(1, u)) * c[u] + sigmoid(false, z(0, u)) * tanh(false, z(2, u));
                h[u] = sigmoid(false, z(3, u)) * tanh(false, c[u]);
            }
            Cell::Gru => {
                let new = tanh(false, x[2 * n + u] + sigmoid(false, z(0, u)) * s[2 * n + u]);
                h[u] = new + sigmoid(false, z(1, u)) * (h[u] - new);
            }
            Cell::Rnn => h[u] = tanh(false, z(0, u)),
            Cell::RnnRelu => h[u] = z(0, u).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::architecture::{Architecture, Cell, Head, Recurrent};
    use crate::network::Network;
    use crate::reference;
    use crate::weights::Sizes;

    #[test]
    fn goes_on_where_it_stopped() {
        for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn, Cell::RnnRelu] {
            for (layers, hidden) in [(1, 0), (3, 4)] {
                let recurrent = Recurrent { cell, layers, ..Recurrent::default() };
                let sizes = Sizes { vocab_size: 12, embedding_dim: 5, hidden_size: 7, labels: 2 };
                let head = Head { hidden, outputs: 2 };
                let architecture = Architecture { head, ..Architecture::of_tokens(sizes, recurrent) };
                let network = Network::new(&reference::weights(&architecture), &architecture);
                let texts: [&[u32]; 2] = [&[2, 5, 1, 9, 3], &[4, 4, 8, 7, 6]];
                let mut state = network.start(2);
                for step in 0..5 {
                    let states = network.advance(&mut state, &[texts[0][step], texts[1][step]]).to_vec();
                    let outputs = network.head_of(&states);
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
