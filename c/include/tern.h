/**
 * Runs device files of Tern: quantised recurrent networks that classify texts and sequences of numbers, or
 * predict the next token or the next values. Integer arithmetic only; no allocation; no global state.
 *
 *     static tern_t tern;                       // set to zero, and never moved
 *     static int32_t scratch[MODEL_SCRATCH_WORDS];
 *
 *     if (tern_open(&tern, model, MODEL_LENGTH, scratch, MODEL_SCRATCH_WORDS) != TERN_OK) { ... }
 *     tern_feed(&tern, "free prize", 10);       // in pieces of any size
 *     tern_finish(&tern);
 *     int32_t label = tern_answer(&tern);       // -1: none is probable enough
 *     tern_reset(&tern);                        // before the next text
 *
 * `tern export MODEL --c-array model.h` writes the array `model`, MODEL_LENGTH and MODEL_SCRATCH_WORDS.
 * Every function may be called at any time: without a model or a session it returns an error, 0 or -1.
 * For C99 and later, and C++.
 * `cargo test` in c/ makes this file from the source of the library.
 */

#ifndef TERN_H
#define TERN_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX > 0xffffffffu
#define TERN_64_BIT
#else
#define TERN_32_BIT
#endif

#if defined(TERN_64_BIT)
/**
 * The size of a `tern_t` in words of 64 bits.
 */
#define TERN_STATE_WORDS 360
#endif

#if defined(TERN_32_BIT)
/**
 * The size of a `tern_t` in words of 64 bits.
 */
#define TERN_STATE_WORDS 196
#endif

/**
 * The size of a `tern_t` in bytes.
 */
#define TERN_STATE_SIZE (TERN_STATE_WORDS * 8)

/**
 * The alignment of a `tern_t` in bytes.
 */
#define TERN_STATE_ALIGN 8

/**
 * The value of a channel that is missing, for example because a sensor failed. It counts as the mean of the channel.
 */
#define TERN_MISSING INT32_MIN

/**
 * The result of a function. A number never changes its meaning; later versions may add numbers.
 */
enum tern_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Success.
   */
  TERN_OK = 0,
  /**
   * The `tern_t` is NULL, or another pointer is NULL and its length is not 0.
   */
  TERN_NULL = 1,
  /**
   * The `tern_t` has no model: call `tern_load` or `tern_open` first.
   */
  TERN_NOT_LOADED = 2,
  /**
   * The `tern_t` has no session: call `tern_start` or `tern_open` first.
   */
  TERN_NOT_STARTED = 3,
  /**
   * The address of the file is not a multiple of 8, or that of the scratch or the values is not a multiple of 4.
   */
  TERN_MISALIGNED = 4,
  /**
   * The file is shorter than its header requires.
   */
  TERN_TRUNCATED = 5,
  /**
   * Bytes follow the last tensor: cut the file at `tern_file_len`.
   */
  TERN_TRAILING_BYTES = 6,
  /**
   * The file does not begin with the header of a device file.
   */
  TERN_HEADER = 7,
  /**
   * The file needs a newer version of this library.
   */
  TERN_UNSUPPORTED = 8,
  /**
   * The file needs a feature of tern-runtime that is not built into this library.
   */
  TERN_MISSING_FEATURE = 9,
  /**
   * A metadata key is missing.
   */
  TERN_MISSING_KEY = 10,
  /**
   * A tensor is missing.
   */
  TERN_MISSING_TENSOR = 11,
  /**
   * A metadata key is not part of the format.
   */
  TERN_UNKNOWN_KEY = 12,
  /**
   * A tensor is not part of the format.
   */
  TERN_UNKNOWN_TENSOR = 13,
  /**
   * A key or a tensor occurs twice.
   */
  TERN_DUPLICATE = 14,
  /**
   * A tensor has the wrong element type.
   */
  TERN_TYPE = 15,
  /**
   * A tensor has a shape that does not fit the rest of the model.
   */
  TERN_SHAPE = 16,
  /**
   * The byte range of a tensor does not fit its shape or its neighbours.
   */
  TERN_PLACE = 17,
  /**
   * A table of texts has wrong offsets, or a text is not UTF-8.
   */
  TERN_TEXTS = 18,
  /**
   * The tokens of the vocabulary are not in order.
   */
  TERN_VOCABULARY_ORDER = 19,
  /**
   * A value of a tensor is out of range.
   */
  TERN_RANGE = 20,
  /**
   * The sum of a row could overflow 32 bits.
   */
  TERN_OVERFLOW = 21,
  /**
   * The file is refused for a reason that this build or version of the library does not distinguish.
   */
  TERN_REFUSED = 22,
  /**
   * The scratch has fewer words than `tern_scratch_words` returns.
   */
  TERN_SCRATCH_TOO_SHORT = 23,
  /**
   * The model reads values, not text: call `tern_feed_values`.
   */
  TERN_READS_VALUES = 24,
  /**
   * The model reads text, not values: call `tern_feed`.
   */
  TERN_READS_TEXT = 25,
  /**
   * The text, or the saved state, has more tokens than the scratch of a bidirectional model keeps.
   */
  TERN_TOO_LONG = 26,
  /**
   * The index is not less than the number of classes, channels or predicted values.
   */
  TERN_NO_SUCH_INDEX = 27,
  /**
   * The buffer is too short.
   */
  TERN_BUFFER_TOO_SHORT = 28,
  /**
   * The bytes are not a saved state.
   */
  TERN_NO_STATE = 29,
  /**
   * The state was saved by another version of this library.
   */
  TERN_STATE_VERSION = 30,
  /**
   * The state was saved with another model.
   */
  TERN_STATE_OF_OTHER_MODEL = 31,
  /**
   * The number of bytes is not that of the saved state.
   */
  TERN_STATE_LENGTH = 32,
  /**
   * The saved state is damaged.
   */
  TERN_STATE_CORRUPT = 33,
  /**
   * The number of values is not a multiple of the number of channels.
   */
  TERN_CHANNELS = 34,
  /**
   * The logits of a golden example differ from those in the file.
   */
  TERN_SELF_TEST_FAILED = 35,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum tern_status tern_status;
#else
typedef int32_t tern_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A model and one session on it.
 *
 * The caller provides the memory, set to zero, and may not move or copy it once a model is loaded, because its parts
 * refer to each other. Nothing needs to be freed: the memory can be reused at any time. A `tern_t` may be used by one
 * thread at a time.
 */
typedef struct tern_t {
  /**
   * The library's own data.
   */
  uint64_t private_data[TERN_STATE_WORDS];
} tern_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns a short name of a status in English, a string that is never freed. A number that no status has is `unknown`.
 */
const char *tern_status_name(int32_t status);

/**
 * Checks a device file and loads it into `tern`. The file is used where it is: it must stay readable and unchanged for
 * as long as `tern` is used. Its address must be a multiple of 8. An earlier model and its session end, also if the
 * file is refused.
 *
 * The check reads the whole file once. After it succeeds, no other function can fail because of the file.
 *
 * `tern` must point to a `tern_t`, and `length` bytes at `file` must be readable.
 */
tern_status tern_load(struct tern_t *tern,
                      const void *file,
                      size_t length);

/**
 * Returns the number of 32-bit words of scratch that a session needs; 0 without a model. For a bidirectional model
 * this scratch has room for 128 tokens.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
size_t tern_scratch_words(const struct tern_t *tern);

/**
 * Returns the number of 32-bit words of scratch for texts of up to `tokens` tokens, or sequences of as many steps; 0
 * without a model. The number of tokens matters to bidirectional models only.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
size_t tern_scratch_words_for(const struct tern_t *tern,
                              size_t tokens);

/**
 * Begins a session of the loaded model, which keeps its state in `words` 32-bit words at `scratch`. The scratch must
 * not be used for anything else until the next `tern_start` or `tern_load`.
 *
 * `tern` must point to a `tern_t`, and `words` words at `scratch` must be writable.
 */
tern_status tern_start(struct tern_t *tern,
                       int32_t *scratch,
                       size_t words);

/**
 * Loads a device file and begins a session: `tern_load` and `tern_start`.
 *
 * The requirements of `tern_load` and `tern_start`.
 */
tern_status tern_open(struct tern_t *tern, const void *file, size_t length, int32_t *scratch, size_t words);

/**
 * Returns the length in bytes of the device file that begins at `bytes`, by its header; 0 if none begins there. Use it
 * for a file in a flash partition that is larger than the file.
 *
 * `length` bytes at `bytes` must be readable.
 */
size_t tern_file_len(const void *bytes,
                     size_t length);

/**
 * Copies the name of the model, with a NUL at its end, into `size` bytes at `buffer`; a longer name is cut. Returns
 * the length of the whole name without the NUL; 0 without a model. With a NULL buffer it only returns the length.
 *
 * `tern` must be NULL or point to a `tern_t`; `size` bytes at `buffer` must be writable.
 */
size_t tern_model_name(const struct tern_t *tern,
                       char *buffer,
                       size_t size);

/**
 * Returns the size of a `tern_t` in bytes, `TERN_STATE_SIZE`, for languages that do not read this header.
 */
size_t tern_state_size(void);

/**
 * Returns the number of multiply-accumulates of a token or time step; 0 without a model.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
size_t tern_macs_per_token(const struct tern_t *tern);

/**
 * Returns a number that identifies the model, the same in every packing; 0 without a model.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
uint32_t tern_fingerprint(const struct tern_t *tern);

/**
 * Runs the golden examples of the file and compares their logits with those in the file. Writes the number of examples
 * with equal logits to `passed` and the number of all examples to `total`; both pointers may be NULL. A running
 * session ends, even if it uses other scratch.
 *
 * Returns `TERN_OK` if all logits are equal, `TERN_SELF_TEST_FAILED` if one differs, or one of the errors of
 * `tern_start`.
 *
 * The requirements of `tern_start`; `passed` and `total` must be NULL or point to numbers.
 */
tern_status tern_self_test(struct tern_t *tern,
                           int32_t *scratch,
                           size_t words,
                           size_t *passed,
                           size_t *total);

/**
 * Begins a new text or sequence. Without it, a second text continues the first one.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
tern_status tern_reset(struct tern_t *tern);

/**
 * Reads the next `length` bytes of a text in UTF-8, which may be cut anywhere. Each complete token costs one step.
 *
 * `tern` must be NULL or point to a `tern_t`; `length` bytes at `text` must be readable.
 */
tern_status tern_feed(struct tern_t *tern,
                      const void *text,
                      size_t length);

/**
 * Ends the text, which completes its last token. Call it before reading the logits of a text.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
tern_status tern_finish(struct tern_t *tern);

/**
 * Reads time steps of a sequence: `count` integers, one for each channel of each step. `tern_encode` makes them from
 * measured values; `TERN_MISSING` is a missing one.
 *
 * `tern` must be NULL or point to a `tern_t`; `count` integers at `values` must be readable.
 */
tern_status tern_feed_values(struct tern_t *tern,
                             const int32_t *values,
                             size_t count);

/**
 * Returns the number of channels of a time step; 0 for a model that reads text, and without a model.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
size_t tern_channel_count(const struct tern_t *tern);

/**
 * Describes a channel of the input: an integer `v` stands for the real number `v / 2^point`. `point`, −16 to 30, may
 * be NULL. The name, with a NUL at its end, is copied into `size` bytes at `name`, and cut if it is longer; nothing is
 * copied if `name` is NULL.
 *
 * `tern` must be NULL or point to a `tern_t`; `point` must be NULL or point to a number; `size` bytes at `name` must
 * be writable.
 */
tern_status tern_channel(const struct tern_t *tern,
                         size_t index,
                         int32_t *point,
                         char *name,
                         size_t size);

/**
 * Returns the integer of a channel that stands for `numerator / denominator`, rounded to the nearest, saturating:
 * 21.37 degrees are `tern_encode(tern, 0, 2137, 100)`. Returns `TERN_MISSING` if the denominator is 0 or there is no
 * such channel.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
int32_t tern_encode(const struct tern_t *tern,
                    size_t channel,
                    int32_t numerator,
                    uint32_t denominator);

/**
 * Returns the number of tokens of the text so far, or of steps of the sequence; 0 without a session.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
uint32_t tern_tokens(const struct tern_t *tern);

/**
 * Returns the number of tokens so far that are not in the vocabulary; 0 without a session. A text without a known
 * token has no meaningful label.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
uint32_t tern_unknown_tokens(const struct tern_t *tern);

/**
 * Returns `TERN_TOO_LONG` if the scratch of a bidirectional model is too short for all tokens of the text, so that the
 * logits are those of the first tokens; `TERN_NOT_STARTED` without a session, `TERN_NULL` if `tern` is NULL; otherwise
 * `TERN_OK`.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
tern_status tern_length_status(const struct tern_t *tern);

/**
 * Returns the number of classes of a classifier, of tokens of a language model or of predicted values of a forecast; 0
 * without a model.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
size_t tern_class_count(const struct tern_t *tern);

/**
 * Copies the label of a class, with a NUL at its end, into `size` bytes at `buffer`; a longer label is cut. Returns
 * the length of the whole label without the NUL; 0 if there is no such class. With a NULL buffer it only returns the
 * length.
 *
 * `tern` must be NULL or point to a `tern_t`; `size` bytes at `buffer` must be writable.
 */
size_t tern_label(const struct tern_t *tern,
                  size_t index,
                  char *buffer,
                  size_t size);

/**
 * Writes the logit of a class after the input so far, Q16, to `logit`. Returns `TERN_NO_SUCH_INDEX` if there is no
 * such class.
 *
 * `tern` must be NULL or point to a `tern_t`; `logit` must be NULL or point to a number.
 */
tern_status tern_logit(struct tern_t *tern,
                       size_t index,
                       int32_t *logit);

/**
 * Writes the logits of up to `count` classes after the input so far, Q16, to `logits`, and returns how many it wrote;
 * 0 without a session.
 *
 * `tern` must be NULL or point to a `tern_t`; `count` integers at `logits` must be writable.
 */
size_t tern_logits(struct tern_t *tern,
                   int32_t *logits,
                   size_t count);

/**
 * Returns the class with the largest logit, the first of equal ones; −1 without a session.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
int32_t tern_best(struct tern_t *tern);

/**
 * Returns the class that the classifier answers with. Returns −1 if the classifier refuses to answer, because no class
 * is probable enough or the most probable class is the label for inputs that fit no other label; also −1 without a
 * session. A model without a refusal rule always answers with the class that `tern_best` returns.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
int32_t tern_answer(struct tern_t *tern);

/**
 * Writes up to `count` classes with the largest logits to `classes`, in descending order of the logits, and their
 * logits, Q16, to `logits`, which may be NULL. Returns the number of classes written, at most 8; 0 without a session.
 *
 * `tern` must be NULL or point to a `tern_t`; `count` numbers at `classes`, and at `logits` unless it is NULL, must be
 * writable.
 */
size_t tern_top(struct tern_t *tern,
                uint32_t *classes,
                int32_t *logits,
                size_t count);

/**
 * Returns the probability of a class, from 0 to 65,536 (Q16), by softmax; 0 if there is no such class or no session.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
uint32_t tern_probability(struct tern_t *tern,
                          size_t index);

/**
 * Writes a predicted value of a forecast to `value`: an integer of the channel that is predicted, as `tern_channel`
 * describes it. Returns `TERN_NO_SUCH_INDEX` if `index` is not less than `tern_class_count`, or if the model is no
 * forecast.
 *
 * `tern` must be NULL or point to a `tern_t`; `value` must be NULL or point to a number.
 */
tern_status tern_predicted(struct tern_t *tern,
                           size_t index,
                           int32_t *value);

/**
 * Returns the number of bytes that `tern_save` writes now; 0 without a session.
 *
 * `tern` must be NULL or point to a `tern_t`.
 */
size_t tern_saved_len(struct tern_t *tern);

/**
 * Writes the state of the session to `size` bytes at `buffer`, and its length to `length`, which may be NULL. After
 * `tern_restore`, on any device with the same model, the session continues as if there had been no break.
 *
 * `tern` must be NULL or point to a `tern_t`; `size` bytes at `buffer` must be writable; `length` must be NULL or
 * point to a number.
 */
tern_status tern_save(struct tern_t *tern,
                      void *buffer,
                      size_t size,
                      size_t *length);

/**
 * Continues from a state that `tern_save` wrote: exactly its `length` bytes. If the state is refused, the session
 * begins a new text.
 *
 * `tern` must be NULL or point to a `tern_t`; `length` bytes at `bytes` must be readable.
 */
tern_status tern_restore(struct tern_t *tern,
                         const void *bytes,
                         size_t length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TERN_H */
