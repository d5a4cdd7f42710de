use super::*;
use crate::architecture::Cell;
use crate::packed::Direction;
use crate::recurrent::{Biases, Layer};
use crate::reference;
use candle_core::{Device, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CPU: Device = Device::Cpu;

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A batch of sequences with the gradient of their hidden states.
struct Case {
    cell: Cell,
    direction: Direction,
    n: usize,
    lengths: Vec<usize>,
    /// `[sequence][token][gates * n]`
    gates: Vec<Vec<Vec<f32>>>,
    w_hh: Vec<f32>,
    /// `[n]` of a GRU, empty for other cells
    b_hn: Vec<f32>,
    /// `[sequence][token][n]`
    d_hidden: Vec<Vec<Vec<f32>>>,
}

impl Case {
    fn new(cell: Cell, direction: Direction, n: usize, lengths: &[usize], seed: u64) -> Self {
        let rows = |width: usize, seed: u64| -> Vec<Vec<Vec<f32>>> {
            let all = random(lengths.iter().sum::<usize>() * width, seed);
            let mut rows = all.chunks_exact(width).map(<[f32]>::to_vec);
            lengths.iter().map(|&length| rows.by_ref().take(length).collect()).collect()
        };
        let width = cell.gates() * n;
        Case {
            cell,
            direction,
            n,
            lengths: lengths.to_vec(),
            gates: rows(width, seed),
            w_hh: random(width * n, seed + 1).iter().map(|w| w * 1.5 / (n as f32).sqrt()).collect(),
            b_hn: random(if cell == Cell::Gru { n } else { 0 }, seed + 3),
            d_hidden: rows(n, seed + 2),
        }
    }

    /// Width of the input projection.
    fn width(&self) -> usize {
        self.cell.gates() * self.n
    }

    fn layout(&self) -> PackedLayout {
        PackedLayout::new(&self.lengths)
    }

    fn packed(&self, rows: &[Vec<Vec<f32>>], width: usize) -> Tensor {
        let rows: Vec<Vec<&[f32]>> = rows.iter().map(|rows| rows.iter().map(Vec::as_slice).collect()).collect();
        let rows: Vec<&[&[f32]]> = rows.iter().map(Vec::as_slice).collect();
        Tensor::from_vec(self.layout().pack(&rows).concat(), (self.layout().rows(), width), &CPU).unwrap()
    }

    /// A layer whose W_ih is the identity, so that its input is the input projection, and its parameters.
    fn layer(&self) -> (Arc<Layer>, Vec<f32>) {
        let width = self.width();
        let mut w_ih = vec![0.0; width * width];
        w_ih.iter_mut().step_by(width + 1).for_each(|diagonal| *diagonal = 1.0);
        let biases = Biases { input: vec![0.0; width], b_hn: self.b_hn.clone() };
        let layer = Layer::new(self.cell, self.direction, &w_ih, &self.w_hh, &biases);
        (Arc::new(layer), [w_ih, self.w_hh.clone(), biases.input, biases.b_hn].concat())
    }

    /// Returns the hidden states and the gradients of the input projection, of W_hh and of b_hn. `run` is the CPU's or
    /// candle's implementation of the layer.
    fn with(&self, run: impl Fn(&Tensor, &Tensor, LayerRun) -> Result<Tensor>) -> [Vec<f32>; 4] {
        let (layer, parameters) = self.layer();
        let width = self.width();
        let gates = Var::from_tensor(&self.packed(&self.gates, width)).unwrap();
        let parameters = Var::from_vec(parameters.clone(), parameters.len(), &CPU).unwrap();
        let layout = Arc::new(self.layout());
        let hidden =
            run(&gates, &parameters, LayerRun { layer, layout, tokens: None, output: LayerOutput::States }).unwrap();
        let loss = (&hidden * self.packed(&self.d_hidden, self.n)).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let [gates, parameters] = [gates, parameters].map(|var| flat(gradients.get(&var).unwrap()));
        let (w_hh, biases) = parameters[width * width..].split_at(width * self.n);
        [flat(&hidden), gates, w_hh.to_vec(), biases[width..].to_vec()]
    }

    /// The results of the CPU's loops.
    fn fused(&self) -> [Vec<f32>; 4] {
        self.with(recurrent)
    }
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (index, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{index}: {a} {b}");
    }
}

/// Compares results and gradients; each has a tolerance of its own.
fn all_close(found: &[Vec<f32>], expected: &[Vec<f32>], tolerances: &[f32]) {
    assert_eq!((found.len(), expected.len()), (tolerances.len(), tolerances.len()));
    for ((found, expected), &tolerance) in found.iter().zip(expected).zip(tolerances) {
        close(found, expected, tolerance);
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let shapes: [(usize, &[usize]); 6] =
        [(1, &[1]), (3, &[4, 1, 3]), (8, &[2, 2]), (17, &[5, 7, 1, 1, 6]), (33, &[9, 3]), (64, &[3, 8, 2, 5, 5])];
    cells_and_directions().flat_map(move |(cell, direction)| {
        let seeds = (0..).step_by(10);
        shapes.into_iter().zip(seeds).map(move |((n, lengths), seed)| Case::new(cell, direction, n, lengths, seed))
    })
}

#[test]
fn every_cell_agrees_with_candles_own_operations() {
    for case in cases() {
        let candle = case.with(|x, parameters, run| candle_ops::recurrent(x, parameters, &run));
        all_close(&case.fused(), &candle, &[2e-6, 5e-6, 2e-5, 2e-5]);
    }
}

/// The inputs of a case in f64.
#[derive(Clone)]
struct Double {
    gates: Vec<Vec<Vec<f64>>>,
    w_hh: Vec<f64>,
    b_hn: Vec<f64>,
}

impl Double {
    fn new(case: &Case) -> Self {
        let row = |row: &Vec<f32>| row.iter().map(|&x| x as f64).collect::<Vec<f64>>();
        Double {
            gates: case.gates.iter().map(|rows| rows.iter().map(row).collect()).collect(),
            w_hh: row(&case.w_hh),
            b_hn: row(&case.b_hn),
        }
    }

    fn loss(&self, case: &Case) -> f64 {
        let hidden = |gates: &[Vec<f64>]| {
            reference::hidden_states(case.cell, gates, &self.w_hh, &self.b_hn, case.n, case.direction).concat()
        };
        let pairs = self.gates.iter().zip(&case.d_hidden);
        pairs.flat_map(|(gates, d)| hidden(gates).into_iter().zip(d.concat())).map(|(h, d)| h * d as f64).sum()
    }

    /// The derivative with respect to the value that `value` selects, by finite differences.
    fn derivative(&mut self, case: &Case, value: impl Fn(&mut Self) -> &mut f64) -> f32 {
        let step = 1e-5;
        let kept = *value(self);
        *value(self) = kept + step;
        let above = self.loss(case);
        *value(self) = kept - step;
        let below = self.loss(case);
        *value(self) = kept;
        ((above - below) / (2.0 * step)) as f32
    }
}

#[test]
fn every_cells_gradients_agree_with_finite_differences() {
    for case in cases() {
        let mut double = Double::new(&case);
        let [_, fused_gates, fused_w_hh, fused_b_hn] = case.fused();
        // Prime strides visit every gate and many tokens without taking all of them.
        for index in (0..case.w_hh.len()).step_by(if case.n < 10 { 1 } else { 97 }) {
            close(&[fused_w_hh[index]], &[double.derivative(&case, |d| &mut d.w_hh[index])], 1e-5);
        }
        for (index, fused) in fused_b_hn.iter().enumerate() {
            close(&[*fused], &[double.derivative(&case, |d| &mut d.b_hn[index])], 1e-5);
        }
        let mut differences: Vec<Vec<Vec<f32>>> =
            case.gates.iter().map(|rows| vec![vec![f32::NAN; case.width()]; rows.len()]).collect();
        for (sequence, rows) in differences.iter_mut().enumerate() {
            for (token, row) in rows.iter_mut().enumerate() {
                for j in (token % 7..case.width()).step_by(if case.n < 10 { 1 } else { 29 }) {
                    row[j] = double.derivative(&case, |d| &mut d.gates[sequence][token][j]);
                }
            }
        }
        let differences = flat(&case.packed(&differences, case.width()));
        let mut compared = 0;
        for (fused, difference) in fused_gates.iter().zip(differences).filter(|(_, difference)| !difference.is_nan()) {
            close(&[*fused], &[difference], 1e-5);
            compared += 1;
        }
        assert!(compared > 0);
    }
}

#[test]
fn a_sequence_is_the_same_bits_alone_and_in_a_batch() {
    for case in cases() {
        let [together, ..] = case.fused();
        for (sequence, gates) in case.gates.iter().enumerate() {
            let alone = Case {
                lengths: vec![gates.len()],
                gates: vec![gates.clone()],
                w_hh: case.w_hh.clone(),
                b_hn: case.b_hn.clone(),
                d_hidden: vec![case.d_hidden[sequence].clone()],
                ..case
            };
            let position = case.layout().order().iter().position(|&s| s == sequence).unwrap();
            let in_batch: Vec<f32> = (0..gates.len())
                .flat_map(|step| together[(case.layout().step(step).start + position) * case.n..][..case.n].to_vec())
                .collect();
            assert_eq!(alone.fused()[0], in_batch);
        }
    }
}

#[test]
fn linear_agrees_with_candles_own_operations() {
    for (rows, inputs, outputs) in [(1, 1, 2), (5, 7, 3), (40, 33, 70)] {
        let x = Var::from_vec(random(rows * inputs, 1), (rows, inputs), &CPU).unwrap();
        let weight = Var::from_vec(random(outputs * inputs, 2), (outputs, inputs), &CPU).unwrap();
        let bias = Var::from_vec(random(outputs, 3), outputs, &CPU).unwrap();
        let own = linear(&x, &weight, &bias).unwrap();
        let candle = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        let [own, candle] = [own, candle].map(|y| with_gradients(&y, &[&x, &weight, &bias]));
        all_close(&own, &candle, &[2e-6, 1e-5, 1e-5, 1e-5]);
    }
}

/// A layer with random weights, 5 units and 3 inputs, and its parameters.
fn random_layer(cell: Cell, direction: Direction) -> (Arc<Layer>, Var) {
    let (n, inputs) = (5, 3);
    let width = cell.gates() * n;
    let biases = Biases { input: random(width, 1), b_hn: random(if cell == Cell::Gru { n } else { 0 }, 2) };
    let (w_ih, w_hh) = (random(width * inputs, 3), random(width * n, 4));
    let layer = Layer::new(cell, direction, &w_ih, &w_hh, &biases);
    let parameters = [w_ih, w_hh, biases.input, biases.b_hn].concat();
    let count = parameters.len();
    (Arc::new(layer), Var::from_vec(parameters, count, &CPU).unwrap())
}

/// The values of `y`, and the gradients of a random loss with respect to `variables`.
fn with_gradients(y: &Tensor, variables: &[&Var]) -> Vec<Vec<f32>> {
    let d_y = Tensor::from_vec(random(y.elem_count(), 6), y.shape(), &CPU).unwrap();
    let store = (y * d_y).unwrap().sum_all().unwrap().backward().unwrap();
    let gradients = variables.iter().map(|variable| flat(store.get(variable).unwrap()));
    [flat(y)].into_iter().chain(gradients).collect()
}

fn cells_and_directions() -> impl Iterator<Item = (Cell, Direction)> {
    Cell::ALL.iter().flat_map(|&cell| [Direction::Forward, Direction::Reverse].map(|direction| (cell, direction)))
}

/// A row of x that several tokens share gives the same result as one row for each token.
#[test]
fn tokens_may_share_rows() {
    for (cell, direction) in cells_and_directions() {
        let layout = Arc::new(PackedLayout::new(&[70, 1, 90, 66]));
        let tokens: Vec<u32> = (0..layout.rows() as u32).map(|token| token * 7 % 4).collect();
        let (layer, parameters) = random_layer(cell, direction);
        let shared = Var::from_vec(random(4 * 3, 5), (4, 3), &CPU).unwrap();
        let own = shared.index_select(&Tensor::new(tokens.clone(), &CPU).unwrap(), 0).unwrap();
        let all = vec![Reduction::Mean, Reduction::Last(direction), Reduction::Max];
        for output in [LayerOutput::States, LayerOutput::Reduced(all)] {
            let run = |x: &Tensor, tokens: Option<Arc<[u32]>>| {
                let (layer, layout, output) = (layer.clone(), layout.clone(), output.clone());
                let y = recurrent(x, &parameters, LayerRun { layer, layout, tokens, output }).unwrap();
                with_gradients(&y, &[&shared, &parameters])
            };
            let (found, expected) = (run(&shared, Some(tokens.clone().into())), run(&own, None));
            assert_eq!(found[0], expected[0]);
            all_close(&found, &expected, &[0.0, 2e-5, 2e-5]);
        }
    }
}

#[test]
fn errors_name_the_shapes() {
    let zeros = |rows: usize, columns: usize| Tensor::zeros((rows, columns), DType::F32, &CPU).unwrap();
    let case = Case::new(Cell::Gru, Direction::Forward, 2, &[2], 1);
    let (layer, parameters) = case.layer();
    for (x, count, tokens, expected) in [
        (zeros(3, 6), parameters.len(), None, "x is [3, 6], expected [2, 6]"),
        (zeros(2, 5), parameters.len(), None, "x is [2, 5], expected [2, 6]"),
        (zeros(2, 6), 9, None, "9 parameters, expected 56"),
        (zeros(1, 6), parameters.len(), Some(vec![0, 1]), "expected 2 tokens, each the index of a row of x below 1"),
    ] {
        let parameters = Tensor::zeros(count, DType::F32, &CPU).unwrap();
        let layout = Arc::new(case.layout());
        let run = LayerRun { layer: layer.clone(), layout, tokens: tokens.map(Arc::from), output: LayerOutput::States };
        let error = recurrent(&x, &parameters, run).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn reductions_agree_with_candles_own_operations() {
    let (lengths, width) = ([3, 0, 5, 1], 4);
    let layout = Arc::new(PackedLayout::new(&lengths));
    let x = Var::from_vec(random(9 * width, 1), (9, width), &CPU).unwrap();
    // The rows of the sequence at this position of the layout's order.
    let rows = |position: usize, length: usize| -> Vec<u32> {
        (0..length).map(|step| (layout.step(step).start + position) as u32).collect()
    };
    let last = |direction| Reduction::Last(direction);
    for reduction in [last(Direction::Forward), last(Direction::Reverse), Reduction::Mean, Reduction::Max] {
        let own = reduce(&x, layout.clone(), reduction).unwrap();
        let parts = layout.lengths().iter().enumerate().map(|(position, &length)| {
            if length == 0 {
                return Tensor::zeros((1, width), DType::F32, &CPU).unwrap();
            }
            let tokens = x.index_select(&Tensor::new(rows(position, length), &CPU).unwrap(), 0).unwrap();
            match reduction {
                Reduction::Last(Direction::Forward) => tokens.narrow(0, length - 1, 1).unwrap(),
                Reduction::Last(Direction::Reverse) => tokens.narrow(0, 0, 1).unwrap(),
                Reduction::Mean => tokens.mean_keepdim(0).unwrap(),
                Reduction::Max => tokens.max_keepdim(0).unwrap(),
            }
        });
        let candle = Tensor::cat(&parts.collect::<Vec<_>>(), 0).unwrap();
        let [own, candle] = [own, candle].map(|y| with_gradients(&y, &[&x]));
        all_close(&own, &candle, &[1e-6, 1e-6]);
    }
}

/// Runs on the CPU what another device would compute.
#[test]
fn candles_operations_agree_with_the_cpu_loops() {
    for (cell, direction) in cells_and_directions() {
        let layout = Arc::new(PackedLayout::new(&[7, 0, 1, 9, 6]));
        let tokens: Arc<[u32]> = (0..layout.rows() as u32).map(|token| token * 7 % 4).collect();
        let (layer, parameters) = random_layer(cell, direction);
        let all = vec![Reduction::Mean, Reduction::Last(direction), Reduction::Max];
        for (tokens, output) in [(Some(tokens), LayerOutput::Reduced(all)), (None, LayerOutput::States)] {
            let rows = tokens.as_ref().map_or(layout.rows(), |_| 4);
            let x = Var::from_vec(random(rows * 3, 5), (rows, 3), &CPU).unwrap();
            let run = LayerRun { layer: layer.clone(), layout: layout.clone(), tokens, output };
            let candle = with_gradients(&candle_ops::recurrent(&x, &parameters, &run).unwrap(), &[&x, &parameters]);
            let fused = with_gradients(&recurrent(&x, &parameters, run).unwrap(), &[&x, &parameters]);
            all_close(&candle, &fused, &[5e-6, 2e-5, 2e-5]);
        }
    }
}

#[test]
fn candles_operations_accept_empty_sequences() {
    let case = Case::new(Cell::Lstm, Direction::Forward, 2, &[1], 1);
    let (layer, parameters) = case.layer();
    let parameters = Tensor::new(parameters, &CPU).unwrap();
    let layout = Arc::new(PackedLayout::new(&[0, 0]));
    let x = Tensor::zeros((0, layer.input_size()), DType::F32, &CPU).unwrap();
    let run = LayerRun { layer, layout, tokens: None, output: LayerOutput::Reduced(vec![Reduction::Max]) };
    assert_eq!(flat(&candle_ops::recurrent(&x, &parameters, &run).unwrap()), [0.0; 4]);
}
