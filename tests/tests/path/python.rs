//! The device file in the Python library safetensors.

use tern_tests::{argument, folder, json, python, trained};

/// The Python program: lists the tensors of the file, then writes the file again.
const SCRIPT: &str = r#"
import json, sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], framework="numpy") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    metadata = file.metadata()
save_file(tensors, sys.argv[2], metadata=metadata)
shapes = {name: [str(t.dtype), list(t.shape)] for name, t in tensors.items()}
sums = {name: int(t.astype("int64").sum()) for name, t in tensors.items() if t.dtype != "float32"}
print(json.dumps({"metadata": metadata, "tensors": shapes, "sums": sums}))
"#;

#[test]
fn a_file_that_python_reads_and_writes_again_still_runs() {
    let again = folder("python").join("again.safetensors");
    let trained = trained();
    let Some(stdout) = python(SCRIPT, &[&trained.file, &again]) else { return };
    let seen: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(seen["metadata"]["tern.version"], "1");
    // Embedding dimension 16 and hidden size 32 are exported as `paired16`.
    assert_eq!(seen["tensors"]["lstm.units_l0"], serde_json::json!(["int32", [32, 32 + 10 + 16]]));
    assert_eq!(seen["tensors"]["fc.multiplier"], serde_json::json!(["int16", [5]]));

    // `tern inspect` prints the same tensors for both files, and the model still gives its golden logits.
    let facts = json(&["inspect", argument(&trained.file), "--json"]);
    let after = json(&["inspect", argument(&again), "--json"]);
    assert_eq!(after["golden"]["passed"], after["golden"]["total"]);
    for (name, tensor) in seen["tensors"].as_object().unwrap() {
        let ours = facts["tensors"].as_array().unwrap().iter().find(|t| t["name"] == *name).unwrap();
        assert_eq!(ours["shape"], tensor[1], "{name}");
    }
}
