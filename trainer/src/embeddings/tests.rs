//! Tests of valid and invalid files of vectors.

use super::*;
use std::path::PathBuf;
use tern_runtime::text::Tokenizer;

fn vocabulary(tokenizer: &str, text: &str) -> Vocabulary {
    Vocabulary::build_for(Tokenizer::from_name(tokenizer).unwrap(), [text].into_iter(), 1, None)
}

fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn row<'e>(embeddings: &'e Embeddings, vocabulary: &Vocabulary, token: &str) -> Option<&'e [f32]> {
    embeddings.rows.get(&vocabulary.id(token)).map(|(_, row)| row.as_slice())
}

#[test]
fn text_with_and_without_a_header() {
    let vocabulary = vocabulary("words", "free prize now . lunch");
    for (content, words) in [
        ("the 1 2 3\nfree 0.5 -1e-3 2\n. . 7 8 9\n. 4 5 6\n", 4),
        ("4 3\nthe 1 2 3 \nfree 0.5 -1e-3 2 \n. . 7 8 9 \n. 4 5 6 \n", 4),
        ("the\t1\t2\t3\r\nfree\t0.5\t-1e-3\t2\r\n.\t4\t5\t6\r\n", 3),
    ] {
        let (_folder, path) = file("v.txt", content.as_bytes());
        let embeddings = read(&path, &vocabulary).unwrap();
        assert_eq!((embeddings.width(), embeddings.rows.len()), (3, 2), "{words}");
        assert_eq!(row(&embeddings, &vocabulary, "free"), Some(&[0.5, -1e-3, 2.0][..]));
        assert_eq!(row(&embeddings, &vocabulary, "."), Some(&[4.0, 5.0, 6.0][..]));
        let ids = vocabulary.encode("free free lunch . xyzzy");
        let coverage = embeddings.coverage(&vocabulary, ids.iter());
        let expected = "2 of 5 tokens of the vocabulary (40.0%), 60.0% of the text's tokens; 0 in another case";
        assert_eq!(coverage, expected);
    }
}

#[test]
fn same_case_is_preferred_then_lower_case_then_the_first() {
    let (_folder, path) = file("v.txt", "USA 1\nUsa 2\nusa 3\nAPPLE 4\nApple 5\nÉcole 6\n".as_bytes());
    let lower = vocabulary("words", "usa apple école");
    let embeddings = read(&path, &lower).unwrap();
    assert_eq!(row(&embeddings, &lower, "usa"), Some(&[3.0][..]));
    assert_eq!(row(&embeddings, &lower, "apple"), Some(&[4.0][..]));
    assert_eq!(row(&embeddings, &lower, "école"), Some(&[6.0][..]));
    let cased = vocabulary("words_cased", "USA Usa uSA Apple");
    let embeddings = read(&path, &cased).unwrap();
    let rows = ["USA", "Usa", "uSA", "Apple"].map(|token| row(&embeddings, &cased, token).unwrap()[0]);
    assert_eq!(rows, [1.0, 2.0, 3.0, 5.0]);
    assert!(embeddings.coverage(&cased, [].iter()).ends_with("; 1 in another case"));
}

/// A file in the format of numpy.save.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{{header}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn an_array_with_its_words() {
    let vocabulary = vocabulary("words", "free lunch");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.npy");
    let singles: Vec<u8> = [1f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let doubles: Vec<u8> = [1f64, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(&path, npy("'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)", &singles)).unwrap();
    let missing = read(&path, &vocabulary).unwrap_err().to_string();
    assert!(missing.contains("v.txt: No such file"), "{missing}");
    std::fs::write(folder.path().join("v.txt"), "the\nlunch\n").unwrap();
    let short = read(&path, &vocabulary).unwrap_err().to_string();
    assert!(short.contains("v.npy: 3 rows of 2, but 2 words in"), "{short}");
    std::fs::write(folder.path().join("v.txt"), "the\nlunch\nnow\n").unwrap();
    for (descr, order, data, expected) in [
        ("<f4", "False", &singles, [3.0, 4.0]),
        ("<f8", "False", &doubles, [3.0, 4.0]),
        ("<f4", "True", &singles, [2.0, 5.0]),
        ("<f8", "True", &doubles, [2.0, 5.0]),
    ] {
        let header = format!("'descr': '{descr}', 'fortran_order': {order}, 'shape': (3, 2)");
        std::fs::write(&path, npy(&header, data)).unwrap();
        let embeddings = read(&path, &vocabulary).unwrap();
        assert_eq!(row(&embeddings, &vocabulary, "lunch"), Some(&expected[..]), "{header}");
        assert_eq!(row(&embeddings, &vocabulary, "free"), None);
    }
    for (bytes, expected) in [
        (b"nonsense".to_vec(), "not NumPy's format"),
        (b"\x93NUMPY\x01\x00\xff\x00{".to_vec(), "the header is incomplete"),
        (npy("'descr': '<i8', 'fortran_order': False, 'shape': (3, 2)", &doubles), "numbers of type '<i8'"),
        (npy("'descr': '<f4', 'fortran_order': False, 'shape': (6,)", &singles), "an array of shape (6,)"),
        (
            npy("'descr': '<f4', 'fortran_order': False, 'shape': (9, 9)", &singles),
            "24 bytes for an array of 9 rows of 9",
        ),
        (npy("'descr': '<f4', 'shape': (3, 2)", &singles), "no fortran_order in the header"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path, &vocabulary).unwrap_err().to_string();
        assert!(error.contains(expected) && error.ends_with("by numpy.save"), "{error}");
    }
}

#[test]
fn errors_name_the_file_and_line() {
    let vocabulary = vocabulary("words", "free lunch");
    for (content, expected) in [
        ("free 1 2\nlunch 1\n", "v.txt, line 2: 1 numbers after \"lunch 1\", expected 2"),
        ("free 1 2\nlunch 1 x\n", "v.txt, line 2: \"x\" after \"lunch\", expected a finite number"),
        ("free 1 nan\n", "v.txt, line 1: \"nan\" after \"free\", expected a finite number"),
        ("free\n", "v.txt, line 1: \"free\"…, expected a word and its numbers"),
        ("one 1 2\ntwo 1 2\n", "v.txt: none of its 2 words is a token of the vocabulary"),
        ("", "v.txt: none of its 0 words"),
    ] {
        let (_folder, path) = file("v.txt", content.as_bytes());
        let error = read(&path, &vocabulary).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(read(Path::new("no/such.txt"), &vocabulary).unwrap_err().to_string().contains("no/such.txt"));
}

#[test]
fn vectors_are_as_wide_as_the_recipe_or_reduced_to_it() {
    let vocabulary = vocabulary("words", "free lunch");
    let (_folder, path) = file("v.txt", b"free 1 2\n");
    let mut recipe = Recipe::for_data(Path::new("data.csv"));
    assert_eq!(of_recipe(&recipe, &vocabulary).unwrap(), None);
    recipe.model.embeddings = Some(path);
    recipe.model.embedding_dim = Some(0);
    assert_eq!(of_recipe(&recipe, &vocabulary).unwrap().unwrap().width(), 2);
    recipe.model.embedding_dim = Some(2);
    assert!(of_recipe(&recipe, &vocabulary).is_ok());
    recipe.model.embedding_dim = Some(1);
    assert_eq!(of_recipe(&recipe, &vocabulary).unwrap().unwrap().width(), 1);
    recipe.model.embedding_dim = Some(32);
    let error = of_recipe(&recipe, &vocabulary).unwrap_err().to_string();
    assert!(error.ends_with("vectors of 2 numbers, but [model] embedding_dim is 32, expected 2 at most"), "{error}");
}

#[test]
fn rows_start_as_vectors_and_frozen_rows_stay() {
    let vocabulary = vocabulary("words", "free free lunch");
    let (_folder, path) = file("v.txt", b"free 3 -3\n");
    let mut embeddings = read(&path, &vocabulary).unwrap();
    let random = vec![0.0, 0.0, 0.1, -0.1, 0.2, 0.3, -0.1, 0.1];
    let mut table = Array { shape: vec![4, 2], data: random };
    embeddings.initialise(&mut table, 0.1);
    // The vectors' standard deviation is 3, thirty times that of the random rows.
    let expected = [0.0, 0.0, 3.0, -3.0, 3.0, -3.0, -3.0, 3.0];
    assert!(table.data.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{:?}", table.data);
    for (frozen, gradients, values) in [(false, [1.0; 8], [9.0; 8]), (true, FROZEN_GRADIENTS, FROZEN)] {
        embeddings.frozen = frozen;
        let mut found = [1.0; 8];
        embeddings.zero_frozen_gradients(&mut found);
        let mut table = Array { shape: vec![4, 2], data: vec![9.0; 8] };
        embeddings.reset_frozen(&mut table);
        assert_eq!((found, table.data), (gradients, values.to_vec()));
    }
}

const FROZEN_GRADIENTS: [f32; 8] = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0];
const FROZEN: [f32; 8] = [9.0, 9.0, 9.0, 9.0, 3.0, -3.0, 9.0, 9.0];
