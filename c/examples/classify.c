/* Classifies the lines of standard input with a device file, on a computer.
 *
 *     classify MODEL.safetensors < texts.txt              prints a label and its probability for each line
 *     classify MODEL.safetensors --logits < texts.txt     prints the logits, Q16
 */
#include "tern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 512, LABEL_SIZE = 64, CHUNK_SIZE = 256 };

/* A `tern_t` is set to zero at the start and is never moved or copied. */
static tern_t tern;

static void fail(const char *action, const char *reason) {
    fprintf(stderr, "%s: %s\n", action, reason);
    exit(1);
}

static void check(tern_status status, const char *action) {
    if (status != TERN_OK) {
        fail(action, tern_status_name(status));
    }
}

/* Reads a whole file. `malloc` aligns memory well enough for a device file, which needs a multiple of 8. */
static void *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
        rewind(file);
    }
    void *bytes = size < 0 ? NULL : malloc((size_t)size + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        fail(path, "cannot be read");
    }
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

static void print_answer(void) {
    int32_t label = tern_answer(&tern);
    if (label < 0) {
        printf("refused\n");
        return;
    }
    char name[LABEL_SIZE];
    tern_label(&tern, (size_t)label, name, sizeof name);
    printf("%s %.1f %%\n", name, tern_probability(&tern, (size_t)label) * 100.0 / 65536);
}

static void print_logits(void) {
    static int32_t logits[MAX_CLASSES];
    size_t count = tern_logits(&tern, logits, MAX_CLASSES);
    for (size_t index = 0; index < count; index++) {
        printf("%s%ld", index > 0 ? " " : "", (long)logits[index]);
    }
    printf("\n");
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fail("usage", "classify MODEL.safetensors [--logits] < texts.txt");
    }
    int as_logits = argc > 2 && strcmp(argv[2], "--logits") == 0;
    size_t length;
    void *file = read_file(argv[1], &length);
    check(tern_load(&tern, file, length), argv[1]);
    size_t words = tern_scratch_words(&tern);
    int32_t *scratch = (int32_t *)malloc(words * sizeof *scratch);
    check(tern_start(&tern, scratch, words), "start");

    /* A text is fed in pieces of any size, so a line may be longer than the buffer. */
    char chunk[CHUNK_SIZE];
    while (fgets(chunk, sizeof chunk, stdin) != NULL) {
        size_t count = strlen(chunk);
        int is_end = count > 0 && chunk[count - 1] == '\n';
        check(tern_feed(&tern, chunk, is_end ? count - 1 : count), "feed");
        if (is_end) {
            check(tern_finish(&tern), "finish");
            if (as_logits) {
                print_logits();
            } else {
                print_answer();
            }
            check(tern_reset(&tern), "reset");
        }
    }
    free(scratch);
    free(file);
    return 0;
}
