/* Classifies texts on a microcontroller without an operating system or a C library, and prints their logits.
 *
 * It runs in QEMU, which puts a device file at `model` and the texts at `texts`: their number, and for each its length
 * in bytes and the bytes, filled up to a multiple of 4. The addresses are in the linker script.
 */
#include "tern.h"

extern const uint32_t model[], texts[];

enum { SCRATCH_WORDS = 4096, MAX_CLASSES = 64, MODEL_SLOT_BYTES = 0x180000 };

static tern_t tern;
static int32_t scratch[SCRATCH_WORDS];
static int32_t logits[MAX_CLASSES];

/* Calls the emulator: semihosting. */
static void call(uintptr_t operation, const void *argument) {
#if defined(__arm__)
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt #0xab" : "+r"(r0) : "r"(r1) : "memory");
#else
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n.option norvc\n.p2align 4\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
#endif
}

static void print(const char *text) {
    call(0x04, text);
}

static void stop(int is_success) {
    call(0x18, (const void *)(is_success ? 0x20026 : 0x20023));
    for (;;) {
    }
}

static void print_hex(uint32_t number) {
    char digits[10] = "00000000 ";
    for (int place = 7; place >= 0; place--, number >>= 4) {
        digits[place] = "0123456789abcdef"[number & 15];
    }
    print(digits);
}

void reset(void);

void reset(void) {
    size_t length = tern_file_len(model, MODEL_SLOT_BYTES);
    tern_status status = tern_open(&tern, model, length, scratch, SCRATCH_WORDS);
    if (status != TERN_OK) {
        print(tern_status_name(status));
        stop(0);
    }
    const uint32_t *next = texts + 1;
    for (uint32_t text = 0; text < texts[0]; text++) {
        uint32_t bytes = *next++;
        tern_feed(&tern, next, bytes);
        tern_finish(&tern);
        size_t classes = tern_logits(&tern, logits, MAX_CLASSES);
        for (size_t index = 0; index < classes; index++) {
            print_hex((uint32_t)logits[index]);
        }
        print("\n");
        tern_reset(&tern);
        next += (bytes + 3) / 4;
    }
    stop(1);
}

/* The first instruction, or the vector table. The emulator clears the memory. */
#if defined(__arm__)
extern uint32_t stack_start[];

__attribute__((section(".start"), used)) static const void *const vectors[2] = {stack_start, (const void *)reset};
#else
__asm__(".section .start, \"ax\"\n.global _start\n_start: la sp, stack_start\nj reset\n.text");
#endif
