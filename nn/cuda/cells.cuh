// The arithmetic of one unit of each cell, forward and backward: the formulas of nn/src/lstm.rs, gru.rs and rnn.rs.
#pragma once

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.f, 1.f + __expf(-x)); }
__device__ __forceinline__ float hyperbolic_tangent(float x) { return 2.f * sigmoid(2.f * x) - 1.f; }
__device__ __forceinline__ float sigmoid_backward(float d, float y) { return d * y * (1.f - y); }

// The buffers of a layer are packed by time step like those of the CPU. In the row of a token, the activation of unit u
// in gate g is at row * GATES * n + g * n + u of `gates`. The hidden state of unit u is at row * n + u of `hidden`, and
// at the same place of `kept` is the cell state of an LSTM or the recurrent sum of a GRU's gate n. Plain cells use
// `hidden` only.
//
// A cell defines
//   GATES         gates per unit
//   SLOTS         values per unit that gate() passes to unit()
//   gate()        turns the input projection x and the recurrent sum s of one gate into slots
//   unit()        computes the hidden state of a unit from its slots and stores what the backward pass needs
//   Saved, load() the values that the backward pass of a unit reads
//   backward()    turns the gradient of a hidden state into those of the gates' inputs, d_x, and recurrent sums, d_s.
//                 `carried`: the gradient that the unit passes to its own state of the step before, without W_hh
//   CARRIES_HIDDEN  true if `carried` is a gradient of the hidden state
// The slots and gates of a unit are `stride` and n values apart.

struct Lstm {
  static constexpr int GATES = 4, SLOTS = 4;

  __device__ static __forceinline__ void gate(int gate, float x, float s, float *slots, int stride) {
    // tanh(x) = 2 sigmoid(2x) - 1, so that all gates take the same instructions.
    float scale = gate == 2 ? 2.f : 1.f;
    slots[gate * stride] = scale * sigmoid(scale * (x + s)) + (1.f - scale);
  }

  // Slots: the activations i, f, g, o. `state`: the cell state.
  __device__ static __forceinline__ float unit(const float *slots, int stride, float, float &state, int, int n,
                                               float *gates, float *kept) {
    float i = slots[0], f = slots[stride], g = slots[2 * stride], o = slots[3 * stride];
    state = f * state + i * g;
    gates[0] = i, gates[n] = f, gates[2 * n] = g, gates[3 * n] = o;
    kept[0] = state;
    return o * hyperbolic_tangent(state);
  }

  struct Saved {
    float i, f, g, o, cell, previous;
  };
  __device__ static __forceinline__ Saved load(const float *gates, const float *kept, const float *, ptrdiff_t row,
                                               ptrdiff_t previous, int n, int u) {
    const float *gate = gates + row * 4 * n + u;
    return {gate[0], gate[n], gate[2 * n], gate[3 * n], kept[row * n + u], previous < 0 ? 0.f : kept[previous * n + u]};
  }
  __device__ static __forceinline__ void backward(const Saved &a, float d_hidden, float &carried, int, float *d_x,
                                                  float *d_s) {
    float tanh_cell = hyperbolic_tangent(a.cell);
    float d_cell = d_hidden * a.o * (1.f - tanh_cell * tanh_cell) + carried;
    d_x[0] = sigmoid_backward(d_cell * a.g, a.i);
    d_x[1] = sigmoid_backward(d_cell * a.previous, a.f);
    d_x[2] = d_cell * a.i * (1.f - a.g * a.g);
    d_x[3] = sigmoid_backward(d_hidden * tanh_cell, a.o);
    carried = d_cell * a.f;
    for (int g = 0; g < GATES; g++) d_s[g] = d_x[g];
  }
  // The carried gradient is that of the cell state.
  static constexpr bool CARRIES_HIDDEN = false;
};

struct Gru {
  static constexpr int GATES = 3, SLOTS = 4;

  // Slots: r, z, the recurrent sum of gate n (with b_hn), and its input projection.
  __device__ static __forceinline__ void gate(int gate, float x, float s, float *slots, int stride) {
    slots[gate * stride] = gate < 2 ? sigmoid(x + s) : s;
    if (gate == 2) slots[3 * stride] = x;
  }

  __device__ static __forceinline__ float unit(const float *slots, int stride, float previous, float &, int, int n,
                                               float *gates, float *kept) {
    float r = slots[0], z = slots[stride], s = slots[2 * stride];
    float candidate = hyperbolic_tangent(slots[3 * stride] + r * s);
    gates[0] = r, gates[n] = z, gates[2 * n] = candidate;
    kept[0] = s;
    return candidate + z * (previous - candidate);
  }

  struct Saved {
    float r, z, candidate, s, previous;
  };
  __device__ static __forceinline__ Saved load(const float *gates, const float *kept, const float *hidden,
                                               ptrdiff_t row, ptrdiff_t previous, int n, int u) {
    const float *gate = gates + row * 3 * n + u;
    return {gate[0], gate[n], gate[2 * n], kept[row * n + u], previous < 0 ? 0.f : hidden[previous * n + u]};
  }
  __device__ static __forceinline__ void backward(const Saved &a, float d_hidden, float &carried, int, float *d_x,
                                                  float *d_s) {
    float d_n = d_hidden * (1.f - a.z) * (1.f - a.candidate * a.candidate);
    d_x[0] = d_s[0] = sigmoid_backward(d_n * a.s, a.r);
    d_x[1] = d_s[1] = sigmoid_backward(d_hidden * (a.previous - a.candidate), a.z);
    d_x[2] = d_n;
    d_s[2] = d_n * a.r;
    carried = d_hidden * a.z;
  }
  // The carried gradient is that of the hidden state.
  static constexpr bool CARRIES_HIDDEN = true;
};

struct Rnn {
  static constexpr int GATES = 1, SLOTS = 1;

  __device__ static __forceinline__ void gate(int, float x, float s, float *slots, int) { slots[0] = x + s; }

  // NaN stays NaN in ReLU, as in PyTorch. Neither buffer is used: the backward pass reads the hidden states.
  __device__ static __forceinline__ float unit(const float *slots, int, float, float &, int relu, int, float *,
                                               float *) {
    return relu ? (slots[0] <= 0.f ? 0.f : slots[0]) : hyperbolic_tangent(slots[0]);
  }

  struct Saved {
    float hidden;
  };
  __device__ static __forceinline__ Saved load(const float *, const float *, const float *hidden, ptrdiff_t row,
                                               ptrdiff_t, int n, int u) {
    return {hidden[row * n + u]};
  }
  __device__ static __forceinline__ void backward(const Saved &a, float d_hidden, float &, int relu, float *d_x,
                                                  float *d_s) {
    d_x[0] = d_s[0] = relu ? (a.hidden <= 0.f ? 0.f : d_hidden) : d_hidden * (1.f - a.hidden * a.hidden);
  }
  static constexpr bool CARRIES_HIDDEN = false;
};
