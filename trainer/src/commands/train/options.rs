//! Options that win over a recipe.

use crate::commands::table::TableArgs;
use crate::recipe::{Cell, ClassWeights, Merge, OptimizerKind, Output, Pooling, Recipe, Schedule, TokenizerKind};
use crate::train::DeviceKind;
use std::path::PathBuf;

/// Settings that win over the recipe's. What is not given stays as it is there.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Overrides {
    /// Name of the model [default: that of its directory]
    #[arg(long)]
    pub name: Option<String>,
    /// Table to choose the best epoch by; without it, part of the data is held out
    #[arg(long, value_name = "DATA.csv")]
    pub valid: Option<PathBuf>,
    /// Share of each class to hold out where there is no --valid [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    pub valid_fraction: Option<f64>,
    /// Layout of the tables.
    #[command(flatten, next_help_heading = "Tables")]
    pub table: TableArgs,
    /// How text is cut
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Model")]
    pub tokenizer: Option<TokenizerKind>,
    /// Make each character its lower case first [default: true for words, false for chars]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Model")]
    pub lowercase: Option<bool>,
    /// The most tokens in the vocabulary, PAD and UNK among them
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub max_vocab: Option<usize>,
    /// How often a token must occur to be in the vocabulary
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub min_count: Option<usize>,
    /// Recurrent cell
    #[arg(long, value_enum, help_heading = "Model")]
    pub cell: Option<Cell>,
    /// Width of the embedding
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub embedding: Option<usize>,
    /// Vectors to begin with: GloVe or word2vec text, or FILE.npy with its words in FILE.txt
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    pub embeddings: Option<PathBuf>,
    /// Keep these vectors as they are
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Model")]
    pub freeze_embeddings: Option<bool>,
    /// Cells of a recurrent layer, in each direction
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub hidden: Option<usize>,
    /// Recurrent layers on top of each other, 1 to 4
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub layers: Option<usize>,
    /// Read each text from its end as well
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Model")]
    pub bidirectional: Option<bool>,
    /// How the last layer's directions are put together
    #[arg(long, value_enum, help_heading = "Model")]
    pub merge: Option<Merge>,
    /// What of the hidden states goes to the linear layer
    #[arg(long, value_enum, help_heading = "Model")]
    pub pooling: Option<Pooling>,
    /// Units of a hidden layer (ReLU) before the last linear one; 0: none
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub head_hidden: Option<usize>,
    /// What the outputs are: a softmax over the labels, or one sigmoid for two labels
    #[arg(id = "model_output", long = "model-output", value_enum, help_heading = "Model")]
    pub output: Option<Output>,
    /// Probability to drop a value that one recurrent layer hands to the next while training
    #[arg(long, value_name = "P", help_heading = "Model")]
    pub layer_dropout: Option<f64>,
    /// Probability to drop a value that goes to the linear layer while training
    #[arg(long, value_name = "P", help_heading = "Model")]
    pub dropout: Option<f64>,
    /// Probability to drop a value of an embedded token while training
    #[arg(long, value_name = "P", help_heading = "Model")]
    pub embedding_dropout: Option<f64>,
    /// Probability to replace a token by UNK while training
    #[arg(long, value_name = "P", help_heading = "Model")]
    pub word_dropout: Option<f64>,
    /// The most passes over the examples
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Epochs without a better validation accuracy after which to end
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub patience: Option<usize>,
    /// Texts in a batch. 0: a fiftieth of the examples, a thousandth of a language model's windows, but 4 to 32
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub batch_size: Option<usize>,
    /// The most tokens in a batch; bounds the memory
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub batch_tokens: Option<usize>,
    /// How gradients become steps
    #[arg(long, value_enum, help_heading = "Training")]
    pub optimizer: Option<OptimizerKind>,
    /// Highest learning rate. 0: 0.003 with adamw, 0.005 for a language model, 0.1 with sgd
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// How the learning rate changes
    #[arg(long, value_enum, help_heading = "Training")]
    pub schedule: Option<Schedule>,
    /// Share of the steps in which the learning rate rises; not with one_cycle, which has a rise of its own
    #[arg(long, value_name = "SHARE", help_heading = "Training")]
    pub warm_up: Option<f64>,
    /// Epochs in which the validation loss may fail to fall before schedule plateau lowers the learning rate
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub plateau_patience: Option<usize>,
    /// What schedule plateau multiplies the learning rate by
    #[arg(long, value_name = "X", help_heading = "Training")]
    pub plateau_factor: Option<f64>,
    /// Share of a step that the next one keeps (sgd)
    #[arg(long, value_name = "X", help_heading = "Training")]
    pub momentum: Option<f64>,
    /// Nesterov's form of momentum (sgd)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Training")]
    pub nesterov: Option<bool>,
    /// Decay of weight matrices
    #[arg(long, value_name = "X", help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// Greatest norm of the gradients. 0: any
    #[arg(long, value_name = "X", help_heading = "Training")]
    pub clip_norm: Option<f64>,
    /// Share of the target probability that is spread over all labels
    #[arg(long, value_name = "P", help_heading = "Training")]
    pub label_smoothing: Option<f64>,
    /// What an example of each class weighs
    #[arg(long, value_enum, help_heading = "Training")]
    pub class_weights: Option<ClassWeights>,
    /// Decay per step of the running average of the weights; 0: no average
    #[arg(long, value_name = "X", help_heading = "Training")]
    pub weight_averaging: Option<f64>,
    /// Where all random numbers begin
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub seed: Option<u64>,
    /// Threads; the result is the same with any number. 0: one a core, four at most
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub threads: Option<usize>,
    /// What computes the gradients
    #[arg(long, value_enum, help_heading = "Training")]
    pub device: Option<DeviceKind>,
}

impl Overrides {
    /// Puts the given settings into `recipe`.
    pub fn apply(&self, recipe: &mut Recipe) {
        fn set<T: Clone>(value: &mut T, given: &Option<T>) {
            if let Some(given) = given {
                value.clone_from(given);
            }
        }
        let Recipe { name, data, vocabulary, tokenizer, model, training, .. } = recipe;
        if self.name.is_some() {
            name.clone_from(&self.name);
        }
        if self.valid.is_some() {
            data.valid.clone_from(&self.valid);
        }
        if self.table.delimiter.is_some() {
            data.delimiter = self.table.delimiter;
        }
        data.header &= !self.table.no_header;
        data.quoting &= !self.table.no_quoting;
        set(&mut data.text_column, &self.table.text_column);
        set(&mut data.label_column, &self.table.label_column);
        set(&mut data.valid_fraction, &self.valid_fraction);
        set(&mut tokenizer.kind, &self.tokenizer);
        if self.lowercase.is_some() {
            tokenizer.lowercase = self.lowercase;
        }
        set(&mut vocabulary.max_size, &self.max_vocab);
        set(&mut vocabulary.min_count, &self.min_count);
        set(&mut model.cell, &self.cell);
        if self.embeddings.is_some() {
            model.embeddings.clone_from(&self.embeddings);
            model.embedding = 0;
        }
        set(&mut model.freeze_embeddings, &self.freeze_embeddings);
        set(&mut model.embedding, &self.embedding);
        set(&mut model.hidden, &self.hidden);
        set(&mut model.layers, &self.layers);
        set(&mut model.bidirectional, &self.bidirectional);
        set(&mut model.merge, &self.merge);
        set(&mut model.pooling, &self.pooling);
        set(&mut model.head_hidden, &self.head_hidden);
        set(&mut model.output, &self.output);
        set(&mut model.layer_dropout, &self.layer_dropout);
        set(&mut model.dropout, &self.dropout);
        set(&mut model.embedding_dropout, &self.embedding_dropout);
        set(&mut model.word_dropout, &self.word_dropout);
        set(&mut training.epochs, &self.epochs);
        set(&mut training.patience, &self.patience);
        set(&mut training.batch_size, &self.batch_size);
        set(&mut training.batch_tokens, &self.batch_tokens);
        set(&mut training.optimizer, &self.optimizer);
        set(&mut training.learning_rate, &self.learning_rate);
        set(&mut training.schedule, &self.schedule);
        set(&mut training.warm_up, &self.warm_up);
        set(&mut training.plateau_patience, &self.plateau_patience);
        set(&mut training.plateau_factor, &self.plateau_factor);
        set(&mut training.momentum, &self.momentum);
        set(&mut training.nesterov, &self.nesterov);
        set(&mut training.weight_decay, &self.weight_decay);
        set(&mut training.clip_norm, &self.clip_norm);
        set(&mut training.label_smoothing, &self.label_smoothing);
        set(&mut training.class_weights, &self.class_weights);
        set(&mut training.weight_averaging, &self.weight_averaging);
        set(&mut training.seed, &self.seed);
        set(&mut training.threads, &self.threads);
        set(&mut training.device, &self.device);
    }
}
