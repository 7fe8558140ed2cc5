/* The limit of route: moves messages from a queue to an exchange, confirmed and mandatory, and acknowledges each
 * once its copy is confirmed. It decodes nothing: what it costs is the client library and the broker.
 *
 *     route URL QUEUE EXCHANGE ROUTING-KEY PREFETCH
 */
#include "common.h"

#define ACK_EVERY 64

int main(int count, char **words) {
  if (count != 6) fail("usage: route URL QUEUE EXCHANGE ROUTING-KEY PREFETCH");
  amqp_connection_state_t connection = connect_to(words[1]);
  amqp_bytes_t exchange = amqp_cstring_bytes(words[3]), key = amqp_cstring_bytes(words[4]);
  amqp_basic_qos(connection, CHANNEL, 0, (uint16_t)atoi(words[5]), 0);
  check_reply(amqp_get_rpc_reply(connection), "basic.qos failed");
  amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(words[2]), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "basic.consume failed");

  static char body[1 << 20];
  uint64_t acked = 0;
  for (;;) {
    /* On one channel, the n-th delivery is published as the n-th message: one number names both. */
    int idle = !amqp_frames_enqueued(connection) && !amqp_data_in_buffer(connection);
    if (confirmed_up_to - acked >= ACK_EVERY || (idle && confirmed_up_to > acked)) {
      check(amqp_basic_ack(connection, CHANNEL, confirmed_up_to, 1), "basic.ack");
      acked = confirmed_up_to;
    }
    amqp_maybe_release_buffers(connection);
    amqp_frame_t frame;
    check(amqp_simple_wait_frame(connection, &frame), "wait for a frame");
    if (frame.frame_type != AMQP_FRAME_METHOD) continue;
    if (frame.payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
      note_confirmation(&frame);
      continue;
    }
    check(amqp_simple_wait_frame(connection, &frame), "wait for a header");
    amqp_basic_properties_t *properties = frame.payload.properties.decoded;
    size_t size = frame.payload.properties.body_size, got = 0;
    if (size > sizeof body) fail("a message is too large");
    while (got < size) {
      check(amqp_simple_wait_frame(connection, &frame), "wait for a body");
      memcpy(body + got, frame.payload.body_fragment.bytes, frame.payload.body_fragment.len);
      got += frame.payload.body_fragment.len;
    }
    amqp_bytes_t copy = {.len = size, .bytes = body};
    check(amqp_basic_publish(connection, CHANNEL, exchange, key, 1, 0, properties, copy), "basic.publish");
  }
}
