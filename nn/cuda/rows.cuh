// Selecting and adding the rows of a matrix: embeddings, n-grams, pooling, and their gradients. Each thread computes
// one element, in an order that depends on the indices alone.
#pragma once

// The index for which gather_rows writes a row of zeros.
constexpr unsigned NO_ROW = 0xffffffff;

// out[i] = source[index[i]]: [rows, width].
KERNEL gather_rows(const float *source, const unsigned *index, int rows, int width, float *out) {
  const ptrdiff_t e = (ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= (ptrdiff_t)rows * width) return;
  const unsigned row = index[e / width];
  out[e] = row == NO_ROW ? 0.f : source[(ptrdiff_t)row * width + e % width];
}

// out[i] = Σ source[index[k]] for k in starts[i] .. starts[i + 1]; without an index, of source[k]. If step is not 0,
// values are rounded to multiples of step, at most `largest` of them: nn/src/ngrams.rs, Grid.
KERNEL sum_rows(const float *source, const unsigned *index, const unsigned *starts, int sums, int width, float step,
                float largest, float *out) {
  const ptrdiff_t e = (ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= (ptrdiff_t)sums * width) return;
  const ptrdiff_t i = e / width, column = e % width;
  float sum = 0.f;
  for (unsigned k = starts[i]; k < starts[i + 1]; k++) {
    float value = source[(ptrdiff_t)(index ? index[k] : k) * width + column];
    if (step != 0.f) value = fminf(fmaxf(roundf(value / step), -largest), largest) * step;
    sum += value;
  }
  out[e] = sum;
}

// Returns the index in `values` of the maximum over time in one column of sequence q, the first of equal ones; NaN
// counts as the maximum. values: [rows, width], packed by time step.
__device__ __forceinline__ ptrdiff_t index_of_max(const float *values, const unsigned *offsets, int length, int q,
                                                  int column, int width) {
  ptrdiff_t largest = (ptrdiff_t)q * width + column;
  for (int step = 0; step < length; step++) {
    const ptrdiff_t at = ((ptrdiff_t)offsets[step] + q) * width + column;
    if (values[at] > values[largest] || values[at] != values[at]) largest = at;
  }
  return largest;
}
// out: the maximum over time of each column of each sequence, [sequences, width]; zeros for an empty sequence.
KERNEL max_rows(const float *values, const unsigned *offsets, const unsigned *lengths, int sequences, int width,
                float *out) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, q = e / width;
  if (q >= sequences) return;
  const int length = lengths[q];
  out[e] = length == 0 ? 0.f : values[index_of_max(values, offsets, length, q, e % width, width)];
}
// d_values: [rows, width], the gradient d_max, [sequences, width], at each maximum and 0 elsewhere.
KERNEL max_rows_backward(const float *values, const float *d_max, const unsigned *offsets, const unsigned *lengths,
                         int sequences, int width, float *d_values) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, q = e / width, column = e % width;
  if (q >= sequences || lengths[q] == 0) return;
  const int length = lengths[q];
  const ptrdiff_t largest = index_of_max(values, offsets, length, q, column, width);
  for (int step = 0; step < length; step++) {
    const ptrdiff_t at = ((ptrdiff_t)offsets[step] + q) * width + column;
    d_values[at] = at == largest ? d_max[e] : 0.f;
  }
}

// out = x with values zeroed at random and the others multiplied by `scale`. A value is zeroed if the hash of its
// index, `seed` and `stream` is below `threshold`.
KERNEL drop_values(const float *x, unsigned seed, unsigned stream, unsigned threshold, float scale, int count,
                   float *out) {
  const unsigned e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= (unsigned)count) return;
  // Two rounds of the mixing function of MurmurHash3.
  unsigned hash = e * 0x9e3779b9u ^ seed;
  for (int round = 0; round < 2; round++) {
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    hash = (hash ^ hash >> 16) + stream;
  }
  out[e] = hash < threshold ? 0.f : x[e] * scale;
}
