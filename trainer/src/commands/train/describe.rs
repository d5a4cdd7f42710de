//! What `tern train` says of a classifier's data before it learns.

use crate::commands::note;
use crate::data::Statistics;
use crate::recipe::Recipe;
use crate::train::{Prepared, Problem, Steps};
use crate::vocabulary::Vocabulary;

/// What there is to learn from, and what is odd about it.
pub(super) fn data(recipe: &Recipe, data: &Prepared) {
    let classes = data.labels.len();
    let (train, valid) = (data.train.len(), data.valid.len());
    note(format_args!("{train} examples of {classes} classes to learn from, {valid} to validate with"));
    let rows = data.train.iter().map(|example| (example.text.as_str(), data.labels[example.label].as_str(), 0));
    let Statistics { empty, conflicting, .. } = Statistics::new(rows, "");
    if empty > 0 {
        let plural = if empty == 1 { " is" } else { "s are" };
        note(format_args!("warning: {empty} text{plural} empty: of these only the label can be learnt"));
    }
    if conflicting > 0 {
        note(format_args!(
            "warning: {conflicting} texts stand there with more than one label: no model can learn these"
        ));
    }
    if data.leaked > 0 {
        note(format_args!(
            "warning: {} validation texts are among those to learn from as well: the figures will flatter the model",
            data.leaked
        ));
    }
    note(format_args!(
        "{} tokens in the vocabulary (each seen {} times or more), embedding {}, {}, threads {}",
        data.vocabulary.len(),
        recipe.vocabulary.min_count,
        recipe.model.embedding,
        recipe.model.architecture(data.vocabulary.len(), classes).recurrent.describe(recipe.model.hidden),
        recipe.threads()
    ));
}

/// How many tokens begin with a vector of the file.
pub(super) fn embeddings(recipe: &Recipe, problem: &Problem, vocabulary: &Vocabulary) {
    if let (Some(embeddings), Some(path)) = (&problem.embeddings, &recipe.model.embeddings) {
        let ids = problem.train.iter().flat_map(|sample| match &sample.steps {
            Steps::Tokens(ids) => ids.as_slice(),
            Steps::Values { .. } => &[],
        });
        let kind = if embeddings.frozen() { "frozen" } else { "to begin with" };
        note(format_args!("vectors {kind} from {}: {}", path.display(), embeddings.coverage(vocabulary, ids)));
    }
}
