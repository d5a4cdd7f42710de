// A recurrent layer as one launch: a block walks SEQUENCES sequences through all their time steps.
//
// Thread j = gate * n + unit owns one row of W_hh (forward) or one part of a column (backward). The first IN_REGISTERS
// of its weights are in registers, the others in shared memory. In each step, one barrier separates the product from
// the arithmetic of the cells, and another that arithmetic from the next product. PADDED, a multiple of 4, is the
// largest hidden size n of an instance; weights and states are padded with zeros up to it.
//
// The sequences are packed by time step and sorted by falling length: row `offsets[step] + q` is the token of sequence
// q.
#pragma once
#include "cells.cuh"

// Adds the products of this thread's weights with `source[s * stride ..]` to sums[s]. Each sum consists of four chains,
// the same for any number of sequences.
template <int PADDED, int IN_REGISTERS, int SEQUENCES>
__device__ __forceinline__ void add_products(const float (&weights)[IN_REGISTERS], const float *others, int threads,
                                             const float *source, int stride, float (&sums)[SEQUENCES]) {
  float4 chains[SEQUENCES];
#pragma unroll
  for (int s = 0; s < SEQUENCES; s++) chains[s] = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
  for (int k = 0; k < IN_REGISTERS; k += 4) {
#pragma unroll
    for (int s = 0; s < SEQUENCES; s++) {
      float4 value = *reinterpret_cast<const float4 *>(source + s * stride + k);
      chains[s].x += weights[k] * value.x;
      chains[s].y += weights[k + 1] * value.y;
      chains[s].z += weights[k + 2] * value.z;
      chains[s].w += weights[k + 3] * value.w;
    }
  }
#pragma unroll 2
  for (int k = IN_REGISTERS; k < PADDED; k += 4) {
    const float *weight = others + (k - IN_REGISTERS) * threads;
    float w0 = weight[0], w1 = weight[threads], w2 = weight[2 * threads], w3 = weight[3 * threads];
#pragma unroll
    for (int s = 0; s < SEQUENCES; s++) {
      float4 value = *reinterpret_cast<const float4 *>(source + s * stride + k);
      chains[s].x += w0 * value.x;
      chains[s].y += w1 * value.y;
      chains[s].z += w2 * value.z;
      chains[s].w += w3 * value.w;
    }
  }
#pragma unroll
  for (int s = 0; s < SEQUENCES; s++) sums[s] += (chains[s].x + chains[s].y) + (chains[s].z + chains[s].w);
}

// Loads weight k of this thread from first[k * stride]: those below IN_REGISTERS into `weights`, the others into
// `others`. Weights from n on are zeros, and all weights of a thread without a row.
template <int PADDED, int IN_REGISTERS>
__device__ __forceinline__ void load_weights(const float *first, int stride, int n, bool is_row,
                                             float (&weights)[IN_REGISTERS], float *others, int threads) {
#pragma unroll
  for (int k = 0; k < IN_REGISTERS; k++) weights[k] = is_row && k < n ? first[(ptrdiff_t)k * stride] : 0.f;
  for (int k = IN_REGISTERS; k < PADDED; k++)
    others[(k - IN_REGISTERS) * threads] = is_row && k < n ? first[(ptrdiff_t)k * stride] : 0.f;
}

// The time steps of a block's sequences in the order in which the layer reads them.
template <int SEQUENCES>
struct Steps {
  const unsigned *offsets;
  // The first sequence of the block, and the number of its time steps: it is the longest of the block.
  int first, count, reverse, lengths[SEQUENCES];

  __device__ __forceinline__ Steps(const unsigned *offsets, const unsigned *all, int sequences, int reverse)
      : offsets(offsets), first(blockIdx.x * SEQUENCES), reverse(reverse) {
#pragma unroll
    for (int s = 0; s < SEQUENCES; s++) lengths[s] = first + s < sequences ? all[first + s] : 0;
    count = lengths[0];
  }
  // The number of the time step that is read as number `index`.
  __device__ __forceinline__ int at(int index) const { return reverse ? count - 1 - index : index; }
  // True if a sequence of this length has a token at the time step that is read as number `index`.
  __device__ __forceinline__ bool has(int index, int length) const { return index < count && at(index) < length; }
  // The row of the block's first sequence in the time step that is read as number `index`; 0 if there is none.
  __device__ __forceinline__ ptrdiff_t row(int index) const {
    return index >= 0 && index < count ? (ptrdiff_t)offsets[at(index)] + first : 0;
  }
};

// Finds the units that this thread computes: unit_of[i] of sequence sequence_of[i] of the block, which has length_of[i]
// steps. Where i has no unit, the sequence is SEQUENCES and the length 0.
template <int UNITS, int SEQUENCES>
__device__ __forceinline__ void find_units(const Steps<SEQUENCES> &steps, const unsigned *all_lengths, int sequences,
                                           int width, int n, int (&sequence_of)[UNITS], int (&unit_of)[UNITS],
                                           int (&length_of)[UNITS]) {
#pragma unroll
  for (int i = 0; i < UNITS; i++) {
    const int e = threadIdx.x + i * width;
    const bool is_unit = (int)threadIdx.x < width && e / n < SEQUENCES;
    sequence_of[i] = is_unit ? e / n : SEQUENCES;
    unit_of[i] = is_unit ? e % n : 0;
    length_of[i] = is_unit && steps.first + e / n < sequences ? all_lengths[steps.first + e / n] : 0;
  }
}

// w_hh: [GATES * n, n]; b_hn: [n], null for cells other than a GRU; table: [distinct rows, GATES * n], the input
// projection; tokens: the row of the table for each token, or null if the table has a row for each token. Writes
// hidden: [rows, n]; gates: [rows, GATES * n] and kept: [rows, n], see cells.cuh.
template <class Cell, int PADDED, int IN_REGISTERS, int SEQUENCES>
__device__ __forceinline__ void walk_forward(const float *__restrict__ w_hh, const float *__restrict__ b_hn,
                                             const float *__restrict__ table, const unsigned *__restrict__ tokens,
                                             const unsigned *__restrict__ offsets,
                                             const unsigned *__restrict__ all_lengths, int sequences, int n,
                                             int reverse, int relu, float *__restrict__ hidden,
                                             float *__restrict__ gates, float *__restrict__ kept) {
  constexpr int UNITS = (SEQUENCES + Cell::GATES - 1) / Cell::GATES;
  const int j = threadIdx.x, width = Cell::GATES * n, threads = blockDim.x, gate = j / n, unit = j % n;
  const bool is_row = j < width;
  float *h = shared_memory;                    // [SEQUENCES][PADDED]
  float *others = h + SEQUENCES * PADDED + j;  // [PADDED - IN_REGISTERS][threads]
  float *slots = h + SEQUENCES * PADDED + (PADDED - IN_REGISTERS) * threads;  // [SEQUENCES][SLOTS][n]
  const int slot_stride = Cell::SLOTS * n;
  const Steps<SEQUENCES> steps(offsets, all_lengths, sequences, reverse);

  float weights[IN_REGISTERS];
  load_weights<PADDED, IN_REGISTERS>(w_hh + (ptrdiff_t)j * n, 1, n, is_row, weights, others, threads);
  // The value to which the recurrent sum is added.
  const float start = is_row && gate == 2 && b_hn ? b_hn[unit] : 0.f;
  for (int e = j; e < SEQUENCES * PADDED; e += threads) h[e] = 0.f;
  int sequence_of[UNITS], unit_of[UNITS], length_of[UNITS];
  find_units<UNITS, SEQUENCES>(steps, all_lengths, sequences, width, n, sequence_of, unit_of, length_of);
  float state[UNITS] = {};

  // The row of the table for sequence s; -1 if it has no token at this step.
  auto row_of_table = [&](int index, ptrdiff_t row, int s) -> ptrdiff_t {
    bool has = steps.has(index, steps.lengths[s]);
    return has ? (tokens ? (ptrdiff_t)tokens[row + s] : row + s) : -1;
  };
  auto load = [&](ptrdiff_t row) { return is_row && row >= 0 ? table[row * width + j] : 0.f; };
  // Loads are issued one step before they are used, so that no step waits for a chain of them.
  ptrdiff_t row = steps.row(0), next_row = steps.row(1), third_row = steps.row(2), next_table_row[SEQUENCES];
  float x[SEQUENCES];
#pragma unroll
  for (int s = 0; s < SEQUENCES; s++) {
    x[s] = load(row_of_table(0, row, s));
    next_table_row[s] = row_of_table(1, next_row, s);
  }
  __syncthreads();

  for (int index = 0; index < steps.count; index++) {
    float next_x[SEQUENCES], sums[SEQUENCES];
#pragma unroll
    for (int s = 0; s < SEQUENCES; s++) {
      next_x[s] = load(next_table_row[s]);
      next_table_row[s] = row_of_table(index + 2, third_row, s);
      sums[s] = start;
    }
    const ptrdiff_t fourth_row = steps.row(index + 3);
    if (is_row) {
      add_products<PADDED, IN_REGISTERS, SEQUENCES>(weights, others, threads, h, PADDED, sums);
#pragma unroll
      for (int s = 0; s < SEQUENCES; s++) Cell::gate(gate, x[s], sums[s], slots + s * slot_stride + unit, n);
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < UNITS; i++) {
      if (steps.has(index, length_of[i])) {
        const int s = sequence_of[i], u = unit_of[i];
        float *state_of_unit = h + s * PADDED + u;
        const ptrdiff_t token = row + s;
        *state_of_unit = Cell::unit(slots + s * slot_stride + u, n, *state_of_unit, state[i], relu, n,
                                    gates + token * width + u, kept + token * n + u);
        hidden[token * n + u] = *state_of_unit;
      }
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < SEQUENCES; s++) x[s] = next_x[s];
    row = next_row, next_row = third_row, third_row = fourth_row;
  }
}

// The same walk from the step that was read last. hidden, gates, kept: from walk_forward; d_hidden: [rows, n]. Writes
// d_gates and d_sums: the gradients of the input projection and of the recurrent sums of each token, [rows, GATES * n].
// They are the same buffer unless the cell is a GRU.
template <class Cell, int PADDED, int IN_REGISTERS, int SEQUENCES>
__device__ __forceinline__ void walk_backward(const float *__restrict__ w_hh, const float *__restrict__ hidden,
                                              const float *__restrict__ gates, const float *__restrict__ kept,
                                              const float *__restrict__ d_hidden,
                                              const unsigned *__restrict__ offsets,
                                              const unsigned *__restrict__ all_lengths, int sequences, int n,
                                              int reverse, int relu, float *d_gates, float *d_sums) {
  constexpr int GATES = Cell::GATES, UNITS = (SEQUENCES + GATES - 1) / GATES;
  const int j = threadIdx.x, width = GATES * n, threads = blockDim.x, gate = j / n, unit = j % n;
  const bool is_row = j < width;
  float *d_z = shared_memory;                              // [SEQUENCES][GATES][PADDED]
  float *others = d_z + SEQUENCES * GATES * PADDED + j;    // [PADDED - IN_REGISTERS][threads]
  float *parts = others - j + (PADDED - IN_REGISTERS) * threads;  // [SEQUENCES][GATES][n]
  const Steps<SEQUENCES> steps(offsets, all_lengths, sequences, reverse);

  float weights[IN_REGISTERS];
  load_weights<PADDED, IN_REGISTERS>(w_hh + (ptrdiff_t)gate * n * n + unit, n, n, is_row, weights, others, threads);
  for (int e = j; e < SEQUENCES * GATES * PADDED; e += threads) d_z[e] = 0.f;
  for (int e = j; e < SEQUENCES * width; e += threads) parts[e] = 0.f;

  // The values that the units of this thread read in the next iteration, loaded during the product of this one.
  typename Cell::Saved saved[UNITS];
  float d_h[UNITS], carried[UNITS] = {};
  int sequence_of[UNITS], unit_of[UNITS], length_of[UNITS];
  find_units<UNITS, SEQUENCES>(steps, all_lengths, sequences, width, n, sequence_of, unit_of, length_of);
  auto has = [&](int index, int i) { return index >= 0 && steps.has(index, length_of[i]); };
  auto load = [&](int index, ptrdiff_t row, ptrdiff_t previous_row) {
#pragma unroll
    for (int i = 0; i < UNITS; i++) {
      if (has(index, i)) {
        const int s = sequence_of[i], u = unit_of[i];
        saved[i] = Cell::load(gates, kept, hidden, row + s, has(index - 1, i) ? previous_row + s : -1, n, u);
        d_h[i] = d_hidden[(row + s) * n + u];
      }
    }
  };
  int index = steps.count - 1;
  ptrdiff_t row = steps.row(index), previous_row = steps.row(index - 1);
  load(index, row, previous_row);
  __syncthreads();

  for (; index >= 0; index--) {
#pragma unroll
    for (int i = 0; i < UNITS; i++) {
      const int s = sequence_of[i], u = unit_of[i];
      if (has(index, i)) {
        float d = d_h[i], d_x[GATES], d_s[GATES];
#pragma unroll
        for (int g = 0; g < GATES; g++) d += parts[(s * GATES + g) * n + u];
        if (Cell::CARRIES_HIDDEN) d += carried[i];
        Cell::backward(saved[i], d, carried[i], relu, d_x, d_s);
        const ptrdiff_t at = (row + s) * width + u;
#pragma unroll
        for (int g = 0; g < GATES; g++) {
          d_z[(s * GATES + g) * PADDED + u] = d_s[g];
          d_sums[at + g * n] = d_s[g];
          if (d_gates != d_sums) d_gates[at + g * n] = d_x[g];
        }
      } else if (s < SEQUENCES) {
        for (int g = 0; g < GATES; g++) d_z[(s * GATES + g) * PADDED + u] = 0.f;
      }
    }
    __syncthreads();
    const ptrdiff_t second_row = steps.row(index - 2);
    load(index - 1, previous_row, second_row);
    row = previous_row, previous_row = second_row;
    if (is_row) {
      float sums[SEQUENCES] = {};
      add_products<PADDED, IN_REGISTERS, SEQUENCES>(weights, others, threads, d_z + gate * PADDED, GATES * PADDED,
                                                    sums);
#pragma unroll
      for (int s = 0; s < SEQUENCES; s++) parts[(s * GATES + gate) * n + unit] = sums[s];
    }
    __syncthreads();
  }
}
