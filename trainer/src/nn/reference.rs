//! Two plain LSTMs that the fused one is tested against: one in f64 loops, one in candle's own operations.

use candle_core::{DType, Device, Result, Tensor};

/// Hidden states of one sequence, `[tokens][hidden_size]`, straight from the definition.
///
/// `gates`: `[tokens]`[4 * hidden_size]; `w_hh`: `[4 * hidden_size, hidden_size]`.
pub fn plain(gates: &[Vec<f64>], w_hh: &[f64], n: usize) -> Vec<Vec<f64>> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c) = (vec![0.0; n], vec![0.0; n]);
    let mut all = Vec::new();
    for x in gates {
        let z: Vec<f64> = (0..4 * n).map(|j| x[j] + (0..n).map(|k| w_hh[j * n + k] * h[k]).sum::<f64>()).collect();
        for u in 0..n {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| z[gate * n + u]);
            c[u] = sigmoid(f) * c[u] + sigmoid(i) * g.tanh();
            h[u] = sigmoid(o) * c[u].tanh();
        }
        all.push(h.clone());
    }
    all
}

/// Hidden states of one sequence, `[tokens, hidden_size]`, step by step in candle's operations.
///
/// `gates`: `[tokens, 4 * hidden_size]`; `w_hh`: `[4 * hidden_size, hidden_size]`.
pub fn candle(gates: &Tensor, w_hh: &Tensor) -> Result<Tensor> {
    let (tokens, n) = (gates.dim(0)?, w_hh.dim(1)?);
    let mut h = Tensor::zeros((1, n), DType::F32, &Device::Cpu)?;
    let mut c = h.clone();
    let mut all = Vec::new();
    for token in 0..tokens {
        let z = (gates.get(token)?.unsqueeze(0)? + h.matmul(&w_hh.t()?)?)?;
        let gate = |index| z.narrow(1, index * n, n);
        let (i, f) = (candle_nn::ops::sigmoid(&gate(0)?)?, candle_nn::ops::sigmoid(&gate(1)?)?);
        let (g, o) = (gate(2)?.tanh()?, candle_nn::ops::sigmoid(&gate(3)?)?);
        c = ((f * c)? + (i * g)?)?;
        h = (o * c.tanh()?)?;
        all.push(h.clone());
    }
    Tensor::cat(&all, 0)
}
