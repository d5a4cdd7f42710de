// Classifies the lines that are typed in the serial monitor.
//
// Make model.h beside this sketch: tern export MODEL -o model.safetensors --c-array model.h
#include <tern.h>

#include "model.h"

static tern_t tern;
static int32_t scratch[MODEL_SCRATCH_WORDS];

void setup() {
  Serial.begin(115200);
  tern_status status = tern_open(&tern, model, MODEL_LENGTH, scratch, MODEL_SCRATCH_WORDS);
  Serial.println(tern_status_name(status));
}

void loop() {
  if (!Serial.available()) {
    return;
  }
  char byte = Serial.read();
  if (byte != '\n') {
    tern_feed(&tern, &byte, 1);
    return;
  }
  tern_finish(&tern);
  int32_t label = tern_answer(&tern);
  char name[64] = "no label";
  if (label >= 0 && tern_unknown_tokens(&tern) < tern_tokens(&tern)) {
    tern_label(&tern, label, name, sizeof name);
  }
  Serial.println(name);
  tern_reset(&tern);
}
