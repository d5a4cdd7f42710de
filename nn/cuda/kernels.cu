// All kernels, as functions with C names. nvcc compiles this file for GPUs, emulate.cpp includes it for the host.
#include <stddef.h>

// host.h defines other macros for the host. 256: THREADS in nn/src/gpu/launch.rs.
#ifndef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(256)
#define KERNEL_OF(threads) extern "C" __global__ void __launch_bounds__(threads)
extern __shared__ float shared_memory[];
#endif

#include "rows.cuh"
#include "step.cuh"
#include "training.cuh"
#include "walk.cuh"

// The instances of the walk: cell, largest hidden size, weights in registers, sequences of a block. nn/src/gpu/walk.rs
// has the same list. An LSTM of 128 units has 512 threads, so a thread has 128 of the 65,536 registers.
#define WALKS(DO) \
  DO(Lstm, 32, 32, 1) DO(Lstm, 32, 32, 4) DO(Lstm, 64, 64, 1) DO(Lstm, 64, 64, 4) DO(Lstm, 128, 84, 1) DO(Lstm, 128, 68, 2) \
  DO(Gru, 32, 32, 1) DO(Gru, 32, 32, 4) DO(Gru, 64, 64, 1) DO(Gru, 64, 64, 4) DO(Gru, 128, 84, 1) DO(Gru, 128, 72, 2) \
  DO(Rnn, 32, 32, 1) DO(Rnn, 32, 32, 4) DO(Rnn, 64, 64, 1) DO(Rnn, 64, 64, 4) DO(Rnn, 128, 128, 1) DO(Rnn, 128, 128, 4)
#define CELLS(DO) DO(Lstm) DO(Gru) DO(Rnn)

#define WALK(Cell, padded, in_registers, sequences)                                                                    \
  KERNEL_OF(Cell::GATES *padded)                                                                                       \
  Cell##_forward_##padded##_##sequences(const float *w_hh, const float *b_hn, const float *table,                      \
                                        const unsigned *tokens, const unsigned *offsets, const unsigned *lengths,      \
                                        int all_sequences, int n, int reverse, int relu, float *hidden, float *gates,  \
                                        float *kept) {                                                                 \
    walk_forward<Cell, padded, in_registers, sequences>(w_hh, b_hn, table, tokens, offsets, lengths, all_sequences, n, \
                                                        reverse, relu, hidden, gates, kept);                           \
  }                                                                                                                    \
  KERNEL_OF(Cell::GATES *padded)                                                                                       \
  Cell##_backward_##padded##_##sequences(const float *w_hh, const float *hidden, const float *gates,                   \
                                         const float *kept, const float *d_hidden, const unsigned *offsets,            \
                                         const unsigned *lengths, int all_sequences, int n, int reverse, int relu,     \
                                         float *d_gates, float *d_sums) {                                              \
    walk_backward<Cell, padded, in_registers, sequences>(w_hh, hidden, gates, kept, d_hidden, offsets, lengths,        \
                                                         all_sequences, n, reverse, relu, d_gates, d_sums);            \
  }
WALKS(WALK)

#define STEP(Cell)                                                                                                     \
  KERNEL Cell##_step_forward(const float *sums, const float *b_hn, const float *table, const unsigned *tokens,         \
                             int first_row, int previous_row, int rows, int continuing, int n, int relu,               \
                             float *hidden, float *gates, float *kept) {                                               \
    step_forward<Cell>(sums, b_hn, table, tokens, first_row, previous_row, rows, continuing, n, relu, hidden, gates,   \
                       kept);                                                                                          \
  }                                                                                                                    \
  KERNEL Cell##_step_backward(const float *through, const float *hidden, const float *gates, const float *kept,        \
                              const float *d_hidden, int first_row, int previous_row, int rows, int continuing,        \
                              int through_rows, int n, int relu, float *carried, float *d_gates, float *d_sums) {      \
    step_backward<Cell>(through, hidden, gates, kept, d_hidden, first_row, previous_row, rows, continuing,             \
                        through_rows, n, relu, carried, d_gates, d_sums);                                              \
  }
CELLS(STEP)
