//! All keys of a recipe, the TOML file with every setting of a training. Each key is defined once.
//!
//! `section!` turns each list of keys into a settings struct. An entry is the key's help in `tern train --help` (the
//! doc comment), its name, type, default and allowed values ([`Kind`]), and exceptions such as the name of its option.
//! The help of a [`Kind::Switch`] describes its option `no-…`, which sets the key to `false`. Where the help names a
//! default in brackets, the value here, `None` or 0, stands for it: see `settings.rs` and `text_settings.rs`.

use super::choices::{Anchor, ClassWeights, DeviceKind, InputKind, Metric, OptimizerKind, Schedule};
use super::schema::{Field, Kind, section};
use crate::architecture::MAX_LAYERS;
use std::path::PathBuf;
use tern_format::limits::{NGRAM_BUCKETS, NGRAM_RANK};
use tern_format::{Cell, Merge, Output, Pooling, Task, TokenizerKind};

/// The kind of a key that takes an integer from `least` to `most`.
const fn whole(least: i64, most: i64) -> Kind {
    Kind::Whole { least, most }
}

/// The kind of a key that is a probability of dropout.
const DROPOUT: Kind = Kind::Number { least: 0.0, most: 0.95 };
/// The largest width of a layer.
const MAX_WIDTH: i64 = 4096;

/// The keys above all sections.
pub const TOP: [Field; 2] = [
    Field::new("", "name", "Name of the model [default: the name of its directory]", Kind::Text),
    Field::new(
        "",
        "task",
        "What the model does [default: language-model for a .txt file, otherwise classify]",
        Kind::one_of::<Task>(),
    ),
];

section! {
    /// The training data.
    Data, "data" {
        /// Training data: a CSV, TSV or JSONL table, a folder of texts, or `hf:owner/name`
        train: PathBuf = PathBuf::new(), Kind::Path, recipe_only();
        /// Validation data in the same form [default: a part of the training data]
        valid: Option<PathBuf> = None, Kind::Path;
        /// Share of each class that becomes the validation split if there is no validation data; of a text or a time
        /// series, the share at its end
        valid_fraction: f64 = 0.1, Kind::Number { least: 0.001, most: 0.9 };
        /// Random seed of the validation split and of the folds [default: the seed of the training]
        split_seed: Option<u64> = None, whole(0, i64::MAX);
        /// Folds of a cross-validation, which replaces the validation split of a small classifier; 1: never [default: 5
        /// below 300 rows, unless --valid or --valid-fraction is given]
        folds: usize = 0, whole(0, 50);
        /// Input of a classifier: texts, or sequences of numbers
        input: InputKind = InputKind::Text, Kind::one_of::<InputKind>();
        /// Column with the name of the sequence that a row belongs to
        sequence_column: String = "sequence".to_owned(), Kind::Text;
        /// Columns of numbers to read [default: all columns that hold only numbers]
        columns: Vec<String> = Vec::new(), Kind::List;
        /// Column of the texts
        text_column: String = "text".to_owned(), Kind::Text;
        /// Column of the labels
        label_column: String = "label".to_owned(), Kind::Text;
        /// Separator of columns: one character, or `tab` [default: a tab in .tsv and .tab files, a comma elsewhere]
        delimiter: Option<char> = None, Kind::Separator;
        /// The table has no header; columns are named by their numbers, from 1
        header: bool = true, Kind::Switch, option("no-header");
        /// Read quotation marks as ordinary characters
        quoting: bool = true, Kind::Switch, option("no-quoting");
    }
}

section! {
    /// The training sequences of a classifier of numbers.
    Sequences, "sequences" {
        /// Rows of a window that a classifier of sequences reads, cut from the recordings of a table; 0: whole
        /// recordings
        window: usize = 0, whole(0, 1 << 16);
        /// Share of a window that the next one repeats
        overlap: f64 = 0.0, Kind::Number { least: 0.0, most: 0.95 };
        /// Rows per second of a table of sequences, to resample it; 0: unknown
        sample_rate: f64 = 0.0, Kind::Number { least: 0.0, most: 1e9 };
        /// Rows per second to which sequences are resampled; 0: no resampling
        resample: f64 = 0.0, Kind::Number { least: 0.0, most: 1e9 };
        /// Standard deviation of the noise that is added to the normalised numbers of a training sequence
        jitter: f64 = 0.0, Kind::Number { least: 0.0, most: 10.0 };
        /// Standard deviation of the random factor with mean 1 by which the normalised numbers of each channel of a
        /// training sequence are multiplied
        scaling: f64 = 0.0, Kind::Number { least: 0.0, most: 1.0 };
    }
}

section! {
    /// The training windows into which the text of a language model is cut.
    LanguageModel, "language_model" {
        /// Tokens of a language model's training window; gradients flow through all of them and the context
        window: usize = 128, whole(1, 1 << 16);
        /// Tokens that a language model reads before each training window, so that it does not start from an empty
        /// state
        context: usize = 32, whole(0, 1 << 16);
    }
}

section! {
    /// The input and the output of a forecast.
    Forecast, "forecast" {
        /// Rows that a forecast reads
        window: usize = 24, whole(1, 1 << 16);
        /// Rows that a forecast predicts
        horizon: usize = 1, whole(1, 1 << 12);
        /// Columns that a forecast predicts [default: the first one]
        targets: Vec<String> = Vec::new(), Kind::List;
        /// Rows after which the series repeats, for the seasonal baseline; 0: no season
        season: usize = 0, whole(0, 1 << 24);
        /// The value that a forecast's outputs are added to
        anchor: Anchor = Anchor::Last, Kind::one_of::<Anchor>();
    }
}

section! {
    /// The choice of the tokens of the vocabulary.
    Vocabulary, "vocabulary" {
        /// Maximum size of the vocabulary, PAD and UNK included [default: 10000; 4000 for long texts with
        /// fingerprints, and for few long texts]
        max_size: Option<usize> = None, whole(3, 1 << 24), option("max-vocab");
        /// Occurrences that a token needs in the training texts to get an id [default: 2; 1 below 300 rows]
        min_count: Option<usize> = None, whole(1, 1 << 30);
    }
}

section! {
    /// The tokenizer, which cuts text into tokens.
    Tokenizer, "tokenizer" {
        /// Tokenizer [default: the one that suits the script of the training texts, mostly words]
        kind: Option<TokenizerKind> = None, Kind::one_of::<TokenizerKind>(), option("tokenizer");
        /// Convert texts to lower case; bytes have no case [default: true; false for the tokenizers chars and bytes]
        lowercase: Option<bool> = None, Kind::Boolean;
    }
}

section! {
    /// The network.
    Model, "model" {
        /// Recurrent cell
        cell: Cell = Cell::Lstm, Kind::one_of::<Cell>();
        /// Width of the embedding. Wider pretrained vectors (`embeddings`) are reduced to it; 0 or left out: they keep
        /// their width [default: 32; 16 for long texts with fingerprints and for few long texts; language-model: 64]
        embedding_dim: Option<usize> = None, whole(0, MAX_WIDTH), alias("embedding");
        /// Pretrained word vectors: GloVe or word2vec text, or FILE.npy with its words in FILE.txt
        embeddings: Option<PathBuf> = None, Kind::Path;
        /// Keep the pretrained vectors unchanged; tokens without one are still trained
        freeze_embeddings: bool = false, Kind::Boolean;
        /// Width of the hidden state, in each direction [default: 64; 32 for long texts with fingerprints and
        /// for few long texts; language-model: 128; forecast: 32]
        hidden_size: Option<usize> = None, whole(1, MAX_WIDTH), alias("hidden");
        /// Number of recurrent layers; 0: only an n-gram branch
        num_layers: usize = 1, whole(0, MAX_LAYERS as i64), alias("layers");
        /// Also read each text from its end [default: true for single words, otherwise false]
        bidirectional: Option<bool> = None, Kind::Boolean;
        /// Bias vectors of each recurrent cell: 2 as in PyTorch, or 1 (bias_ih alone)
        recurrent_biases: u8 = 2, whole(1, 2);
        /// Standard deviation of the initial embedding; 1 in PyTorch
        embedding_init_std: f64 = 0.1, Kind::Number { least: 1e-6, most: 100.0 };
        /// Combination of the two directions of the last layer; below it they are concatenated
        merge: Merge = Merge::Concat, Kind::one_of::<Merge>();
        /// Which hidden states the linear layer reads [default: last; mean_max for long texts]
        pooling: Option<Pooling> = None, Kind::one_of::<Pooling>();
        /// Width of a ReLU layer before the last linear layer; 0: no such layer
        head_hidden: usize = 0, whole(0, MAX_WIDTH);
        /// Output layer: a softmax over the labels, or one sigmoid for two labels
        output: Output = Output::Softmax, Kind::one_of::<Output>(), option("model-output");
        /// Dropout before the linear layer [default: 0.3; 0.5 for long texts with fingerprints and for few long
        /// texts; language-model: 0; forecast: 0]
        dropout: Option<f64> = None, DROPOUT;
        /// Dropout between recurrent layers
        layer_dropout: f64 = 0.3, DROPOUT;
        /// Dropout of the embedding
        embedding_dropout: f64 = 0.3, DROPOUT;
        /// Probability that a training token is replaced by UNK, which trains the vector of unknown words [default:
        /// 0.1; 0.3 for long texts with fingerprints and for few long texts; language-model: 0]
        word_dropout: Option<f64> = None, DROPOUT;
        /// Rows of the table of a text classifier's n-gram branch, a power of 2 from 16; 0: no n-gram branch [default:
        /// 4096; 8192 with the tokenizers chars and bytes; 16384 above 200,000 texts; for long texts by the number of
        /// words]
        ngram_buckets: Option<usize> = None, whole(0, *NGRAM_BUCKETS.end() as i64);
        /// Columns of the n-gram table, a power of 2 [default: the number of labels, rounded up, from 2 to 16; 32 above
        /// 64 labels]
        ngram_rank: Option<usize> = None, whole(*NGRAM_RANK.start() as i64, *NGRAM_RANK.end() as i64);
        /// Longest n-grams of words, in words; 0: no n-grams of words [default: 2; 0 with the tokenizers chars and
        /// bytes]
        ngram_words: Option<u8> = None, whole(0, 2);
        /// Shortest n-grams of characters; 0: none [default: 3; 1 with the tokenizers chars and bytes]
        ngram_min_chars: Option<u8> = None, whole(0, 6);
        /// Longest n-grams of characters; 0: none [default: 5; 4 with the tokenizers chars and bytes; 0 for long texts
        /// of more than 150,000 words in all, and above 200,000 texts]
        ngram_max_chars: Option<u8> = None, whole(0, 6);
        /// Bits of the n-gram table's weights: 4 or 8. From the middle of the epochs on, they are trained as rounded
        /// [default: 4; 8 for long texts with fingerprints]
        ngram_bits: Option<u32> = None, whole(4, 8);
        /// Count only one n-gram for each row of the n-gram table: that which distinguishes the labels best [default:
        /// true for long texts with a validation split]
        ngram_fingerprints: Option<bool> = None, Kind::Boolean;
        /// Dropout of each n-gram of a training text [default: 0.2; for long texts of more than 500,000
        /// words in all 0.7, or 0.5 with fingerprints]
        ngram_dropout: Option<f64> = None, DROPOUT;
    }
}

section! {
    /// The training of the network.
    Training, "training" {
        /// Maximum number of epochs [default: 20; 8 for a classifier of more than two million words; 10 for language
        /// models]
        epochs: Option<usize> = None, whole(1, 100_000);
        /// Stop after this many epochs without a better validation metric
        patience: usize = 8, whole(1, 100_000);
        /// Validation metric that chooses the best epoch [default: accuracy; macro_f1 with balanced class weights; loss
        /// for language models and forecasts]
        metric: Option<Metric> = None, Kind::one_of::<Metric>();
        /// Sequences per batch; 0: a fiftieth of the training rows, a thousandth of a language model's windows, from 4
        /// to 32
        batch_size: usize = 0, whole(0, 1 << 16);
        /// Maximum number of tokens per batch, which bounds the memory; longer sequences keep their end
        batch_tokens: usize = 16_384, whole(1, 1 << 24);
        /// Train on the first tokens or rows of each sequence only; 0: on all
        max_length: usize = 0, whole(0, 1 << 24);
        /// Optimizer
        optimizer: OptimizerKind = OptimizerKind::Adamw, Kind::one_of::<OptimizerKind>();
        /// Highest learning rate; 0: 0.003 with adamw (0.005 for language models, 0.004 for a classifier of more than
        /// two million words), 0.1 with sgd
        learning_rate: f64 = 0.0, Kind::Number { least: 0.0, most: 100.0 };
        /// Learning rate schedule
        schedule: Schedule = Schedule::OneCycle, Kind::one_of::<Schedule>();
        /// Share of the steps in which the learning rate rises; not with one_cycle, which has its own warm-up
        warm_up: f64 = 0.0, Kind::Number { least: 0.0, most: 1.0 };
        /// Epochs without a lower validation loss before schedule plateau lowers the learning rate
        plateau_patience: usize = 2, whole(0, 100_000);
        /// Factor by which schedule plateau multiplies the learning rate
        plateau_factor: f64 = 0.5, Kind::Number { least: 1e-6, most: 1.0 };
        /// Momentum (sgd)
        momentum: f64 = 0.9, Kind::Number { least: 0.0, most: 0.9999 };
        /// Nesterov momentum (sgd)
        nesterov: bool = false, Kind::Boolean;
        /// Weight decay of weight matrices: decoupled with adamw, added to the gradients with sgd
        weight_decay: f64 = 0.01, Kind::Number { least: 0.0, most: 10.0 };
        /// Clip the gradient norm to this value; 0 disables clipping
        clip_norm: f64 = 1.0, Kind::Number { least: 0.0, most: 1e9 };
        /// Label smoothing: share of the target probability that is spread over all labels
        label_smoothing: f64 = 0.05, Kind::Number { least: 0.0, most: 0.9 };
        /// Trained classifiers with the same labels, whose mean probabilities the network also learns (distillation):
        /// model directories or device files. They must not be trained on the validation rows
        teachers: Vec<PathBuf> = Vec::new(), Kind::Paths;
        /// Weight of the teachers' probabilities in the target, beside the smoothed label
        teacher_weight: f64 = 0.5, Kind::Number { least: 0.0, most: 1.0 };
        /// Weight s of the losses that the recurrent layers and the n-gram branch have alone, each by its part of the
        /// head: (1 - s) * loss of both + s * (loss of one + loss of the other) [default: 0; 0.5 with the tokenizers
        /// chars and bytes, and for long texts without fingerprints of more than 150,000 words in all]
        branch_loss: Option<f64> = None, Kind::Number { least: 0.0, most: 1.0 };
        /// Weight of each class in the loss
        class_weights: ClassWeights = ClassWeights::None, Kind::one_of::<ClassWeights>();
        /// Decay per step of the moving average of the weights that is validated and saved; 0: no average [default:
        /// 0.98; 0.995 for a classifier of more than two million words]
        weight_averaging: Option<f64> = None, Kind::Number { least: 0.0, most: 0.99999 };
        /// Do not divide a classifier's logits by the temperature that calibrates its probabilities on the validation
        /// rows
        temperature_scaling: bool = true, Kind::Switch, option("no-temperature-scaling");
        /// Largest share of the validation rows that a classifier refuses to answer because no label is probable
        /// enough; 0: it always answers
        refuse_share: f64 = 0.0, Kind::Number { least: 0.0, most: 0.9 };
        /// Label of the training rows that no other label fits: predicting it is a refusal, and the validation rows
        /// with it do not count for refuse_share
        refuse_label: Option<String> = None, Kind::Text;
        /// Random seed
        seed: u64 = 1, whole(0, i64::MAX);
        /// Parts that a batch is split into, each computed by one thread of one process: more threads and processes do
        /// not help. Another number gives another model, as another seed does
        shards: usize = 4, whole(1, 256);
        /// Threads; the result does not depend on their number. 0: one per core, at most one per shard
        threads: usize = 0, whole(0, 256);
        /// Device that computes the gradients
        device: DeviceKind = DeviceKind::Cpu, Kind::one_of::<DeviceKind>();
    }
}

section! {
    /// The quantisation of the model by `tern export`. The options of `tern export` win over these keys.
    Export, "export" {
        /// Bits of the embedding's weights: 4, 8 or 16
        embedding_bits: u32 = 8, Kind::Bits, recipe_only();
        /// Bits of the recurrent layers' weights: 4, 8 or 16
        recurrent_bits: u32 = 8, Kind::Bits, recipe_only();
        /// Store fingerprints of a classifier's tokens in place of their texts, a quarter of the bytes: true or false
        token_fingerprints: bool = false, Kind::Boolean, recipe_only();
    }
}

section! {
    /// The facts on the model card that the training does not supply. Every key may be left out.
    Card, "card" {
        /// Licence of the model, by its name on the Hub: "mit", "apache-2.0", "cc-by-4.0", "other", …
        license: Option<String> = None, Kind::Text, recipe_only();
        /// Languages of the texts: ISO 639 codes such as "en"
        language: Vec<String> = Vec::new(), Kind::List, recipe_only();
        /// Data sets on the Hub that the training data comes from, such as "ucirvine/sms_spam"
        datasets: Vec<String> = Vec::new(), Kind::List, recipe_only();
        /// One or two sentences on the purpose of the model
        description: Option<String> = None, Kind::Text, recipe_only();
    }
}

/// The sections of a recipe, each with the heading of its options in `tern train --help`. Sections can share a heading.
pub const SECTIONS: [(&[Field], &str); 11] = [
    (&TOP, "Task"),
    (Data::FIELDS, "Data"),
    (LanguageModel::FIELDS, "Task"),
    (Forecast::FIELDS, "Task"),
    (Sequences::FIELDS, "Sequences"),
    (Vocabulary::FIELDS, "Text"),
    (Tokenizer::FIELDS, "Text"),
    (Model::FIELDS, "Model"),
    (Training::FIELDS, "Training"),
    (Export::FIELDS, "Export"),
    (Card::FIELDS, "Card"),
];

/// Returns all keys of a recipe.
pub fn fields() -> impl Iterator<Item = &'static Field> {
    SECTIONS.into_iter().flat_map(|(fields, _)| fields)
}
