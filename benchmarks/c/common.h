/* What both programs on librabbitmq share: connecting, reading frames, and leaving with a reason. */
#ifndef COMMON_H
#define COMMON_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else /* before 0.12 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL 1
#define RING (1 << 16) /* more than any window or prefetch */

static unsigned char confirmed[RING]; /* by sequence number: confirmed, though one before it is not */
static uint64_t confirmed_up_to;      /* every message up to this sequence number is confirmed */

_Noreturn static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void check(int status, const char *what) {
  if (status < 0) {
    fprintf(stderr, "%s: %s\n", what, amqp_error_string2(status));
    exit(1);
  }
}

static void check_reply(amqp_rpc_reply_t reply, const char *what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

/* Connects to an AMQP URL and opens a channel in confirm mode. */
static amqp_connection_state_t connect_to(const char *url) {
  struct amqp_connection_info info;
  check(amqp_parse_url(strdup(url), &info), "URL");
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  check(amqp_socket_open(socket, info.host, info.port), "connect");
  check_reply(amqp_login(connection, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password),
              "log in failed");
  amqp_channel_open(connection, CHANNEL);
  check_reply(amqp_get_rpc_reply(connection), "channel.open failed");
  amqp_confirm_select(connection, CHANNEL);
  check_reply(amqp_get_rpc_reply(connection), "confirm.select failed");
  return connection;
}

/* Notes a confirmation, which may come out of order; anything that means a message was not taken ends the program. */
static void note_confirmation(const amqp_frame_t *frame) {
  switch (frame->payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const amqp_basic_ack_t *ack = frame->payload.method.decoded;
      if (ack->multiple) {
        for (uint64_t tag = confirmed_up_to + 1; tag <= ack->delivery_tag; tag++) confirmed[tag % RING] = 1;
      } else {
        confirmed[ack->delivery_tag % RING] = 1;
      }
      while (confirmed[(confirmed_up_to + 1) % RING]) {
        confirmed_up_to++;
        confirmed[confirmed_up_to % RING] = 0;
      }
      break;
    }
    case AMQP_BASIC_NACK_METHOD: fail("the broker refused a message");
    case AMQP_BASIC_RETURN_METHOD: fail("no queue took a message");
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD: fail("the broker closed the connection");
    default: break;
  }
}

#endif
