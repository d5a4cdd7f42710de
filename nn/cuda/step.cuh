// One time step of a layer that is too large for walk.cuh. The recurrent sums come from a matrix product of the caller.
// Each thread computes one unit of one row. The step has `rows` rows from `first_row` on. The first `continuing` of
// them continue the rows from `previous_row` on; the others are the tokens that the layer reads first in their
// sequences.
#pragma once
#include "cells.cuh"

// sums: [continuing, GATES * n]; the other buffers as in walk_forward.
template <class Cell>
__device__ __forceinline__ void step_forward(const float *sums, const float *b_hn, const float *table,
                                             const unsigned *tokens, int first_row, int previous_row, int rows,
                                             int continuing, int n, int relu, float *hidden, float *gates,
                                             float *kept) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, r = e / n, u = e % n, width = Cell::GATES * n;
  if (r >= rows) return;
  const ptrdiff_t row = first_row + r, previous = (ptrdiff_t)(previous_row + r) * n + u;
  const bool continues = r < continuing;
  const float *x = table + (tokens ? (ptrdiff_t)tokens[row] : row) * width + u;
  float slots[Cell::SLOTS];
#pragma unroll
  for (int g = 0; g < Cell::GATES; g++) {
    float sum = g == 2 && b_hn ? b_hn[u] : 0.f;
    if (continues) sum += sums[(ptrdiff_t)r * width + g * n + u];
    Cell::gate(g, x[g * n], sum, slots, 1);
  }
  float state = continues && Cell::SLOTS > 1 ? kept[previous] : 0.f;
  hidden[row * n + u] = Cell::unit(slots, 1, continues ? hidden[previous] : 0.f, state, relu, n,
                                   gates + row * width + u, kept + row * n + u);
}

// through: [through_rows, n], the gradient that reaches the first through_rows hidden states through W_hh from the step
// that was read next; carried: [sequences, n], the gradient that reaches the hidden states of a GRU or the cell states
// of an LSTM from that step without W_hh, replaced by the one for the step before.
template <class Cell>
__device__ __forceinline__ void step_backward(const float *through, const float *hidden, const float *gates,
                                              const float *kept, const float *d_hidden, int first_row,
                                              int previous_row, int rows, int continuing, int through_rows, int n,
                                              int relu, float *carried, float *d_gates, float *d_sums) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, r = e / n, u = e % n, width = Cell::GATES * n;
  if (r >= rows) return;
  const ptrdiff_t row = first_row + r, previous = r < continuing ? (ptrdiff_t)previous_row + r : -1;
  float d = d_hidden[row * n + u], carry = 0.f, d_x[Cell::GATES], d_s[Cell::GATES];
  if (r < through_rows) {
    d += through[e];
    carry = carried[e];
    if (Cell::CARRIES_HIDDEN) d += carry;
  }
  Cell::backward(Cell::load(gates, kept, hidden, row, previous, n, u), d, carry, relu, d_x, d_s);
  carried[e] = carry;
#pragma unroll
  for (int g = 0; g < Cell::GATES; g++) {
    d_sums[row * width + g * n + u] = d_s[g];
    if (d_gates != d_sums) d_gates[row * width + g * n + u] = d_x[g];
  }
}
