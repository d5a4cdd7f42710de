// Losses with their gradients (nn/src/objective.rs) and the steps of the optimizers (nn/src/optimizer/rules.rs).
#pragma once

// A row without a target.
constexpr unsigned NO_LABEL = 0xffffffff;

// The indices of three numbers of a step: the sum of the losses, the number of correct predictions and the squared norm
// of the gradients. The optimizer reads them before it changes anything, the host reads them after the step. FIGURES is
// their number.
enum Figures { LOSS, CORRECT, SQUARE_NORM, FIGURES };

// Combines one value of each thread of a block in a fixed order, and returns the result in every thread. The number of
// threads must be a power of two.
template <class T, class Combine>
__device__ __forceinline__ T combine_block(T value, Combine combine) {
  T *values = reinterpret_cast<T *>(shared_memory);
  values[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) values[threadIdx.x] = combine(values[threadIdx.x], values[threadIdx.x + half]);
    __syncthreads();
  }
  T result = values[0];
  __syncthreads();
  return result;
}

// Cross entropy of one row in each block. outputs: [rows, width]; labels: [rows]; label_weights: [width], or null for
// ones; teacher: [rows, width], the probabilities that have the weight teacher_weight in the target, or null. Writes
// gradient: [rows, width]; losses: [rows]; correct: [rows], 1 if the prediction is the label, otherwise 0.
KERNEL cross_entropy(const float *outputs, const unsigned *labels, const float *label_weights, const float *teacher,
                     int width, float smoothing, float teacher_weight, float share, float *gradient, float *losses,
                     float *correct) {
  const ptrdiff_t row = blockIdx.x;
  const float *z = outputs + row * width;
  const unsigned label = labels[row];
  if (label == NO_LABEL) {
    for (int k = threadIdx.x; k < width; k += blockDim.x) gradient[row * width + k] = 0.f;
    if (threadIdx.x == 0) losses[row] = correct[row] = 0.f;
    return;
  }
  auto add = [](float a, float b) { return a + b; };
  const float *p = teacher ? teacher + row * width : nullptr;
  float largest = -INFINITY, sum = 0.f, sum_of_outputs = 0.f, taught = 0.f;
  for (int k = threadIdx.x; k < width; k += blockDim.x) largest = fmaxf(largest, z[k]);
  largest = combine_block(largest, [](float a, float b) { return fmaxf(a, b); });
  // The first of equal outputs is the prediction.
  int first = width;
  for (int k = threadIdx.x; k < width; k += blockDim.x) {
    sum += expf(z[k] - largest);
    sum_of_outputs += z[k];
    if (p) taught += p[k] * z[k];
    if (z[k] == largest && k < first) first = k;
  }
  sum = combine_block(sum, add);
  sum_of_outputs = combine_block(sum_of_outputs, add);
  taught = combine_block(taught, add);
  first = combine_block(first, [](int a, int b) { return a < b ? a : b; });
  const float weight = label_weights ? label_weights[label] : 1.f;
  const float of_label = (1.f - teacher_weight) * (1.f - smoothing), spread = (1.f - teacher_weight) * smoothing / width;
  for (int k = threadIdx.x; k < width; k += blockDim.x) {
    float target = spread + ((unsigned)k == label ? of_label : 0.f) + (p ? teacher_weight * p[k] : 0.f);
    gradient[row * width + k] = share * weight * (expf(z[k] - largest) / sum - target);
  }
  if (threadIdx.x == 0) {
    float log_sum = logf(sum) + largest;
    losses[row] = weight * (log_sum - of_label * z[label] - spread * sum_of_outputs - teacher_weight * taught);
    correct[row] = first == (int)label;
  }
}

// Cross entropy with one output a row, the logit of label 1. label_weights: [2], not null; teacher: [rows, 2], or null;
// the other arguments are those of cross_entropy.
KERNEL binary_cross_entropy(const float *outputs, const unsigned *labels, const float *label_weights,
                            const float *teacher, int rows, float smoothing, float teacher_weight, float share,
                            float *gradient, float *losses, float *correct) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float z = outputs[row], weight = label_weights[labels[row]];
  float target = (1.f - smoothing) * labels[row] + smoothing / 2.f;
  if (teacher) target += teacher_weight * (teacher[2 * row + 1] - target);
  // A maximum that keeps NaN.
  losses[row] = weight * ((z < 0.f ? 0.f : z) + log1pf(expf(-fabsf(z))) - target * z);
  correct[row] = (z > 0.f) == (labels[row] == 1);
  gradient[row] = share * weight * (1.f / (1.f + expf(-z)) - target);
}

// Mean squared error of each row; a target of NaN contributes 0. outputs, targets: [rows, width].
KERNEL squared_error(const float *outputs, const float *targets, int rows, int width, float share, float *gradient,
                     float *losses, float *correct) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float loss = 0.f;
  for (ptrdiff_t e = (ptrdiff_t)row * width; e < (ptrdiff_t)(row + 1) * width; e++) {
    float difference = targets[e] != targets[e] ? 0.f : outputs[e] - targets[e];
    loss += difference * difference / width;
    gradient[e] = 2.f * share * difference / width;
  }
  losses[row] = loss;
  correct[row] = 0.f;
}

// Sets figures[LOSS] and figures[CORRECT] to the sums over all rows, and figures[SQUARE_NORM] to 0. One block.
KERNEL sum_losses(const float *losses, const float *correct, int rows, double *figures) {
  auto add = [](double a, double b) { return a + b; };
  double loss = 0.0, right = 0.0;
  for (int row = threadIdx.x; row < rows; row += blockDim.x) loss += losses[row], right += correct[row];
  loss = combine_block(loss, add);
  right = combine_block(right, add);
  if (threadIdx.x == 0) figures[LOSS] = loss, figures[CORRECT] = right, figures[SQUARE_NORM] = 0.0;
}

// Adds the squared norm of a gradient to figures[SQUARE_NORM]. One block.
KERNEL add_square_norm(const float *gradient, int count, double *figures) {
  double sum = 0.0;
  for (int e = threadIdx.x; e < count; e += blockDim.x) sum += (double)gradient[e] * gradient[e];
  sum = combine_block(sum, [](double a, double b) { return a + b; });
  if (threadIdx.x == 0) figures[SQUARE_NORM] += sum;
}

// The values of one parameter: [weights | running average | states of the optimizer], `count` of each.
//
// `changed`: the number of values in `gradients`. `rows`: the index of each row of `width` values that the gradient
// has; null if it has all. `kept`: the decay of the running average in this step. If `lag_factor` is not 0, the average
// is that of an n-gram table: the difference between average and weights, divided by lag_factor (nn/src/optimizer.rs).
struct Update {
  float *weight, *average;
  float gradient, kept, lag_factor;
  ptrdiff_t at;
  bool active;

  __device__ __forceinline__ Update(const float *gradients, const unsigned *rows, const double *figures, int changed,
                                    int width, int count, float clip_norm, float kept, float lag_factor,
                                    float *parameter)
      : kept(kept), lag_factor(lag_factor) {
    const int e = blockIdx.x * blockDim.x + threadIdx.x;
    const double norm = sqrt(figures[SQUARE_NORM]);
    // A loss or gradient that is infinite or NaN changes nothing.
    active = e < changed && isfinite(norm) && isfinite(figures[LOSS]);
    if (!active) return;
    at = rows ? (ptrdiff_t)rows[e / width] * width + e % width : e;
    weight = parameter + at;
    average = parameter + count + at;
    gradient = gradients[e] * (clip_norm > 0.f && norm > clip_norm ? (float)(clip_norm / norm) : 1.f);
  }
  // Sets the weight to `value` and updates the average.
  __device__ __forceinline__ void set(float value) {
    if (lag_factor == 0.f)
      *average = kept * *average + (1.f - kept) * value;
    else if (kept > 0.f)
      *average += (*weight - value) / lag_factor;
    *weight = value;
  }
};

// A step of AdamW: nn/src/optimizer/rules.rs. parameter: [4, count] with the states exp_avg and exp_avg_sq. rate: the
// learning rate divided by the bias correction of the mean; scale: corrects the bias of the root mean square; shrink:
// 1 - learning rate * weight decay.
KERNEL adamw(const float *gradients, const unsigned *rows, const double *figures, int changed, int width, int count,
             float clip_norm, float kept, float lag_factor, float rate, float scale, float shrink, float *parameter) {
  Update update(gradients, rows, figures, changed, width, count, clip_norm, kept, lag_factor, parameter);
  if (!update.active) return;
  float *mean = parameter + 2 * (ptrdiff_t)count + update.at, *square = mean + count;
  *mean = 0.9f * *mean + (1.f - 0.9f) * update.gradient;
  *square = 0.999f * *square + (1.f - 0.999f) * update.gradient * update.gradient;
  update.set(*update.weight * shrink - rate * *mean / (sqrtf(*square) * scale + 1e-8f));
}

// A step of gradient descent. parameter: [3, count] with the state momentum_buffer; [2, count] if momentum is 0.
// decay: the weight decay.
KERNEL sgd(const float *gradients, const unsigned *rows, const double *figures, int changed, int width, int count,
           float clip_norm, float kept, float lag_factor, float rate, float decay, float momentum, int nesterov,
           float *parameter) {
  Update update(gradients, rows, figures, changed, width, count, clip_norm, kept, lag_factor, parameter);
  if (!update.active) return;
  const float gradient = update.gradient + decay * *update.weight;
  float direction = gradient;
  if (momentum != 0.f) {
    float *buffer = parameter + 2 * (ptrdiff_t)count + update.at;
    *buffer = momentum * *buffer + gradient;
    direction = nesterov ? gradient + momentum * *buffer : *buffer;
  }
  update.set(*update.weight - rate * direction);
}

// Multiplies values by a factor, in place.
KERNEL scale_values(float factor, int count, float *values) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e < count) values[e] *= factor;
}
