//! Descriptions of the forward pass that an import assumes, in words and as PyTorch code. The user compares them with
//! the forward pass of the original network.
//!
//! Names and shapes of tensors do not determine a forward pass. The activation of the head has no tensors, so the
//! original may have tanh where Tern has ReLU. A linear layer may belong to the head, to an attention layer, or to a
//! projection before the recurrent layer.

use super::Recognised;
use crate::architecture::{Cell, Merge, Pooling};

impl Recognised {
    /// Describes the forward pass as a list of its steps, on one line.
    pub fn describe(&self) -> String {
        let pooling = match (self.recurrent.pooling, self.recurrent.bidirectional) {
            (Pooling::Last, false) => "the final hidden state",
            (Pooling::Last, true) => "the final hidden state of both directions",
            (Pooling::Mean, _) => "the mean of the outputs over time",
            (Pooling::Max, _) => "the maximum of the outputs over time",
            (Pooling::MeanMax, _) => "the mean and the maximum of the outputs over time",
        };
        let head = match self.head.as_slice() {
            [hidden, last] => format!("`{hidden}`, ReLU, `{last}`"),
            [last] => format!("`{last}`"),
            _ => unreachable!("a head has one or two layers"),
        };
        let input = match &self.embedding {
            Some(embedding) => format!("each text without padding, `{embedding}`"),
            None => "each sequence of numbers without padding".to_owned(),
        };
        format!("{input}, `{}` ({}), {pooling}, {head}", self.recurrent_name, self.recurrent.describe(self.hidden_size))
    }

    /// Returns the forward pass as lines of PyTorch. In them, `ids` is a batch of texts of equal length,
    /// `[batch, steps]`, and `x` a batch of sequences of numbers, `[batch, steps, channels]`, or the embedded texts.
    pub fn pytorch(&self) -> Vec<String> {
        let state = if self.recurrent.cell == Cell::Lstm { "(h_n, _)" } else { "h_n" };
        let (combined_state, combined_output) = match (self.recurrent.bidirectional, self.recurrent.merge) {
            (false, _) => ("h_n[-1]", "output"),
            (true, Merge::Concat) => ("torch.cat([h_n[-2], h_n[-1]], dim=1)", "output"),
            (true, Merge::Sum) => ("h_n[-2] + h_n[-1]", "sum(output.chunk(2, dim=2))"),
            (true, Merge::Mean) => ("(h_n[-2] + h_n[-1]) / 2", "sum(output.chunk(2, dim=2)) / 2"),
            (true, Merge::Product) => ("h_n[-2] * h_n[-1]", "torch.mul(*output.chunk(2, dim=2))"),
        };
        let pooled = match self.recurrent.pooling {
            Pooling::Last => combined_state.to_owned(),
            Pooling::Mean => format!("({combined_output}).mean(dim=1)"),
            Pooling::Max => format!("({combined_output}).amax(dim=1)"),
            Pooling::MeanMax => {
                format!("torch.cat([({combined_output}).mean(dim=1), ({combined_output}).amax(dim=1)], dim=1)")
            }
        };
        // The parentheses are needed only around an expression.
        let pooled = pooled.replace("(output)", "output");
        let mut lines = Vec::new();
        if let Some(embedding) = &self.embedding {
            lines.push(format!("x = {}(ids)", attribute(embedding)));
        }
        lines.push(format!("output, {state} = {}(x)", attribute(&self.recurrent_name)));
        lines.push(format!("pooled = {pooled}"));
        if let [hidden, _] = self.head.as_slice() {
            lines.push(format!("pooled = torch.relu({}(pooled))", attribute(hidden)));
        }
        if let Some(last) = self.head.last() {
            lines.push(format!("logits = {}(pooled)", attribute(last)));
        }
        lines
    }
}

/// Returns the expression for a module's name, such as `self.encoder.rnn` or `self.classifier[0]`.
fn attribute(name: &str) -> String {
    let mut expression = "self".to_owned();
    for part in name.split('.').filter(|part| !part.is_empty()) {
        // The modules of a torch.nn.Sequential are numbered.
        expression += &match part.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_) => format!(".{part}"),
        };
    }
    expression
}
