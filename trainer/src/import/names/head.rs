//! Recognition of the linear layers of a network's head among the tensors of a PyTorch `state_dict`.

use super::super::settings::Settings;
use super::super::tensors::zeros;
use super::Found;
use crate::architecture::{Pooling, names as tern_names};
use crate::display::quoted;
use crate::file_error::FileError;
use crate::weights::{Array, Weights};
use tern_format::Output;

/// The name and the shape of a matrix of the file.
struct Matrix {
    name: String,
    rows: usize,
    columns: usize,
}

impl Found<'_> {
    /// Finds the one or two linear layers of the head under any name, and moves their tensors to `weights`. The shapes
    /// determine the order of the layers, and if both orders fit, the names. `outputs`: the number of outputs of the
    /// last layer; `head_width`: the number of values that the first layer reads. Returns the names of the layers'
    /// weights, and the number of hidden units between two layers (0 for one layer).
    pub(super) fn head(
        &mut self,
        outputs: usize,
        head_width: usize,
        settings: &Settings,
        weights: &mut Weights,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<String>, usize), FileError> {
        let layers = self.head_layers(outputs, head_width, settings)?;
        for (index, Matrix { name, .. }) in layers.iter().enumerate() {
            let is_last = index + 1 == layers.len();
            let (weight_name, bias_name) = if is_last {
                (tern_names::FC_WEIGHT, tern_names::FC_BIAS)
            } else {
                (tern_names::HIDDEN_WEIGHT, tern_names::HIDDEN_BIAS)
            };
            let weight = self.remaining.remove(name).expect("the name is a key of this map");
            let bias_in_file = format!("{}bias", name.strip_suffix("weight").unwrap_or(name));
            let bias = match self.remaining.remove(&bias_in_file) {
                Some(bias) if bias.shape == weight.shape[..1] => bias,
                Some(bias) => {
                    let expected = format!("[{}], one for each row of `{name}`", weight.shape[0]);
                    return Err(self.wrong_shape(&bias_in_file, &bias, &expected));
                }
                None => {
                    notes.push(format!("`{name}` has no bias (bias=False): it is zero"));
                    zeros(&weight.shape[..1])
                }
            };
            weights.insert(weight_name, weight);
            weights.insert(bias_name, bias);
        }
        let hidden_units = if layers.len() == 2 { layers[0].rows } else { 0 };
        Ok((layers.into_iter().map(|layer| layer.name).collect(), hidden_units))
    }

    /// Returns the one or two matrices of the head, the first layer first: all matrices that are left. Fails if there
    /// are none or more than two, or if their shapes do not fit.
    fn head_layers(&self, outputs: usize, head_width: usize, settings: &Settings) -> Result<Vec<Matrix>, FileError> {
        let matrices = self.remaining.iter().filter(|(name, array)| name.ends_with("weight") && array.shape.len() == 2);
        let matrix = |(name, array): (&String, &Array)| Matrix {
            name: name.clone(),
            rows: array.shape[0],
            columns: array.shape[1],
        };
        let mut matrices: Vec<Matrix> = matrices.map(matrix).collect();
        let rows_meaning = match settings.output {
            Output::Sigmoid => "one logit where `output` is \"sigmoid\"".to_owned(),
            _ => format!("one row for each of the {outputs} labels"),
        };
        let other_width = if settings.pooling == Pooling::Last {
            " (for another width set `pooling` to mean_max, or another `merge`)"
        } else {
            ""
        };
        let columns_meaning =
            format!("{head_width} columns where `pooling` is {:?}{other_width}", settings.pooling.name());
        match matrices.as_slice() {
            [] => {
                let expected = format!("`fc.weight`, [{outputs}, {head_width}], and `fc.bias`");
                Err(self.missing("linear layer", &expected))
            }
            [only] if (only.rows, only.columns) == (outputs, head_width) => Ok(matrices),
            [only] => {
                let expected = format!("[{outputs}, {head_width}]: {rows_meaning}, {columns_meaning}");
                Err(self.wrong_shape(&only.name, &self.remaining[&only.name], &expected))
            }
            [a, b] => {
                let fits = |first: &Matrix, last: &Matrix| {
                    first.columns == head_width && last.columns == first.rows && last.rows == outputs
                };
                let (a_can_be_first, b_can_be_first) = (fits(a, b), fits(b, a));
                if !a_can_be_first && !b_can_be_first {
                    let found = [a, b].map(|layer| format!("`{}` is [{}, {}]", layer.name, layer.rows, layer.columns));
                    return Err(self.wrong(format!(
                        "{}, expected a first layer of [units, {head_width}], {columns_meaning}, and a last layer of \
                         [{outputs}, units], {rows_meaning}",
                        found.join(" and ")
                    )));
                }
                // If both orders fit, the names decide: hidden before fc, else the alphabetical order that `matrices`
                // has, such as fc1 before fc2.
                let names_say_b_first = b.name == tern_names::HIDDEN_WEIGHT || a.name == tern_names::FC_WEIGHT;
                if b_can_be_first && (names_say_b_first || !a_can_be_first) {
                    matrices.reverse();
                }
                Ok(matrices)
            }
            several => {
                let names: Vec<String> = several.iter().map(|matrix| matrix.name.clone()).collect();
                Err(self.wrong(format!(
                    "{} matrices besides embedding and recurrent layers, {}, expected one or two for the head; list \
                     tensors that the model does not use in `ignore`",
                    several.len(),
                    quoted(&names)
                )))
            }
        }
    }
}
