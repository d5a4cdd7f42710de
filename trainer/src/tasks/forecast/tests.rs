use super::forecast_figures::SEASONAL;
use super::*;
use crate::architecture::{Architecture, Head, InputLayer, Recurrent};
use crate::float_model::{Channel, Config};
use crate::recipe::Anchor;
use crate::train::{Steps, Target};
use crate::vocabulary::Vocabulary;
use crate::weights::{Array, Weights};
use tern_format::Task;

/// A model whose outputs are its biases.
fn constant(outputs: &[f32], forecast: Forecast, channels: Vec<Channel>) -> FloatModel {
    let architecture = Architecture {
        input: InputLayer::Values { channels: channels.len() },
        hidden_size: 2,
        recurrent: Recurrent::default(),
        ngrams: None,
        head: Head { hidden: 0, outputs: outputs.len() },
    };
    let mut weights = Weights::default();
    for (name, shape) in architecture.shapes() {
        let data = if name == "fc.bias" { outputs.to_vec() } else { vec![0.0; shape.iter().product()] };
        weights.insert(name, Array { shape, data });
    }
    let mut config = Config::new("test", Task::Forecast, &architecture);
    (config.channels, config.forecast) = (channels, Some(forecast));
    FloatModel::new(config, Vocabulary::none(), weights, Vec::new(), Vec::new()).unwrap()
}

fn table(rows: &[[f64; 2]]) -> Table {
    Table {
        names: vec!["a".to_owned(), "b".to_owned()],
        rows: rows.iter().map(|row| row.to_vec()).collect(),
        texts: Vec::new(),
        lines: (2..).take(rows.len()).collect(),
    }
}

fn forecast(anchor: Anchor, season: usize) -> Forecast {
    Forecast { window: 2, horizon: 2, targets: vec!["b".to_owned()], anchor, season }
}

fn channels() -> Vec<Channel> {
    let channel = |name: &str, mean, std| Channel { name: name.to_owned(), mean, std };
    vec![channel("a", 0.0, 1.0), channel("b", 10.0, 2.0)]
}

#[test]
fn a_window_ends_before_the_predicted_rows() {
    let table = table(&[[1.0, 10.0], [2.0, 12.0], [3.0, f64::NAN], [4.0, 16.0], [5.0, 18.0]]);
    let (channels, forecast) = (channels(), forecast(Anchor::Last, 0));
    let windows = Windows::new(&table, &channels, &forecast);
    let samples = windows.samples(2..4);
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[0].steps, Steps::Values { values: vec![1.0, 0.0, 2.0, 1.0], channels: 2 });
    let Target::Values(first) = &samples[0].target else { panic!("numbers") };
    assert!(first[0].is_nan() && first[1] == 2.0, "{first:?}");
    // The missing number is read as the one before it.
    assert_eq!(samples[1].steps, Steps::Values { values: vec![2.0, 1.0, 3.0, 1.0], channels: 2 });
    assert_eq!(samples[1].target, Target::Values(vec![2.0, 3.0]));
}

#[test]
fn predictions_are_in_the_units_of_the_table() {
    let table = table(&[[1.0, 10.0], [2.0, 12.0]]);
    for (anchor, expected) in [(Anchor::Last, [13.0, 15.0]), (Anchor::Mean, [11.0, 13.0])] {
        let model = constant(&[0.5, 1.5], forecast(anchor, 0), channels());
        let forecast = model.config().forecast.clone().unwrap();
        assert_eq!(Windows::new(&table, &model.config().channels, &forecast).predict(&model, 2), expected);
    }
}

#[test]
fn simple_forecasts_are_measured_beside_the_model() {
    let rows: Vec<[f64; 2]> = (0..8).map(|row| [0.0, [10.0, 20.0][row % 2]]).collect();
    let model = constant(&[0.0, 0.0], forecast(Anchor::Last, 2), channels());
    let compared = evaluate(&model, &table(&rows), 4).unwrap();
    // Rows 4 and 5, 5 and 6, 6 and 7 from the row before: one of each two is 10 away.
    assert_eq!((compared.windows, compared.all[MODEL].count), (3, 6));
    assert_eq!((compared.all[NAIVE].mae(), compared.all[MODEL].mae()), (5.0, 5.0));
    assert_eq!((compared.all[SEASONAL].count, compared.all[SEASONAL].rmse()), (6, 0.0));
    assert_eq!(compared.to_json()["rmse_to_naive"], 1.0);
}
