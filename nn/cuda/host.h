// Definitions with which kernels.cu is compiled for the host: each thread of a block is a fiber, and a barrier switches
// to the next fiber.
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <functional>
#include <stdexcept>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define __device__
#define __forceinline__ inline
#define __restrict__
#define KERNEL static void
#define KERNEL_OF(threads) static void

struct float4 {
  float x, y, z, w;
};
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
// A macro, since the C library declares a function of this name.
#define __expf expf
static inline float __fdividef(float a, float b) { return a / b; }

struct Index {
  unsigned x;
};
static Index threadIdx, blockIdx, blockDim, gridDim;
// The shared memory of the running block.
static float *shared_memory;

// A stack on which one thread of a block runs.
struct Fiber {
  static constexpr size_t STACK = 128 << 10;
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(STACK);
  bool finished;
};
static ucontext_t scheduler;
static Fiber *running;
static const std::function<void()> *kernel_of_fibers;

#if defined(__SANITIZE_ADDRESS__)
static void *scheduler_fake_stack;
static const void *scheduler_stack;
static size_t scheduler_stack_size;
#endif

// Switches from the running fiber to the scheduler.
static void leave_fiber() {
#if defined(__SANITIZE_ADDRESS__)
  // A null pointer frees the fake stack of the address sanitizer, when the fiber has finished.
  void *kept = nullptr;
  __sanitizer_start_switch_fiber(running->finished ? nullptr : &kept, scheduler_stack, scheduler_stack_size);
  swapcontext(&running->context, &scheduler);
  __sanitizer_finish_switch_fiber(kept, &scheduler_stack, &scheduler_stack_size);
#else
  swapcontext(&running->context, &scheduler);
#endif
}

static void __syncthreads() { leave_fiber(); }

static void run_fiber() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_size);
#endif
  (*kernel_of_fibers)();
  running->finished = true;
  leave_fiber();
}

// Switches from the scheduler to a fiber, until its next barrier or its end.
static void enter_fiber(Fiber &fiber) {
  running = &fiber;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&scheduler_fake_stack, fiber.stack.data(), Fiber::STACK);
  swapcontext(&scheduler, &fiber.context);
  __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
#else
  swapcontext(&scheduler, &fiber.context);
#endif
}

// Runs a kernel, the blocks one after another. Between two barriers the threads of a block run in order, or all in
// reverse order; a kernel without races gives the same result. Fails if a barrier is not reached by all threads of a
// block.
static void launch(unsigned blocks, unsigned threads, unsigned shared_bytes, bool in_reverse,
                   const std::function<void()> &kernel) {
  static std::vector<Fiber> fibers;
  if (fibers.size() < threads) fibers.resize(threads);
  gridDim.x = blocks, blockDim.x = threads, kernel_of_fibers = &kernel;
  // The requested size rounded up to 16 bytes, so that the address sanitizer sees accesses beyond it. Uninitialised
  // values are NaN.
  struct Free {
    float *memory;
    ~Free() { free(memory); }
  } shared{(float *)aligned_alloc(16, (shared_bytes + 15) / 16 * 16)};
  shared_memory = shared.memory;
  for (unsigned block = 0; block < blocks; block++) {
    blockIdx.x = in_reverse ? blocks - 1 - block : block;
    memset(shared_memory, 0xff, shared_bytes);
    for (unsigned thread = 0; thread < threads; thread++) {
      Fiber &fiber = fibers[thread];
      fiber.finished = false;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.data();
      fiber.context.uc_stack.ss_size = Fiber::STACK;
      fiber.context.uc_link = nullptr;
      makecontext(&fiber.context, run_fiber, 0);
    }
    for (unsigned finished = 0; finished < threads;) {
      for (unsigned thread = 0; thread < threads; thread++) {
        threadIdx.x = in_reverse ? threads - 1 - thread : thread;
        enter_fiber(fibers[threadIdx.x]);
        finished += fibers[threadIdx.x].finished;
      }
      if (finished > 0 && finished < threads) throw std::runtime_error("a barrier was not reached by all threads");
    }
  }
}
