//! The report in a browser, and the model card in the library of the Hugging Face Hub.
//!
//! `TERN_PICTURE=1 cargo test -p tern-tests --test path report` also makes docs/pictures/report.png.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tern_tests::{Browser, argument, chromium, folder, python, root, stdout_of, tasks, tern, train, trained};

/// JavaScript: the value, the place in the files and the text of every figure on the page.
const FIGURES: &str = "[...document.querySelectorAll('data')].map(d => [d.value, d.dataset.at, d.textContent])";

/// JavaScript: how much the page is wider than the window, tables that scroll sideways (but for the confusion matrix),
/// chart labels under 9 pixels, texts of low contrast.
const LOOK: &str = r#"(() => {
    const light = c => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    const paper = getComputedStyle(document.body).backgroundColor;
    const words = [...document.querySelectorAll('p, dt, dd, th, td:not(.none), a, summary, figcaption, blockquote')];
    const texts = [...document.querySelectorAll('svg text')];
    const size = t => parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.clientWidth / t.ownerSVGElement.viewBox.baseVal.width;
    return {
        paper,
        overflow: document.documentElement.scrollWidth - window.innerWidth,
        wide: [...document.querySelectorAll('.wide')].filter(t => !t.querySelector('.matrix') && t.scrollWidth > t.clientWidth)
            .map(t => t.ariaLabel),
        small: texts.filter(t => t.textContent.trim() && size(t) < 9).length,
        charts: document.querySelectorAll('svg[role=img][aria-label]').length,
        unnamed: document.querySelectorAll('svg:not([aria-label]), img:not([alt])').length,
        pale: words.filter(e => e.textContent.trim() && contrast(getComputedStyle(e).color, paper) < 4.5).map(e => e.outerHTML.slice(0, 80))
            .concat(texts.filter(t => contrast(getComputedStyle(t).fill, paper) < 4.5).map(t => t.outerHTML.slice(0, 80))),
    };
})()"#;

/// Writes the report of the shared model, which was exported, and returns its path.
fn page() -> PathBuf {
    let trained = trained();
    let page = folder("report").join("report.html");
    stdout_of(tern().args(["report", argument(&trained.directory), "-o", argument(&page)]));
    page
}

/// Opens a page in windows of these sizes, light and dark; checks that it is readable and loads nothing.
fn looks_right(browser: &mut Browser, page: &Path, sizes: &[(u32, u32)], charts: u64) {
    let mut papers = Vec::new();
    for &(width, height) in sizes {
        for scheme in ["light", "dark"] {
            browser.open(page, width, height, scheme);
            let case = format!("{}: {width} pixels, {scheme}", page.display());
            let look = browser.eval(LOOK);
            assert!(look["overflow"].as_i64().unwrap() <= 0, "{case}: the page is wider than the window: {look}");
            assert_eq!(look["wide"].as_array().map(Vec::len), Some(0), "{case}: tables are too wide: {}", look["wide"]);
            assert_eq!((&look["small"], &look["unnamed"]), (&0.into(), &0.into()), "{case}: {look}");
            assert_eq!(look["pale"].as_array().map(Vec::len), Some(0), "{case}: {:#}", look["pale"]);
            assert!(look["charts"].as_u64() >= Some(charts), "{case}: {look}");
            papers.push(look["paper"].clone());
            let name = page.file_stem().unwrap().to_string_lossy().into_owned();
            browser.picture(&page.with_file_name(format!("{name}-{width}-{scheme}.png")), 0);
            for event in browser.events() {
                let text = event.to_string();
                match event["method"].as_str().unwrap_or_default() {
                    "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                        panic!("{case}: {text}")
                    }
                    "Network.requestWillBeSent" => {
                        let url = event["params"]["request"]["url"].as_str().unwrap();
                        assert_eq!(url, format!("file://{}", page.display()), "{case}: the page loads something");
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(papers[0] != papers[1], "light and dark are the same: {papers:?}");
}

/// Checks every figure on the open page against the files of the model directory, and returns their places.
fn figures_of(browser: &mut Browser, directory: &Path) -> Vec<String> {
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(directory.join(name)).unwrap_or_else(|_| "null".to_owned());
        serde_json::from_str(&text).unwrap()
    };
    let (metrics, export) = (read("metrics.json"), read("export.json"));
    let figures = browser.eval(FIGURES);
    let figures = figures.as_array().unwrap().iter();
    let place = |figure: &Value| {
        let [value, at, text] = [0, 1, 2].map(|part| figure[part].as_str().unwrap());
        let (file, pointer) = match at.strip_prefix("/export") {
            Some(pointer) => (&export, pointer),
            None => (&metrics, at),
        };
        let expected = file.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{at} is in no file"));
        assert_eq!(value.parse::<f64>().unwrap(), expected, "{at}");
        assert!(is_rounded(text, expected), "{at}: {text:?} stands for {expected}");
        at.to_owned()
    };
    figures.map(place).collect()
}

#[test]
fn a_browser_shows_the_figures_on_any_screen() {
    let Some(program) = chromium() else { return };
    let page = page();
    let export: Value =
        serde_json::from_str(&fs::read_to_string(trained().directory.join("export.json")).unwrap()).unwrap();
    assert_eq!(export, trained().export, "export.json is not what export printed");
    let mut browser = Browser::start(&program, &folder("report-browser"));
    looks_right(&mut browser, &page, &[(1280, 900), (768, 1024), (375, 800), (320, 640)], 6);
    let places = figures_of(&mut browser, &trained().directory);
    let of_export = places.iter().filter(|at| at.starts_with("/export")).count();
    assert!(places.len() > 100 && of_export > 10, "{} figures, {of_export} of the export", places.len());
    let validation = ["/validation/accuracy", "/validation/calibration/ece", "/validation/macro_f1"];
    for at in validation.into_iter().chain(["/baselines/", "/export/integer_accuracy"]) {
        assert!(places.iter().any(|place| place.starts_with(at)), "{at} is not on the page");
    }

    if std::env::var_os("TERN_PICTURE").is_some() {
        let picture = root().join("docs/pictures/report.png");
        fs::create_dir_all(picture.parent().unwrap()).unwrap();
        browser.open(&page, 1000, 900, "light");
        browser.picture(&picture, 1100);
        assert!(fs::metadata(&picture).unwrap().len() < 200_000, "the README's picture is too large");
    }

    // The reports of the other tasks: the number of charts, a figure, and the name of a section.
    let folder = folder("report-tasks");
    for (data, options, charts, expected, section) in [
        (tasks::novel(&folder), &["--window", "16"][..], 6, "/validation/k_best/5", "Least expected tokens"),
        (
            tasks::months(&folder),
            &["--task", "forecast", "--horizon", "3", "--season", "6"],
            7,
            "/validation/by_step/2/seasonal_naive_rmse",
            "Forecast and actual values",
        ),
        (
            tasks::ramps(&folder),
            &["--input", "values", "--folds", "1"],
            5,
            "/validation/calibration/ece",
            "Most confident mistakes",
        ),
    ] {
        let model = data.with_extension("model");
        train(&data, &model, &[&["--epochs", "3", "--hidden-size", "8"], options].concat());
        let page = data.with_extension("html");
        stdout_of(tern().args(["report", argument(&model), "-o", argument(&page)]));
        assert!(
            fs::read(&page).unwrap() == fs::read(model.join("report.html")).unwrap(),
            "{}: made again, the page differs from that of the training",
            page.display()
        );
        looks_right(&mut browser, &page, &[(1280, 900), (375, 800)], charts);
        let places = figures_of(&mut browser, &model);
        assert!(places.iter().any(|at| at == expected), "{expected} is not on the page: {places:?}");
        let sections = browser.eval("[...document.querySelectorAll('h2')].map(h => h.textContent)");
        assert!(sections.as_array().unwrap().contains(&section.into()), "{section}: {sections}");
    }
}

/// Returns true if `text` is `value` within half of its last digit.
fn is_rounded(text: &str, value: f64) -> bool {
    let (number, unit) = match text.strip_suffix(" %") {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let number = number.replace(',', "");
    let (mantissa, exponent) = number.split_once('e').unwrap_or((&number, "0"));
    let digits = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len() as i32);
    let step = 10f64.powi(exponent.parse::<i32>().unwrap() - digits) / unit;
    (number.parse::<f64>().unwrap() / unit - value).abs() <= 0.5000001 * step
}

#[test]
fn rounded_figures_are_recognised() {
    assert!(is_rounded("99.2 %", 0.9919) && is_rounded("1,234", 1234.0) && is_rounded("3.00e-3", 0.003));
    assert!(!is_rounded("99.2 %", 0.9931) && !is_rounded("1,234", 1235.0) && !is_rounded("0.1234", 0.1236));
}

/// The Python program: prints the metadata and the evaluation results of a model card.
const CARD: &str = r#"
import json, sys
from huggingface_hub import ModelCard, ModelCardData
card = ModelCard.load(sys.argv[1], ignore_metadata_errors=False)
data = card.data
again = ModelCardData(**{**data.to_dict()})
results = [[r.task_type, r.dataset_type, r.metric_type, r.metric_value, r.metric_name] for r in data.eval_results]
print(json.dumps({"data": data.to_dict(), "name": data.model_name, "results": results, "text": card.text, "again": again.to_dict() == data.to_dict()}))
"#;

/// Reads the card of a model directory with the Python library; `None` if the test is to be skipped.
fn read_card(model: &Path) -> Option<Value> {
    Some(serde_json::from_str(&python(CARD, &[&model.join("README.md")])?).unwrap())
}

#[test]
fn the_hubs_library_reads_the_card() {
    // A recipe with a section `[card]`.
    let folder = folder("card");
    let (data, recipe, model) = (folder.join("messages.csv"), folder.join("recipe.toml"), folder.join("model"));
    fs::write(&data, tern_tests::table(300)).unwrap();
    let card = "[card]\nlicense = \"mit\"\nlanguage = [\"no\", \"en\"]\ndatasets = [\"someone/messages\"]\ndescription = \"Sorts messages.\"\n";
    let settings = format!(
        "name = \"a \\\"name\\\": yes\"\n[data]\ntrain = \"messages.csv\"\n[model]\nhidden_size = 8\nembedding_dim = 8\n[training]\nepochs = 2\n{card}"
    );
    fs::write(&recipe, settings).unwrap();
    let trained = tern_tests::json(&["train", argument(&recipe), "-o", argument(&model), "--json"]);
    let device = folder.join("device.safetensors");
    let export = tern_tests::json(&["export", argument(&model), "-o", argument(&device), "--json"]);

    let Some(seen) = read_card(&model) else { return };
    for (key, expected) in [
        ("license", json!("mit")),
        ("language", json!(["no", "en"])),
        ("datasets", json!(["someone/messages"])),
        ("library_name", json!("tern")),
        ("pipeline_tag", json!("text-classification")),
        ("metrics", json!(["accuracy", "f1"])),
    ] {
        assert_eq!(seen["data"][key], expected, "{key}");
    }
    assert!(seen["data"]["tags"].as_array().unwrap().contains(&"lstm".into()), "{}", seen["data"]);
    assert_eq!(seen["name"], "a \"name\": yes");
    assert_eq!(seen["again"], true);
    let results = seen["results"].as_array().unwrap();
    let value_of = |metric: &str, name: &str| {
        let found = results.iter().find(|r| r[2] == metric && r[4].as_str().unwrap().contains(name)).unwrap();
        assert_eq!((found[0].as_str(), found[1].as_str()), (Some("text-classification"), Some("someone/messages")));
        found[3].as_f64().unwrap()
    };
    for (found, expected) in [
        (value_of("accuracy", "validation"), &trained["validation"]["accuracy"]),
        (value_of("f1", "validation"), &trained["validation"]["macro_f1"]),
        (value_of("accuracy", "integers"), &export["integer_accuracy"]),
    ] {
        // serde_json may differ in the last bit.
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-12, "{found}, expected {expected}");
    }
    let text = seen["text"].as_str().unwrap();
    let sections = ["Figures", "On the device", "Intended use and limits", "Training data", "Use"];
    let sections = sections.map(|section| format!("## {section}"));
    for part in sections.iter().map(String::as_str).chain(["Sorts messages."]) {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_hubs_library_reads_the_cards_of_every_task() {
    let folder = folder("cards");
    for (data, options, pipeline, metrics, parts) in [
        (
            tasks::novel(&folder),
            &["--window", "16"][..],
            "text-generation",
            &["accuracy", "perplexity"][..],
            ["| bits per character |", "characters, the last 10 % of `novel.txt`", "tern generate", "validation.txt"],
        ),
        (
            tasks::months(&folder),
            &["--task", "forecast", "--season", "6"],
            "time-series-forecasting",
            &["mae"],
            [
                "| RMSE of the value a season before |",
                "| sales |",
                "It reads 24 rows and predicts the next 1 of sales.",
                "180 rows of",
            ],
        ),
        (
            tasks::ramps(&folder),
            &["--input", "values", "--folds", "1"],
            "tabular-classification",
            &["accuracy", "f1"],
            [
                "a validation split of 6 sequences",
                "| level |",
                "It predicts one of its labels for every sequence",
                "| flat |",
            ],
        ),
    ] {
        let model = data.with_extension("model");
        train(&data, &model, &[&["--epochs", "1", "--hidden-size", "8"], options].concat());
        let Some(seen) = read_card(&model) else { return };
        assert_eq!(seen["data"]["pipeline_tag"], pipeline);
        assert_eq!(seen["data"]["metrics"], json!(metrics));
        let text = seen["text"].as_str().unwrap();
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}

#[test]
fn two_models_are_compared_on_the_same_rows() {
    let trained = trained();
    let data = argument(&trained.validation);
    let (float, integer) = (argument(&trained.directory), argument(&trained.file));
    let found = tern_tests::json(&["compare", float, integer, "--data", data, "--json"]);
    let disagreements = trained.export["disagreements"].as_u64().unwrap();
    assert_eq!(found["examples"], trained.export["examples"]);
    assert_eq!(found["a"]["accuracy"], trained.export["float_accuracy"]);
    assert_eq!(found["b"]["accuracy"], trained.export["integer_accuracy"]);
    assert_eq!(found["examples"].as_u64().unwrap() - found["agreements"].as_u64().unwrap(), disagreements);
    assert_eq!(found["rows"].as_array().unwrap().len() as u64, disagreements);

    // A model that was not trained long enough to learn anything.
    let folder = folder("compare");
    let options = "--epochs 1 --learning-rate 0.000001 --hidden-size 4 --embedding-dim 4 --no-baselines";
    let poor = folder.join("poor");
    train(&trained.validation, &poor, &options.split(' ').collect::<Vec<_>>());
    let found = tern_tests::json(&["compare", float, argument(&poor), "--data", data, "--json"]);
    assert!(found["mcnemar"]["exact_p"].as_f64().unwrap() < 0.01, "{found}");
    assert!(found["verdict"].as_str().unwrap().starts_with("A is better than B"), "{}", found["verdict"]);
    let text = stdout_of(tern().args(["compare", float, argument(&poor), "--data", data, "--rows", "2"]));
    assert_eq!(text.lines().filter(|line| line.starts_with("  line ")).count(), 2, "{text}");
}
