/* The limit of publish, and the loader of the other parts: publishes orders, confirmed and mandatory.
 *
 *     publish URL EXCHANGE ROUTING-KEY TYPE COUNT IN-FLIGHT BODY-FILE
 *
 * Each run of @ in the body is replaced by the message's number, padded with zeros to its length.
 */
#include "common.h"

#include <time.h>

static amqp_table_entry_t header(const char *name, const char *text) {
  amqp_table_entry_t entry;
  entry.key = amqp_cstring_bytes(name);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(text);
  return entry;
}

static size_t read_file(const char *path, char *into, size_t most) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot read the body file");
  size_t size = fread(into, 1, most, file);
  fclose(file);
  return size;
}

static void number_body(const char *template, char *body, size_t size, uint64_t number) {
  for (size_t at = 0; at < size; at++) {
    if (template[at] != '@') continue;
    size_t end = at;
    while (end < size && template[end] == '@') end++;
    uint64_t rest = number;
    for (size_t digit = end; digit-- > at; rest /= 10) body[digit] = (char)('0' + rest % 10);
    at = end;
  }
}

int main(int count, char **words) {
  if (count != 8) fail("usage: publish URL EXCHANGE ROUTING-KEY TYPE COUNT IN-FLIGHT BODY-FILE");
  amqp_connection_state_t connection = connect_to(words[1]);
  amqp_bytes_t exchange = amqp_cstring_bytes(words[2]), key = amqp_cstring_bytes(words[3]);
  uint64_t wanted = strtoull(words[5], NULL, 10), in_flight = strtoull(words[6], NULL, 10);
  if (in_flight >= RING) fail("too many in flight");

  static char template[1 << 20], body[1 << 20];
  size_t size = read_file(words[7], template, sizeof template);
  memcpy(body, template, size);

  char id[64], correlation[64], now[64];
  time_t seconds = time(NULL);
  strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
  amqp_table_entry_t entries[] = {
      header("cloudEvents_specversion", "1.0"), header("cloudEvents_id", id),
      header("cloudEvents_source", "/orderbus/benchmarks"), header("cloudEvents_type", words[4]),
      header("cloudEvents_time", now), header("cloudEvents_subject", correlation),
      header("cloudEvents_correlationid", correlation),
  };
  amqp_basic_properties_t properties = {
      ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_HEADERS_FLAG,
      .content_type = amqp_cstring_bytes("application/json"),
      .delivery_mode = AMQP_DELIVERY_PERSISTENT,
      .headers = {.num_entries = sizeof entries / sizeof *entries, .entries = entries},
  };

  for (uint64_t published = 0; confirmed_up_to < wanted;) {
    if (published < wanted && published - confirmed_up_to < in_flight) {
      published++;
      number_body(template, body, size, published);
      snprintf(id, sizeof id, "benchmark-%012llu", (unsigned long long)published);
      snprintf(correlation, sizeof correlation, "default/%09llu", (unsigned long long)published);
      entries[1].value.value.bytes = properties.message_id = amqp_cstring_bytes(id);
      entries[5].value.value.bytes = entries[6].value.value.bytes = amqp_cstring_bytes(correlation);
      properties.correlation_id = amqp_cstring_bytes(correlation);
      amqp_bytes_t bytes = {.len = size, .bytes = body};
      check(amqp_basic_publish(connection, CHANNEL, exchange, key, 1, 0, &properties, bytes), "basic.publish");
      if (!amqp_data_in_buffer(connection) && published - confirmed_up_to < in_flight) continue;
    }
    amqp_maybe_release_buffers(connection);
    amqp_frame_t frame;
    check(amqp_simple_wait_frame(connection, &frame), "wait for a frame");
    if (frame.frame_type == AMQP_FRAME_METHOD) note_confirmation(&frame);
  }
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close failed");
  return 0;
}
