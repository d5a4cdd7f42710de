// Runs kernels on the host for tests: reads launches from the standard input, writes their results to the standard
// output.
//
//   launch   name, blocks, threads, bytes of shared memory, arguments, bytes that the kernel may write
//   argument a kind and its value: i and f 32 bits; p bytes that the kernel reads; 0 a null pointer, with 32 unused
//            bits; o the offset of a pointer into the bytes that the kernel may write, 32 bits
//   result   an error message, empty for none, and the written bytes
//
// The name, the message, the list of arguments and all bytes begin with their number, 32 bits. The kernel runs twice,
// with the threads in order and in reverse order; a difference in the results is an error.
#include "host.h"

#include <stddef.h>
#include <stdio.h>

#include <map>
#include <string>
#include <tuple>

#include "kernels.cu"

struct Argument {
  char kind;
  std::vector<char> bytes;
  unsigned value;
};

// The bytes that the running kernel may write.
static std::vector<char> written;

static void check(bool right, const char *kinds, const Argument &argument) {
  if (!right) throw std::runtime_error(std::string("found an argument ") + argument.kind + ", expected " + kinds);
}
template <class T>
static T convert(const Argument &argument) {
  if constexpr (std::is_pointer_v<T>) {
    constexpr bool read_only = std::is_const_v<std::remove_pointer_t<T>>;
    check(argument.kind == 'o' || argument.kind == '0' || (read_only && argument.kind == 'p'),
          read_only ? "p, o or 0" : "o or 0", argument);
    if (argument.kind == '0') return nullptr;
    if (argument.kind == 'p') return (T)argument.bytes.data();
    if (argument.value > written.size()) throw std::runtime_error("a pointer is beyond the written bytes");
    return (T)(written.data() + argument.value);
  } else {
    check(argument.kind == (std::is_same_v<T, float> ? 'f' : 'i'), std::is_same_v<T, float> ? "f" : "i", argument);
    T value;
    memcpy(&value, &argument.value, sizeof value);
    return value;
  }
}

// Takes the arguments of a launch and returns a call of the kernel with them.
using Kernel = std::function<std::function<void()>(const std::vector<Argument> &)>;
template <class... T, size_t... I>
static Kernel kernel(void (*function)(T...), std::index_sequence<I...>) {
  return [=](const std::vector<Argument> &arguments) {
    if (arguments.size() != sizeof...(T))
      throw std::runtime_error("found " + std::to_string(arguments.size()) + " arguments, expected " +
                               std::to_string(sizeof...(T)));
    std::tuple<T...> values(convert<T>(arguments[I])...);
    return [=] { std::apply(function, values); };
  };
}
template <class... T>
static Kernel kernel(void (*function)(T...)) {
  return kernel(function, std::index_sequence_for<T...>());
}

#define NAMED(name) {#name, kernel(name)},
#define NAMED_WALK(Cell, padded, in_registers, sequences) \
  NAMED(Cell##_forward_##padded##_##sequences) NAMED(Cell##_backward_##padded##_##sequences)
#define NAMED_STEP(Cell) NAMED(Cell##_step_forward) NAMED(Cell##_step_backward)
static const std::map<std::string, Kernel> kernels = {
    WALKS(NAMED_WALK) CELLS(NAMED_STEP) NAMED(gather_rows) NAMED(sum_rows) NAMED(max_rows) NAMED(max_rows_backward)
        NAMED(drop_values) NAMED(cross_entropy) NAMED(binary_cross_entropy) NAMED(squared_error) NAMED(sum_losses)
            NAMED(add_square_norm) NAMED(adamw) NAMED(sgd) NAMED(scale_values)};

// Ends the program at the end of the input.
static void read(void *to, size_t size) {
  if (fread(to, 1, size, stdin) != size) exit(0);
}
static unsigned read_number() {
  unsigned number;
  read(&number, sizeof number);
  return number;
}
template <class T>
static T read_list() {
  T list(read_number(), 0);
  read(list.data(), list.size());
  return list;
}
template <class T>
static void write_list(const T &list) {
  unsigned size = list.size();
  fwrite(&size, sizeof size, 1, stdout);
  fwrite(list.data(), 1, size, stdout);
}

int main() {
  for (;;) {
    const std::string name = read_list<std::string>();
    const unsigned blocks = read_number(), threads = read_number(), shared_bytes = read_number();
    std::vector<Argument> arguments(read_number());
    for (Argument &argument : arguments) {
      read(&argument.kind, 1);
      if (argument.kind == 'p')
        argument.bytes = read_list<std::vector<char>>();
      else
        argument.value = read_number();
    }
    const std::vector<char> before = read_list<std::vector<char>>();
    std::string message;
    try {
      auto found = kernels.find(name);
      if (found == kernels.end()) throw std::runtime_error("no kernel of this name");
      written = before;
      launch(blocks, threads, shared_bytes, false, found->second(arguments));
      const std::vector<char> in_order = written;
      written = before;
      launch(blocks, threads, shared_bytes, true, found->second(arguments));
      if (written != in_order) throw std::runtime_error("the result depends on the order of the threads");
    } catch (const std::exception &error) {
      message = name + ": " + error.what();
    }
    write_list(message);
    write_list(written);
    fflush(stdout);
  }
}
