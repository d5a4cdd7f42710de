use super::*;
use crate::nn::reference;
use candle_core::{Device, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CPU: Device = Device::Cpu;

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A batch of sequences, and what the gradient of the hidden states is to be.
struct Case {
    n: usize,
    lengths: Vec<usize>,
    /// [sequence][token][4n]
    gates: Vec<Vec<Vec<f32>>>,
    w_hh: Vec<f32>,
    /// [sequence][token][n]
    d_hidden: Vec<Vec<Vec<f32>>>,
}

impl Case {
    fn new(n: usize, lengths: &[usize], seed: u64) -> Self {
        let rows = |width: usize, seed: u64| -> Vec<Vec<Vec<f32>>> {
            let all = random(lengths.iter().sum::<usize>() * width, seed);
            let mut rows = all.chunks_exact(width).map(<[f32]>::to_vec);
            lengths.iter().map(|&length| rows.by_ref().take(length).collect()).collect()
        };
        Case {
            n,
            lengths: lengths.to_vec(),
            gates: rows(4 * n, seed),
            w_hh: random(4 * n * n, seed + 1).iter().map(|w| w * 1.5 / (n as f32).sqrt()).collect(),
            d_hidden: rows(n, seed + 2),
        }
    }

    fn packing(&self) -> Packing {
        Packing::new(&self.lengths)
    }

    fn packed(&self, rows: &[Vec<Vec<f32>>], width: usize) -> Tensor {
        let indices: Vec<Vec<(usize, usize)>> =
            self.lengths.iter().enumerate().map(|(s, &length)| (0..length).map(|t| (s, t)).collect()).collect();
        let views: Vec<&[(usize, usize)]> = indices.iter().map(Vec::as_slice).collect();
        let data: Vec<f32> = self.packing().pack(&views).into_iter().flat_map(|(s, t)| rows[s][t].clone()).collect();
        Tensor::from_vec(data, (self.packing().rows(), width), &CPU).unwrap()
    }

    /// Hidden states, gradient of the gates, gradient of W_hh.
    fn fused(&self) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let gates = Var::from_tensor(&self.packed(&self.gates, 4 * self.n)).unwrap();
        let w_hh = Var::from_vec(self.w_hh.clone(), (4 * self.n, self.n), &CPU).unwrap();
        let hidden = lstm(&gates, &w_hh, Arc::new(self.packing())).unwrap();
        let loss = (&hidden * self.packed(&self.d_hidden, self.n)).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        (flat(&hidden), flat(gradients.get(&gates).unwrap()), flat(gradients.get(&w_hh).unwrap()))
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

fn cases() -> Vec<Case> {
    let shapes: [(usize, &[usize]); 6] =
        [(1, &[1]), (3, &[4, 1, 3]), (8, &[2, 2]), (17, &[5, 7, 1, 1, 6]), (33, &[9, 3]), (64, &[3, 8, 2, 5, 5])];
    shapes.iter().enumerate().map(|(seed, (n, lengths))| Case::new(*n, lengths, seed as u64 * 10)).collect()
}

#[test]
fn lstm_agrees_with_candles_own_operations() {
    for case in cases() {
        let w_hh = Var::from_vec(case.w_hh.clone(), (4 * case.n, case.n), &CPU).unwrap();
        let mut loss = Tensor::zeros((), DType::F32, &CPU).unwrap();
        let mut sequences = Vec::new();
        for (gates, d_hidden) in case.gates.iter().zip(&case.d_hidden) {
            let gates = Var::from_vec(gates.concat(), (gates.len(), 4 * case.n), &CPU).unwrap();
            let d_hidden = Tensor::from_vec(d_hidden.concat(), (d_hidden.len(), case.n), &CPU).unwrap();
            let hidden = reference::candle(&gates, &w_hh).unwrap();
            loss = (loss + (&hidden * d_hidden).unwrap().sum_all().unwrap()).unwrap();
            sequences.push((gates, hidden));
        }
        let gradients = loss.backward().unwrap();
        let rows = |tensor: &Tensor| tensor.to_vec2::<f32>().unwrap();
        let hidden: Vec<_> = sequences.iter().map(|(_, hidden)| rows(hidden)).collect();
        let d_gates: Vec<_> = sequences.iter().map(|(gates, _)| rows(gradients.get(gates).unwrap())).collect();

        let fused = case.fused();
        close(&fused.0, &flat(&case.packed(&hidden, case.n)), 2e-6);
        close(&fused.1, &flat(&case.packed(&d_gates, 4 * case.n)), 5e-6);
        close(&fused.2, &flat(gradients.get(&w_hh).unwrap()), 2e-5);
    }
}

#[test]
fn lstm_gradients_agree_with_finite_differences() {
    for case in cases() {
        let double = |rows: &[Vec<f32>]| -> Vec<Vec<f64>> {
            rows.iter().map(|row| row.iter().map(|&x| x as f64).collect()).collect()
        };
        let mut gates: Vec<_> = case.gates.iter().map(|rows| double(rows)).collect();
        let mut w_hh: Vec<f64> = case.w_hh.iter().map(|&w| w as f64).collect();
        let loss = |gates: &[Vec<Vec<f64>>], w_hh: &[f64]| -> f64 {
            let pairs = gates.iter().zip(&case.d_hidden);
            pairs
                .flat_map(|(gates, d)| reference::plain(gates, w_hh, case.n).concat().into_iter().zip(d.concat()))
                .map(|(h, d)| h * d as f64)
                .sum()
        };
        let fused = case.fused();
        let step = 1e-5;
        // A prime stride visits every gate and many tokens without taking all of them.
        for index in (0..w_hh.len()).step_by(if case.n < 10 { 1 } else { 97 }) {
            let kept = w_hh[index];
            w_hh[index] = kept + step;
            let above = loss(&gates, &w_hh);
            w_hh[index] = kept - step;
            let below = loss(&gates, &w_hh);
            w_hh[index] = kept;
            close(&[fused.2[index]], &[((above - below) / (2.0 * step)) as f32], 1e-5);
        }
        let packed = case.packed(&case.gates, 4 * case.n);
        let mut differences = Vec::new();
        for sequence in 0..gates.len() {
            differences.push(vec![vec![f32::NAN; 4 * case.n]; gates[sequence].len()]);
            for token in 0..gates[sequence].len() {
                for j in (token % 7..4 * case.n).step_by(if case.n < 10 { 1 } else { 29 }) {
                    let kept = gates[sequence][token][j];
                    gates[sequence][token][j] = kept + step;
                    let above = loss(&gates, &w_hh);
                    gates[sequence][token][j] = kept - step;
                    let below = loss(&gates, &w_hh);
                    gates[sequence][token][j] = kept;
                    differences[sequence][token][j] = ((above - below) / (2.0 * step)) as f32;
                }
            }
        }
        let differences = flat(&case.packed(&differences, packed.dim(1).unwrap()));
        let mut compared = 0;
        for (fused, difference) in fused.1.iter().zip(differences).filter(|(_, difference)| !difference.is_nan()) {
            close(&[*fused], &[difference], 1e-5);
            compared += 1;
        }
        assert!(compared > 0);
    }
}

#[test]
fn a_sequence_is_the_same_bits_alone_and_in_a_batch() {
    for case in cases() {
        let together = case.fused().0;
        let rows: Vec<usize> = (0..case.packing().rows()).collect();
        for (sequence, gates) in case.gates.iter().enumerate() {
            let alone = Case {
                n: case.n,
                lengths: vec![gates.len()],
                gates: vec![gates.clone()],
                w_hh: case.w_hh.clone(),
                d_hidden: vec![case.d_hidden[sequence].clone()],
            };
            let position = case.packing().order().iter().position(|&s| s == sequence).unwrap();
            let in_batch: Vec<f32> = (0..gates.len())
                .flat_map(|step| {
                    let row = rows[case.packing().step(step).start + position];
                    together[row * case.n..][..case.n].to_vec()
                })
                .collect();
            assert_eq!(alone.fused().0, in_batch);
        }
    }
}

#[test]
fn linear_agrees_with_candles_own_operations() {
    for (rows, inputs, outputs) in [(1, 1, 2), (5, 7, 3), (40, 33, 70)] {
        let x = Var::from_vec(random(rows * inputs, 1), (rows, inputs), &CPU).unwrap();
        let weight = Var::from_vec(random(outputs * inputs, 2), (outputs, inputs), &CPU).unwrap();
        let bias = Var::from_vec(random(outputs, 3), outputs, &CPU).unwrap();
        let d_y = Tensor::from_vec(random(rows * outputs, 4), (rows, outputs), &CPU).unwrap();
        let own = linear(&x, &weight, &bias).unwrap();
        let candle = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        close(&flat(&own), &flat(&candle), 2e-6);
        let gradients = [own, candle].map(|y| (y * &d_y).unwrap().sum_all().unwrap().backward().unwrap());
        for parameter in [&x, &weight, &bias] {
            let [own, candle] = [0, 1].map(|which| flat(gradients[which].get(parameter).unwrap()));
            close(&own, &candle, 1e-5);
        }
    }
}

#[test]
fn errors_name_the_shapes() {
    let gates = Tensor::zeros((3, 8), DType::F32, &CPU).unwrap();
    let w_hh = Tensor::zeros((8, 2), DType::F32, &CPU).unwrap();
    let error = lstm(&gates, &w_hh, Arc::new(Packing::new(&[2]))).unwrap_err().to_string();
    assert!(error.contains("gates are [3, 8]") && error.contains("expected [2, 8]"), "{error}");
}
