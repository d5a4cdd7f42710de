//! Recognition of a network's parts by the names and shapes of the tensors of a PyTorch `state_dict`.

mod head;

use super::settings::Settings;
use super::tensors::{Values, zeros};
use crate::architecture::{Cell, CellBias, LayerNames, MAX_LAYERS, Merge, Recurrent, names as tern_names};
use crate::display::quoted;
use crate::file_error::FileError;
use crate::weights::{Array, Weights};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tern_format::Output;

/// Prefixes that wrappers put before the names of all tensors: `DataParallel`, `torch.compile`, and a module that holds
/// the network as `model`.
const WRAPPERS: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// The modules of a `state_dict` and the network that they make up.
#[derive(Clone, Debug)]
pub struct Recognised {
    /// Name of the embedding module in the file; `None` for a network that reads numbers.
    pub embedding: Option<String>,
    /// Name of the recurrent module in the file.
    pub recurrent_name: String,
    /// Names of the one or two linear modules of the head in the file.
    pub head: Vec<String>,
    /// The recurrent layers.
    pub recurrent: Recurrent,
    /// Hidden units of a recurrent layer, in each direction.
    pub hidden_size: usize,
}

/// The parameters of a network, under Tern's names.
#[derive(Debug)]
pub struct Parameters {
    /// `[tokens, embedding_dim]`, its rows in the file's order; `None` for a network that reads numbers.
    pub embedding: Option<Array>,
    /// Units of the head's hidden layer; 0 for none.
    pub head_hidden: usize,
    /// All parameters except the embedding.
    pub weights: Weights,
}

/// Finds the embedding, the recurrent layers and the head among the tensors of the file `path`. Adds notes for the user
/// to `notes`, such as that a bias is missing. Fails if a part is missing or has a wrong shape, or if tensors are left
/// over.
pub fn recognise(
    path: &Path,
    tensors: BTreeMap<String, Values>,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<(Recognised, Parameters), FileError> {
    let mut found = Found::new(path, tensors, settings, notes)?;
    let module = found.recurrent_module()?;
    let shape = found.recurrent_shape(&module, settings)?;
    let recurrent = shape.recurrent;
    let mut weights = Weights::default();
    let directions = recurrent.directions();
    if !shape.has_biases {
        notes.push(format!("`{module}` has no biases (bias=False): they are zero"));
    } else if recurrent.bias == CellBias::One {
        notes.push(format!("`{module}` has one bias, bias_ih: `recurrent_biases` is 1"));
    }
    for layer in 0..recurrent.num_layers {
        for &direction in directions {
            let names = recurrent.names(layer, direction);
            let inputs = if layer == 0 { shape.inputs } else { directions.len() * shape.hidden_size };
            found.take_layer(&module, &shape, &names, inputs, &mut weights)?;
        }
    }
    let embedding = match settings.channels.len() {
        0 => Some(found.embedding(shape.inputs)?),
        channels if channels == shape.inputs => None,
        channels => {
            let (name, inputs) = (format!("{module}weight_ih_l0"), shape.inputs);
            let problem = format!("tensor `{name}` reads {inputs} numbers a step, expected {channels}, one for each");
            return Err(FileError::new(path, format!("{problem} of the [[channels]]; correct them")));
        }
    };
    let (embedding_name, embedding) = embedding.unzip();
    let outputs = if settings.output == Output::Sigmoid { 1 } else { settings.labels.len() };
    let head_width = recurrent.head_width(shape.hidden_size);
    let (head, head_hidden) = found.head(outputs, head_width, settings, &mut weights, notes)?;
    found.check_all_recognised(&format!("{} before {outputs} outputs", recurrent.describe(shape.hidden_size)))?;
    let without = |suffix: &str, name: &str| name.strip_suffix(suffix).unwrap_or(name).to_owned();
    let recognised = Recognised {
        embedding: embedding_name.map(|name| without(".weight", &name)),
        recurrent_name: without(".", &module),
        head: head.iter().map(|name| without(".weight", name)).collect(),
        recurrent,
        hidden_size: shape.hidden_size,
    };
    Ok((recognised, Parameters { embedding, head_hidden, weights }))
}

/// The sizes of a recurrent module, found from the names and shapes of its tensors.
struct Shape {
    /// The layers. The bias is `One` if there is no `bias_hh`; merge and pooling are those of the settings.
    recurrent: Recurrent,
    /// The number of values that the first layer reads in a step.
    inputs: usize,
    hidden_size: usize,
    /// False for a module with `bias=False`, whose biases become zero.
    has_biases: bool,
}

/// The tensors of the file. Each is removed once it is recognised.
struct Found<'a> {
    /// The file, for error messages.
    path: &'a Path,
    /// The tensors that have not been recognised yet.
    remaining: BTreeMap<String, Array>,
    /// The names of all tensors.
    all_names: Vec<String>,
}

impl<'a> Found<'a> {
    /// Removes the ignored tensors, renames the others by the settings, and then removes the prefixes of wrappers, with
    /// a note. Fails if a setting names no tensor, a tensor has no float type, or two tensors get the same name.
    fn new(
        path: &'a Path,
        tensors: BTreeMap<String, Values>,
        settings: &Settings,
        notes: &mut Vec<String>,
    ) -> Result<Self, FileError> {
        let all_names: Vec<String> = tensors.keys().cloned().collect();
        let wrong = |problem: String| FileError::new(path, problem);
        if let Some(name) = settings.ignore.iter().find(|name| !tensors.contains_key(*name)) {
            return Err(wrong(format!("`ignore` names `{name}`, expected one of the tensors {}", quoted(&all_names))));
        }
        let mut used_rules = BTreeSet::new();
        let mut remaining = BTreeMap::new();
        for (name, values) in tensors.into_iter().filter(|(name, _)| !settings.ignore.contains(name)) {
            let array = values.map_err(|found| {
                wrong(format!(
                    "tensor `{name}` is {found}, expected F32, F64, F16 or BF16; convert it, or name it in `ignore`"
                ))
            })?;
            let new_name = renamed(&name, settings, &mut used_rules);
            if remaining.insert(new_name.clone(), array).is_some() {
                return Err(wrong(format!(
                    "two tensors would be called `{new_name}`, one of them is `{name}`; correct [rename]"
                )));
            }
        }
        if let Some(rule) = settings.rename.keys().find(|rule| !used_rules.contains(*rule)) {
            return Err(wrong(format!("[rename] {rule:?} matches no tensor; the tensors are {}", quoted(&all_names))));
        }
        for wrapper in WRAPPERS {
            if !remaining.is_empty() && remaining.keys().all(|name| name.starts_with(wrapper)) {
                let without_prefix = |(name, array): (String, Array)| (name[wrapper.len()..].to_owned(), array);
                remaining = remaining.into_iter().map(without_prefix).collect();
                notes.push(format!("the prefix `{wrapper}` of all names was removed"));
            }
        }
        Ok(Found { path, remaining, all_names })
    }

    /// Creates the error for a part that the file lacks.
    fn missing(&self, part: &str, expected: &str) -> FileError {
        let tensors = quoted(&self.all_names);
        self.wrong(format!("no {part}, expected {expected}; the tensors are {tensors}. Rename yours under [rename]"))
    }

    /// Creates the error for a tensor of another shape than expected.
    fn wrong_shape(&self, name: &str, found: &Array, expected: &str) -> FileError {
        self.wrong(format!("tensor `{name}` is {:?}, expected {expected}", found.shape))
    }

    /// Creates an error for the file.
    fn wrong(&self, problem: String) -> FileError {
        FileError::new(self.path, problem)
    }

    /// Finds the one module with a tensor `weight_hh_l0`. Returns the prefix of its tensors: "lstm.", "encoder.rnn.",
    /// or "" if the name has no prefix.
    fn recurrent_module(&self) -> Result<String, FileError> {
        let modules: Vec<&str> = self.remaining.keys().filter_map(|name| name.strip_suffix("weight_hh_l0")).collect();
        match modules.as_slice() {
            [module] => Ok((*module).to_owned()),
            [] => Err(self.missing(
                "recurrent layer",
                "`lstm.weight_hh_l0` of torch.nn.LSTM, GRU or RNN (LSTMCell and cells made of Linear are not \
                 supported)",
            )),
            several => {
                let names: Vec<String> = several.iter().map(|module| format!("{module}weight_hh_l0")).collect();
                Err(self.wrong(format!(
                    "{} recurrent modules, {}, expected one: stacked layers must be one module, as \
                     torch.nn.LSTM(num_layers=…) makes",
                    several.len(),
                    quoted(&names)
                )))
            }
        }
    }

    /// Finds the cell, the sizes and the biases of the recurrent module from the names and shapes of its tensors.
    fn recurrent_shape(&self, module: &str, settings: &Settings) -> Result<Shape, FileError> {
        let projection = format!("{module}weight_hr_l");
        if let Some((name, array)) = self.remaining.iter().find(|(name, _)| name.starts_with(&projection)) {
            return Err(self.wrong_shape(name, array, "no such tensor: projections (proj_size) are not supported"));
        }
        let name = format!("{module}weight_hh_l0");
        let w_hh = &self.remaining[&name];
        let &[rows, hidden_size] = w_hh.shape.as_slice() else {
            return Err(self.wrong_shape(&name, w_hh, "two dimensions, [gates * hidden_size, hidden_size]"));
        };
        let is_multiple = hidden_size > 0 && rows.is_multiple_of(hidden_size);
        let gates_by_shape = if is_multiple { rows / hidden_size } else { 0 };
        let by_shape = match gates_by_shape {
            4 => Cell::Lstm,
            3 => Cell::Gru,
            1 => Cell::Rnn,
            _ => {
                return Err(self.wrong_shape(
                    &name,
                    w_hh,
                    "[4 h, h] of an LSTM, [3 h, h] of a GRU or [h, h] of an RNN",
                ));
            }
        };
        let cell = settings.cell.unwrap_or(by_shape);
        let (gates, wanted, found) = (cell.gates(), cell.name(), by_shape.name());
        if gates != by_shape.gates() {
            let expected = format!("[{gates} h, h] where `cell` is {wanted:?}; with this shape it is {found:?}");
            return Err(self.wrong_shape(&name, w_hh, &expected));
        }
        let ih_name = format!("{module}weight_ih_l0");
        let Some(w_ih) = self.remaining.get(&ih_name) else {
            return Err(self.missing(&format!("`{ih_name}`"), &format!("[{rows}, embedding_dim]")));
        };
        let inputs = match w_ih.shape.as_slice() {
            [found, inputs] if *found == rows => *inputs,
            _ => {
                let expected = format!("[{rows}, embedding_dim], as many rows as `{name}`");
                return Err(self.wrong_shape(&ih_name, w_ih, &expected));
            }
        };
        let mut layers = 0;
        while self.remaining.contains_key(&format!("{module}weight_hh_l{layers}")) {
            layers += 1;
        }
        if layers > MAX_LAYERS {
            return Err(self.wrong(format!("{layers} recurrent layers, expected {MAX_LAYERS} at most")));
        }
        let bidirectional = self.remaining.contains_key(&format!("{module}weight_hh_l0_reverse"));
        let has = |prefix: &str| self.remaining.keys().any(|name| name.starts_with(&format!("{module}{prefix}")));
        let bias = if has("bias_hh_") { CellBias::Two } else { CellBias::One };
        let (merge, pooling) = (settings.merge.unwrap_or(Merge::Concat), settings.pooling);
        let recurrent = Recurrent { cell, num_layers: layers, bidirectional, bias, merge, pooling };
        Ok(Shape { recurrent, inputs, hidden_size, has_biases: has("bias_") })
    }

    /// Moves the tensors of one direction of a layer to `weights`, under Tern's `names`. `module`: the prefix of the
    /// tensors in the file. `inputs`: the number of values that the layer reads in a step.
    fn take_layer(
        &mut self,
        module: &str,
        shape: &Shape,
        names: &LayerNames,
        inputs: usize,
        weights: &mut Weights,
    ) -> Result<(), FileError> {
        let hidden_size = shape.hidden_size;
        let rows = shape.recurrent.cell.gates() * hidden_size;
        let matrices = [(&names.w_ih, vec![rows, inputs]), (&names.w_hh, vec![rows, hidden_size])];
        let biases = std::iter::once(&names.b_ih).chain(&names.b_hh).map(|name| (name, vec![rows]));
        for (name, wanted) in matrices.into_iter().chain(biases) {
            // Tern's names end in PyTorch's names, such as `weight_ih_l0`.
            let parameter = name.rsplit('.').next().unwrap_or(name);
            let name_in_file = format!("{module}{parameter}");
            let array = match self.remaining.remove(&name_in_file) {
                Some(array) if array.shape == wanted => array,
                Some(array) => {
                    return Err(self.wrong_shape(
                        &name_in_file,
                        &array,
                        &format!("{wanted:?} with hidden size {hidden_size}"),
                    ));
                }
                None if parameter.starts_with("bias") && !shape.has_biases => zeros(&wanted),
                None => return Err(self.missing(&format!("`{name_in_file}`"), &format!("{wanted:?}"))),
            };
            weights.insert(name.clone(), array);
        }
        Ok(())
    }

    /// Finds the embedding: the tensor with Tern's name, else the only matrix whose name contains "emb", else the only
    /// matrix without a bias. Returns its name and values. Fails if no matrix or more than one fits this description,
    /// or if it does not have `width` columns.
    fn embedding(&mut self, width: usize) -> Result<(String, Array), FileError> {
        let is_matrix = |(name, array): &(&String, &Array)| array.shape.len() == 2 && name.ends_with("weight");
        let matrices: Vec<&String> = self.remaining.iter().filter(is_matrix).map(|(name, _)| name).collect();
        let matrices_that = |fits: &dyn Fn(&str) -> bool| -> Vec<String> {
            matrices.iter().filter(|name| fits(name)).map(|name| (*name).clone()).collect()
        };
        let expected = format!("`embedding.weight` of torch.nn.Embedding, [tokens, {width}]");
        let mut candidates = matrices_that(&|name| name == tern_names::EMBEDDING);
        if candidates.is_empty() {
            candidates = matrices_that(&|name| name.to_lowercase().contains("emb"));
        }
        if candidates.is_empty() {
            // A matrix without a bias: PyTorch's word language model calls it `encoder`, GPT-like models `wte`.
            candidates = matrices_that(&|name| !self.remaining.contains_key(&name.replace("weight", "bias")));
        }
        let name = match candidates.as_slice() {
            [name] => name,
            [] => return Err(self.missing("embedding", &expected)),
            several => {
                return Err(self.wrong(format!(
                    "{} matrices that may be the embedding, {}, expected {expected}; rename yours under [rename]",
                    several.len(),
                    quoted(several)
                )));
            }
        };
        let array = self.remaining.remove(name).expect("the name is a key of this map");
        if array.shape[1] != width {
            let expected = format!("[tokens, {width}]: the recurrent layer reads {width} values");
            return Err(self.wrong_shape(name, &array, &expected));
        }
        Ok((name.clone(), array))
    }

    /// Checks that every tensor was recognised. `network`: a description of the recognised network, for the error.
    fn check_all_recognised(self, network: &str) -> Result<(), FileError> {
        let Some(first) = self.remaining.keys().next() else { return Ok(()) };
        let names: Vec<String> = self.remaining.keys().cloned().collect();
        Err(self.wrong(format!(
            "no place for {}; the network is {network}. Rename it under [rename], for example \"{first}\" = \
             \"fc.weight\", or list it in `ignore` if the model does not use it",
            quoted(&names)
        )))
    }
}

/// Returns the new name of a tensor by the rules of [rename]: a rule for its whole name, or else the longest rule for a
/// prefix of it, which ends in a dot. Without such a rule the name stays. Adds the rule to `used_rules`.
fn renamed(name: &str, settings: &Settings, used_rules: &mut BTreeSet<String>) -> String {
    let fits = |rule: &str| name == rule || (rule.ends_with('.') && name.starts_with(rule));
    let rule = settings.rename.iter().filter(|(rule, _)| fits(rule)).max_by_key(|(rule, _)| rule.len());
    let Some((rule, new)) = rule else { return name.to_owned() };
    used_rules.insert(rule.clone());
    format!("{new}{}", &name[rule.len()..])
}
