/* Calls every function of tern.h, in the right order and in wrong ones. The arguments are the device files of a
 * classifier of texts and of a classifier of values with two channels. */
#include "tern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                                   \
    do {                                                                    \
        if (!(condition)) {                                                 \
            printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

static tern_t tern;

static void *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    EXPECT(file != NULL && fseek(file, 0, SEEK_END) == 0);
    *length = (size_t)ftell(file);
    rewind(file);
    void *bytes = malloc(*length);
    EXPECT(bytes != NULL && fread(bytes, 1, *length, file) == *length);
    fclose(file);
    return bytes;
}

/* Without a model or a session, and without memory, nothing happens. */
static void empty_states_are_errors(void) {
    int32_t number = 7;
    uint32_t index = 7;
    size_t length = 7;
    char text[4] = "abc";
    tern_t *states[2] = {NULL, &tern};
    for (int i = 0; i < 2; i++) {
        tern_t *empty = states[i];
        tern_status no_session = i == 0 ? TERN_NULL : TERN_NOT_STARTED;
        EXPECT(tern_start(empty, &number, 1) == (i == 0 ? TERN_NULL : TERN_NOT_LOADED));
        EXPECT(tern_self_test(empty, &number, 1, &length, &length) == (i == 0 ? TERN_NULL : TERN_NOT_LOADED));
        EXPECT(tern_feed(empty, text, 3) == no_session && tern_finish(empty) == no_session);
        EXPECT(tern_feed_values(empty, &number, 1) == no_session && tern_reset(empty) == no_session);
        EXPECT(tern_length_status(empty) == no_session);
        EXPECT(tern_logit(empty, 0, &number) == no_session && tern_predicted(empty, 0, &number) == no_session);
        EXPECT(tern_save(empty, text, 3, &length) == no_session && tern_restore(empty, text, 3) == no_session);
        EXPECT(tern_scratch_words(empty) == 0 && tern_scratch_words_for(empty, 9) == 0);
        EXPECT(tern_class_count(empty) == 0 && tern_channel_count(empty) == 0 && tern_saved_len(empty) == 0);
        EXPECT(tern_tokens(empty) == 0 && tern_unknown_tokens(empty) == 0 && tern_fingerprint(empty) == 0);
        EXPECT(tern_macs_per_token(empty) == 0 && tern_state_size() == TERN_STATE_SIZE);
        EXPECT(tern_best(empty) == -1 && tern_answer(empty) == -1 && tern_probability(empty, 0) == 0);
        EXPECT(tern_logits(empty, &number, 1) == 0 && tern_top(empty, &index, &number, 1) == 0);
        EXPECT(tern_channel(empty, 0, &number, text, 3) != TERN_OK);
        EXPECT(tern_encode(empty, 0, 1, 1) == TERN_MISSING);
        EXPECT(tern_label(empty, 0, NULL, 0) == 0 && tern_model_name(empty, NULL, 0) == 0);
    }
    EXPECT(number == 7 && index == 7 && length == 7 && strcmp(text, "abc") == 0);
    EXPECT(strcmp(tern_status_name(TERN_OK), "ok") == 0);
    EXPECT(strcmp(tern_status_name(TERN_SELF_TEST_FAILED), "self-test failed") == 0);
    EXPECT(strcmp(tern_status_name(-1), "unknown") == 0 && strcmp(tern_status_name(1000), "unknown") == 0);
}

static void damaged_files_are_refused(char *file, size_t length) {
    EXPECT(tern_load(NULL, file, length) == TERN_NULL);
    EXPECT(tern_load(&tern, NULL, length) == TERN_NULL);
    EXPECT(tern_load(&tern, file + 1, length - 1) == TERN_MISALIGNED);
    EXPECT(tern_load(&tern, file, length - 1) == TERN_TRUNCATED);
    EXPECT(tern_load(&tern, file, 0) != TERN_OK);
    char first = file[0];
    file[0] = (char)(first ^ 1);
    EXPECT(tern_load(&tern, file, length) != TERN_OK);
    file[0] = first;
    EXPECT(tern_scratch_words(&tern) == 0);
    EXPECT(tern_file_len(file, length) == length && tern_file_len(file, 4) == 0 && tern_file_len(NULL, 9) == 0);
}

static void texts_are_classified(char *file, size_t length) {
    const char *text = "there is a fire in my room";
    char label[64], cut[3], state[4096];
    int32_t logits[64], restored[64], few[1];
    uint32_t top[9];
    int32_t top_logits[9];
    size_t passed = 0, total = 0, saved = 0;

    EXPECT(tern_load(&tern, file, length) == TERN_OK);
    size_t words = tern_scratch_words(&tern);
    int32_t *scratch = (int32_t *)malloc(words * sizeof *scratch);
    EXPECT(words > 0 && tern_scratch_words_for(&tern, 1) <= words);
    EXPECT(tern_start(&tern, NULL, words) == TERN_NULL);
    EXPECT(tern_start(&tern, (int32_t *)((char *)scratch + 1), words - 1) == TERN_MISALIGNED);
    EXPECT(tern_start(&tern, scratch, words - 1) == TERN_SCRATCH_TOO_SHORT);
    EXPECT(tern_feed(&tern, text, 1) == TERN_NOT_STARTED);
    EXPECT(tern_self_test(&tern, scratch, words, &passed, &total) == TERN_OK && passed == total && total > 0);
    EXPECT(tern_self_test(&tern, scratch, words, NULL, NULL) == TERN_OK);
    EXPECT(tern_feed(&tern, text, 1) == TERN_NOT_STARTED);
    EXPECT(tern_open(&tern, file, length, scratch, words) == TERN_OK);

    EXPECT(tern_feed(&tern, NULL, 1) == TERN_NULL && tern_feed(&tern, NULL, 0) == TERN_OK);
    EXPECT(tern_feed(&tern, text, 9) == TERN_OK && tern_feed(&tern, text + 9, strlen(text) - 9) == TERN_OK);
    EXPECT(tern_save(&tern, state, 3, &saved) == TERN_BUFFER_TOO_SHORT && saved == 0);
    EXPECT(tern_save(&tern, state, sizeof state, &saved) == TERN_OK && saved == tern_saved_len(&tern));
    EXPECT(tern_finish(&tern) == TERN_OK && tern_length_status(&tern) == TERN_OK);
    EXPECT(tern_tokens(&tern) == 7 && tern_unknown_tokens(&tern) == 0);

    size_t classes = tern_class_count(&tern);
    EXPECT(classes == 5 && tern_logits(&tern, logits, 64) == classes && tern_logits(&tern, few, 1) == 1);
    EXPECT(few[0] == logits[0] && tern_logits(&tern, NULL, 9) == 0);
    int32_t best = tern_best(&tern);
    EXPECT(best >= 0 && tern_answer(&tern) == best);
    uint32_t sum = 0;
    for (size_t index = 0; index < classes; index++) {
        int32_t logit = 0;
        EXPECT(tern_logit(&tern, index, &logit) == TERN_OK && logit == logits[index] && logit <= logits[best]);
        sum += tern_probability(&tern, index);
    }
    EXPECT(sum > 65530 && sum < 65542);
    EXPECT(tern_logit(&tern, classes, few) == TERN_NO_SUCH_INDEX && tern_probability(&tern, classes) == 0);
    EXPECT(tern_top(&tern, top, top_logits, 9) == classes && top[0] == (uint32_t)best && top_logits[0] == logits[best]);
    EXPECT(tern_top(&tern, top, NULL, 1) == 1 && tern_top(&tern, NULL, NULL, 1) == 0);

    EXPECT(tern_label(&tern, (size_t)best, label, sizeof label) == 5 && strcmp(label, "alarm") == 0);
    EXPECT(tern_label(&tern, (size_t)best, cut, sizeof cut) == 5 && strcmp(cut, "al") == 0);
    EXPECT(tern_label(&tern, (size_t)best, cut, 1) == 5 && cut[0] == '\0');
    EXPECT(tern_label(&tern, classes, label, sizeof label) == 0 && label[0] == '\0');
    EXPECT(tern_model_name(&tern, label, sizeof label) == 8 && strcmp(label, "building") == 0);
    EXPECT(tern_fingerprint(&tern) != 0 && tern_macs_per_token(&tern) > 1000);

    /* The rest of the text after the state was saved is only its end. */
    EXPECT(tern_reset(&tern) == TERN_OK && tern_tokens(&tern) == 0);
    EXPECT(tern_restore(&tern, state, saved) == TERN_OK && tern_finish(&tern) == TERN_OK);
    EXPECT(tern_logits(&tern, restored, 64) == classes);
    EXPECT(memcmp(restored, logits, classes * sizeof *logits) == 0);
    state[saved / 2] = (char)(state[saved / 2] ^ 1);
    EXPECT(tern_restore(&tern, state, saved) == TERN_STATE_CORRUPT && tern_tokens(&tern) == 0);
    EXPECT(tern_restore(&tern, state, 2) == TERN_NO_STATE && tern_restore(&tern, NULL, 2) == TERN_NULL);
    state[5] = (char)(state[5] ^ 1);
    EXPECT(tern_restore(&tern, state, saved) == TERN_STATE_OF_OTHER_MODEL);

    EXPECT(tern_feed_values(&tern, logits, 1) == TERN_READS_TEXT && tern_channel_count(&tern) == 0);
    EXPECT(tern_predicted(&tern, 0, few) == TERN_NO_SUCH_INDEX);
    EXPECT(tern_channel(&tern, 0, few, label, sizeof label) == TERN_NO_SUCH_INDEX);
    free(scratch);
}

static void values_are_classified(char *file, size_t length) {
    int32_t values[6], point = 99, whole[8], parts[8];
    char name[32];
    static int32_t scratch[4096];

    EXPECT(tern_open(&tern, file, length, scratch, 4096) == TERN_OK);
    EXPECT(tern_channel_count(&tern) == 2);
    EXPECT(tern_channel(&tern, 1, &point, name, sizeof name) == TERN_OK && point >= -16 && point <= 30);
    EXPECT(name[0] != '\0' && tern_channel(&tern, 2, &point, name, sizeof name) == TERN_NO_SUCH_INDEX);
    EXPECT(tern_channel(&tern, 0, NULL, NULL, 0) == TERN_OK);
    EXPECT(tern_encode(&tern, 0, 1, 0) == TERN_MISSING && tern_encode(&tern, 2, 1, 1) == TERN_MISSING);
    EXPECT(tern_encode(&tern, 0, -6, 2) == tern_encode(&tern, 0, -3, 1));
    for (int i = 0; i < 6; i++) {
        values[i] = tern_encode(&tern, (size_t)(i % 2), 10 * i - 25, 10);
    }
    EXPECT(tern_feed(&tern, "a", 1) == TERN_READS_VALUES && tern_finish(&tern) == TERN_READS_VALUES);
    EXPECT(tern_feed_values(&tern, values, 3) == TERN_CHANNELS && tern_feed_values(&tern, NULL, 2) == TERN_NULL);
    EXPECT(tern_feed_values(&tern, values, 6) == TERN_OK && tern_tokens(&tern) == 3);
    size_t classes = tern_logits(&tern, whole, 8);
    EXPECT(classes > 0 && tern_reset(&tern) == TERN_OK);
    for (int step = 0; step < 3; step++) {
        EXPECT(tern_feed_values(&tern, values + 2 * step, 2) == TERN_OK);
    }
    EXPECT(tern_logits(&tern, parts, 8) == classes && memcmp(whole, parts, classes * sizeof *whole) == 0);
}

int main(int argc, char **argv) {
    EXPECT(argc == 3);
    EXPECT(sizeof(tern_t) == TERN_STATE_SIZE);
    size_t text_length, value_length;
    char *texts = (char *)read_file(argv[1], &text_length);
    char *values = (char *)read_file(argv[2], &value_length);
    empty_states_are_errors();
    damaged_files_are_refused(texts, text_length);
    texts_are_classified(texts, text_length);
    values_are_classified(values, value_length);
    free(texts);
    free(values);
    printf("every call did what it should\n");
    return 0;
}
