//! Small data sets for language models, forecasts and classifiers of sequences. Each function writes a file into a
//! folder and returns its path.

use std::fs;
use std::path::{Path, PathBuf};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file of test data can be written");
    path
}

/// Writes `novel.txt`, sentences of a small grammar.
pub fn novel(folder: &Path) -> PathBuf {
    let mut text = String::new();
    for index in 0..200 {
        text += &format!("the {} drinks {} .\n", ["cat", "dog", "bird"][index % 3], ["milk", "rain"][index * 7 % 2]);
    }
    write(folder, "novel.txt", &text)
}

/// Writes `months.csv`, a rising series with a season of six rows.
pub fn months(folder: &Path) -> PathBuf {
    let mut table = "sales\n".to_owned();
    for index in 0..200 {
        table += &format!("{}\n", index / 6 + index * 5 % 6);
    }
    write(folder, "months.csv", &table)
}

/// Writes `ramps.csv`, sequences of four numbers with the label `up` if the numbers rise and `flat` otherwise.
pub fn ramps(folder: &Path) -> PathBuf {
    let mut table = "sequence,label,level\n".to_owned();
    for index in 0..200 {
        let (sequence, step) = (index / 4, index % 4);
        let label = ["flat", "up"][sequence % 2];
        table += &format!("s{sequence},{label},{}\n", index / 8 + step * (sequence % 2));
    }
    write(folder, "ramps.csv", &table)
}
